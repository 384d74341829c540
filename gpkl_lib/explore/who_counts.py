"""Who counts: the spans of an unlabelled sentence by the confidence of the target, and what each costs its copy."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Literal

import torch
import traitlets
from torch import Tensor

from gpkl_lib.consistency import MaskedLoss, uda_loss
from gpkl_lib.explore.base import Explorable
from gpkl_lib.explore.kit import svg
from gpkl_lib.explore.recorded.boards import fold
from gpkl_lib.explore.traits import Ranged, ScoreRows, check_triangles

if TYPE_CHECKING:
    from gpkl_lib.explore.recorded.boards import Board

FAR = 10.0
"""Confidence is drawn by its log-odds |t|, up to this."""
LOWEST, HIGHEST = 0.5, 0.9999
COLDEST, HOTTEST = 0.05, 20.0


class WhoCounts(Explorable):
    """KL(sigmoid(t / T) || sigmoid(s)) of every span, those counted whose target is surer than a threshold.

    Args:
        tokens: L words, 1 to 14.
        types: H span types.
        t: scores of the sentence, for each type the L(L+1)/2 spans row by row, of size at most 1e4.
        s: scores of its copy, same form.
        threshold: a span counts if the larger of sigmoid(t) and sigmoid(-t) is above it; 0.5 to 0.9999.
        temperature: T of the target alone, 0.05 to 20.
        who: "every span", or "yes only": those that the target decides for, t > 0.

    Raises:
        traitlets.TraitError: a value outside these.
        ValueError: tokens, types and scores do not fit together.

    Example:
        >>> tokens, scores = ["New", "York"], [[-2.0, 3.0, 1.0]]  # of "New", "New York", "York"
        >>> WhoCounts(tokens, ["LOC"], scores, [[-1.0, 2.0, 0.5]], threshold=0.8).values()["counted"]
        2.0
    """

    tokens = traitlets.List(traitlets.Unicode(), minlen=1, maxlen=14).tag(sync=True)
    types = traitlets.List(traitlets.Unicode(), minlen=1, maxlen=8).tag(sync=True)
    t = ScoreRows()
    s = ScoreRows()
    threshold = Ranged(LOWEST, HIGHEST)
    temperature = Ranged(COLDEST, HOTTEST)
    who = traitlets.Enum(["every span", "yes only"]).tag(sync=True)

    def __init__(
        self,
        tokens: Sequence[str],
        types: Sequence[str],
        t: Sequence[Sequence[float]],
        s: Sequence[Sequence[float]],
        *,
        threshold: float = 0.8,
        temperature: float = 1.0,
        who: Literal["every span", "yes only"] = "every span",
    ) -> None:
        cells = len(tokens) * (len(tokens) + 1) // 2
        check_triangles(cells, len(types), t=t, s=s)
        super().__init__(
            tokens=list(tokens),
            types=list(types),
            t=[list(map(float, row)) for row in t],
            s=[list(map(float, row)) for row in s],
            threshold=float(threshold),
            temperature=float(temperature),
            who=who,
        )

    @classmethod
    def from_scores(
        cls, tokens: Sequence[str], types: Sequence[str], t: Tensor, s: Tensor, **options: Any
    ) -> WhoCounts:
        """Of score matrices (H, L, L), to two decimals; the options are those of the class."""
        rows = [[[round(x, 2) for x in row] for row in fold(board).tolist()] for board in (t, s)]
        return cls(tokens, types, *rows, **options)

    @classmethod
    def from_board(cls, board: Board, **options: Any) -> WhoCounts:
        """Of a recorded board: t without dropout, s its first dropout view in the place of an altered copy."""
        return cls.from_scores(board.tokens, board.types, board.scores, board.views[0], **options)

    def scores(self) -> tuple[Tensor, Tensor]:
        """All of s and of t, float64, type after type."""
        one, other = (torch.tensor(rows, dtype=torch.float64).flatten() for rows in (self.s, self.t))
        return one, other

    def loss(self, reduction: Literal["none", "mean", "mean_confident"] = "none") -> MaskedLoss:
        """`uda_loss` of the spans that may count."""
        s, t = self.scores()
        mask = t > 0 if self.who == "yes only" else None
        return uda_loss(
            s,
            t,
            activation="sigmoid",
            mask=mask,
            temperature=self.temperature,
            threshold=self.threshold,
            reduction=reduction,
        )

    def counted(self) -> Tensor:
        """Which spans count, boolean."""
        _, t = self.scores()
        return (torch.sigmoid(t.abs()) > self.threshold) & ((t > 0) | (self.who == "every span"))

    def values(self) -> dict[str, float]:
        """How many count, how many of them say yes, the loss divided both ways, its part from a yes, and the push.

        `by_all` divides by every span of the board, `by_sure` by those counted. `push` is the sum of the gradients by
        the copy's scores: above 0 descent moves the scores down, all together.
        """
        s, t = self.scores()
        sure, terms = self.counted(), self.loss().loss
        whole = terms.sum().item()
        return {
            "counted": float(sure.sum()),
            "yes": float((sure & (t > 0)).sum()),
            "by_all": whole / len(t),
            "by_sure": self.loss("mean_confident").loss.item(),
            "from_yes": terms[t > 0].sum().item() / whole if whole else 0.0,
            "push": (torch.sigmoid(s) - torch.sigmoid(t / self.temperature))[sure].sum().item(),
        }

    def still(self) -> str:
        """Every span at its confidence, what it costs as its height, yes above and no below, as one SVG picture."""
        value, (_, t) = self.values(), self.scores()
        few = f"{value['counted']:.0f} of {len(t)} spans count, {value['yes']:.0f} of {int((t > 0).sum())} that say yes"
        alt = (
            f"Spans of the sentence: {' '.join(self.tokens)} By the confidence of the target, threshold "
            f"{self.threshold:g}, temperature {self.temperature:g}, {self.who}: {few}. Loss divided by all "
            f"{svg.number(value['by_all'], 4)}, by those counted {svg.number(value['by_sure'], 4)}; "
            f"{100 * value['from_yes']:.0f} % of it from a yes."
        )
        lines = [
            f"{self.who}, threshold {self.threshold:g}, *T* = {self.temperature:g}",
            few,
            f"by all {svg.number(value['by_all'], 4)}, by those counted {svg.number(value['by_sure'], 4)}",
            f"{100 * value['from_yes']:.0f} % of it from a yes; push {svg.number(value['push'], 2)}",
        ]
        parts = [svg.text(8, 214 + 18 * n, text, "ink", "start") for n, text in enumerate(lines)]
        return svg.picture(360, 280, alt, [*self._strip(), *parts])

    def _strip(self) -> Iterator[str]:
        (_, t), sure = self.scores(), self.counted().tolist()
        terms = uda_loss(*self.scores(), activation="sigmoid", temperature=self.temperature, reduction="none").loss
        top = max(terms.max().item(), 1e-3)
        at = 20 + 32 * math.log(self.threshold / (1 - self.threshold))
        yield svg.box(at, 10, 340 - at, 160, "vermilion", fill_opacity=0.1)
        yield svg.line(20, 90, 340, 90)
        yield svg.line(at, 10, at, 170, "vermilion", stroke_dasharray="4 3")
        order = torch.argsort(terms, descending=True)[:120].tolist()  # the rest would be drawn on the line itself
        for place in order:
            x, up = 20 + 32 * min(abs(t[place].item()), FAR), 1 if t[place] > 0 else -1
            y = 90 - up * max(70 * terms[place].item() / top, 3)
            tone = "grey" if not sure[place] else "green" if up > 0 else "blue"
            yield svg.line(x, 90, x, y, tone, width=2)
        for confidence in (0.5, 0.9, 0.99, 0.999, 0.9999):
            x = 20 + 32 * math.log(confidence / (1 - confidence))
            yield svg.text(x, 188, f"{confidence:g}", "grey")
        yield svg.text(24, 24, "yes", "green", "start")
        yield svg.text(24, 164, "no", "blue", "start")
