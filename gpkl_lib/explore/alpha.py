"""Alpha: a recorded sweep over the weight of the divergence, with the training curves of every weight."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from statistics import fmean
from typing import Any, Literal

import traitlets

from gpkl_lib._storage import Row
from gpkl_lib.explore.base import Explorable
from gpkl_lib.explore.kit import svg
from gpkl_lib.statistics import PairedDifference, paired_difference

Lower = Literal["cross-entropy", "divergence"]
CURVES = {"f1": "f1", "cross-entropy": "task", "divergence": "divergence"}
"""The curves of a run, and what they are called in a record."""


class Alpha(Explorable):
    """F1 on dev against alpha with its intervals, and how training went at the alpha chosen, beside one view.

    Args:
        rows: a record with rows of method "none", "sigmoid" with alpha 0 (two views, D not counted), and "sigmoid" at
            two or more alphas, each without a warm-up of alpha and with one; all with the same two or more seeds.
        alpha: whose curves are shown, one of those recorded, 0 included.
        warmup: with the warm-up of alpha or without.
        lower: what the second plot shows, "cross-entropy" or "divergence".

    Raises:
        ValueError: a record that lacks one of these.
        traitlets.TraitError: an alpha that was not recorded, another name for `lower`.

    Example:
        >>> def row(method, alpha, warmup, seed):
        ...     config = {"method": method, "alpha": alpha, "alpha_warmup": warmup, "seed": seed}
        ...     f1, divergence = [0.2, 0.5 + seed / 100], [None if method == "none" else 0.1] * 2
        ...     history = {"f1": f1, "task": [2.0, 1.0], "divergence": divergence}
        ...     return {"config": config, "dev": {"f1": f1[-1]}, "history": history}
        >>> kinds = [("none", 0.0, 0.0), ("sigmoid", 0.0, 0.0)]
        >>> kinds += [("sigmoid", alpha, warmup) for alpha in (0.1, 1.0) for warmup in (0.0, 0.2)]
        >>> picture = Alpha([row(*kind, seed) for kind in kinds for seed in (0, 1)])
        >>> round(picture.values()["mean"], 3)
        0.505
    """

    runs = traitlets.List(traitlets.Dict()).tag(sync=True)
    seeds = traitlets.List(traitlets.Int()).tag(sync=True)
    share = traitlets.Float().tag(sync=True)
    alpha = traitlets.Float().tag(sync=True)
    warmup = traitlets.Bool().tag(sync=True)
    lower = traitlets.Enum(["cross-entropy", "divergence"]).tag(sync=True)

    def __init__(
        self, rows: Sequence[Row], alpha: float = 0.1, *, warmup: bool = False, lower: Lower = "cross-entropy"
    ) -> None:
        seeds, share, runs = _runs(rows)
        super().__init__(seeds=seeds, share=share, runs=runs, alpha=float(alpha), warmup=warmup, lower=lower)

    @traitlets.validate("alpha")
    def _validate_alpha(self, proposal: dict[str, Any]) -> float:
        known = sorted({run["alpha"] for run in self.runs if run["method"] != "none"})
        if self.runs and proposal["value"] not in known:
            raise traitlets.TraitError(f"alpha must be one of {_listed(known)}, got {proposal['value']:g}")
        return float(proposal["value"])

    def run(self, alpha: float | None = None, warmup: bool | None = None) -> dict[str, Any]:
        """The runs at one alpha (at the one shown, and its warm-up, where not given); alpha 0 has no warm-up."""
        alpha = self.alpha if alpha is None else alpha
        warm = (self.warmup if warmup is None else warmup) and alpha > 0
        return next(r for r in self.runs if r["method"] != "none" and (r["alpha"], r["warm"]) == (alpha, warm))

    def plain(self) -> dict[str, Any]:
        """The runs with one view."""
        return next(run for run in self.runs if run["method"] == "none")

    def difference(self, baseline: Mapping[int, float] | None = None) -> PairedDifference:
        """Dev F1 at the alpha shown minus that of one view (or `baseline`), seed by seed."""
        return paired_difference(self._scores(self.run()), baseline or self._scores(self.plain()))

    def values(self) -> dict[str, float]:
        """Mean best dev F1 with its interval, the same for the difference from one view, and epochs before half of it.

        `asleep` counts, as a mean over seeds, the epochs that end before dev F1 reaches half the mean F1 of one view.
        """
        own, plain = self.difference(dict.fromkeys(self.seeds, 0.0)), fmean(self.plain()["best"])
        gain = self.difference()
        return {
            "mean": own.mean,
            "low": own.low,
            "high": own.high,
            "plain": plain,
            "gain": gain.mean,
            "gain_low": gain.low,
            "gain_high": gain.high,
            "asleep": fmean(epochs_below(curve, plain / 2) for curve in self.run()["f1"]),
        }

    def still(self) -> str:
        """The sweep as one SVG picture, and the numbers of the alpha chosen."""
        value = self.values()
        told = "with" if self.warmup else "without"
        sweeps = (
            f"{'with' if warm else 'without'} a warm-up "
            + ", ".join(f"{fmean(self.run(a, warm)['best']):.3f} at {a:g}" for a in self._alphas())
            for warm in (False, True)
        )
        gain = f"{svg.number(value['gain'], 4)}, 95 % interval {svg.listed((value['gain_low'], value['gain_high']), 4)}"
        alt = (
            f"Best F1 on dev against alpha on a logarithmic axis, means over {len(self.seeds)} seeds: "
            f"{'; '.join(sweeps)}; one view {svg.number(value['plain'], 3)}. Chosen: alpha {self.alpha:g} {told} "
            f"warm-up, mean {svg.number(value['mean'], 4)}, minus one view {gain}."
        )
        lines = [f"*α* = {self.alpha:g}, {told} warm-up: mean {value['mean']:.4f}", f"minus one view: {gain}"]
        parts = [svg.text(8, 232 + 18 * n, line, "ink", "start") for n, line in enumerate(lines)]
        return svg.picture(360, 258, alt, [*self._sweep(), *parts])

    def _alphas(self) -> list[float]:
        return sorted({run["alpha"] for run in self.runs if run["alpha"] > 0})

    def _scores(self, run: Mapping[str, Any]) -> dict[int, float]:
        return dict(zip(self.seeds, run["best"], strict=True))

    def _sweep(self) -> Iterator[str]:
        alphas = self._alphas()
        zero, last = math.log10(alphas[0]) - 0.6, math.log10(alphas[-1])

        def at(alpha: float, f1: float) -> tuple[float, float]:
            place = math.log10(alpha) if alpha else zero
            return 44 + 296 * (place - zero) / (last - zero), 190 - 170 * f1

        for f1 in (0.0, 0.5, 1.0):
            yield svg.line(40, at(0, f1)[1], 344, at(0, f1)[1])
            yield svg.text(34, at(0, f1)[1] + 4, f"{f1:.1f}", "grey", "end")
        for alpha in (0, *alphas):
            yield svg.text(at(alpha, 0)[0], 208, f"{alpha:g}", "grey")
        level = at(0, fmean(self.plain()["best"]))[1]
        yield svg.line(40, level, 344, level, "ink", stroke_dasharray="2 3")
        for warm, tone, shape in ((True, "blue", "circle"), (False, "vermilion", "diamond")):
            means = [(alpha, fmean(self.run(alpha, warm)["best"])) for alpha in (0.0, *alphas)]
            dash = "none" if warm else "5 3"
            for one, other in itertools.pairwise(means[1:]):
                yield svg.line(*at(*one), *at(*other), tone, width=2, stroke_dasharray=dash)
            for alpha, f1 in means:
                chosen = alpha == self.alpha and (warm == self.warmup or not alpha)
                yield svg.dot(*at(alpha, f1), tone, shape, 6 if chosen else 3)
        yield svg.text(8, 14, "best dev *F*1 against *α*: ● warm-up, ◆ none; dotted: one view", "ink", "start")


def _runs(rows: Sequence[Row]) -> tuple[list[int], float, list[dict[str, Any]]]:
    """(seeds, share of the warm-up, the runs of each method, alpha and warm-up), from a record."""
    found: dict[tuple[str, float, float], dict[int, Row]] = {}
    for row in rows:
        c = row["config"]
        found.setdefault((c["method"], c["alpha"], c["alpha_warmup"]), {})[c["seed"]] = row
    seeds = sorted({seed for runs in found.values() for seed in runs})
    shares = {share for _, _, share in found if share}
    alphas = {alpha for _, alpha, _ in found if alpha}
    wanted = {("none", 0.0, 0.0), ("sigmoid", 0.0, 0.0)}
    wanted |= {("sigmoid", alpha, share) for alpha in alphas for share in (0.0, *shares)}
    if len(seeds) < 2 or len(shares) != 1 or len(alphas) < 2 or found.keys() != wanted:
        raise ValueError(
            "rows must hold methods none and sigmoid, sigmoid with alpha 0 and with two or more others, each with one "
            f"warm-up and without, two or more seeds; got seeds {seeds} and {sorted(found)}"
        )
    lacking = [key for key, runs in found.items() if sorted(runs) != seeds]
    if lacking:
        raise ValueError(f"every run must have the seeds {seeds}; {lacking[0]} has {sorted(found[lacking[0]])}")
    return seeds, shares.pop(), [_record(*key, [found[key][seed] for seed in seeds]) for key in sorted(found)]


def _record(method: str, alpha: float, share: float, rows: Sequence[Row]) -> dict[str, Any]:
    """The runs of one variant: best dev F1 of each seed, and its curves to four digits."""
    curves = {
        name: [[float(f"{value:.4g}") for value in row["history"][key] if value is not None] for row in rows]
        for name, key in CURVES.items()
    }
    best = [row["dev"]["f1"] for row in rows]
    return {"method": method, "alpha": float(alpha), "warm": share > 0, "best": best, **curves}


def epochs_below(curve: Sequence[float], level: float) -> int:
    """How many epochs end before the curve reaches `level`; all of them if it never does."""
    return next((epoch for epoch, value in enumerate(curve) if value >= level), len(curve))


def _listed(values: Sequence[float]) -> str:
    return ", ".join(f"{value:g}" for value in values)
