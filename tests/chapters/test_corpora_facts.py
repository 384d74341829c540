"""Facts of corpora: counted on corpora made by hand, and the book's record."""

from __future__ import annotations

from pathlib import Path

import pytest

from gpkl_lib._storage import read_rows
from gpkl_lib.chapters.recorders.__main__ import main
from gpkl_lib.chapters.recorders.corpora import facts, flat
from gpkl_lib.corpora import KNOWN, Corpus, Sentence

RECORD = Path(__file__).parents[2] / "book/_results/corpora.jsonl"


def sentence(text: str, *spans: tuple[str, int, int]) -> Sentence:
    return Sentence(tuple(text.split()), spans)


TRAIN = Corpus(
    "train",
    [
        sentence("Anna saw Basel", ("person", 0, 1), ("place", 2, 3)),
        sentence("Anna saw Basel", ("person", 0, 1)),
        sentence("Anna saw Basel", ("person", 0, 1), ("place", 2, 3)),
        sentence("the Basel Fair", ("event", 1, 3), ("place", 1, 2)),
    ],
)
TEST = Corpus(
    "test",
    [
        sentence("anna SAW basel"),
        sentence("the Basel Fair", ("work", 0, 3)),
        sentence("Ida saw Bern at 10", ("person", 0, 1), ("place", 2, 3)),
    ],
)


def test_repeats_contradictions_leaks_and_what_is_new() -> None:
    row = facts("mine", {"train": TRAIN, "test": TEST})
    train = row["parts"]["train"]
    assert (train["sentences"], train["spans"], train["nested"], train["sentences_with_nested"]) == (4, 7, 1, 1)
    assert (train["repeats"], train["contradicted"]) == (2, 1)
    assert train["flat"] == pytest.approx(2 * 6 / (6 + 7))
    assert row["between"] == {"train, test": {"same": 1, "alike": 2}}
    new = row["unseen"]["test"]
    assert new["types"] == ["work"]
    assert new["spans"] == 1.0
    assert new["words"] == pytest.approx(7 / 11)
    assert new["longer_sentences"] == 1
    assert "train" not in row["unseen"]


def test_flat_keeps_the_most() -> None:
    assert flat([("a", 0, 3), ("b", 0, 1), ("c", 2, 3), ("d", 1, 2)]) == [("b", 0, 1), ("d", 1, 2), ("c", 2, 3)]
    assert flat([]) == []


def test_the_book_s_record_says_where_it_came_from_and_names_the_known_files() -> None:
    rows = read_rows(RECORD)
    assert [row["corpus"] for row in rows] == ["wnut17", "germeval2014"]
    for row in rows:
        assert row["provenance"]["dirty"] is False
        assert row["provenance"]["command"] == "python -m gpkl_lib.chapters.recorders book/_results/corpora.toml"
        for part, (_, sha256) in KNOWN[row["corpus"]].files.items():
            assert row["parts"][part]["sha256"] == sha256


def test_a_corpus_that_is_not_there_is_said(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("GPKL_DATA", raising=False)
    recipe = tmp_path / "facts.toml"
    recipe.write_text('recorder = "corpora"\n[[runs]]\ncorpora = ["wnut17"]\n', "utf-8")
    assert main([str(recipe)]) == 2
    assert "GPKL_DATA is not set" in capsys.readouterr().err
    assert not recipe.with_suffix(".jsonl").exists()
