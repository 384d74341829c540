"""Argument checks and reductions shared by every floor: errors name the argument, what came and what was wanted."""

from __future__ import annotations

import torch
from torch import Tensor

REDUCTIONS = ("none", "sum", "mean", "batchmean")


def check_floating(name: str, value: Tensor) -> None:
    """Raise TypeError unless `value` is a real floating-point tensor."""
    if not isinstance(value, Tensor):
        raise TypeError(f"{name} must be a torch.Tensor, got {type(value).__name__}")
    if not value.is_floating_point():
        raise TypeError(f"{name} must hold floating-point logits, got dtype {value.dtype}")


def check_same_shape(input: Tensor, target: Tensor) -> None:
    """Raise ValueError unless both tensors have one shape (broadcasting two views hides mistakes)."""
    if input.shape != target.shape:
        raise ValueError(
            f"input and target must have the same shape, got {tuple(input.shape)} and {tuple(target.shape)}"
        )


def check_temperature(temperature: float) -> None:
    """Raise ValueError unless 0 < temperature < inf."""
    if not 0 < temperature < float("inf"):
        raise ValueError(f"temperature must be positive and finite, got {temperature}")


def check_reduction(reduction: str) -> None:
    """Raise ValueError unless `reduction` is one that `reduce` knows."""
    if reduction not in REDUCTIONS:
        raise ValueError(f"reduction must be one of {', '.join(REDUCTIONS)}, got {reduction!r}")


def expand_mask(mask: Tensor | None, like: Tensor) -> Tensor | None:
    """`mask` (boolean, True = valid) broadcast to the shape of `like`; None stays None."""
    if mask is None:
        return None
    if mask.dtype != torch.bool:
        raise TypeError(f"mask must be boolean with True for valid positions, got dtype {mask.dtype}; try mask.bool()")
    try:
        return mask.expand(like.shape)
    except RuntimeError:
        raise ValueError(
            f"mask of shape {tuple(mask.shape)} does not broadcast to logits of shape {tuple(like.shape)}"
        ) from None


def working_dtype(value: Tensor) -> Tensor:
    """Half-precision input as float32, as torch's autocast does for losses; float32 and float64 unchanged."""
    return value.float() if value.dtype in (torch.float16, torch.bfloat16) else value


def reduce(terms: Tensor, reduction: str, count: Tensor | int) -> Tensor:
    """Reduce per-element `terms`; `count` is how many distributions `mean` divides by (0 gives 0)."""
    if reduction == "none":
        return terms
    total = terms.sum()
    if reduction == "mean":
        return total / max(int(count), 1)
    if reduction == "batchmean":
        return total / max(terms.shape[0] if terms.ndim else 1, 1)
    return total
