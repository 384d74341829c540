"""Row sums: attention over equal tokens; which scores, weights and masks make the outputs differ?"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal, get_args

import torch
import traitlets
from torch import Tensor

from gpkl_lib.explore.base import Explorable
from gpkl_lib.explore.kit import svg
from gpkl_lib.explore.traits import RangedInt, RangedList
from gpkl_lib.smoothing import softmax

TOKENS = 8
REACH = 6.0  # of a score
Weights = Literal["softmax", "l2", "sigmoid", "urpe"]
NAMES = {"softmax": "softmax", "l2": "ℓ₂ norm", "sigmoid": "sigmoid over 8", "urpe": "softmax × distance"}


def by_distance() -> list[float]:
    """The 64 scores of a board that depends on the distance j - i alone, as in `byDistance` of maths/rows.js."""
    return [(25 - 8 * abs(j - i - 1)) / 10 for i in range(TOKENS) for j in range(TOKENS)]


class RowSums(Explorable):
    """Eight tokens of the value 1, or the first of the value 0, mixed by a board of attention scores.

    Args:
        scores: 64 scores of size at most 6, row by row; those of a relative position where not given.
        weights: "softmax"; "l2", where a row's squares sum to 1; "sigmoid", over 8; "urpe", softmax times a factor of
            the distance, 1 + (j - i)/8.
        causal: each token sees itself and those before it.
        first: the first token differs.
        row, column: the cell that is looked at, from 0.

    Raises:
        traitlets.TraitError: a value outside these.

    Example:
        >>> value = RowSums(causal=True).values()
        >>> round(value["sum"], 12), value["spread"] < 1e-12
        (1.0, True)
        >>> round(RowSums(causal=True, first=True, scores=[0.0] * 64, row=3).values()["output"], 4)
        0.75
    """

    scores = RangedList(-REACH, REACH, least=TOKENS**2, most=TOKENS**2, what="64 scores")
    weights = traitlets.Enum(list(get_args(Weights))).tag(sync=True)
    causal = traitlets.Bool().tag(sync=True)
    first = traitlets.Bool().tag(sync=True)
    row = RangedInt(0, TOKENS - 1)
    column = RangedInt(0, TOKENS - 1)

    def __init__(
        self,
        scores: Sequence[float] | None = None,
        *,
        weights: Weights = "softmax",
        causal: bool = False,
        first: bool = False,
        row: int = 4,
        column: int = 2,
    ) -> None:
        given = by_distance() if scores is None else list(map(float, scores))
        super().__init__(scores=given, weights=weights, causal=causal, first=first, row=row, column=column)

    def values(self) -> dict[str, float]:
        """The weight of the cell, the sum and the output of its row, and largest less least output, in float64."""
        a = self._board()
        outputs = a @ self._tokens()
        return {
            "output": outputs[self.row].item(),
            "sum": a[self.row].sum().item(),
            "weight": a[self.row, self.column].item(),
            "spread": (outputs.max() - outputs.min()).item(),
        }

    def _tokens(self) -> Tensor:
        v = torch.ones(TOKENS, dtype=torch.float64)
        v[0] = 0 if self.first else 1
        return v

    def _board(self) -> Tensor:
        scores = torch.tensor(self.scores, dtype=torch.float64).view(TOKENS, TOKENS)
        return board(scores, self.weights, causal=self.causal)

    def still(self) -> str:
        """The board as shades with its scores, and below it the eight outputs, as one SVG picture."""
        a, value = self._board(), self.values()
        outputs = (a @ self._tokens()).tolist()
        said = [
            f"weights: {NAMES[self.weights]}",
            "a causal mask" if self.causal else "no mask",
            "the first token differs" if self.first else "all tokens are equal",
        ]
        alt = (
            f"A board of attention over eight tokens; {', '.join(said)}. Outputs by row: {svg.listed(outputs, 3)}; "
            f"row {self.row + 1} sums to {svg.number(value['sum'], 4)} and gives {svg.number(value['output'], 4)}."
        )
        parts = [svg.text(8, 16, ", ".join(said), "ink", "start"), *self._cells(a), *self._outputs(a.sum(-1), outputs)]
        return svg.picture(360, 416, alt, parts)

    def _cells(self, a: Tensor) -> Iterator[str]:
        for i in range(TOKENS):
            y = 28 + 26 * i
            yield svg.text(28, y + 17, str(i + 1), "ink", "end")
            for j in range(TOKENS):
                x, seen = 34 + 40 * j, not self.causal or j <= i
                if seen:
                    yield svg.box(x, y, 39, 25, "blue", fill_opacity=0.5 * min(1.0, a[i, j].item()))
                    yield svg.text(x + 20, y + 17, svg.number(self.scores[TOKENS * i + j], 1))
        yield svg.outline(34 + 40 * self.column, 28 + 26 * self.row, 39, 25, "ink")

    def _outputs(self, sums: Tensor, outputs: Sequence[float]) -> Iterator[str]:
        yield svg.line(34, 380, 354, 380)
        for i, (total, output) in enumerate(zip(sums.tolist(), outputs, strict=True)):
            x = 34 + 40 * i
            yield svg.box(x + 8, 380 - 40 * output, 24, 40 * output, "blue")
            yield svg.outline(x + 4, 380 - 40 * total, 32, 40 * total, "vermilion")
            yield svg.text(x + 20, 376 - 40 * max(total, output), svg.number(output, 2))
            yield svg.text(x + 20, 396, str(i + 1))
        yield svg.text(8, 412, "outputs by row; dashed: the sum of the row's weights", "ink", "start")


def board(scores: Tensor, weights: Weights, *, causal: bool = False) -> Tensor:
    """Attention weights (n, n) of scores (n, n)."""
    n = len(scores)
    mask = torch.ones(n, n, dtype=torch.bool).tril() if causal else torch.ones(n, n, dtype=torch.bool)
    if weights == "sigmoid":
        return scores.sigmoid() * mask / n
    p = softmax(scores, mask=mask)
    if weights == "l2":
        return torch.nn.functional.normalize(p, dim=-1)
    steps = torch.arange(n, dtype=scores.dtype)
    return p * (1 + (steps - steps[:, None]) / n) if weights == "urpe" else p
