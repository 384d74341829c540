"""Variance along the way: two sets of logits, the softmax at a place between them, and the variance it sees there."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

import torch
from torch import Tensor

from gpkl_lib.divergence import symmetric_kl
from gpkl_lib.explore.base import Explorable
from gpkl_lib.explore.kit import svg
from gpkl_lib.explore.traits import Logits, Ranged

PLACES = 41


class VarianceAlongTheWay(Explorable):
    """The variance of s - t under the softmax at t + place (s - t), whose mean over the places is D(s, t).

    Args:
        s: logits of one view, 2 to 6.
        t: logits of the other, as many.
        place: where on the straight way from t (0) to s (1).

    Raises:
        traitlets.TraitError: a value outside these.
        ValueError: s and t differ in number.

    Example:
        >>> picture = VarianceAlongTheWay([2.0, 0.0, -1.0], [1.0, 0.5, -1.0], place=1.0)
        >>> round(picture.values()["area"], 4), round(picture.values()["d"], 4)  # the whole way
        (0.3867, 0.3867)
    """

    s = Logits()
    t = Logits()
    place = Ranged(0.0, 1.0)

    def __init__(
        self, s: Sequence[float] = (3.0, 0.0, -1.0), t: Sequence[float] = (-2.0, 1.0, 0.0), *, place: float = 0.5
    ) -> None:
        if len(s) != len(t):
            raise ValueError(f"s and t must have as many logits, got {len(s)} and {len(t)}")
        super().__init__(s=list(map(float, s)), t=list(map(float, t)), place=place)

    def views(self) -> tuple[Tensor, Tensor]:
        """Return s and t in float64."""
        return torch.tensor(self.s, dtype=torch.float64), torch.tensor(self.t, dtype=torch.float64)

    def variance(self, place: float) -> float:
        """Return the variance of s - t under the softmax at a place."""
        s, t = self.views()
        r, gap = torch.softmax(t + place * (s - t), -1), s - t
        return (r * (gap - (r * gap).sum()) ** 2).sum().item()

    def values(self) -> dict[str, float]:
        """Return the variance here, its sum from t up to here, and D, in nats, by the library in float64."""
        s, t = self.views()
        here = symmetric_kl(t + self.place * (s - t), t).item() / self.place if self.place else 0.0
        return {"variance": self.variance(self.place), "area": here, "d": symmetric_kl(s, t).item()}

    def still(self) -> str:
        """Return probabilities, differences and the curve of the variance as one SVG picture."""
        s, t = self.views()
        r, value = torch.softmax(t + self.place * (s - t), -1), self.values()
        alt = (
            f"Two views, s {svg.listed(self.s, 1)} and t {svg.listed(self.t, 1)}. At the place {self.place:g} between "
            f"them softmax gives {svg.listed(r.tolist(), 3)}, and the variance of s - t is "
            f"{svg.number(value['variance'], 4)}. "
            f"Its mean over the whole way is D = {svg.number(value['d'], 4)} nats."
        )
        shown = [self.variance(k / (PLACES - 1)) for k in range(PLACES)]
        return svg.picture(360, 322, alt, [*_bars(r, s - t), *_curve(shown, self.place, value)])


def _bars(r: Tensor, gap: Tensor) -> Iterator[str]:
    yield svg.text(8, 16, "*r*, and *s* - *t* below", "ink", "start")
    yield svg.line(8, 110, 352, 110)
    for i, (share, difference) in enumerate(zip(r.tolist(), gap.tolist(), strict=True)):
        at = 8 + 344 * (i + 0.5) / len(r)
        yield svg.box(at - 22, 110 - 78 * share, 44, 78 * share, "blue")
        yield svg.text(at, 106 - 78 * share, f"{share:.2f}")
        yield svg.text(at, 130, svg.number(difference, 1), "vermilion")


def _curve(shown: list[float], place: float, value: dict[str, float]) -> Iterator[str]:
    top = max(*shown, value["d"], 1e-300)
    points = [(20 + 320 * k / (len(shown) - 1), 290 - 110 * v / top) for k, v in enumerate(shown)]
    yield svg.text(8, 160, "variance of *s* - *t* from *t* to *s*; dashed: *D*, its mean", "ink", "start")
    yield svg.line(20, 290, 340, 290)
    for (x, y), (x2, y2) in pairwise(points):
        yield svg.line(x, y, x2, y2, "blue", width=2)
    height = 290 - 110 * value["d"] / top
    yield svg.line(20, height, 340, height, "vermilion", stroke_dasharray="4 3", width=2)
    yield svg.line(20 + 320 * place, 176, 20 + 320 * place, 290, "ink")
    yield svg.text(20, 312, "*t*")
    yield svg.text(340, 312, "*s*")
    yield svg.text(180, 312, f"*D* = {svg.number(value['d'], 4)}", "vermilion")
