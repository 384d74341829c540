"""Same divergence, other decisions: a recorded board of span scores in two views, one of them moved by c."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Literal

import torch
import traitlets
from torch import Tensor

from gpkl_lib.divergence import symmetric_kl
from gpkl_lib.explore.base import Explorable
from gpkl_lib.explore.kit import svg
from gpkl_lib.explore.traits import Ranged, ScoreRows, check_triangles
from gpkl_lib.palette import PALETTE

if TYPE_CHECKING:
    from gpkl_lib.explore.recorded.boards import Board

SHIFT = 12.0


class OtherDecisions(Explorable):
    """D(s, t + c) of one type's board with softmax over its cells and with sigmoid, beside what both views decide.

    Args:
        tokens: L words, 2 to 14.
        types: H span types.
        s: scores of one view, for each type the L(L+1)/2 cells of the upper triangle row by row, of size at most 1e4.
        t: scores of another view, same form.
        kind: the type that is shown; the first where not given.
        second: "same" (the second view is s once more) or "dropout" (it is t).
        shift: c, added to every score of the second view; between -12 and 12.

    Raises:
        traitlets.TraitError: a value outside these.
        ValueError: tokens, types and scores do not fit together.

    Example:
        >>> tokens, scores = ["New", "York"], [[-2.0, 3.0, 1.0]]  # of "New", "New York", "York"
        >>> picture = OtherDecisions(tokens, ["LOC"], scores, scores, shift=-2.0)
        >>> round(picture.values()["softmax"], 6), picture.values()["flipped"]  # softmax sees no change
        (0.0, 1.0)
    """

    tokens = traitlets.List(traitlets.Unicode(), minlen=2, maxlen=14).tag(sync=True)
    types = traitlets.List(traitlets.Unicode(), minlen=1, maxlen=8).tag(sync=True)
    s = ScoreRows()
    t = ScoreRows()
    kind = traitlets.Unicode().tag(sync=True)
    second = traitlets.Enum(["same", "dropout"]).tag(sync=True)
    shift = Ranged(-SHIFT, SHIFT)

    def __init__(
        self,
        tokens: Sequence[str],
        types: Sequence[str],
        s: Sequence[Sequence[float]],
        t: Sequence[Sequence[float]],
        *,
        kind: str | None = None,
        second: Literal["same", "dropout"] = "same",
        shift: float = 0.0,
    ) -> None:
        cells = len(tokens) * (len(tokens) + 1) // 2
        check_triangles(cells, len(types), s=s, t=t)
        super().__init__(
            tokens=list(tokens),
            types=list(types),
            s=[list(map(float, row)) for row in s],
            t=[list(map(float, row)) for row in t],
            kind=types[0] if kind is None else kind,
            second=second,
            shift=float(shift),
        )

    @classmethod
    def from_board(cls, board: Board, **options: Any) -> OtherDecisions:
        """The two dropout views of a recorded board, to one decimal; the options are those of the class.

        Raises:
            ValueError: a score so near 0 that one decimal would change a decision.
        """
        from gpkl_lib.explore.recorded.boards import fold

        views = [[[round(x, 1) for x in row] for row in fold(view).tolist()] for view in board.views]
        for view, cells in zip(board.views, views, strict=True):
            if not torch.equal(fold(view) > 0, torch.tensor(cells) > 0):
                raise ValueError("to one decimal a score of this board changes its decision; take another board")
        return cls(board.tokens, board.types, *views, **options)

    @traitlets.validate("kind")
    def _validate_kind(self, proposal: dict[str, Any]) -> str:
        if proposal["value"] not in self.types:
            raise traitlets.TraitError(f"kind must be one of {', '.join(self.types)}, got {proposal['value']!r}")
        return str(proposal["value"])

    def views(self) -> tuple[Tensor, Tensor]:
        """Return s and the second view plus c of the type shown, flat, in float64."""
        row = self.types.index(self.kind)
        first, second = (
            torch.tensor(view[row], dtype=torch.float64)
            for view in (self.s, self.s if self.second == "same" else self.t)
        )
        return first, second + self.shift

    def values(self) -> dict[str, float]:
        """The numbers under the picture, by the library in float64: nats, and counts of spans."""
        s, t = self.views()
        return {
            "softmax": symmetric_kl(s, t, activation="softmax").item(),
            "sigmoid": symmetric_kl(s, t, activation="sigmoid").item(),
            "flipped": float(((s > 0) != (t > 0)).sum()),
            "decided": float((t > 0).sum()),
        }

    def spans(self) -> tuple[list[str], list[str]]:
        """Return the words of the spans that s and the second view decide for."""
        rows, columns = torch.triu_indices(len(self.tokens), len(self.tokens)).tolist()
        words = [" ".join(self.tokens[i : j + 1]) for i, j in zip(rows, columns, strict=True)]
        first, second = ([word for word, x in zip(words, view.tolist(), strict=True) if x > 0] for view in self.views())
        return first, second

    def still(self) -> str:
        """Both boards and both divergences as one SVG picture."""
        value, (first, second) = self.values(), self.spans()
        alt = (
            f"Two upper triangular boards of {len(self.tokens)} tokens, type {self.kind}: which spans score above 0. "
            f"View s decides {_listed(first)}; the {'same' if self.second == 'same' else 'dropout'} view moved by "
            f"{svg.number(self.shift, 1)} decides {_listed(second)}. Softmax D is {svg.number(value['softmax'], 4)}, "
            f"sigmoid D {svg.number(value['sigmoid'], 4)} nats."
        )
        summary = (
            f"softmax *D* = {svg.number(value['softmax'], 4)}, sigmoid *D* = {svg.number(value['sigmoid'], 4)} nats"
        )
        views = self.views()
        parts = [*_board(views[0], len(self.tokens), 8, "blue"), *_board(views[1], len(self.tokens), 192, "vermilion")]
        parts += [svg.text(8, 16, f"*s*, {self.kind}", "ink", "start")]
        parts += [svg.text(192, 16, f"{self.second} + *c*, *c* = {svg.number(self.shift, 1)}", "ink", "start")]
        parts += [svg.text(8, 208, summary, "ink", "start")]
        parts += [svg.text(8, 228, f"{value['flipped']:.0f} decisions differ", "ink", "start")]
        return svg.picture(360, 236, alt, parts)


def _listed(spans: list[str]) -> str:
    return ", ".join(spans[:6]) + (f" and {len(spans) - 6} more" if len(spans) > 6 else "") or "nothing"


def _board(scores: Tensor, length: int, left: float, tone: str) -> Iterator[str]:
    size, edges = 160 / length, range(length + 1)
    rows = "".join(f"M{left + size * max(k - 1, 0):.1f} {28 + size * k:.1f}H{left + 160:.1f}" for k in edges)
    columns = "".join(f"M{left + size * k:.1f} 28V{28 + size * min(k + 1, length):.1f}" for k in edges)
    yield svg.tag("path", d=rows + columns, fill="none", stroke=PALETTE["grey"], stroke_width=0.5)
    for cell, (i, j) in enumerate(torch.triu_indices(length, length).T.tolist()):
        if scores[cell] > 0:
            yield svg.box(left + size * j + 1, 29 + size * i, size - 2, size - 2, tone)
