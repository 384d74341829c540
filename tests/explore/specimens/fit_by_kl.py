"""Fit by KL, and the half of maths/distributions.js about one Gaussian against two modes."""

import itertools
import math

import mpmath
import torch
from specimen import Specimen

from gpkl_lib.explore import FitByKL
from gpkl_lib.explore.fit_by_kl import MEANS, SHARE, WIDTHS, divergences, log_modes, log_normal

SPECIMEN = Specimen(
    settings=[
        FitByKL(),
        FitByKL(mean=-3, width=1, direction="reverse"),
        FitByKL(mean=6, width=0.3, gap=8, direction="symmetric"),
        FitByKL(mean=-6, width=5, gap=8, direction="reverse"),
        FitByKL(mean=0, width=1, gap=0, direction="symmetric"),
        FitByKL(mean=0.0001, width=1.0001, gap=0, direction="forward"),
        FitByKL(mean=-0.6, width=3.1048, gap=6.0, direction="forward"),
    ],
    line="objective",
    slider="gap of p",
    stops=7,
    absolute=2e-12,
)
GRID = list(itertools.product([-6.0, -0.6, 1.0], [0.3, 1.0, 5.0], [0.0, 2.5, 8.0]))
X = [-20.0, -6.0, -1.3, 0.0, 0.7, 5.0, 30.0]
WAYS = ("forward", "reverse", "symmetric")


def at(x):
    return torch.tensor(x, dtype=torch.float64)


def slopes(mean, width, gap, direction):
    """Gradient by mean and log width, by autograd."""
    place = at([mean, math.log(width)]).requires_grad_()
    loss = divergences(place[0], place[1].exp(), gap)[direction]
    return torch.autograd.grad(loss, place)[0].tolist()


def step(mean, width, gap, direction):
    """One step of descent: halved until the loss falls, cut off at the ends."""
    a, b = slopes(mean, width, gap, direction)
    loss, rate = divergences(mean, width, gap)[direction], min(0.5, 0.4 / math.hypot(a, b))
    while True:
        m = min(max(mean - rate * a, MEANS[0]), MEANS[1])
        w = min(max(width * math.exp(-rate * b), WIDTHS[0]), WIDTHS[1])
        if divergences(m, w, gap)[direction] < loss:
            return [m, w, math.hypot(a, b)]
        rate /= 2


def golden():
    frame = {"mean": MEANS[1], "width": list(WIDTHS)}
    for gap in (0.0, 1.0, 4.5, 8.0):
        variance = 1 + gap**2 * SHARE * (1 - SHARE)
        yield "maths/distributions", "modesMoments", [gap], [gap * (0.5 - SHARE), variance], 1e-15
        for x in X:
            yield "maths/distributions", "logModes", [x, gap], log_modes(at(x), gap).item()
        with mpmath.workdps(30):  # the entropy of p by another quadrature

            def p(x, gap=gap):
                sides = [w * mpmath.npdf(x, m, 1) for w, m in ((SHARE, -gap / 2), (1 - SHARE, gap / 2))]
                return sum(sides)

            reach = [-gap / 2 - 14, -gap / 2, 0, gap / 2, gap / 2 + 14] if gap else [-14, 0, 14]
            entropy = mpmath.quad(lambda x: -p(x) * mpmath.log(p(x)), reach)
        yield "maths/distributions", "modesEntropy", [gap], float(entropy)
    for x, (mean, width) in itertools.product(X, [(-6.0, 0.3), (0.0, 1.0), (2.5, 5.0)]):
        yield "maths/distributions", "logNormal", [x, mean, width], log_normal(at(x), mean, width).item()
    for mean, width, gap in GRID:
        by_library = {way: float(value) for way, value in divergences(mean, width, gap).items()}
        yield "maths/distributions", "forwardKl", [mean, width, gap], by_library["forward"], 1e-12
        yield "maths/distributions", "reverseKl", [mean, width, gap], by_library["reverse"], 1e-12
        for way in WAYS:
            yield "maths/distributions", "fitLoss", [mean, width, gap, way], by_library[way], 1e-12
            yield "maths/distributions", "fitGradient", [mean, width, gap, way], slopes(mean, width, gap, way), 1e-10
            if gap:
                wanted = step(mean, width, gap, way)
                yield "maths/distributions", "fitStep", [mean, width, gap, way, frame], wanted, 1e-10
        for x in X:
            a, b = log_modes(at(x), gap), log_normal(at(x), mean, width)
            part = {"forward": a.exp() * (a - b) - a.exp() + b.exp(), "reverse": b.exp() * (b - a) - b.exp() + a.exp()}
            part["symmetric"] = part["forward"] + part["reverse"]
            for way in WAYS:
                yield "maths/distributions", "fitPart", [x, mean, width, gap, way], part[way].item(), 1e-14
