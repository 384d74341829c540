"""`gpkl train --config`, the names of methods, and the toy corpus as a file."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from commands import SMALL, fails

from gpkl_lib.cli import main
from gpkl_lib.cli.configuration import with_config
from gpkl_lib.cli.parser import build_parser
from gpkl_lib.corpora import KNOWN, read_corpus, toy_corpus

TINY = [*SMALL, "--epochs", "1", "--toy-size", "24"]


def arguments(folder: Path) -> dict[str, object]:
    found: dict[str, object] = json.loads((folder / "arguments.json").read_text())
    return found


def test_a_run_is_repeated_by_its_own_arguments(tmp_path: Path):
    first, again, other = (tmp_path / name for name in ("first", "again", "other"))
    words = ["--method", "sigmoid", "--alpha", "0.3", "--temperature", "inf", "--seed", "4"]
    assert main(["train", *TINY, *words, "--output", str(first)]) == 0
    file = str(first / "arguments.json")
    assert main(["train", "--config", file, "--output", str(again)]) == 0
    assert arguments(again) == arguments(first)
    assert (again / "best/model.safetensors").read_bytes() == (first / "best/model.safetensors").read_bytes()
    assert main(["train", "--seed", "5", "--config", file, "--output", str(other)]) == 0
    assert arguments(other) == arguments(first) | {"seed": 5}  # what is typed wins, wherever it stands
    assert main(["train", "--resume", "--output", str(other)]) == 0


def test_toml_with_lists_and_either_hyphen(tmp_path: Path):
    file = tmp_path / "my.toml"
    file.write_text(
        'method = "vat"\nepsilon = 0.3\ntoy_size = 24\nhidden-size = 16\ntag-column = [2, 3]\noutput = "-x"\n'
    )
    found = build_parser().parse_args(with_config(["train", "--epochs", "3"], str(file)))
    assert (found.method, found.epsilon, found.toy_size, found.hidden_size) == ("vat", 0.3, 24, 16)
    assert (found.tag_column, found.output, found.epochs) == ([2, 3], "-x", 3)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("epoch = 3", "'epoch' is no setting of train; did you mean 'epochs'?"),
        ('{"batch_sise": 3}', "'batch-sise' is no setting of train; did you mean 'batch-size'?"),
        ("resume = 1", "'resume' is no setting of train"),
        ('config = "x"', "'config' is no setting of train"),
        ("[train]\nepochs = 3", "'train' must be a number, a text or a list of them"),
        ("epochs = true", "'epochs' must be a number, a text or a list of them, got true"),
        ('epochs = "three"', "argument --epochs: invalid int value: 'three'"),
        ('method = "r-drop"', "argument --method: invalid choice: 'r-drop'"),
        ("epochs 3", "neither TOML nor a JSON object"),
        ("{", "neither TOML nor a JSON object"),
        ("[" * 100_000, "neither TOML nor a JSON object"),
    ],
)
def test_a_mistake_in_the_file_is_the_files(
    text: str, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    file = tmp_path / "my.toml"
    file.write_text(text)
    assert f"{file}: {message}" in fails(capsys, "train", "--config", str(file))


def test_no_file_and_no_resume(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert "none.toml: cannot be read" in fails(capsys, "train", "--config", str(tmp_path / "none.toml"))
    assert "leave --config out" in fails(capsys, "train", "--config", "x", "--resume", "--output", "y")


def test_rdrop_is_understood():
    parser = build_parser()
    assert parser.parse_args(["train", "--method", "rdrop"]).method == "sigmoid"
    assert parser.parse_args(["compare", "--methods", "none", "rdrop"]).methods == ["none", "sigmoid"]


@pytest.mark.parametrize("split", ["train", "dev", "test"])
def test_the_toy_corpus_is_named_like_a_file(split: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    assert main(["convert", f"toy:{split}", "toy.conll"]) == 0
    wanted = toy_corpus(split=split).sentences
    assert read_corpus("toy.conll").sentences == read_corpus(f"toy:{split}").sentences == wanted
    assert "toy" not in KNOWN
    Path(f"toy:{split}").write_text("Anna B-person\n")  # a file of that name goes first
    assert len(read_corpus(f"toy:{split}")) == 1
