"""Scale for C classes under test: the real record of three scales, a record of one run, none at all."""

import itertools
import math
from pathlib import Path

import mpmath
from specimen import Specimen

from gpkl_lib._storage import read_rows
from gpkl_lib.explore import ScaleForClasses
from gpkl_lib.explore.entropy_against_length import random_scores
from gpkl_lib.explore.scale_for_classes import mean_curves
from gpkl_lib.smoothing import normalized_scale_bound

ROWS = read_rows(Path(__file__).parents[3] / "book/_results/normface.jsonl")
CURVES = mean_curves(ROWS, [1, 16, 256])
ONE = [{"scale": 1000.0, "steps": [0, 1], "loss": [2.0, 0.0], "accuracy": [0.5, 1.0]}]

SPECIMEN = Specimen(
    settings=[
        ScaleForClasses(curves=CURVES),
        ScaleForClasses(1000, 10.0, curves=CURVES),
        ScaleForClasses(1000, 1.0, tolerance=5.0, curves=CURVES[:2], recorded_classes=50),
        ScaleForClasses(2, 0.32, tolerance=1e-6),
        ScaleForClasses(100_000, 316.0, tolerance=1e-6, curves=ONE, recorded_classes=2),
        ScaleForClasses(3, 316.0, tolerance=0.7, curves=CURVES),
    ],
    line="bound",
    slider="scale s",
    stops=6,
    drags=[("loss to reach, as a power of ten", 30, 1.0)],
    absolute=1e-15,  # the scale needed for a loss of log C is 0
)


def golden():
    module = "maths/scale"
    for c, s in itertools.product([2, 3, 50, 1000, 100_000], [0.32, 1.0, 10.0, 64.0, 316.0]):
        yield module, "scaleBound", [c, s], normalized_scale_bound(c, s)
        for loss in (1e-6, 0.01, 1.0, 5.0):
            with mpmath.workdps(50):
                lead = mpmath.log((c - 1) / mpmath.expm1(loss))
                yield module, "scaleFor", [c, loss], float(lead * (c - 1) / c), 1e-14
                yield module, "marginFor", [c, s, loss], float(lead / s), 1e-14
    for s, wanted in ((0.5, 0), (3.9, 0), (4.1, 1), (63, 1), (65, 2), (1e3, 2)):
        yield module, "nearest", [[1, 16, 256], s], wanted
    for kind in ("normal", "uniform"):
        x = random_scores(16384, kind)[0].tolist()
        for i in (0, 1, 2, 77, 4095, 16383):
            yield module, "score", [kind, i], x[i]
    for i in (0, 1, 2, 1000, 32767):  # (h + 1/2)/2^32 with h written out in integers of any size
        h = (i + 1) * 0x9E3779B1 % 2**32
        h = (h ^ h >> 16) * 0x85EBCA6B % 2**32
        h = (h ^ h >> 13) * 0xC2B2AE35 % 2**32
        yield module, "uniform", [i], ((h ^ h >> 16) + 0.5) / 2**32
    yield module, "invariantScale", [512, 2.0], 2 * math.log(512)
