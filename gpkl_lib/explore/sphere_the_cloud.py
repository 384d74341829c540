"""Sphere the cloud: points of the plane as arrows from the origin, whitened with two exponents."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor
from torch.nn.functional import cosine_similarity

from gpkl_lib.explore.base import Explorable
from gpkl_lib.explore.kit import svg
from gpkl_lib.explore.traits import Ranged, RangedInt, RangedList

STEPS = (0.8566748838545029, 0.733891856627126, 0.6287067210378087, 0.5385972572236101)
REACH, MOST = 4.0, 60
LENGTH = 1.4  # of a typical arrow where the whitened cloud is drawn


class SphereTheCloud(Explorable):
    r"""Points (x - beta mu) U Lambda^{-gamma/2}, the cosine of two of them, and how far the cloud is from round.

    Args:
        count: N, points of the cloud, 3 to 60.
        beta: how much of the mean is taken away, 0 to 1.
        gamma: how much the spectrum is evened out, 0 to 1; 1 - gamma is 1/T for the logarithms of Lambda.
        x: the first point, two numbers of size at most 4.

    Raises:
        traitlets.TraitError: a value outside these.

    Example:
        >>> value = SphereTheCloud(3, beta=1, gamma=1).values()
        >>> round(value["cosine"], 12), round(value["largest"], 12), abs(value["nats"]) < 1e-12
        (-0.5, -0.5, True)
    """

    count = RangedInt(3, MOST)
    beta = Ranged(0.0, 1.0)
    gamma = Ranged(0.0, 1.0)
    x = RangedList(-REACH, REACH, least=2, most=2, what="2 numbers")

    def __init__(
        self, count: int = MOST, *, beta: float = 0.0, gamma: float = 0.0, x: Sequence[float] = (2.8, 0.4)
    ) -> None:
        super().__init__(count=count, beta=float(beta), gamma=float(gamma), x=list(map(float, x)))

    def values(self) -> dict[str, float]:
        """Cosine of the first two arrows, least and largest of all pairs, condition number, nats, in float64."""
        points = cloud(self.count, self.x)
        arrows = whitened(points, self.beta, self.gamma)
        least, largest = cosine_range(arrows)
        low, high = axes(moments(points, self.beta)[1])[0].tolist()
        return {
            "cosine": cosine_similarity(arrows[0], arrows[1], dim=0).item(),
            "least": least,
            "largest": largest,
            "condition": (high / low) ** (1 - self.gamma),
            "nats": nats_from_round(arrows),
        }

    def still(self) -> str:
        """The points as they are and whitened, side by side, with the shares of both axes, as one SVG picture."""
        points, value = cloud(self.count, self.x), self.values()
        arrows = whitened(points, self.beta, self.gamma)
        size = arrows.square().sum(1).mean().sqrt().item()
        share = self._share()
        said = f"beta = {svg.number(self.beta, 2)}, gamma = {svg.number(self.gamma, 2)}"
        cosine = svg.number(value["cosine"], 3)
        alt = (
            f"{self.count} points of the plane as arrows from the origin, and whitened with {said}. The cosine of the "
            f"marked two is {cosine}, of all pairs {svg.number(value['least'], 3)} to "
            f"{svg.number(value['largest'], 3)}; the longer axis has {share:.3f} of the variance."
        )
        parts = [
            svg.text(8, 16, f"as they are; whitened: *β* = {self.beta:.2f}, *γ* = {self.gamma:.2f}", "ink", "start"),
            *_arrows(points, 88, 112, 20),
            *_arrows(arrows * (LENGTH / size), 268, 112, 36),
            svg.text(
                8, 218, f"cosine of ● and ◆ {cosine}; {svg.number(value['nats'], 3)} nats from round", "ink", "start"
            ),
            svg.text(8, 238, f"shares of the two axes: {svg.listed([share, 1 - share], 3)}", "ink", "start"),
        ]
        return svg.picture(360, 246, alt, parts)

    def _share(self) -> float:
        """The share of the longer axis: softmax of (1 - gamma) log Lambda."""
        values = axes(moments(cloud(self.count, self.x), self.beta)[1])[0]
        return ((1 - self.gamma) * values.log()).softmax(0)[1].item()


def cloud(count: int, x: Sequence[float]) -> Tensor:
    """`count` points (N, 2), the first of them x, the others from multiples of irrational numbers."""
    rows = [list(x)]
    for k in range(1, count):
        a, b, c, d = ((k * step) % 1 for step in STEPS)
        far, near = a + b - 1, c + d - 1
        rows.append([1.53 + 1.9 * far + 0.5 * near, 0.83 + 0.5 * far + 0.9 * near])
    return torch.tensor(rows, dtype=torch.float64)


def moments(points: Tensor, share: float) -> tuple[Tensor, Tensor]:
    """Mean (2,), and the second moment (2, 2) about `share` of it, over N."""
    mean = points.mean(0)
    away = points - share * mean
    return mean, away.T @ away / len(points)


def axes(moment: Tensor) -> tuple[Tensor, Tensor]:
    """Eigenvalues, the smaller first, and their unit vectors as columns."""
    values, vectors = torch.linalg.eigh(moment)
    return values, vectors


def whitened(points: Tensor, beta: float, gamma: float) -> Tensor:
    """(x - beta mu) U Lambda^{-gamma/2} U': turned back by U', which changes no length and no angle."""
    mean, moment = moments(points, beta)
    values, vectors = axes(moment)
    turned: Tensor = (points - beta * mean) @ (vectors * values ** (-gamma / 2)) @ vectors.T
    return turned


def cosine_range(points: Tensor) -> tuple[float, float]:
    """Least and largest cosine of two of the arrows."""
    all_pairs = cosine_similarity(points[:, None], points, dim=-1)
    apart = all_pairs[torch.ones_like(all_pairs).triu(1).bool()]
    return apart.min().item(), apart.max().item()


def nats_from_round(points: Tensor) -> float:
    """KL of the Gaussian with the mean and the covariance of these points to N(0, I), in nats."""
    mean, covariance = moments(points, 1.0)
    return (covariance.trace() + mean.square().sum() - 2 - covariance.det().log()).item() / 2


def _arrows(points: Tensor, x: float, y: float, unit: float) -> Iterator[str]:
    yield svg.line(x - 80, y, x + 80, y)
    yield svg.line(x, y - 84, x, y + 84)
    places = [(x + unit * a, y - unit * b) for a, b in points.tolist()]
    places = [place for place in places if math.dist(place, (x, y)) < 96]
    for a, b in places[2:]:
        yield svg.dot(a, b, "grey", size=2)
    for (a, b), tone, shape in zip(places[:2], ("blue", "vermilion"), ("circle", "diamond"), strict=False):
        yield svg.line(x, y, a, b, tone, width=2)
        yield svg.dot(a, b, tone, shape)
