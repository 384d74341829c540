"""A teacher is asked once a sentence, and what it said is what it would say again."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from method_runs import DEV, METHODS, QUICK, TRAIN, tagger_of

from gpkl_lib.corpora import Corpus, Sentence, toy_corpus
from gpkl_lib.tagger import Tagger
from gpkl_lib.training import batching, fit
from gpkl_lib.training.batching import Taught, fixed_scores

CPU = torch.device("cpu")
MANY = toy_corpus(70)  # three groups


def teacher_of() -> Tagger:
    return Tagger.from_scratch(MANY.sentences, TRAIN.types[::-1], seed=3, hidden_size=20).eval()


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


def test_what_was_kept_is_what_would_be_said(monkeypatch: pytest.MonkeyPatch):
    """In any batch: beside longer sentences, in another order, twice; padding moves no more than the last digits."""
    teacher = teacher_of()
    taught, asked = Taught(teacher, MANY, TRAIN.types), counted(teacher, monkeypatch)
    empty = Sentence(())
    for group in (MANY.sentences[:7], MANY.sentences[60:], [MANY[0], MANY[5], MANY[0]], [MANY[3]]):
        said, again = taught.scores(group), fixed_scores(teacher, group, CPU)[:, taught.order]
        assert said.shape == again.shape
        none = torch.finfo(torch.float32).min
        assert torch.equal(said == none, again == none)
        torch.testing.assert_close(said, again, rtol=1e-5, atol=1e-6)
        asked.clear()
        taught.scores(group)
        assert not asked
    assert (Taught(teacher, [empty, MANY[0]], TRAIN.types).scores([empty, MANY[0]])[0] == none).all()


def test_what_is_kept_follows_from_the_sentences_alone():
    """Not from when they are asked for: else a run that was resumed would learn from other last digits."""
    teacher, group = teacher_of(), MANY.sentences[10:14]
    first, second = (Taught(teacher, MANY, TRAIN.types) for _ in range(2))
    second.scores(MANY.sentences[:20])
    assert torch.equal(first.scores(group), second.scores(group))


def test_no_more_is_kept_than_there_is_room_for(monkeypatch: pytest.MonkeyPatch):
    lengths = sorted(len(TRAIN.types) * len(sentence) ** 2 for sentence in MANY)
    monkeypatch.setattr(batching, "KEPT", sum(lengths[:40]) + 1)
    teacher = teacher_of()
    taught = Taught(teacher, MANY, TRAIN.types)
    assert len(taught.kept) == 40
    assert sum(scores.untyped_storage().nbytes() for scores in taught.kept.values()) == 4 * sum(lengths[:40])
    short, long = min(MANY, key=len), max(MANY, key=len)
    asked = counted(teacher, monkeypatch)
    taught.scores([short])
    assert not asked
    said = taught.scores([short, long])
    assert asked == [short, long]
    assert torch.equal(said, fixed_scores(teacher, [short, long], CPU)[:, taught.order])
