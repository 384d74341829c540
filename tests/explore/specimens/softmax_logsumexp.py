"""Softmax and logsumexp, and the single-vector functions of maths/core.js."""

import itertools

import mpmath
import torch
from specimen import Specimen

import gpkl_lib as g
from gpkl_lib.explore import SoftmaxLogsumexp
from gpkl_lib.smoothing import logsumexp_bounds

SPECIMEN = Specimen(
    settings=[
        SoftmaxLogsumexp(),
        SoftmaxLogsumexp([1, 2, 3, 4], scale=10),
        SoftmaxLogsumexp([1, 2, 3, 4], scale=0.1),
        SoftmaxLogsumexp([-1000, 1000, 999.9, 1000], temperature=0.01),
        SoftmaxLogsumexp([0.3, 0.3], temperature=100, scale=0.01),
        SoftmaxLogsumexp([-3, 2, 2, 0.5, 1, 1], temperature=0.01, scale=100),
    ],
    line="lse",
    slider="temperature T",
    stops=9,
    drags=[("logit x₂", 40, 2.0)],
    absolute={"gap": 1e-9, "*": 1e-15},
    hidden=["bound"],
)


def precise_entropy(x, temperature):
    """The library's entropy; where a winner leaves less than 1e-3 to the rest, the same from 400-digit arithmetic.

    There float64 keeps 1e-16 of an entropy near 0, while maths/core.js keeps its digits.
    """
    value = g.entropy(torch.tensor(x, dtype=torch.float64), temperature=temperature).item()
    if value > 0.01:
        return value
    with mpmath.workdps(400):
        weights = [mpmath.exp((mpmath.mpf(v) - max(x)) / mpmath.mpf(temperature)) for v in x]
        exact = float(-sum(w / sum(weights) * mpmath.log(w / sum(weights)) for w in weights))
    assert abs(value - exact) <= 1e-15
    return exact


def golden():
    sets = [
        [1.0, 2.0, 3.0, 4.0],
        [0.7] * 5,
        [1e3, -1e3, 999.0, 1e3],
        [-1e3, -1e3, -1e3 + 1e-9],
        [0.0, 1e-9, -1e-9],
        [-3.5, 20.0],
    ]
    for x, temperature in itertools.product(sets, [1e-3, 0.1, 1.0, 7.0, 1e3]):
        z = torch.tensor(x, dtype=torch.float64)
        lower, upper = logsumexp_bounds(z, temperature=temperature)
        lse = g.logsumexp(z, temperature=temperature)
        p = g.softmax(z, temperature=temperature)
        yield "maths/core", "logsumexp", [x, temperature], lse.item()
        yield "maths/core", "softmax", [x, temperature], p.tolist()
        yield "maths/core", "logSoftmax", [x, temperature], ((z - lse) / temperature).tolist(), 1e-9
        yield "maths/core", "smoothGap", [x, temperature], (lse - lower).item(), 1e-9
        yield "maths/core", "entropy", [x, temperature], precise_entropy(x, temperature)
        yield "maths/core", "logsumexpBounds", [x, temperature], [lower.item(), upper.item()]
    for x in sets:
        z = torch.tensor(x, dtype=torch.float64)
        yield "maths/core", "hardmax", [x], g.softmax(z, temperature=1e-18).tolist()
        yield "maths/core", "max", [x], z.max().item()
        yield "maths/core", "sum", [x], z.sum().item(), 1e-9
        yield "maths/core", "argmax", [x], (z == z.max()).nonzero().flatten().tolist()
        yield "maths/core", "decode", [x, "softmax"], (z == z.max()).nonzero().flatten().tolist()
        yield "maths/core", "decode", [x, "sigmoid"], (z > 0).nonzero().flatten().tolist()
    for x in (0.0, 1e-9, 0.5, -0.5, 30.0, -30.0, -700.0, 1e3, -1e3):
        yield "maths/core", "sigmoid", [x], torch.sigmoid(torch.tensor(x, dtype=torch.float64)).item()
