"""Losses that ask two outputs of a model to agree. (R-Drop; the divergence is `symmetric_kl`.)"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from gpkl_lib._checks import check_same_shape
from gpkl_lib.divergence import Activation, symmetric_kl


class ConsistencyLoss(NamedTuple):
    """What a step of training needs and what its log wants: `loss` = `task` + weight * `divergence`."""

    loss: Tensor
    task: Tensor
    divergence: Tensor


def doubled(batch: Tensor) -> Tensor:
    """(B, ...) -> (2B, ...): the batch followed by itself, so that one forward pass gives both dropout views."""
    return torch.cat([batch, batch])


def two_views(output: Tensor) -> tuple[Tensor, Tensor]:
    """(2B, ...) -> two of (B, ...): undo `doubled` on the model's output.

    Raises:
        ValueError: the batch is odd.
    """
    if output.shape[0] % 2:
        raise ValueError(f"two views need an even batch, got {output.shape[0]} rows; double the batch with `doubled`")
    half = output.shape[0] // 2
    return output[:half], output[half:]


def rdrop_loss(
    input: Tensor,
    other: Tensor,
    task_loss: Callable[[Tensor], Tensor],
    *,
    alpha: float,
    activation: Activation = "sigmoid",
    dim: int = -1,
    mask: Tensor | None = None,
    temperature: float = 1.0,
    reduction: str = "batchmean",
) -> ConsistencyLoss:
    """(task(s) + task(t)) / 2 + alpha/4 * D(s, t) for the logits s, t of two dropout views.

    alpha is the paper's: it adds up CE(s) + CE(t) + alpha/2 (KL + KL), and this is half of that. Nothing is detached.
    For GlobalPointer pass logits as (batch * types, L, L): the divergence, like the cross-entropy, is then summed over
    the spans of each type and averaged over types and sentences, and longer sentences dilute nothing.

    Args:
        input: logits s of the first view, rows first.
        other: logits t of the second view, same shape and order of rows.
        task_loss: gives the supervised loss, a scalar, from the logits of one view.
        alpha: weight >= 0; 0 leaves the mean task loss (its divergence is still reported).
        activation, dim, mask, temperature, reduction: those of `symmetric_kl`.

    Returns:
        ConsistencyLoss(loss, task, divergence), scalars; `divergence` is D before alpha/4.

    Raises:
        ValueError: alpha negative or not finite, shapes differ, reduction "none"; else as `symmetric_kl`.

    Source: eq-rdrop in the chapter "R-Drop: two views of one sentence"; Liang et al. 2021, equation 4.
    """
    if not 0 <= alpha < float("inf"):
        raise ValueError(f"alpha must be finite and not negative, got {alpha}")
    check_same_shape("other", other, input)
    if reduction == "none":
        raise ValueError('reduction "none" has no scalar loss; use "sum", "mean" or "batchmean"')
    task = (task_loss(input) + task_loss(other)) / 2
    divergence = symmetric_kl(
        input, other, activation=activation, dim=dim, temperature=temperature, mask=mask, reduction=reduction
    )
    return ConsistencyLoss(task + alpha / 4 * divergence, task, divergence)
