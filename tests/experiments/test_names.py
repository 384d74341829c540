"""Names are data: markup of rich, TeX or a terminal in the name of a type, corpus or file is shown, never obeyed."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from gpkl_lib.cli import main
from gpkl_lib.experiments.plots import comparison_figure
from gpkl_lib.experiments.summary import groups, summarise, titles
from gpkl_lib.experiments.tables import comparison_table, scores_table
from gpkl_lib.spans import span_scores

NAMES = [
    "x[/b]",
    "[red]x[/red]",
    "[link=file:///]x[/link]",
    "$x^2$",
    r"$\frac{",
    "<b>x</b>",
    ":smile:",
    "a\x1b[31mb",
    "a\nb",
]
SHOWN = {"a\x1b[31mb": r"a\x1b[31mb", "a\nb": r"a\nb"}


def printed(table: Any) -> str:
    console = Console(file=io.StringIO(), force_terminal=True, width=300)
    console.print(table)
    return console.file.getvalue()  # type: ignore[attr-defined]


@pytest.mark.parametrize("name", NAMES)
def test_a_type_and_a_file_are_printed_as_they_are_called(name: str):
    text = printed(scores_table(f"data/{name}.conll", span_scores([[(name, 0, 1)]], [[]])))
    shown = SHOWN.get(name, name)
    assert f"data/{shown}.conll" in text
    assert text.count(shown) == 2
    assert "\x1b[31m" not in text


def row(method: str, name: str, seed: int) -> dict[str, Any]:
    config = {"method": method, "alpha": 0.1, "alpha_warmup": 0.2, "seed": seed, "epochs": 3}
    scores = {"dev": {"f1": 0.5}, "test": {"f1": 0.5}}
    head = {"corpus": {"name": name}, "model": {"encoder": "scratch"}, "config": config}
    return {**head, **scores, "steps": 10, "seconds": 2.0, "cpu_seconds": 1.0}


@pytest.mark.parametrize("name", NAMES)
def test_a_corpus_is_called_by_its_name_in_tables_and_figures(name: str):
    rows = [row(method, name, seed) for method in ("none", "sigmoid") for seed in (0, 1)]
    shown = SHOWN.get(name, name)
    (group,) = groups(rows)
    assert f"{shown}: F1" in printed(comparison_table(summarise(group), group))
    figure = comparison_figure(rows)
    left = figure.axes[0]
    assert left.get_title().startswith(shown + ":")
    assert not left.title.get_parse_math()
    figure.savefig(io.BytesIO(), dpi=20)


def test_an_error_hands_no_command_to_the_terminal(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    file = tmp_path / "a\x1b[31m.conll"
    file.write_text("Mara\tB_\x1b[2J\n")
    assert main(["convert", str(file), str(tmp_path / "x.jsonl")]) == 2
    error = capsys.readouterr().err
    assert r"a\x1b[31m.conll:1: expected O or a tag" in error
    assert "\x1b" not in error


def test_two_experiments_on_one_corpus_have_two_titles() -> None:
    once = [row(method, "mine", seed) for method in ("none", "sigmoid") for seed in (0, 1)]
    longer = [one | {"config": one["config"] | {"epochs": 9}} for one in once]
    parts = groups([*once, *longer])
    told = titles(parts)
    assert len(set(told)) == 2
    assert told[1].endswith(", epochs 9")
    assert titles(parts[:1]) == [parts[0][0]["corpus"]["name"]]
    drawn = [axes.get_title() for axes in comparison_figure([*once, *longer]).axes[::2]]
    assert all(title.startswith(name) for title, name in zip(drawn, told, strict=True))
    assert f"{told[1]}: F1" in " ".join(printed(comparison_table(summarise(parts[1]), parts[1], told[1])).split())
