"""CoNLL files: every scheme, every trap of real files, and errors with their place."""

from __future__ import annotations

import random
import time
import tracemalloc
from pathlib import Path

import pytest

from gpkl_lib.corpora import Corpus, CorpusError, Sentence, read_corpus

DATA = Path(__file__).parent / "data"


@pytest.fixture
def read(tmp_path: Path):
    """A function that writes text or bytes to a file and reads the corpus in it."""

    def write_and_read(content: str | bytes, **options: str) -> Corpus:
        file = tmp_path / "x.conll"
        file.write_bytes(content.encode() if isinstance(content, str) else content)
        return read_corpus(file, **options)

    return write_and_read


def lines(*rows: str, separator: str = "\t") -> str:
    return "".join(separator.join(row.split()) + "\n" for row in rows)


# Separators, blank lines, documents, encodings


@pytest.mark.parametrize("separator", ["\t", " ", "   "])
def test_tabs_and_spaces(read, separator: str):
    corpus = read(lines("Anna B-person", "Holt I-person", "left O", "", "Rostow B-place", separator=separator))
    assert corpus.sentences == [
        Sentence(("Anna", "Holt", "left"), (("person", 0, 2),)),
        Sentence(("Rostow",), (("place", 0, 1),)),
    ]
    assert corpus.types == ("person", "place")
    assert corpus.oddities == {}


def test_separators_that_hold_white_space_end_a_sentence_and_are_counted(read):
    corpus = read("a\tO\n\t\nb\tO\n  \nc\tO\n\nd\tO\n\n\n")
    assert [s.tokens for s in corpus] == [("a",), ("b",), ("c",), ("d",)]
    assert corpus.oddities == {"separator line holding white space": 2}
    assert corpus.first_lines == {"separator line holding white space": 2}


def test_hashtags_are_tokens(read):
    corpus = read("#win\tO\n#\tO\n\n#London\tB-place\n\n# \tO\n#a=b\tO\n")
    assert [s.tokens for s in corpus] == [("#win", "#"), ("#London",), ("#", "#a=b")]
    assert "comment line" not in corpus.oddities


def test_a_hash_at_the_start_of_a_sentence_is_a_token_between_spaces_too(read):
    assert [s.tokens for s in read("# O\n#tag O\nx O\n")] == [("#", "#tag", "x")]


def test_comments_of_the_official_germeval_files():
    corpus = read_corpus(DATA / "germeval_official.tsv")
    assert corpus.sentences == [
        Sentence(
            ("Schartau", "sagte", "dem", '"', "Tagesspiegel", '"', "vom", "Freitag", "."),
            (("PER", 0, 1), ("ORG", 4, 5)),
        ),
        Sentence(("#", "1860", "München"), (("ORG", 1, 3), ("LOC", 2, 3))),
    ]
    assert corpus.oddities == {"comment line": 2}
    assert corpus.source == "CoNLL, columns by tabs: number, token, IOB2 tags, IOB2 tags (2 layers united)"


@pytest.mark.parametrize(
    "text",
    [
        "# text = My O\n# newdoc\n# id x O\n#x\tO\ny\tB-p\n",
        "# id 12 domain=news\n#x _ _ O\ny _ _ B-p\n",  # MultiCoNER: as many columns as a token line
        "#x\tO\ny\tB-p\n\n# text = z\n",
    ],
)
def test_comment_lines_before_a_sentence(read, text: str):
    corpus = read(text)
    assert corpus.sentences == [Sentence(("#x", "y"), (("p", 1, 2),))]
    assert corpus.oddities == {"comment line": text.count("# ")}


@pytest.mark.parametrize("line", ["#x", "# ", "#\tB_p", "# B-p", "#x B-p"])
def test_a_broken_hashtag_line_is_no_comment(read, line: str):
    with pytest.raises(CorpusError, match=r"x\.conll:3: expected"):
        read(f"a\tO\n\n{line}\nb\tO\n")


def test_a_broken_hash_line_between_spaces_is_no_comment(read):
    with pytest.raises(CorpusError, match=r"x\.conll:3: expected O or a tag .* found 'B_p'"):
        read("a O\n\n# B_p\nb O\n")


def test_a_comment_inside_a_sentence_is_refused(read):
    with pytest.raises(CorpusError, match=r"x\.conll:2: expected 2 columns separated by tabs, found 1: '# text = b'"):
        read("a\tO\n# text = b\nb\tO\n")


def test_document_starts_separate_and_are_counted(read):
    corpus = read("-DOCSTART- -X- -X- O\n\na NN O O\n-DOCSTART- -X- -X- O\nb NN O B-p\n")
    assert [s.tokens for s in corpus] == [("a",), ("b",)]
    assert corpus.oddities == {"-DOCSTART- line": 2}


def test_crlf_and_byte_order_mark(read):
    plain = read("Anna\tB-person\n\nx\tO\n")
    corpus = read(b"\xef\xbb\xbfAnna\tB-person\r\n\r\nx\tO\r\n")
    assert corpus.sentences == plain.sentences
    assert corpus.oddities == {"byte-order mark": 1, "line ending in CRLF": 3}
    assert corpus.sha256 != plain.sha256
    mixed = read("Anna\tB-person\n\r\nx\tO\r\n")
    assert mixed.sentences == plain.sentences
    assert (mixed.oddities, mixed.first_lines) == ({"line ending in CRLF": 2}, {"line ending in CRLF": 2})


@pytest.mark.parametrize("space", ["\u00a0", "\u0085", "\u2028", "\x1c", "\x0b", "\x0c", "\u3000", "\u200b"])
@pytest.mark.parametrize("separator", ["\t", " "])
def test_unicode_space_belongs_to_the_token(read, space: str, separator: str):
    corpus = read(f"a{space}b{separator}B-x\n{space}{separator}O\n")
    assert corpus.sentences == [Sentence((f"a{space}b", space), (("x", 0, 1),))]


def test_tokens_with_a_space_between_tabs(read):
    assert read("New York\tB-place\n").sentences[0].tokens == ("New York",)


def test_tokens_of_control_characters_are_kept_and_counted(read):
    corpus = read("\x96\tB-x\n\u200e\tI-x\na\u00ad\tO\n\ufeff\tO\n")
    assert corpus.sentences == [Sentence(("\x96", "\u200e", "a\u00ad", "\ufeff"), (("x", 0, 2),))]
    assert corpus.oddities == {"token of control or format characters only": 3}


@pytest.mark.parametrize("text", ["", "\n\n", " \t\n", "\ufeff"])
def test_an_empty_file_is_an_empty_corpus(read, text: str):
    corpus = read(text)
    assert (len(corpus), corpus.types, corpus.oddities["empty file"]) == (0, (), 1)


def test_last_line_without_a_newline(read):
    assert read("a\tO\nb\tB-x").sentences == [Sentence(("a", "b"), (("x", 1, 2),))]


# Columns


def test_layers_are_united(read):
    corpus = read(
        lines("Bank B-ORG O", "of I-ORG O", "Rostow I-ORG B-LOC", "", "Rostow B-LOC B-LOC", "", "x B-ORG B-LOC")
    )
    assert corpus.sentences[0].spans == (("ORG", 0, 3), ("LOC", 2, 3))
    assert corpus.sentences[1].spans == (("LOC", 0, 1),)
    assert corpus.sentences[2].spans == (("LOC", 0, 1), ("ORG", 0, 1))
    assert corpus.oddities == {"same span twice": 1, "second type on one span": 1}
    assert corpus.first_lines == {"same span twice": 5, "second type on one span": 7}


def test_a_layer_without_entities_is_still_a_layer(read):
    assert (
        read(lines("a B-x O", "b O O")).source
        == "CoNLL, columns by tabs: token, IOB2 tags, IOB2 tags (2 layers united)"
    )


def test_part_of_speech_and_chunks_are_left_out(read):
    corpus = read(lines("EU NNP B-NP B-ORG", "rejects VBZ B-VP O", "German JJ B-NP B-MISC", separator=" "))
    assert corpus.types == ("MISC", "ORG")
    assert corpus.source == "CoNLL, columns by spaces: token, left out, left out, IOB2 tags"


def test_chunks_alone_are_read(read):
    assert read(lines("EU NNP B-NP", "rejects VBZ B-VP")).types == ("NP", "VP")


def test_numbers_as_tokens_are_no_token_numbers(read):
    assert read(lines("1 O O", "9 O B-x", "", "7 O O")).sentences[0].tokens == ("1", "9")


# Oddities of tags


def test_type_names_hold_hyphens(read):
    assert read("x\tB-creative-work\ny\tI-creative-work\n").sentences[0].spans == (("creative-work", 0, 2),)


def test_orphans_begin_an_entity_and_are_counted(read):
    corpus = read(lines("a O", "b I-x", "c I-x", "d I-y", "", "e I-y", "", "f B-x"))
    assert [s.spans for s in corpus] == [(("x", 1, 3), ("y", 3, 4)), (("y", 0, 1),), (("x", 0, 1),)]
    assert corpus.oddities == {"orphan I- tag": 3}
    assert corpus.first_lines == {"orphan I- tag": 2}


def test_entities_without_their_end_are_kept_and_counted(read):
    corpus = read(lines("a B-x", "b I-x", "c O", "d E-x", "e S-y", "f B-y"))
    assert corpus.sentences[0].spans == (("x", 0, 2), ("x", 3, 4), ("y", 4, 5), ("y", 5, 6))
    assert corpus.oddities == {"entity without its last tag": 2, "orphan E- tag": 1}
    assert corpus.first_lines == {"entity without its last tag": 2, "orphan E- tag": 4}


# Errors


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a\tO\nb\n", r"x\.conll:2: expected 2 columns separated by tabs, found 1: 'b'"),
        ("a\tO\nb O\n", r"x\.conll:2: expected 2 columns separated by tabs, found 1: 'b O'"),
        ("a O\nb c O\n", r"x\.conll:2: expected 2 columns separated by spaces, found 3: 'b c O'"),
        ("a\tO\n\tO\n", r"x\.conll:2: expected 2 columns separated by tabs, but column 1 is empty"),
        ("a\tO\n\nb\tPER\n", r"x\.conll:3: expected O or a tag such as B-person in column 2, found 'PER'"),
        ("a\tO\n\nb\tB-\n", r"x\.conll:3: expected O or a tag such as B-person in column 2, found 'B-'"),
        ("a\tO\tO\nb\tB_x\tO\nc\tO\tO\n", r"x\.conll:2: .*in column 2, found 'B_x'"),
        ("a\tO\nb\tB-person,B-group\n", r"x\.conll:2: .*found 'B-person,B-group'"),
        ("a\tO\nb\tO,B-group\n", r"x\.conll:2: .*found 'O,B-group'"),
        ("alone\n", r"x\.conll:1: expected a token and its tag, found 'alone'"),
    ],
)
def test_broken_lines_are_named(read, text: str, message: str):
    with pytest.raises(CorpusError, match=message):
        read(text)


def test_wrong_encoding_is_named_with_its_offset(read):
    content = "a\tO\n\nMünchen\tB-place\n".encode("latin-1")
    with pytest.raises(CorpusError, match=r"x\.conll:3: expected utf-8, found byte 0xfc at offset 6 .*latin-1"):
        read(content)
    assert read(content, encoding="latin-1").sentences[1].tokens == ("München",)
    with pytest.raises(CorpusError, match=r"x\.conll:1: .* offset 0 .*utf-16"):
        read("ab\tO\n".encode("utf-16"))
    with pytest.raises(CorpusError, match="unknown encoding 'utf-9'"):
        read(content, encoding="utf-9")


def test_missing_files_and_unknown_formats(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    with pytest.raises(CorpusError, match=r"nowhere\.conll: no such file.*wnut17:train"):
        read_corpus(tmp_path / "nowhere.conll")
    with pytest.raises(CorpusError, match="cannot be read"):
        read_corpus(tmp_path)
    with pytest.raises(ValueError, match=r"format must be one of auto, any, text, jsonl, .*, brat, got 'xml'"):
        read_corpus(tmp_path / "a", format="xml")
    monkeypatch.delenv("GPKL_DATA", raising=False)
    with pytest.raises(CorpusError, match=r"GPKL_DATA is not set.*sha256 731820e1.*github.com/leondz.*CC BY 4\.0"):
        read_corpus("wnut17:train")
    with pytest.raises(CorpusError, match=r"emerging\.dev\.conll: no such file.*sha256 e053b752"):
        read_corpus(tmp_path / "emerging.dev.conll")
    monkeypatch.setenv("GPKL_DATA", str(tmp_path))
    with pytest.raises(CorpusError, match=r"GPKL_DATA is '.*', which does not hold it"):
        read_corpus("germeval2014:dev")
    (tmp_path / "germ.dev.iob2").write_text("x\tO\n")
    with pytest.raises(CorpusError, match=r"has sha256 .*, expected cc0c0637"):
        read_corpus("germeval2014:dev")


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    rng, lines = random.Random(0), []
    for number in range(200_000):
        word = f"w{int(rng.paretovariate(0.7)) % 100_000}"
        lines.append("" if number % 25 == 24 else f"{word}-of-some-length\t{rng.choice(['O'] * 9 + ['B-Chemical'])}")
    file = tmp_path_factory.mktemp("large") / "x.conll"
    file.write_text("\n".join(lines))
    return file


def test_a_large_file_takes_a_few_times_its_size(large: Path):
    tracemalloc.start()
    corpus = read_corpus(large)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert (len(corpus), sum(map(len, corpus))) == (8_000, 192_000)
    assert peak < 8 * large.stat().st_size, f"{peak / large.stat().st_size:.1f} times; 36 before lines were shared"


def line_by_line(file: Path) -> list[Sentence]:
    """A plain correct reader of IOB2 in two columns, which checks nothing."""
    sentences, tokens, tags = [], [], []
    for line in [*file.read_text("utf-8").split("\n"), ""]:
        if line.strip(" \t"):
            token, tag = line.split("\t")
            tokens.append(token)
            tags.append(tag)
        elif tokens:
            spans, start = [], None
            for position, tag in enumerate([*tags, "O"]):
                if start is not None and tag != f"I-{tags[start][2:]}":
                    spans.append((tags[start][2:], start, position))
                    start = None
                start = position if tag[0] == "B" else start
            sentences.append(Sentence(tokens, spans))
            tokens, tags = [], []
    return sentences


def test_a_large_file_is_read_nearly_as_fast_as_line_by_line(large: Path):
    """At most twice the processor time."""
    ratios = []
    for _ in range(3):
        start = time.process_time()
        plain = line_by_line(large)
        between = time.process_time()
        corpus = read_corpus(large)
        ratios.append((time.process_time() - between) / (between - start))
    assert corpus.sentences == plain
    assert min(ratios) < 2, ratios
