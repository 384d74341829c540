"""Losses that ask two outputs of a model to agree: R-Drop, unsupervised data augmentation, distillation.

All take logits and a smooth decision f ("sigmoid": GlobalPointer, each span on its own; "softmax": a classifier). The
one that goes looking for its second output, virtual adversarial training, is in `gpkl_lib.adversarial`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Literal, NamedTuple

import torch
from torch import Tensor

from gpkl_lib._checks import (
    at_least_float32,
    check_floating,
    check_reduction,
    check_same_shape,
    check_temperature,
    expand_mask,
    reduce,
)
from gpkl_lib.divergence import Activation, kl_divergence, symmetric_kl

Decision = Literal["softmax", "sigmoid"]


class ConsistencyLoss(NamedTuple):
    """The loss of a step of training and its parts for the log: `loss` = `task` + weight * `divergence`."""

    loss: Tensor
    task: Tensor
    divergence: Tensor


def doubled(batch: Tensor) -> Tensor:
    """The batch followed by itself, (B, ...) -> (2B, ...), so that one forward pass gives both dropout views."""
    return torch.cat([batch, batch])


def two_views(output: Tensor) -> tuple[Tensor, Tensor]:
    """The two halves of a model's output for a batch `doubled`: (2B, ...) -> two of (B, ...).

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
        ValueError: alpha negative or not finite, shapes differ, reduction "none", task_loss no scalar; else as
            `symmetric_kl`.

    Source: eq-rdrop in the chapter "R-Drop: two views of one sentence"; Liang et al. 2021, equation 4.
    """
    if not 0 <= alpha < float("inf"):
        raise ValueError(f"alpha must be finite and not negative, got {alpha}")
    _check_sides(input, "other", other)
    if reduction == "none":
        raise ValueError('reduction "none" has no scalar loss; use "sum", "mean" or "batchmean"')
    task = (task_loss(input) + task_loss(other)) / 2
    if task.ndim:
        raise ValueError(f"task_loss must return a scalar, got shape {tuple(task.shape)}")
    divergence = symmetric_kl(
        input, other, activation=activation, dim=dim, temperature=temperature, mask=mask, reduction=reduction
    )
    return ConsistencyLoss(task + alpha / 4 * divergence, task, divergence)


def _check_sides(input: Tensor, name: str, value: Tensor) -> None:
    """Raise unless both are floating point and of one shape; `name` is what the caller's argument is called."""
    check_floating("input", input)
    check_floating(name, value)
    check_same_shape(name, value, input)


class MaskedLoss(NamedTuple):
    """A loss over the distributions that the target is sure of, and their share of the valid ones."""

    loss: Tensor
    confident: Tensor


def uda_loss(
    input: Tensor,
    target: Tensor,
    *,
    activation: Decision = "sigmoid",
    dim: int = -1,
    mask: Tensor | None = None,
    temperature: float = 1.0,
    threshold: float = 0.0,
    reduction: str = "mean",
) -> MaskedLoss:
    """KL(f(t / T) || f(s)) where the model is sure of t: what it says of a sentence, asked of an augmented copy.

    The target is a fixed one: detached, and sharpened by T alone; the gradient goes to `input`. t / T is rounded to the
    dtype first: the loss is exact for a target that differs by half a unit in its last place. The model is sure of t
    where its largest probability, before T, is above the threshold: of a row of classes (softmax), or of a single span
    (sigmoid), where it is the larger of sigma(t) and 1 - sigma(t).

    Args:
        input: logits s of the augmented sentences.
        target: logits t of the sentences themselves, same shape.
        activation, dim, mask: those of `kl_divergence`.
        temperature: T > 0 of the target; below 1 it sharpens (the paper: 0.4).
        threshold: in [0, 1); 0 keeps everything (with sigmoid, all below 0.5 do).
        reduction: "mean" divides by all valid distributions, as the authors' code does, so that few sure ones weigh
            little; "mean_confident" by the sure ones; "sum", "batchmean", "none" as `kl_divergence`.

    Returns:
        MaskedLoss(loss, confident); nothing sure gives 0 and no gradient.

    Raises:
        ValueError: threshold outside [0, 1); else as `kl_divergence`.

    Source: Xie et al. 2020, equation 1 and section 3.3, with each span's own decision for GlobalPointer.
    """
    _check_sides(input, "target", target)
    check_temperature(temperature)
    if not 0 <= threshold < 1:
        raise ValueError(f"threshold must lie in [0, 1), got {threshold}")
    mask = expand_mask(mask, input)
    valid = torch.ones_like(input, dtype=torch.bool) if mask is None else mask
    sure = valid & (_confidence(target.detach(), activation, dim, mask) > threshold)
    share = sure if activation == "sigmoid" else sure.any(dim)
    of = valid if activation == "sigmoid" else valid.any(dim)
    sharp = at_least_float32(target.detach()) / temperature
    terms = kl_divergence(
        sharp,
        at_least_float32(input),
        activation=activation,
        dim=dim,
        mask=sure,
        reduction="sum" if reduction in ("mean", "mean_confident") else reduction,
    )
    if reduction in ("mean", "mean_confident"):
        terms = terms / (of if reduction == "mean" else share).sum().clamp(min=1)
    return MaskedLoss(terms, share.sum() / of.sum().clamp(min=1))


def _confidence(logits: Tensor, activation: str, dim: int, mask: Tensor | None) -> Tensor:
    """The largest probability of each distribution, on every cell that belongs to it."""
    if activation != "softmax":
        return torch.sigmoid(at_least_float32(logits).abs())
    x = at_least_float32(logits)
    if not x.numel():  # no class, no largest
        return x
    x = x if mask is None else x.masked_fill(~mask, torch.finfo(x.dtype).min)
    return torch.softmax(x, dim).amax(dim, keepdim=True).expand(logits.shape)


def annealing_threshold(progress: float, *, classes: int = 2, schedule: str = "linear") -> float:
    """The highest probability that a labelled example may give its own label and still train: 1/K at first, 1 at last.

    Args:
        progress: share of the training that is done, in [0, 1].
        classes: K; 2 for the spans of GlobalPointer.
        schedule: "log" releases the signal early, "linear" evenly, "exp" late.

    Raises:
        ValueError: progress outside [0, 1], classes below 2, an unknown schedule.

    Source: Xie et al. 2020, training signal annealing, section 3.3.
    """
    if not 0 <= progress <= 1:
        raise ValueError(f"progress must lie in [0, 1], got {progress}")
    if classes < 2:
        raise ValueError(f"classes must be at least 2, got {classes}")
    rises = {"log": 1 - math.exp(-5 * progress), "linear": progress, "exp": math.exp(5 * (progress - 1))}
    if schedule not in rises:
        raise ValueError(f"schedule must be one of {', '.join(rises)}, got {schedule!r}")
    return rises[schedule] * (1 - 1 / classes) + 1 / classes


def distillation_loss(
    input: Tensor,
    teacher: Tensor,
    *,
    activation: Decision = "sigmoid",
    dim: int = -1,
    mask: Tensor | None = None,
    temperature: float = 1.0,
    symmetric: bool = False,
    reduction: str = "batchmean",
) -> Tensor:
    """T^2 KL(f(t/T) || f(s/T)) for a student's logits s and a teacher's t; T^2 keeps the gradient's size as T grows.

    The teacher is detached. As T goes to infinity this becomes a squared error on the logits: sum (s - t)^2 / 8 for
    sigmoid, and for softmax over n classes sum (s - t - mean(s - t))^2 / (2n); twice that where `symmetric`. That is
    what temperature=inf computes.

    Args:
        input: the student's logits s.
        teacher: the teacher's logits t, same shape.
        symmetric: T^2 D(s/T, t/T), the divergence both ways, for Hinton's one-sided form.
        temperature: T of both sides; math.inf for the limit.
        activation, dim, mask, reduction: those of `kl_divergence`.

    Returns:
        A scalar, or the terms; nats times T^2.

    Raises:
        As `kl_divergence`.

    Source: Hinton et al. 2015, section 2, less the teacher's entropy, which the student cannot change; Su 2022.
    """
    _check_sides(input, "teacher", teacher)
    divergence = symmetric_kl if symmetric else kl_divergence
    if temperature == math.inf:
        return (1 + symmetric) * _squared_error(input, teacher.detach(), activation, dim, mask, reduction)
    found = divergence(
        teacher.detach(), input, activation=activation, dim=dim, mask=mask, temperature=temperature, reduction=reduction
    )
    return temperature**2 * found


def _squared_error(
    input: Tensor, teacher: Tensor, activation: str, dim: int, mask: Tensor | None, reduction: str
) -> Tensor:
    """lim T^2 KL(f(t/T) || f(s/T)): f is (1/2 + x/4T) for sigmoid, and (1 + (x - mean x)/T)/n for softmax."""
    if activation not in ("sigmoid", "softmax"):
        raise ValueError(f'activation must be "softmax" or "sigmoid", got {activation!r}')
    check_reduction(reduction)
    mask = expand_mask(mask, input)
    valid = torch.ones_like(input, dtype=torch.bool) if mask is None else mask
    gap = at_least_float32(input).masked_fill(~valid, 0) - at_least_float32(teacher).masked_fill(~valid, 0)
    if activation == "sigmoid":
        terms, distributions = gap.square() / 8, valid
    else:
        count = valid.sum(dim, keepdim=True).clamp(min=1)
        terms = ((gap - gap.sum(dim, keepdim=True) / count).square() / (2 * count)).masked_fill(~valid, 0)
        distributions = valid.any(dim)
    return terms.sum() / distributions.sum().clamp(min=1) if reduction == "mean" else reduce(terms, reduction)
