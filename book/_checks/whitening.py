"""The checks of the chapter "Whitening with two exponents": its objects, `whiten` and gpkl_lib beside them."""

from __future__ import annotations

import math

import torch
from torch.distributions import MultivariateNormal, kl_divergence
from torch.nn.functional import normalize

from gpkl_lib import softmax
from gpkl_lib.chapters.formulas import whitening as proofs
from gpkl_lib.chapters.recorders import whiten
from gpkl_lib.derivations import equation

TRUE_AS_WELL = {("eq-whitening-ratio", 1): (2, "a sum of either sign is squared")}


def cloud(points: int = 50, size: int = 4, seed: int = 0) -> torch.Tensor:
    """Points with a mean and a spectrum, in float64."""
    draw = torch.Generator().manual_seed(seed)
    x = torch.randn(points, size, generator=draw, dtype=torch.float64)
    return x @ torch.randn(size, size, generator=draw, dtype=torch.float64) + torch.arange(size)


def moments(x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Mean and covariance, over N."""
    return x.mean(0), torch.cov(x.T, correction=0)


@equation("eq-whitening-spectrum", shows=proofs.spectrum)
def spectrum() -> str:
    x = cloud()
    before = torch.linalg.eigvalsh(moments(x)[1]).flip(0)
    for gamma in (0.0, 0.25, 0.5, 1.0):
        after = moments(whiten(x, 1, gamma))[1]
        torch.testing.assert_close(after, torch.diag(before ** (1 - gamma)), rtol=1e-12, atol=1e-12)
        share = softmax((1 - gamma) * before.log())
        torch.testing.assert_close(after.diag() / after.trace(), share, rtol=1e-12, atol=0)
    return f"{proofs.spectrum.check()}; variances of whitened points and gpkl_lib's softmax of their logs within 1e-12"


@equation("eq-whitening-ratio", shows=proofs.ratio)
def ratio() -> str:
    x = cloud(size=7)
    found = []
    for gamma in (0.0, 0.25, 0.5, 0.75, 1.0):
        variances = whiten(x, 1, gamma).square().mean(0)
        found.append((variances.sum() ** 2 / variances.square().sum()).item())
    assert found == sorted(found)
    assert abs(found[-1] - 7) < 1e-12
    return f"{proofs.ratio.check()}; grows with gamma on 50 points, up to 7 of 7"


@equation("eq-whitening-nats", shows=proofs.roundness)
def nats() -> str:
    x = cloud()
    Lambda = torch.linalg.eigvalsh(moments(x)[1])
    ball = MultivariateNormal(torch.zeros(4, dtype=torch.float64), torch.eye(4, dtype=torch.float64))
    last = math.inf
    for gamma in (0.0, 0.3, 0.7, 1.0):
        a = torch.tensor(1 - gamma, dtype=torch.float64, requires_grad=True)
        value = (Lambda**a - 1 - a * Lambda.log()).sum() / 2
        (slope,) = torch.autograd.grad(value, a)
        mean, covariance = moments(whiten(x, 1, gamma))
        there = kl_divergence(MultivariateNormal(mean, covariance), ball).item()
        assert abs(value.item() - there) < 1e-12 * (1 + there)
        said = ((1 - Lambda ** (1 - gamma)) * Lambda.log()).sum().item() / 2
        assert abs(-slope.item() - said) < 1e-11
        assert value.item() < last
        last = value.item()
    return f"{proofs.roundness.check()}; torch.distributions gives the same nats, autograd the same slope, within 1e-11"


@equation("eq-whitening-mean", shows=proofs.mean)
def mean() -> str:
    for seed in range(5):
        x = cloud(seed=seed)
        mu, covariance = moments(x)
        m = (mu @ torch.linalg.solve(covariance, mu)).item()
        found = whiten(x, 0, 1).mean(0).square().sum().item()
        assert abs(found - m / (1 + m)) < 1e-12
    return f"{proofs.mean.check()}; squared length of the mean of five clouds that `whiten` took about 0 within 1e-12"


@equation("eq-whitening-simplex", shows=proofs.simplex)
def simplex() -> str:
    for points, size in ((3, 2), (4, 3), (5, 40), (41, 40)):
        x = normalize(whiten(cloud(points, size)), dim=-1)
        apart = (x @ x.T)[~torch.eye(points, dtype=torch.bool)]
        assert (apart + 1 / (points - 1)).abs().max() < 1e-9
    x = normalize(whiten(cloud(42, 40)), dim=-1)  # one more than that, and they differ again
    assert (x @ x.T).var() > 1e-3
    return f"{proofs.simplex.check()}; `whiten` on 3 to 41 points, within 1e-9"
