"""Adversarial direction: an embedding of two numbers, the divergence around it, and power iteration step by step."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from gpkl_lib.divergence import symmetric_kl
from gpkl_lib.explore.base import Explorable
from gpkl_lib.explore.kit import svg
from gpkl_lib.explore.traits import Ranged, RangedInt, RangedList
from gpkl_lib.palette import PALETTE

WEIGHTS = torch.tensor([[3.0, 0.8], [-1.2, 2.2], [0.5, -3.2]], dtype=torch.float64)  # J: spans A, B, C by x1, x2
BIASES = torch.tensor([-1.0, -3.5, -4.0], dtype=torch.float64)
BOX, REACH = 3.0, 12.0  # the plane is drawn to BOX on every side; contours are looked for as far as REACH from x
LEVELS = (0.02, 0.1, 0.5, 2.0, 5.0)  # nats


def scores(x: Tensor) -> Tensor:
    """The scores of the three spans (..., 3) for embeddings (..., 2)."""
    return x @ WEIGHTS.T + BIASES


def divergence(x: Sequence[float], r: Tensor) -> Tensor:
    """D between the scores at x and at x + r, in nats, for r of shape (..., 2)."""
    clean = scores(torch.tensor(x, dtype=torch.float64))
    moved = clean + r @ WEIGHTS.T
    return symmetric_kl(clean.expand(moved.shape), moved, activation="sigmoid", reduction="none").sum(-1)


def unit(degrees: Tensor | float) -> Tensor:
    """Unit vectors (..., 2) at angles in degrees."""
    angle = torch.deg2rad(torch.as_tensor(degrees, dtype=torch.float64))
    return torch.stack([angle.cos(), angle.sin()], -1)


def gradient(x: Sequence[float], r: Tensor) -> Tensor:
    """The gradient of D by r, by autograd."""
    at = r.detach().requires_grad_()
    (found,) = torch.autograd.grad(divergence(x, at).sum(), at)
    return found


def directions(x: Sequence[float], start: float, xi: float, steps: int) -> Tensor:
    """The start and every iterate, (steps + 1, 2): the gradient at xi times the last one, divided by its length."""
    found = [unit(start)]
    for _ in range(steps):
        felt = gradient(x, xi * found[-1])
        found.append(felt / felt.norm())
    return torch.stack(found)


def metric(x: Sequence[float]) -> Tensor:
    """G = J' diag(sigma') J at x, (2, 2)."""
    s = scores(torch.tensor(x, dtype=torch.float64))
    return WEIGHTS.T @ torch.diag(torch.sigmoid(s) * torch.sigmoid(-s)) @ WEIGHTS


def ring(x: Sequence[float], epsilon: float, count: int) -> Tensor:
    """D at `count` evenly spaced directions from -180 degrees on, at distance epsilon."""
    return divergence(x, epsilon * unit(-180 + 360 * torch.arange(count, dtype=torch.float64) / count))


def contour(x: Sequence[float], level: float, directions: int = 96, radii: int = 48) -> Tensor:
    """How far from x the divergence reaches `level`, for evenly spaced directions from 0 degrees on.

    D rises along every ray, for affine scores; its root is taken for a straight line between the radii. REACH where it
    is not reached.
    """
    d = unit(360 * torch.arange(directions, dtype=torch.float64) / directions)
    far = REACH * (torch.arange(radii + 1, dtype=torch.float64) / radii) ** 2
    root = divergence(x, far[:, None, None] * d).sqrt()  # (radii + 1, directions)
    above = root >= math.sqrt(level)
    k = above.int().argmax(0).clamp(min=1)
    low, high = (root.gather(0, index[None])[0] for index in (k - 1, k))
    found = far[k - 1] + (far[k] - far[k - 1]) * (math.sqrt(level) - low) / (high - low)
    return torch.where(above.any(0), found, torch.full_like(found, REACH))


def divergence_after(*, x: Sequence[float], start: float, epsilon: float, xi: float, steps: int) -> float:
    """D at x + epsilon d, d the direction after `steps` power iterations from the angle `start`; in nats."""
    return divergence(x, epsilon * directions(x, start, xi, steps)[-1]).item()


class AdversarialDirection(Explorable):
    """Three spans whose scores are affine in two numbers, and the search for the direction that moves them most.

    Args:
        x: the embedding, two numbers between -1.6 and 1.6.
        start: the angle of the first, random direction, in degrees.
        epsilon: length of r, 0.05 to 3.
        xi: length of the step at which the gradient is felt, 0.01 to 10.
        steps: power iterations, 0 (the start itself) to 8.

    Raises:
        traitlets.TraitError: a value outside these.

    Example:
        >>> AdversarialDirection((0.4, 0.1), steps=3).values().keys()
        dict_keys(['divergence', 'noise', 'quadratic', 'angle', 'ratio'])
    """

    x = RangedList(-1.6, 1.6, least=2, most=2, what="two numbers")
    start = Ranged(-180.0, 180.0)
    epsilon = Ranged(0.05, 3.0)
    xi = Ranged(0.01, 10.0)
    steps = RangedInt(0, 8)

    def __init__(
        self,
        x: Sequence[float] = (0.4, 0.1),
        *,
        start: float = 110.0,
        epsilon: float = 0.5,
        xi: float = 0.1,
        steps: int = 1,
    ) -> None:
        super().__init__(
            x=[float(value) for value in x], start=float(start), epsilon=float(epsilon), xi=float(xi), steps=steps
        )

    def values(self) -> dict[str, float]:
        """D at r_adv, its mean over 72 directions, the square that it starts as, and how far the search has come."""
        d = directions(self.x, self.start, self.xi, self.steps)[-1]
        G = metric(self.x)
        eigenvalues, vectors = torch.linalg.eigh(G)
        top = vectors[:, -1]
        across = (d[0] * top[1] - d[1] * top[0]).abs()
        return {
            "divergence": divergence(self.x, self.epsilon * d).item(),
            "noise": ring(self.x, self.epsilon, 72).mean().item(),
            "quadratic": (self.epsilon**2 * d @ G @ d).item(),
            "angle": math.degrees(math.atan2(across.item(), (d @ top).abs().item())),
            "ratio": (eigenvalues[0] / eigenvalues[1]).item(),
        }

    def still(self) -> str:
        """The plane with its contours and the directions, and the numbers, as one SVG picture."""
        value = self.values()
        alt = (
            f"A plane with the point x at {svg.number(self.x[0], 1)}, {svg.number(self.x[1], 1)}, three lines on which "
            f"a span's score is 0, contours of the divergence around x, and {self.steps} power iterations from "
            f"{svg.number(self.start, 0)} degrees. At the length {self.epsilon:g} the divergence is "
            f"{svg.number(value['divergence'], 4)} nats in the direction found and {svg.number(value['noise'], 4)} on "
            f"average; the angle to the eigenvector is {svg.number(value['angle'], 2)} degrees."
        )
        line = f"*D* = {svg.number(value['divergence'], 4)} nats after {self.steps} steps, on average "
        more = f"angle to the eigenvector {svg.number(value['angle'], 2)}°, *λ*₂/*λ*₁ = {svg.number(value['ratio'], 3)}"
        notes = [
            svg.text(8, 338, line + svg.number(value["noise"], 4), "ink", "start"),
            svg.text(8, 358, more, "ink", "start"),
        ]
        return svg.picture(360, 368, alt, [*self._plane(), *notes])

    def _plane(self) -> Iterator[str]:
        def at(point: Sequence[float]) -> tuple[float, float]:
            return 180 + 52 * point[0], 160 - 52 * point[1]

        for (a, b), bias in zip(WEIGHTS.tolist(), BIASES.tolist(), strict=True):
            foot = [-bias * w / (a * a + b * b) for w in (a, b)]
            ends = [_reached(foot, d, 9.0) for d in ((-b, a), (b, -a))]
            yield svg.line(*at(ends[0]), *at(ends[1]), "grey", width=2, stroke_dasharray="6 4")
        angles = unit(3.75 * torch.arange(96))
        for level in LEVELS:
            points = (torch.tensor(self.x) + contour(self.x, level)[:, None] * angles).clamp(-BOX, BOX)
            path = " ".join(f"{px:.1f},{py:.1f}" for px, py in (at(one) for one in points.tolist()))
            style = f"stroke:var(--tone, {PALETTE['blue']})"
            yield svg.tag(
                "polygon", points=path, class_="gpkl-blue", fill="none", stroke=PALETTE["blue"], stroke_width=1.2,
                style=style,
            )  # fmt: skip
        for k, d in enumerate(directions(self.x, self.start, self.xi, self.steps).tolist()):
            end = _reached(self.x, d, self.epsilon)
            last = k == self.steps
            yield svg.line(*at(self.x), *at(end), "vermilion" if last else "grey", width=3 if last else 1.5)
        yield svg.dot(*at(self.x), "ink")


def _reached(point: Sequence[float], direction: Sequence[float], far: float) -> list[float]:
    """`far` times the direction from a point in the box, or less where the box ends."""
    pairs = list(zip(point, direction, strict=True))
    far = min([far, *((BOX - math.copysign(p, p * d)) / abs(d) for p, d in pairs if d)])
    return [p + far * d for p, d in pairs]
