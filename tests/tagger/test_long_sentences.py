"""Prediction on sentences far longer than any that was trained on."""

import random

import pytest
from taggers import CORPUS, small_tagger, talkative

import gpkl_lib.spans
from gpkl_lib.corpora import Sentence


@pytest.fixture
def tagger():
    """One that finds far too much, as trained ones do where nothing was trained."""
    tagger = talkative(small_tagger())
    tagger.max_span_length = 25
    return tagger


def test_what_is_not_wanted_is_not_looked_for(tagger, monkeypatch):
    words = [word for sentence in CORPUS for word in sentence.tokens]
    long = Sentence(tuple(random.Random(0).choices(words, k=600)))
    found, decode = [0], gpkl_lib.spans.cells_above

    def counted(*args, **kwargs):
        cells, scores = decode(*args, **kwargs)
        found[0] += len(cells)
        return cells, scores

    monkeypatch.setattr(gpkl_lib.spans, "cells_above", counted)
    (spans,) = tagger.predict([long])
    assert found[0] == len(spans) > 100
    assert max(end - start for _, start, end in spans) == 25
    tagger.max_span_length = None
    (everything,) = tagger.predict([long])
    assert len(everything) > 5 * len(spans)
    assert spans == [span for span in everything if span[2] - span[1] <= 25]


def test_ten_thousand_accents_end(tagger):
    """A line of 20 kB, each accent a token: a hundred million cells, of which a quarter million are looked at."""
    (spans,) = tagger.predict([Sentence(("e", *"\u0301" * 10_000))])
    assert all(end - start <= 25 for _, start, end in spans)
