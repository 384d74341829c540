"""What the chapters' cells show: tables, sources, recipes, verdicts."""

import pytest
import torch

from gpkl_lib.chapters.cells import badges, recipe, source, table, verdict
from gpkl_lib.losses import log_1_plus_sum_exp, multilabel_cross_entropy


def test_table_names_columns_and_rows():
    text = table(["way", "n"], [["<code>a</code>", 3], ["c", 0.5]]).data
    assert text.count("<tr>") == 3
    assert '<th scope="col">way</th>' in text
    assert '<th scope="row"><code>a</code></th><td>3</td>' in text
    assert '<th scope="row">c</th><td>0.5</td>' in text
    with pytest.raises(ValueError, match=r"a row must have 2 values, as head has, got \['x'\]"):
        table(["way", "n"], [["x"]])


def test_source_is_the_library_s_without_docstrings():
    text = source(log_1_plus_sum_exp, multilabel_cross_entropy).data
    assert text.startswith("```python\ndef log_1_plus_sum_exp(x: Tensor) -> Tensor:\n    m = x")
    assert "\n\n\ndef multilabel_cross_entropy(" in text
    assert '"""' not in text
    assert text.endswith("return cross_entropy(input, positive, class_dims, mask, reduction)\n```")
    assert "    return" not in source(torch.nn.Linear.forward).data.split("\n")[1]


def test_badges_say_how_certain_each_formula_is():
    from gpkl_lib.chapters.formulas import kl_divergence as proofs

    one = badges(proofs.tangent).data
    assert one.count(">proven in words</summary>") == one.count("<details") == 1
    assert "compared at 16 points" in one
    assert "\\log" not in one
    both = badges(proofs.tangent, proofs.split).data
    assert both.index(r"\log r \le r - 1") < both.index(">proven in words<") < both.index(">proven<")


def test_recipes_stand_below_their_commands(tmp_path):
    for name, text in (("one", "epochs = 3\n\n[[runs]]\n"), ("two", "# nothing\n")):
        (tmp_path / f"{name}.toml").write_text(text)
    assert recipe(tmp_path / "one.toml", tmp_path / "two.toml").data == (
        "```shell\nmake results-one\n```\n\n```toml\nepochs = 3\n\n[[runs]]\n```\n\n"
        "```shell\nmake results-two\n```\n\n```toml\n# nothing\n```"
    )


@pytest.mark.parametrize(
    ("a", "b", "printed"),
    [
        (torch.tensor([1.0, 2.0]), torch.tensor([1.0, 2.0]), "both: exact"),
        (torch.tensor([1.0, 2.0], requires_grad=True), torch.tensor([1.0, 2.25]), "both: largest difference 2.5e-01"),
        (0.5, 0.25, "both: largest difference 2.5e-01"),
        (torch.tensor([0.0, float("nan")]), 0.0, "both: largest difference nan"),
    ],
)
def test_verdict_gives_the_largest_difference(capsys, a, b, printed):
    verdict("both", a, b)
    assert capsys.readouterr().out == printed + "\n"
