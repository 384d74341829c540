"""Losses of labels decided by "score > 0": multi-label categorical cross-entropy, and F1 made smooth.

    log(1 + sum_neg e^s) + log(1 + sum_pos e^-s)

is softmax cross-entropy for many targets. Both logarithms are a logsumexp with one extra class of score 0, the
threshold that decoding uses.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

from gpkl_lib._checks import (
    Reduction,
    at_least_float32,
    check_class_dims,
    check_floating,
    check_reduction,
    check_same_shape,
    check_temperature,
    check_tensor,
    expand_mask,
    reduce,
)


def multilabel_cross_entropy(
    input: Tensor,
    target: Tensor,
    *,
    class_dims: int | None = None,
    mask: Tensor | None = None,
    reduction: Reduction = "mean",
) -> Tensor:
    """log(1 + sum_neg e^s) + log(1 + sum_pos e^-s) for each row of logits, from dense labels.

    The labels are looked at before they are used. So torch.compile breaks its graph here, and torch.func.vmap cannot
    pass: give all rows at once, or call `gpkl_lib.losses.cross_entropy`, which takes boolean labels and checks nothing.

    Args:
        input: logits s of shape (*rows, *classes); for GlobalPointer (batch, types, L, L) with class_dims=2.
        target: True or 1 at the positives, 0 elsewhere; the shape of `input`.
        class_dims: how many trailing dimensions of `input` are the classes of one row; may be left out for (classes)
            and (rows, classes) alone.
        mask: boolean, True = valid, broadcast to `input`. A masked class takes no part; a fully masked row gives 0.
        reduction: "none" gives one loss a row, "sum" adds them, "mean" (or "rowmean", as the divergences call it)
            divides by the number of rows, "batchmean" by the size of dimension 0.

    Returns:
        A scalar, or a tensor of shape `rows`; nats. Half precision is computed and returned in float32.

    Raises:
        TypeError: logits not floating point, labels not a tensor, mask not boolean, class_dims no int.
        ValueError: shapes differ, class_dims out of range, or left out for more than two dimensions, reduction unknown,
            and with its index a label other than 0 and 1 or a positive label on a masked cell.

    Example:
        >>> scores = torch.tensor([[3.0, -2.0, 1.0], [-4.0, -4.0, -4.0]])
        >>> labels = torch.tensor([[1, 0, 1], [0, 0, 0]])
        >>> multilabel_cross_entropy(scores, labels, reduction="none")
        tensor([0.4759, 0.0535])

    Source: Su 2020, "Generalising softmax + cross-entropy to multi-label classification".
    """
    class_dims = _check(input, class_dims, reduction)
    positive, mask = _check_labels(input, target, mask)
    return cross_entropy(input, positive, class_dims, mask, reduction)


def sparse_multilabel_cross_entropy(
    input: Tensor,
    positives: Tensor,
    *,
    class_dims: int | None = None,
    mask: Tensor | None = None,
    reduction: Reduction = "mean",
) -> Tensor:
    """`multilabel_cross_entropy` from the indices of the positives only.

    The negatives are summed themselves, not as log(all - positives), which cancels as soon as a positive wins. Of
    torch.compile and torch.func.vmap the same holds as there.

    Args:
        input: logits s of shape (*rows, *classes).
        positives: int64 of shape (P, input.ndim): the index of each positive cell in `input`, in any order. Cells of
            spans end with the LAST token, where a span (type, start, end) ends one later: `gpkl_lib.gold_cells` makes
            them. There is no padding value, so the cell (0, ..., 0) is an index like any other. P = 0 means that
            nothing is positive.
        class_dims, mask, reduction: as in `multilabel_cross_entropy`.

    Returns:
        As `multilabel_cross_entropy`.

    Raises:
        TypeError: positives not int64; else as `multilabel_cross_entropy`.
        ValueError: positives of another shape, and with its row an index out of range, given twice or on a masked cell;
            else as `multilabel_cross_entropy`.

    Example:
        >>> logits = torch.full((2, 3, 5, 5), -6.0)  # 2 sentences, 3 types, 5 tokens
        >>> cells = gold_cells([[("PER", 1, 3)], []], ["PER", "LOC", "ORG"])
        >>> cells.tolist()
        [[0, 0, 1, 2]]
        >>> mask = span_mask(torch.ones(2, 5))
        >>> sparse_multilabel_cross_entropy(logits, cells, class_dims=2, mask=mask)
        tensor(1.0365)

    Source: the sparse form of Su 2022 without its subtraction.
    """
    class_dims = _check(input, class_dims, reduction)
    check_tensor("positives", positives)
    if positives.dtype != torch.long:
        raise TypeError(f"positives must be int64, got dtype {positives.dtype}")
    if positives.ndim != 2 or positives.shape[1] != input.ndim:
        raise ValueError(f"positives must have shape (P, {input.ndim}), got {tuple(positives.shape)}")
    mask = expand_mask(mask, input)
    cell, outside = positives.new_zeros(len(positives)), positives.new_zeros(len(positives), dtype=torch.bool)
    for index, size in zip(positives.unbind(1), input.shape, strict=True):
        outside |= (index < 0) | (index >= size)
        cell = cell * size + index
    flat = torch.zeros(input.numel() + 1, dtype=torch.bool, device=input.device)
    flat[cell.masked_fill(outside, input.numel())] = True  # one cell more, at the end, takes what lies outside
    positive = flat[:-1].view(input.shape)
    wrong = positive.sum() != len(positives)
    if mask is not None:
        wrong |= (positive & ~mask).any()
    if wrong:  # the one point where a GPU is waited for
        _refuse_misplaced(positives, input, mask)
    return cross_entropy(input, positive, class_dims, mask, reduction)


def plateau_bound(positives: Tensor, negatives: Tensor) -> Tensor:
    """2 log(1 + sum_g sqrt(P_g N_g)): what `multilabel_cross_entropy` costs at least if cells cannot be told apart.

    Where a model must give all cells of a group g the same score, no scores of the groups have a lower loss. It is
    reached at log(P_g / N_g) / 2; for a group without positives, or without negatives, in the limit.

    Args:
        positives: P_g >= 0, how many cells of each group are positive; shape (*rows, groups).
        negatives: N_g >= 0, how many are not; the shape of `positives`.

    Returns:
        A float64 tensor of shape `rows`; nats.

    Raises:
        TypeError: an argument that is no tensor.
        ValueError: shapes differ, no dimension, or a count below 0, named with its index.

    Example:
        >>> plateau_bound(torch.tensor([1]), torch.tensor([77]))  # one span of 78, and a head that sees none of them
        tensor(4.5596, dtype=torch.float64)
        >>> plateau_bound(torch.tensor([0, 1]), torch.tensor([68, 9]))  # a head that sees which ten have its length
        tensor(2.7726, dtype=torch.float64)
    """
    check_tensor("positives", positives)
    check_tensor("negatives", negatives)
    check_same_shape("negatives", negatives, positives)
    if not positives.ndim:
        raise ValueError("positives must have a dimension for the groups, got a number")
    for name, counts in (("positives", positives), ("negatives", negatives)):
        if (wrong := ~(counts >= 0)).any():
            index = wrong.nonzero()[0].tolist()
            raise ValueError(f"{name}{index} = {counts[tuple(index)].item():g}, and a count is 0 or more")
    return 2 * (positives.double().sqrt() * negatives.double().sqrt()).sum(-1).log1p()


def soft_f1_loss(
    input: Tensor,
    target: Tensor,
    *,
    class_dims: int | None = None,
    mask: Tensor | None = None,
    temperature: float = 1.0,
    reduction: Reduction = "mean",
) -> Tensor:
    """1 - F1 for each row of logits, with every decision "s > 0" made smooth: p = sigmoid(s/T).

        1 - 2 sum_pos p / (sum p + positives) = (sum_neg p + sum_pos (1 - p)) / (sum p + positives)

    As T goes to 0 it becomes 1 - F1 of the hard decisions. F1 does not add up over rows: for the F1 of `span_scores`,
    which is pooled over all sentences and types, make the whole batch one row, class_dims=4 for GlobalPointer.

    A row without a positive has F1 0 whatever is found in it, 0/0 included, as in `span_scores`: its loss is 1 and its
    gradient 0. So false alarms in such a row cost nothing unless it is pooled with others that have positives.

    Args:
        input: logits s of shape (*rows, *classes).
        target: True or 1 at the positives, 0 elsewhere; the shape of `input`.
        class_dims: how many trailing dimensions of `input` are one row; may be left out for (classes) and
            (rows, classes) alone.
        mask: boolean, True = valid, broadcast to `input`. A masked class takes no part.
        temperature: T; a larger one gives gradients farther out and is farther from F1.
        reduction: as in `multilabel_cross_entropy`.

    Returns:
        A scalar, or a tensor of shape `rows`, between 0 and 1. Half precision is computed and returned in float32.

    Raises:
        TypeError, ValueError: as `multilabel_cross_entropy`; ValueError for a temperature outside 1e-18 to 1e18.

    Example:
        >>> scores = torch.tensor([[3.0, -2.0, 1.0], [-4.0, -4.0, -4.0]])
        >>> labels = torch.tensor([[1, 0, 1], [0, 0, 0]])
        >>> soft_f1_loss(scores, labels, reduction="none")
        tensor([0.1145, 1.0000])
        >>> soft_f1_loss(scores, labels, class_dims=2, temperature=1e-3)  # both rows pooled, nearly hard: F1 is 1
        tensor(0.)

    Source: the smooth F1 of Benedict et al. 2022, "sigmoidF1", without a shift of the sigmoid.
    """
    class_dims = _check(input, class_dims, reduction)
    check_temperature(temperature)
    positive, mask = _check_labels(input, target, mask)
    negative = ~positive if mask is None else mask & ~positive
    s, negative, positive = (x.flatten(-class_dims) for x in (at_least_float32(input), negative, positive))
    s = s.masked_fill(~(negative | positive), 0) / temperature  # a masked score may be anything, NaN included
    p, rest = logsigmoid(s).exp(), logsigmoid(-s).exp()  # sigmoid's own gradient loses its digits on one side
    false_alarms, found, misses = (
        x.masked_fill(~cells, 0).sum(-1) for x, cells in ((p, negative), (p, positive), (rest, positive))
    )
    empty = ~positive.any(-1)
    total = false_alarms + found + positive.sum(-1)
    return reduce((false_alarms + misses).masked_fill(empty, 1) / total.masked_fill(empty, 1), reduction)


def _check(input: Tensor, class_dims: int | None, reduction: Reduction) -> int:
    """Raise unless the arguments are in order; return how many dimensions are classes."""
    check_floating("input", input)
    check_reduction(reduction)
    return check_class_dims(input, class_dims, per_row=True)


def _check_labels(input: Tensor, target: Tensor, mask: Tensor | None) -> tuple[Tensor, Tensor | None]:
    """The positives, boolean, and the mask in the shape of `input`; ValueError at the first label that is wrong."""
    check_tensor("target", target)
    check_same_shape("target", target, input)
    mask = expand_mask(mask, input)
    positive = target.bool()
    unclear = target != positive
    wrong = unclear if mask is None else unclear | positive & ~mask
    if wrong.any():  # the one point where a GPU is waited for
        index = wrong.nonzero()[0].tolist()
        label = target[tuple(index)].item()
        raise ValueError(
            f"target{index} = {label:g}, which is neither 0 nor 1; soft labels have no place in this loss"
            if unclear[tuple(index)]
            else f"target{index} is positive, but mask rules the cell out"
        )
    return positive, mask


def _refuse_misplaced(positives: Tensor, input: Tensor, mask: Tensor | None) -> None:
    """Raise ValueError at the first row of `positives` that is wrong, and say how."""
    seen: set[tuple[int, ...]] = set()
    for row, place in enumerate(map(tuple, positives.tolist())):
        name = f"positives[{row}] = {list(place)}"
        if not all(0 <= index < size for index, size in zip(place, input.shape, strict=True)):
            raise ValueError(f"{name} lies outside input of shape {tuple(input.shape)}")
        if place in seen:
            raise ValueError(f"{name} is given more than once")
        if mask is not None and not mask[place]:
            raise ValueError(f"{name} is positive, but mask rules the cell out")
        seen.add(place)


def cross_entropy(
    input: Tensor, positive: Tensor, class_dims: int, mask: Tensor | None, reduction: Reduction
) -> Tensor:
    """The reduced loss of checked arguments; `positive` is boolean."""
    negative = ~positive if mask is None else mask & ~positive
    s, negative, positive = (x.flatten(-class_dims) for x in (at_least_float32(input), negative, positive))
    if not s.shape[-1]:  # no class, no largest score
        return reduce(s.sum(-1), reduction)
    false_alarms = log_1_plus_sum_exp(s.masked_fill(~negative, -math.inf))
    misses = log_1_plus_sum_exp((-s).masked_fill(~positive, -math.inf))
    return reduce(false_alarms + misses, reduction)


def log_1_plus_sum_exp(x: Tensor) -> Tensor:
    """log(1 + sum_i e^(x_i)) along the last dimension, to the last digit of large and small results; -inf counts 0."""
    m = x.detach().amax(-1, keepdim=True).clamp(min=0)  # the largest of all scores, the threshold's 0 among them
    m = m.masked_fill(m == math.inf, 0)  # a positive ruled out by -inf costs inf, where inf - inf would be NaN
    return (m + torch.log1p((x - m).exp().sum(-1, keepdim=True) + torch.expm1(-m))).squeeze(-1)
