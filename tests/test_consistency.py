"""R-Drop, against the paper's formula written out."""

from __future__ import annotations

import math
from functools import partial

import pytest
import torch
from torch import Tensor, nn
from torch.distributions import Bernoulli, Categorical, kl_divergence

from gpkl_lib import multilabel_cross_entropy, rdrop_loss
from gpkl_lib.consistency import doubled, two_views


def views(*shape: int) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    s, t = (torch.randn(*shape, generator=generator, dtype=torch.float64) * 2 for _ in range(2))
    return s.requires_grad_(), t.requires_grad_()


def test_it_is_half_of_the_paper_s_sum_for_classification() -> None:
    s, t = views(6, 4)
    labels = torch.tensor([0, 1, 2, 3, 0, 1])
    p, q = Categorical(logits=s), Categorical(logits=t)
    ce = -p.log_prob(labels) - q.log_prob(labels)
    for alpha in (0.0, 1.0, 5.0):
        paper = (ce + alpha / 2 * (kl_divergence(p, q) + kl_divergence(q, p))).mean()
        found = rdrop_loss(s, t, lambda x: nn.functional.cross_entropy(x, labels), alpha=alpha, activation="softmax")
        torch.testing.assert_close(found.loss, paper / 2)
        torch.testing.assert_close(found.task, ce.mean() / 2)
        torch.testing.assert_close(found.loss, found.task + alpha / 4 * found.divergence)
        for view in (s, t):
            ours, theirs = (torch.autograd.grad(x, view, retain_graph=True)[0] for x in (found.loss, paper / 2))
            torch.testing.assert_close(ours, theirs)


def test_for_global_pointer_it_adds_up_the_spans_and_averages_types_and_sentences() -> None:
    s, t = views(3, 2, 4, 4)  # (batch, types, L, L)
    mask = torch.ones(4, 4, dtype=torch.bool).triu()
    gold = torch.zeros(3, 2, 4, 4)
    gold[0, 1, 0, 2] = gold[2, 1, 3, 3] = 1

    def task(x: Tensor) -> Tensor:
        return multilabel_cross_entropy(x, gold, class_dims=2, mask=mask)

    p, q = Bernoulli(logits=s), Bernoulli(logits=t)
    both = kl_divergence(p, q) + kl_divergence(q, p)
    truth = torch.stack([both[b, h][mask].sum() for b in range(3) for h in range(2)]).mean()
    found = rdrop_loss(s, t, task, alpha=3.0, activation="sigmoid", class_dims=2, mask=mask)
    torch.testing.assert_close(found.divergence, truth)
    torch.testing.assert_close(found.loss, (task(s) + task(t)) / 2 + 3 / 4 * truth)


def test_both_views_receive_gradient_of_the_divergence() -> None:
    s, t = views(3, 5)
    found = rdrop_loss(s, t, lambda x: 0 * x.sum(), alpha=4.0, activation="sigmoid", reduction="sum")
    assert found.divergence.requires_grad
    p, q = torch.sigmoid(s), torch.sigmoid(t)
    for side, other, own in ((s, q - p, p), (t, p - q, q)):
        (gradient,) = torch.autograd.grad(found.loss, side, retain_graph=True)
        torch.testing.assert_close(gradient, own * (1 - own) * (s - t if side is s else t - s) - other)


def test_more_classes_longer_sentences_or_a_doubled_batch_dilute_nothing() -> None:
    """With a mean over rows and classes the divergence shrinks against the task loss: C times, over spans L^2 times."""
    s, t = views(4, 5, 5)

    def divergence(s: Tensor, t: Tensor, activation: str) -> Tensor:
        flat_s, flat_t = s.flatten(1), t.flatten(1)
        return rdrop_loss(flat_s, flat_t, Tensor.sum, alpha=1.0, activation=activation).divergence

    for activation in ("softmax", "sigmoid"):
        once = divergence(s, t, activation)
        longer = [nn.functional.pad(x, (0, 15, 0, 15), value=-80.0) for x in (s, t)]  # more spans that never score
        torch.testing.assert_close(divergence(*longer, activation), once)
        torch.testing.assert_close(divergence(doubled(s), doubled(t), activation), once)


def test_views_come_back_in_the_order_they_went_in() -> None:
    batch = torch.arange(6.0).view(3, 2)
    first, second = two_views(doubled(batch))
    assert torch.equal(first, batch)
    assert torch.equal(second, batch)
    torch.manual_seed(0)
    first, second = two_views(nn.Dropout(0.5)(doubled(torch.ones(50, 8))))
    assert first.shape == second.shape == (50, 8)
    assert not torch.equal(first, second)
    empty = two_views(torch.zeros(0, 4))
    assert [x.shape for x in empty] == [(0, 4), (0, 4)]


def test_an_odd_batch_is_refused() -> None:
    with pytest.raises(ValueError, match="two views need an even batch, got 5 rows"):
        two_views(torch.zeros(5, 2))


def test_wrong_arguments_are_refused() -> None:
    s, t = views(2, 3)
    loss = partial(rdrop_loss, activation="sigmoid")
    for alpha in (-1.0, math.nan, math.inf):
        with pytest.raises(ValueError, match=f"alpha must be finite and not negative, got {alpha}"):
            loss(s, t, Tensor.sum, alpha=alpha)
    for number in ("4", torch.tensor(4.0), None):
        with pytest.raises(TypeError, match=f"alpha must be a number, got {type(number).__name__}"):
            loss(s, t, Tensor.sum, alpha=number)
    with pytest.raises(TypeError, match="temperature must be a number, got str"):
        loss(s, t, Tensor.sum, alpha=1.0, temperature="2")
    with pytest.raises(ValueError, match='reduction "none" has no scalar loss'):
        loss(s, t, Tensor.sum, alpha=1.0, reduction="none")
    with pytest.raises(ValueError, match=r"other must have the shape of input, \(2, 3\), got \(1, 3\)"):
        loss(s, t[:1], Tensor.sum, alpha=1.0)
    with pytest.raises(TypeError, match=r"other must be floating point, got dtype torch.int64"):
        loss(s, t.long(), Tensor.sum, alpha=1.0)
    with pytest.raises(ValueError, match=r"task_loss must return a scalar, got shape \(2,\)"):
        loss(s, t, lambda view: view.sum(-1), alpha=1.0)
    with pytest.raises(TypeError, match=r"the value of task_loss must be a torch.Tensor, got float"):
        loss(s, t, lambda view: 1.0, alpha=1.0)
    with pytest.raises(TypeError, match="task_loss must be a function of the logits of one view, got Tensor"):
        loss(s, t, s.sum(), alpha=1.0)
    with pytest.raises(TypeError, match="activation"):
        rdrop_loss(s, t, Tensor.sum, alpha=1.0)
