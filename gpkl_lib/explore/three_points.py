"""Three points: a line between them, and where cross-entropy, hinge loss and smooth accuracy put it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid, softplus

from gpkl_lib.explore.base import Explorable
from gpkl_lib.explore.kit import svg
from gpkl_lib.explore.traits import Ranged
from gpkl_lib.palette import PALETTE

POINTS = torch.tensor([-0.25, 0.0, 0.25], dtype=torch.float64)
SIDES = torch.tensor([-1.0, -1.0, 1.0], dtype=torch.float64)
WARM = 0.25 / math.log((1 + math.sqrt(5)) / 2)
"""The T from which on the smooth accuracy has no largest value at any finite b."""
REACH = (-0.5, 2.5)


def margins(b: float | Tensor) -> Tensor:
    """y (x - b) of the three points, y = +-1; positive where the line stands right. Shape (..., 3) for b of (...)."""
    return SIDES * (POINTS - torch.as_tensor(b, dtype=torch.float64)[..., None])


def accuracy(b: float | Tensor) -> Tensor:
    """The share of the three points on their side of the line at b."""
    return (margins(b) > 0).double().mean(-1)


def hinge(b: float | Tensor, scale: float) -> Tensor:
    """Mean hinge loss of the logits scale * (x - b), with a margin of 1."""
    return torch.relu(1 - scale * margins(b)).mean(-1)


def cross_entropy(b: float | Tensor, scale: float) -> Tensor:
    """Mean cross-entropy of the logits scale * (x - b), in nats."""
    return softplus(-scale * margins(b), threshold=1e3).mean(-1)


def smooth_accuracy(b: float | Tensor, temperature: float) -> Tensor:
    """Mean of sigmoid(y (x - b)/T): accuracy with each decision made smooth."""
    return logsigmoid(margins(b) / temperature).exp().mean(-1)  # sigmoid's own gradient loses its digits on one side


def slope(loss: Callable[[Tensor], Tensor], b: float) -> float:
    """The derivative of a loss at b, by autograd."""
    at = torch.tensor(b, dtype=torch.float64, requires_grad=True)
    return torch.autograd.grad(loss(at), at)[0].item()


def best_cross_entropy(scale: float) -> float:
    """The b of the least cross-entropy: where the sigmoids of the three logits add up to 1, the positives."""
    return _turn(
        lambda b: torch.sigmoid(scale * (POINTS - b)).sum().item() > 1, 0.0, 0.25 + math.log(2) / scale
    )  # three points at 1/4 would have it at the upper end


def best_smooth_accuracy(temperature: float) -> float:
    """The b of the largest smooth accuracy; infinity where there is none, from WARM on."""
    if temperature >= WARM:
        return math.inf
    v = math.exp(-0.25 / temperature)

    def rises(b: float) -> bool:  # the slope over q = e^(-b/T), so that it cannot underflow
        q = math.exp(-b / temperature)
        return v / (1 + v * q) ** 2 + 1 / (1 + q) ** 2 > v / (v + q) ** 2

    high = 0.25
    while rises(high):
        high *= 2
    return _turn(rises, 0.0, high)


def _turn(rises: Callable[[float], bool], low: float, high: float) -> float:
    """Where `rises` turns from True to False."""
    for _ in range(200):
        middle = (low + high) / 2
        low, high = (middle, high) if rises(middle) else (low, middle)
    return (low + high) / 2


class ThreePoints(Explorable):
    """A line at b between the points -1/4 and 0, labelled -, and 1/4, labelled +; and what three losses say of it.

    Args:
        b: where the line stands, -0.5 to 2.5; what is above it is called +.
        scale: w of the logits w(x - b), for cross-entropy and hinge loss, 0.3 to 32.
        temperature: T of the smooth accuracy, 0.02 to 2.

    Raises:
        traitlets.TraitError: a value outside these.

    Example:
        >>> value = ThreePoints(scale=1.0, temperature=0.1).values()
        >>> round(value["cross_best"], 4), round(value["smooth_best"], 4)  # beyond all three points; in the gap
        (0.7001, 0.1356)
    """

    b = Ranged(*REACH)
    scale = Ranged(0.3, 32.0)
    temperature = Ranged(0.02, 2.0)

    def __init__(self, *, b: float = 1.0, scale: float = 1.0, temperature: float = 0.3) -> None:
        super().__init__(b=float(b), scale=float(scale), temperature=float(temperature))

    def values(self) -> dict[str, float]:
        """The numbers under the picture, by the library in float64; means over the three points, slopes by b."""
        b, w, T = self.b, self.scale, self.temperature
        return {
            "accuracy": accuracy(b).item(),
            "cross": cross_entropy(b, w).item(),
            "cross_slope": slope(lambda at: cross_entropy(at, w), b),
            "cross_best": best_cross_entropy(w),
            "hinge": hinge(b, w).item(),
            "smooth": smooth_accuracy(b, T).item(),
            "smooth_slope": slope(lambda at: smooth_accuracy(at, T), b),
            "smooth_best": best_smooth_accuracy(T),
        }

    def still(self) -> str:
        """The line among the points, cross-entropy and smooth accuracy over b, as one SVG picture."""
        value = self.values()
        ends = {key: svg.number(value[key], 4) for key in ("cross_best", "smooth_best")}
        now = svg.number(value["smooth"], 4)
        alt = (
            f"A line at b = {svg.number(self.b, 2)} among three points, two labelled minus at −0.25 and 0, one "
            f"labelled plus at 0.25; {round(3 * value['accuracy'])} of the 3 are right. Cross-entropy at the scale "
            f"{self.scale:g} is least at b = {ends['cross_best']}; the smooth accuracy at T = {self.temperature:g} is "
            f"{now} here and largest at b = {ends['smooth_best']}."
        )
        lines = (
            f"cross-entropy (full, *w* = {self.scale:g}): best *b* {ends['cross_best']}",
            f"smooth accuracy (dashed, *T* = {self.temperature:g}): {now}, best *b* {ends['smooth_best']}",
        )
        notes = [svg.text(8, 218 + 20 * k, line, "ink", "start") for k, line in enumerate(lines)]
        return svg.picture(360, 248, alt, [*self._curves(), *notes])

    def _curves(self) -> Iterator[str]:
        grid = torch.linspace(*REACH, 151, dtype=torch.float64)

        def across(b: float) -> float:
            return 16 + 328 * (b - REACH[0]) / (REACH[1] - REACH[0])

        yield svg.box(across(0), 40, across(0.25) - across(0), 140, "grey", opacity=0.2)
        for y, top, tone, dash in (
            (cross_entropy(grid, self.scale), 2.0, "blue", "none"),
            (smooth_accuracy(grid, self.temperature), 1.0, "purple", "8 4"),
        ):
            points = " ".join(
                f"{across(b):.1f},{180 - 130 * min(v / top, 1.06):.1f}"
                for b, v in zip(grid.tolist(), y.tolist(), strict=True)
            )
            yield svg.tag(
                "polyline", points=points, class_=f"gpkl-{tone}", fill="none", stroke=PALETTE[tone], stroke_width=2,
                stroke_dasharray=dash, style=f"stroke:var(--tone, {PALETTE[tone]})",
            )  # fmt: skip
        yield svg.line(16, 180, 344, 180)
        yield svg.line(across(self.b), 30, across(self.b), 180, "ink", width=1.5)
        for x, side, right in zip(POINTS.tolist(), "−−+", (margins(self.b) > 0).tolist(), strict=True):
            yield svg.dot(across(x), 30, "green" if right else "vermilion", "circle" if right else "diamond")
            yield svg.text(across(x), 19, side)
        for tick in (-0.5, 0.0, 0.5, 1.0, 1.5, 2.0, 2.5):
            yield svg.text(across(tick), 196, svg.number(tick, 1), "grey")
