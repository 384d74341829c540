"""Every form in which people write labelled sentences: a small file of each, counted another way, made each other."""

from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path

import pytest

from gpkl_lib.corpora import FORMS, Corpus, CorpusError, How, convert_corpus, read_corpus

DATA = Path(__file__).parent / "data/forms"
NAMES = ("O", "B-PER", "I-PER", "B-ORG", "I-ORG", "B-LOC", "I-LOC")
NESTED = Counter(PER=2, LOC=2, ORG=1)
FLAT = Counter(PER=2, LOC=1, ORG=1)

# file, options, form, how often a regular expression of the form finds a span of each type in the raw file, surfaces
FILES = {
    "jsonl.jsonl": ("jsonl", r'\[\d+,\d+,"(\w+)"', NESTED),
    "doccano_label.jsonl": ("doccano", r'\[\d+, \d+, "(\w+)"', NESTED),
    "doccano_labels.jsonl": ("doccano", r'\[\d+, \d+, "(\w+)"', NESTED),
    "doccano_entities.jsonl": ("doccano", r'"label": "(\w+)"', NESTED),
    "doccano_annotations.json": ("doccano", r'"label": (\d+)', Counter({"7": 2, "8": 2, "9": 1})),
    "cmeee_array.json": ("cmeee", r'"type": "(\w+)"', Counter(sym=2, pro=1, bod=1)),
    "cmeee_lines.jsonl": ("cmeee", r'"type": "(\w+)"', Counter(sym=2, pro=1, bod=1)),
    "genia.jsonl": ("genia", r'"entity_type": "(\w+)"', NESTED),
    "hf_names.jsonl": ("hf", r'"B-(\w+)"', FLAT),
    "label_studio.json": ("label-studio", r'"labels": \[\s*"(\w+)"', NESTED),
    "label_studio_min.json": ("label-studio", r'"labels": \[\s*"(\w+)"', NESTED),
    "spacy_pairs.json": ("spacy", r'\[\s*\d+,\s*\d+,\s*"(\w+)"', NESTED),
    "spacy_pairs.jsonl": ("spacy", r'\[\d+, \d+, "(\w+)"', NESTED),
    "spacy_doc.jsonl": ("spacy", r'"label": "(\w+)"', Counter(PER=2, LOC=1)),
    "spacy_paragraphs.json": ("spacy", r'"[BU]-(\w+)"', FLAT),
    "prodigy.jsonl": ("prodigy", r'"label": "(\w+)"', NESTED),
    "gliner.json": ("gliner", r'\[\d+, \d+, "(\w+)"', NESTED),
    "conllu.conllu": ("conllu", r"NER=B-(\w+)", Counter(PER=2, LOC=1)),
    "suffix.conll": ("conll", r"\t(\w+)-B", FLAT),
    "bilou.conll": ("conll", r"\t[BU]-(\w+)", FLAT),
    "ioe2.conll": ("conll", r"\tE-(\w+)", FLAT),
    "brat.ann": ("brat", r"T\d+\t(\w+) \d+ \d+\t", Counter(PER=2, LOC=2, ORG=1, EVENT=1)),
}  # fmt: skip
SURFACES = {
    "Mara Holm",
    "Ilse",
    "Bern",
    "The University of Bern",
    "胸部CT检查",
    "胸部",
    "头痛",
    "恶心",
    "Bern rejoiced",
}


def types(corpus: Corpus) -> Counter[str]:
    return Counter(span[0] for sentence in corpus for span in sentence.spans)


def surfaces(corpus: Corpus) -> set[str]:
    found = {s.surface(span) for s in corpus for span in s.spans}
    return {re.sub(r"(?<=[^ -~]) | (?=[^ -~])", "", text).replace("C T", "CT") for text in found}


@pytest.mark.parametrize("file", FILES)
def test_a_file_of_each_form_is_read_and_its_spans_counted_in_the_raw_bytes(file: str):
    form, pattern, expected = FILES[file]
    assert Counter(re.findall(pattern, (DATA / file).read_text("utf-8"))) == expected
    corpus = read_corpus(DATA / file)
    assert types(corpus) == expected
    assert surfaces(corpus) <= SURFACES
    assert types(read_corpus(DATA / file, format=form)) == expected


def test_the_table_of_forms_is_the_one_that_is_tested():
    assert {form for form, _, _ in FILES.values()} | {"cluener"} == {form.name for form in FORMS}


def test_cluener_beside_cmeee():
    assert read_corpus(DATA / "cluener.json").sentences == read_corpus(DATA / "cmeee_array.json").sentences


def test_numbers_of_tags_need_their_names():
    with pytest.raises(CorpusError, match=r'hf_numbers\.jsonl:1: "ner_tags" are numbers.*--tag-names'):
        read_corpus(DATA / "hf_numbers.jsonl")
    assert (
        read_corpus(DATA / "hf_numbers.jsonl", tag_names=NAMES).sentences
        == read_corpus(DATA / "hf_names.jsonl").sentences
    )
    with pytest.raises(CorpusError, match=r"numbers from 0 to 2"):
        read_corpus(DATA / "hf_numbers.jsonl", tag_names=NAMES[:3])


def test_ioe1_ends_an_entity_only_where_the_next_touches():
    corpus = read_corpus(DATA / "ioe1.conll")
    assert corpus.sentences[1].spans == (("ORG", 0, 4), ("ORG", 4, 5))
    assert types(corpus) == Counter(PER=2, LOC=1, ORG=2)
    assert corpus.oddities == {}
    assert corpus.source.endswith("IOE1 tags")


@pytest.mark.parametrize("file", ["suffix.conll", "bilou.conll", "ioe2.conll"])
def test_schemes_agree_and_nothing_is_odd(file: str):
    corpus = read_corpus(DATA / file)
    assert corpus.sentences == read_corpus(DATA / "hf_names.jsonl").sentences
    assert corpus.oddities == {}


def test_a_predicted_column_is_not_united_with_the_gold_one():
    file = DATA / "conlleval.txt"
    with pytest.raises(CorpusError, match=r"columns 3 and 4 share 12 spans.*--tag-column 3"):
        read_corpus(file)
    assert types(read_corpus(file, tag_columns=[3])) == Counter(PER=10, LOC=5)
    assert types(read_corpus(file, tag_columns=[4])) == Counter(PER=9, LOC=5)
    assert sum(types(read_corpus(file, tag_columns=[3, 4])).values()) == 17


def test_columns_can_be_named(tmp_path: Path):
    (tmp_path / "x.tsv").write_text("B-PER\td1\tMara\nO\td1\tmet\n")
    corpus = read_corpus(tmp_path / "x.tsv", token_column=3, tag_columns=[1])
    assert (corpus[0].tokens, corpus[0].spans) == (("Mara", "met"), (("PER", 0, 1),))
    with pytest.raises(CorpusError, match="expected a column from 1 to 3, got 4"):
        read_corpus(tmp_path / "x.tsv", tag_columns=[4])


def test_brat_counts_what_has_no_place_here():
    corpus = read_corpus(DATA / "brat.ann")
    assert corpus.oddities == {"discontinuous span, left out": 1, "relation, event, attribute or note, left out": 2}
    assert corpus.first_lines["discontinuous span, left out"] == 4
    assert corpus.sentences == read_corpus(DATA / "brat.txt").sentences
    assert len(corpus) == 3


@pytest.mark.parametrize("to", [form.name for form in FORMS])
@pytest.mark.parametrize("file", [*FILES, "cluener.json"])
def test_every_form_becomes_every_other_and_no_span_moves(file: str, to: str, tmp_path: Path):
    nested = any(s.nested() for s in read_corpus(DATA / file))
    target = tmp_path / ("out.ann" if to == "brat" else "out")
    if to in ("hf", "conllu") and nested:
        with pytest.raises(CorpusError, match="spans that overlap"):
            convert_corpus(DATA / file, target, to=to, how=How())
        assert list(tmp_path.iterdir()) == []
        return
    convert_corpus(DATA / file, target, to=to, how=How())
    assert types(read_corpus(target, format=to)) == types(read_corpus(DATA / file))
    assert {s.replace(" ", "") for s in surfaces(read_corpus(target, format=to))} <= {
        s.replace(" ", "") for s in SURFACES
    }


def test_offsets_survive_from_text_to_text(tmp_path: Path):
    convert_corpus(DATA / "doccano_label.jsonl", tmp_path / "a.ann", how=How())
    convert_corpus(tmp_path / "a.ann", tmp_path / "b.json", to="spacy", how=How())
    pairs = json.loads((tmp_path / "b.json").read_text())
    rows = [json.loads(line) for line in (DATA / "doccano_label.jsonl").read_text().splitlines()]
    assert [(text, sorted(marks["entities"])) for text, marks in pairs] == [
        (r["text"], sorted(r["label"])) for r in rows
    ]


# Labels that would be lost


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"text": "Mara", "marks": [[0, 4, "PER"]]}, r'found \[\[0, 4, "PER"\]\] under "marks"; known forms: jsonl'),
        ({"tokens": ["Mara"], "span": [[0, 1, "PER"]]}, 'under "span"'),
        ({"tokens": ["Mara"], "named_entities": ["PER"]}, 'under "named_entities"'),
        ({"tokens": ["Mara"], "bio": ["B-PER"]}, 'under "bio"'),
        ({"text": "头痛", "spans": [[0, 1, "x"]], "label": {"s": {"头痛": [[0, 1]]}}}, '"spans" and "label": choose'),
        ({"tokens": ["Mara"], "spans": ["PER: Mara"]}, "expected a span"),
        ({"tokens": ["a", "b"], "ner_tags": ["O"]}, "a tag for each of 2 tokens"),
        ({"tokens": ["a"], "ner_tags": ["PER"]}, "expected O or a tag such as B-person, found 'PER'"),
        ({"tokens": [["a"]], "sentences": [["a"]]}, "list of strings"),
        ({"sentences": [["a"]], "ner": [[[0, 0, "x"]]]}, r'found keys \["sentences", "ner"\]'),
        ({"text": "头痛", "entities": [{"start_idx": 0, "end_idx": 1, "type": "s", "entity": "头"}]}, "expected '头'"),
        ({"text": "ab", "entities": [{"start": 0, "end": 3, "label": "x"}]}, "0 <= start < end <= 2"),
        ({"text": "ab", "entities": [{"begin": 0, "finish": 1, "label": "x"}]}, '"start", "end" and "label"'),
        ('{"tokens": ["a"], "spans": [[0, 1, "x"]], "spans": []}', 'the key "spans" stands twice'),
    ],
)  # fmt: skip
def test_labels_that_are_not_understood_are_refused_with_file_line_and_key(row: object, message: str, tmp_path: Path):
    file = tmp_path / "x.jsonl"
    file.write_text('{"tokens": ["a"], "spans": []}\n' + (row if isinstance(row, str) else json.dumps(row)) + "\n")
    with pytest.raises(CorpusError, match=r"x\.jsonl:2: .*" + message):
        read_corpus(file)


def test_an_empty_key_beside_a_filled_one_hides_nothing(tmp_path: Path):
    (tmp_path / "x.jsonl").write_text('{"text": "头痛", "spans": [], "label": {"s": {"头痛": [[0, 1]]}}}\n')
    assert read_corpus(tmp_path / "x.jsonl")[0].spans == (("s", 0, 2),)


def test_rows_without_labels_are_counted_where_others_have_them(tmp_path: Path):
    file = tmp_path / "x.jsonl"
    file.write_text('{"text": "北京"}\n{"text": "北京", "title": "x", "id": [1, 2]}\n')
    assert read_corpus(file).oddities == {}
    file.write_text('{"text": "北京", "label": {}}\n{"text": "北京"}\n')
    assert read_corpus(file).oddities == {"row without labels": 1}


def test_spans_that_cut_a_word_are_widened_and_counted(tmp_path: Path):
    file = tmp_path / "x.jsonl"
    file.write_text('{"text": "the unhappy end", "label": [[6, 11, "M"], [4, 11, "W"], [3, 4, "S"]]}\n')
    corpus = read_corpus(file, tokens="words")
    assert corpus[0].spans == (("M", 1, 2), ("W", 1, 2))
    assert corpus.oddities == {
        "span that cuts a word, widened to it": 1,
        "span of white space only, left out": 1,
        "second type on one span": 1,
    }
    assert read_corpus(file, tokens="characters")[0].spans == (("S", 3, 4), ("W", 4, 11), ("M", 6, 11))
