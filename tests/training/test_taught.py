"""A teacher is asked once a sentence, and what it said is what it would say again."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from method_runs import DEV, METHODS, QUICK, TRAIN, tagger_of

from gpkl_lib.corpora import Corpus, Sentence, length_mask, toy_corpus
from gpkl_lib.tagger import Tagger
from gpkl_lib.training import batching, fit
from gpkl_lib.training.batching import Taught, fixed_target

CPU = torch.device("cpu")
MANY = toy_corpus(70)  # three groups
LONG = Sentence(tuple(token for sentence in MANY.sentences[:3] for token in sentence.tokens))


def teacher_of(**settings: Any) -> Tagger:
    return Tagger.from_scratch(MANY.sentences, TRAIN.types[::-1], seed=3, hidden_size=20, **settings).eval()


def counted(teacher: Tagger, monkeypatch: pytest.MonkeyPatch) -> list[Sentence]:
    """The sentences that the teacher is asked for from now on."""
    asked: list[Sentence] = []
    collate = teacher.collate
    monkeypatch.setattr(teacher, "collate", lambda them, **how: asked.extend(them) or collate(them, **how))
    return asked


def test_a_run_asks_once_for_each_sentence(monkeypatch: pytest.MonkeyPatch):
    teacher = tagger_of(seed=9, hidden_size=20)
    asked, twice = counted(teacher, monkeypatch), Corpus("twice", [*TRAIN, *TRAIN])
    config = replace(QUICK, **METHODS["distillation"], epochs=3)
    fit(tagger_of(), twice, DEV, config=config, teacher=teacher, progress=False)
    assert sorted(sentence.tokens for sentence in asked) == sorted(sentence.tokens for sentence in TRAIN)


def asked_again(teacher: Tagger, group: list[Sentence], tiled: bool) -> Any:
    return fixed_target(teacher, group, TRAIN.types, CPU, tiled=tiled)


@pytest.mark.parametrize("head", ["global_pointer", "efficient"])
def test_what_was_kept_is_what_would_be_said(head: str, monkeypatch: pytest.MonkeyPatch):
    """In any batch: beside longer sentences, in another order, twice; padding moves no more than the last digits."""
    teacher = teacher_of(head=head)
    taught, none = Taught(teacher, [*MANY, LONG], TRAIN.types), torch.finfo(torch.float32).min
    asked = counted(teacher, monkeypatch)
    assert len(LONG) >= batching.TILED_FROM
    for group in (MANY.sentences[:7], MANY.sentences[60:], [MANY[0], MANY[5], MANY[0]], [MANY[3]], [MANY[1], LONG]):
        scores, projection = (asked_again(teacher, group, tiled) for tiled in (False, True))
        asked.clear()
        said = taught.target(group, tiled=False)
        assert said.shape == scores.shape
        assert torch.equal(said == none, scores == none)
        torch.testing.assert_close(said, scores, rtol=1e-5, atol=1e-6)
        real = length_mask(group)[:, None, :, None]
        for kept, again in zip(taught.target(group, tiled=True), projection, strict=True):
            assert kept.shape == again.shape
            torch.testing.assert_close(kept, again * real, rtol=1e-5, atol=1e-6)
        assert not asked


def test_sentences_without_a_token_are_scored_as_nothing():
    teacher, empty = teacher_of(), Sentence(())
    taught = Taught(teacher, [empty, MANY[0]], TRAIN.types)
    for group in ([empty], [empty, MANY[0]]):
        torch.testing.assert_close(taught.target(group, tiled=False), asked_again(teacher, group, tiled=False))
        assert taught.target(group, tiled=True)[0].shape == asked_again(teacher, group, tiled=True)[0].shape


def test_what_is_kept_follows_from_the_sentences_alone():
    """Not from when they are asked for: else a run that was resumed would learn from other last digits."""
    teacher, group = teacher_of(), MANY.sentences[10:14]
    first, second = (Taught(teacher, MANY, TRAIN.types) for _ in range(2))
    second.target(MANY.sentences[:20], tiled=False)
    assert torch.equal(first.target(group, tiled=False), second.target(group, tiled=False))


def test_no_more_is_kept_than_there_is_room_for(monkeypatch: pytest.MonkeyPatch):
    teacher, lengths = teacher_of(), sorted(map(len, MANY))
    types, head = len(TRAIN.types), teacher.head.head_size
    room = sum(types * n * (2 * head + n) for n in lengths[:40])
    monkeypatch.setattr(batching, "KEPT", room)
    taught = Taught(teacher, MANY, TRAIN.types)
    kept = [*taught.projections.values(), *taught.scores.values()]
    assert len(taught.projections) == len(taught.scores) == 40
    assert sum(own.untyped_storage().nbytes() for own in kept) == 4 * room
    short, long = min(MANY, key=len), max(MANY, key=len)
    asked = counted(teacher, monkeypatch)
    taught.target([short], tiled=False)
    assert not asked
    for tiled in (False, True):
        asked.clear()
        said = taught.target([short, long], tiled)
        assert asked == [short, long]
        torch.testing.assert_close(said, asked_again(teacher, [short, long], tiled), rtol=0, atol=0)
