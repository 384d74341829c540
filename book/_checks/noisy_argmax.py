"""The checks of the chapter "Probabilities from a noisy argmax": its objects, and gpkl_lib with seven noises."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import torch
from mpmath import MPContext

from gpkl_lib import logsumexp, softmax, symmetric_kl
from gpkl_lib.chapters.formulas import noisy_argmax as proofs
from gpkl_lib.derivations import Evaluator, equation
from gpkl_lib.noise import NOISES, argmax_probabilities

Tensor = torch.Tensor
mp = MPContext()  # a context of its own, so that no other check changes these digits
mp.dps = 20
Curve = Callable[[Any], Any]
VIEWS = torch.tensor([[1.0, 0.0, -1.0], [0.0, 0.5, 0.3]], dtype=torch.float64)
DRAWS = 20_000
TRUE_AS_WELL = {("eq-noise-straight", 1): (2, "the slope of a sigmoid is the same at x and at -x")}

# Density and distribution function of each noise, and where the integral over x is cut.
LAWS: dict[str, tuple[Curve, Curve, list[Any]]] = {
    "gumbel": (lambda x: mp.exp(-x - mp.exp(-x)), lambda x: mp.exp(-mp.exp(-x)), [-6, 0, mp.inf]),  # below lies e^-403
    "exponential": (lambda x: mp.exp(-x), lambda x: 1 - mp.exp(-max(x, 0)), [0, mp.inf]),
    "uniform": (lambda x: mp.one, lambda x: min(max(x, mp.zero), mp.one), [0, 1]),
    "normal": (mp.npdf, mp.ncdf, [-mp.inf, 0, mp.inf]),
    "laplace": (
        lambda x: mp.exp(-abs(x)) / 2,
        lambda x: mp.exp(x) / 2 if x < 0 else 1 - mp.exp(-x) / 2,
        [-mp.inf, 0, mp.inf],
    ),
    "logistic": (lambda x: mp.sech(x / 2) ** 2 / 4, lambda x: 1 / (1 + mp.exp(-x)), [-mp.inf, 0, mp.inf]),
    "cauchy": (lambda x: 1 / (mp.pi * (1 + x * x)), lambda x: mp.mpf(1) / 2 + mp.atan(x) / mp.pi, [-mp.inf, 0, mp.inf]),
}


def by_quadrature(noise: str, scores: list[float], place: int) -> float:
    """The probability that the score at `place` wins, by the integral over x, cut where any factor has a corner."""
    density, cdf, ends = LAWS[noise]
    own, *others = (mp.mpf(scores[place]), *(mp.mpf(v) for at, v in enumerate(scores) if at != place))
    corners = {v - own + end for v in others for end in ends if mp.isfinite(end) and ends[0] < v - own + end < ends[-1]}
    cuts = sorted({*ends, *corners})
    return float(mp.quad(lambda x: density(x) * mp.fprod(cdf(x + own - v) for v in others), cuts))


def draws(noise: str) -> Tensor:
    """Samples of the noise for each of the three scores."""
    u = torch.rand(DRAWS, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    return NOISES[noise].quantile(u, 1 - u)


def winners(noise: str) -> Iterator[Tensor]:
    """Who wins in each view, with the same noise on both."""
    e = draws(noise)
    return ((view + e).argmax(-1) for view in VIEWS)


@equation("eq-noise-probability", shows=proofs.probability)
def probability() -> str:
    worst = 0.0
    for noise in NOISES:
        for scores in ([2.0, 1.0, 0.0, -1.0], [0.3, -0.2], [0.5, 0.5, 0.4]):
            p = argmax_probabilities(torch.tensor(scores, dtype=torch.float64), noise=noise)
            worst = max(worst, abs(p.sum().item() - 1))
            worst = max(worst, *(abs(p[at].item() - by_quadrature(noise, scores, at)) for at in range(len(scores))))
    assert worst <= 1e-14
    return f"{proofs.probability.check()}; gpkl_lib within {worst:.0e} of it for {len(NOISES)} kinds of noise"


@equation("eq-noise-two", shows=proofs.two)
def two() -> str:
    verdict, worst = proofs.two.check(), 0.0
    names = ("uniform", "exponential", "normal", "laplace", "logistic", "cauchy")
    for noise, part in zip(names, proofs.two.parts, strict=True):
        evaluate = Evaluator(part.given)
        for point in part.points():
            lead = float(point.values[proofs.m])
            p = argmax_probabilities(torch.tensor([lead, 0.0], dtype=torch.float64), noise=noise)
            worst = max(worst, abs(p[0].item() - float(evaluate(part.sides[1], point))))
    assert worst <= 1e-14
    return f"{verdict}; gpkl_lib within {worst:.0e} of them"


@equation("eq-noise-maximum", shows=proofs.maximum.claim(0, -1))
def maximum() -> str:
    x, worst = torch.linspace(-3, 12, 31, dtype=torch.float64), 0.0
    cdf = NOISES["gumbel"].cdf
    for view in VIEWS:
        below = cdf(x[:, None] - view).log().sum(-1)
        worst = max(worst, ((below - cdf(x - logsumexp(view)).log()) / (1 + below.abs())).abs().max().item())
    assert worst <= 1e-14
    return f"{proofs.maximum.check()}; gpkl_lib's Gumbel noise and logsumexp within {worst:.0e} of it"


@equation("eq-noise-gumbel", shows=proofs.gumbel)
def gumbel() -> str:
    scores = torch.randn(50, 6, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    for size in (1.0, 10.0, 300.0):
        torch.testing.assert_close(argmax_probabilities(size * scores), softmax(size * scores), rtol=0, atol=1e-14)
    return f"{proofs.gumbel.check()}; the quadrature of gpkl_lib is its softmax to 1e-14, at scores up to 1000"


@equation("eq-noise-subgradient", shows=proofs.subgradient)
def subgradient() -> str:
    furthest = 0.0
    for noise in NOISES:
        e, (first, _) = draws(noise), winners(noise)
        gap = (VIEWS[1] + e).amax(-1) - (VIEWS[0] + e).amax(-1) - (VIEWS[1] - VIEWS[0])[first]
        assert (gap >= -1e-12 * (1 + e.abs().amax(-1))).all()
        share = torch.bincount(first, minlength=3) / DRAWS
        p = argmax_probabilities(VIEWS[0], noise=noise)
        furthest = max(furthest, ((share - p).abs() / (p * (1 - p) / DRAWS).sqrt().clamp(min=1 / DRAWS)).max().item())
    assert furthest <= 5
    return (
        f"{proofs.subgradient.check()}; kept by {DRAWS} draws of each noise, winners within "
        f"{furthest:.1f} standard errors of gpkl_lib's probabilities"
    )


@equation("eq-noise-sample", shows=proofs.sample)
def sample() -> str:
    for noise in NOISES:
        I, J = winners(noise)  # noqa: E741
        assert (((VIEWS[0] - VIEWS[1])[I] - (VIEWS[0] - VIEWS[1])[J]) >= 0).all()
    return f"{proofs.sample.check()}; kept by {DRAWS} draws of each of {len(NOISES)} kinds of noise"


@equation("eq-noise-coupling", shows=proofs.coupling)
def coupling() -> str:
    furthest = 0.0
    for noise in NOISES:
        I, J = winners(noise)  # noqa: E741
        gap = VIEWS[0] - VIEWS[1]
        terms = gap[I] - gap[J]
        D = symmetric_kl(*VIEWS, activation=partial(argmax_probabilities, noise=noise))
        furthest = max(furthest, (abs(terms.mean() - D) / (terms.std() / DRAWS**0.5)).item())
    assert furthest <= 5
    return f"{proofs.coupling.check()}; with common noise, gpkl_lib's D within {furthest:.1f} standard errors"


@equation("eq-noise-span", shows=proofs.span)
def span() -> str:
    verdict, worst, evaluate = proofs.span.check(), 0.0, Evaluator(proofs.span.given)
    for point in proofs.span.points():
        views = (
            torch.tensor([float(v) for v in point.values[view]], dtype=torch.float64) for view in (proofs.s, proofs.t)
        )
        worst = max(
            worst, abs(symmetric_kl(*views, activation="sigmoid").item() - float(evaluate(proofs.span.sides[1], point)))
        )
    assert worst <= 1e-14
    return f"{verdict}; gpkl_lib within {worst:.0e} of it"


@equation("eq-noise-straight", shows=proofs.straight)
def straight() -> str:
    verdict, worst, evaluate = proofs.straight.check(), 0.0, Evaluator(())
    for point in proofs.straight.points():
        scores = torch.tensor([float(point.values[proofs.m]), 0.0], dtype=torch.float64, requires_grad=True)
        p = argmax_probabilities(scores, noise="logistic")[0]
        (slope,) = torch.autograd.grad(p, scores)
        worst = max(worst, abs(slope[0].item() - float(evaluate(proofs.straight.sides[0], point))))
    assert worst <= 1e-14
    return f"{verdict}; the slope of gpkl_lib's logistic noise within {worst:.0e} of it"
