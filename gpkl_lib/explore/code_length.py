"""Code length: drag two distributions; entropy, cross-entropy and the divergences between them, infinity included."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any, Literal

import torch
import traitlets
from torch import Tensor

from gpkl_lib.divergence import jensen_shannon_terms, kl_terms
from gpkl_lib.explore.base import Explorable
from gpkl_lib.explore.kit import svg
from gpkl_lib.explore.traits import Ranged

Probabilities = Sequence[float] | Tensor


def entropy(p: Probabilities) -> float:
    """H(p) = -sum p log p in nats, with 0 log 0 = 0; p holds probabilities, not logits."""
    return float(torch.special.entr(_float64(p)).sum())


def cross_entropy(p: Probabilities, q: Probabilities) -> float:
    """CE(p, q) = -sum p log q in nats; infinite where q misses what p has, and 0 log 0 = 0."""
    return float(-torch.special.xlogy(_float64(p), _float64(q)).sum() + 0.0)


def kl(p: Probabilities, q: Probabilities) -> float:
    """KL(p || q) = sum p log(p/q) in nats of two probability vectors; infinite where q misses what p has.

    The terms are those of `gpkl_lib.kl_divergence`, p log(p/q) - p + q, which takes logits and so has no zeros.
    """
    p, q = _float64(p), _float64(q)
    both = (p > 0) & (q > 0)
    terms = kl_terms(p[both], q[both], _log_ratio(p[both], q[both])).sum() + q[p == 0].sum()
    return math.inf if bool(((p > 0) & (q == 0)).any()) else float(terms)


def smooth(q: Probabilities, epsilon: float) -> list[float]:
    """q with a share `epsilon` of it spread evenly over all symbols: (1 - epsilon) q + epsilon / n."""
    return [(1 - epsilon) * float(v) + epsilon / len(q) for v in q]


def jensen_shannon(p: Probabilities, q: Probabilities) -> float:
    """(KL(p || m) + KL(q || m)) / 2 in nats, m = (p + q) / 2; between 0 and log 2, zeros or not."""
    p, q = _float64(p), _float64(q)
    both = (p > 0) & (q > 0)
    alone = (p + q)[~both].sum() * math.log(2) / 2
    return float(jensen_shannon_terms(p[both], q[both], _log_ratio(p[both], q[both])).sum() + alone)


def _float64(values: Probabilities) -> Tensor:
    return torch.as_tensor(values, dtype=torch.float64)


def _log_ratio(p: Tensor, q: Tensor) -> Tensor:
    """log(p/q), to all its digits where p and q are close."""
    close = (p - q).abs() < q / 2
    return torch.where(close, torch.log1p((p - q) / q), torch.log(p / q))


class CodeLength(Explorable):
    """Entropy, cross-entropy and divergences of two distributions over the same few symbols.

    Args:
        p: probabilities of 2 to 6 symbols, which add up to 1 and may hold zeros: how often each symbol comes.
        q: as many, for the symbols that the code was made for.
        smoothing: epsilon, the share of q that is spread evenly over the symbols, 0 to 0.5: all numbers are for
            (1 - epsilon) q + epsilon / n.
        unit: "bits" or "nats", of the code lengths in the picture (the numbers below it come in both).

    Raises:
        traitlets.TraitError: a value outside these.
        ValueError: p and q differ in number.

    Example:
        >>> round(CodeLength([0.5, 0.25, 0.25], [0.25, 0.5, 0.25]).values()["js"], 4)
        0.0425
    """

    p = traitlets.List(traitlets.Float()).tag(sync=True)
    q = traitlets.List(traitlets.Float()).tag(sync=True)
    smoothing = Ranged(0.0, 0.5)
    unit = traitlets.Enum(["bits", "nats"]).tag(sync=True)

    def __init__(
        self,
        p: Sequence[float] = (0.5, 0.25, 0.125, 0.125),
        q: Sequence[float] = (0.25, 0.25, 0.25, 0.25),
        *,
        smoothing: float = 0.0,
        unit: Literal["bits", "nats"] = "bits",
    ) -> None:
        if len(p) != len(q):
            raise ValueError(f"p and q must have as many probabilities, got {len(p)} and {len(q)}")
        super().__init__(p=list(map(float, p)), q=list(map(float, q)), smoothing=float(smoothing), unit=unit)

    @traitlets.validate("p", "q")
    def _validate(self, proposal: dict[str, Any]) -> list[float]:
        name, values = proposal["trait"].name, list(proposal["value"])
        if not 2 <= len(values) <= 6:
            raise traitlets.TraitError(f"{name} must hold 2 to 6 probabilities, got {len(values)}")
        for value in values:
            if not 0 <= value <= 1:
                raise traitlets.TraitError(f"{name} must hold probabilities between 0 and 1, got {value}")
        if abs(math.fsum(values) - 1) > 1e-9:
            raise traitlets.TraitError(f"{name} must add up to 1, got {math.fsum(values):.10g}")
        return values

    def values(self) -> dict[str, float]:
        """Every number under the picture: in nats, and under the same key with "_bits" in bits; inf where infinite."""
        p, q = self.p, smooth(self.q, self.smoothing)
        nats = {
            "entropy": entropy(p),
            "cross": cross_entropy(p, q),
            "forward": kl(p, q),
            "backward": kl(q, p),
            "jeffreys": kl(p, q) + kl(q, p),
            "js": jensen_shannon(p, q),
        }
        return nats | {f"{key}_bits": value / math.log(2) for key, value in nats.items()}

    def still(self) -> str:
        """Code lengths over the share of each symbol, and the numbers, as one SVG picture."""
        show = {key: svg.number(value, 4) for key, value in self.values().items()}
        q = smooth(self.q, self.smoothing)
        alt = (
            f"p: {svg.listed(self.p, 3)}; q: {svg.listed(q, 3)}. Entropy of p {show['entropy']} nats, "
            f"cross-entropy {show['cross']}, KL(p‖q) {show['forward']}, KL(q‖p) {show['backward']}, "
            f"Jeffreys {show['jeffreys']}, Jensen-Shannon {show['js']} nats."
        )
        lines = [
            f"*H*(*p*) = {show['entropy']}, CE(*p*, *q*) = {show['cross']} nats",
            f"KL(*p*‖*q*) = {show['forward']}, KL(*q*‖*p*) = {show['backward']}",
            f"Jeffreys {show['jeffreys']}, Jensen-Shannon {show['js']}",
        ]
        notes = [svg.text(8, 222 + 20 * k, line, "ink", "start") for k, line in enumerate(lines)]
        return svg.picture(360, 276, alt, [*_handles(self.p, q), *_areas(self.p, q), *notes])


def _handles(p: list[float], q: list[float]) -> Iterator[str]:
    n = len(p)
    yield svg.text(8, 16, "*p* ●   *q* ◆", "ink", "start")
    yield svg.line(8, 170, 168, 170)
    for i in range(n):
        at = 8 + 160 * (i + 0.5) / n
        for shift, share, tone, shape in ((-6, p[i], "blue", "circle"), (6, q[i], "vermilion", "diamond")):
            yield svg.line(at + shift, 170, at + shift, 170 - 130 * share, tone, width=2)
            yield svg.dot(at + shift, 170 - 130 * share, tone, shape, 4)
        yield svg.text(at, 190, str(i + 1))


def _areas(p: list[float], q: list[float]) -> Iterator[str]:
    longest = max([-math.log2(v) for a, b in zip(p, q, strict=True) for v in (a, b) if a > 0 and v > 0] + [2.0])
    yield svg.text(192, 16, "bits: *p* full, *q* dashed", "ink", "start")
    yield svg.line(192, 170, 352, 170)
    left = 192.0
    for i, (a, b) in enumerate(zip(p, q, strict=True)):
        width = 160 * a
        if a > 0:
            own, other = (120 * (-math.log2(v) if v > 0 else longest * 1.08) / longest for v in (a, b))
            yield svg.box(left, 170 - own, width, own, "blue", fill_opacity="0.55")
            yield svg.outline(left, 170 - other, width, other, "vermilion")
            yield svg.text(left + width / 2, 190, str(i + 1))
            if b == 0:
                yield svg.text(left + width / 2, 36, "∞", "vermilion")
        left += width
