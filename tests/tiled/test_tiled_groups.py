"""Sentences and types in groups: what is computed together."""

from __future__ import annotations

import torch
from hypothesis import given, settings
from hypothesis import strategies as some

from gpkl_lib.tiled import BLOCK, HOLD
from gpkl_lib.tiled.groups import groups_of


@settings(max_examples=100, deadline=None)
@given(
    lengths=some.lists(some.integers(0, 300), min_size=1, max_size=8),
    types=some.integers(1, 12),
    views=some.sampled_from([1, 2]),
    block=some.sampled_from([1, 1000, BLOCK]),
    hold=some.sampled_from([0, 5000, HOLD]),
)
def test_groups_cover_every_type_of_every_sentence_once(
    lengths: list[int], types: int, views: int, block: int, hold: int
) -> None:
    real = torch.arange(max(1, *lengths)) < torch.tensor(lengths)[:, None]
    groups, rows = groups_of(real, types, views, block, hold)
    seen = [(b, h) for group in groups for b in group.sentences for h in range(group.first, group.last)]
    assert sorted(seen) == [(b, h) for b, n in enumerate(lengths) if n for h in range(types)]
    for group in groups:
        assert group.n == max(lengths[b] for b in group.sentences)
        assert group.whole == all(lengths[b] == group.n for b in group.sentences)
        one = views * min(rows, group.n) * group.n  # one type of one sentence
        assert group.cells(views, rows) <= max(block, one)
        assert one <= block or rows == 1
        blocks = [views * (min(start + rows, group.n) - start) * (group.n - start) for start in range(0, group.n, rows)]
        assert group.scores(views, rows) == sum(blocks) * len(group.sentences) * (group.last - group.first)
        assert group.scores(views, rows) <= hold or sum(blocks) > hold  # kept, unless one board alone is too large
        assert group.cells(views, rows) == blocks[0] * len(group.sentences) * (group.last - group.first)
