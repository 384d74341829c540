"""Bounds of logsumexp under test."""

import itertools
import math

import mpmath
import torch
from specimen import Specimen

from gpkl_lib import entropy, kl_divergence, logsumexp, softmax
from gpkl_lib.explore import BoundsOfLogsumexp
from gpkl_lib.smoothing import logsumexp_bounds

SPECIMEN = Specimen(
    settings=[
        BoundsOfLogsumexp(),
        BoundsOfLogsumexp(choice="softmax", temperature=0.3),
        BoundsOfLogsumexp([-1, 3, 0.5, 3], temperature=0.05, choice="argmax"),
        BoundsOfLogsumexp([1000, -1000, 999.5], temperature=0.01, weights=[0.2, 0.0, 0.6]),
        BoundsOfLogsumexp([2, 2, 2, 2, 2, 2], temperature=100, choice="uniform"),
        BoundsOfLogsumexp([0.3, -0.2], temperature=7, weights=[1, 1e-9]),
    ],
    line="entropy",
    slider="temperature T",
    stops=13,
    drags=[("logit x₂", 32, 2.0), ("p₃", 32, 0.2)],
    absolute=1e-12,
)

LOGITS = [[1.0, 2.0, 3.0, 4.0], [0.7] * 5, [1e3, -1e3, 999.0], [-3.5, 20.0], [0.0, 1e-9, -1e-9]]
TEMPERATURES = [1e-2, 0.3, 1.0, 7.0, 100.0]


def tensor(values):
    return torch.tensor(values, dtype=torch.float64)


def weights(n):
    """Uniform, a corner, one with a zero, an ordinary one."""
    yield [1.0] * n
    yield [1.0] + [0.0] * (n - 1)
    yield [0.0, *range(1, n)]
    yield [k + 0.5 for k in range(n)]


def exact_slacks(x, p, temperature):
    """The five bounds less the true value, in 400-digit arithmetic."""
    with mpmath.workdps(400):
        x, p, T = [mpmath.mpf(v) for v in x], [mpmath.mpf(v) for v in p], mpmath.mpf(temperature)
        F = T * mpmath.log(mpmath.fsum(mpmath.exp(v / T) for v in x))
        room, inner = T * mpmath.log(len(x)), mpmath.fdot(p, x)
        H = -mpmath.fsum(v * mpmath.log(v) for v in p if v > 0)
        bounds = [max(x) + room, max(x), mpmath.fsum(x) / len(x) + room, inner + T * H]
        bounds.append(inner - T * mpmath.log(mpmath.fsum(v * v for v in p)))
        return [float(bound - F) for bound in bounds]


def golden():
    module = "maths/bounds"
    for x, T in itertools.product(LOGITS, TEMPERATURES):
        z, n = tensor(x), len(x)
        lower, upper = (bound.item() for bound in logsumexp_bounds(z, temperature=T))
        size = 1 + abs(upper) + max(map(abs, x))
        for w in weights(n):
            p = tensor(w) / sum(w)
            inner, H = (p * z).sum().item(), entropy(p.log()).item()
            tilt = -math.log(p.square().sum().item())
            bounds = [upper, lower, z.mean().item() + T * math.log(n), inner + T * H, inner + T * tilt]
            arguments = [x, p.tolist(), T]
            yield module, "boundsOf", arguments, bounds, 1e-14 * size
            assert all(bound <= logsumexp(z, temperature=T).item() + 1e-14 * size for bound in bounds[1:])
            yield module, "price", arguments, T * kl_divergence(p.log(), z / T).item(), 1e-14 * size
            yield module, "slacks", arguments, exact_slacks(*arguments), 1e-14 * size
            yield module, "chosen", ["yours", x, T, w], p.tolist()
        yield module, "mean", [x], z.mean().item(), 1e-14 * size
        yield module, "chosen", ["softmax", x, T, [1.0] * n], softmax(z, temperature=T).tolist()
    for gap in (30.0, 300.0):  # strictly above the maximum, by less than float64 can add to it
        yield module, "slacks", [[gap, 0.0], [1.0, 0.0], 1.0], exact_slacks([gap, 0.0], [1.0, 0.0], 1.0)
    yield (
        module,
        "chosen",
        ["argmax", [3.0, 1.0, 3.0], 1.0, [1.0] * 3],
        softmax(tensor([3.0, 1.0, 3.0]), temperature=1e-18).tolist(),
    )
    yield module, "chosen", ["uniform", [3.0, 1.0, 3.0], 1.0, [1.0, 2.0, 3.0]], [1 / 3] * 3
    for w in ([1.0, 1.0], [1.0, 0.0, 0.0], [0.2, 0.3, 0.5], [1e-9, 1.0]):
        p = tensor(w) / sum(w)
        yield module, "shannon", [p.tolist()], entropy(p.log()).item(), 1e-15
        yield module, "collision", [p.tolist()], -math.log(p.square().sum().item()), 1e-15
        yield (
            module,
            "expectation",
            [p.tolist(), [4.0, -2.0, 1.0][: len(w)]],
            (p @ tensor([4.0, -2.0, 1.0][: len(w)])).item(),
        )
    for p, i, share, wanted in (
        ([0.2, 0.3, 0.5], 1, 0.65, [0.1, 0.65, 0.25]),
        ([1.0, 0.0, 0.0], 0, 0.5, [0.5, 0.25, 0.25]),
        ([0.25, 0.75], 0, 1.0, [1.0, 0.0]),
    ):
        yield module, "withShare", [p, i, share], wanted, 1e-15
