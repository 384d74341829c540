"""Multi-label categorical cross-entropy: softmax cross-entropy for many targets, decided by "score > 0".

    log(1 + sum_neg e^s) + log(1 + sum_pos e^-s)

Both logarithms are a logsumexp with one extra class of score 0, the threshold that decoding uses.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from gpkl_lib._checks import check_floating, check_reduction, expand_mask, reduce, working_dtype


def multilabel_cross_entropy(
    input: Tensor, target: Tensor, *, class_dims: int = 1, mask: Tensor | None = None, reduction: str = "mean"
) -> Tensor:
    """log(1 + sum_neg e^s) + log(1 + sum_pos e^-s) for each row of logits, from dense labels.

    Args:
        input: logits s of shape (*rows, *classes); for GlobalPointer (batch, types, L, L) with class_dims=2.
        target: True or 1 at the positives, 0 elsewhere; the shape of `input`.
        class_dims: how many trailing dimensions of `input` are the classes of one row.
        mask: boolean, True = valid, broadcast to `input`. A masked class takes no part; a fully masked row gives 0.
        reduction: "none" gives one loss a row, "sum" adds them, "mean" (as "batchmean") divides by the number of rows.

    Returns:
        A scalar, or a tensor of shape `rows`; nats. Half precision is computed and returned in float32.

    Raises:
        TypeError: logits not floating point, mask not boolean.
        ValueError: shapes differ, a label other than 0 and 1, a positive label on a masked position (its index is named),
            unknown reduction.

    Source: eq-multilabel; Su 2020, "Generalising softmax + cross-entropy to multi-label classification".
    """
    check_floating("input", input)
    if target.shape != input.shape:
        raise ValueError(f"target must have the shape of input {tuple(input.shape)}, got {tuple(target.shape)}")
    positive = target.bool()
    if target.dtype != torch.bool and not torch.equal(positive.to(target.dtype), target):
        raise ValueError("target must hold 0 and 1 only; soft labels have no place in this loss")
    return _cross_entropy(input, positive, class_dims, mask, reduction)


def sparse_multilabel_cross_entropy(
    input: Tensor, positives: Tensor, *, class_dims: int = 1, mask: Tensor | None = None, reduction: str = "mean"
) -> Tensor:
    """`multilabel_cross_entropy` from the indices of the positives only.

    The negatives are summed themselves, not as log(all - positives), which cancels as soon as a positive wins.

    Args:
        input: logits s of shape (*rows, *classes).
        positives: int64 of shape (P, input.ndim): the index of each positive cell in `input`, in any order. There is no
            padding value, so the cell (0, ..., 0) is an index like any other. P = 0 is an empty batch of positives.
        class_dims, mask, reduction: as in `multilabel_cross_entropy`.

    Returns:
        As `multilabel_cross_entropy`.

    Raises:
        TypeError: positives not int64; else as `multilabel_cross_entropy`.
        ValueError: positives of another shape, an index out of range or given twice (the row of `positives` is named).

    Source: eq-multilabel; the sparse form of Su 2022 without its subtraction.
    """
    check_floating("input", input)
    if positives.dtype != torch.long:
        raise TypeError(f"positives must be int64, got dtype {positives.dtype}")
    if positives.ndim != 2 or positives.shape[1] != input.ndim:
        raise ValueError(f"positives must have shape (P, {input.ndim}), got {tuple(positives.shape)}")
    size = torch.tensor(input.shape, device=positives.device)
    outside = ((positives < 0) | (positives >= size)).any(1).nonzero()
    if len(outside):
        row = int(outside[0])
        raise ValueError(
            f"positives[{row}] = {positives[row].tolist()} lies outside logits of shape {tuple(input.shape)}"
        )
    positive = torch.zeros(input.shape, dtype=torch.bool, device=input.device)
    positive[positives.unbind(1)] = True
    if int(positive.sum()) != len(positives):
        distinct, inverse, count = torch.unique(positives, dim=0, return_inverse=True, return_counts=True)
        row = int((count[inverse] > 1).nonzero()[0])
        raise ValueError(f"positives[{row}] = {positives[row].tolist()} is given more than once")
    return _cross_entropy(input, positive, class_dims, mask, reduction)


def _cross_entropy(input: Tensor, positive: Tensor, class_dims: int, mask: Tensor | None, reduction: str) -> Tensor:
    check_reduction(reduction)
    if not 1 <= class_dims <= input.ndim:
        raise ValueError(f"class_dims must be between 1 and {input.ndim}, got {class_dims}")
    mask = expand_mask(mask, input)
    s = working_dtype(input)
    negative = ~positive
    if mask is not None:
        misplaced = (positive & ~mask).nonzero()
        if len(misplaced):
            raise ValueError(f"a positive label stands on the masked position {misplaced[0].tolist()}")
        negative = negative & mask
    rows = input.shape[: input.ndim - class_dims]
    threshold = s.new_zeros((*rows, 1))
    flat = (*rows, math.prod(input.shape[input.ndim - class_dims :]))
    neg = s.masked_fill(~negative, -math.inf).reshape(flat)
    pos = (-s).masked_fill(~positive, -math.inf).reshape(flat)
    loss = torch.logsumexp(torch.cat([neg, threshold], -1), -1) + torch.logsumexp(torch.cat([pos, threshold], -1), -1)
    return reduce(loss, "mean" if reduction == "batchmean" else reduction, loss.numel())
