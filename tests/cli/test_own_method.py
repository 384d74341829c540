"""A method is one file: registered by its own file alone, it is trained, set, compared, tabled and drawn like all."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from matplotlib.colors import to_hex

from gpkl_lib.cli import main
from gpkl_lib.corpora import toy_corpus
from gpkl_lib.experiments import comparison_figure, comparison_table, summarise
from gpkl_lib.palette import PALETTE
from gpkl_lib.tagger import Tagger
from gpkl_lib.training import METHODS, Method, Setting, TrainingConfig, fit, register

MINE = '''
"""Small scores: alpha times the mean square of the scores above a border."""

from gpkl_lib.consistency import ConsistencyLoss
from gpkl_lib.training import Method, Setting, Step, cross_entropy, register


def small_scores(step: Step) -> ConsistencyLoss:
    logits = step.model(step.batch)
    task = cross_entropy(logits, step.batch)
    above = (logits - step.config.border).clamp(min=0)
    divergence = above.square().mean()
    return ConsistencyLoss(task + step.alpha * divergence, task, divergence)


register(
    Method(
        "small-scores",
        "the mean square of what scores have above a border",
        small_scores,
        settings=(
            Setting("border", 2.0, "not negative", lambda c: c.border >= 0, "where it begins", varied=True),
            Setting("patch", 3, "positive", lambda c: c.patch >= 1, "nothing, but it has a flag"),
        ),
        label="small scores above {border:g}",
        marker="h",
        tone="ochre",
    )
)

if __name__ == "__main__":
    import sys
    from gpkl_lib.cli import main

    sys.exit(main())
'''
QUICK = ["--toy-size", "30", "--hidden-size", "16", "--epochs", "2", "--device", "cpu"]


@pytest.fixture
def mine() -> Iterator[Method]:
    """The method, known for the length of a test."""
    exec(compile(MINE, "mine.py", "exec"), {"__name__": "mine"})
    yield METHODS["small-scores"]
    del METHODS["small-scores"]


def test_fit_trains_it_with_its_setting(mine: Method) -> None:
    train, dev = toy_corpus(20), toy_corpus(8, split="dev")
    config = TrainingConfig(method="small-scores", border=0.0, alpha=0.2, epochs=2, device="cpu")
    assert config.border == config.settings()["border"] == 0.0
    assert "epsilon" not in config.settings()
    assert "border" not in TrainingConfig(method="vat").settings()
    with pytest.raises(ValueError, match="border must be not negative, got -1"):
        TrainingConfig(method="small-scores", border=-1)
    tagger = Tagger.from_scratch(train.sentences, train.types, hidden_size=16)
    history = fit(tagger, train, dev, config=config, progress=False)
    row = history.rows[0]
    assert row["divergence"] > 0
    assert 0 < row["loss"] - row["task"] < 0.2 * row["divergence"]  # alpha rises in the first fifth


def test_the_command_line_teaches_and_trains_it(mine: Method, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    for command in ("train", "compare"):
        with pytest.raises(SystemExit):
            main([command, "--help"])
    said = " ".join(capsys.readouterr().out.split())
    assert "small-scores alpha x the mean square of what scores have above a border" in said
    assert "--border X small-scores: where it begins (default: 2.0)" in said
    assert "--borders X [X ...] small-scores: where it begins (default: 2.0)" in said
    assert said.count("--patch X small-scores: nothing, but it has a flag (default: 3)") == 2
    output = str(tmp_path / "run")
    assert main(["train", "--method", "small-scores", "--border", "1.5", *QUICK, "--output", output]) == 0
    assert json.loads((tmp_path / "run/config.json").read_text())["config"]["border"] == 1.5


def test_it_is_compared_named_tabled_and_drawn(mine: Method, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    output = tmp_path / "compared.jsonl"
    words = ["compare", "--methods", "none", "small-scores", "--alphas", "0.1", "--borders", "0", "3", "--seeds", "0"]
    assert main([*words, *QUICK, "--output", str(output)]) == 0
    rows = [json.loads(line) for line in output.read_text().splitlines()]
    assert [row["config"].get("border") for row in rows] == [None, 0.0, 3.0]
    assert "small scores above 0" in " ".join(capsys.readouterr().out.split())
    summaries = summarise(rows)
    assert [summary.method for summary in summaries] == ["none", "small scores above 0", "small scores above 3"]
    table = comparison_table(summaries, rows)
    assert list(map(str, table.columns[0].cells)) == [
        summary.method for summary in summaries
    ]  # the label says the border
    (left, _) = comparison_figure(rows).axes
    colours = {to_hex(colour) for points in left.collections for colour in points.get_facecolor()}
    assert {PALETTE["grey"].lower(), PALETTE["ochre"].lower()} <= colours


@pytest.mark.slow
@pytest.mark.slow
def test_its_file_is_a_program(tmp_path: Path) -> None:
    """Two jobs: the children that run trials know the method as well."""
    (tmp_path / "mine.py").write_text(MINE)
    words = ["compare", "--methods", "small-scores", "--seeds", "0", "1", "--jobs", "2", *QUICK]
    command = [sys.executable, "mine.py", *words, "--output", "compared.jsonl"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert len((tmp_path / "compared.jsonl").read_text().splitlines()) == 2


def test_one_name_means_one_setting() -> None:
    other = Setting("temperature", 5.0, "positive", lambda c: c.temperature > 0, "another default")
    with pytest.raises(ValueError, match=r"setting temperature of method 'odd' must have the default 1\.0"):
        register(Method("odd", "nothing", METHODS["none"].loss, settings=(other,)))
    assert "odd" not in METHODS
