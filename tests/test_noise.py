"""Probabilities of a noisy argmax, against scipy, closed forms, Monte Carlo, limits, and what holds for every noise."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.autograd import gradcheck
from torch.autograd.functional import jacobian

from gpkl_lib import softmax, symmetric_kl
from gpkl_lib.noise import NOISES, argmax_probabilities

every = pytest.mark.parametrize("noise", NOISES)
NAMES = {"gumbel": "gumbel_r", "exponential": "expon", "normal": "norm"}  # in scipy, where they differ
MEET = {"gumbel": 1e-14, "normal": 1e-14}  # scipy's tails of these two are not right to the last digit
HARD = [[1000.0, -1000.0, 999.0, 1000.0], [0.0, 0.0, 0.0], [300.0, 0.0, -299.5, 1.0, 2.0], [-5.0, 5.0]]


def tensor(*values: float) -> Tensor:
    return torch.tensor(values, dtype=torch.float64)


def scipys(noise: str) -> Any:
    import scipy.stats

    return getattr(scipy.stats, NAMES.get(noise, noise))


@every
def test_distributions_are_those_of_scipy(noise: str) -> None:
    law, other = NOISES[noise], scipys(noise)
    x = torch.linspace(-12, 30, 85, dtype=torch.float64)
    u = torch.cat([torch.logspace(-17, -0.4, 40, dtype=torch.float64), tensor(0.5, 0.75, 0.999)])
    torch.testing.assert_close(
        law.cdf(x), torch.from_numpy(other.cdf(x.numpy())), rtol=MEET.get(noise, 1e-15), atol=1e-15
    )
    torch.testing.assert_close(law.quantile(u, 1 - u), torch.from_numpy(other.ppf(u.numpy())), rtol=1e-13, atol=1e-15)
    torch.testing.assert_close(law.quantile(1 - u, u), torch.from_numpy(other.isf(u.numpy())), rtol=1e-13, atol=1e-15)


@every
def test_probabilities_are_integrals_over_the_noise_of_the_winner(noise: str) -> None:
    from scipy.integrate import quad

    law, scores = scipys(noise), [0.8, 0.2, -0.4]
    corners = sorted({min(max(law.cdf(bend + a - b), 0), 1) for a in scores for b in scores for bend in (0, 1)})
    for i, own in enumerate(scores):

        def beats(u: float, own: float = own, i: int = i) -> float:
            return math.prod(law.cdf(law.ppf(u) + own - rival) for j, rival in enumerate(scores) if j != i)

        value, error = quad(beats, 0, 1, points=[u for u in corners if 0 < u < 1], epsabs=1e-11, limit=200)
        assert argmax_probabilities(tensor(*scores), noise=noise)[i].item() == pytest.approx(value, abs=1e-10 + error)


TWO: dict[str, Callable[[float], float]] = {  # the share of the one behind
    "gumbel": lambda m: math.exp(-m) / (1 + math.exp(-m)),
    "exponential": lambda m: math.exp(-m) / 2,
    "uniform": lambda m: max(1 - m, 0) ** 2 / 2,
    "normal": lambda m: math.erfc(m / 2) / 2,
    "laplace": lambda m: math.exp(-m) * (1 + m / 2) / 2,
    "logistic": lambda m: (math.expm1(-m) + m) * math.exp(-m) / math.expm1(-m) ** 2,
    "cauchy": lambda m: math.atan2(1, m / 2) / math.pi,
}


@every
@pytest.mark.parametrize("lead", [0.5, 1.0, 3.0, 10.0, 30.0, 1000.0])
def test_two_scores_have_a_closed_form(noise: str, lead: float) -> None:
    first, second = argmax_probabilities(tensor(lead, 0), noise=noise).tolist()
    assert second == pytest.approx(TWO[noise](lead), rel=1e-12, abs=1e-17)
    assert first == pytest.approx(1 - TWO[noise](lead), abs=3e-16)


def test_gumbel_noise_gives_softmax() -> None:
    scores = torch.randn(20, 5, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    for dim, temperature, size in ((-1, 1.0, 1.0), (1, 0.01, 1.0), (0, 3.0, 1e3)):
        ours = argmax_probabilities(size * scores, dim=dim, temperature=temperature)
        torch.testing.assert_close(ours, softmax(size * scores, dim=dim, temperature=temperature), rtol=0, atol=1e-14)


def test_exponential_noise_gives_the_integral_of_a_polynomial() -> None:
    """a_i times the integral of prod (1 - a_j u), a = e^(s - max), written out for three: 1 - (a + b)/2 + ab/3."""
    a = torch.exp(tensor(0, -0.7, -1.2))
    expected = torch.stack([a[i] * (1 - (a.sum() - a[i]) / 2 + a.prod() / a[i] / 3) for i in range(3)])
    torch.testing.assert_close(argmax_probabilities(a.log(), noise="exponential"), expected, rtol=1e-14, atol=0)


def test_the_largest_of_many_exponentials_is_gumbel() -> None:
    """n copies of each of two scores: the share of the first group tends to the sigmoid of the lead."""
    shares = []
    for copies in (1, 4, 16):
        scores = torch.cat([torch.ones(copies), torch.zeros(copies)]).double()
        shares.append(argmax_probabilities(scores, noise="exponential")[:copies].sum().item())
    sigmoid = torch.sigmoid(tensor(1.0)).item()
    assert shares[0] > shares[1] > shares[2] > sigmoid
    assert shares[2] - sigmoid < (shares[0] - sigmoid) / 8


@every
def test_frequencies_of_draws(noise: str) -> None:
    scores, count = tensor(1.0, 0.4, 0.9, -2.0), 200_000
    u = torch.rand(count, 4, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    won = torch.bincount((scores + 2 * NOISES[noise].quantile(u, 1 - u)).argmax(-1), minlength=4) / count
    p = argmax_probabilities(scores, noise=noise, temperature=2.0)
    assert ((won - p).abs() <= 5 * (p / count).sqrt() + 1e-12).all()


@every
@pytest.mark.parametrize("scores", HARD, ids=str)
def test_hard_scores(noise: str, scores: list[float]) -> None:
    x = tensor(*scores).requires_grad_()
    p = argmax_probabilities(x, noise=noise)
    (slope,) = torch.autograd.grad(p[0], x)
    assert slope.isfinite().all()
    p = p.detach()
    assert p.sum().item() == pytest.approx(1, abs=1e-14)
    assert ((p >= 0) & (p <= 1 + 1e-15)).all()
    for i, a in enumerate(scores):  # the larger score has the larger probability, equal ones the same
        for j, b in enumerate(scores):
            assert p[i] == pytest.approx(p[j].item(), abs=1e-15) if a == b else a < b or p[i] >= p[j]


@every
def test_cold_and_hot(noise: str) -> None:
    scores = tensor(2, 1, 2, -1)
    cold = argmax_probabilities(scores, noise=noise, temperature=1e-18)
    torch.testing.assert_close(cold, tensor(0.5, 0, 0.5, 0), rtol=0, atol=1e-14)
    hot = argmax_probabilities(scores, noise=noise, temperature=1e18)
    torch.testing.assert_close(hot, tensor(*[0.25] * 4), rtol=0, atol=1e-14)


@every
def test_only_differences_over_the_width_count(noise: str) -> None:
    scores, p = tensor(0.25, -0.5, 0.125), argmax_probabilities(tensor(0.25, -0.5, 0.125), noise=noise)
    assert torch.equal(argmax_probabilities(1024 + scores, noise=noise), p)
    assert torch.equal(argmax_probabilities(4 * scores, noise=noise, temperature=4.0), p)


def test_uniform_noise_gives_hopeless_classes_exactly_nothing() -> None:
    assert argmax_probabilities(tensor(2, 1, 0.9, -1), noise="uniform").tolist() == [1, 0, 0, 0]


@every
def test_the_jacobian_is_a_laplacian_of_a_graph(noise: str) -> None:
    """Symmetric, rows sum to 0, nothing positive off the diagonal: so it is positive semidefinite, F convex."""
    scores = tensor(0.6, 0.1, -0.2)
    J = jacobian(partial(argmax_probabilities, noise=noise), scores)
    torch.testing.assert_close(J, J.T, rtol=0, atol=1e-14)
    assert J.sum(-1).abs().max() <= 1e-14
    assert (J - J.diag().diag() <= 1e-15).all()
    assert torch.linalg.eigvalsh(J)[0] >= -1e-14
    assert gradcheck(partial(argmax_probabilities, noise=noise), scores.requires_grad_())


@every
def test_every_noise_gives_a_divergence(noise: str) -> None:
    s, t = torch.randn(2, 60, 4, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    f = partial(argmax_probabilities, noise=noise)
    D = torch.stack([symmetric_kl(a, b, activation=f) for a, b in zip(s, t, strict=True)])
    assert (D >= 0).all()
    assert D.median() > 0.1
    assert symmetric_kl(s, s + 2.5, activation=f).abs() < 1e-12  # a shift changes no decision


@every
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64], ids=str)
def test_masks_and_dtypes(noise: str, dtype: torch.dtype) -> None:
    scores = torch.tensor([[0.5, math.nan, -0.25], [math.inf, 1.0, math.nan]], dtype=dtype, requires_grad=True)
    mask = torch.tensor([[True, False, True], [False, False, False]])
    p = argmax_probabilities(scores, noise=noise, mask=mask)
    assert p.dtype == dtype
    torch.testing.assert_close(p[0, ::2], argmax_probabilities(scores[0, ::2], noise=noise), rtol=1e-14, atol=0)
    assert p[0, 1] == 0
    assert (p[1] == 0).all()
    (slope,) = torch.autograd.grad(p[0, 0], scores)
    assert slope.isfinite().all()
    assert (slope[~mask] == 0).all()


def test_errors() -> None:
    scores = tensor(1, 0)
    with pytest.raises(ValueError, match=r"noise must be one of gumbel, exponential, .* got 'gauss'"):
        argmax_probabilities(scores, noise="gauss")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="temperature"):
        argmax_probabilities(scores, temperature=0.0)
    with pytest.raises(TypeError, match="input must be floating point"):
        argmax_probabilities(torch.tensor([1, 0]))
    with pytest.raises(TypeError, match="mask must be a boolean tensor"):
        argmax_probabilities(scores, mask=scores)
    with pytest.raises(ValueError, match="does not broadcast"):
        argmax_probabilities(scores, mask=torch.ones(3, dtype=torch.bool))
    with pytest.raises(IndexError):
        argmax_probabilities(scores, dim=1)
