"""Methods that differ from another in one thing: copies without a divergence, VAT on more sentences, a deaf student."""

from __future__ import annotations

import math

import pytest
import torch
from method_cases import CPU, MORE, TRAIN, small_tagger, still_tagger
from torch.distributions import Bernoulli, kl_divergence

from gpkl_lib import span_mask
from gpkl_lib.consistency import ConsistencyLoss
from gpkl_lib.corpora import augmented, words_by_shape
from gpkl_lib.tagger.tagger import Tagger
from gpkl_lib.training import TrainingConfig, training_loss
from gpkl_lib.training.batching import StepBatches

SENTENCES = TRAIN.sentences[:4]


def step(tagger: Tagger, config: TrainingConfig, **sources) -> ConsistencyLoss:
    steps = StepBatches(tagger, TRAIN, config, sources.get("unlabelled"), sources.get("teacher"))
    batch, target = steps.collate(steps.examples(SENTENCES, 3), CPU)
    torch.manual_seed(0)
    return training_loss(tagger, batch, config, 1.0, target)


class TestCopies:
    def test_a_copy_is_a_sentence_more_under_the_same_labels(self):
        tagger, config = still_tagger(), TrainingConfig(method="copies", hide=0.3, exchange=0.2, seed=5)
        copies = augmented(SENTENCES, words_by_shape(TRAIN), hide=0.3, exchange=0.2, seed="5 3")
        assert [copy.spans for copy in copies] == [sentence.spans for sentence in SENTENCES]
        assert [copy.tokens for copy in copies] != [sentence.tokens for sentence in SENTENCES]
        both = training_loss(tagger, tagger.collate([*SENTENCES, *copies]), TrainingConfig())
        found = step(tagger, config)
        assert found.loss.item() == found.task.item() == pytest.approx(both.loss.item(), rel=1e-6)
        assert found.divergence.item() == 0

    def test_copies_that_are_not_altered_change_nothing(self):
        tagger = still_tagger()
        same = step(tagger, TrainingConfig(method="copies", hide=0.0, exchange=0.0)).loss.item()
        assert same == pytest.approx(step(tagger, TrainingConfig()).loss.item(), rel=1e-6)


class TestUnlabelledVat:
    def test_labels_teach_as_before_and_the_divergence_is_that_of_all_sentences(self):
        tagger, config = (
            still_tagger(),
            TrainingConfig(method="vat-unlabelled", alpha=2.0, alpha_warmup=0.0, epsilon=0.3),
        )
        steps = StepBatches(tagger, TRAIN, config, MORE, None)
        examples = steps.examples(SENTENCES, 3)
        drawn = [one for example in examples for one in example.copies]
        assert {sentence.tokens for sentence in drawn} <= {sentence.tokens for sentence in MORE}
        assert steps.collate(examples, CPU)[1] is None  # nobody is asked for scores that nobody reads
        found = step(tagger, config, unlabelled=MORE)
        assert found.task.item() == pytest.approx(step(tagger, TrainingConfig()).task.item(), rel=1e-5)
        torch.manual_seed(0)
        batch = tagger.collate([*SENTENCES, *drawn])
        wanted = training_loss(tagger, batch, TrainingConfig(method="vat", epsilon=0.3)).divergence
        assert found.divergence.item() == pytest.approx(wanted.item(), rel=1e-4)
        assert found.loss.item() == pytest.approx((found.task + 0.5 * found.divergence).item(), rel=1e-6)


class TestOpenDistillation:
    @pytest.mark.parametrize("temperature", [1.0, 3.0])
    def test_only_spans_above_the_border_are_heard(self, temperature: float):
        tagger, teacher = small_tagger().eval(), small_tagger(seed=5, hidden_size=20).eval()
        settings = {"alpha": 0.3, "alpha_warmup": 0.0, "temperature": temperature}
        batch = tagger.collate(SENTENCES)
        s, t = tagger(batch).detach(), teacher(batch).detach()
        valid = span_mask(batch.attention_mask).expand(s.shape)
        border = t[valid].median().item()
        found = step(tagger, TrainingConfig(method="open-distillation", open_above=border, **settings), teacher=teacher)
        heard = valid & (t > border)
        assert 0.4 < heard.sum() / valid.sum() < 0.6
        pair = (Bernoulli(logits=x[heard] / temperature) for x in (t, s))
        wanted = temperature**2 * kl_divergence(*pair).sum() / (s.shape[0] * s.shape[1])
        assert found.divergence.item() == pytest.approx(wanted.item(), rel=1e-4)
        assert found.loss.item() == pytest.approx((found.task + 0.3 * found.divergence).item(), rel=1e-6)

    def test_below_every_score_it_is_distillation(self):
        tagger, teacher = small_tagger().eval(), small_tagger(seed=5).eval()
        plain = step(tagger, TrainingConfig(method="distillation", alpha=1.0), teacher=teacher)
        every = TrainingConfig(method="open-distillation", open_above=-math.inf, alpha=1.0)
        low = step(tagger, every, teacher=teacher)
        assert low.loss.item() == pytest.approx(plain.loss.item(), rel=1e-6)
        with pytest.raises(ValueError, match="open_above must be a number, got nan"):
            TrainingConfig(method="open-distillation", open_above=math.nan)
