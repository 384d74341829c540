"""One noise, many roads: from noise to data by few or many steps, each with as much new noise as one likes."""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import cache
from itertools import pairwise
from typing import NamedTuple

import torch
import traitlets
from torch import Tensor

from gpkl_lib.explore.base import Explorable
from gpkl_lib.explore.draw_the_noise import SEED, mixed
from gpkl_lib.explore.kit import svg
from gpkl_lib.explore.traits import Ranged, RangedInt
from gpkl_lib.noise import NOISES
from gpkl_lib.palette import PALETTE

LEVELS = 1000  # noise levels, as many as the usual linear schedule has
SHOWN, HIDDEN = 12, 240  # roads that are drawn, and those that are only counted
REACH = 3.0
ADDED = ("matching", "large", "large but last")


class Bump(NamedTuple):
    """One Gaussian of the data: its share, mean and standard deviation."""

    share: float
    mean: float
    width: float


class Move(NamedTuple):
    """One step: a and b of the level that it leaves and of the one that it reaches, the old noise kept, the new."""

    a: float
    b: float
    a_next: float
    b_next: float
    kept: float
    new: float


DATA = {"two bumps": (Bump(0.3, -1.5, 0.2), Bump(0.7, 1.0, 0.3)), "one bump": (Bump(1.0, 1.5, 0.2),)}


class OneNoiseManyRoads(Explorable):
    """Twelve roads from noise to data, by the best denoiser there is; the spread of all that arrive.

    With one bump every sampler's result is a Gaussian, so spread and KL are exact. With two, they are counted on 240
    further roads.

    Args:
        data: "two bumps" or "one bump".
        eta: of the noise with which DDPM's step agrees, the share: 0 is DDIM, 1 DDPM.
        steps: 1 to 100 of them, evenly spaced over 1000 levels.
        added: the noise put in: "matching" what eta asks for, "large", or "large but last", where the last step has
            none.
        together: all twelve roads begin at `start`, with different noise on the way.
        start: where, -3 to 3.

    Raises:
        traitlets.TraitError: a value outside these.

    Example:
        >>> value = OneNoiseManyRoads(data="one bump", steps=10).values()
        >>> round(value["spread"] ** 2, 5), value["truth"], round(value["kl"], 3), value["swapped"]
        (0.00946, 0.2, 0.339, 0.0)
    """

    data = traitlets.Enum(list(DATA)).tag(sync=True)
    eta = Ranged(0.0, 1.0)
    steps = RangedInt(1, 100)
    added = traitlets.Enum(list(ADDED)).tag(sync=True)
    together = traitlets.Bool().tag(sync=True)
    start = Ranged(-REACH, REACH)

    def __init__(
        self,
        data: str = "two bumps",
        *,
        eta: float = 0.0,
        steps: int = 10,
        added: str = "matching",
        together: bool = False,
        start: float = 0.0,
    ) -> None:
        super().__init__(data=data, eta=float(eta), steps=steps, added=added, together=together, start=float(start))

    def values(self) -> dict[str, float]:
        """Spread at the end and in the data, and what became of the twelve roads, in float64."""
        bumps, moves = DATA[self.data], plan(self.steps, self.eta, self.added)
        all_ends = self.paths()[-1]
        ends, counted = all_ends[:SHOWN], all_ends[SHOWN:]
        middle = sum(bump.share * bump.mean for bump in bumps)
        square = sum(bump.share * (bump.width**2 + (bump.mean - middle) ** 2) for bump in bumps)
        found = {"truth": math.sqrt(square)}
        if len(bumps) == 1:
            found["spread"] = gaussian(moves, bumps[0])[1]
            found["kl"] = kl(gaussian(moves, bumps[0]), bumps[0][1:])
        else:
            found["spread"] = counted.std(correction=0).item()
            found["upper"] = (counted > 0).double().mean().item()
        if self.together:
            found["apart"] = (ends.max() - ends.min()).item()
        else:
            found["swapped"] = (ends[:, None] > ends).triu(1).double().sum().item()
        return found

    def paths(self) -> Tensor:
        """Where all roads are after each step (steps + 1, SHOWN + HIDDEN), the drawn ones first."""
        shown = torch.full((SHOWN,), self.start, dtype=torch.float64) if self.together else quantiles(SHOWN)
        moves = plan(self.steps, self.eta, self.added)
        return roads(torch.cat([shown, quantiles(HIDDEN)]), moves, DATA[self.data])

    def still(self) -> str:
        """The roads on the left, the data and where roads ended on the right, as one SVG picture."""
        value, paths = self.values(), self.paths()
        order = (
            f"they end at most {svg.number(value['apart'], 4)} apart"
            if self.together
            else f"{value['swapped']:.0f} of 66 pairs swap their order"
        )
        begin = f"one start at {svg.number(self.start, 1)}" if self.together else "twelve starts"
        alt = (
            f"Twelve roads of {self.steps} steps from {begin} to data of {self.data}, eta {self.eta:g}, {self.added} "
            f"noise: {order}. The standard deviation at the end is {svg.number(value['spread'], 4)}, that of the data "
            f"{svg.number(value['truth'], 4)}."
        )
        line = f"spread {svg.number(value['spread'], 4)}, of the data {svg.number(value['truth'], 4)}"
        texts = [
            svg.text(8, 16, f"*η* = {self.eta:g}, {self.steps} steps, {self.added} noise", "ink", "start"),
            svg.text(8, 226, line, "ink", "start"),
        ]
        return svg.picture(360, 234, alt, [*texts, *self._roads(paths[:, :SHOWN]), *self._ends(paths[-1, SHOWN:])])

    def _roads(self, paths: Tensor) -> Iterator[str]:
        for road in range(SHOWN):
            places = [(8 + 200 * step / self.steps, _height(x)) for step, x in enumerate(paths[:, road].tolist())]
            way = "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in places)
            dashes = {} if self.together or road >= SHOWN / 2 else {"stroke_dasharray": "5 3"}
            tone = "vermilion" if dashes else "blue"
            yield svg.tag("path", d=way, fill="none", stroke=PALETTE[tone], class_=f"gpkl-{tone}", **dashes)
        yield svg.line(208, 28, 208, 204)

    def _ends(self, ends: Tensor) -> Iterator[str]:
        shares = histogram(ends)
        places = torch.linspace(-REACH, REACH, 121).tolist()
        heights = [2 * REACH / len(shares) * density(x, DATA[self.data]) for x in places]
        full = 120 / max(*shares, *heights)
        for cell, share in enumerate(shares):
            low = _height(REACH * (2 * (cell + 1) / len(shares) - 1))
            yield svg.box(224, low + 0.5, full * share, 176 / len(shares) - 1, "green")
        points = [(224 + full * height, _height(x)) for x, height in zip(places, heights, strict=True)]
        way = "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in points)
        yield svg.tag("path", d=way, fill="none", stroke=PALETTE["ink"], stroke_dasharray="4 3", class_="gpkl-ink")


def _height(x: float) -> float:
    return 116 - 88 * max(-REACH, min(REACH, x)) / REACH


@cache
def schedule() -> tuple[list[float], list[float]]:
    """The a and b of every level, 0 to LEVELS: a falls from 1 to 0.0064, and a^2 + b^2 = 1."""
    beta = [1e-4 + (0.02 - 1e-4) * k / (LEVELS - 1) for k in range(LEVELS)]
    product, a, b = 1.0, [1.0], [0.0]
    for each in beta:
        product *= 1 - each
        a.append(math.sqrt(product))
        b.append(math.sqrt(1 - product))
    return a, b


def plan(steps: int, eta: float = 0.0, added: str = "matching") -> list[Move]:
    """The moves of a sampler, from the last level down to 0 by as many steps, as evenly as levels allow."""
    a, b = schedule()
    levels = [(2 * LEVELS * k + steps) // (2 * steps) for k in range(steps, -1, -1)]  # rounded
    moves = []
    for level, lower in pairwise(levels):
        large = math.sqrt((a[lower] - a[level]) * (a[lower] + a[level])) / a[lower]
        omega = eta * b[lower] / b[level] * large
        kept = math.sqrt(b[lower] ** 2 - omega**2)
        new = omega if added == "matching" else large if lower or added == "large" else 0.0
        moves.append(Move(a[level], b[level], a[lower], b[lower], kept, new))
    return moves


def guess(x: Tensor, a: float, b: float, bumps: tuple[Bump, ...]) -> Tensor:
    """The noise in x = a x0 + b e, as well as it can be known: its mean, given x, for data that are bumps."""
    share, mean, width = torch.tensor(bumps, dtype=x.dtype).T
    variance = (a * width) ** 2 + b * b
    off = x[..., None] - a * mean
    whose = torch.softmax(share.log() - variance.log() / 2 - off**2 / (2 * variance), -1)
    mean_noise: Tensor = (whose * b * off / variance).sum(-1)
    return mean_noise


def roads(x: Tensor, moves: list[Move], bumps: tuple[Bump, ...]) -> Tensor:
    """Where roads are that begin at x (n,): at first and after each move (moves + 1, n). New noise is always the same.

    Each move guesses the noise, takes it out, and puts in less: what it keeps of the guess, and new noise.
    """
    fresh = normal(torch.arange(len(moves) * len(x))).reshape(len(moves), len(x))
    places = [x]
    for move, xi in zip(moves, fresh, strict=True):
        e = guess(places[-1], move.a, move.b, bumps)
        clean = (places[-1] - move.b * e) / move.a
        places.append(move.a_next * clean + move.kept * e + move.new * xi)
    return torch.stack(places)


def normal(k: Tensor) -> Tensor:
    """Numbers that look like draws of a normal noise, one for each k."""
    u = mixed(SEED + k)
    return NOISES["normal"].quantile(u, 1 - u)


def quantiles(n: int) -> Tensor:
    """The middles of n equal shares of a normal distribution, from below."""
    u = (torch.arange(n, dtype=torch.float64) + 0.5) / n
    return NOISES["normal"].quantile(u, 1 - u)


def gaussian(moves: list[Move], bump: Bump) -> tuple[float, float]:
    """Mean and standard deviation of what a sampler makes of N(0, 1) if the data are one bump."""
    off, variance = -moves[0].a * bump.mean, 1.0
    for a, b, a_next, _, kept, new in moves:
        shrink = (a * a_next * bump.width**2 + b * kept) / ((a * bump.width) ** 2 + b * b)
        off, variance = shrink * off, shrink**2 * variance + new**2
    return bump.mean + off, math.sqrt(variance)


def kl(found: tuple[float, float], data: tuple[float, ...]) -> float:
    """KL(found || data) of two Gaussians, each a mean and a standard deviation, in nats."""
    (mean, width), (to, wide) = found, data
    return math.log(wide / width) + (width**2 + (mean - to) ** 2) / (2 * wide**2) - 0.5


def density(x: float, bumps: tuple[Bump, ...]) -> float:
    """The density of the data."""
    return sum(p * math.exp(-(((x - m) / w) ** 2) / 2) / (w * math.sqrt(2 * math.pi)) for p, m, w in bumps)


def histogram(ends: Tensor, cells: int = 24) -> list[float]:
    """The share of the ends in each of equal cells from -REACH to REACH; what lies outside counts in the outermost."""
    at = ((ends + REACH) * cells / (2 * REACH)).floor().clamp(0, cells - 1).long()
    shares: list[float] = (torch.bincount(at, minlength=cells).double() / len(ends)).tolist()
    return shares
