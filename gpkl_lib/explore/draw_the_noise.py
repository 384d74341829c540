"""Draw the noise: how often each of three noisy scores is the largest, drawn and exact; and two views of one noise."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

import torch
import traitlets
from torch import Tensor

from gpkl_lib.divergence import symmetric_kl
from gpkl_lib.explore.base import Explorable
from gpkl_lib.explore.kit import svg
from gpkl_lib.explore.traits import Ranged, RangedInt, RangedList
from gpkl_lib.noise import NOISES, Name, argmax_probabilities

CLASSES = 3
SUBSCRIPTS = "₁₂₃"
SEED = 2**21


class DrawTheNoise(Explorable):
    """Who wins among the scores s + T e: shares of draws against the probabilities; with t, two views of one noise.

    With one view, the picture compares the shares of the three with `argmax_probabilities`. With two, it counts which
    pairs of winners came, and compares the mean of (s - t)_I - (s - t)_J over the draws with the divergence.

    Args:
        s: three scores, of size at most 1000.
        t: three scores of a second view, or none.
        noise: a name of `gpkl_lib.noise.NOISES`.
        temperature: T, the width of the noise, 0.05 to 20.
        draws: 1 to 4000 of them; always the same.

    Raises:
        traitlets.TraitError: a value outside these.

    Example:
        >>> value = DrawTheNoise([1.0, 0.0, -1.0], draws=4000).values()
        >>> round(value["exact"], 4), abs(value["drawn"] - value["exact"]) < 0.03  # Gumbel's noise is softmax's
        (0.6652, True)
        >>> value = DrawTheNoise((1.0, 0.0, -1.0), (0.0, 0.5, 0.3), noise="cauchy").values()
        >>> round(value["exact"], 3), value["least"] >= 0
        (0.567, True)
    """

    s = RangedList(-1000.0, 1000.0, least=CLASSES, most=CLASSES, what="three scores")
    t = RangedList(-1000.0, 1000.0, least=0, most=CLASSES, what="three scores or none")
    noise = traitlets.Enum(list(NOISES)).tag(sync=True)
    temperature = Ranged(0.05, 20.0)
    draws = RangedInt(1, 4000)

    def __init__(
        self,
        s: Sequence[float] = (1.0, 0.0, -1.0),
        t: Sequence[float] = (),
        *,
        noise: Name = "gumbel",
        temperature: float = 1.0,
        draws: int = 200,
    ) -> None:
        scores = {"s": list(map(float, s)), "t": list(map(float, t))}
        super().__init__(**scores, noise=noise, temperature=float(temperature), draws=draws)

    @traitlets.validate("t")
    def _all_or_none(self, proposal: Any) -> list[float]:
        values: list[float] = proposal["value"]
        if len(values) not in (0, CLASSES):
            raise traitlets.TraitError(f"t must hold three scores or none, got {len(values)}")
        return values

    def values(self) -> dict[str, float]:
        """The exact number and the drawn one, by the library in float64; D is T times the library's, of s/T and t/T."""
        s, t = self._scores()
        first = self._winners(s)
        if not self.t:
            p = argmax_probabilities(s, noise=self._noise, temperature=self.temperature).tolist()
            share = (first == 0).double().mean().item()
            return {"exact": p[0], "drawn": share, "second": p[1], "third": p[2]}
        other, gap = self._winners(t), s - t
        terms = gap[first] - gap[other]
        f = partial(argmax_probabilities, noise=self._noise)
        return {
            "exact": self.temperature * symmetric_kl(s, t, activation=f, temperature=self.temperature).item(),
            "drawn": terms.mean().item(),
            "least": terms.min().item(),
            "apart": (first != other).double().mean().item(),
        }

    @property
    def _noise(self) -> Name:
        name: Name = self.noise
        return name

    def _scores(self) -> tuple[Tensor, Tensor]:
        return torch.tensor(self.s, dtype=torch.float64), torch.tensor(self.t, dtype=torch.float64)

    def _winners(self, scores: Tensor) -> Tensor:
        return (scores + self.temperature * draws(self._noise, self.draws)).argmax(-1)

    def still(self) -> str:
        """Scores on the left, on the right the shares of the winners or of their pairs, as one SVG picture."""
        value = self.values()
        said = f"{self.draws} draws of {self.noise} noise of width {self.temperature:g} on the scores"
        if not self.t:
            shown = svg.listed((value[key] for key in ("exact", "second", "third")), 4)
            alt = (
                f"{said} {svg.listed(self.s, 1)}. The probabilities that each is the largest are {shown}; "
                f"the first was in {svg.number(value['drawn'], 4)} of the draws."
            )
            line = f"*P*(1 wins) = {svg.number(value['exact'], 4)}, drawn {svg.number(value['drawn'], 4)}"
            parts = [*self._columns(), *self._bars()]
        else:
            alt = (
                f"{said} of two views, {svg.listed(self.s, 1)} and {svg.listed(self.t, 1)}. The mean term is "
                f"{svg.number(value['drawn'], 4)} where D is {svg.number(value['exact'], 4)}; no term is below "
                f"{svg.number(value['least'], 1)}, and {svg.number(100 * value['apart'], 1)} % of the draws part."
            )
            line = f"*D* = {svg.number(value['exact'], 4)}, drawn {svg.number(value['drawn'], 4)}"
            parts = [*self._columns(), *self._pairs()]
        title = f"{self.noise} noise, *T* = {self.temperature:g}, {self.draws} draws"
        texts = [svg.text(8, 16, title, "ink", "start"), svg.text(8, 226, line, "ink", "start")]
        return svg.picture(360, 234, alt, [*texts, *parts])

    def _columns(self) -> Iterator[str]:
        reach = max(6.0, *map(abs, [*self.s, *self.t]))
        yield svg.line(8, 114, 158, 114)
        for scores, tone, shape, aside in ((self.s, "blue", "circle", -9), (self.t, "vermilion", "diamond", 9)):
            for i, score in enumerate(scores):
                x, y = 33 + 50 * i + (aside if self.t else 0), 114 - 78 * score / reach
                yield svg.line(x, 114, x, y, tone, width=2)
                yield svg.dot(x, y, tone, shape)
                yield svg.text(x, y - 9 if score >= 0 else y + 19, svg.number(score, 1))

    def _bars(self) -> Iterator[str]:
        s, _ = self._scores()
        p = argmax_probabilities(s, noise=self._noise, temperature=self.temperature).tolist()
        shares = torch.bincount(self._winners(s), minlength=CLASSES) / self.draws
        yield svg.line(196, 186, 352, 186)
        for i, (exact, share) in enumerate(zip(p, shares.tolist(), strict=True)):
            x = 222 + 52 * i
            yield svg.box(x - 15, 186 - 130 * share, 30, 130 * share, "blue")
            yield svg.outline(x - 20, 186 - 130 * exact, 40, 130 * exact, "vermilion")
            yield svg.text(x, 178 - 130 * max(exact, share), svg.number(exact, 3))
            yield svg.text(x, 204, f"*p*{SUBSCRIPTS[i]}")

    def _pairs(self) -> Iterator[str]:
        s, t = self._scores()
        first, other, gap = self._winners(s), self._winners(t), s - t
        for i in range(CLASSES):
            yield svg.text(204, 66 + 54 * i, f"*s*: {i + 1}", "blue", "end")
            yield svg.text(232 + 48 * i, 204, f"*t*: {i + 1}", "vermilion")
            for j in range(CLASSES):
                share = ((first == i) & (other == j)).double().mean().item()
                weight = (gap[i] - gap[j]).item()
                x, y = 209 + 48 * j, 36 + 54 * i
                yield svg.outline(x, y, 46, 52, "grey" if weight < 0 else "green")
                yield svg.text(
                    x + 23, y + 22, "agree" if i == j else svg.number(weight, 1), "grey" if weight < 0 else "ink"
                )
                yield svg.text(x + 23, y + 40, "never" if weight < 0 else f"{svg.number(100 * share, 0)} %")


def draws(noise: Name, count: int) -> Tensor:
    """The first draws of a noise for each of the three scores (count, 3), always the same."""
    u = mixed(SEED + torch.arange(CLASSES * count)).reshape(-1, CLASSES)
    return NOISES[noise].quantile(u, 1 - u)


def mixed(k: Tensor) -> Tensor:
    """Numbers between 0 and 1 that look random, one for each k: its bits mixed, as in maths/noise.js."""
    low = 2**32 - 1
    x = ((k ^ (k >> 16)) * 0x7FEB352D) & low
    x = ((x ^ (x >> 15)) * 0x846CA68B) & low
    return ((x ^ (x >> 16)).double() + 0.5) / 2**32
