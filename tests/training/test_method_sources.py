"""Where a method's further sentences and its target come from, and which are refused."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from method_cases import CONFIGS, CPU, MORE, SMALL, TRAIN, batches_for, small_tagger, still_tagger

from gpkl_lib.corpora import Corpus, Sentence
from gpkl_lib.tagger.tagger import Tagger
from gpkl_lib.training.batching import StepBatches, fixed_target
from gpkl_lib.training.loop import TrainingConfig, training_loss


def test_the_target_of_uda_is_the_clean_sentence_without_dropout_and_without_gradient():
    tagger = small_tagger().train()
    steps = batches_for(tagger, CONFIGS["uda"])
    share = steps.examples(TRAIN.sentences[:4], 3)
    batch, target = steps.collate(share, CPU)
    assert tagger.training
    assert target is not None
    assert not target.requires_grad
    further = [sentence for lesson in share for sentence in lesson.unlabelled]
    assert torch.equal(target, tagger.eval()(tagger.collate(further)))
    assert len(batch) == 8
    assert (batch.positives[:, 0] < 4).all()
    assert len(batch.positives) == sum(len(sentence.spans) for sentence in TRAIN.sentences[:4])


def test_labels_of_unlabelled_sentences_are_not_seen():
    tagger = still_tagger()
    bare = Corpus("bare", [Sentence(s.tokens) for s in MORE])
    config, found = CONFIGS["uda"], []
    for corpus in (MORE, bare):
        steps = StepBatches(tagger, TRAIN, config, corpus, None)
        batch, target = steps.collate(steps.examples(TRAIN.sentences, 0), CPU)
        found.append(training_loss(tagger, batch, config, 1.0, target).loss)
        assert steps.record() == StepBatches(tagger, TRAIN, config, bare, None).record()
    assert torch.equal(*found)


def test_the_steps_draw_different_sentences_and_the_same_again():
    steps = batches_for(small_tagger(), replace(CONFIGS["uda"], unlabelled_ratio=3, batch_size=4))
    first, again, next_one = (steps.examples(TRAIN.sentences[:4], step) for step in (0, 0, 1))
    assert first == again
    assert {len(lesson.unlabelled) for lesson in first} == {3}
    seen = [sentence.tokens for lesson in [*first, *next_one] for sentence in lesson.unlabelled]
    assert len(set(seen)) == len(seen) == 24  # 28 to draw from: no one twice in a pass
    copies = [copy.tokens for lesson in first for copy in lesson.copies]
    assert any(a != b for a, b in zip(seen, copies, strict=False))
    assert first[:2] == steps.examples(TRAIN.sentences[:2], 0)  # a short last batch of an epoch takes fewer


def test_a_teacher_speaks_of_the_student_s_types_in_their_order_and_in_its_own_words():
    backwards = Tagger.from_scratch(MORE.sentences, TRAIN.types[::-1], seed=3, hidden_size=20)
    student = still_tagger()
    steps = batches_for(student, CONFIGS["distillation"], backwards)
    batch, target = steps.collate(steps.examples(TRAIN.sentences[:3], 0), CPU)
    own = backwards.eval()(backwards.collate(TRAIN.sentences[:3], labels=False))
    assert target is not None
    torch.testing.assert_close(target, own.flip(1))
    assert not target.requires_grad
    loss = training_loss(student, batch, CONFIGS["distillation"], 1.0, target).loss
    loss.backward()
    assert all(parameter.grad is None for parameter in backwards.parameters())


def test_a_teacher_that_was_training_goes_on_training_undisturbed():
    teacher = small_tagger(dropout=0.5).train()
    first, second = (fixed_target(teacher, TRAIN.sentences, teacher.types, CPU, tiled=False) for _ in range(2))
    assert torch.equal(first, second)
    query, key = fixed_target(teacher, TRAIN.sentences, teacher.types, CPU, tiled=True)
    span = first > torch.finfo(first.dtype).min
    assert torch.equal((query @ key.mT)[span], first[span])
    assert teacher.training


@pytest.mark.parametrize("method", ["uda", "distillation"])
def test_a_target_that_is_missing_is_asked_for(method: str):
    tagger = small_tagger()
    with pytest.raises(ValueError, match=r"target must hold .*None"):
        training_loss(tagger, tagger.collate(TRAIN.sentences), TrainingConfig(method=method))


def test_sources_that_do_not_fit_the_method_are_refused():
    tagger, teacher = small_tagger(), small_tagger()
    for config, unlabelled, other, message in (
        (CONFIGS["uda"], None, None, "method 'uda' needs unlabelled"),
        (CONFIGS["distillation"], None, None, "method 'distillation' needs teacher"),
        (
            CONFIGS["sigmoid"],
            MORE,
            None,
            "no use for unlabelled, which method 'uda' or 'vat-unlabelled' learns",
        ),
        (CONFIGS["uda"], MORE, teacher, "method 'uda' has no use for teacher"),
        (CONFIGS["uda"], Corpus("empty", []), None, "unlabelled has no sentence"),
        (
            CONFIGS["distillation"],
            None,
            Tagger.from_scratch(TRAIN.sentences, ["planet"], **SMALL),
            "must know the types of the tagger, event, .*; it knows planet",
        ),
    ):
        with pytest.raises(ValueError, match=message):
            StepBatches(tagger, TRAIN, config, unlabelled, other)
