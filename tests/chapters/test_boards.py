"""Recorded boards: what one holds, what is refused, and that the book's record can be made again."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from gpkl_lib import decode_spans
from gpkl_lib._storage import read_rows
from gpkl_lib.chapters.recorders.__main__ import main
from gpkl_lib.chapters.recorders.boards import _rounded, board
from gpkl_lib.corpora import Sentence, toy_corpus
from gpkl_lib.explore.recorded.boards import Board, fold, load_boards, unfold
from gpkl_lib.tagger.tagger import Tagger

RECORD = Path(__file__).parents[2] / "book/_results/span-boards.jsonl"
RECIPE = """
recorder = "boards"
epochs = 1
toy-size = 8
hidden-size = 8
dropout = 0.5

[[runs]]
sentences = [61, 84]
"""


@pytest.fixture
def tagger() -> Tagger:
    corpus = toy_corpus(20)
    made = Tagger.from_scratch(corpus.sentences, corpus.types, seed=1, hidden_size=16)
    with torch.no_grad():
        made.head.projection.weight.mul_(8)  # scores on both sides of 0, none of them near it
    return made.eval()


SENTENCE = Sentence(("Anna", "left", "Port", "Nillow"), (("place", 2, 4), ("person", 0, 1)))


def made(row: dict, types: tuple[str, ...]) -> Board:
    return boards_of({"types": types, "boards": [row]})[0]


def boards_of(row: dict) -> list[Board]:
    from gpkl_lib.explore.recorded import boards as reading

    return [reading._board(one, tuple(row["types"]), {}) for one in row["boards"]]


def test_a_board_has_the_scores_of_the_tagger_and_its_decisions(tagger: Tagger) -> None:
    one = made(board(tagger, SENTENCE, tagger.types), tagger.types)
    batch = tagger.collate([SENTENCE])
    with torch.no_grad():
        logits = tagger(batch)
    assert one.scores.shape == (len(tagger.types), 4, 4)
    assert (fold(one.scores) - fold(logits[0].double())).abs().max() <= 0.005 + 1e-6
    assert one.decided() == decode_spans(logits, tagger.types)[0] == tagger.predict([SENTENCE])[0]
    assert one.gold == (("person", 0, 1), ("place", 2, 4))
    assert one.result().gold == 2


def test_the_views_differ_come_from_one_pass_and_are_made_again(tagger: Tagger) -> None:
    state = torch.get_rng_state()
    one, again, other = (board(tagger, SENTENCE, tagger.types, seed=seed) for seed in (3, 3, 4))
    assert torch.equal(torch.get_rng_state(), state)
    assert not tagger.training
    assert one == again
    assert one["views"][0] != one["views"][1]
    assert other["views"] != one["views"]
    assert other["scores"] == one["scores"]
    torch.manual_seed(3)
    tagger.train()
    with torch.no_grad():
        views = tagger(tagger.collate([SENTENCE, SENTENCE]))
    tagger.eval()
    for kept, view in zip(made(one, tagger.types).views, views.double(), strict=True):
        assert (fold(kept) - fold(view)).abs().max() <= 0.005 + 1e-6


def test_what_would_mislead_is_refused(tagger: Tagger) -> None:
    with pytest.raises(ValueError, match=r"^types must be among event, .*, got animal$"):
        board(tagger, SENTENCE, ["place", "animal"])
    with pytest.raises(ValueError, match=r"'Anna left Port Nillow' has spans of .*person.*, which types leaves out$"):
        board(tagger, SENTENCE, ["place"])


def test_rounding_changes_no_decision() -> None:
    scores = [0.5, -3.14159, 0.004, -0.0049, 1.23e-7, 0.0, 0.01, -0.009999]
    rounded = _rounded(torch.tensor([scores], dtype=torch.float64))[0]
    assert rounded == [0.5, -3.14, 0.004, -0.0049, 1.2e-7, 0.0, 0.01, -0.01]
    assert [x > 0 for x in rounded] == [x > 0 for x in scores]


def test_unfold_is_the_inverse_of_fold_and_counts_cells() -> None:
    cells = [[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]]
    lowest = torch.finfo(torch.float64).min
    assert unfold(cells, 3).tolist() == [[[1, 2, 3], [lowest, 4, 5], [lowest, lowest, 6]]]
    assert fold(unfold(cells, 3)).tolist() == cells
    for length in (2, 4):
        with pytest.raises(ValueError, match=rf"^{length} tokens have {length * (length + 1) // 2} cells a type"):
            unfold(cells, length)


def test_a_recipe_is_recorded_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    recipe, output = tmp_path / "boards.toml", tmp_path / "boards.jsonl"
    recipe.write_text(RECIPE, "utf-8")
    assert main([str(recipe)]) == 0
    first = output.read_text()
    assert main([str(recipe)]) == 0
    assert output.read_text() == first
    assert "was there already" in capsys.readouterr().err
    (row,) = read_rows(output)
    assert row["provenance"]["command"] == f"python -m gpkl_lib.chapters.recorders {recipe}"
    assert row["corpus"]["train"]["sentences"] == 8
    assert row["model"]["dropout"] == 0.5
    assert row["dropout_seed"] == 0
    assert len(row["corpus"]["test"]["sha256"]) == 64
    assert [one.tokens for one in load_boards(output)] == [toy_corpus(split="test")[place].tokens for place in (61, 84)]
    recipe.write_text(RECIPE.replace("[61, 84]", "[400]"), "utf-8")
    assert main([str(recipe)]) == 2
    assert "places in the test part, from 0, got [400]" in capsys.readouterr().err
    recipe.write_text(RECIPE + "dropout-seed = 1\n", "utf-8")
    assert main([str(recipe)]) == 0
    assert [row["dropout_seed"] for row in read_rows(output)] == [0, 1]


def test_a_record_that_is_none_is_named_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "boards.jsonl"
    whole = json.loads(RECORD.read_text("utf-8").splitlines()[0])
    for change in (lambda row: row.pop("types"), lambda row: row["boards"][0]["tokens"].pop()):
        row = json.loads(json.dumps(whole))
        change(row)
        path.write_text(json.dumps(whole) + "\n" + json.dumps(row) + "\n", "utf-8")
        with pytest.raises(ValueError, match=r"boards\.jsonl:2: not a record of boards"):
            load_boards(path)


def test_the_book_s_record_is_whole_and_says_where_it_came_from() -> None:
    rows, loaded = read_rows(RECORD), load_boards(RECORD)
    assert [row["corpus"]["name"] for row in rows] == ["toy", "germeval2014"]
    assert RECORD.stat().st_size < 45_000
    for row in rows:
        assert row["provenance"]["dirty"] is False
        assert len(row["provenance"]["commit"]) == 40
        assert row["provenance"]["command"] == "python -m gpkl_lib.chapters.recorders book/_results/span-boards.toml"
    test = toy_corpus(split="test")
    assert rows[0]["corpus"]["test"]["sha256"] == test.sha256
    for one, written in zip(loaded, [x for row in rows for x in row["boards"]], strict=True):
        assert len(one.tokens) <= 11
        if one.corpus == "toy":
            assert Sentence(one.tokens, one.gold) == test[written["sentence"]]
    verdicts = [(one.result().correct, one.result().predicted, one.result().gold) for one in loaded]
    assert verdicts == [(4, 4, 4), (5, 5, 5), (2, 5, 4), (2, 3, 4), (1, 2, 2), (2, 2, 2)]


@pytest.mark.slow
def test_the_toy_boards_are_made_again(tmp_path: Path) -> None:
    """Float32 sums differ from processor to processor in the last digits, which training carries on."""
    row = read_rows(RECORD)[0]
    recipe, found, last = RECORD.with_suffix(".toml").read_text("utf-8").rpartition("[[runs]]")
    assert found
    assert "germeval2014" in last
    copy = tmp_path / "boards.toml"
    copy.write_text(recipe, "utf-8")
    assert main([str(copy)]) == 0
    (again,) = read_rows(tmp_path / "boards.jsonl")
    assert again["key"] == row["key"]
    assert again["parameters"] == row["parameters"]
    assert again["test"]["f1"] == pytest.approx(row["test"]["f1"], abs=0.05)
    if again["provenance"]["versions"] == row["provenance"]["versions"] and again["test"] == row["test"]:
        assert again["boards"] == row["boards"]
