"""The spaCy component: the spans of the tagger, with their scores, through nlp.pipe, the disk and bytes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from gallery import load, ten_lines

from gpkl_lib import Tagger

pytest.importorskip("spacy", reason="needs the package spacy: pip install 'gpkl-lib[examples]'")

TEXTS = ["Mara went to Oslo. Dr Ben works at Graz University today.", "", "  \n", "Ilse went  to\nBern ."]


@pytest.fixture(scope="module")
def tagger() -> Tagger:
    """An untrained one that finds many spans."""
    corpus = ten_lines()
    tagger = Tagger.from_scratch(corpus.sentences, corpus.types, hidden_size=16).eval()
    tagger.head.projection.weight.data.mul_(5)
    return tagger


def pipeline(tagger: Tagger | None, *, sentences: bool = True, **config: Any) -> Any:
    import spacy

    load("spacy_component")
    nlp = spacy.blank("en")
    if sentences:
        nlp.add_pipe("sentencizer")
    nlp.add_pipe("global_pointer", config=config).tagger = tagger
    return nlp


def found(doc: Any, key: str = "sc") -> list[tuple[str, int, int, float]]:
    spans = doc.spans[key]
    scores = spans.attrs["scores"]
    assert len(scores) == len(spans)
    return [(span.label_, span.start, span.end, float(score)) for span, score in zip(spans, scores, strict=True)]


@pytest.mark.parametrize("batch_size", [1, 2, 50])
def test_it_finds_what_the_tagger_finds_in_each_sentence_without_white_space(tagger: Tagger, batch_size: int):
    docs = list(pipeline(tagger).pipe(TEXTS, batch_size=batch_size))
    assert [doc.text for doc in docs] == TEXTS
    first = ["Mara", "went", "to", "Oslo", "."]
    second = ["Dr", "Ben", "works", "at", "Graz", "University", "today", "."]
    wanted = [(e.type, e.start_token, e.end_token, e.score) for e in tagger.entities([first])[0]]
    wanted += [(e.type, e.start_token + 5, e.end_token + 5, e.score) for e in tagger.entities([second])[0]]
    assert len(wanted) > 5
    assert found(docs[0]) == [(name, i, j, pytest.approx(score, abs=1e-4)) for name, i, j, score in wanted]
    assert found(docs[1]) == found(docs[2]) == []
    places = [token.i for token in docs[3] if not token.is_space]
    assert len(places) < len(docs[3])
    words = ["Ilse", "went", "to", "Bern", "."]
    assert [(name, i, j) for name, i, j, _ in found(docs[3])] == [
        (e.type, places[e.start_token], places[e.end_token - 1] + 1) for e in tagger.entities([words])[0]
    ]


def test_without_sentences_the_text_is_one_and_the_key_may_be_another(tagger: Tagger):
    doc = pipeline(tagger, sentences=False, spans_key="entities")(TEXTS[0])
    words = [token.text for token in doc]
    assert [(name, i, j) for name, i, j, _ in found(doc, "entities")] == tagger.predict([words])[0]


def test_it_goes_through_disk_and_bytes_and_so_do_its_spans(tagger: Tagger, tmp_path: Path):
    import spacy

    nlp = pipeline(tagger, spans_key="found")
    wanted = found(nlp(TEXTS[0]), "found")
    nlp.to_disk(tmp_path / "pipeline")
    assert (tmp_path / "pipeline/global_pointer/model.safetensors").exists()
    copied = pipeline(None, spans_key="found").from_bytes(nlp.to_bytes())
    for other in (spacy.load(tmp_path / "pipeline"), copied):
        assert other.get_pipe("global_pointer").tagger.digest() == tagger.digest()
        assert found(other(TEXTS[0]), "found") == wanted
    doc = nlp(TEXTS[0])
    assert found(spacy.tokens.Doc(nlp.vocab).from_bytes(doc.to_bytes()), "found") == wanted


def test_without_a_tagger_it_says_where_one_comes_from(tmp_path: Path):
    nlp = pipeline(None)
    for use in (lambda: nlp(TEXTS[0]), lambda: nlp.to_disk(tmp_path), nlp.to_bytes):
        with pytest.raises(ValueError, match=r"no tagger yet: .*Tagger\.load"):
            use()
