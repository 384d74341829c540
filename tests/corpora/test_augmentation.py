"""Altered copies and further sentences: what changes, what keeps its place, what follows from the seed."""

from __future__ import annotations

from collections import Counter

import pytest

from gpkl_lib.corpora import Sentence, toy_corpus
from gpkl_lib.corpora.augmentation import HIDDEN, augmented, bare, drawn, shape, words_by_shape
from gpkl_lib.corpora.vocabulary import UNKNOWN, Vocabulary

SENTENCES = toy_corpus(200).sentences
WORDS = words_by_shape(SENTENCES)


def changes(**shares: float) -> Counter[str]:
    copies = augmented(SENTENCES, WORDS, **shares)
    pairs = [pair for a, b in zip(SENTENCES, copies, strict=True) for pair in zip(a.tokens, b.tokens, strict=True)]
    kinds = ("hidden" if new == HIDDEN else "kept" if new == old else "exchanged" for old, new in pairs)
    return Counter(kinds)


def test_every_word_keeps_its_place_and_so_do_the_spans():
    for sentence, copy in zip(SENTENCES, augmented(SENTENCES, WORDS, hide=0.4, exchange=0.6), strict=True):
        assert len(copy) == len(sentence)
        assert copy.spans == sentence.spans
        for old, new in zip(sentence.tokens, copy.tokens, strict=True):
            assert new == HIDDEN or shape(new) == shape(old)


def test_the_shares_are_those_asked_for():
    found = changes(hide=0.2, exchange=0.3)
    total = found.total()
    assert found["hidden"] / total == pytest.approx(0.2, abs=0.02)
    assert found["exchanged"] / total == pytest.approx(0.3, abs=0.05)  # a word may be exchanged for itself
    assert found["exchanged"] < 0.32 * total
    assert changes(hide=0, exchange=0)["kept"] == total
    assert changes(hide=1, exchange=0)["hidden"] == total


def test_the_seed_decides_and_the_corpus_is_left_alone():
    before = [sentence.tokens for sentence in SENTENCES]
    first, again, other = (augmented(SENTENCES, WORDS, hide=0.3, exchange=0.3, seed=s) for s in ("0 7", "0 7", "0 8"))
    assert first == again != other
    assert [sentence.tokens for sentence in SENTENCES] == before


def test_a_rate_changes_only_what_it_is_about():
    """Words hidden at 0.1 are hidden at 0.3 as well."""
    few, many = (augmented(SENTENCES, WORDS, hide=hide, exchange=0) for hide in (0.1, 0.3))
    for one, more in zip(few, many, strict=True):
        assert all(b == HIDDEN for a, b in zip(one.tokens, more.tokens, strict=True) if a == HIDDEN)


def test_shapes():
    words = ["Anna", "anna", "McX", "1990", "3rd", "A4", ",", "...", "中国", "Ärzte", "§5"]
    assert [shape(word) for word in words] == ["Xx", "x", "Xx", "0", "x", "Xx", ".", ".", "x", "Xx", "0"]
    assert words_by_shape([Sentence(("Anna", "sings", "Anna"))]) == {"Xx": ["Anna", "Anna"], "x": ["sings"]}
    assert augmented([Sentence(("7",))], {}, hide=0, exchange=1)[0].tokens == ("7",)  # nothing of its shape to come in


def test_no_vocabulary_knows_a_hidden_word():
    words, spellings = Vocabulary.build(SENTENCES).encode([HIDDEN])
    assert words == [UNKNOWN]
    assert spellings == [[UNKNOWN]]


@pytest.mark.parametrize("shares", [(-0.1, 0.0), (0.0, -0.1), (0.6, 0.5)])
def test_shares_that_are_none_are_refused(shares: tuple[float, float]):
    with pytest.raises(ValueError, match="hide and exchange must be shares, at most 1 together, got"):
        augmented(SENTENCES, WORDS, hide=shares[0], exchange=shares[1])


def test_step_after_step_every_sentence_comes_once_a_pass():
    seen = [sentence for step in range(10) for sentence in drawn(SENTENCES[:35], 7, seed=3, step=step)]
    first, second = seen[:35], seen[35:]
    assert sorted(map(id, first)) == sorted(map(id, second)) == sorted(map(id, SENTENCES[:35]))
    assert first != second  # each pass has its own order
    assert drawn(SENTENCES[:35], 7, seed=3, step=4) == seen[28:35]  # and any step can be asked for alone
    assert drawn(SENTENCES[:35], 7, seed=4, step=4) != seen[28:35]


def test_fewer_sentences_than_a_step_takes_come_again():
    assert Counter(map(id, drawn(SENTENCES[:3], 7, step=0))).most_common(1)[0][1] == 3
    with pytest.raises(ValueError, match="no sentences to draw from"):
        drawn([], 3)


def test_bare_sentences_have_no_spans():
    assert all(not sentence.spans for sentence in bare(SENTENCES))
    assert [sentence.tokens for sentence in bare(SENTENCES)] == [sentence.tokens for sentence in SENTENCES]
