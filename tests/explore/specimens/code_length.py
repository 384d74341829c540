"""Code length, and the coding half of maths/distributions.js."""

import itertools
import math

import mpmath
import torch
from specimen import Specimen

import gpkl_lib as g
from gpkl_lib.explore import CodeLength
from gpkl_lib.explore.code_length import cross_entropy, entropy, jensen_shannon, kl, smooth

SPECIMEN = Specimen(
    settings=[
        CodeLength([0.4, 0.3, 0.2, 0.1], [0.25, 0.35, 0.1, 0.3]),
        CodeLength(),
        CodeLength([0.4, 0.3, 0.2, 0.1], [0.5, 0.3, 0.2, 0.0], unit="nats"),
        CodeLength([0.5, 0.5, 0, 0], [0, 0, 0.5, 0.5]),
        CodeLength([0.4, 0.3, 0.2, 0.1], [0.5, 0.3, 0.2, 0.0], smoothing=0.005),
        CodeLength([1, 0], [0, 1], smoothing=0.5, unit="nats"),
        CodeLength([0.1, 0.2, 0.3, 0.15, 0.25, 0], [0.1001, 0.1999, 0.3, 0.15, 0.2499, 0.0001]),
        CodeLength([0.3, 0.7], [0.3, 0.7]),
    ],
    line="forward",
    slider="spread evenly in q: ε",
    stops=13,
    drags=[("p₁", 26, 0.12), ("q₂", -26, -0.12)],
    absolute=1e-30,
)
PAIRS = [
    ([0.5, 0.25, 0.125, 0.125], [0.25, 0.25, 0.25, 0.25]),
    ([0.5, 0.5], [0.5, 0.5]),
    ([0.5, 0.5], [0.5 + 1e-9, 0.5 - 1e-9]),
    ([0.9999, 0.0001], [0.0001, 0.9999]),
    ([1e-300, 1.0], [0.5, 0.5]),
    ([0.4, 0.3, 0.2, 0.1], [0.5, 0.3, 0.2, 0.0]),
    ([0.5, 0.5, 0.0, 0.0], [0.0, 0.0, 0.5, 0.5]),
    ([1.0, 0.0], [1.0, 0.0]),
]


def moved(p, i, value):
    """What `moveMass` must give: millionths in proportion, those with the largest remainders rounded up."""
    others = [math.inf if j == i else v for j, v in enumerate(p)]
    total = sum(v for v in others if v < math.inf)
    mine = round(1e6 * value)
    exact = [mine if v == math.inf else (1e6 - mine) * (v / total if total else 1 / (len(p) - 1)) for v in others]
    whole = [math.floor(v) for v in exact]
    order = sorted((j for j in range(len(p)) if j != i), key=lambda j: (whole[j] - exact[j], j))
    for j in order[: 10**6 - sum(whole)]:
        whole[j] += 1
    return [v / 1e6 for v in whole]


def golden():
    for p in (0.0, 1e-300, 0.125, 0.5, 1.0):
        yield (
            "maths/distributions",
            "surprise",
            [p],
            0.0 if p == 1 else -torch.tensor(p, dtype=torch.float64).log().item(),
        )
    draw = torch.Generator().manual_seed(0)
    pairs = [*PAIRS]
    for size, gap in itertools.product([0.1, 1, 10], [1e-6, 1e-2, 1]):  # two softmaxes, hardly to wholly different
        s = size * torch.randn(5, generator=draw, dtype=torch.float64)
        t = s + gap * torch.randn(5, generator=draw, dtype=torch.float64)
        pairs.append((torch.softmax(s, -1).tolist(), torch.softmax(t, -1).tolist()))
    for p, q in pairs:
        yield "maths/distributions", "entropyOf", [p], entropy(p), 1e-15
        yield "maths/distributions", "crossEntropyOf", [p, q], cross_entropy(p, q), 1e-15
        yield "maths/distributions", "klOf", [p, q], kl(p, q), 1e-30
        yield "maths/distributions", "jeffreysOf", [p, q], kl(p, q) + kl(q, p), 1e-30
        yield "maths/distributions", "jensenShannonOf", [p, q], jensen_shannon(p, q), 1e-30
        if min(p + q) > 0:
            a, b = (torch.tensor(v, dtype=torch.float64) for v in (p, q))
            at_logits = g.kl_divergence(a.log(), b.log()).item()
            yield "maths/distributions", "klOf", [p, q], at_logits, 1e-14 / max(1e-4, at_logits) ** 0.5
    for p, q in ((0.0, 0.3), (0.3, 0.0), (0.3, 0.3), (0.5, 0.4), (0.4, 0.400001), (1e-9, 0.9)):
        value = q if p == 0 else math.inf if q == 0 else None
        if value is None:
            with mpmath.workdps(60):
                value = float(mpmath.mpf(p) * mpmath.log(mpmath.mpf(p) / mpmath.mpf(q)) - mpmath.mpf(p) + mpmath.mpf(q))
        yield "maths/distributions", "klPart", [p, q], value, 1e-30
    for p, i, value in (
        ([0.5, 0.25, 0.125, 0.125], 0, 0.62),
        ([0.5, 0.25, 0.125, 0.125], 3, 0.0),
        ([0.2, 0.3, 0.5], 1, 1.0),
        ([0.0, 1.0, 0.0], 1, 0.5),
        ([0.5, 0.5, 0.0], 0, 0.33),
        ([0.3, 0.3, 0.4], 2, 0.01),
        ([0.7, 0.1, 0.1, 0.1], 0, 0.0),
    ):
        yield "maths/distributions", "moveMass", [p, i, value], moved(p, i, value)
    for q, epsilon in (([0.5, 0.3, 0.2, 0.0], 0.0), ([0.5, 0.3, 0.2, 0.0], 0.005), ([0.0, 1.0], 0.5)):
        yield "maths/distributions", "smoothed", [q, epsilon], smooth(q, epsilon)
