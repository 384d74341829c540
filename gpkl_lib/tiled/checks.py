"""What the tiled functions ask of their arguments."""

from __future__ import annotations

import torch
from torch import Tensor

from gpkl_lib._checks import check_floating


def check_projection(query: Tensor, key: Tensor, views: int, alpha: float, block: int) -> int:
    """Raise TypeError or ValueError unless the arguments fit each other; return B, the number of sentences."""
    check_floating("query", query)
    check_floating("key", key)
    if query.dtype != key.dtype:
        raise TypeError(f"query and key must have one dtype, got {query.dtype} and {key.dtype}")
    if query.ndim != 4 or query.shape != key.shape:
        raise ValueError(
            "query and key must have one shape (views * batch, types, L, head size), "
            f"got {tuple(query.shape)} and {tuple(key.shape)}"
        )
    check_options(len(query), views, alpha, block)
    return query.shape[0] // views


def check_options(rows: int, views: int, alpha: float, block: int) -> None:
    """Raise ValueError unless the options are in range and the rows can be shared out among the views."""
    if views not in (1, 2):
        raise ValueError(f"views must be 1 or 2, got {views!r}")
    if rows % views:
        raise ValueError(f"two views need an even batch, got {rows} rows; double the batch with `doubled`")
    if not 0 <= alpha < float("inf"):
        raise ValueError(f"alpha must be finite and not negative, got {alpha}")
    if block < 1:
        raise ValueError(f"block must be positive, got {block}")


def check_target(query: Tensor, key: Tensor, of: str, input: Tensor) -> None:
    """Raise TypeError or ValueError unless these are the query and key of a fixed target for the query `input`."""
    check_floating(f"{of}_query", query)
    check_floating(f"{of}_key", key)
    if query.ndim != 4 or query.shape != key.shape or query.shape[:3] != input.shape[:3]:
        raise ValueError(
            f"{of}_query and {of}_key must have one shape {(*input.shape[:3], 'any head size')}, as the query has it, "
            f"got {tuple(query.shape)} and {tuple(key.shape)}"
        )


def check_positives(positives: Tensor, shape: tuple[int, int, int], real: Tensor) -> None:
    """Raise TypeError or ValueError at the first row of `positives` that is wrong; `shape` is (B, H, L)."""
    if positives.dtype != torch.long:
        raise TypeError(f"positives must be int64, got dtype {positives.dtype}")
    if positives.ndim != 2 or positives.shape[1] != 4:
        raise ValueError(f"positives must have shape (P, 4), got {tuple(positives.shape)}")
    seen: set[tuple[int, ...]] = set()
    size = (*shape, shape[2])
    known = real.tolist() if len(positives) else []
    for row, place in enumerate(map(tuple, positives.tolist())):
        name = f"positives[{row}] = {list(place)}"
        if not all(0 <= index < limit for index, limit in zip(place, size, strict=True)):
            raise ValueError(f"{name} lies outside scores of shape {size}")
        b, _, start, end = place
        if end < start:
            raise ValueError(f"{name} ends before it starts")
        if not (known[b][start] and known[b][end]):
            raise ValueError(f"{name} begins or ends on padding")
        if place in seen:
            raise ValueError(f"{name} is given more than once")
        seen.add(place)
