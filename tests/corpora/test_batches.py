"""Vocabulary, batches, and sentences that are too long."""

from __future__ import annotations

import random
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.overrides import TorchFunctionMode

import gpkl_lib.corpora.vocabulary
from gpkl_lib import span_mask, sparse_multilabel_cross_entropy
from gpkl_lib.corpora import Sentence, Vocabulary, batches, positive_cells, toy_corpus, truncate, windows

ANNA = Sentence(("Anna", "Holt", "left", "Rostow"), (("person", 0, 2), ("place", 3, 4)))
BANK = Sentence(("Bank", "of", "Rostow"), (("firm", 0, 3), ("place", 2, 3)))
TYPES = ("firm", "person", "place")


def test_vocabulary_numbers_what_is_frequent():
    vocabulary = Vocabulary.build([ANNA, BANK, Sentence(("left", "rostow"))], min_count=2)
    assert vocabulary.words == ("rostow", "left")
    words, characters = vocabulary.encode(("Rostow", "LEFT", "anna", "Rx"))
    assert words == [2, 3, 1, 1]
    assert len(characters[0]) == 6
    assert characters[3][1] == 1, "x was never seen"
    assert "R" in vocabulary.characters
    assert "A" not in vocabulary.characters, "seen once"
    assert (vocabulary.num_words, vocabulary.num_characters) == (4, len(vocabulary.characters) + 2)
    assert max(max(row) for row in characters) < vocabulary.num_characters


def test_ties_do_not_depend_on_the_order_of_sentences():
    assert Vocabulary.build([ANNA, BANK], min_count=1) == Vocabulary.build([BANK, ANNA], min_count=1)


def test_vocabulary_comes_back_from_json():
    vocabulary = Vocabulary.build([*toy_corpus(20), Sentence(('"', "\u2028", "ß"))], min_count=1)
    again = Vocabulary.from_json(vocabulary.to_json())
    assert again == vocabulary
    assert again.encode(('"', "Ω")) == vocabulary.encode(('"', "Ω"))
    with pytest.raises(ValueError, match="a vocabulary is JSON"):
        Vocabulary.from_json('{"words": []}')
    with pytest.raises(ValueError, match="distinct"):
        Vocabulary(("a", "a"), ())


def test_long_tokens_are_spelt_by_both_ends():
    url = "https://" + "x" * 100 + "/end"
    vocabulary = Vocabulary.build([Sentence((url,))], min_count=1)
    (spelling,) = vocabulary.encode((url,))[1]
    assert len(spelling) == 24
    assert spelling[-3:] == [vocabulary.encode((c,))[1][0][0] for c in "end"]


def test_collate_pads_and_points_at_the_gold_cells():
    vocabulary = Vocabulary.build([ANNA, BANK], min_count=1)
    batch = vocabulary.collate([ANNA, BANK], TYPES)
    assert batch.inputs["words"].shape == (2, 4)
    assert batch.inputs["characters"].shape == (2, 4, 6)
    assert batch.attention_mask.tolist() == [[True] * 4, [True] * 3 + [False]]
    assert batch.inputs["words"][1, 3] == 0
    assert (batch.inputs["words"] > 0).equal(batch.attention_mask)
    assert (batch.inputs["characters"][0, 0] > 0).sum() == len("Anna")
    assert batch.positives.tolist() == [[0, 1, 0, 1], [0, 2, 3, 3], [1, 0, 0, 2], [1, 2, 2, 2]]
    assert len(batch) == len(batch.to("cpu")) == 2


def test_positives_fit_the_loss():
    corpus = toy_corpus(8)
    batch = Vocabulary.build(corpus).collate(corpus.sentences, corpus.types)
    length = batch.attention_mask.shape[1]
    logits = torch.zeros(8, 5, length, length)
    logits[batch.positives.unbind(1)] = 30.0
    loss = sparse_multilabel_cross_entropy(
        logits - 15, batch.positives, class_dims=2, mask=span_mask(batch.attention_mask)
    )
    assert loss < 1e-3
    assert len(batch.positives) == sum(len(s.spans) for s in corpus)


def test_collate_of_little():
    vocabulary = Vocabulary.build([ANNA])
    empty = vocabulary.collate([Sentence(()), Sentence(("",))], TYPES)
    assert empty.attention_mask.tolist() == [[False], [True]]
    assert empty.inputs["characters"].shape == (2, 1, 1)
    assert empty.positives.shape == (0, 4)
    assert empty.positives.dtype == torch.long
    assert vocabulary.collate([], TYPES).attention_mask.shape == (0, 1)
    assert vocabulary.collate([ANNA]).positives.shape == (0, 4)
    with pytest.raises(ValueError, match=r"\('place', 3, 4\) has a type without a head; types are person"):
        positive_cells([ANNA], ("person",))


def plainly(vocabulary: Vocabulary, sentences: list[Sentence]) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Words, characters and mask, written down number by number."""
    length = max([1, *map(len, sentences)])
    encoded = [vocabulary.encode(sentence.tokens) for sentence in sentences]
    width = max([1, *(len(spelling) for _, spellings in encoded for spelling in spellings)])
    words, mask = torch.zeros(len(sentences), length, dtype=torch.long), torch.zeros(len(sentences), length).bool()
    characters = torch.zeros(len(sentences), length, width, dtype=torch.long)
    for row, (numbers, spellings) in enumerate(encoded):
        for place, (number, spelling) in enumerate(zip(numbers, spellings, strict=True)):
            words[row, place], mask[row, place] = number, True
            for at, character in enumerate(spelling):
                characters[row, place, at] = character
    return words, characters, mask


TOKENS = st.lists(st.sampled_from(["", "a", "Rostow", "rostow", "ß", "\0", "x" * 23, "y" * 24, "z" * 60]), max_size=6)


@settings(deadline=None)
@given(st.lists(st.lists(TOKENS.map(tuple).map(Sentence), max_size=4), max_size=4), st.sampled_from([1, 3, 1000]))
def test_a_batch_is_what_it_was_when_it_was_filled_token_by_token(groups: list[list[Sentence]], remembered: int):
    vocabulary = Vocabulary.build([ANNA, BANK, Sentence(("\0", "zz", "yyy"))], min_count=1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(gpkl_lib.corpora.vocabulary, "REMEMBERED", remembered)
        for group in groups:
            batch = vocabulary.collate(group)
            words, characters, mask = plainly(vocabulary, group)
            for found, wanted in (
                (batch.inputs["words"], words),
                (batch.inputs["characters"], characters),
                (batch.attention_mask, mask),
            ):
                assert found.dtype == wanted.dtype
                assert found.is_contiguous()
                assert torch.equal(found, wanted)


class Counted(TorchFunctionMode):
    """Counts what torch is asked to do."""

    def __init__(self) -> None:
        super().__init__()
        self.calls = 0

    def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.calls += 1
        return function(*args, **(kwargs or {}))


def test_collating_more_tokens_asks_torch_for_no_more():
    corpus, calls = toy_corpus(60), []
    vocabulary = Vocabulary.build(corpus)
    for size in (1, 60):
        with Counted() as counted:
            vocabulary.collate(corpus.sentences[:size], corpus.types)
        calls.append(counted.calls)
    assert 0 < calls[0] == calls[1] < 20


# Order


def numbered(lengths: list[int]) -> list[Sentence]:
    return [Sentence((str(index),) * length) for index, length in enumerate(lengths)]


@settings(deadline=None)
@given(st.lists(st.integers(0, 9), max_size=40), st.integers(1, 7), st.integers(0, 3), st.booleans())
def test_each_sentence_comes_once(lengths: list[int], batch_size: int, epoch: int, shuffle: bool):
    sentences = numbered(lengths)
    parts = list(batches(sentences, batch_size, seed=1, epoch=epoch, shuffle=shuffle))
    flat = [sentence for part in parts for sentence in part]
    assert sorted(flat, key=lambda s: s.tokens) == sorted(sentences, key=lambda s: s.tokens)
    assert len(parts) == -(-len(sentences) // batch_size)
    assert all(0 < len(part) <= batch_size for part in parts)
    assert shuffle or flat == sentences


def test_order_depends_on_seed_and_epoch_alone():
    sentences = numbered([1 + i % 30 for i in range(1000)])

    def order(seed: int, epoch: int) -> list[list[Sentence]]:
        random.seed(0)
        torch.manual_seed(epoch)
        return list(batches(sentences, 8, seed=seed, epoch=epoch))

    assert order(0, 0) == order(0, 0)
    different = [order(0, 0), order(0, 1), order(1, 0), order(10, 1), order(1, 1)]
    assert all(a != b for i, a in enumerate(different) for b in different[:i])
    first = [[int(s.tokens[0]) for s in part] for part in different[0][:2]]
    assert first == [[474, 384, 354, 654, 534, 204, 24, 444], [227, 737, 827, 617, 377, 137, 317, 797]], (
        "the same on every platform"
    )


def test_lengths_are_bucketed_and_batches_are_not_sorted():
    sentences = numbered([random.Random(i).randint(1, 60) for i in range(2000)])
    parts = list(batches(sentences, 16, seed=0, epoch=0))
    padded = sum(max(map(len, part)) * len(part) for part in parts)
    assert padded < 1.1 * sum(map(len, sentences))
    longest = [max(map(len, part)) for part in parts]
    assert longest != sorted(longest)


def test_batch_size_is_positive():
    with pytest.raises(ValueError, match="batch_size must be positive, got 0"):
        next(batches([ANNA], 0))


# Long sentences


def test_truncation_warns_once_with_counts():
    sentences = [ANNA, BANK, Sentence(("x",)), Sentence(tuple("abcdefg"), (("a", 0, 2), ("a", 2, 5), ("a", 5, 7)))]
    with pytest.warns(UserWarning, match="3 of 4 sentences have more than 2 tokens .*longest: 7.*, 5 spans") as record:
        cut = truncate(sentences, 2)
    assert len(record) == 1
    assert cut == [
        Sentence(("Anna", "Holt"), (("person", 0, 2),)),
        Sentence(("Bank", "of")),
        Sentence(("x",)),
        Sentence(("a", "b"), (("a", 0, 2),)),
    ]
    assert truncate(sentences, 7) == sentences, "and no warning"
    with pytest.raises(ValueError, match="max_length must be positive"):
        truncate(sentences, 0)


def test_windows_overlap_and_count_what_is_lost():
    sentence = Sentence(tuple("abcdefgh"), (("x", 0, 1), ("x", 2, 5), ("x", 3, 4), ("x", 0, 6)))
    split = windows([BANK, sentence], 4, 1)
    assert [piece.tokens for piece in split.pieces] == [BANK.tokens, tuple("abcd"), tuple("defg"), tuple("efgh")]
    assert split.origins == [(0, 0), (1, 0), (1, 3), (1, 4)]
    assert (split.split, split.lost) == (1, 2)
    assert split.pieces[1].spans == (("x", 0, 1), ("x", 3, 4))
    assert split.merge([piece.spans for piece in split.pieces]) == [list(BANK.spans), [("x", 0, 1), ("x", 3, 4)]]
    with pytest.raises(ValueError, match="overlap must lie between 0 and max_length - 1 = 3, got 4"):
        windows([sentence], 4, 4)
    with pytest.raises(ValueError, match="argument"):
        split.merge([[]])
    assert windows([], 4, 1).merge([]) == []


@st.composite
def cases(draw) -> tuple[list[Sentence], int, int]:
    max_length = draw(st.integers(1, 6))
    overlap = draw(st.integers(0, max_length - 1))
    sentences = []
    for length in draw(st.lists(st.integers(0, 15), max_size=4)):
        places = [(i, j) for i in range(length) for j in range(i + 1, min(i + overlap + 1, length) + 1)]
        chosen = draw(st.lists(st.sampled_from(places))) if places else []
        sentences.append(Sentence(tuple(map(str, range(length))), tuple(("x", *place) for place in chosen)))
    return sentences, max_length, overlap


@settings(deadline=None)
@given(cases())
def test_spans_of_overlap_plus_one_tokens_survive_windows(case: tuple[list[Sentence], int, int]):
    sentences, max_length, overlap = case
    split = windows(sentences, max_length, overlap)
    assert split.lost == 0
    assert all(len(piece) <= max_length for piece in split.pieces)
    assert split.merge([piece.spans for piece in split.pieces]) == [list(s.spans) for s in sentences]
    covered = [set() for _ in sentences]
    for (row, offset), piece in zip(split.origins, split.pieces, strict=True):
        covered[row].update(range(offset, offset + len(piece)))
    assert covered == [set(range(len(s))) for s in sentences]


def test_a_doubled_batch_is_every_row_again_with_the_gold_cells_once():
    batch = Vocabulary.build([ANNA, BANK]).collate([ANNA, BANK], TYPES)
    twice = batch.doubled()
    assert len(twice) == 4
    assert twice.inputs.keys() == batch.inputs.keys()
    pairs = zip(twice.inputs.values(), batch.inputs.values(), strict=True)
    for both, once in [(twice.attention_mask, batch.attention_mask), *pairs]:
        assert torch.equal(both, torch.cat([once, once]))
    assert torch.equal(twice.positives, batch.positives)
