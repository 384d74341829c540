"""Losses that ask a model for what a fixed target says, in tiles: the scores of neither are ever there all at once.

Notation: B sentences, H types, L tokens, d features; the target may have another d.
"""

from __future__ import annotations

import math
from functools import partial

from torch import Tensor

from gpkl_lib._checks import check_temperature
from gpkl_lib.consistency import ConsistencyLoss, MaskedLoss
from gpkl_lib.global_pointer import token_mask
from gpkl_lib.tiled.batch import Loss
from gpkl_lib.tiled.checks import check_positives, check_projection, check_target
from gpkl_lib.tiled.divergences import Augmentation, Distillation, Sigmoid
from gpkl_lib.tiled.function import loss_of_projections
from gpkl_lib.tiled.groups import BLOCK


def tiled_distillation_loss(
    query: Tensor,
    key: Tensor,
    teacher_query: Tensor,
    teacher_key: Tensor,
    positives: Tensor,
    *,
    alpha: float,
    attention_mask: Tensor | None = None,
    temperature: float = 1.0,
    above: float = -math.inf,
    block: int = BLOCK,
) -> ConsistencyLoss:
    """Cross-entropy of all spans, and alpha times T^2 KL(sigmoid(t/T) || sigmoid(s/T)) from a teacher's scores t.

    Equal to `sparse_multilabel_cross_entropy` on the scores s = q_i . k_j plus alpha times `distillation_loss` with
    activation "sigmoid" and reduction "rowmean", each row being the spans of one type in one sentence.

    Args:
        query, key, positives, attention_mask, block: those of `tiled_span_loss`, of one view.
        teacher_query, teacher_key: (B, H, L, d) of the teacher, its types in the order of `query`'s; detached.
        alpha: weight >= 0 of the divergence.
        temperature: T of both sides; math.inf for the limit, a squared error on the scores.
        above: spans count in the divergence that the teacher scores above it; by default all.

    Returns:
        ConsistencyLoss(loss, task, divergence), scalars in nats; `loss` carries gradient to `query` and `key`.

    Raises:
        As `tiled_span_loss`; ValueError: a target of another shape, a temperature out of range.

    Example:
        >>> query, key, teacher_query, teacher_key = torch.randn(4, 1, 3, 50, 8, requires_grad=True)
        >>> cells = gold_cells([[("PER", 4, 6)]], ["PER", "LOC", "ORG"])
        >>> found = tiled_distillation_loss(query, key, teacher_query, teacher_key, cells, alpha=1.0, temperature=2.0)
        >>> options = {"activation": "sigmoid", "class_dims": 2, "mask": span_mask(torch.ones(1, 50))}
        >>> dense = distillation_loss(query @ key.mT, teacher_query @ teacher_key.mT, temperature=2.0, **options)
        >>> torch.allclose(found.divergence, dense)
        True

    Source: Hinton et al. 2015, as `distillation_loss`.
    """
    real = _check(query, key, (teacher_query, teacher_key), "teacher", alpha, attention_mask, block)
    check_positives(positives, (len(real), *query.shape[1:3]), real)
    if temperature != math.inf:
        check_temperature(temperature)
    what = Loss(positives, partial(Distillation, temperature=temperature, above=above), alpha)
    loss, sums = loss_of_projections(query, key, real, what, block, (teacher_query.detach(), teacher_key.detach()))
    return ConsistencyLoss(loss, sums.task, sums.divergence)


def tiled_uda_loss(
    query: Tensor,
    key: Tensor,
    target_query: Tensor,
    target_key: Tensor,
    *,
    attention_mask: Tensor | None = None,
    temperature: float = 1.0,
    threshold: float = 0.0,
    block: int = BLOCK,
) -> MaskedLoss:
    """KL(sigmoid(t / T) || sigmoid(s)) of each span of which the model is sure, from the scores t of a fixed target.

    Equal to `uda_loss` with activation "sigmoid" and reduction "rowmean", each row being the spans of one type in one
    sentence. Over `confident` it is the mean over sure spans alone, times the mean number of spans in a row.

    Args:
        query, key, attention_mask, block: those of `tiled_span_loss`, of the altered sentences.
        target_query, target_key: (B, H, L, d) of the sentences themselves; detached.
        temperature: T > 0 of the target; below 1 it sharpens.
        threshold: in [0, 1); the model is sure where its own decision has, before T, a higher probability.

    Returns:
        MaskedLoss(loss, confident): nats; the share of spans that it is sure of. `loss` carries gradient to `query` and
        `key`.

    Raises:
        As `tiled_span_loss`; ValueError: a target of another shape, temperature or threshold out of range.

    Example:
        >>> query, key, target_query, target_key = torch.randn(4, 1, 3, 50, 8, requires_grad=True)
        >>> found = tiled_uda_loss(query, key, target_query, target_key, temperature=0.4, threshold=0.9)
        >>> bool(0 < found.confident < 1)
        True

    Source: Xie et al. 2020, as `uda_loss`.
    """
    real = _check(query, key, (target_query, target_key), "target", 0.0, attention_mask, block)
    check_temperature(temperature)
    if not 0 <= threshold < 1:
        raise ValueError(f"threshold must lie in [0, 1), got {threshold}")
    what = Loss(None, partial(Augmentation, temperature=temperature, threshold=threshold), 1.0)
    loss, sums = loss_of_projections(query, key, real, what, block, (target_query.detach(), target_key.detach()))
    tokens = real.sum(1)
    spans = query.shape[1] * (tokens * (tokens + 1) // 2).sum()
    return MaskedLoss(loss, sums.counted.to(loss.dtype) / spans.clamp(min=1))


def tiled_symmetric_kl(
    query: Tensor,
    key: Tensor,
    target_query: Tensor,
    target_key: Tensor,
    *,
    attention_mask: Tensor | None = None,
    block: int = BLOCK,
) -> Tensor:
    """The symmetric KL of each span's decision, sigmoid(s) against sigmoid(t) of a fixed target, as VAT asks for it.

    Equal to `symmetric_kl` of the scores with activation "sigmoid" and reduction "rowmean", each row being the spans
    of one type in one sentence, the target being detached.

    Args:
        query, key, attention_mask, block: those of `tiled_span_loss`, of one view.
        target_query, target_key: (B, H, L, d) of the other side; detached.

    Returns:
        A scalar, nats, that carries gradient to `query` and `key`.

    Raises:
        As `tiled_span_loss`; ValueError: a target of another shape.

    Example:
        >>> query, key, other_query, other_key = torch.randn(4, 1, 3, 50, 8)
        >>> found = tiled_symmetric_kl(query, key, other_query, other_key)
        >>> options = {"class_dims": 2, "mask": span_mask(torch.ones(1, 50)), "reduction": "rowmean"}
        >>> dense = symmetric_kl(query @ key.mT, other_query @ other_key.mT, activation="sigmoid", **options)
        >>> torch.allclose(found, dense)
        True

    Source: eq-symmetric-kl-sigmoid.
    """
    real = _check(query, key, (target_query, target_key), "target", 0.0, attention_mask, block)
    what = Loss(None, Sigmoid, 1.0)
    return loss_of_projections(query, key, real, what, block, (target_query.detach(), target_key.detach()))[0]


def _check(
    query: Tensor,
    key: Tensor,
    target: tuple[Tensor, Tensor],
    name: str,
    alpha: float,
    attention_mask: Tensor | None,
    block: int,
) -> Tensor:
    """Raise TypeError or ValueError unless all fits; return the mask (B, L) of real tokens."""
    batch = check_projection(query, key, 1, alpha, block)
    check_target(*target, name, query)
    return token_mask(attention_mask, (batch, query.shape[2]), query.device)
