"""The command on files: labelled ones without a label, columns by number, other forms, standard input, conversion."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

from gpkl_lib.cli import main
from gpkl_lib.cli.inputs import corpus, task
from gpkl_lib.cli.parser import build_parser
from gpkl_lib.corpora import FORMS, read_corpus

DATA = Path(__file__).parents[1] / "corpora/data/forms"


def fails(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    """Run a command that must fail with exit code 2 and one line; that line."""
    assert main(list(words)) == 2
    (line,) = [line for line in capsys.readouterr().err.splitlines() if line.startswith("gpkl ")]
    return line


@pytest.mark.parametrize("part", ["train", "dev"])
def test_a_labelled_file_without_a_span_is_refused_and_leaves_no_folder(
    part: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    (tmp_path / "bare.jsonl").write_text('{"tokens": ["a"]}\n' * 20)
    (tmp_path / "good.jsonl").write_text('{"tokens": ["a"], "spans": [[0, 1, "x"]]}\n' * 20)
    files = {"train": "good", "dev": "good", part: "bare"}
    words = [word for name, file in files.items() for word in (f"--{name}", str(tmp_path / f"{file}.jsonl"))]
    line = fails(capsys, "train", *words, "--output", str(tmp_path / "run"))
    assert 'bare.jsonl: no span in 20 sentences, read as JSONL with "tokens" alone' in line
    assert not (tmp_path / "run").exists()


def test_labels_in_no_known_form_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    (tmp_path / "x.jsonl").write_text('{"text": "Mara", "marks": [[0, 4, "PER"]]}\n')
    assert 'x.jsonl:1: expected labels in a known form, found [[0, 4, "PER"]] under "marks"' in fails(
        capsys, "train", "--train", str(tmp_path / "x.jsonl"), "--output", str(tmp_path / "run")
    )


def test_a_column_is_chosen_by_number():
    words = ["train", "--train", str(DATA / "conlleval.txt"), "--dev", str(DATA / "hf_numbers.jsonl")]
    names = ["--tag-names", "O", "B-PER", "I-PER", "B-ORG", "I-ORG", "B-LOC", "I-LOC"]
    made = task(build_parser().parse_args([*words, "--tag-column", "3", "--token-column", "1", *names]))
    assert made.train.by_type() == {"PER": 10, "LOC": 5}
    assert made.dev.by_type() == {"PER": 2, "LOC": 1, "ORG": 1}


def test_unlabelled_sentences_may_have_any_labels(tmp_path: Path):
    (tmp_path / "more.jsonl").write_text('{"text": "Mara met", "marks": [[0, 4, "PER"]]}\n')
    words = ["train", "--train", str(DATA / "jsonl.jsonl"), "--dev", str(DATA / "jsonl.jsonl")]
    made = task(build_parser().parse_args([*words, "--unlabelled", str(tmp_path / "more.jsonl")]))
    assert made.unlabelled
    assert made.unlabelled[0].tokens == ("Mara", "met")


def test_convert_reads_standard_input_and_says_what_it_wrote(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"Mara\tB-PER\nmet\tO\n")))
    assert main(["convert", "-", str(tmp_path / "x.json"), "--to", "spacy"]) == 0
    assert json.loads((tmp_path / "x.json").read_text()) == [["Mara met", {"entities": [[0, 4, "PER"]]}]]
    assert "x.json: 1 sentences" in capsys.readouterr().err
    assert main(["convert", str(tmp_path / "x.json"), str(tmp_path / "x.conll"), "--tokens", "characters"]) == 0
    assert len(read_corpus(tmp_path / "x.conll")[0]) == 8


def test_convert_refuses_what_would_be_lost(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    target = tmp_path / "x.conll"
    target.write_text("old")
    (tmp_path / "x.jsonl").write_text('{"tokens": ["a\\tb"], "spans": []}\n')
    assert "conll cannot hold it" in fails(capsys, "convert", str(tmp_path / "x.jsonl"), str(target))
    (tmp_path / "x.jsonl").write_text('{"tokens": ["a"], "spans": []}\n{"tokens": [], "spans": []}\n')
    assert "2 sentences would come back as 1" in fails(capsys, "convert", str(tmp_path / "x.jsonl"), str(target))
    assert target.read_text() == "old"
    assert "give one of jsonl, " in fails(capsys, "convert", str(tmp_path / "x.jsonl"), str(tmp_path / "x.unknown"))


def test_the_help_of_convert_shows_every_form(capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit):
        main(["convert", "--help"])
    text = capsys.readouterr().out
    assert all(f"  {form.name} " in text and form.looks in text for form in FORMS)


def test_a_large_file_is_read_with_a_bar_and_a_small_one_or_a_log_without(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    (tmp_path / "x.conll").write_text("Mara\tB-PER\n" * 200_000)
    monkeypatch.setattr("gpkl_lib._optional.MUCH", 1_000_000)
    monkeypatch.setattr("rich.console.Console.is_terminal", True)
    arguments = build_parser().parse_args(["train", "--train", str(tmp_path / "x.conll")])
    assert len(corpus(str(tmp_path / "x.conll"), arguments)) == 1
    assert "reading" in capsys.readouterr().err
    monkeypatch.setattr("gpkl_lib._optional.MUCH", 1_000_000_000)
    corpus(str(tmp_path / "x.conll"), arguments)
    assert "reading" not in capsys.readouterr().err
    monkeypatch.setattr("gpkl_lib._optional.MUCH", 1_000_000)
    monkeypatch.setattr("rich.console.Console.is_terminal", False)
    corpus(str(tmp_path / "x.conll"), arguments)
    assert "reading" not in capsys.readouterr().err
