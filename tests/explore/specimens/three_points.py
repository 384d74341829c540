"""Three points, and the maths of maths/accuracy.js, whose best places are those of mpmath's root finder."""

import itertools
import math

import mpmath
from specimen import Specimen

from gpkl_lib.explore import ThreePoints
from gpkl_lib.explore.three_points import WARM, accuracy, cross_entropy, hinge, slope, smooth_accuracy

SPECIMEN = Specimen(
    settings=[
        ThreePoints(),
        ThreePoints(b=0.12, scale=3.03, temperature=0.205),
        ThreePoints(b=-0.5, scale=32.0, temperature=0.02),
        ThreePoints(b=2.5, scale=0.3, temperature=0.519),
        ThreePoints(b=0.0, scale=8.0, temperature=0.52),
        ThreePoints(b=0.25, scale=4.0, temperature=2.0),
        ThreePoints(b=2.5, scale=32.0, temperature=0.05),
    ],
    line="smooth",
    slider="width T",
    stops=5,
    absolute={"cross_slope": 1e-15, "smooth_slope": 1e-17, "*": 1e-15},
)
PLACES = (-0.5, -0.25, -0.1, 0.0, 0.125, 0.25, 1.0, 2.5)


def cross_best(w):
    """Where three sigmoids add up to 1, in 40 digits."""

    def excess(b):
        return mpmath.fsum(1 / (1 + mpmath.exp(-w * (point - b))) for point in (-0.25, 0, 0.25)) - 1

    with mpmath.workdps(40):
        return float(mpmath.findroot(excess, (0, 0.25 + math.log(2) / w), solver="illinois", maxsteps=200))


def smooth_best(T):
    """Where the slope is 0 as a function of q = e^(-b/T), in 40 digits."""
    if T >= WARM:
        return math.inf

    def slope_over_q(q):
        return 1 / (v * (1 + q / v) ** 2) + 1 / (1 + q) ** 2 - v / (1 + v * q) ** 2

    with mpmath.workdps(40):
        v = mpmath.exp(1 / (4 * mpmath.mpf(T)))
        q = mpmath.findroot(slope_over_q, (0, 1), solver="illinois", maxsteps=500)
        return float(-T * mpmath.log(q))


def golden():
    module = "maths/accuracy"
    for b in PLACES:
        yield module, "rightShare", [b], accuracy(b).item()
        for w in (0.3, 1.0, 3.03, 32.0):
            yield module, "hingeLoss", [b, w], hinge(b, w).item(), 1e-15
            yield module, "lineLoss", [b, w], cross_entropy(b, w).item()
            yield module, "lineSlope", [b, w], slope(lambda at, w=w: cross_entropy(at, w), b), 1e-15
        for T in (0.02, 0.3, 0.52, 2.0):
            yield module, "smoothAccuracy", [b, T], smooth_accuracy(b, T).item()
            yield module, "smoothSlope", [b, T], slope(lambda at, T=T: smooth_accuracy(at, T), b), 1e-17
    for w, T in itertools.zip_longest((0.3, 1.0, 2.0, 3.03, 8.0, 32.0), (0.02, 0.1, 0.205, 0.5, 0.519, 0.52)):
        yield module, "lineBest", [w], cross_best(w)
        yield module, "smoothBest", [T], smooth_best(T)
