"""Tiles: a score board met block by block, its logsumexp kept up to date, and the memory that this saves."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
import traitlets

from gpkl_lib.explore.base import Explorable
from gpkl_lib.explore.kit import svg
from gpkl_lib.explore.traits import Ranged, RangedInt, check_range
from gpkl_lib.tiled import BLOCK, HOLD

SMALLEST, LARGEST = 2, 12
BATCH, HEADS, FEATURES, BLOCKS = 4, 10, 64, 4
COPIES = 7.8  # float32 boards of both views that autograd keeps of a dense step; the chapter counts them
SCORES = (
    (-3, -9, 2, -7, -12, -15, -14, -18, -20),
    (-6, -1, -8, -11, -13, -17, -16, -19),
    (-2, 5, -4, -10, -12, -9, -15),
    (-8, -3, -6, -7, -13, -11),
    (4, -5, -1, -9, -14),
    (-7, -2, 7, -6),
    (-10, -4, -3),
    (1, -8),
    (-5,),
)


@dataclass(frozen=True)
class Walk:
    """How far a walk over the row blocks of a board has come.

    Attributes:
        maximum: m, the largest of the scores so far and of the threshold's 0.
        sum: z, the sum of e^(x - m) over these.
        factor: e^(m before - m), by which the last block shrank the sum.
        logsumexp: m + log z.
        forgotten: what m + log z would be had no sum ever been shrunk.
        cells: scores computed, those below the diagonal of each block among them.
    """

    maximum: float
    sum: float
    factor: float
    logsumexp: float
    forgotten: float
    cells: int


def walk(scores: Sequence[float], *, rows: int, blocks: int) -> Walk:
    """Walk over the first `blocks` blocks of `rows` rows, from the threshold's 0 on, in float64.

    Args:
        scores: the upper triangle of a board, row by row: L(L+1)/2 numbers.
        rows: r, rows of a block; the last block may have fewer.
        blocks: how many are met; more than there are is all of them.

    Raises:
        ValueError: not as many scores as a triangle has, rows below 1, blocks below 0.
    """
    length = _length(scores)
    if rows < 1 or blocks < 0:
        raise ValueError(f"rows must be at least 1 and blocks at least 0, got {rows} and {blocks}")
    triangle = torch.full((length, length), -math.inf, dtype=torch.float64)
    triangle[tuple(torch.triu_indices(length, length))] = torch.tensor(scores, dtype=torch.float64)
    m, z, wrong = (torch.tensor(x, dtype=torch.float64) for x in (0, 1, 1))
    factor, cells = torch.ones_like(m), 0
    for start in list(range(0, length, rows))[:blocks]:
        block = triangle[start : start + rows, start:]
        top = torch.maximum(m, block.max())
        factor, added = (m - top).exp(), (block - top).exp().sum()
        m, z, wrong, cells = top, z * factor + added, wrong + added, cells + block.numel()
    logsumexp, forgotten = m + z.log(), m + wrong.log()
    return Walk(m.item(), z.item(), factor.item(), logsumexp.item(), forgotten.item(), cells)


def board_bytes(batch: int, heads: int, length: int) -> int:
    """4 * 2 B H L^2: bytes of one float32 board of every cell in two views."""
    return 4 * 2 * batch * heads * length**2


def tiled_bytes(
    batch: int, heads: int, length: int, features: int, block: int = BLOCK, blocks: int = BLOCKS, hold: int = HOLD
) -> int:
    """Most bytes at a time: float32 gradients of queries and keys in two views, `blocks` blocks of scores at work, and
    the up to `hold` scores that wait for their normaliser.
    """
    pairs = 2 * batch * heads
    gradients, work, wait = pairs * 2 * length * features, min(block, pairs * length**2), min(hold, pairs * length**2)
    return 4 * (gradients + blocks * work + wait)


class Tiles(Explorable):
    """A board of scores that is met in blocks of rows, with the running maximum and sum of its logsumexp; and memory.

    Args:
        scores: the upper triangle of a board of 2 to 12 tokens, row by row, numbers between -1000 and 1000; 45 of an
            invented sentence of nine tokens where not given.
        rows: r, rows of a block.
        blocks: how many have been met.
        length: L for the memory, 128 to 8192 tokens; four sentences in two views, ten types, 64 features.
        copies: how many float32 boards of both views the dense way holds.

    Raises:
        traitlets.TraitError: a value outside these.

    Example:
        >>> picture = Tiles([1.0, 2.0, 3.0, 4.0, 5.0, 6.0], rows=1, blocks=2)  # three tokens
        >>> round(picture.values()["maximum"], 3)
        5.0
    """

    scores = traitlets.List(traitlets.Float()).tag(sync=True)
    rows = RangedInt(1, LARGEST)
    blocks = RangedInt(0, LARGEST)
    length = RangedInt(128, 8192)
    copies = Ranged(1, 100)

    def __init__(
        self,
        scores: Sequence[float] | None = None,
        *,
        rows: int = 3,
        blocks: int = 1,
        length: int = 1024,
        copies: float = COPIES,
    ) -> None:
        given = [x for row in SCORES for x in row] if scores is None else scores
        super().__init__(
            scores=[float(x) for x in given], rows=rows, blocks=blocks, length=length, copies=float(copies)
        )

    @traitlets.validate("scores")
    def _validate_scores(self, proposal: dict[str, Any]) -> list[float]:
        scores = list(proposal["value"])
        try:
            length = _length(scores)
        except ValueError as error:
            raise traitlets.TraitError(str(error)) from error
        check_range("tokens of scores", length, SMALLEST, LARGEST)
        return [check_range("scores", score, -1000.0, 1000.0) for score in scores]

    def values(self) -> dict[str, float]:
        """The state of the walk, the logsumexp of the whole board, and the bytes of both ways."""
        now = walk(self.scores, rows=self.rows, blocks=self.blocks)
        whole = torch.tensor([0.0, *self.scores], dtype=torch.float64)
        board = board_bytes(BATCH, HEADS, self.length)
        return {
            "maximum": now.maximum,
            "factor": now.factor,
            "sum": now.sum,
            "logsumexp": now.logsumexp,
            "final": torch.logsumexp(whole, 0).item(),
            "forgotten": now.forgotten,
            "dense": self.copies * board,
            "tiled": float(tiled_bytes(BATCH, HEADS, self.length, FEATURES)),
        }

    def still(self) -> str:
        """The board as far as it is met, and the numbers, as one SVG picture."""
        value, length = self.values(), _length(self.scores)
        met = walk(self.scores, rows=self.rows, blocks=self.blocks).cells
        state = f"*m* = {svg.number(value['maximum'], 2)}, *z* = {svg.number(value['sum'], 4)}"
        ends = f"*m* + log *z* = {svg.number(value['logsumexp'], 4)}, whole board {svg.number(value['final'], 4)}"
        memory = f"memory at *L* = {self.length}: dense {_size(value['dense'])}, tiled {_size(value['tiled'])}"
        alt = (
            f"A triangular board of scores of {length} tokens, met in blocks of {self.rows} rows; {met} of "
            f"{length**2} cells have been computed. Largest score {svg.number(value['maximum'], 2)}, m + log z "
            f"{svg.number(value['logsumexp'], 4)}, of the whole board {svg.number(value['final'], 4)}. Memory at "
            f"{self.length} tokens: dense {_size(value['dense'])}, tiled {_size(value['tiled'])}."
        )
        top = 26 * length + 24
        notes = [svg.text(8, top + 20 * k, text, "ink", "start") for k, text in enumerate((state, ends, memory))]
        return svg.picture(360, top + 52, alt, [*self._board(length), *notes])

    def _board(self, length: int) -> Iterator[str]:
        side, scores = 344 / length, iter(self.scores)
        until = min(self.rows * self.blocks, length)
        for i in range(length):
            for j in range(i, length):
                score, x, y = next(scores), 8 + side * j, 8 + 26 * i
                yield svg.tag(
                    "rect", x=x, y=y, width=side, height=26, fill="none", stroke="#5C6773", class_="gpkl-grey"
                )
                if i < until:
                    yield svg.text(x + side / 2, y + 18, svg.number(score, 0), "blue")
        for start in range(0, until, self.rows):
            high = 26 * (min(start + self.rows, length) - start)
            yield svg.outline(8 + side * start, 8.0 + 26 * start, side * (length - start), high, "vermilion")


def _length(scores: Sequence[float]) -> int:
    """L, for L(L+1)/2 scores."""
    length = (math.isqrt(8 * len(scores) + 1) - 1) // 2
    if not scores or length * (length + 1) // 2 != len(scores):
        raise ValueError(f"scores must hold L(L+1)/2 numbers, the triangle of a board, got {len(scores)}")
    return length


def _size(size: float) -> str:
    """Bytes as a reader wants them."""
    return f"{size / 1e9:.3g} GB" if size >= 1e9 else f"{size / 1e6:.3g} MB"
