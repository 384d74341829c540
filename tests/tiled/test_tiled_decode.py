"""Decoding without the scores."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as some
from tiled_cases import drawn

from gpkl_lib import decode_spans
from gpkl_lib.spans import decode_projection
from gpkl_lib.tiled import BLOCK, cells_above


@settings(max_examples=50, deadline=None)
@given(
    seed=some.integers(0, 10**6),
    length=some.integers(1, 30),
    mask=some.sampled_from(["full", "ragged", "holes"]),
    block=some.sampled_from([1, 50, BLOCK]),
    threshold=some.sampled_from([-3.0, 0.0, 2.0]),
)
def test_decoding_without_the_scores(seed: int, length: int, mask: str, block: int, threshold: float) -> None:
    case = drawn(seed, 1, length=length, mask=mask, scale=3.0)
    query, key, real = case["query"], case["key"], case["real"]
    wanted = decode_spans(query @ key.mT, ["a", "b", "c"], real, threshold=threshold)
    assert decode_projection(query, key, ["a", "b", "c"], real, threshold=threshold) == wanted
    cells, scores = cells_above(query, key, attention_mask=real, threshold=threshold, block=block)
    assert len(cells) == len(scores) == sum(map(len, wanted))
    torch.testing.assert_close(scores, (query @ key.mT)[tuple(cells.unbind(1))])


def test_decoding_refuses_nan_and_wrong_types() -> None:
    case = drawn(14, 1, mask="full")
    with pytest.raises(ValueError, match="name all 3 heads"):
        decode_projection(case["query"], case["key"], ["a"])
    case["query"][0, 0, 0] = math.nan
    with pytest.raises(ValueError, match="NaN"):
        decode_projection(case["query"], case["key"], ["a", "b", "c"])
