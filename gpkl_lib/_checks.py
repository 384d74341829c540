"""Argument checks and reductions shared by every floor: errors name the argument, what came and what was wanted."""

from __future__ import annotations

import torch
from torch import Tensor

REDUCTIONS = ("none", "sum", "mean", "batchmean")
LOWEST_TEMPERATURE, HIGHEST_TEMPERATURE = 1e-18, 1e18  # T and 1/T^2 stay inside the range of float32


def check_tensor(name: str, value: Tensor) -> None:
    """Raise TypeError unless `value` is a tensor."""
    if not isinstance(value, Tensor):
        raise TypeError(f"{name} must be a torch.Tensor, got {type(value).__name__}")


def check_floating(name: str, value: Tensor) -> None:
    """Raise TypeError unless `value` is a real floating-point tensor."""
    check_tensor(name, value)
    if not value.is_floating_point():
        raise TypeError(f"{name} must be floating point, got dtype {value.dtype}")


def check_same_shape(name: str, value: Tensor, input: Tensor) -> None:
    """Raise ValueError unless `value` has the shape of `input` (broadcasting two views hides mistakes)."""
    if value.shape != input.shape:
        raise ValueError(f"{name} must have the shape of input, {tuple(input.shape)}, got {tuple(value.shape)}")


def check_temperature(temperature: float) -> None:
    """Raise ValueError unless the temperature lies in the range in which neither it nor 1/T^2 overflows float32."""
    if not LOWEST_TEMPERATURE <= temperature <= HIGHEST_TEMPERATURE:
        raise ValueError(
            f"temperature must lie between {LOWEST_TEMPERATURE:g} and {HIGHEST_TEMPERATURE:g}, got {temperature}"
        )


def check_reduction(reduction: str) -> None:
    """Raise ValueError unless `reduction` is one that `reduce` knows."""
    if reduction not in REDUCTIONS:
        raise ValueError(f"reduction must be one of {', '.join(REDUCTIONS)}, got {reduction!r}")


def expand_mask(mask: Tensor | None, input: Tensor) -> Tensor | None:
    """`mask` (boolean, True = valid) broadcast to the shape of `input`; None stays None.

    Raises TypeError unless it is a boolean tensor (an additive mask of 0 and -10000 would be misread), and ValueError
    unless it broadcasts.
    """
    if mask is None:
        return None
    if not isinstance(mask, Tensor) or mask.dtype != torch.bool:
        got = f"dtype {mask.dtype}" if isinstance(mask, Tensor) else type(mask).__name__
        raise TypeError(f"mask must be a boolean tensor, True = valid, got {got}")
    try:
        return mask.expand(input.shape)
    except RuntimeError:
        raise ValueError(
            f"mask of shape {tuple(mask.shape)} does not broadcast to input of shape {tuple(input.shape)}"
        ) from None


def at_least_float32(value: Tensor) -> Tensor:
    """`value` as float32 if it is float16 or bfloat16, as torch.autocast does for losses; else unchanged."""
    return value.float() if value.dtype in (torch.float16, torch.bfloat16) else value


def reduce(terms: Tensor, reduction: str) -> Tensor:
    """Reduce `terms`: "mean" divides by their number, "batchmean" by the size of dimension 0; no terms give 0."""
    if reduction == "none":
        return terms
    if reduction == "mean":
        return terms.sum() / max(terms.numel(), 1)
    if reduction == "batchmean":
        return terms.sum() / max(terms.shape[0] if terms.ndim else 1, 1)
    return terms.sum()
