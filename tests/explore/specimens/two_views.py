"""Two views, and the divergences of maths/core.js."""

import itertools

import torch
from specimen import Specimen

import gpkl_lib as g
from gpkl_lib.explore import TwoViews

SPECIMEN = Specimen(
    settings=[
        TwoViews(),
        TwoViews(shift=1.5, activation="sigmoid"),
        TwoViews([1, 2, 3], [1, 2, 3], shift=3),
        TwoViews([1000, -1000, 0], [999.9, -999, 1e-9], activation="softmax"),
        TwoViews([30, -30, 0.5], [31, -29, 1.25], shift=-1.25, activation="sigmoid"),
        TwoViews([1e6, -1e6], [-1e6, 1e6], shift=-4, activation="sigmoid"),
    ],
    line="total",
    slider="shift c of t",
    stops=13,
    drags=[("s₁", 36, 2.0), ("t₂ + c", -36, -2.0)],
)


def golden():
    pairs = [
        ([2.4, 0.6, -1.2, -2.6], [1.7, 1.1, -1.8, -1.9]),
        ([1.0, 2.0, 3.0], [1.0, 2.0, 3.0]),
        ([1.0, 2.0, 3.0], [4.0, 5.0, 6.0]),
        ([0.5, -0.25, 1.0], [0.5 + 1e-9, -0.25, 1.0]),
        ([1e3, -1e3, 0.0], [-1e3, 1e3, 0.0]),
        ([1e3, 999.0], [1e3, 999.5]),
        ([-20.0, 0.0, 20.0], [-19.0, 0.1, 18.0]),
        ([30.0, -30.0], [31.0, -31.0]),
        ([3.0, 1.0, -1.0, -3.0], [-3.0, -1.0, 1.0, 3.0]),
    ]
    draw = torch.Generator().manual_seed(0)
    for size, gap in itertools.product([0.01, 1, 30], [1e-9, 1e-3, 0.3, 3]):
        at = size * torch.randn(5, generator=draw, dtype=torch.float64)
        pairs.append((at.tolist(), (at + gap * torch.randn(5, generator=draw, dtype=torch.float64)).tolist()))
    functions = (("symmetricKl", "symmetricKlTerms", g.symmetric_kl), ("klDivergence", "klTerms", g.kl_divergence))
    for (s, t), activation in itertools.product(pairs, ["softmax", "sigmoid"]):
        a, b = (torch.tensor(v, dtype=torch.float64) for v in (s, t))
        for whole, terms, function in functions:  # of equal distributions: the square of a rounding error
            each = function(a, b, activation=activation, reduction="none").tolist()
            yield "maths/core", whole, [s, t, activation], function(a, b, activation=activation).item(), 1e-30
            yield "maths/core", terms, [s, t, activation], each, 1e-30
