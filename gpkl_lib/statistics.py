"""Statistics of paired runs: the same seeds under two methods."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from statistics import fmean, stdev

from gpkl_lib._optional import optional


@dataclass(frozen=True)
class PairedDifference:
    """Mean of method - baseline over paired seeds and the ends of its t interval (NaN from a single pair)."""

    mean: float
    low: float
    high: float
    pairs: int


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
    seeds = sorted(method.keys() & baseline.keys())
    if not seeds:
        raise ValueError(f"no seed in common: {sorted(method)} and {sorted(baseline)}")
    differences = [method[seed] - baseline[seed] for seed in seeds]
    mean, n = fmean(differences), len(differences)
    if n == 1:
        return PairedDifference(mean, math.nan, math.nan, 1)
    quantile = optional("scipy.stats", "train", "a paired t interval").t.ppf((1 + confidence) / 2, n - 1)
    half = float(quantile) * stdev(differences) / math.sqrt(n)
    return PairedDifference(mean, mean - half, mean + half, n)
