"""Two views: two sets of logits, their divergence, what each decides, and a shift between them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal, cast

import torch
import traitlets

from gpkl_lib.divergence import kl_divergence, symmetric_kl
from gpkl_lib.explore.base import Explorable
from gpkl_lib.explore.kit import svg
from gpkl_lib.explore.traits import Logits, Ranged


class TwoViews(Explorable):
    """D(s, t + c), class by class and against the shift c, with softmax or sigmoid, beside what both views decide.

    Args:
        s: logits of one view, 2 to 6.
        t: logits of the other, as many.
        shift: c, added to every logit of t; between -4 and 4.
        activation: "softmax" (decide for the largest logit) or "sigmoid" (for all above 0).

    Raises:
        traitlets.TraitError: a value outside these.
        ValueError: s and t differ in number.

    Example:
        >>> round(TwoViews([2.0, 0.0, -1.0], [1.0, 0.5, -1.0]).values()["total"], 4)
        0.3867
    """

    s = Logits()
    t = Logits()
    shift = Ranged(-4.0, 4.0)
    activation = traitlets.Enum(["softmax", "sigmoid"]).tag(sync=True)

    def __init__(
        self,
        s: Sequence[float] = (2.4, 0.6, -1.2, -2.6),
        t: Sequence[float] = (1.7, 1.1, -1.8, -1.9),
        *,
        shift: float = 0.0,
        activation: Literal["softmax", "sigmoid"] = "softmax",
    ) -> None:
        if len(s) != len(t):
            raise ValueError(f"s and t must have as many logits, got {len(s)} and {len(t)}")
        super().__init__(s=list(map(float, s)), t=list(map(float, t)), shift=shift, activation=activation)

    @property
    def _f(self) -> Literal["softmax", "sigmoid"]:
        return cast('Literal["softmax", "sigmoid"]', self.activation)

    def views(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Return s and t + c in float64."""
        return torch.tensor(self.s, dtype=torch.float64), torch.tensor(self.t, dtype=torch.float64) + self.shift

    def values(self) -> dict[str, float]:
        """Return the divergences that stand under the picture, in nats, by the library in float64."""
        s, t = self.views()
        return {
            "total": symmetric_kl(s, t, activation=self._f).item(),
            "forward": kl_divergence(s, t, activation=self._f).item(),
            "backward": kl_divergence(t, s, activation=self._f).item(),
        }

    def decisions(self) -> tuple[list[int], list[int]]:
        """Return the classes (from 0) that s and t + c decide for."""
        return _decode(self.views()[0], self.activation), _decode(self.views()[1], self.activation)

    def still(self) -> str:
        """Both sets of logits and each class's part of D as one SVG picture."""
        s, t = self.views()
        terms = symmetric_kl(s, t, activation=self._f, reduction="none")
        decided = self.decisions()
        left, right = (", ".join(str(i + 1) for i in view) or "none" for view in decided)
        total = self.values()["total"]
        alt = (
            f"Logits s: {svg.listed(s.tolist(), 1)}; logits t + c: {svg.listed(t.tolist(), 1)}, c = "
            f"{svg.number(self.shift, 1)}. With {self.activation}, D is {total:.4f} nats, class by class "
            f"{svg.listed(terms.tolist(), 3)}. Decided from s: {left}; from t + c: {right}."
        )
        summary = f"{self.activation}: *D* = {total:.4f} nats, *c* = {svg.number(self.shift, 1)}"
        decision = f"decided from *s*: {left}; from *t* + *c*: {right}"
        parts = [*_logits(s, t), *_parts(terms)]
        parts += [svg.text(8, 218, summary, "ink", "start"), svg.text(8, 238, decision, "ink", "start")]
        return svg.picture(360, 246, alt, parts)


def _decode(x: torch.Tensor, activation: str) -> list[int]:
    chosen = x > 0 if activation == "sigmoid" else x == x.max()
    return [int(i) for i in chosen.nonzero().flatten()]


def _logits(s: torch.Tensor, t: torch.Tensor) -> Iterator[str]:
    n, reach = len(s), max(1.0, torch.cat([s, t]).abs().max().item())
    yield svg.text(8, 16, "*s* ●   *t* + *c* ◆", "ink", "start")
    yield svg.line(8, 106, 168, 106)
    for i in range(n):
        at = 8 + 160 * (i + 0.5) / n
        a, b = (106 - 70 * view[i].item() / reach for view in (s, t))
        yield svg.line(at - 7, a, at + 7, b, "grey", width=1.5)
        yield svg.dot(at - 7, a, "blue")
        yield svg.dot(at + 7, b, "vermilion", "diamond")
        yield svg.text(at, 194, str(i + 1))


def _parts(terms: torch.Tensor) -> Iterator[str]:
    n, top = len(terms), max(terms.max().item(), 1e-12)
    yield svg.text(192, 16, "parts of *D*", "ink", "start")
    yield svg.line(192, 176, 352, 176)
    for i, value in enumerate(terms.tolist()):
        at, height = 192 + 160 * (i + 0.5) / n, 120 * value / max(top, 0.1)
        yield svg.box(at - 50 / n, 176 - height, 100 / n, height, "green")
        yield svg.text(at, 171 - height, f"{value:.2f}")
        yield svg.text(at, 194, str(i + 1))
