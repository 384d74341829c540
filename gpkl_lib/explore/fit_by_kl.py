"""Fit by KL: two modes and one Gaussian; which KL is minimised decides what the Gaussian becomes."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Literal

import torch
import traitlets
from torch import Tensor

from gpkl_lib.explore.base import Explorable
from gpkl_lib.explore.kit import svg
from gpkl_lib.explore.traits import Ranged
from gpkl_lib.palette import PALETTE

Direction = Literal["forward", "reverse", "symmetric"]
SHARE = 0.6  # of the left mode
MEANS, WIDTHS, GAPS = (-6.0, 6.0), (0.3, 5.0), (0.0, 8.0)
FORMULA = {"forward": "KL(*p*‖*q*)", "reverse": "KL(*q*‖*p*)", "symmetric": "KL(*p*‖*q*) + KL(*q*‖*p*)"}


def log_modes(x: Tensor, gap: float | Tensor) -> Tensor:
    """log p(x) of the target: modes of width 1 at -gap/2 (share 0.6) and gap/2 (share 0.4); shape of `x`."""
    sides = torch.stack([log_normal(x, -gap / 2, 1.0), log_normal(x, gap / 2, 1.0)], -1)
    return torch.logsumexp(sides + torch.tensor([SHARE, 1 - SHARE], dtype=x.dtype).log(), -1)


def log_normal(x: Tensor, mean: float | Tensor, width: float | Tensor) -> Tensor:
    """log of the density of N(mean, width^2) at x; shape of `x`."""
    width = torch.as_tensor(width, dtype=x.dtype)
    return -((x - mean) / width).square() / 2 - width.log() - math.log(2 * math.pi) / 2


def divergences(mean: float | Tensor, width: float | Tensor, gap: float) -> dict[str, Tensor]:
    """KL between the two modes p and q = N(mean, width^2), both ways and their sum, in nats, by quadrature in float64.

    The integrand p log(p/q) - p + q is never negative, so nothing cancels; the trapezium rule on 3,001 points takes
    in twelve widths of either side. Differentiable by `mean` and `width`. Keys: "forward" KL(p||q), "reverse" KL(q||p),
    "symmetric".
    """
    centre, spread = (float(x.detach()) if isinstance(x, Tensor) else x for x in (mean, width))
    low, high = min(-gap / 2 - 12, centre - 12 * spread), max(gap / 2 + 12, centre + 12 * spread)
    x = torch.linspace(low, high, 3001, dtype=torch.float64)
    a, b = log_modes(x, gap), log_normal(x, mean, width)
    p, q, u = a.exp(), b.exp(), a - b
    forward = torch.trapezoid(p * u - p + q, x)
    reverse = torch.trapezoid(-q * u - q + p, x)
    return {"forward": forward, "reverse": reverse, "symmetric": forward + reverse}


def fit_loss(*, mean: float, width: float, gap: float, direction: Direction) -> float:
    """The chosen divergence of the two modes and N(mean, width^2), in nats."""
    return float(divergences(mean, width, gap)[direction])


def descend(*, mean: float, width: float, gap: float, direction: Direction, steps: int = 3000) -> tuple[float, float]:
    """(mean, width) where gradient descent on (mean, log width), with slopes by autograd, comes to rest.

    Each step is halved until the divergence falls, and cut off at the ends of the ranges that a state may take.
    """
    ends = torch.tensor([MEANS, [math.log(w) for w in WIDTHS]], dtype=torch.float64)
    at = torch.tensor([mean, math.log(width)], dtype=torch.float64)
    for _ in range(steps):
        at.requires_grad_()
        loss = divergences(at[0], at[1].exp(), gap)[direction]
        (slope,) = torch.autograd.grad(loss, at)
        at = at.detach()
        rate = min(0.5, 0.4 / max(slope.norm().item(), 1e-300))
        while rate > 1e-12:
            new = (at - rate * slope).clamp(ends[:, 0], ends[:, 1])
            if divergences(new[0], new[1].exp(), gap)[direction] < loss:
                break
            rate /= 2
        if rate <= 1e-12 or slope.norm() < 1e-7:
            break
        at = new
    return at[0].item(), at[1].exp().item()


class FitByKL(Explorable):
    """One Gaussian q = N(mean, width^2) against a target p with two modes, by KL one way, the other way, or both.

    Args:
        mean: of q, -6 to 6.
        width: standard deviation of q, 0.3 to 5.
        gap: distance of the target's two modes, 0 to 8; the left one has a share of 0.6, both have width 1.
        direction: what is minimised: "forward" KL(p||q), "reverse" KL(q||p), "symmetric" their sum.

    Raises:
        traitlets.TraitError: a value outside these.

    Example:
        >>> round(FitByKL(mean=0.0, width=2.0).values()["objective"], 2)
        0.77
    """

    mean = Ranged(*MEANS)
    width = Ranged(*WIDTHS)
    gap = Ranged(*GAPS)
    direction = traitlets.Enum(["forward", "reverse", "symmetric"]).tag(sync=True)

    def __init__(
        self, *, mean: float = 1.0, width: float = 0.8, gap: float = 6.0, direction: Direction = "forward"
    ) -> None:
        super().__init__(mean=float(mean), width=float(width), gap=float(gap), direction=direction)

    def values(self) -> dict[str, float]:
        """The divergences under the picture, in nats; "objective" is the chosen one."""
        found = {key: float(value) for key, value in divergences(self.mean, self.width, self.gap).items()}
        return {"objective": found[self.direction], **found}

    def still(self) -> str:
        """Both densities and the three numbers as one SVG picture."""
        value = self.values()
        alt = (
            f"A density p with two modes {self.gap:g} apart, the left one the larger, and one Gaussian q with mean "
            f"{svg.number(self.mean, 2)} and width {self.width:.2f}. KL(p‖q) is {value['forward']:.4f} nats, "
            f"KL(q‖p) {value['reverse']:.4f} nats, their sum {value['symmetric']:.4f}."
        )
        numbers = f"KL(*p*‖*q*) = {value['forward']:.4f}, KL(*q*‖*p*) = {value['reverse']:.4f} nats"
        chosen = f"minimised: {FORMULA[self.direction]}, now {value['objective']:.4f} nats"
        notes = [svg.text(8, 212, numbers, "ink", "start"), svg.text(8, 232, chosen, "ink", "start")]
        return svg.picture(360, 242, alt, [*self._densities(), *notes])

    def _densities(self) -> Iterator[str]:
        x = torch.linspace(-8, 8, 161, dtype=torch.float64)
        p, q = log_modes(x, self.gap).exp(), log_normal(x, self.mean, self.width).exp()
        top = max(p.max().item(), q.max().item())
        yield svg.text(8, 16, "*p* full, *q* dashed", "ink", "start")
        yield svg.line(8, 176, 352, 176)
        for y, tone, dash in ((p, "blue", "none"), (q, "vermilion", "6 4")):
            points = " ".join(
                f"{8 + 21.5 * (a + 8):.1f},{176 - 146 * b / top:.1f}"
                for a, b in zip(x.tolist(), y.tolist(), strict=True)
            )
            yield svg.tag(
                "polyline",
                points=points,
                class_=f"gpkl-{tone}",
                fill="none",
                stroke=PALETTE[tone],
                stroke_width=2,
                stroke_dasharray=dash,
                style=f"stroke:var(--tone, {PALETTE[tone]})",
            )
        for tick in (-6, -3, 0, 3, 6):
            yield svg.text(8 + 21.5 * (tick + 8), 194, svg.number(tick, 0), "grey")
