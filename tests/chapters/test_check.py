"""A recorded row made again: what agrees, what does not, and how far rounding goes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from gpkl_lib._storage import read_rows, write_rows
from gpkl_lib.chapters.recorders import check
from gpkl_lib.chapters.recorders.__main__ import main as make
from gpkl_lib.chapters.recorders.rounding import nudged
from gpkl_lib.corpora import toy_corpus
from gpkl_lib.tagger import Tagger

SMALL = "corpus = 'toy'\ntoy-size = 16\nhidden-size = 8\nepochs = 1\nbatch-size = 8\nlearning-rate = 0.01\n"
RECIPES = {
    "armed": f"recorder = 'arms'\ndraw = 'seed'\n{SMALL}seeds = [7]\nruns = [{{ arm = 'a', method = 'none' }}]",
    "compared": f"{SMALL}seeds = [3]\nruns = [{{ methods = ['none'] }}]",
    "rounding": f"recorder = 'rounding'\nnudges = 2\n{SMALL}[[runs]]",
    "normface": "recorder = 'normface'\nruns = [{ scales = [4], seeds = [0] }]",
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Recipes with their records, each of one row."""
    folder = tmp_path_factory.mktemp("results")
    for name, text in RECIPES.items():
        (folder / f"{name}.toml").write_text(text)
        assert make([str(folder / f"{name}.toml")]) == 0
        assert len(read_rows(folder / f"{name}.jsonl")) == 1
    return folder


@pytest.fixture
def altered(folder: Path, tmp_path: Path) -> Any:
    """A copy of a record in which some text stands for another, checked: the exit code and what was said."""

    def look(name: str, capsys: pytest.CaptureFixture[str], change: Any = lambda row: None) -> tuple[int, str]:
        (row,) = read_rows(folder / f"{name}.jsonl")
        change(row)
        write_rows(tmp_path / f"{name}.jsonl", [row])
        (tmp_path / f"{name}.toml").write_text(RECIPES[name])
        (tmp_path / "rounding.jsonl").write_text(json.dumps({"dev": [0.1, 0.11], "test": [0.2, 0.2]}) + "\n")
        code = check.main([str(tmp_path / f"{name}.toml"), "--seed", "0"])
        return code, capsys.readouterr().out.strip()

    return look


@pytest.mark.parametrize("name", ["armed", "compared"])
def test_a_run_agrees_within_what_rounding_does(name: str, altered: Any, capsys: pytest.CaptureFixture[str]) -> None:
    code, said = altered(name, capsys)
    assert code == 0
    assert said.endswith("made again is off by 0.0000, within 0.0283")  # four times 0.01 / sqrt 2

    def move(by: float) -> Any:
        return lambda row: row["test"].update(f1=row["test"]["f1"] + by)

    assert altered(name, capsys, move(0.02))[1].endswith("off by 0.0200, within 0.0283")
    code, said = altered(name, capsys, move(0.03))
    assert code == 1
    assert said.endswith("off by 0.0300, MORE THAN 0.0283")


def test_numbers_agree_to_a_percent(altered: Any, capsys: pytest.CaptureFixture[str]) -> None:
    assert altered("normface", capsys)[0] == 0
    code, said = altered("normface", capsys, lambda row: row["loss"].__setitem__(3, 2 * row["loss"][3]))
    assert (code, said.endswith("off by inf, MORE THAN 0.0000")) == (1, True)


def test_a_row_that_no_recipe_asks_for_is_said(altered: Any, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("armed", "compared", "normface"):
        with pytest.raises(check.cli.UsageError, match="asks for no row nowhere"):
            altered(name, capsys, lambda row: row.update(key="nowhere"))


def test_without_a_record_of_rounding_nothing_is_run(folder: Path, tmp_path: Path) -> None:
    for name in ("armed.toml", "armed.jsonl"):
        (tmp_path / name).write_bytes((folder / name).read_bytes())
    with pytest.raises(check.cli.UsageError, match=r"rounding\.jsonl is missing, .*: make results-rounding"):
        check.main([str(tmp_path / "armed.toml")])


def test_what_differs_by_its_nature_is_not_made_again(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert check.main([str(folder / "rounding.toml")]) == 0
    assert capsys.readouterr().out == "rounding: measures time or rounding, not made again\n"
    (row,) = read_rows(folder / "rounding.jsonl")
    assert len(row["dev"]) == len(row["test"]) == 2


def test_a_nudge_moves_every_weight_by_one_unit_in_the_last_place() -> None:
    def weights(seed: int) -> torch.Tensor:
        corpus = toy_corpus(8)
        tagger = Tagger.from_scratch(corpus.sentences, corpus.types, hidden_size=8)
        return torch.cat([weight.detach().flatten() for weight in nudged(tagger, seed).parameters()])

    plain, one, other = weights(0), weights(1), weights(2)
    assert torch.equal(plain, weights(0))
    assert torch.equal(one, weights(1))
    above, below = (torch.nextafter(plain, torch.tensor(end)) for end in (torch.inf, -torch.inf))
    assert ((one == above) | (one == below)).all()
    for nudge in (one, other):
        assert (nudge > plain).float().mean().item() == pytest.approx(0.5, abs=0.05)
    assert (one != other).float().mean().item() == pytest.approx(0.5, abs=0.05)
