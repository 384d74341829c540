"""Entropy against length: a softmax over more and more random scores, plain and with the scale kappa log n."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from functools import lru_cache
from typing import Any, Literal, cast

import numpy as np
import torch
import traitlets
from torch import Tensor

from gpkl_lib.explore.base import Explorable
from gpkl_lib.explore.kit import svg
from gpkl_lib.explore.traits import Ranged
from gpkl_lib.smoothing import entropy, entropy_invariant_scale

LENGTHS = tuple(2**k for k in range(4, 15))
REFERENCE = 512  # both scales agree at this length
ROWS = 16
Scores = Literal["normal", "uniform"]


def _uniform(counter: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Numbers in (0, 1): the finishing steps of MurmurHash3 on a counter, the same 32 bits in every language."""
    bits = np.uint64(0xFFFFFFFF)
    h = (counter.astype(np.uint64) + np.uint64(1)) * np.uint64(0x9E3779B1) & bits
    h = (h ^ (h >> np.uint64(16))) * np.uint64(0x85EBCA6B) & bits
    h = (h ^ (h >> np.uint64(13))) * np.uint64(0xC2B2AE35) & bits
    return ((h ^ (h >> np.uint64(16))).astype(np.float64) + 0.5) / 2**32


def random_scores(n: int, scores: Scores = "normal") -> Tensor:
    """16 rows of n random scores of mean 0 and variance 1, always the same ones.

    Args:
        n: length of a row, a power of 2 from 16 to 16384.
        scores: "normal" (Box and Muller's method) or "uniform" (between -sqrt 3 and sqrt 3), rounded to whole 64ths.

    Returns:
        float64 (16, n); every length reads one stream from its beginning.

    Raises:
        ValueError: another length or another name.
    """
    if n not in LENGTHS:
        raise ValueError(f"n must be a power of 2 from 16 to 16384, got {n}")
    if scores not in ("normal", "uniform"):
        raise ValueError(f"scores must be 'normal' or 'uniform', got {scores!r}")
    place = 2 * np.arange(ROWS * n)
    first = _uniform(place)
    if scores == "normal":
        values = np.sqrt(-2 * np.log(first)) * np.cos(2 * np.pi * _uniform(place + 1))
    else:
        values = math.sqrt(3) * (2 * first - 1)
    return torch.from_numpy(np.floor(64 * values + 0.5) / 64).reshape(ROWS, n)


def _mean_entropy(n: int, scores: Scores, scale: float) -> float:
    return float(entropy(scale * random_scores(n, scores)).mean())


@lru_cache(maxsize=256)
def _entropies(scores: Scores, scale: float, kappa: float) -> tuple[list[float], list[float]]:
    """Over LENGTHS: with the plain scale, and with kappa log n."""
    plain = [_mean_entropy(n, scores, scale) for n in LENGTHS]
    return plain, [_mean_entropy(n, scores, entropy_invariant_scale(n, kappa)) for n in LENGTHS]


class EntropyAgainstLength(Explorable):
    """H(softmax(lambda x)) for n = 16 to 16384 random scores x, with lambda fixed and with lambda = kappa log n.

    Args:
        length: n, a power of 2 from 16 to 16384.
        scale: lambda at n = 512, where both softmaxes agree, so that kappa = scale / log 512; 0.1 to 8.
        scores: "normal" or "uniform", of variance 1, as `random_scores` draws them.

    Raises:
        traitlets.TraitError: a value outside these.

    Example:
        >>> value = EntropyAgainstLength(512).values()
        >>> round(value["plain"] - value["invariant"], 6)  # both scales agree at 512
        0.0
    """

    length = traitlets.Int().tag(sync=True)
    scale = Ranged(0.1, 8.0)
    scores = traitlets.Enum(["normal", "uniform"]).tag(sync=True)

    def __init__(self, length: int = 4096, *, scale: float = 2.5, scores: Scores = "normal") -> None:
        super().__init__(length=length, scale=scale, scores=scores)

    @traitlets.validate("length")
    def _validate_length(self, proposal: dict[str, Any]) -> int:
        if proposal["value"] not in LENGTHS:
            raise traitlets.TraitError(f"length must be a power of 2 from 16 to 16384, got {proposal['value']}")
        return int(proposal["value"])

    @property
    def kappa(self) -> float:
        """The constant before log n."""
        return self.scale / math.log(REFERENCE)

    def values(self) -> dict[str, float]:
        """Entropies in nats, means over the rows; the spread is the largest less the smallest over all lengths."""
        kind = cast("Scores", self.scores)
        plain, invariant = _entropies(kind, self.scale, self.kappa)
        at, factor = LENGTHS.index(self.length), entropy_invariant_scale(self.length, self.kappa)
        x = random_scores(self.length, kind)
        return {
            "plain": plain[at],
            "invariant": invariant[at],
            "factor": factor,
            "estimate": math.log(self.length) - factor * float((x.amax(-1) - x.mean(-1)).mean()),
            "plain_spread": max(plain) - min(plain),
            "invariant_spread": max(invariant) - min(invariant),
        }

    def still(self) -> str:
        """Both entropies over the length as one SVG picture."""
        plain, invariant = _entropies(cast("Scores", self.scores), self.scale, self.kappa)
        alt = (
            f"Entropy in nats of a softmax over n {self.scores} scores, n = 16 to 16384. With the scale fixed at "
            f"{self.scale:g}: {svg.listed(plain, 2)}. With kappa log n, equal at n = {REFERENCE}: "
            f"{svg.listed(invariant, 2)}."
        )
        return svg.picture(360, 230, alt, _curves(plain, invariant, self.length))


def _curves(plain: list[float], invariant: list[float], length: int) -> Iterator[str]:
    def at(n: float, nats: float) -> tuple[float, float]:
        return 40 + 30 * (math.log2(n) - 4), 190 - 16 * nats

    for nats in (0, 5, 10):
        yield svg.line(40, at(16, nats)[1], 340, at(16, nats)[1])
        yield svg.text(32, at(16, nats)[1] + 4, str(nats), "grey", "end")
    for n in (16, 128, 1024, 8192):
        yield svg.text(at(n, 0)[0], 208, str(n), "grey")
    yield svg.line(
        *at(LENGTHS[0], math.log(LENGTHS[0])), *at(LENGTHS[-1], math.log(LENGTHS[-1])), "grey", stroke_dasharray="2 3"
    )
    for values, tone, shape in ((plain, "vermilion", "diamond"), (invariant, "blue", "circle")):
        points = [at(n, nats) for n, nats in zip(LENGTHS, values, strict=True)]
        for (a, b), (c, d) in itertools.pairwise(points):
            yield svg.line(a, b, c, d, tone, width=2)
        for n, (x, y) in zip(LENGTHS, points, strict=True):
            yield svg.dot(x, y, tone, shape, 5 if n == length else 3)
    yield svg.text(346, at(16384, plain[-1])[1] - 10, "plain", "vermilion", "end")
    yield svg.text(346, at(16384, invariant[-1])[1] - 10, "κ log *n*", "blue", "end")
    yield svg.text(8, 226, "*n*; dashed: log *n*", "grey", "start")
