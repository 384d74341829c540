"""JSONL files, the corpus they make, and writing them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gpkl_lib.corpora import Corpus, CorpusError, Sentence, read_corpus, write_jsonl
from gpkl_lib.corpora.corpus import to_jsonl
from gpkl_lib.corpora.forms import json_rows
from gpkl_lib.corpora.json_values import json_values


@pytest.fixture
def read(tmp_path: Path):
    def write_and_read(*rows: object, **options: str) -> Corpus:
        file = tmp_path / "x.jsonl"
        file.write_text("".join(f"{row if isinstance(row, str) else json.dumps(row)}\n" for row in rows), "utf-8")
        return read_corpus(file, **options)

    return write_and_read


def test_tokens_and_spans(read):
    corpus = read({"tokens": ["Bank", "of", "Rostow"], "spans": [[2, 3, "place"], [0, 3, "firm"]], "id": 7})
    assert corpus.sentences == [Sentence(("Bank", "of", "Rostow"), (("firm", 0, 3), ("place", 2, 3)))]
    assert corpus.source == 'JSONL with "tokens" and "spans"'


def test_text_and_spans_count_characters(read):
    corpus = read({"text": "在北京 市", "spans": [[1, 3, "地"]]})
    assert corpus.sentences == [Sentence(("在", "北", "京", " ", "市"), (("地", 1, 3),))]


def test_cluener_ends_are_inclusive(read):
    corpus = read(
        {"text": "浙商银行在北京", "label": {"company": {"浙商银行": [[0, 3]]}, "address": {"北京": [[5, 6]]}}},
        {"text": "北京北京", "label": {"address": {"北京": [[0, 1], [2, 3]]}}},
    )
    assert [s.spans for s in corpus] == [
        (("company", 0, 4), ("address", 5, 7)),
        (("address", 0, 2), ("address", 2, 4)),
    ]
    assert corpus.source == 'JSONL with "text" and "label", characters as tokens'


def test_lines_to_predict_have_no_spans(read):
    corpus = read({"tokens": ["a"]}, {"text": "bc d"}, "", labels=False)
    assert corpus.sentences == [Sentence(("a",)), Sentence(("bc", "d"))]
    assert corpus.oddities == {}


def test_format_is_found_from_the_first_line_or_given(tmp_path: Path):
    file = tmp_path / "corpus.txt"
    file.write_text('\n{"tokens": ["a"]}\n')
    assert read_corpus(file).source.startswith("JSONL")
    file.write_text("{\tO\n")
    assert read_corpus(file).sentences == [Sentence(("{",))]
    with pytest.raises(CorpusError, match=r"corpus\.txt:1: expected a JSON object"):
        read_corpus(file, format="jsonl")
    file = tmp_path / "corpus.jsonl"
    file.write_text("a\tO\n")
    with pytest.raises(CorpusError, match=r"corpus\.jsonl:1: expected a JSON object"):
        read_corpus(file)
    assert len(read_corpus(file, format="conll")) == 1


def test_odd_spans_are_kept_and_counted(read):
    corpus = read(
        {"tokens": ["a"], "spans": []},
        {"tokens": ["a", "b", "c"], "spans": [[0, 2, "x"], [0, 2, "x"], [1, 3, "x"], [1, 3, "y"]]},
        {"tokens": []},
    )
    assert corpus.sentences[1].spans == (("x", 0, 2), ("x", 1, 3), ("y", 1, 3))
    assert corpus.oddities == {
        "row without labels": 1,
        "same span twice": 1,
        "second type on one span": 1,
        "crossing spans": 2,
        "sentence without tokens": 1,
    }
    assert corpus.first_lines["crossing spans"] == 2
    assert corpus.first_lines["sentence without tokens"] == 3


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ('{"tokens": ["a"}', "expected a JSON object, but Expecting ',' delimiter at column 16"),
        ("[1]", r"expected a JSON object, found \[1\]"),
        ({"words": ["a"]}, r'expected "tokens" \(a list of strings\) or "text" \(a string\), found keys \["words"\]'),
        ({"tokens": "a"}, 'expected "tokens" to be a list of strings, found "a"'),
        ({"tokens": [1]}, 'expected "tokens" to be a list of strings'),
        ({"tokens": ["a"], "spans": {}}, 'expected "spans" to be a list'),
        ({"tokens": ["a"], "spans": [[0, 2, "x"]]}, r"0 <= start < end <= 1 \(end exclusive\), found \[0, 2, \"x\"\]"),
        ({"tokens": ["a"], "spans": [[0, 0, "x"]]}, r"expected a span"),
        ({"tokens": ["a"], "spans": [["x", 0, 1]]}, r"expected a span"),
        ({"tokens": ["a"], "spans": [[False, True, "x"]]}, r"expected a span"),
        ({"tokens": ["a"], "spans": [[0, 1, ""]]}, r"expected a span"),
        ({"tokens": ["a"], "label": {}}, 'expected "label" to stand beside a "text"'),
        ({"text": "ab", "label": ["x"]}, 'expected "label" to be'),
        ({"text": "ab", "label": {"x": {"b": [[0, 1]]}}}, r"expected x 'b' at \[0, 1\] \(end inclusive\), found 'ab'"),
        ({"text": "ab", "label": {"x": {"ab": [[0, 2]]}}}, r"0 <= start <= end < 2 \(end inclusive\) for x 'ab'"),
        ({"text": "ab", "label": {"x": {"ab": 3}}}, r"expected a place"),
    ],
)
def test_broken_lines_are_named(read, row: object, message: str):
    with pytest.raises(CorpusError, match=r"x\.jsonl:2: .*" + message):
        read({"tokens": ["a"]}, row)


token = st.text(st.characters(exclude_categories=["Cs"]), max_size=4)


@st.composite
def sentences(draw) -> Sentence:
    tokens = draw(st.lists(token, max_size=6))
    places = [(i, j) for i in range(len(tokens)) for j in range(i + 1, len(tokens) + 1)]
    spans = draw(st.lists(st.tuples(st.sampled_from(["a", "b-c", "ü"]), st.sampled_from(places)))) if places else []
    return Sentence(tuple(tokens), tuple((kind, *place) for kind, place in spans))


@settings(deadline=None)
@given(st.lists(sentences(), max_size=4))
def test_sentences_come_back_from_jsonl(made: list[Sentence]):
    rows = [row for _, value in json_values(to_jsonl(made), "x") for row in json_rows(value)]
    assert [Sentence(tuple(row.tokens or ()), tuple(row.spans)) for row in rows] == made


def test_written_files_read_back(tmp_path: Path):
    corpus = Corpus("mine", [Sentence(("ä\u2028", "\x85"), (("x", 0, 2), ("y", 0, 2)))])
    write_jsonl(tmp_path / "out.jsonl", corpus)
    again = read_corpus(tmp_path / "out.jsonl")
    assert again.sentences == corpus.sentences
    assert again.sha256 == corpus.sha256
    assert (tmp_path / "out.jsonl").read_bytes().count(b"\n") == 1


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path: Path):
    file = tmp_path / "out.jsonl"
    file.write_text("old")
    with pytest.raises(UnicodeEncodeError):
        write_jsonl(file, [Sentence(("\ud800",))])
    assert file.read_text() == "old"
    assert list(tmp_path.iterdir()) == [file]


# The corpus itself


def test_spans_are_sorted_distinct_and_within_the_tokens():
    sentence = Sentence(("a", "b", "c"), (("y", 0, 2), ("x", 1, 2), ("x", 0, 2), ("y", 0, 2)))
    assert sentence.spans == (("x", 0, 2), ("y", 0, 2), ("x", 1, 2))
    assert sentence.nested() == [("x", 0, 2), ("y", 0, 2), ("x", 1, 2)]
    assert sentence.surface(("y", 0, 2)) == "a b"
    assert Sentence(("a", "b", "c"), (("x", 0, 2), ("x", 1, 3))).nested() == []
    for span in [("x", 0, 4), ("x", 1, 1), ("x", -1, 1)]:
        with pytest.raises(ValueError, match="does not lie within 3 tokens"):
            Sentence(("a", "b", "c"), (span,))


def test_slices_keep_types_and_say_so(read):
    corpus = read({"tokens": ["a"], "spans": [[0, 1, "x"]]}, {"tokens": ["b"], "spans": [[0, 1, "y"]]})
    part = corpus[:1]
    assert part.name == f"{corpus.name}[:1]"
    assert (len(part), part.types, part.sha256) == (1, ("x", "y"), corpus.sha256)
    assert part[0] == corpus[0] == next(iter(corpus))
    assert corpus[:].name == corpus.name
    assert corpus[::2].name == f"{corpus.name}[::2]"


def test_description(read):
    corpus = read(
        {"tokens": ["a", "b"], "spans": [[0, 2, "x"], [0, 1, "y"], [1, 2, "y"], [0, 1, "y"]]},
        {"tokens": ["\x96"], "spans": []},
    )
    assert str(corpus).splitlines()[1:] == [
        "  2 sentences, 3 tokens, longest sentence 2",
        "  3 spans, 2 of them nested, in 1 sentences",
        "    y: 2",
        "    x: 1",
        "  same span twice: 1 (first in line 1)",
        "  token of control or format characters only: 1 (first in line 2)",
    ]
