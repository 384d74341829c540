"""Argument checks and reductions shared by every floor: errors name the argument, what came and what was wanted."""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any, Literal, get_args

import torch
from torch import Tensor

Reduction = Literal["none", "sum", "mean", "batchmean", "rowmean"]
REDUCTIONS: tuple[str, ...] = get_args(Reduction)
LOWEST_TEMPERATURE, HIGHEST_TEMPERATURE = 1e-18, 1e18  # T and 1/T^2 stay inside the range of float32


def check_tensor(name: str, value: Tensor) -> None:
    """Raise TypeError unless `value` is a tensor."""
    if not isinstance(value, Tensor):
        raise TypeError(f"{name} must be a torch.Tensor, got {type(value).__name__}")


def check_kind(name: str, value: object, kind: Any, how: str) -> None:
    """Raise TypeError unless `value` is of the kind; `how` says where one comes from."""
    if not isinstance(value, kind):
        what = " or ".join(each.__name__ for each in get_args(kind) or (kind,))
        raise TypeError(f"{name} must be a {what.replace('NoneType', 'None')}, {how}; got {value!r:.80}")


def check_floating(name: str, value: Tensor) -> None:
    """Raise TypeError unless `value` is a real floating-point tensor."""
    check_tensor(name, value)
    if not value.is_floating_point():
        raise TypeError(f"{name} must be floating point, got dtype {value.dtype}")


def check_same_shape(name: str, value: Tensor, input: Tensor) -> None:
    """Raise ValueError unless `value` has the shape of `input` and its device (broadcasting hides mistakes)."""
    if value.shape != input.shape:
        raise ValueError(f"{name} must have the shape of input, {tuple(input.shape)}, got {tuple(value.shape)}")
    check_same_device(name, value, input)


def check_same_device(name: str, value: Tensor, input: Tensor) -> None:
    """Raise ValueError unless `value` is where `input` is."""
    if value.device != input.device:
        raise ValueError(f"{name} must be on the device of input, {input.device}, got {value.device}")


def check_number(name: str, value: float) -> None:
    """Raise TypeError unless `value` is a real number (a tensor is none: its gradient would be lost; nor is True)."""
    if not isinstance(value, Real) or isinstance(value, bool):
        raise TypeError(f"{name} must be a number, got {type(value).__name__}")


def check_count(name: str, value: int) -> None:
    """Raise TypeError or ValueError unless `value` is a whole number from 1 up."""
    if not isinstance(value, Integral) or isinstance(value, bool):
        raise TypeError(f"{name} must be a whole number, got {value!r}")
    if value < 1:
        raise ValueError(f"{name} must be positive, got {value}")


def check_threshold(threshold: float) -> None:
    """Raise TypeError or ValueError unless it is a number that scores can be compared with."""
    check_number("threshold", threshold)
    if threshold != threshold:
        raise ValueError(f"threshold must be a number, got {threshold}")


def check_head(head: object) -> None:
    """Raise TypeError for a class in the place of a head of it."""
    if isinstance(head, type):
        made = f"{head.__name__}(hidden_size=..., num_types=...)"
        raise TypeError(f"head must be a module, for example {made}, got the class {head.__name__} itself")


def check_weight(name: str, value: float) -> None:
    """Raise TypeError or ValueError unless `value` is a number that can weigh a divergence: finite, not negative."""
    check_number(name, value)
    if not 0 <= value < float("inf"):
        raise ValueError(f"{name} must be finite and not negative, got {value}")


def check_temperature(temperature: float) -> None:
    """Raise TypeError or ValueError unless it is a number for which neither T nor 1/T^2 overflows float32."""
    check_number("temperature", temperature)
    if not LOWEST_TEMPERATURE <= temperature <= HIGHEST_TEMPERATURE:
        raise ValueError(
            f"temperature must lie between {LOWEST_TEMPERATURE:g} and {HIGHEST_TEMPERATURE:g}, got {temperature}"
        )


def check_reduction(reduction: str) -> None:
    """Raise ValueError unless `reduction` is one that `reduce` knows."""
    if reduction not in REDUCTIONS:
        raise ValueError(f"reduction must be one of {', '.join(REDUCTIONS)}, got {reduction!r}")


def check_class_dims(input: Tensor, class_dims: int | None, *, per_row: bool) -> int:
    """How many trailing dimensions of `input` are the classes of one row; where None says nothing, it is one.

    Raises TypeError or ValueError unless it is one of the dimensions, and where nothing is said and a guess would be a
    silent factor: for scores as GlobalPointer has them, four-dimensional and square, and, if the result is a mean over
    rows (`per_row`), for everything beyond (rows, classes).
    """
    shape = tuple(input.shape)
    if class_dims is None:
        if (input.ndim == 4 and shape[2] == shape[3]) or (per_row and input.ndim > 2):
            raise ValueError(
                f"class_dims must be given for input of shape {shape}: 2 if the last two dimensions are the spans of "
                "one row, as in GlobalPointer's (batch, types, L, L); 1 if the last one alone holds a row's classes"
            )
        return 1
    if not isinstance(class_dims, int) or isinstance(class_dims, bool):
        raise TypeError(f"class_dims must be an int, got {type(class_dims).__name__}")
    if not 1 <= class_dims <= max(input.ndim, 1):
        raise ValueError(f"class_dims must be between 1 and {input.ndim}, got {class_dims}")
    return class_dims


def expand_mask(mask: Tensor | None, input: Tensor) -> Tensor | None:
    """`mask` (boolean, True = valid) broadcast to the shape of `input`; None stays None.

    Raises TypeError unless it is a boolean tensor (an additive mask of 0 and -10000 would be misread), and ValueError
    unless it broadcasts and is on the same device.
    """
    if mask is None:
        return None
    if not isinstance(mask, Tensor) or mask.dtype != torch.bool:
        got = f"dtype {mask.dtype}" if isinstance(mask, Tensor) else type(mask).__name__
        raise TypeError(f"mask must be a boolean tensor, True = valid, got {got}")
    check_same_device("mask", mask, input)
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
    """Reduce one term a row: both means divide by their number, "batchmean" by the size of dimension 0; none give 0."""
    if reduction == "none":
        return terms
    if reduction in ("mean", "rowmean"):
        return terms.sum() / max(terms.numel(), 1)
    if reduction == "batchmean":
        return terms.sum() / max(terms.shape[0] if terms.ndim else 1, 1)
    return terms.sum()
