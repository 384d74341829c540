"""Statistics of paired runs: the same seeds under two methods.

How a difference is judged: `judge` adjusts the p-values of a table for their number and says "better", "worse",
"equivalent" or "undecided", each with the smallest effect that so many seeds would have seen.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, stdev
from typing import Any, Literal, TypeVar

import numpy as np

from gpkl_lib._optional import optional

LEVEL, POWER = 0.05, 0.8
"""Two-sided level of every test, and the power that the smallest detectable effect is told for."""

Word = Literal["better", "worse", "equivalent", "undecided"]
Counts = Sequence[Sequence[int]]
"""Of each sentence of a test set the correct, the predicted and the gold spans: three lists of one length."""
Name = TypeVar("Name", bound=Hashable)


@dataclass(frozen=True)
class PairedDifference:
    """Mean of method - baseline over paired seeds and the ends of its t interval (NaN from a single pair).

    Attributes:
        mean, low, high: in the unit of the scores.
        pairs: seeds that both have.
        spread: standard deviation of the differences, NaN from a single pair.
    """

    mean: float
    low: float
    high: float
    pairs: int
    spread: float

    @property
    def p(self) -> float:
        """Two-sided p-value of Student's paired t test against no difference; 1 from a single pair."""
        return min(1.0, 2 * min(self._tail(0.0), 1 - self._tail(0.0))) if self.pairs > 1 else 1.0

    def equivalence(self, margin: float) -> float:
        """p-value of two one-sided t tests: small if the difference lies within -margin and +margin.

        Raises:
            ValueError: margin not positive.

        Source: Schuirmann 1987, "A comparison of the two one-sided tests procedure and the power approach".
        """
        if not margin > 0:
            raise ValueError(f"margin must be positive, got {margin}")
        return max(self._tail(-margin), 1 - self._tail(margin)) if self.pairs > 1 else 1.0

    def detectable(self, *, power: float = POWER, level: float = LEVEL) -> float:
        """The smallest true difference that a paired t test on so many pairs, as spread as these, finds with `power`.

        Infinite from a single pair. By the noncentral t distribution, in the tail of the right sign: the other one adds
        less than a thousandth to a power above one half.

        Raises:
            ValueError: power not between 1/2 and 1.
        """
        if not 0.5 < power < 1:
            raise ValueError(f"power must lie between 1/2 and 1, got {power}")
        if self.pairs < 2:
            return math.inf
        stats, freedom = optional("scipy.stats", "train", "power"), self.pairs - 1
        critical = float(stats.t.ppf(1 - level / 2, freedom))

        def missing(shift: float) -> float:
            return power - float(stats.nct.sf(critical, freedom, shift))

        enough = critical
        while missing(enough) > 0:
            enough *= 2
        shift = float(optional("scipy.optimize", "train", "power").brentq(missing, 0.0, enough))
        return shift * self.spread / math.sqrt(self.pairs)

    def _tail(self, value: float) -> float:
        """Probability under Student's t of a mean at least as high as this one, were `value` the true difference."""
        error = self.spread / math.sqrt(self.pairs)
        if error == 0:  # all seeds agree
            return float(self.mean <= value) if self.mean != value else 0.5
        tail = optional("scipy.stats", "train", "a t test").t.sf((self.mean - value) / error, self.pairs - 1)
        return float(tail)


@dataclass(frozen=True)
class Verdict:
    """What a difference comes to beside the others of its table.

    Attributes:
        word: "equivalent" if it lies within the margin, else "better" or "worse" if it is not 0, else "undecided".
        p: of the t test against no difference, adjusted by Holm for the number of comparisons.
        equivalence: p-value of the two one-sided tests at the margin, adjusted likewise.
        detectable: the smallest effect that would have been seen with 80 % power.
    """

    word: Word
    p: float
    equivalence: float
    detectable: float


def paired_difference(
    method: Mapping[int, float], baseline: Mapping[int, float], *, confidence: float = 0.95
) -> PairedDifference:
    """d-bar -+ t_{(1 + confidence)/2, n-1} * s_d / sqrt(n) over the n differences d of the seeds that both have.

    Args:
        method: a score for each seed.
        baseline: the same for what it is compared with.
        confidence: of the interval, 0 < confidence < 1.

    Raises:
        ValueError: no seed in common, confidence out of range.
        ModuleNotFoundError: SciPy, of the extra `train`, is not installed.

    Source: Student's paired t interval.
    """
    if not 0 < confidence < 1:
        raise ValueError(f"confidence must lie between 0 and 1, got {confidence}")
    differences = _differences(method, baseline)
    mean, n = fmean(differences), len(differences)
    if n == 1:
        return PairedDifference(mean, math.nan, math.nan, 1, math.nan)
    quantile = optional("scipy.stats", "train", "a paired t interval").t.ppf((1 + confidence) / 2, n - 1)
    spread = stdev(differences)
    half = float(quantile) * spread / math.sqrt(n)
    return PairedDifference(mean, mean - half, mean + half, n, spread)


def sign_flips(
    method: Mapping[int, float], baseline: Mapping[int, float], *, resamples: int = 20_000, seed: int = 0
) -> float:
    """Two-sided p-value of the mean difference among all ways to flip the signs of the differences of paired seeds.

    It assumes no normal distribution, only that the two methods could be exchanged if there were no difference. Exact
    up to `resamples` ways (2 to the number of pairs), else by so many random ones.

    Raises:
        ValueError: no seed in common.
    """
    differences = np.array(_differences(method, baseline))
    test = optional("scipy.stats", "train", "a permutation test").permutation_test
    options: dict[str, Any] = {"permutation_type": "samples", "n_resamples": resamples, "vectorized": True}
    found = test((differences,), np.mean, random_state=np.random.default_rng(seed), **options)
    return float(found.pvalue)


def holm(p_values: Mapping[Name, float]) -> dict[Name, float]:
    """p-values adjusted for their number: the chance of one false claim among all stays below the level.

    The smallest is multiplied by their number n, the next by n - 1, and so on; none is smaller than the one before it.

    Source: Holm 1979, "A simple sequentially rejective multiple test procedure".
    """
    adjusted, least = {}, 0.0
    for rank, (name, p) in enumerate(sorted(p_values.items(), key=lambda item: item[1])):
        least = max(least, min(1.0, p * (len(p_values) - rank)))
        adjusted[name] = least
    return {name: adjusted[name] for name in p_values}


def judge(differences: Mapping[Name, PairedDifference], margin: float) -> dict[Name, Verdict]:
    """The verdict on each difference of a table, which is one family of comparisons.

    A difference that lies within the margin is called equivalent even where it is surely not 0: the margin says,
    before anything is measured, what is too small to matter.

    Args:
        differences: all that the table shows.
        margin: in the unit of the scores, stated before the scores were seen.

    Raises:
        ValueError: margin not positive.
    """
    p = holm({name: d.p for name, d in differences.items()})
    equivalence = holm({name: d.equivalence(margin) for name, d in differences.items()})

    def word(name: Name) -> Word:
        if equivalence[name] < LEVEL:
            return "equivalent"
        if p[name] < LEVEL:
            return "better" if differences[name].mean > 0 else "worse"
        return "undecided"

    return {name: Verdict(word(name), p[name], equivalence[name], d.detectable()) for name, d in differences.items()}


def hierarchical_bootstrap(
    method: Mapping[int, Counts],
    baseline: Mapping[int, Counts],
    *,
    same_sentences: bool,
    confidence: float = 0.95,
    resamples: int = 2000,
    seed: int = 0,
) -> tuple[float, float]:
    """Interval of the mean difference of F1 over seeds, if both the seeds and the test sentences were drawn anew.

    A t interval over seeds takes the test set as given. Here seeds are drawn with replacement, and the sentences of
    their test sets too: once for all seeds where these were tested on the same sentences, else for each of them.

    Args:
        method: the counts of the sentences for each seed.
        baseline: the same for what it is compared with; sentence by sentence the same gold counts.
        same_sentences: whether all seeds have the same test set.
        confidence: of the interval, which lies between quantiles of the resampled differences.
        resamples: how often the whole is drawn anew.
        seed: of the draws.

    Raises:
        ValueError: no seed in common, test sets of different sizes or gold counts.
    """
    seeds = sorted(method.keys() & baseline.keys())
    if not seeds:
        raise ValueError(f"no seed in common: {sorted(method)} and {sorted(baseline)}")
    both = [[np.array(counts[each], dtype=float) for counts in (method, baseline)] for each in seeds]
    if len({one.shape for pair in both for one in pair}) > 1 or any((a[2] != b[2]).any() for a, b in both):
        raise ValueError("method and baseline must have the counts of the same test sentences")
    table = np.array(both)  # (seeds, 2, 3, sentences)
    generator, (count, _, _, size) = np.random.default_rng(seed), table.shape
    even, means = np.full(size, 1 / size), []
    for _ in range(resamples):
        drawn = table[generator.integers(count, size=count)]
        times = generator.multinomial(size, even, size=1 if same_sentences else count)
        correct, predicted, gold = np.einsum("smcn,sn->csm", drawn, np.broadcast_to(times, (count, size)))
        f1 = np.divide(2 * correct, predicted + gold, out=np.zeros_like(correct), where=predicted + gold > 0)
        means.append(float((f1[:, 0] - f1[:, 1]).mean()))
    low, high = np.quantile(means, [(1 - confidence) / 2, (1 + confidence) / 2])
    return float(low), float(high)


def _differences(method: Mapping[int, float], baseline: Mapping[int, float]) -> list[float]:
    """Score by score, of the seeds that both have. Raises ValueError if there is none."""
    seeds = sorted(method.keys() & baseline.keys())
    if not seeds:
        raise ValueError(f"no seed in common: {sorted(method)} and {sorted(baseline)}")
    return [method[seed] - baseline[seed] for seed in seeds]
