"""Alpha, over a record made up here and over the recorded sweep."""

import itertools
import math
from pathlib import Path
from statistics import fmean, stdev

from scipy.stats import t
from specimen import Specimen

from gpkl_lib._storage import read_rows
from gpkl_lib.explore import Alpha
from gpkl_lib.explore.alpha import epochs_below
from gpkl_lib.statistics import paired_difference

RECORD = read_rows(Path(__file__).parents[3] / "book/_results/toy-alpha.jsonl")


def made_up(alphas=(0.1, 1.0, 30.0), seeds=(3, 5), epochs=4):
    """A record of rows with what the explorable reads; the largest weight never leaves F1 = 0."""
    variants = [("none", 0.0, 0.0), *(("sigmoid", a, w) for a in (0.0, *alphas) for w in (0.0, 0.2) if a or not w)]
    rows = []
    for n, ((method, alpha, share), seed) in enumerate(itertools.product(variants, seeds)):
        curve = [
            0.0 if alpha == max(alphas) else 0.2 + 0.01 * seed + 0.1 * epoch - alpha / 50 for epoch in range(epochs)
        ]
        task = [7.0 * 0.3 ** (epoch / 2) + n / 100 for epoch in range(epochs)]
        divergence = [None if method == "none" else 10.0 ** (-epoch - alpha) for epoch in range(epochs)]
        rows.append({
            "config": {"method": method, "alpha": alpha, "alpha_warmup": share, "seed": seed},
            "dev": {"f1": max(curve)},
            "history": {"f1": curve, "task": task, "divergence": divergence},
        })  # fmt: skip
    return rows


SPECIMEN = Specimen(
    settings=[
        Alpha(RECORD),
        Alpha(RECORD, 0.0),
        Alpha(RECORD, max(row["config"]["alpha"] for row in RECORD), warmup=True, lower="divergence"),
        Alpha(made_up(), 30.0),
        Alpha(made_up(seeds=range(12)), 1.0, warmup=True),
        Alpha(made_up(alphas=(1e-4, 100.0), epochs=1), 1e-4, lower="divergence"),
    ],
    line="gain",
    slider="weight α",
    stops=5,
    absolute=1e-15,
)


def golden():
    module = "maths/alpha"
    for freedom in (1, 2, 3, 4, 7, 19, 30):
        for confidence in (0.1, 0.5, 0.95, 0.99):
            yield module, "studentQuantile", [confidence, freedom], float(t.ppf((1 + confidence) / 2, freedom))
        for angle in (0.0, 0.3, 1.2, 1.5):
            within = float(t.cdf(math.sqrt(freedom) * math.tan(angle), freedom)) * 2 - 1
            yield module, "studentWithin", [angle, freedom], within, 1e-15
    samples = [[0.5, 0.75], [0.71, 0.735, 0.7], [0.8, 0.81, 0.79, 0.805, 0.2], [0.25] * 3]
    for values in samples:
        yield module, "mean", [values], fmean(values)
        yield module, "deviation", [values], stdev(values), 1e-15
        others = [0.01 * k for k in range(len(values))]
        yield module, "differences", [values, others], [a - b for a, b in zip(values, others, strict=True)]
        paired = paired_difference(dict(enumerate(values)), dict.fromkeys(range(len(values)), 0.0))
        ends = {"mean": paired.mean, "low": paired.low, "high": paired.high}
        yield module, "interval", [values], ends, 1e-15
        both = [values, values[::-1]]
        yield module, "meanCurve", [both], [fmean(pair) for pair in zip(*both, strict=True)], 1e-15
        for level in (0.0, 0.74, 0.9):
            yield module, "epochsBelow", [values, level], epochs_below(values, level)
