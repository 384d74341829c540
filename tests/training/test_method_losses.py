"""What each method adds to the loss of a step, by hand."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from method_cases import CONFIGS, TRAIN, gradients, loss_of, small_tagger, still_tagger
from torch import Tensor, nn
from torch.distributions import Bernoulli, kl_divergence

from gpkl_lib import multilabel_cross_entropy, span_mask, symmetric_kl
from gpkl_lib.corpora import Batch, Sentence
from gpkl_lib.tagger.tagger import Tagger
from gpkl_lib.training.loop import TrainingConfig, training_loss


def spans_of(lengths: Tensor, longest: int) -> Tensor:
    """(B, 1, L, L), True for the spans."""
    return span_mask(torch.arange(longest) < lengths[:, None])


def random_scores(*shape: int, seed: int = 0) -> Tensor:
    return 2 * torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def dense_cross_entropy(logits: Tensor, batch: Batch, mask: Tensor) -> Tensor:
    labels = torch.zeros_like(logits)
    labels[tuple(batch.positives.T)] = 1
    return multilabel_cross_entropy(logits, labels, class_dims=2, mask=mask)


@pytest.mark.parametrize("divide", ["all", "confident"])
@pytest.mark.parametrize("threshold", [0.0, 0.8])
def test_uda_is_the_kl_to_the_sharpened_target_over_sure_spans(divide: str, threshold: float):
    lengths = torch.tensor([3, 4, 3, 2])  # two labelled sentences, two copies
    logits, target = random_scores(4, 2, 4, 4), random_scores(2, 2, 3, 3, seed=1)
    batch = Batch({}, torch.arange(4) < lengths[:, None], torch.tensor([[0, 1, 0, 2], [1, 0, 3, 3]]))
    config = TrainingConfig(
        method="uda", alpha=0.7, temperature=0.4, threshold=threshold, divide=divide, alpha_warmup=0.5
    )
    found = training_loss(lambda _: logits, batch, config, 0.25, target)
    total, sure, valid = 0.0, 0, 0
    for b, length in enumerate([3, 2]):
        for h in range(2):
            for i in range(length):
                for j in range(i, length):
                    s, t, valid = logits[2 + b, h, i, j], target[b, h, i, j], valid + 1
                    p = torch.sigmoid(t)
                    if max(p, 1 - p) > threshold:
                        sure += 1
                        total += float(kl_divergence(Bernoulli(logits=t / 0.4), Bernoulli(logits=s)))
    wanted = total / 4 if divide == "all" else total / 4 * valid / sure  # 4 rows: two copies, two types
    assert found.divergence.item() == pytest.approx(wanted, rel=1e-9)
    assert found.confident.item() == pytest.approx(sure / valid)
    task = dense_cross_entropy(logits[:2], batch, spans_of(lengths[:2], 4).expand(2, 2, 4, 4))
    assert found.task.item() == pytest.approx(task.item(), rel=1e-9)
    assert found.loss.item() == pytest.approx(task.item() + 0.35 * wanted, rel=1e-9)  # alpha at half of its warm-up


@pytest.mark.parametrize(("schedule", "done"), [("linear", 0.5), ("exp", 0.9), ("log", 0.1)])
def test_annealing_leaves_out_labelled_spans_that_are_right_already(schedule: str, done: float):
    rises = {"log": 1 - math.exp(-5 * done), "linear": done, "exp": math.exp(5 * (done - 1))}
    highest = rises[schedule] / 2 + 0.5
    lengths, logits = torch.tensor([3, 4, 2]), random_scores(3, 2, 4, 4)
    batch = Batch({}, torch.arange(4) < lengths[:, None], torch.tensor([[0, 1, 0, 2], [1, 0, 3, 3], [1, 1, 0, 1]]))
    config = TrainingConfig(method="uda", annealing=schedule, threshold=0.0)
    found = training_loss(lambda _: logits, batch, config, done, random_scores(1, 2, 2, 2))
    labels = torch.zeros(2, 2, 4, 4)
    labels[tuple(batch.positives.T)] = 1
    right = torch.where(labels == 1, torch.sigmoid(logits[:2]), torch.sigmoid(-logits[:2]))
    still = spans_of(lengths[:2], 4) & (right <= highest)
    assert 0 < still.sum() < spans_of(lengths[:2], 4).expand(2, 2, 4, 4).sum()
    wanted = multilabel_cross_entropy(logits[:2], labels * still, class_dims=2, mask=still)
    assert found.task.item() == pytest.approx(wanted.item(), rel=1e-9)


@pytest.mark.parametrize("temperature", [1.0, 4.0, math.inf])
def test_distillation_is_t_squared_kl_over_spans_and_its_limit(temperature: float):
    lengths = torch.tensor([3, 4])
    logits, target = random_scores(2, 2, 4, 4), random_scores(2, 2, 4, 4, seed=1)
    batch = Batch({}, torch.arange(4) < lengths[:, None], torch.tensor([[0, 1, 0, 2]]))
    mask = spans_of(lengths, 4).expand(2, 2, 4, 4)
    found = training_loss(
        lambda _: logits,
        batch,
        TrainingConfig(method="distillation", alpha=0.3, temperature=temperature),
        1.0,
        target.masked_fill(~mask, torch.finfo(torch.float64).min),
    )
    s, t = logits[mask], target[mask]
    if temperature == math.inf:
        wanted = (s - t).square().sum() / 8 / 4
    else:
        pair = (Bernoulli(logits=x / temperature) for x in (t, s))
        wanted = temperature**2 * kl_divergence(*pair).sum() / 4
    assert found.divergence.item() == pytest.approx(wanted.item(), rel=1e-9)
    assert found.loss.item() == pytest.approx(found.task.item() + 0.3 * wanted.item(), rel=1e-9)
    assert found.task.item() == pytest.approx(dense_cross_entropy(logits, batch, mask).item(), rel=1e-9)


class Recorder:
    """A tagger that remembers what it was called with."""

    def __init__(self, tagger: Tagger) -> None:
        self.tagger, self.plain, self.moved, self.embedded = tagger, 0, list[Tensor](), list[Tensor]()

    def __call__(self, batch: Batch, embeddings: Tensor | None = None) -> Tensor:
        if embeddings is None:
            self.plain += 1
        else:
            self.moved.append(embeddings.detach())
        return self.tagger(batch, embeddings)  # type: ignore[no-any-return]

    def embed(self, batch: Batch) -> tuple[Tensor, Tensor]:
        found = self.tagger.embed(batch)
        self.embedded.append(found[0].detach())
        return found


@pytest.mark.parametrize("iterations", [1, 3])
def test_vat_moves_each_sentence_by_a_share_of_its_own_length(iterations: int):
    tagger = still_tagger()
    model, batch = Recorder(tagger), tagger.collate(TRAIN.sentences)
    config = TrainingConfig(method="vat", alpha=2.0, epsilon=0.3, power_iterations=iterations)
    found = training_loss(model, batch, config)
    assert (model.plain, len(model.moved), len(model.embedded)) == (1, iterations + 2, 1)
    x, mask = model.embedded[0], batch.attention_mask
    away = model.moved[-1] - x
    assert (away[~mask] == 0).all()
    lengths = (x * mask[..., None]).flatten(1).norm(dim=1)
    torch.testing.assert_close(away.flatten(1).norm(dim=1), 0.3 * lengths)
    torch.testing.assert_close(model.moved[0], x)
    clean, moved = (tagger(batch, at).double() for at in (x, model.moved[-1]))
    spans = span_mask(mask).expand(clean.shape)
    wanted = symmetric_kl(clean[spans], moved[spans], activation="sigmoid") / (len(batch) * len(tagger.types))
    assert found.divergence.item() == pytest.approx(wanted.item(), rel=1e-4)
    assert found.task.item() == pytest.approx(loss_of(tagger, CONFIGS["none"]).loss.item(), rel=1e-6)
    assert found.loss.item() == pytest.approx(found.task.item() + 0.5 * found.divergence.item(), rel=1e-6)


def test_vat_finds_a_worse_direction_than_chance_and_a_larger_epsilon_a_larger_divergence():
    tagger, batch = still_tagger(), None
    batch = tagger.collate(TRAIN.sentences)
    torch.manual_seed(0)
    near, far = (
        training_loss(tagger, batch, TrainingConfig(method="vat", epsilon=e)).divergence.item() for e in (0.1, 0.2)
    )
    assert far > 2 * near > 0
    x, mask = tagger.embed(batch)
    step = torch.randn_like(x) * mask[..., None]
    step *= 0.1 * ((x * mask[..., None]).flatten(1).norm(dim=1) / step.flatten(1).norm(dim=1))[:, None, None]
    with torch.no_grad():
        clean, moved = tagger(batch, x), tagger(batch, x + step)
    spans = span_mask(batch.attention_mask).expand(clean.shape)
    by_chance = symmetric_kl(clean[spans], moved[spans], activation="sigmoid") / (len(batch) * len(tagger.types))
    assert near > 2 * by_chance.item()


def test_longer_embeddings_are_no_way_out_of_vat():
    """A model that reads its embeddings at a tenth of ten times their length is the same model, and pays the same."""

    class Rescaled(nn.Module):
        def __init__(self, tagger: Tagger, factor: float) -> None:
            super().__init__()
            self.tagger, self.factor = tagger, factor

        def embed(self, batch: Batch) -> tuple[Tensor, Tensor]:
            x, mask = self.tagger.embed(batch)
            return self.factor * x, mask

        def forward(self, batch: Batch, embeddings: Tensor | None = None) -> Tensor:
            return self.tagger(batch, None if embeddings is None else embeddings / self.factor)

    tagger, found = still_tagger(), []
    for factor in (1.0, 10.0):
        torch.manual_seed(0)
        loss = training_loss(Rescaled(tagger, factor), tagger.collate(TRAIN.sentences), CONFIGS["vat"])
        found.append(loss.divergence.item())
    assert found[1] == pytest.approx(found[0], rel=1e-3)


def test_what_padding_holds_is_nothing_to_vat():
    class Littered(Recorder):
        def embed(self, batch: Batch) -> tuple[Tensor, Tensor]:
            x, mask = super().embed(batch)
            return x.masked_fill(~mask[..., None], 50.0), mask

    found = []
    for kind in (Recorder, Littered):
        torch.manual_seed(0)
        tagger = still_tagger()
        found.append(training_loss(kind(tagger), tagger.collate(TRAIN.sentences), CONFIGS["vat"]).loss)
    torch.testing.assert_close(*found)


def test_vat_sees_no_difference_that_dropout_makes():
    tagger = small_tagger(dropout=0.5, word_dropout=0.5)
    config = replace(CONFIGS["vat"], epsilon=1e-4)
    assert 0 <= loss_of(tagger, config).divergence.item() < 1e-6
    assert loss_of(tagger, CONFIGS["sigmoid"]).divergence.item() > 1e-2


def test_vat_teaches_the_embeddings_too_and_collects_no_gradient_by_itself():
    tagger = still_tagger()
    loss = loss_of(tagger, CONFIGS["vat"])
    assert all(parameter.grad is None for parameter in tagger.parameters())
    found = gradients(tagger, loss.divergence)
    assert all(gradient.isfinite().all() for gradient in found)
    assert any(
        (g != 0).any() for g, p in zip(found, tagger.parameters(), strict=True) if p is tagger.encoder.words.weight
    )


def test_without_words_there_is_nothing_to_move():
    tagger = still_tagger()
    found = training_loss(tagger, tagger.collate([Sentence(()), Sentence(())]), CONFIGS["vat"])
    assert found.divergence.item() == 0
    assert all(g.isfinite().all() for g in gradients(tagger, found.loss))
