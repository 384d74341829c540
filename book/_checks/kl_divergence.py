"""The checks of the chapter "Entropy, cross-entropy, KL": what is proven or compared, and the library beside it."""

from __future__ import annotations

import math
import random

import torch
from mpmath import mpf

import gpkl_lib
from gpkl_lib.chapters.formulas import kl_divergence as proofs
from gpkl_lib.derivations import Evaluator, Statement, equation
from gpkl_lib.explore.code_length import cross_entropy, entropy, jensen_shannon, kl

Tensor = torch.Tensor


def pairs() -> list[tuple[Tensor, Tensor]]:
    """Pairs of probability vectors, some of them hardly different, in float64."""
    draw = torch.Generator().manual_seed(0)
    logits = [torch.randn(2, 5, generator=draw, dtype=torch.float64) * size for size in (0.1, 1, 3, 10)]
    close = [x[:1] + torch.tensor([[0.0], [1e-6]], dtype=torch.float64) * x[1:] for x in logits]
    return [tuple(torch.softmax(x, -1)) for x in logits + close]


def side(statement: Statement, number: int, **values: float) -> float:
    """One side of a statement of plain numbers, at these values of its symbols."""
    from gpkl_lib.derivations import Point

    at = {getattr(proofs, name): mpf(value) for name, value in values.items()}
    return float(Evaluator(statement.given)(statement.sides[number], Point("mild", at)))


@equation("eq-entropy", shows=proofs.entropy_bounds)
def entropy_bounds() -> str:
    worst = max(abs(gpkl_lib.entropy(p.log()).item() - entropy(p)) for pair in pairs() for p in pair)
    assert worst < 1e-14
    return f"{proofs.entropy_bounds.check()}; gpkl_lib.entropy within {worst:.0e}"


@equation("eq-cross-entropy", shows=proofs.split.claim(0, 1, -1))
def split() -> str:
    worst = 0.0
    for p, q in pairs():
        torch_says = torch.nn.functional.cross_entropy(q.log(), p).item()
        worst = max(worst, abs(torch_says - entropy(p) - kl(p, q)), abs(torch_says - cross_entropy(p, q)))
    assert worst < 1e-13
    return f"{proofs.split.check()}; torch's cross_entropy within {worst:.0e}"


@equation("eq-kl", shows=proofs.terms.claim(0, 1))
def definition() -> str:
    return str(proofs.terms.check())


@equation("eq-log-tangent", shows=proofs.tangent)
def tangent() -> str:
    return str(proofs.tangent.check())


@equation("eq-kl-terms", shows=proofs.terms.claim(0, -1))
def terms() -> str:
    worst = 0.0
    for p, q in pairs():
        each = gpkl_lib.kl_divergence(p.log(), q.log(), reduction="none")
        assert (each >= 0).all()
        worst = max(worst, abs(each.sum().item() - kl(p, q)) / kl(p, q))
    assert worst < 1e-9  # the log of a probability has lost digits that the probability still has
    return f"{proofs.terms.check()}; every term of gpkl_lib.kl_divergence >= 0, their sum within {worst:.0e}"


@equation("eq-gibbs", shows=proofs.gibbs)
def gibbs() -> str:
    assert kl([0.3, 0.7, 0.0], [0.3, 0.7, 0.0]) == 0
    return str(proofs.gibbs.check())


@equation("eq-kl-missed", shows=proofs.missed)
def missed() -> str:
    p = [0.1, 0.2, 0.3, 0.4]
    worst = abs(kl([0.25, 0, 0.75, 0], p) + math.log(0.4))
    assert worst < 1e-15
    assert kl(p, [0.25, 0, 0.75, 0]) == math.inf
    return f"{proofs.missed.check()}; the other direction is infinite"


@equation("eq-kl-gaussian", shows=proofs.gaussian)
def gaussian() -> str:
    normal, worst = torch.distributions.Normal, 0.0
    for mu, sigma, nu, tau in [(0, 1, 1, 1), (0, 1, 0, 3), (2, 0.5, -1, 2), (0, 1e-3, 0, 1e3)]:
        ours = side(proofs.gaussian, 1, mu=mu, sigma=sigma, nu=nu, tau=tau)
        theirs = torch.distributions.kl_divergence(
            *(normal(*map(torch.tensor, x)) for x in ((float(mu), float(sigma)), (float(nu), float(tau))))
        )
        worst = max(worst, abs(ours - theirs.item()) / max(ours, 1))
    assert worst < 1e-6  # torch.distributions was asked in float32
    assert (
        side(proofs.gaussian, 1, mu=0, sigma=1, nu=1, tau=1)
        == side(proofs.gaussian, 1, mu=1, sigma=1, nu=0, tau=1)
        == 0.5
    )
    return f"{proofs.gaussian.check()} (the left side is an integral); torch.distributions within {worst:.0e}"


@equation("eq-kl-beta", shows=proofs.beta)
def beta() -> str:
    draw, worst = random.Random(0), 0.0
    for _ in range(20):
        values = [draw.uniform(0.5, 8) for _ in range(4)]
        ours = side(proofs.beta, 1, **dict(zip("abst", values, strict=True)))
        one, other = (torch.distributions.Beta(*torch.tensor(x, dtype=torch.float64)) for x in (values[:2], values[2:]))
        worst = max(worst, abs(ours - torch.distributions.kl_divergence(one, other).item()))
    assert worst < 1e-11
    return f"{proofs.beta.check()} (the left side is an integral); torch.distributions within {worst:.0e}"


@equation("eq-binomial-slope", shows=proofs.binomial_slope)
def binomial_slope() -> str:
    return str(proofs.binomial_slope.check())


@equation("eq-forward-moments", shows=proofs.moments)
def moments() -> str:
    return str(proofs.moments.check())


@equation("eq-jensen-shannon", shows=proofs.jensen_shannon)
def jensen_shannon_bounds() -> str:
    worst = max(
        abs(gpkl_lib.jensen_shannon(p.log(), q.log()).item() - jensen_shannon(p, q)) / jensen_shannon(p, q)
        for p, q in pairs()
    )
    assert worst < 1e-9
    assert jensen_shannon([1.0, 0.0], [0.0, 1.0]) == math.log(2)
    return f"{proofs.jensen_shannon.check()}; gpkl_lib.jensen_shannon within {worst:.0e}"
