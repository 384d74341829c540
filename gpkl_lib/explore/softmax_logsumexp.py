"""Softmax and logsumexp: drag the logits, turn temperature and scale, watch both approach argmax and max."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch

from gpkl_lib.explore.base import Explorable
from gpkl_lib.explore.kit import svg
from gpkl_lib.explore.traits import Logits, Ranged
from gpkl_lib.smoothing import entropy, logsumexp, logsumexp_bounds, softmax

SUBSCRIPTS = "₀₁₂₃₄₅₆₇₈₉"


class SoftmaxLogsumexp(Explorable):
    """softmax(s x / T) against the one-hot of argmax, T logsumexp(s x / T) against max(s x), with the bound T log n.

    Args:
        logits: x, 2 to 6 of them.
        temperature: T, 0.01 to 100.
        scale: s, 0.01 to 100.

    Raises:
        traitlets.TraitError: a value outside these.

    Example:
        >>> value = SoftmaxLogsumexp([1.0, 2.0, 3.0, 4.0], temperature=0.1).values()
        >>> 0 <= value["gap"] < 0.1 * 1.3863  # at most T log n
        True
    """

    logits = Logits()
    temperature = Ranged(0.01, 100.0)
    scale = Ranged(0.01, 100.0)

    def __init__(
        self, logits: Sequence[float] = (1.0, 2.0, 3.0, 4.0), *, temperature: float = 1.0, scale: float = 1.0
    ) -> None:
        super().__init__(logits=list(map(float, logits)), temperature=temperature, scale=scale)

    def values(self) -> dict[str, float]:
        """The numbers that stand under the picture, by the library in float64, in nats where they are entropies."""
        z = self.scale * torch.tensor(self.logits, dtype=torch.float64)
        lower, upper = logsumexp_bounds(z, temperature=self.temperature)
        value = logsumexp(z, temperature=self.temperature)
        return {
            "max": lower.item(),
            "lse": value.item(),
            "gap": (value - lower).item(),
            "bound": upper.item(),
            "entropy": entropy(z, temperature=self.temperature).item(),
        }

    def still(self) -> str:
        """Logits, probabilities and the number line of the present state as one SVG picture."""
        x = torch.tensor(self.logits, dtype=torch.float64)
        p = softmax(self.scale * x, temperature=self.temperature)
        value = self.values()
        alt = (
            f"Logits {svg.listed(x.tolist(), 1)}; temperature {self.temperature:g}, scale {self.scale:g}. "
            f"Softmax gives {svg.listed(p.tolist(), 3)}. The smooth maximum {svg.number(value['lse'], 4)} lies "
            f"between the maximum {svg.number(value['max'], 4)} and the bound {svg.number(value['bound'], 4)}."
        )
        parts = [*_logits(x), *_probabilities(x, p), *_maximum(value)]
        knobs = f"*T* = {self.temperature:g}, *s* = {self.scale:g}, *H*(*p*) = {value['entropy']:.4f} nats"
        return svg.picture(360, 322, alt, [*parts, svg.text(8, 314, knobs, "grey", "start")])


def _columns(left: float, width: float, n: int) -> list[float]:
    return [left + width * (i + 0.5) / n for i in range(n)]


def _logits(x: torch.Tensor) -> Iterator[str]:
    reach = max(1.0, x.abs().max().item())
    yield svg.text(8, 16, "logits *x*", "ink", "start")
    yield svg.line(8, 100, 168, 100)
    for i, (at, value) in enumerate(zip(_columns(8, 160, len(x)), x.tolist(), strict=True)):
        y = 100 - 52 * value / reach
        yield svg.line(at, 100, at, y, "blue", width=3)
        yield svg.dot(at, y, "blue")
        yield svg.text(at, y - 9 if value >= 0 else y + 18, svg.number(value, 1))
        yield svg.text(at, 190, f"*x*{SUBSCRIPTS[i + 1]}")


def _probabilities(x: torch.Tensor, p: torch.Tensor) -> Iterator[str]:
    n, winners = len(p), x == x.max()
    yield svg.text(192, 16, "*p* (dashed: argmax)", "ink", "start")
    yield svg.line(192, 172, 352, 172)
    for i, (at, value) in enumerate(zip(_columns(192, 160, n), p.tolist(), strict=True)):
        wide = 100 / n
        yield svg.box(at - wide / 2, 172 - 130 * value, wide, 130 * value, "blue")
        if winners[i]:
            hard = 130 / int(winners.sum())
            yield svg.outline(at - wide * 0.65, 172 - hard, wide * 1.3, hard, "vermilion")
        yield svg.text(at, 168 - 130 * value, f"{value:.2f}")
        yield svg.text(at, 190, f"*p*{SUBSCRIPTS[i + 1]}")


def _maximum(value: dict[str, float]) -> Iterator[str]:
    low, high = value["max"], value["bound"]

    def at(number: float) -> float:
        return 20 + 320 * (number - low) / (high - low)

    yield svg.text(8, 224, "from max to max + *T* log *n*", "ink", "start")
    yield svg.line(20, 262, 340, 262)
    yield svg.box(at(low), 254, at(value["lse"]) - at(low), 8, "blue")
    for key, tone, anchor, row in (
        ("max", "vermilion", "start", 282),
        ("bound", "grey", "end", 282),
        ("lse", "blue", "start" if at(value["lse"]) < 180 else "end", 246),
    ):
        name = {"max": "max", "bound": "bound", "lse": "*T* logsumexp"}[key]
        yield svg.line(at(value[key]), 250, at(value[key]), 268, tone, width=2)
        yield svg.text(at(value[key]), row, f"{name} {svg.number(value[key], 4)}", tone, anchor)
