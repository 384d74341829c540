"""The help teaches, and what it shows works as it stands: in order, in an empty folder."""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from gpkl_lib.cli import front, main, texts
from gpkl_lib.cli.parser import build_parser
from gpkl_lib.corpora import SIZES

README = Path(__file__).parents[2] / "README.md"
SMALL = {  # what is typed last wins: an example keeps its options and loses its length
    "train": ["--epochs", "1", "--hidden-size", "16", "--device", "cpu"],
    "compare": ["--epochs", "1", "--hidden-size", "16", "--limit-train", "8", "--alphas", "0.1", "--seeds", "0", "1"],
}
NEEDS_MORE = ("FOLDER_OR_HUB_NAME", "wnut")  # an encoder, a corpus that is not in the house: parsed only


def examples(name: str) -> list[str]:
    """The lines to type, without what is said beside them."""
    lines = [
        line.strip()
        for line in getattr(front if name.startswith("MAIN") else texts, name).splitlines()
        if re.match(r"  (gpkl|echo|tail) ", line)
    ]
    return [re.split(r"\s{2,}", line)[0] for line in lines]


def typed(line: str, *more: str) -> str:
    """What a line types in the present folder prints; echo, tail, > and | are the shell's."""
    before, pipe, command = line.rpartition(" | ")
    if not command.startswith("gpkl "):
        subprocess.run(line, shell=True, check=True)
        return ""
    given = subprocess.run(before, shell=True, check=True, capture_output=True).stdout if pipe else b""
    printed = io.TextIOWrapper(io.BytesIO(), encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(printed):
        patch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(given)))
        assert main([*shlex.split(command)[1:], *more]) == 0, line
    printed.flush()
    return printed.buffer.getvalue().decode()  # type: ignore[attr-defined]


@pytest.fixture(scope="module")
def minute(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, str]]:
    """The folder in which the first minute was typed, and what each line of it printed."""
    folder = tmp_path_factory.mktemp("minute")
    with contextlib.chdir(folder):
        return folder, {line: typed(line) for line in examples("MAIN_EXAMPLES")}


@pytest.mark.parametrize(
    ("word", "said"), [("--help", "a first minute"), ("--version", "gpkl 0."), ("tarin", "invalid choice: 'tarin'")]
)
def test_what_needs_no_command_is_answered_without_torch(word: str, said: str) -> None:
    code = (
        "import sys; from gpkl_lib.cli import main\ntry: main([sys.argv[1]])\n"
        "finally: print(sorted({'numpy', 'torch', 'gpkl_lib.training'} & sys.modules.keys()))"
    )
    done = subprocess.run([sys.executable, "-c", code, word], capture_output=True, text=True, timeout=1800)
    assert done.stdout.splitlines()[-1] == "[]"
    assert said in done.stdout + done.stderr


def test_the_help_without_torch_is_that_of_the_whole_parser(capsys: pytest.CaptureFixture[str]) -> None:
    for words in (["--help"], [], ["tarin"]):
        told = []
        for ask in (main, build_parser().parse_args):
            with pytest.raises(SystemExit) as stop:
                ask(words)
            said = capsys.readouterr()
            told.append((stop.value.code, said.out, said.err))
        assert told[0] == told[1]


@pytest.mark.parametrize("command", ["train", "compare", "predict", "evaluate", "convert"])
def test_help_teaches_every_command(command: str, capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit) as stop:
        main([command, "--help"])
    assert stop.value.code == 0
    text = capsys.readouterr().out
    assert f"gpkl {command}" in text.partition("examples:")[2]
    paragraphs = [block for block in text.split("\n\n") if block and not block.startswith(("usage", "options"))]
    assert max(len(block.split()) for block in paragraphs[:3]) > 30
    assert "(default: " in text


def test_the_examples_of_the_help_are_valid():
    parser = build_parser()
    lines = [line for name in dir(texts) if name.endswith("_EXAMPLES") for line in examples(name)]
    commands = [line.rpartition(" | ")[2] for line in lines if "gpkl " in line]
    assert len(commands) > 25
    for command in commands:
        assert parser.parse_args(shlex.split(command)[1:]).command


@pytest.mark.slow
def test_the_first_minute_prints_spans(minute: tuple[Path, dict[str, str]]):
    folder, printed = minute
    predicted = next(text for line, text in printed.items() if line == "gpkl predict runs/first notes.txt")
    (row,) = [json.loads(line) for line in predicted.splitlines()]
    assert {found["type"] for found in row["found"]} >= {"organisation", "place"}
    assert row["text"] + "\n" == (folder / "notes.txt").read_text()
    assert 'data-name="organisation"' in (folder / "notes.html").read_text()
    f1 = re.search(
        r"all \(micro\) .*?(0\.\d+) +(0\.\d+) +(0\.\d+) ", printed["gpkl evaluate runs/first toy:test --errors"]
    )
    assert f1
    assert float(f1[3]) > 0.7


@pytest.mark.slow
def test_every_example_runs_in_order(minute: tuple[Path, dict[str, str]], monkeypatch: pytest.MonkeyPatch):
    """What is named in small letters is there; CAPITALS are filled in."""
    monkeypatch.chdir(minute[0])
    for part in ("dev", "test"):  # a comparison scores them again and again
        monkeypatch.setitem(SIZES, part, 20)
    _fill_in()
    readme = [line.partition("#")[0].strip() for line in README.read_text("utf-8").splitlines() if line[:5] == "gpkl "]
    assert len(readme) > 5
    blocks = [examples(f"{name}_EXAMPLES") for name in ("TRAIN", "COMPARE", "PREDICT", "EVALUATE", "CONVERT")]
    for block in (*blocks, readme):
        for line in block:
            if "--output runs/" in line and "--resume" not in line:  # two examples may use one folder
                shutil.rmtree(re.findall(r"--output (\S+)", line)[0], ignore_errors=True)
            if any(word in line for word in NEEDS_MORE):
                continue
            command = line.rpartition("gpkl ")[2].split()[0]
            printed = typed(line, *([] if "--recipe" in line or "--resume" in line else SMALL.get(command, [])))
            if command == "predict" and "--output" not in line and "conll" not in line:
                assert all(json.loads(row)["text"] for row in printed.splitlines())


def _fill_in() -> None:
    """Make what the examples name in CAPITALS."""
    for part in ("train", "dev", "test"):
        for target in (f"MY.{part}.conll", f"MY.{part}"):
            assert main(["convert", f"toy:{part}", target, "--to", "conll"]) == 0
    os.replace("MY.train.conll", "MY.conll")
    assert main(["convert", "toy:dev", "DOCCANO.jsonl", "--to", "doccano"]) == 0
    Path("NOTES.txt").write_text("Anna met Ben.\nIn Oslo.\n")
    Path("NOTES.ann").write_text("T1\tperson 0 4\tAnna\n")
    Path("PREDICTIONS.conll").write_text("Anna B-person O\nmet O O\n")
    Path("MY.toml").write_text('methods = ["none"]\nepochs = 1\nhidden-size = 16\n[[runs]]\nseeds = [0]\n')
    for seed in ("0", "1"):
        typed(f"gpkl train --output runs/TEACHER-{seed}", *SMALL["train"], "--toy-size", "24")
