"""Which scores are computed together: sentences and types in groups, rows in blocks, gold spans where they fall."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor

BLOCK = 1 << 20  # scores of a block, all views and types of it: small against the board, large enough to share out
ROWS = 64  # of a block: few waste little below the diagonal, many make efficient matrix products


@dataclass
class Group:
    """Sentences, by number, with the types first <= h < last, cut after n tokens; `whole`: all n of each are real."""

    sentences: list[int]
    first: int
    last: int
    n: int
    whole: bool

    def index(self) -> list[int] | slice:
        """The sentences as a slice, which copies nothing, if they stand side by side."""
        first, count = self.sentences[0], len(self.sentences)
        return slice(first, first + count) if self.sentences == list(range(first, first + count)) else self.sentences

    def cells(self, sides: int, rows: int) -> int:
        """Scores of its largest block."""
        return sides * len(self.sentences) * (self.last - self.first) * min(rows, self.n) * self.n

    def scores(self, sides: int, rows: int) -> int:
        """Scores of all its blocks."""
        return sides * len(self.sentences) * (self.last - self.first) * board_scores(self.n, rows)


def board_scores(n: int, rows: int) -> int:
    """Scores of all blocks of one board of n tokens."""
    return sum(min(rows, n - start) * (n - start) for start in range(0, n, rows))


def groups_of(real: Tensor, types: int, sides: int, block: int, hold: int) -> tuple[list[Group], int]:
    """Groups, and the rows of a block; sentences alike in length go together.

    A group is as large as its blocks, of `block` scores, and all its scores, of which `hold` can be kept, allow. Where
    those of a single board are too many to be kept, blocks alone count.

    Args:
        real: boolean (B, L), True = a real token. Sentences without any are in no group.
        types: H.
        sides: S.
        block: scores of a block, all its sides, sentences and types counted.
        hold: scores that may be kept.

    Example:
        >>> real = torch.tensor([[1, 1, 1, 1], [1, 0, 0, 0], [1, 1, 1, 1]]).bool()
        >>> found, rows = groups_of(real, types=2, sides=1, block=BLOCK, hold=HOLD)
        >>> found[0].sentences, found[0].n, rows
        ([1, 0, 2], 4, 4)
    """
    if not real.numel() or not types:
        return [], 1
    position = torch.arange(1, real.shape[1] + 1, device=real.device)
    lengths, counts = torch.stack([(real * position).amax(1), real.sum(1)]).tolist()
    longest = max(*lengths, 1)
    rows = max(1, min(ROWS, longest, block // (sides * longest)))
    groups: list[Group] = []
    for b in sorted(range(len(lengths)), key=lengths.__getitem__):
        n, whole = lengths[b], lengths[b] == counts[b]
        if not n:
            continue
        most = max(1, block // (sides * min(rows, n) * n))  # boards that go together
        most = min(most, hold // (sides * board_scores(n, rows)) or most)
        last = groups[-1] if groups and groups[-1].last - groups[-1].first == types else None
        if last and types * (len(last.sentences) + 1) <= most:
            last.whole = last.whole and whole and last.n == n
            last.n = n
            last.sentences.append(b)
        else:
            parts = math.ceil(types / most)
            edges = [types * part // parts for part in range(parts + 1)]
            groups += [Group([b], *edge, n, whole) for edge in pairwise(edges)]
    return groups, rows


class Gold(NamedTuple):
    """The positives of a group, block by block.

    Attributes:
        cells: of the blocks one after the other, each an index into the boards of one view, laid end to end.
        edges: where in `cells` the blocks begin, and the end of the last.
        board: which of the group's pairs of a sentence and a type each positive is in.
        start, end: its tokens.
    """

    cells: Tensor
    edges: list[int]
    board: Tensor
    start: Tensor
    end: Tensor

    def cells_of(self, block: int) -> Tensor:
        """The cells in the block of that number."""
        return self.cells[self.edges[block] : self.edges[block + 1]]


def gold_of(groups: list[Group], positives: Tensor, shape: tuple[int, int], rows: int) -> list[Gold]:
    """The positives (sentence, type, i, j) shared out among the groups; `shape` is (B, H)."""
    table = torch.zeros(3, *shape, dtype=torch.long)  # of each (sentence, type): its group, board in it, tokens
    for number, group in enumerate(groups):
        types = slice(group.first, group.last)
        width = group.last - group.first
        table[0, group.sentences, types] = number
        table[1, group.sentences, types] = torch.arange(len(group.sentences) * width).view(-1, width)
        table[2, group.sentences, types] = group.n
    b, h, i, j = positives.unbind(1)
    number, board, n = table.to(positives.device)[:, b, h]
    blocks = max((math.ceil(group.n / rows) for group in groups), default=1)
    block = number * blocks + i // rows  # counted through all groups, each as long as the longest
    start = i // rows * rows
    m = n - start
    cell = (board * m.clamp(max=rows) + i - start) * m + j - start
    order = block.argsort()
    columns = [x[order] for x in (cell, board, i, j)]
    edges = [0, *torch.bincount(block, minlength=len(groups) * blocks).cumsum(0).tolist()]
    golds = []
    for at in range(0, len(groups) * blocks, blocks):
        first, *_, last = own = edges[at : at + blocks + 1]
        cells, *places = (x[first:last] for x in columns)
        golds.append(Gold(cells, [edge - first for edge in own], *places))
    return golds
