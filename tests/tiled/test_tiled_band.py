"""Decoding looks no farther than the longest span: the band below the diagonal's parallel, and nothing beside it."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as some
from tiled_cases import drawn

from gpkl_lib import decode_spans
from gpkl_lib.spans import decode_projection
from gpkl_lib.tiled import BLOCK, cells_above, decode


@settings(max_examples=60, deadline=None)
@given(
    seed=some.integers(0, 10**6),
    length=some.sampled_from([1, 2, 17, 63, 64, 65, 150]),
    longest=some.sampled_from([1, 2, 5, 64, 151, 1000]),
    mask=some.sampled_from(["full", "ragged", "holes"]),
    block=some.sampled_from([1, 50, 5000, BLOCK]),
)
def test_the_band_is_the_dense_way_without_what_is_longer(
    seed: int, length: int, longest: int, mask: str, block: int
) -> None:
    case = drawn(seed, 1, length=length, mask=mask, scale=3.0)
    query, key, real = case["query"].round(), case["key"].round(), case["real"]  # whole numbers: no score is rounded
    dense = decode_spans(query @ key.mT, ["a", "b", "c"], real)
    wanted = [[span for span in spans if span[2] - span[1] <= longest] for spans in dense]
    assert decode_projection(query, key, ["a", "b", "c"], real, max_length=longest) == wanted
    cells, _ = cells_above(query, key, attention_mask=real, max_length=longest, block=block)
    found = {(b, "abc"[h], i, j + 1) for b, h, i, j in cells.tolist()}
    assert len(found) == len(cells)
    assert found == {(b, *span) for b, spans in enumerate(wanted) for span in spans}


def test_the_work_grows_with_the_length_and_not_with_its_square(monkeypatch: pytest.MonkeyPatch) -> None:
    computed, matmul = [0], torch.matmul

    def counted(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        scores = matmul(a, b)
        computed[0] += scores.numel()
        return scores

    monkeypatch.setattr(decode.torch, "matmul", counted)
    query = torch.randn(1, 2, 3000, 4)
    cells_above(query, query, max_length=25)
    assert 2 * 3000 * 25 < computed[0] <= 2 * 3000 * (25 + 64)


def test_nan_is_found_and_a_length_below_1_refused() -> None:
    query = torch.randn(1, 1, 200, 4)
    for row in (0, 100, 199):
        broken = query.clone()
        broken[0, 0, row, 0] = math.nan
        with pytest.raises(ValueError, match="NaN"):
            cells_above(broken, query, max_length=3)
    with pytest.raises(ValueError, match="max_length must be None or at least 1, got 0"):
        cells_above(query, query, max_length=0)
