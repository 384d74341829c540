"""Bounds of logsumexp: one upper and four lower bounds as bars around the true value, over the temperature."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any, Literal

import torch
import traitlets

from gpkl_lib.divergence import kl_divergence
from gpkl_lib.explore.base import Explorable
from gpkl_lib.explore.kit import svg
from gpkl_lib.explore.traits import Logits, Ranged, check_range
from gpkl_lib.smoothing import entropy, logsumexp, logsumexp_bounds, softmax

Choice = Literal["argmax", "softmax", "uniform", "yours"]
ROWS = (
    ("upper", "max + *T* log *n*", "vermilion"),
    ("max", "max", "blue"),
    ("mean", "mean + *T* log *n*", "green"),
    ("entropy", "⟨*p*, *x*⟩ + *T* *H*(*p*)", "purple"),
    ("cauchy", "⟨*p*, *x*⟩ − *T* log Σ*p*²", "grey"),
)


class BoundsOfLogsumexp(Explorable):
    """F = T logsumexp(x / T) between its bounds, two of which hold for every probability vector p.

    max < F <= max + T log n,  mean + T log n <= F,  <p, x> + T H(p) <= F,  <p, x> - T log sum p^2 <= F.

    Args:
        logits: x, 2 to 6 of them.
        temperature: T, 0.01 to 100.
        choice: whose p: "argmax" (the one-hot of the winner, shared in a tie), "softmax" (of x/T, where the entropy
            bound is attained), "uniform", or "yours".
        weights: the p of "yours" up to a factor, as many as logits, none negative, not all 0; uniform if left out.

    Raises:
        traitlets.TraitError: a value outside these.
        ValueError: logits and weights differ in number.

    Example:
        >>> value = BoundsOfLogsumexp([1.0, 2.0, 3.0, 4.0]).values()
        >>> value["max"] < value["lse"] <= value["upper"]
        True
    """

    logits = Logits()
    temperature = Ranged(0.01, 100.0)
    choice = traitlets.Enum(["argmax", "softmax", "uniform", "yours"]).tag(sync=True)
    weights = traitlets.List(traitlets.Float()).tag(sync=True)

    def __init__(
        self,
        logits: Sequence[float] = (1.0, 2.0, 3.0, 4.0),
        *,
        temperature: float = 1.0,
        choice: Choice = "yours",
        weights: Sequence[float] | None = None,
    ) -> None:
        weights = [1 / len(logits)] * len(logits) if weights is None else weights
        if len(logits) != len(weights):
            raise ValueError(f"logits and weights must be as many, got {len(logits)} and {len(weights)}")
        super().__init__(
            logits=list(map(float, logits)), temperature=temperature, choice=choice, weights=list(map(float, weights))
        )

    @traitlets.validate("weights")
    def _validate_weights(self, proposal: dict[str, Any]) -> list[float]:
        values: list[float] = proposal["value"]
        for value in values:
            check_range("each of weights", value, 0.0, 1e6)
        if not sum(values) > 0:
            raise traitlets.TraitError(f"weights must not all be 0, got {values}")
        return values

    def log_p(self) -> torch.Tensor:
        """Logits of the chosen p, in float64; -inf where p is 0."""
        x = torch.tensor(self.logits, dtype=torch.float64)
        if self.choice == "softmax":
            return x / self.temperature
        if self.choice == "argmax":
            return (x == x.max()).double().log()
        w = torch.ones_like(x) if self.choice == "uniform" else torch.tensor(self.weights, dtype=torch.float64)
        return w.log()

    def values(self) -> dict[str, float]:
        """The true value, its bounds, H(p) and T KL(p || softmax(x/T)), by the library in float64, in nats."""
        x, w, T = torch.tensor(self.logits, dtype=torch.float64), self.log_p(), self.temperature
        p, (lower, upper) = softmax(w), logsumexp_bounds(x, temperature=T)
        return {
            "lse": logsumexp(x, temperature=T).item(),
            "upper": upper.item(),
            "max": lower.item(),
            "mean": x.mean().item() + T * math.log(len(x)),
            "entropy": ((p * x).sum() + T * entropy(w)).item(),
            "cauchy": ((p * x).sum() - T * p.square().sum().log()).item(),
            "kl": T * kl_divergence(w, x / T).item(),
            "h": entropy(w).item(),
        }

    def still(self) -> str:
        """The bounds as bars around the true value, as one SVG picture."""
        value, p = self.values(), softmax(self.log_p()).tolist()
        told = ", ".join(f"{name.replace('*', '')} {svg.number(value[key], 4)}" for key, name, _ in ROWS)
        alt = (
            f"Logits {svg.listed(self.logits, 1)}; temperature {self.temperature:g}; p = {svg.listed(p, 3)} "
            f"({self.choice}). The smooth maximum is {svg.number(value['lse'], 4)} nats. Its bounds: {told}."
        )
        head = f"*F* = *T* logsumexp(*x*/*T*) = {svg.number(value['lse'], 4)}, *T* = {self.temperature:g}"
        foot = f"*p* = ({svg.listed(p, 2)}), {self.choice}"
        parts = [svg.text(8, 16, head, "ink", "start"), *_bars(value), svg.text(8, 256, foot, "ink", "start")]
        return svg.picture(360, 264, alt, parts)


def _bars(value: dict[str, float]) -> Iterator[str]:
    """One row a bound: its name, how far it is from the true value, and that distance as a bar."""
    slack = {key: value[key] - value["lse"] for key, *_ in ROWS}
    low, high = min(0.0, *slack.values()), max(0.0, *slack.values())
    scale = 344 / max(high - low, 1e-9)
    zero = 8 - low * scale
    for k, (key, name, tone) in enumerate(ROWS):
        y, distance = 44 + 42 * k, slack[key]
        yield svg.text(8, y, name, tone, "start")
        yield svg.text(352, y, f"{'+' if distance > 0 else ''}{svg.number(distance, 4)}", tone, "end")
        yield svg.box(zero + min(distance, 0) * scale, y + 7, abs(distance) * scale, 12, tone)
    yield svg.line(zero, 26, zero, 236, "ink", width=2)
