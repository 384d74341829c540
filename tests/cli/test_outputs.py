"""Where results go is looked at before the work: a missing folder is made, and what cannot be written is refused."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from gpkl_lib import cli
from gpkl_lib.corpora import toy_corpus, write_jsonl
from gpkl_lib.tagger import Tagger


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a small tagger and a labelled file."""
    monkeypatch.chdir(tmp_path)
    corpus = toy_corpus(6)
    Tagger.from_scratch(corpus.sentences, corpus.types, hidden_size=16).save("tagger")
    write_jsonl(Path("gold.jsonl"), corpus)
    Path("file").touch()
    return tmp_path


WORDS = {
    "predict": ["predict", "tagger", "gold.jsonl", "--output"],
    "evaluate": ["evaluate", "tagger", "gold.jsonl", "--output"],
    "convert": ["convert", "gold.jsonl"],
}


@pytest.mark.parametrize("command", WORDS)
def test_a_missing_folder_is_made(here: Path, command: str) -> None:
    file = "out.json" if command == "evaluate" else "out.jsonl"
    assert cli.main([*WORDS[command], f"new/folder/{file}"]) == 0
    assert (here / "new" / "folder" / file).stat().st_size > 0


@pytest.mark.parametrize("command", [*WORDS, "compare"])
@pytest.mark.parametrize(("output", "said"), [("file/out.jsonl", "cannot be made"), (".", "is a folder")])
def test_what_cannot_be_written_is_refused_before_the_work(
    here: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    command: str,
    output: str,
    said: str,
) -> None:
    def work(*_: object, **__: object) -> None:
        pytest.fail("the work had begun")

    for module, name in (
        ("predict", "load"),
        ("evaluate", "load"),
        ("compare", "run_trials"),
        ("files", "convert_corpus"),
    ):
        monkeypatch.setattr(f"gpkl_lib.cli.{module}.{name}", work)
    words = WORDS.get(command, ["compare", "--methods", "none", "--output"])
    more = ["--write", "jsonl"] if command == "predict" else []
    assert cli.main([*words, output, *more]) == 2
    assert said in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([*WORDS["evaluate"], "report.csv"], "--output report.csv: a report is JSON or a page, a file .json or .html"),
        (["evaluate", "tagger", "file"], "file: no sentence, read as CoNLL, no token lines; is it the right file?"),
        (
            ["compare", "--methods", "none", "--train", "gold.jsonl", "--dev", "gold.jsonl", "--output", "gold.jsonl"],
            "gold.jsonl has other rows than a comparison's: choose another file for them",
        ),
        (["compare", "--recipe", "nowhere.toml"], "nowhere.toml: cannot be read: No such file or directory"),
        (["predict", "", "gold.jsonl"], "the place of a tagger is a folder or a hub name, got an empty name"),
        (["predict", "gold.jsonl", "gold.jsonl"], "gold.jsonl is a file, and a tagger is a folder"),
    ],
)
def test_files_of_another_kind_are_refused_and_left_alone(
    here: Path, capsys: pytest.CaptureFixture[str], words: list[str], said: str
) -> None:
    before = (here / "gold.jsonl").read_bytes()
    assert cli.main(words) == 2
    assert said in capsys.readouterr().err
    assert (here / "gold.jsonl").read_bytes() == before
    assert not (here / "report.csv").exists()


def test_more_spans_than_a_page_can_show_are_not_drawn(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("long.txt").write_text("Anna met Ben . " * 30)
    words = ["predict", "tagger", "long.txt", "--threshold", "-99", "--output"]
    assert cli.main([*words, "long.html"]) == 2
    assert "text 1 has 36,300 spans in 120 words, more than a page can show" in capsys.readouterr().err
    assert not Path("long.html").exists()
    assert cli.main([*words, "long.jsonl"]) == 0


def test_a_page_of_errors_has_the_text_as_it_was_written(here: Path) -> None:
    rows = [
        {"text": "Anna  (née Müller), 1.5.", "label": [[0, 4, "person"], [6, 18, "person"]]},
        {"text": "👩 met Ben.", "label": [[6, 9, "person"]]},
    ]
    Path("own.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert cli.main(["evaluate", "tagger", "own.jsonl", "--threshold", "1e9", "--output", "own.html"]) == 0
    page = re.sub(r"<[^>]+>", "", Path("own.html").read_text().partition("</style>")[2])
    for row in rows:
        assert row["text"] in page


def test_a_report_says_what_was_scored(here: Path) -> None:
    assert cli.main([*WORDS["evaluate"], "scores.json"]) == 0
    report = json.loads(Path("scores.json").read_text("utf-8"))
    assert (report["corpus"]["name"], report["corpus"]["sentences"]) == ("gold.jsonl", 6)


def test_a_card_names_the_file_that_was_scored(here: Path) -> None:
    pytest.importorskip("huggingface_hub")
    write_jsonl(Path("mine.test.jsonl"), toy_corpus(8, split="test"))
    small = ["--epochs", "1", "--hidden-size", "16", "--device", "cpu", "--output", "run"]
    files = ["--train", "gold.jsonl", "--dev", "gold.jsonl", "--test", "mine.test.jsonl"]
    assert cli.main(["train", *files, *small]) == 0
    Tagger.load("run").save_pretrained("shared", run="run")
    card = Path("shared/README.md").read_text("utf-8")
    assert "- test: mine.test.jsonl, 8 sentences" in card
    assert re.search(r"name: mine\.test\.jsonl\n +type: other\n +split: test\n", card)
