"""The command line on the published corpora, end to end, where they are at hand (GPKL_DATA, or ../shared/data)."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from gpkl_lib._storage import read_rows
from gpkl_lib.cli import main
from gpkl_lib.corpora import KNOWN, read_corpus, write_jsonl
from gpkl_lib.corpora.known import find_known

BESIDE = Path(__file__).resolve().parents[3] / "shared" / "data"


@pytest.fixture(params=["wnut17", "germeval2014"])
def name(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """A corpus whose files are there."""
    if not os.environ.get("GPKL_DATA") and BESIDE.is_dir():
        monkeypatch.setenv("GPKL_DATA", str(BESIDE))
    for split in ("train", "dev", "test"):
        if find_known(KNOWN[request.param], split) is None:
            pytest.skip(f"GPKL_DATA does not hold it. {KNOWN[request.param].where_to_get(split)}")
    return str(request.param)


@pytest.mark.slow
def test_a_hundred_sentences_from_training_to_prediction(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    files = {}
    for split in ("dev", "test"):  # short ones, for the time's sake; train is read as it was published
        files[split] = tmp_path / f"{split}.jsonl"
        write_jsonl(files[split], read_corpus(f"{name}:{split}")[:60])
    words = [
        "--train",
        f"{name}:train",
        "--dev",
        str(files["dev"]),
        "--test",
        str(files["test"]),
        "--limit-train",
        "100",
    ]
    small = ["--epochs", "3", "--hidden-size", "32", "--batch-size", "8", "--learning-rate", "0.01", "--device", "cpu"]
    run = tmp_path / "run"
    assert main(["train", *words, *small, "--method", "sigmoid", "--alpha", "0.1", "--output", str(run)]) == 0
    assert "100 sentences" in capsys.readouterr().err
    losses = [json.loads(line)["task"] for line in (run / "history.jsonl").read_text().splitlines()]
    assert losses == sorted(losses, reverse=True)
    assert main(["evaluate", str(run), str(files["test"]), "--output", str(tmp_path / "scores.json")]) == 0
    scores = json.loads((tmp_path / "scores.json").read_text())
    assert scores["gold"] == sum(len(sentence.spans) for sentence in read_corpus(files["test"]))
    assert main(["predict", str(run), str(files["test"]), "--output", str(tmp_path / "found.jsonl")]) == 0
    assert sum(len(s.spans) for s in read_corpus(tmp_path / "found.jsonl")) == scores["predicted"]


def test_a_known_corpus_by_its_name(name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    monkeypatch.delenv("GPKL_DATA")
    assert main(["train", "--corpus", name]) == 2
    error = capsys.readouterr().err
    assert "GPKL_DATA is not set" in error
    assert "sha256" in error
    assert "CC BY 4.0" in error


@pytest.mark.parametrize(("file", "name"), [("minilm-arms", "wnut17"), ("germeval-arms", "germeval2014")])
def test_recorded_rows_are_of_the_published_files(file: str, name: str):
    rows = read_rows(Path(__file__).parents[2] / "book/_results" / f"{file}.jsonl")
    for row in rows:
        for split in ("dev", "test"):  # of train each seed has its own draw
            assert row["corpus"][split]["sha256"] == KNOWN[name].files[split][1]
    assert {row["arm"] for row in rows} >= {"none", "two views", "sigmoid", "softmax"}
