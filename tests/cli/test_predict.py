"""`gpkl predict`: what it reads, what it writes, and that it streams."""

from __future__ import annotations

import html
import io
import json
import re
import shutil
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from browser import Visit, axe
from commands import fails

from gpkl_lib.cli import main
from gpkl_lib.cli.page import Mark, type_keys
from gpkl_lib.cli.page import page as page_of
from gpkl_lib.corpora import read_corpus
from gpkl_lib.tagger import DECODING, Prediction, Tagger


def test_predict_gives_what_the_tagger_finds(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    source, target = run.parent / "test.jsonl", tmp_path / "found.jsonl"
    assert main(["predict", str(run), str(source), "--output", str(target)]) == 0
    found = read_corpus(target)
    sentences = read_corpus(source).sentences
    assert [s.tokens for s in found] == [s.tokens for s in sentences]
    assert [list(s.spans) for s in found] == Tagger.load(run / "best").predict(sentences)
    assert sum(len(s.spans) for s in found) > 10
    capsys.readouterr()
    assert main(["predict", str(run / "best"), str(source), "--threshold", "1e9"]) == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert len(rows) == 20
    assert all(row["spans"] == [] for row in rows)


@pytest.mark.parametrize(
    ("text", "words", "tokens"),
    [
        (
            "Anna's café, at e-mail.example!\n\n  Berlin\n",
            [],
            [["Anna's", "café", ",", "at", "e-mail.example", "!"], [], ["Berlin"]],
        ),
        ("中国 人。\n", ["--tokens", "characters"], [["中", "国", "人", "。"]]),
        ("Anna O\nleft O\n\nBerlin B-place\n", [], [["Anna", "left"], ["Berlin"]]),
        ("Anna O\n", ["--format", "text"], [["Anna", "O"]]),
        ('{"tokens": ["Anna", "left"]}\n', [], [["Anna", "left"]]),
        ("", [], []),
    ],
)
def test_predict_reads_standard_input_in_every_form(
    run: Path,
    text: str,
    words: list[str],
    tokens: list[list[str]],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
):
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(text.encode())))
    assert main(["predict", str(run), "-", *words]) == 0
    assert [json.loads(line)["tokens"] for line in capsys.readouterr().out.splitlines()] == tokens


@pytest.mark.parametrize(
    ("name", "text", "said", "rows"),
    [
        ("a.txt", "Mara B-PER\nmet O\n", "CoNLL, columns by spaces: token; 1 sentences", [["Mara", "met"]]),
        ("b.tsv", "# doc 1\nMara\tB-PER\nmet\tO\n", "CoNLL, columns by tabs: token; 1", [["Mara", "met"]]),
        ("c", "Blood group is O\n\nHello\n", "plain text, words as tokens; 3",
         [["Blood", "group", "is", "O"], [], ["Hello"]]),
        ("d.jsonl", '{"text": "Mara met", "labels": 7}\n', "JSONL, words as tokens; 1", [["Mara", "met"]]),
    ],
)  # fmt: skip
def test_predict_understands_a_file_from_all_of_it_and_says_how(
    run: Path,
    tmp_path: Path,
    name: str,
    text: str,
    said: str,
    rows: list[list[str]],
    capsys: pytest.CaptureFixture[str],
):
    (tmp_path / name).write_text(text)
    assert main(["predict", str(run), str(tmp_path / name)]) == 0
    captured = capsys.readouterr()
    assert f"{tmp_path / name}: {said}" in captured.err
    assert [json.loads(line)["tokens"] for line in captured.out.splitlines()] == rows


TEXT = "The Senner  Gazette, near Loskane Hall! \n\n  In January\tFimard burned <Lake> & Co in Lake Runow.\r\nÉté: 湖\n"


@pytest.fixture
def notes(tmp_path: Path) -> Path:
    """A text with double spaces, a tab, an empty line, a line that ends in CRLF, and signs that HTML knows."""
    (tmp_path / "notes.txt").write_bytes(TEXT.encode())
    return tmp_path / "notes.txt"


def rows_of(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def test_row_n_is_line_n_with_its_own_characters(run: Path, notes: Path, capsys: pytest.CaptureFixture[str]):
    lines = [line.removesuffix("\r") for line in TEXT.split("\n")[:-1]]
    for words in ([], ["--format", "text"]):
        assert main(["predict", str(run), str(notes), "--threshold", "-2", *words]) == 0
        rows = rows_of(capsys.readouterr().out)
        assert [row["text"] for row in rows] == lines
        assert sum(len(row["found"]) for row in rows) > 5
        for row in rows:
            assert row["spans"] == [[e["start_token"], e["end_token"], e["type"]] for e in row["found"]]
            for entity in row["found"]:
                assert row["text"][entity["start_char"] : entity["end_char"]] == entity["text"]
                assert entity["score"] > -2
                assert "probability" not in entity


def test_what_is_written_is_read_again(run: Path, notes: Path, tmp_path: Path):
    wanted = list(Tagger.load(run).stream(TEXT.replace("\r", "").splitlines(), threshold=-2.0))
    for form, name in (("jsonl", "x.jsonl"), ("conll", "x.conll"), ("brat", "x.ann")):
        words = [
            "predict",
            str(run),
            str(notes),
            "--threshold",
            "-2",
            "--write",
            form,
            "--output",
            str(tmp_path / name),
        ]
        assert main(words) == 0
        found = read_corpus(tmp_path / name)
        told = [one.sentence for one in wanted if form == "jsonl" or one.tokens]
        assert [s.tokens for s in found] == [s.tokens for s in told]
        assert [s.spans for s in found] == [s.spans for s in told]
    assert (tmp_path / "x.txt").read_text() == TEXT.replace("\r", "")
    annotated = (tmp_path / "x.ann").read_text().splitlines()
    assert len(annotated) == sum(len(one.entities) for one in wanted) > 5
    for line in annotated:
        _, place, surface = line.split("\t", 2)
        _, start, end = place.split()
        assert (tmp_path / "x.txt").read_text()[int(start) : int(end)] == surface


def test_nothing_is_left_where_writing_fails(run: Path, notes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "old.jsonl").write_text("kept")

    def broken(*_: object, **__: object) -> Iterator[Prediction]:
        yield Prediction("a", ["a"], [(0, 1)], [])
        raise ValueError("in the middle")

    monkeypatch.setattr(Tagger, "stream", broken)
    with pytest.raises(ValueError, match="in the middle"):
        main(["predict", str(run), str(notes), "--output", str(tmp_path / "old.jsonl")])
    assert (tmp_path / "old.jsonl").read_text() == "kept"
    assert {path.name for path in tmp_path.iterdir()} == {"old.jsonl", "notes.txt"}


@pytest.mark.parametrize("form", ["text", "jsonl"])
def test_a_pipe_without_end_is_answered_line_by_line(run: Path, form: str):
    """The next line is sent only when the answer to the one before has come."""
    words = [sys.executable, "-m", "gpkl_lib", "predict", str(run), "-", "--format", form, "--batch-size", "1"]
    process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    guard = threading.Timer(1800, process.kill)  # a command that waits for more would wait for ever
    guard.start()
    assert process.stdin
    assert process.stdout
    for line in ("Anna met Ben.", "", "In Oslo"):
        sent = line if form == "text" else json.dumps({"text": line})
        process.stdin.write(f"{sent}\n".encode())
        process.stdin.flush()
        assert json.loads(process.stdout.readline())["text"] == line
    process.stdin.close()
    assert process.stdout.read() == b""
    assert process.wait() == 0
    guard.cancel()


@pytest.mark.parametrize(
    ("form", "data", "words", "message"),
    [
        ("text", b"fine\nCaf\xe9\n", [], "standard input:2: expected another encoding"),
        ("jsonl", b'{"text": "a"}\n\n{"text": 3}\n', [], 'standard input:3: expected "tokens"'),
        ("jsonl", b'{"text": "a"}\n{"text"\n', [], "standard input:2"),
        ("text", b"a\n", ["--write", "brat"], "--write brat makes two files, a .txt and an .ann: give --output"),
        ("text", b"a\n", ["--threshold", "nan"], "--threshold must be a number, got nan"),
    ],
)
def test_what_cannot_be_read_or_written_is_one_line(
    run: Path,
    form: str,
    data: bytes,
    words: list[str],
    message: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
):
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(data)))
    assert message in fails(capsys, "predict", str(run), "-", "--format", form, *words)


def test_an_ending_of_no_form_is_refused_unless_the_form_is_named(
    run: Path, notes: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    output = tmp_path / "x.docx"
    words = [str(run), str(notes), "--output", str(output)]
    known = ".jsonl, .json, .conll, .ann, .html, .htm"
    message = f"--output {output}: no form has that ending ({known}); name one by --write"
    assert message in fails(capsys, "predict", *words)
    assert not output.exists()
    assert main(["predict", *words, "--write", "jsonl"]) == 0
    for name in ("found", "found.JSON"):
        assert main(["predict", *words[:-1], str(tmp_path / name)]) == 0
        assert (tmp_path / name).read_bytes() == output.read_bytes() != b""


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030", "cesu-8", "utf-16"])
def test_lines_that_come_are_read_in_every_encoding(
    run: Path, tmp_path: Path, encoding: str, capsys: pytest.CaptureFixture[str]
):
    line = "Été 湖 𝄞"
    data = line.encode("utf-16", "surrogatepass").decode("utf-16") if encoding != "cesu-8" else "Été 湖 \ud834\udd1e"
    (tmp_path / "a").write_bytes(
        f"{data}\nb\n".encode(*(("utf-8", "surrogatepass") if encoding == "cesu-8" else (encoding,)))
    )
    name = "utf-8" if encoding == "utf-8-sig" else encoding
    for words in (["--format", "text"], []):
        assert main(["predict", str(run), str(tmp_path / "a"), "--encoding", name, *words]) == 0
        assert [row["text"] for row in rows_of(capsys.readouterr().out)] == [line, "b"]


def test_probabilities_on_request_and_only_where_they_were_fitted(
    run: Path, notes: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    words = ["--probability", "--threshold", "-3"]
    assert main(["predict", str(run), str(notes), *words]) == 0  # gpkl train has fitted them on dev
    found = [entity for row in rows_of(capsys.readouterr().out) for entity in row["found"]]
    assert len(found) > 5
    by_score = sorted(found, key=lambda entity: entity["score"])
    assert [e["probability"] for e in by_score] == sorted(e["probability"] for e in found)
    assert all(0 < entity["probability"] < 1 for entity in found)
    shutil.copytree(run / "best", tmp_path / "bare")
    (tmp_path / "bare" / DECODING).unlink()
    message = fails(capsys, "predict", str(tmp_path / "bare"), str(notes), *words)
    assert "has no curve from scores to probabilities; gpkl evaluate" in message
    assert "--calibrate" in message


def test_the_page_holds_the_text_and_every_span(run: Path, notes: Path, tmp_path: Path):
    page, rows = tmp_path / "notes.html", tmp_path / "notes.jsonl"
    for output in (page, rows):
        words = ["--threshold", "-2", "--output", str(output)]
        assert main(["predict", str(run), str(notes), *words]) == 0
    source = page.read_text().partition("</style>")[2]
    lines = re.findall(r"<li[^>]*>(.*?)</li>", source, re.S)
    assert [html.unescape(re.sub(r"<[^>]*>", "", line)) for line in lines] == [
        row["text"] for row in rows_of(rows.read_text())
    ]
    names = Counter(re.findall(r'data-name="([^"]*)"', source))
    assert names == Counter(entity["type"] for row in rows_of(rows.read_text()) for entity in row["found"])
    assert "<script" not in source
    assert "http" not in source


@pytest.mark.browser
def test_the_page_by_keyboard_in_the_dark_and_on_a_phone(
    run: Path, notes: Path, tmp_path: Path, open_page: Callable[..., Visit]
):
    output = tmp_path / "notes.html"
    assert main(["predict", str(run), str(notes), "--threshold", "-2", "--write", "html", "--output", str(output)]) == 0
    grounds = []
    for scheme in ("light", "dark"):
        visit = open_page(output.as_uri(), width=390, scheme=scheme, settle=False)
        page = visit.page
        assert visit.requests == [output.as_uri()]
        assert not visit.errors + visit.console + visit.failed
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
        grounds.append(page.evaluate("getComputedStyle(document.body).backgroundColor"))
        page.add_script_tag(content=axe())
        assert page.evaluate("axe.run().then((found) => found.violations.map((one) => one.id))") == []
    assert len(set(grounds)) == 2
    boxes, spans = page.locator("input").count(), page.locator(".l.f").count()
    assert spans > 5
    for _ in range(boxes):
        page.keyboard.press("Tab")
    page.keyboard.press("Space")
    assert page.locator("li:visible").count() == page.locator("li:has(.l)").count() < page.locator("li").count()
    told = []
    for _ in range(spans):
        page.keyboard.press("Tab")
        told.append(page.evaluate("getComputedStyle(document.activeElement, '::after').content"))
    assert len([text for text in told if "score" in text and "characters" in text]) == spans
    page.locator("#k0").uncheck()
    assert page.locator("li .l.k0:visible").count() == 0


def test_the_pages_own_markup_is_no_ones_name():
    keys = type_keys({"<b>&\x1b": 1})
    mark = Mark(0, 5, "<b>", 0, '"><script>')
    source = "".join(page_of("<title>", "", keys, [("<i>&\n", [mark], False)], quiet="none"))
    assert not re.findall(r"<(b|i|script|title)>(?!&lt;title)", source.partition("<style>")[0])
    body = source.partition("</style>")[2]
    assert not re.search(r"<(b|i|script)>", body)
    assert "\x1b" not in source


@pytest.mark.parametrize(
    ("marks", "wanted"),
    [
        ([(0, 13, "outer"), (0, 6, "inner")], ["Berlin ", "Opera,"]),
        ([(0, 6, "a")], ["Berlin"]),
        ([(0, 12, "a"), (7, 16, "crossing")], ["Berlin ", "Opera", ", ", "in"]),
        ([(0, 3, "part")], ["Ber"]),
        ([], []),
    ],
)
def test_a_piece_is_a_word_and_a_line_goes_on_over_the_space(marks: list[tuple[int, int, str]], wanted: list[str]):
    text = "Berlin Opera, in May"
    drawn = "".join(page_of("t", "", [], [(text, [Mark(*m, 0, "") for m in marks], False)], quiet=""))
    assert re.findall(r'class="w"><span>([^<]*)</span>', drawn) == wanted
