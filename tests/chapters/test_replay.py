"""Recorded trainings: what a row holds, what is refused, and that the book's record can be made again."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from gpkl_lib import decode_spans, span_scores
from gpkl_lib._storage import read_rows
from gpkl_lib.chapters.recorders.__main__ import main
from gpkl_lib.chapters.recorders.replays import candidates, note, reliability
from gpkl_lib.corpora import toy_corpus
from gpkl_lib.explore.recorded.boards import fold
from gpkl_lib.explore.recorded.replays import calibration_error, load_replays
from gpkl_lib.tagger.tagger import Tagger

RECORD = Path(__file__).parents[2] / "book/_results/replay.jsonl"
RECIPE = """
recorder = "replays"
epochs = 2
toy-size = 8
hidden-size = 8
sentence = 60

[[runs]]
methods = ["none", "sigmoid"]
"""


def test_reliability_counts_what_a_loop_counts() -> None:
    generator = torch.Generator().manual_seed(0)
    scores = 3 * torch.randn(400, generator=generator, dtype=torch.float64)
    gold = torch.rand(400, generator=generator) < 0.3
    bins = [[0, 0.0, 0] for _ in range(10)]
    for p, true in zip(scores.sigmoid().tolist(), gold.tolist(), strict=True):
        if p >= 0.05:
            one = bins[min(int(p * 10), 9)]
            one[0] += 1
            one[1] += p
            one[2] += true
    wanted = [(count, total / max(count, 1), true) for count, total, true in bins]
    for got, want in zip(reliability(scores, gold), wanted, strict=True):
        assert got == pytest.approx(want, rel=1e-12)
    kept = sum(count for count, _, _ in wanted)
    gap = sum(abs(count * mean - true) for count, mean, true in wanted) / kept
    assert calibration_error(wanted) == pytest.approx(gap)


def test_extremes_of_reliability() -> None:
    sure = torch.tensor([1e4, -1e4, torch.inf, 40.0])
    assert reliability(sure, torch.tensor([True, True, True, False]))[9] == (3, 1.0, 2)
    assert calibration_error(reliability(torch.zeros(0), torch.zeros(0, dtype=torch.bool))) == 0


def test_candidates_are_all_spans_of_all_types_once() -> None:
    corpus = toy_corpus(70)
    tagger = Tagger.from_scratch(corpus.sentences, corpus.types, hidden_size=8)
    scores, gold = candidates(tagger, corpus)
    assert len(scores) == len(gold) == sum(5 * len(s) * (len(s) + 1) // 2 for s in corpus)
    assert int(gold.sum()) == sum(len(s.spans) for s in corpus)
    assert tagger.training


def test_a_note_holds_the_scores_without_dropout_whatever_the_mode() -> None:
    corpus = toy_corpus(40)
    tagger = Tagger.from_scratch(corpus.sentences, corpus.types, hidden_size=16, dropout=0.5)
    found = note(tagger.train(), corpus[0], corpus[:5])
    assert tagger.training
    with torch.no_grad():
        scores = fold(tagger.eval()(tagger.collate([corpus[0]]))[0].double())
    kept = torch.tensor([[float(x) for x in cells.split()] for cells in found["scores"]], dtype=torch.float64)
    assert ((kept - scores).abs() <= 0.0501 * scores.abs()).all()
    assert ((kept > 0) == (scores > 0)).all()
    assert [bin[0] for bin in found["bins"]] == [bin[0] for bin in reliability(*candidates(tagger, corpus[:5]))]


def test_a_recipe_is_recorded_once_and_what_stood_then(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    recipe, output = tmp_path / "replay.toml", tmp_path / "replay.jsonl"
    recipe.write_text(RECIPE, "utf-8")
    assert main([str(recipe)]) == 0
    first = output.read_text()
    assert main([str(recipe)]) == 0
    assert output.read_text() == first
    assert capsys.readouterr().err.count("was there already") == 2
    none, sigmoid = load_replays(output)
    assert (none.method, sigmoid.method) == ("none", "sigmoid")
    assert len(none.epochs) == len(sigmoid.epochs) == 2
    assert none.run["config"]["alpha"] == 0
    assert {epoch.term for epoch in none.epochs} == {0}
    assert all(epoch.term > 0 for epoch in sigmoid.epochs)
    assert none.tokens == toy_corpus(split="dev")[60].tokens
    assert none.run["provenance"]["command"] == f"python -m gpkl_lib.chapters.recorders {recipe}"
    recipe.write_text(RECIPE.replace("60", "200"), "utf-8")
    assert main([str(recipe)]) == 2
    assert "place in the dev part, from 0 to 199, got 200" in capsys.readouterr().err


def test_the_book_s_record_is_whole_and_says_where_it_came_from() -> None:
    rows, replays = read_rows(RECORD), load_replays(RECORD)
    assert [replay.method for replay in replays] == ["none", "sigmoid", "softmax"]
    assert RECORD.stat().st_size < 60_000
    dev = toy_corpus(split="dev")
    for row, replay in zip(rows, replays, strict=True):
        assert row["provenance"]["dirty"] is False
        assert len(row["provenance"]["commit"]) == 40
        assert row["provenance"]["command"] == "python -m gpkl_lib.chapters.recorders book/_results/replay.toml"
        assert row["corpus"]["dev"]["sha256"] == dev.sha256
        assert replay.gold == dev[row["sentence"]].spans
        assert len(replay.epochs) == row["config"]["epochs"]
        for k, epoch in enumerate(replay.epochs, 1):
            assert fold(epoch.scores).isfinite().all()
            found = decode_spans(epoch.scores[None], replay.types)
            assert replay.result(k) == span_scores(found, [replay.gold])


@pytest.mark.slow
def test_the_book_s_record_is_made_again(tmp_path: Path) -> None:
    """Float32 sums differ from processor to processor in the last digits, which training carries on."""
    row = read_rows(RECORD)[0]
    recipe = RECORD.with_suffix(".toml").read_text("utf-8")
    methods = '["none", "sigmoid", "softmax"]'
    assert methods in recipe
    copy = tmp_path / "replay.toml"
    copy.write_text(recipe.replace(methods, '["none"]'), "utf-8")
    assert main([str(copy)]) == 0
    (again,) = read_rows(tmp_path / "replay.jsonl")
    assert again["key"] == row["key"]
    last, before = again["epochs"][-1], row["epochs"][-1]
    assert last["f1"] == pytest.approx(before["f1"], abs=0.06)
    if again["provenance"]["versions"] == row["provenance"]["versions"] and last["f1"] == before["f1"]:
        assert again["epochs"] == row["epochs"]
