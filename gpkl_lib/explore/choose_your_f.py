"""Choose your f: the divergence <f(s/T) - f(t/T), s - t> of one logit for a whole family of f, and how it pulls."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Literal

import torch
import traitlets
from torch import Tensor

from gpkl_lib.divergence import symmetric_kl
from gpkl_lib.explore.base import Explorable
from gpkl_lib.explore.kit import svg
from gpkl_lib.explore.traits import Ranged

Name = Literal["identity", "clipped", "tanh", "sigmoid", "step"]
FAMILY: dict[str, Callable[[Tensor], Tensor]] = {
    "identity": lambda x: x,
    "clipped": lambda x: (x / 4 + 0.5).clamp(0, 1),
    "tanh": torch.tanh,
    "sigmoid": torch.sigmoid,
    "step": lambda x: (x > 0).to(x.dtype),
}


class ChooseYourF(Explorable):
    """D = (f(s/T) - f(t/T))(s - t) as the area of a rectangle, with its gradient and curvature as s runs.

    Args:
        f: "identity", "clipped" (x/4 + 1/2 between 0 and 1), "tanh", "sigmoid" or "step" (1 above 0).
        s: the logit that is pulled, of size at most 1000.
        t: the other logit.
        temperature: T, 0.05 to 20.

    Raises:
        traitlets.TraitError: a value outside these.

    Example:
        >>> round(ChooseYourF("sigmoid", s=-3.0, t=2.0).values()["divergence"], 3)
        4.167
    """

    f = traitlets.Enum(list(FAMILY)).tag(sync=True)
    s = Ranged(-1000.0, 1000.0)
    t = Ranged(-1000.0, 1000.0)
    temperature = Ranged(0.05, 20.0)

    def __init__(self, f: Name = "sigmoid", s: float = -3.0, t: float = 2.0, *, temperature: float = 1.0) -> None:
        super().__init__(f=f, s=float(s), t=float(t), temperature=float(temperature))

    def values(self) -> dict[str, float]:
        """D and its first two derivatives by s, and the derivative of (f(s/T) - f(t/T))^2: by the library and autograd.

        All in float64. The library's D is <f(s/T) - f(t/T), s/T - t/T>; T times that is D here.
        """
        s, t = (torch.tensor(x, dtype=torch.float64, requires_grad=True) for x in (self.s, self.t))
        divergence = self._divergence(s, t)
        gradient = _slope(divergence, s)
        f, T = FAMILY[self.f], self.temperature
        return {
            "divergence": divergence.item(),
            "gradient": gradient.item(),
            "curvature": _slope(gradient, s).item(),
            "rival": _slope((f(s / T) - f(t / T)).square(), s).item(),
        }

    def _divergence(self, s: Tensor, t: Tensor) -> Tensor:
        """D by the library; tanh is a sigmoid at half the temperature, which keeps its digits."""
        T = self.temperature
        if self.f == "tanh":
            return T * symmetric_kl(s, t, activation="sigmoid", temperature=T / 2)
        return T * symmetric_kl(s, t, activation="sigmoid" if self.f == "sigmoid" else FAMILY[self.f], temperature=T)

    def still(self) -> str:
        """The graph of f with the rectangle whose area is D, and the numbers, as one SVG picture."""
        value = self.values()
        alt = (
            f"Graph of {self.f} of x over T = {self.temperature:g}, a rectangle between t = {svg.number(self.t, 2)} "
            f"and s = {svg.number(self.s, 2)}. Its area, D, is {svg.number(value['divergence'], 4)}; the gradient by s "
            f"is {svg.number(value['gradient'], 4)}, the curvature {svg.number(value['curvature'], 4)}; the squared "
            f"difference of the decisions has the gradient {svg.number(value['rival'], 4)}."
        )
        line = f"*D* = {svg.number(value['divergence'], 4)}, gradient {svg.number(value['gradient'], 4)}"
        more = f"curvature {svg.number(value['curvature'], 4)}, of the squared gap {svg.number(value['rival'], 4)}"
        parts = [*self._graph(), svg.text(8, 226, line, "ink", "start"), svg.text(8, 246, more, "ink", "start")]
        return svg.picture(360, 254, alt, parts)

    def _graph(self) -> Iterator[str]:
        f, reach = FAMILY[self.f], max(8.0, abs(self.s), abs(self.t))
        x = torch.linspace(-reach, reach, 161, dtype=torch.float64)
        y = f(x / self.temperature)
        low, high = y.min().item(), y.max().item()

        def at(px: float, py: float) -> tuple[float, float]:
            return 180 + 160 * px / reach, 180 - 140 * (py - low) / (high - low)

        (x1, y1), (x2, y2) = (
            at(v, f(torch.tensor(v / self.temperature, dtype=torch.float64)).item()) for v in (self.t, self.s)
        )
        yield svg.text(8, 16, f"*f*(*x*/*T*), *f* = {self.f}, *T* = {self.temperature:g}", "ink", "start")
        yield svg.line(20, 180, 340, 180)
        yield svg.box(min(x1, x2), min(y1, y2), abs(x1 - x2), abs(y1 - y2), "green", fill_opacity=0.25)
        points = " ".join(f"{a:.1f},{b:.1f}" for a, b in map(at, x.tolist(), y.tolist()))
        yield svg.tag("polyline", points=points, fill="none", stroke="currentColor", stroke_width=2)
        yield svg.dot(x2, y2, "blue")
        yield svg.dot(x1, y1, "vermilion", "diamond")
        yield svg.text(x2, 198, "*s*", "blue")
        yield svg.text(x1, 198 if abs(x1 - x2) > 14 else 210, "*t*", "vermilion")


def _slope(value: Tensor, by: Tensor) -> Tensor:
    """The derivative of `value`, 0 where it does not depend on `by`."""
    if not value.requires_grad:
        return torch.zeros_like(by)
    (slope,) = torch.autograd.grad(value, by, create_graph=True, materialize_grads=True)
    return slope
