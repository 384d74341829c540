"""The checks of the chapter "Controlling smoothness": what is proven or compared, and the library beside it."""

from __future__ import annotations

import math

import torch
from mpmath import mp

import gpkl_lib
from gpkl_lib.chapters.formulas import controlling_smoothness as proofs
from gpkl_lib.derivations import equation
from gpkl_lib.smoothing import normalized_scale_bound

NOTHING = "deviations from a mean add up to 0, so a multiple of their sum may have either sign"
TRUE_AS_WELL = {
    ("Own pairs against all pairs", 0): (2, NOTHING),
    ("Own pairs against all pairs", 1): (2, NOTHING),
    ("Which way the reciprocal norm pushes", 1): (1, "the sum of squares is squared"),
    ("Which way the reciprocal norm pushes", 2): (1, "the sum of squares is squared"),
}

CASES = [(c, s) for c in (2, 3, 10, 1000, 100_000) for s in (0.01, 1.0, 10.0, 64.0, 300.0)]


def unit(*shape: int, seed: int = 0) -> torch.Tensor:
    """Random unit vectors in float64."""
    draw = torch.Generator().manual_seed(seed)
    return torch.nn.functional.normalize(torch.randn(*shape, generator=draw, dtype=torch.float64), dim=-1)


def class_loss(features: torch.Tensor, weights: torch.Tensor, scale: float) -> float:
    """Mean cross-entropy of one feature for each class."""
    target = torch.arange(len(weights))
    return torch.nn.functional.cross_entropy(scale * features @ weights.T, target).item()


@equation("eq-scale-lead", shows=proofs.lead.claim(0, -1))
def lead() -> str:
    worst = 0.0
    for n, s in CASES:
        x = torch.zeros(n, dtype=torch.float64)
        x[0] = 0.5
        ours = (gpkl_lib.logsumexp(s * x) - s * x[0]).item()
        worst = max(worst, abs(ours - math.log1p((n - 1) * math.exp(-s * 0.5))))
    assert worst < 1e-13
    return f"{proofs.lead.check()}; gpkl_lib.logsumexp within {worst:.0e}"


@equation("eq-scale-margin", shows=proofs.margin)
def margin() -> str:
    return str(proofs.margin.check())


@equation("eq-scale-floor", shows=proofs.small)
def floor() -> str:
    slack = math.inf
    for n, s in CASES:
        x = s * unit(50, min(n, 1000), seed=n)
        gap, span = gpkl_lib.logsumexp(x) - x.amax(-1), x.amax(-1) - x.amin(-1)
        slack = min(slack, (gap - torch.log1p((x.shape[1] - 1) * torch.exp(-span))).min().item())
    assert slack > -1e-13
    return f"{proofs.small.check()}; gpkl_lib.logsumexp never below it by more than {max(0.0, -slack):.0e}"


@equation("eq-temperature-absorbed", shows=proofs.absorbed.claim(0, -1))
def absorbed() -> str:
    return str(proofs.absorbed.check())


@equation("eq-temperature-follows", shows=proofs.follows)
def follows() -> str:
    return str(proofs.follows.check())


@equation("eq-incay", shows=proofs.incay.claim(0, -1))
def incay() -> str:
    f = (3 * unit(7, 5)).requires_grad_()
    (gradient,) = torch.autograd.grad((1 / f.square().sum(-1)).sum(), f)
    worst = (gradient + 2 * f / f.square().sum(-1, keepdim=True) ** 2).abs().max().item()
    assert worst < 1e-15
    return f"{proofs.incay.check()}; automatic differentiation within {worst:.0e}"


@equation("eq-normface-pairs", shows=proofs.pairing.claim(0, -1))
def pairs() -> str:
    return str(proofs.pairing.check())


@equation("eq-normface-bound", shows=proofs.normface)
def bound() -> str:
    reached = 0.0
    for c, s in ((c, s) for c, s in CASES if c <= 1000):
        corners = torch.eye(c, dtype=torch.float64) - 1 / c
        corners = corners / corners.norm(dim=1, keepdim=True)
        reached = max(reached, abs(class_loss(corners, corners, s) - normalized_scale_bound(c, s)))
        assert class_loss(unit(c, 16, seed=c), unit(c, 16, seed=c + 1), s) >= normalized_scale_bound(c, s)
    for c, s in CASES:
        with mp.workdps(60):
            ours = mp.log1p((c - 1) * mp.exp(-mp.mpf(s) * c / (c - 1)))
            assert abs(normalized_scale_bound(c, s) / ours - 1) < 1e-13
    assert reached < 1e-12
    return f"{proofs.normface.check()}; reached by the simplex up to {reached:.0e}, gpkl_lib's value to 13 digits"


@equation("eq-normface-scale", shows=proofs.needed)
def needed() -> str:
    worst = 0.0
    for c in (2, 10, 1000, 100_000):
        for loss in (1e-6, 0.01, 0.5):
            s = (c - 1) / c * math.log((c - 1) / math.expm1(loss))
            worst = max(worst, abs(normalized_scale_bound(c, s) / loss - 1))
    assert worst < 1e-13
    return f"{proofs.needed.check()}; normalized_scale_bound gives the loss back within {worst:.0e} of it"
