"""What the tiled span loss refuses, and how it says so."""

from __future__ import annotations

import math

import pytest
import torch
from tiled_cases import drawn

from gpkl_lib.tiled import tiled_span_loss


@pytest.mark.parametrize(
    ("place", "says"),
    [
        ([[0, 0, 1, 1], [0, 0, 3, 2]], r"positives\[1\] = \[0, 0, 3, 2\] ends before it starts"),
        ([[0, 0, 1, 1], [2, 0, 1, 1]], r"positives\[1\] = \[2, 0, 1, 1\] lies outside"),
        ([[0, 3, 1, 1]], r"positives\[0\] = \[0, 3, 1, 1\] lies outside"),
        ([[0, 0, 1, 9]], "lies outside"),
        ([[0, -1, 1, 1]], "lies outside"),
        ([[0, 0, 1, 2], [0, 0, 0, 1], [0, 0, 1, 2]], r"positives\[2\] = \[0, 0, 1, 2\] is given more than once"),
        ([[1, 0, 4, 5]], r"positives\[0\] = \[1, 0, 4, 5\] begins or ends on padding"),
    ],
)
def test_a_bad_span_is_refused_with_its_place(place: list[list[int]], says: str) -> None:
    case = drawn(12, mask="full")
    case["real"][1, 5:] = False
    with pytest.raises(ValueError, match=says):
        tiled_span_loss(case["query"], case["key"], torch.tensor(place), attention_mask=case["real"], views=2)


def test_other_arguments_are_refused() -> None:
    x, none = torch.zeros(2, 1, 3, 4), torch.empty(0, 4, dtype=torch.long)
    for error, says, arguments in (
        (TypeError, "query must be floating point", (x.long(), x, none)),
        (TypeError, "one dtype", (x, x.double(), none)),
        (ValueError, "one shape", (x, x[:1], none)),
        (ValueError, "one shape", (x[0], x[0], none)),
        (TypeError, "positives must be int64", (x, x, none.int())),
        (ValueError, r"positives must have shape \(P, 4\)", (x, x, none[:, :3])),
    ):
        with pytest.raises(error, match=says):
            tiled_span_loss(*arguments)
    for says, options in (
        ("views must be 1 or 2", {"views": 3}),
        ("alpha must be finite", {"alpha": -1.0}),
        ("alpha must be finite", {"alpha": math.inf}),
        ("block must be positive", {"block": 0}),
        ("attention_mask must have shape", {"attention_mask": torch.ones(2, 4)}),
    ):
        with pytest.raises(ValueError, match=says):
            tiled_span_loss(x, x, none, **options)
    with pytest.raises(ValueError, match="even batch"):
        tiled_span_loss(x[:1], x[:1], none, views=2)
