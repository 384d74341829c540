"""The command line: train, resume, predict, evaluate, compare; errors in one line; help."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import pytest
import torch
from commands import SMALL, fails

from gpkl_lib._storage import read_rows
from gpkl_lib.cli import main
from gpkl_lib.corpora import toy_corpus, write_jsonl
from gpkl_lib.tagger.tagger import Tagger
from gpkl_lib.training.history import History


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """--train, --dev and --test with a file each, so small that a run takes a second."""
    folder, words = tmp_path_factory.mktemp("files"), []
    for part, size in (("train", 24), ("dev", 8), ("test", 8)):
        write_jsonl(folder / f"{part}.jsonl", toy_corpus(size, split=part))
        words += [f"--{part}", str(folder / f"{part}.jsonl")]
    return words


def test_train_leaves_a_tagger_a_history_a_picture_and_scores(run: Path):
    assert (run / "history.png").read_bytes().startswith(b"\x89PNG")
    history = History.load(run)
    assert len(history) == 14
    scores = json.loads((run / "scores.json").read_text())
    assert scores["dev"]["f1"] == history.best["f1"] > 0.2
    assert scores["test"]["gold"] == sum(len(s.spans) for s in toy_corpus(20, split="test"))
    assert Tagger.load(run / "best").types == toy_corpus(60).types


def test_train_on_the_toy_corpus_ends_in_a_table(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert main(["train", *SMALL, "--epochs", "1", "--toy-size", "24", "--output", str(tmp_path / "run")]) == 0
    said = capsys.readouterr()
    for words in ("epoch", "dev F1", "dev, weights of epoch", "test, weights of epoch", "organisation", "all"):
        assert words in said.out
    assert "24 sentences" in said.err


def test_a_run_folder_is_named_for_the_run_and_not_used_twice(
    files: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.chdir(tmp_path)
    words = ["train", *files, *SMALL, "--epochs", "1", "--method", "sigmoid", "--seed", "7"]
    assert main(words) == 0
    before = (tmp_path / "runs/train-sigmoid-seed7/history.jsonl").read_bytes()
    message = fails(capsys, *words)
    assert "runs/train-sigmoid-seed7 is not empty" in message
    assert "--resume" in message
    assert (tmp_path / "runs/train-sigmoid-seed7/history.jsonl").read_bytes() == before


def start(*words: str) -> subprocess.Popen[str]:
    """The command in a process of its own, which hears Ctrl-C even where a shell runs the tests in the background."""
    command = [sys.executable, "-m", "gpkl_lib", *words]
    heed = None if os.name == "nt" else partial(signal.signal, signal.SIGINT, signal.SIG_DFL)
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, preexec_fn=heed)


def wait_for(path: Path, process: subprocess.Popen[str]) -> None:
    """Until `path` is there."""
    deadline = time.monotonic() + 1800  # a guard against a process that hangs
    while not path.exists():
        assert process.poll() is None, process.communicate()[1]
        assert time.monotonic() < deadline, f"no {path} after half an hour"
        time.sleep(0.02)


@pytest.mark.slow
def test_interrupted_by_ctrl_c_it_says_how_to_resume_and_then_ends_like_one_left_alone(
    files: list[str], tmp_path: Path
):
    words = ["train", *files, *SMALL, "--epochs", "16", "--method", "sigmoid"]
    output, whole = tmp_path / "a run", tmp_path / "whole"
    process = start(*words, "--output", str(output))
    wait_for(output / "checkpoint/state.safetensors", process)
    process.send_signal(signal.SIGINT)
    error = process.communicate()[1]
    assert process.returncode == 130
    assert f"gpkl train: interrupted; go on with: gpkl train --resume --output '{output}'" in error
    assert "Traceback" not in error
    assert 0 < len(History.load(output)) < 16
    assert main(["train", "--resume", "--output", str(output)]) == 0
    assert main([*words, "--output", str(whole)]) == 0
    resumed, straight = (Tagger.load(folder / "best").state_dict() for folder in (output, whole))
    assert all(torch.equal(resumed[name], straight[name]) for name in straight)
    rows = [[{**row, "seconds": 0} for row in History.load(folder).rows] for folder in (output, whole)]
    assert rows[0] == rows[1]


def test_resume_keeps_to_the_settings_of_the_run(files: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    output = str(tmp_path / "run")
    assert main(["train", *files, *SMALL, "--epochs", "1", "--output", output]) == 0
    message = fails(capsys, "train", "--resume", "--output", output, "--epochs", "3")
    assert "was started with --epochs 1, not 3: leave --epochs out" in message
    assert main(["train", "--resume", "--output", output, "--epochs", "1", "--device", "auto"]) == 0
    assert "no run to resume" in fails(capsys, "train", "--resume", "--output", str(tmp_path / "none"))


def test_without_a_dev_file_every_tenth_sentence_is_held_out(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    write_jsonl(tmp_path / "mine.jsonl", toy_corpus(40))
    words = ["--train", str(tmp_path / "mine.jsonl"), "--epochs", "1", "--hidden-size", "16"]
    assert main(["train", *words, "--output", str(tmp_path / "run")]) == 0
    error = capsys.readouterr().err
    assert "no dev file: every tenth sentence" in error
    assert "4 in all" in error
    assert json.loads((tmp_path / "run/config.json").read_text())["train"]["sentences"] == 36
    gold = json.loads((tmp_path / "run/scores.json").read_text())["dev"]["gold"]
    assert gold == sum(len(s.spans) for s in toy_corpus(40)[9::10])


def test_limit_train_takes_the_first_sentences(files: list[str], tmp_path: Path):
    assert (
        main(["train", *files, *SMALL, "--epochs", "1", "--limit-train", "10", "--output", str(tmp_path / "run")]) == 0
    )
    assert json.loads((tmp_path / "run/config.json").read_text())["train"]["sentences"] == 10


def test_compare_prints_a_table_and_draws_a_figure(
    files: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    output = tmp_path / "rows.jsonl"
    grid = ["--methods", "none", "sigmoid", "--alphas", "1", "--seeds", "0", "1"]
    words = ["compare", *files, *SMALL, "--epochs", "1", *grid]
    assert main([*words, "--output", str(output)]) == 0
    said = capsys.readouterr()
    assert "difference from none" in said.out
    assert "CPU s" in said.out
    assert "sigmoid" in said.out
    assert "[4/4] train sigmoid alpha=1" in said.err
    assert output.with_suffix(".png").read_bytes().startswith(b"\x89PNG")
    rows = output.read_bytes()
    assert main([*words, "--output", str(output)]) == 0
    assert "4 of 4 runs are there already" in capsys.readouterr().err
    assert output.read_bytes() == rows


def test_compare_takes_several_corpora(files: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    output, (train, dev, test) = tmp_path / "rows.jsonl", files[1::2]
    corpora = ["--corpus", "three", train, dev, test, "--corpus", "two", train, dev]
    words = ["compare", *corpora, *SMALL, "--epochs", "1", "--methods", "none", "--seeds", "0"]
    assert main([*words, "--output", str(output)]) == 0
    rows = read_rows(output)
    assert [row["corpus"]["name"] for row in rows] == ["three", "two"]
    assert rows[0]["test"]["gold"] == sum(len(s.spans) for s in toy_corpus(8, split="test"))
    assert rows[1]["test"] is None
    assert capsys.readouterr().out.count("over seeds 0") == 2


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["train", "--train", "no-such-file"], "no-such-file: no such file"),
        (["train", "--dev", "f"], "--dev and --test need --train"),
        (["train", "--corpus", "wnut17", "--train", "f"], "give one or the other"),
        (["train", "--corpus", "conll2003"], "corpus 'conll2003' is not known (toy, wnut17, germeval2014)"),
        (["train", "--corpus", "wnut17", "--toy-size", "3"], "--toy-size is for the toy corpus"),
        (["train", "--label-noise", "2"], "--label-noise must lie between 0 and 1"),
        (["train", "--limit-train", "0"], "--limit-train must be positive"),
        (["train", "--epochs", "0"], "--epochs must be positive, got 0"),
        (["train", "--alpha-warmup", "3"], "--alpha-warmup must be between 0 and 1"),
        (["train", "--dropout", "1"], "dropout must lie in [0, 1)"),
        pytest.param(
            ["train", "--encoder", "no/such-encoder-folder-here", "--limit-train", "1"],
            "no/such-encoder-folder-here",
            marks=pytest.mark.pretrained,
        ),
        (["compare", "--jobs", "0"], "--jobs must be positive"),
        (["compare", "--seeds", "1", "1"], "seeds must be distinct"),
        (["compare", "--corpus", "toy", "--corpus", "toy"], "corpora need distinct names"),
        (["compare", "--corpus", "x", "a", "b", "c", "d"], "takes the files TRAIN DEV TEST, got 4"),
        (["predict", "no-model", "f"], "no-model does not exist"),
        (["evaluate", "no-model", "f"], "no-model does not exist"),
        (["predict", "no-model", "f", "--batch-size", "0"], "--batch-size must be positive"),
    ],
)
def test_a_mistake_gets_one_line_and_exit_code_2(
    words: list[str],
    expected: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    assert expected in fails(capsys, *words)


def test_a_file_that_cannot_be_read_is_named_with_its_place(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    broken = tmp_path / "broken.conll"
    broken.write_text("Anna B-person\nsings\n")
    assert f"{broken}:2" in fails(capsys, "evaluate", str(run), str(broken))
    latin = tmp_path / "latin.txt"
    latin.write_bytes("Café\n".encode("latin-1"))
    assert "--encoding" in fails(capsys, "predict", str(run), str(latin))
    assert main(["predict", str(run), str(latin), "--encoding", "latin-1"]) == 0
    assert "Café" in capsys.readouterr().out
    assert "no such file" in fails(capsys, "predict", str(run), str(tmp_path / "none.txt"))


def test_a_missing_extra_is_named(run: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    class Missing:
        def find_spec(self, name: str, *_: object) -> None:
            if name.partition(".")[0] == "rich":
                raise ModuleNotFoundError(f"No module named {name!r}", name="rich")

    monkeypatch.setattr(sys, "meta_path", [Missing(), *sys.meta_path])
    for name in [name for name in sys.modules if name.partition(".")[0] == "rich"]:
        monkeypatch.delitem(sys.modules, name)
    message = fails(capsys, "evaluate", str(run), str(run.parent / "test.jsonl"))
    assert "pip install 'gpkl-lib[train]'" in message


def test_a_fault_of_our_own_is_not_passed_off_as_the_users(run: Path, monkeypatch: pytest.MonkeyPatch):
    def broken(*_: object, **__: object) -> None:
        raise ValueError("a fault")

    monkeypatch.setattr(Tagger, "stream", broken)
    with pytest.raises(ValueError, match="a fault"):
        main(["predict", str(run), str(run.parent / "test.jsonl")])
