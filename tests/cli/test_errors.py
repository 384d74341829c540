"""What goes wrong is said in one line that a person can act on; nothing of it is a traceback."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import torch
from commands import SMALL, fails

from gpkl_lib.cli import main, train
from gpkl_lib.corpora import toy_corpus
from gpkl_lib.spans import SpanScores
from gpkl_lib.tagger import Tagger
from gpkl_lib.training import loop
from gpkl_lib.training.evaluation import DevScores

ENCODINGS = ("undefined", "hex", "no-such", "rot13")
TOY = ["train", "--toy-size", "24", *SMALL]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["train", "--output", "a\0b"], "an argument holds a NUL character"),
        (["predict", "runs/x", "a\0b"], "an argument holds a NUL character"),
        (["evaluate", "a\0b", "c"], "an argument holds a NUL character"),
        *[
            (["predict", "x", "y", "--encoding", name], f"--encoding {name} is not known; utf-8, ")
            for name in ENCODINGS
        ],
        (["train", "--encoding", "no-such", "--train", "x"], "--encoding no-such is not known"),
        (["predict", "x", "y", "--threshold", "nan"], "--threshold must be a number, got nan"),
        (["train", "--seed", "9" * 23], f"--seed must be a whole number of 64 bits, got {'9' * 23}"),
        (["compare", "--seeds", "0", "9" * 23], f"--seeds must be a whole number of 64 bits, got {'9' * 23}"),
        (["compare", "--alphas", "1", "1"], "--alphas must be distinct, got 1.0, 1.0"),
        ([*TOY, "--hidden-size", "7"], "--hidden-size must be positive and even, got 7"),
        ([*TOY, "--hidden-size", "1" + "0" * 20], "--hidden-size must be positive and even, got 1"),
        ([*TOY, "--dropout", "1"], r"--dropout must lie in \[0, 1\), got 1.0"),
        (["compare", "--toy-size", "24", *SMALL, "--dropout", "nan"], r"--dropout must lie in \[0, 1\), got nan"),
    ],
)
def test_what_no_command_can_do_is_named(
    words: list[str], message: str, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert re.search(message, fails(capsys, *words))


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB"),
        RuntimeError(
            "[enforce fail at alloc_cpu.cpp:127] err == 0. DefaultCPUAllocator: can't allocate memory: you tried"
        ),
    ],
    ids=lambda error: type(error).__name__,
)
def test_out_of_memory_says_what_to_try(
    error: Exception, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(train, "fit", full)
    said = fails(capsys, *TOY, "--output", str(tmp_path / "run"))
    assert "out of memory" in said
    assert said.endswith("; try a smaller --batch-size, fewer --jobs, shorter sentences")
    assert not (tmp_path / "run").exists()


def test_other_faults_are_not_called_out_of_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("mat1 and mat2 shapes cannot be multiplied")

    monkeypatch.setattr(train, "fit", broken)
    with pytest.raises(RuntimeError, match="mat1"):
        main([*TOY, "--output", str(tmp_path / "run")])


def test_a_start_that_failed_leaves_the_folder_to_the_next(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("new", "own"):
        run = tmp_path / name
        if name == "own":
            run.mkdir()
        assert "--hidden-size" in fails(capsys, *TOY, "--hidden-size", "7", "--output", str(run))
        assert not run.exists() or not list(run.iterdir())
        assert main([*TOY, "--output", str(run)]) == 0
        before = (run / "arguments.json").read_bytes()
        assert "is not empty: add --resume" in fails(capsys, *TOY, "--hidden-size", "7", "--output", str(run))
        assert (run / "arguments.json").read_bytes() == before


def test_a_run_resumed_without_some_of_its_arguments(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A key that was lost has its default; where that is another value, config.json knows better."""
    words = [*TOY, "--output", str(tmp_path / "run")]
    assert main(words) == 0
    file = tmp_path / "run/arguments.json"
    kept = json.loads(file.read_text())
    for lost, message in (("dropout", None), ("epochs", "config.epochs was 2 and is now 20")):
        file.write_text(json.dumps({name: value for name, value in kept.items() if name != lost}))
        if message is None:
            assert main(["train", "--resume", "--output", str(tmp_path / "run")]) == 0
        else:
            assert message in fails(capsys, "train", "--resume", "--output", str(tmp_path / "run"))
    file.write_text("[" * 100_000)
    assert "arguments.json is damaged" in fails(capsys, "train", "--resume", "--output", str(tmp_path / "run"))


def test_nothing_learnt_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loop, "evaluate_together", lambda *_: DevScores(SpanScores(0, 3, 5), 1.0))
    words = ["--toy-size", "24", *SMALL]
    assert main(["train", *words, "--output", str(tmp_path / "run")]) == 0
    assert "warning: no span of dev was found in any of 2 epochs" in capsys.readouterr().err
    assert main(["compare", *words, "--methods", "none", "--seeds", "0", "--output", str(tmp_path / "rows.jsonl")]) == 0
    said = capsys.readouterr().err
    assert "toy: no run of none found a span of dev: its F1 compares nothing; try more epochs" in said
    assert "warning: no span" not in said


@pytest.mark.parametrize(("method", "weight"), [("none", ""), ("sigmoid", ", a smaller --alpha")])
def test_far_too_many_spans_are_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, method: str, weight: str
) -> None:
    words = ["train", "--toy-size", "24", *SMALL, "--method", method, "--output"]
    for predicted, told in ((101, True), (100, False)):
        scores = SpanScores(3, predicted, 5)
        monkeypatch.setattr("gpkl_lib.cli.train.evaluate", lambda *_, scores=scores: scores)
        assert main([*words, str(tmp_path / str(predicted))]) == 0
        said = "on dev the tagger finds 101 spans where there are 5, and has hardly learnt to leave one out"
        assert (f"{said}: try more --epochs, another --learning-rate{weight}\n" in capsys.readouterr().err) == told


def test_a_threshold_of_the_library_is_a_number() -> None:
    corpus = toy_corpus(4)
    with pytest.raises(ValueError, match="threshold must be a number, got nan"):
        Tagger.from_scratch(corpus.sentences, corpus.types).predict(corpus.sentences, threshold=float("nan"))
