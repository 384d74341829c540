"""Files as they come: columns that are not what they seem, encodings, plain text, errors that blame the right line."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import time
import unicodedata
from pathlib import Path

import pytest

from gpkl_lib.corpora import Corpus, CorpusError, Sentence, read_corpus, visible


@pytest.fixture
def read(tmp_path: Path):
    """A function that writes text or bytes to a file and reads the corpus in it."""

    def write_and_read(content: str | bytes, name: str = "x.conll", **options: object) -> Corpus:
        file = tmp_path / name
        file.write_bytes(content.encode() if isinstance(content, str) else content)
        return read_corpus(file, **options)  # type: ignore[arg-type]

    return write_and_read


# Columns


@pytest.mark.parametrize("numbers", ["0 1 0", "7 8 9", "1 2 1"])
def test_token_numbers_from_zero_or_through_the_file_are_no_tokens(read, numbers: str):
    a, b, c = numbers.split()
    corpus = read(f"{a}\tMara\tB-PER\n{b}\tmet\tO\n\n{c}\tIlse\tB-PER\n")
    assert corpus.sentences == [Sentence(("Mara", "met"), (("PER", 0, 1),)), Sentence(("Ilse",), (("PER", 0, 1),))]
    assert corpus.source == "CoNLL, columns by tabs: number, token, IOB2 tags"


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("17\tMara\tB-PER\n3\tmet\tO\n\n5\tIlse\tB-PER\n", "numbers"),
        ("d1 Mara B-PER\nd1 met O\n\nd2 Ilse O\n", "one id in each sentence"),
    ],
)
def test_numbers_and_ids_in_place_of_tokens_are_refused(read, text: str, what: str):
    with pytest.raises(CorpusError, match=rf"x\.conll:1: the first column holds {what}.*--token-column 2"):
        read(text)
    assert read(text, token_column=2)[0].tokens == ("Mara", "met")
    assert len(read(text, token_column=1)[0]) == 2


def test_tokens_that_all_begin_with_a_hash_are_tokens(read):
    assert read("#tag NN O\n#b NN B-x\n")[0].tokens == ("#tag", "#b")


def test_one_column_of_tags_before_others_is_found(read):
    assert read("Mara\tB-PER\t-\nmet\tO\t+\n").source == "CoNLL, columns by tabs: token, IOB2 tags, left out"
    corpus = read("1\tMara\tB-PER\t-\tann\n2\tmet\tO\t-\tann\n")  # Universal NER
    assert corpus.sentences == [Sentence(("Mara", "met"), (("PER", 0, 1),))]


def test_a_space_between_tabs_is_a_token(read):
    assert read(" \tO\nb\tB-x\n")[0].tokens == (" ", "b")


def test_a_byte_order_mark_inside_is_dropped_and_counted(read):
    corpus = read("a\tO\n\ufeffIlse\tB-x\n")
    assert corpus[0].tokens == ("a", "Ilse")
    assert (corpus.oddities, corpus.first_lines) == ({"byte-order mark": 1}, {"byte-order mark": 2})


def test_line_ends_of_cr_alone_are_line_ends(read):
    corpus = read("Mara\tB-PER\rmet\tO\r\rIlse\tB-PER\rran\tO\r")
    assert [s.tokens for s in corpus] == [("Mara", "met"), ("Ilse", "ran")]
    assert corpus.types == ("PER",)
    assert corpus.oddities == {"line ending in CR alone": 5}
    rows = "\r".join(['{"tokens": ["a"], "spans": []}'] * 2)
    assert len(read(rows, "x.jsonl")) == 2


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("Mara B-first name\nmet O\n", r":1: expected 2 columns separated by spaces as in line 2, found 3"),
        ("a\tO\nMara\t\tB-PER\nb\tc\tO\nd\te\tO\n", r":1: expected 3 columns separated by tabs as in line 2, found 2"),
        ("a\tc\tO\nMara\t\tB-PER\n", r":2: expected 3 columns separated by tabs, but column 2 is empty"),
        ("Mara\tB-PER\nmet\tО\n", r":2: .*found 'О' \(U\+041E\)"),
        ("Mara\tB-PER\rmet\nb\tO\n", r":1: .* in column 2, found 'B-PER\\+rmet' \(U\+000D\)"),
        ("Mara\tOmet\tOIlse\tB-PERand\tO", r":1: expected a token a line.*are line ends lost\?"),
        ("B-PER\tMara\nO\tmet\n", r":1: .*the tags seem to stand in column 1: .*--tag-column 1 --token-column 2"),
        ("\t".join(["a"] * 100_000) + "\n", r":1: expected at most 1000 columns, found 100000"),
    ],
)
def test_the_line_that_is_wrong_is_blamed(read, text: str, message: str):
    with pytest.raises(CorpusError, match=r"x\.conll" + message):
        read(text)


def test_an_oddity_is_counted_where_it_stands(read):
    tags = ["a\tO\tO", "b\tO\tO", "\x96\tB-x\tB-x", "d\tI-x\tO"]
    corpus = read("\n".join(tags) + "\n")
    assert corpus.first_lines == {"token of control or format characters only": 3}
    corpus = read("\n".join([*tags, "e\tB-x\tB-y", "f\tI-x\tI-y", "g\tO\tI-y", "h\tB-z\tB-z", ""]))
    assert corpus.first_lines["same span twice"] == 8
    assert corpus.first_lines["token of control or format characters only"] == 3
    crossing = read("a\tB-x\tO\nb\tI-x\tB-y\nc\tO\tI-y\n")
    assert crossing.first_lines == {"crossing spans": 2}


# Encodings


def test_files_in_other_encodings_are_named_for_what_they_are(read):
    chinese = "北\tB-LOC\n京\tI-LOC\n"
    with pytest.raises(CorpusError, match=r":1: .*gb18030 if it is simplified Chinese") as error:
        read(chinese.encode("gb18030"))
    assert "latin-1" not in str(error.value)
    assert read(chinese.encode("gb18030"), encoding="gb18030")[0].tokens == ("北", "京")
    for name in ("utf-16-le", "utf-16-be"):
        with pytest.raises(CorpusError, match=f":1: expected utf-8, found {name} without a mark"):
            read("Mara\tB-PER\nmet\tO\n".encode(name))
        assert read(chinese.encode(name), encoding=name)[0].tokens == ("北", "京")


def test_surrogates_written_as_utf8_are_named_and_can_be_read(read):
    weibo = "好\tO\n".encode() + "😂\tB-x\n".encode("utf-16-le").decode("utf-16-le").encode()
    weibo = weibo.replace("😂".encode(), b"\xed\xa0\xbd\xed\xb8\x82")
    with pytest.raises(CorpusError, match=r":2: .*surrogates written as UTF-8.*--encoding cesu-8"):
        read(weibo)
    assert read(weibo, encoding="cesu-8")[0].tokens == ("好", "😂")


@pytest.mark.parametrize(("pack", "kind"), [(gzip.compress, "gzip"), (bz2.compress, "bzip2"), (lzma.compress, "xz")])
def test_packed_files_are_named(read, pack, kind: str):
    with pytest.raises(CorpusError, match=f"x.conll: expected text, found an? {kind} file; unpack it"):
        read(pack(b"Mara\tB-PER\n" * 20))


@pytest.mark.parametrize("encoding", ["undefined", "utf-8\0", "no-such"])
def test_an_encoding_that_is_none_is_named(read, encoding: str):
    with pytest.raises(CorpusError, match="unknown encoding"):
        read("a\tO\n", encoding=encoding)


def test_a_path_that_cannot_be_one_is_an_error_of_the_corpus():
    for path in ("a" * 5000, "a\0b"):
        with pytest.raises(CorpusError, match=r"cannot be read|no such file"):
            read_corpus(path)


# JSON


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ('{"tokens":' + "[" * 100_000, "nested too deeply"),
        ('{"tokens": ["a"], "x": ' + "[" * 100_000, "nested too deeply"),
        ('{"id": ' + "9" * 5000 + ', "tokens": ["a"]}', "Exceeds the limit"),
        ('{"tokens": ["\\ud83d", "met"], "spans": []}', r"found \\ud83d, half of a surrogate pair"),
        ('{"tokens": ["a"], "spans": []} {"tokens": ["b"]}', "Extra data at column 32"),
        ('{"tokens": ["a"', "Expecting ',' delimiter"),
    ],
)
def test_holes_of_json(read, row: str, message: str):
    with pytest.raises(CorpusError, match=r"x\.jsonl:2: .*" + message):
        read('{"tokens": ["a"], "spans": []}\n' + row + "\n", "x.jsonl")


def test_a_long_number_begins_a_file_of_another_form(read):
    assert read("1" * 5000 + "\tO\n").sentences == [Sentence(("1" * 5000,))]
    assert read("1" * 5000 + "\n", "x.txt", format="any").source.startswith("plain text")


def test_objects_over_several_lines_and_arrays_know_their_lines(read):
    rows = [{"text": "ab", "label": [[0, 2, "x"]]}, {"text": "cd", "label": [[0, 9, "x"]]}]
    with pytest.raises(CorpusError, match=r"x\.json:13: expected a span"):
        read("\n".join(json.dumps(row, indent=1) for row in rows).replace("\n{", "\n\n\n{", 1), "x.json")
    with pytest.raises(CorpusError, match=r"x\.json:\d+: expected a span"):
        read(json.dumps(rows, indent=1), "x.json")
    with pytest.raises(CorpusError, match=r"expected , or \]"):
        read('[{"text": "ab"} {"text": "ab"}]', "x.json")


def test_thousands_of_spans_in_a_sentence_take_no_time(read):
    spans = [[start, min(6001, start + 1 + start % 50), "x"] for start in range(6000)]
    begin = time.process_time()
    corpus = read(json.dumps({"tokens": ["a"] * 6001, "spans": spans}), "x.jsonl")
    pairs = sum(a[0] < b[0] < a[1] < b[1] for a in spans for b in spans[a[0] + 1 : a[1]])
    assert corpus.oddities == {"crossing spans": pairs}
    assert len(corpus[0].nested()) == sum(
        any(o[0] <= s[0] and s[1] <= o[1] and o != s for o in spans[max(0, s[0] - 50) : s[0] + 1]) for s in spans
    )
    str(corpus)
    assert time.process_time() - begin < 10, "0.1 s on an idle core when this was written; pairs took 12"


# Plain text


@pytest.mark.parametrize(
    ("text", "source"),
    [
        ("Her blood group is O", "plain text"),
        ("Blood group is O\nHello there\n", "plain text"),
        ("Vitamin B-12\nVitamin B-12 again", "plain text"),
        ("Mara B-PER\nmet O\n", "CoNLL"),
        ("# doc 1\nMara\tB-PER\nmet\tO\n", "CoNLL"),
        ("# id 12 domain=news\nMara _ _ B-PER\nmet _ _ O\n", "CoNLL"),
        ("Mara\tB-first name\nmet\tO\n", "CoNLL"),
        ('{"tokens": ["a"]}', "JSONL"),
    ],
)
@pytest.mark.parametrize("name", ["x", "x.txt", "x.tsv"])
def test_a_file_to_predict_is_understood_from_all_of_it(read, text: str, source: str, name: str):
    assert read(text, name, format="any", labels=False).source.startswith(source)


def test_what_is_mostly_but_not_wholly_conll_asks(read):
    text = "a\tO\n" * 20 + "b c d\n"
    with pytest.raises(CorpusError, match=r"x\.txt:21: expected 2 columns.*--format conll, or --format text"):
        read(text, "x.txt", format="any")
    assert len(read(text, "x.txt", format="text")) == 21


def test_rows_of_plain_text_are_its_lines(read):
    text = "Mara met\vIlse\fand\x1cAnna\x85left \u2028again\n\nNext line\r\n"
    corpus = read(text, "x.txt", format="any")
    assert [len(s) > 0 for s in corpus] == [True, False, True]
    assert corpus[2].tokens == ("Next", "line")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("हिन्दी में लिखो", 3),
        (unicodedata.normalize("NFD", "café là"), 2),
        ("ภาษาไทย ก็", 2),
        ("soft\u00adhyphen می\u200cخواهم", 2),
        ("👨\u200d👩\u200d👧 🇩🇪 👍🏽", 3),
        ("Anna's e-mail.example, 3.14!", 5),
        ("a\u200bb", 3),
        ("e" + "\u0301" * 10_000, 1),
    ],
)
def test_a_word_keeps_its_marks_joiners_and_soft_hyphens(read, text: str, words: int):
    (sentence,) = read(text + "\n", "x.txt", format="any")
    assert len(sentence) == words
    assert "".join(sentence.tokens) == "".join(text.split())


def test_texts_are_words_or_characters_by_their_script(read):
    assert read('{"text": "Mara met Ilse"}', "x.jsonl", labels=False)[0].tokens == ("Mara", "met", "Ilse")
    assert read('{"text": "北京 A"}', "x.jsonl", labels=False)[0].tokens == ("北", "京", " ", "A")
    assert read("北京 人。\n", "x.txt", format="any")[0].tokens == ("北", "京", "人", "。")


def test_standard_input_is_a_file(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"Mara\tB-PER\n")))
    corpus = read_corpus("-")
    assert (corpus.name, corpus.types) == ("standard input", ("PER",))


def test_names_show_what_a_terminal_would_obey(read):
    assert visible("a\x1b[31m\u202eb ü") == r"a\x1b[31m\u202eb ü"
    corpus = read('{"tokens": ["a"], "spans": [[0, 1, "\\u001b[2Jx"]]}', "x.jsonl")
    assert r"    \x1b[2Jx: 1" in str(corpus)
    assert "\x1b" not in str(corpus)
