"""Losses that ask two outputs of a model to agree: R-Drop, unsupervised data augmentation, distillation.

All take logits and a smooth decision f ("sigmoid": GlobalPointer, each span on its own; "softmax": a classifier), which
has no default: one of the two would be wrong in silence. All are a mean over rows unless said, as the cross-entropy
beside them is. The one that goes looking for its second output, virtual adversarial training, is in
`gpkl_lib.adversarial`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Literal, NamedTuple

import torch
from torch import Tensor

from gpkl_lib._checks import (
    Reduction,
    at_least_float32,
    check_class_dims,
    check_floating,
    check_number,
    check_reduction,
    check_same_shape,
    check_temperature,
    check_tensor,
    check_weight,
    expand_mask,
)
from gpkl_lib.divergence import Activation, Decision, kl_divergence, reduce_terms, symmetric_kl


class ConsistencyLoss(NamedTuple):
    """The loss of a step of training and its parts for the log: `loss` = `task` + weight * `divergence`."""

    loss: Tensor
    task: Tensor
    divergence: Tensor


def doubled(batch: Tensor) -> Tensor:
    """The batch followed by itself, so that one forward pass gives both dropout views; `two_views` takes it apart.

    Args:
        batch: (B, ...), any tensor of it: tokens, attention_mask.

    Returns:
        (2B, ...), all sentences and then all of them again. (Not sentence by sentence, as repeat_interleave has it.)

    Raises:
        TypeError: batch is no tensor.

    Example:
        >>> doubled(torch.tensor([[1, 2], [3, 4]]))
        tensor([[1, 2],
                [3, 4],
                [1, 2],
                [3, 4]])
    """
    check_tensor("batch", batch)
    if not batch.ndim:
        raise ValueError("batch must have a first dimension, its rows, got a single number")
    return torch.cat([batch, batch])


def two_views(output: Tensor) -> tuple[Tensor, Tensor]:
    """The two halves of a model's output for a batch that was `doubled`.

    Args:
        output: (2B, ...), view after view.

    Returns:
        Two views (B, ...), no copies.

    Raises:
        TypeError: output is no tensor.
        ValueError: the batch is odd.

    Example:
        >>> first, second = two_views(torch.nn.functional.dropout(doubled(torch.ones(8, 768)), 0.1))
        >>> first.shape, torch.equal(first, second)
        (torch.Size([8, 768]), False)
    """
    check_tensor("output", output)
    if not output.ndim:
        raise ValueError("output must have a first dimension, its rows, got a single number")
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
    activation: Activation,
    class_dims: int | None = None,
    mask: Tensor | None = None,
    temperature: float = 1.0,
    reduction: Reduction = "rowmean",
) -> ConsistencyLoss:
    """(task(s) + task(t)) / 2 + alpha/4 * D(s, t) for the logits s, t of two dropout views, D a mean over rows.

    alpha is the paper's: it adds up CE(s) + CE(t) + alpha/2 (KL + KL), and this is half of that. Nothing is detached.
    For GlobalPointer, logits (batch, types, L, L) with class_dims=2, the divergence, like the cross-entropy, is summed
    over the spans of each type and averaged over types and sentences, and longer sentences dilute nothing;
    `gpkl_lib.global_pointer_rdrop_loss` is the whole of it in one call. For a classifier of tokens, logits
    (batch, L, tags), reduction="mean" leaves padding out of the mean.

    Args:
        input: logits s of the first view, rows first.
        other: logits t of the second view, same shape and order of rows.
        task_loss: gives the supervised loss, a scalar, from the logits of one view.
        alpha: weight >= 0; 0 leaves the mean task loss (its divergence is still reported).
        activation, mask, temperature, reduction: those of `symmetric_kl`; activation has no default.
        class_dims: that of `symmetric_kl`; may be left out for (rows, classes) alone.

    Returns:
        ConsistencyLoss(loss, task, divergence), scalars; `divergence` is D before alpha/4.

    Raises:
        TypeError: alpha no number, task_loss no function of a tensor that gives one; else as `symmetric_kl`.
        ValueError: alpha negative or not finite, shapes differ, reduction "none", task_loss no scalar, class_dims left
            out for more than two dimensions; else as `symmetric_kl`.

    Example:
        >>> s, t = torch.tensor([[2.0, 0.0, -1.0]]), torch.tensor([[1.0, 0.5, -1.0]])  # of one text, 3 classes
        >>> right = torch.tensor([0])
        >>> cross_entropy = lambda logits: torch.nn.functional.cross_entropy(logits, right)
        >>> loss, task, divergence = rdrop_loss(s, t, cross_entropy, alpha=4.0, activation="softmax")
        >>> loss, task, divergence
        (tensor(0.7491), tensor(0.3624), tensor(0.3867))

    Source: eq-rdrop in the chapter "R-Drop: two views of one sentence"; Liang et al. 2021, equation 4.
    """
    check_weight("alpha", alpha)
    if not callable(task_loss):
        raise TypeError(f"task_loss must be a function of the logits of one view, got {type(task_loss).__name__}")
    _check_sides(input, "other", other)
    class_dims = check_class_dims(input, class_dims, per_row=True)
    if reduction == "none":
        raise ValueError('reduction "none" has no scalar loss; use "rowmean", "sum", "mean" or "batchmean"')
    task = (task_loss(input) + task_loss(other)) / 2
    check_tensor("the value of task_loss", task)
    if task.ndim:
        raise ValueError(f"task_loss must return a scalar, got shape {tuple(task.shape)}")
    divergence = symmetric_kl(
        input,
        other,
        activation=activation,
        class_dims=class_dims,
        temperature=temperature,
        mask=mask,
        reduction=reduction,
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
    activation: Decision,
    class_dims: int | None = None,
    mask: Tensor | None = None,
    temperature: float = 1.0,
    threshold: float = 0.0,
    reduction: Reduction | Literal["mean_confident"] = "rowmean",
) -> MaskedLoss:
    """KL(f(t / T) || f(s)) where the model is sure of t, a mean over rows: a sentence's answer, asked of a copy.

    The target is a fixed one: detached, and sharpened by T alone; the gradient goes to `input`. t / T is rounded to the
    dtype first: the loss is exact for a target that differs by half a unit in its last place. The model is sure of t
    where its largest probability, before T, is above the threshold: of a row of classes (softmax), or of a single span
    (sigmoid), where it is the larger of sigma(t) and 1 - sigma(t).

    Args:
        input: logits s of the augmented sentences.
        target: logits t of the sentences themselves, same shape.
        activation, mask: those of `kl_divergence`; activation has no default.
        class_dims: that of `kl_divergence`; may be left out for (rows, classes) alone.
        temperature: T > 0 of the target; below 1 it sharpens (the paper: 0.4).
        threshold: in [0, 1); 0 keeps everything (with sigmoid, all below 0.5 do).
        reduction: "mean" divides by all valid distributions, as the authors' code does, so that few sure ones weigh
            little; "mean_confident" by the sure ones; the others as `kl_divergence`.

    Returns:
        MaskedLoss(loss, confident); nothing sure gives 0 and no gradient.

    Raises:
        TypeError: threshold no number; else as `kl_divergence`.
        ValueError: threshold outside [0, 1), class_dims left out for more than two dimensions; else as `kl_divergence`.

    Example:
        >>> copies, sentences = torch.tensor([[1.0, -1.0], [0.5, 3.0]]), torch.tensor([[4.0, -5.0], [0.1, 6.0]])
        >>> uda_loss(copies, sentences, activation="sigmoid", temperature=0.4, threshold=0.8)
        MaskedLoss(loss=tensor(0.3373), confident=tensor(0.7500))

    Source: Xie et al. 2020, equation 1 and section 3.3, with each span's own decision for GlobalPointer.
    """
    _check_sides(input, "target", target)
    check_temperature(temperature)
    check_number("threshold", threshold)
    if not 0 <= threshold < 1:
        raise ValueError(f"threshold must lie in [0, 1), got {threshold}")
    class_dims = check_class_dims(input, class_dims, per_row=True)
    mask = expand_mask(mask, input)
    valid = torch.ones_like(input, dtype=torch.bool) if mask is None else mask
    sure = valid & (_confidence(target.detach(), activation, class_dims, mask) > threshold)
    share = sure if activation == "sigmoid" else sure.flatten(-class_dims).any(-1)
    of = valid if activation == "sigmoid" else valid.flatten(-class_dims).any(-1)
    sharp = at_least_float32(target.detach()) / temperature
    terms = kl_divergence(
        sharp,
        at_least_float32(input),
        activation=activation,
        class_dims=class_dims,
        mask=sure,
        reduction="sum" if reduction == "mean" or reduction == "mean_confident" else reduction,
    )
    if reduction in ("mean", "mean_confident"):
        terms = terms / (of if reduction == "mean" else share).sum().clamp(min=1)
    return MaskedLoss(terms, share.sum() / of.sum().clamp(min=1))


def _confidence(logits: Tensor, activation: Decision, class_dims: int, mask: Tensor | None) -> Tensor:
    """The largest probability of each distribution, on every cell that belongs to it."""
    if activation != "softmax":
        return torch.sigmoid(at_least_float32(logits).abs())
    x = at_least_float32(logits)
    if not x.numel():  # no class, no largest
        return x
    x = (x if mask is None else x.masked_fill(~mask, torch.finfo(x.dtype).min)).flatten(-class_dims)
    return torch.softmax(x, -1).amax(-1, keepdim=True).expand(x.shape).reshape(logits.shape)


def annealing_threshold(
    progress: float, *, classes: int = 2, schedule: Literal["log", "linear", "exp"] = "linear"
) -> float:
    """The highest probability that a labelled example may give its own label and still train: 1/K at first, 1 at last.

    Args:
        progress: share of the training that is done, in [0, 1].
        classes: K; 2 for the spans of GlobalPointer.
        schedule: "log" releases the signal early, "linear" evenly, "exp" late.

    Raises:
        TypeError: progress or classes no number.
        ValueError: progress outside [0, 1], classes below 2, an unknown schedule.

    Example:
        >>> [round(annealing_threshold(done, schedule="exp"), 3) for done in (0.0, 0.5, 1.0)]
        [0.503, 0.541, 1.0]

    Source: Xie et al. 2020, training signal annealing, section 3.3.
    """
    check_number("progress", progress)
    check_number("classes", classes)
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
    activation: Decision,
    class_dims: int | None = None,
    mask: Tensor | None = None,
    temperature: float = 1.0,
    symmetric: bool = False,
    reduction: Reduction = "rowmean",
) -> Tensor:
    """T^2 KL(f(t/T) || f(s/T)) for a student's logits s and a teacher's t, a mean over rows.

    T^2 keeps the gradient from vanishing as T grows: for sigmoid the pull on a score rises with T, up to (s - t) / 4.
    The teacher is detached. As T goes to infinity this becomes a squared error on the logits: sum (s - t)^2 / 8 for
    sigmoid, and for softmax over n classes sum (s - t - mean(s - t))^2 / (2n); twice that where `symmetric`. That is
    what temperature=inf computes.

    Args:
        input: the student's logits s.
        teacher: the teacher's logits t, same shape.
        symmetric: T^2 D(s/T, t/T), the divergence both ways, for Hinton's one-sided form.
        temperature: T of both sides; math.inf for the limit.
        activation, mask, reduction: those of `kl_divergence`; activation has no default.
        class_dims: that of `kl_divergence`; may be left out for (rows, classes) alone.

    Returns:
        A scalar, or the terms; nats times T^2.

    Raises:
        TypeError, ValueError: class_dims left out for more than two dimensions; else as `kl_divergence`.

    Example:
        >>> student, teacher = torch.tensor([[1.0, -1.0]]), torch.tensor([[4.0, -3.0]])
        >>> distillation_loss(student, teacher, activation="sigmoid")
        tensor(0.4110)
        >>> distillation_loss(student, teacher, activation="sigmoid", temperature=torch.inf)  # (3^2 + 2^2) / 8
        tensor(1.6250)

    Source: Hinton et al. 2015, section 2, less the teacher's entropy, which the student cannot change; Su 2022.
    """
    _check_sides(input, "teacher", teacher)
    class_dims = check_class_dims(input, class_dims, per_row=True)
    divergence = symmetric_kl if symmetric else kl_divergence
    if temperature == math.inf:
        return (1 + symmetric) * _squared_error(input, teacher.detach(), activation, class_dims, mask, reduction)
    found = divergence(
        teacher.detach(),
        input,
        activation=activation,
        class_dims=class_dims,
        mask=mask,
        temperature=temperature,
        reduction=reduction,
    )
    return temperature**2 * found


def _squared_error(
    input: Tensor, teacher: Tensor, activation: Decision, class_dims: int, mask: Tensor | None, reduction: Reduction
) -> Tensor:
    """lim T^2 KL(f(t/T) || f(s/T)): f is (1/2 + x/4T) for sigmoid, and (1 + (x - mean x)/T)/n for softmax."""
    if activation not in ("sigmoid", "softmax"):
        raise ValueError(f'activation must be "softmax" or "sigmoid", got {activation!r}')
    check_reduction(reduction)
    mask = expand_mask(mask, input)
    valid = (torch.ones_like(input, dtype=torch.bool) if mask is None else mask).flatten(-class_dims)
    s, t = (at_least_float32(x).flatten(-class_dims).masked_fill(~valid, 0) for x in (input, teacher))
    gap = s - t
    if activation == "sigmoid":
        terms = gap.square() / 8
    else:
        count = valid.sum(-1, keepdim=True).clamp(min=1)
        terms = ((gap - gap.sum(-1, keepdim=True) / count).square() / (2 * count)).masked_fill(~valid, 0)
    return reduce_terms(terms, valid, activation == "softmax", input.shape, reduction)
