"""How many digits the divergences keep, against 160-digit arithmetic, and that no finite input breaks them.

In 160 digits the definition, subtraction and all, is right to more than 100.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import mpmath as mp
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from gpkl_lib import jensen_shannon, kl_divergence, symmetric_kl

Function = Callable[..., Tensor]
DTYPES = [torch.float16, torch.bfloat16, torch.float32, torch.float64]
DIVERGENCES = [symmetric_kl, kl_divergence, jensen_shannon]
ACTIVATIONS = ["softmax", "sigmoid"]


def normal(*shape: int, seed: int, scale: float) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64) * scale


def working(dtype: torch.dtype) -> torch.dtype:
    return torch.float64 if dtype == torch.float64 else torch.float32


def exact(values: Tensor) -> list[mp.mpf]:
    return [mp.mpf(x) for x in values.double().flatten().tolist()]


def ulps(value: Tensor, truth: list[mp.mpf]) -> float:
    """Largest error of `value` in units of the last place of the truth."""
    real = np.float64 if value.dtype == torch.float64 else np.float32
    pairs = zip(exact(value), truth, strict=True)
    return max(float(abs(v - x) / mp.mpf(float(np.spacing(real(float(x)))))) for v, x in pairs)


def sigmoid_points(dtype: torch.dtype, count: int = 2500) -> tuple[Tensor, Tensor]:
    """Pairs with |logit| <= 80 and differences from 1e-6 to 160: random ones, and where the plain form breaks."""
    rng = np.random.default_rng(0)
    s = rng.uniform(-80, 80, count)
    t = s + rng.choice([-1, 1], count) * 10 ** rng.uniform(-6, math.log10(160), count)
    ends = [0, 1e-6, 1e-3, 0.5, 1, 2, 6, 8, 12, 14, 17, 18, 40, 79, 80]
    corners = [(a, b) for a in ends for b in ends]
    corners += [(a, a + d) for a in ends for d in (1e-6, 1e-5, 1e-4, 1e-3, 0.01, 0.1)]
    corners += [(a, -b) for a, b in corners] + [(-a, -b) for a, b in corners]
    points = torch.tensor(np.concatenate([np.stack([s, t], 1), np.array(corners)])).to(dtype).double()
    gap = (points[:, 0] - points[:, 1]).abs()
    points = points[(points.abs() <= 80).all(1) & (gap >= 1e-6)].to(dtype)
    return points[:, 0], points[:, 1]


def sigmoid_truth(s: Tensor, t: Tensor) -> tuple[list[mp.mpf], list[mp.mpf]]:
    """D and dD/ds, as defined."""
    values, gradients = [], []
    with mp.workdps(160):
        for a, b in zip(exact(s), exact(t), strict=True):
            p, q = 1 / (1 + mp.exp(-a)), 1 / (1 + mp.exp(-b))
            values.append((p - q) * (a - b))
            gradients.append(p - q + p * (1 - p) * (a - b))
    return values, gradients


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_sigmoid_is_within_8_ulp_of_the_truth(dtype: torch.dtype) -> None:
    s, t = sigmoid_points(dtype)
    value = symmetric_kl(s, t, activation="sigmoid", reduction="none")
    assert value.dtype == working(dtype)
    assert len(s) > 1000
    with mp.workdps(160):
        assert ulps(value, sigmoid_truth(s, t)[0]) <= 8


@pytest.mark.parametrize(("dtype", "bound"), [(torch.float32, 1e-5), (torch.float64, 1e-13)], ids=str)
def test_sigmoid_gradients_are_within_the_bound_of_the_truth(dtype: torch.dtype, bound: float) -> None:
    s, t = (x.clone().requires_grad_() for x in sigmoid_points(dtype))
    symmetric_kl(s, t, activation="sigmoid").backward()
    with mp.workdps(160):
        for side, other in ((s, t), (t, s)):
            assert side.grad is not None
            truth = sigmoid_truth(side.detach(), other.detach())[1]
            assert max(float(abs(v - x) / abs(x)) for v, x in zip(exact(side.grad), truth, strict=True)) <= bound


def softmax_truth(x: list[mp.mpf]) -> list[mp.mpf]:
    exponentials = [mp.exp(a) for a in x]
    total = mp.fsum(exponentials)
    return [e / total for e in exponentials]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize(
    ("classes", "scale", "apart"), [(2, 1, 1), (5, 10, 1e-5), (5, 3, 0.1), (50, 30, 0.1), (50, 10, 10), (400, 5, 1e-6)]
)
def test_softmax_divergences_keep_their_digits(dtype: torch.dtype, classes: int, scale: float, apart: float) -> None:
    s = normal(4, classes, seed=3, scale=scale).to(dtype)
    t = (s.double() + normal(4, classes, seed=4, scale=apart)).to(dtype)
    with mp.workdps(60):
        for row in range(len(s)):
            a, b = exact(s[row]), exact(t[row])
            pairs = list(zip(softmax_truth(a), softmax_truth(b), strict=True))
            kl = mp.fsum(x * mp.log(x / y) for x, y in pairs)
            reverse = mp.fsum(y * mp.log(y / x) for x, y in pairs)
            mixed = mp.fsum(x * mp.log(2 * x / (x + y)) + y * mp.log(2 * y / (x + y)) for x, y in pairs) / 2
            for function, truth in ((symmetric_kl, kl + reverse), (kl_divergence, kl), (jensen_shannon, mixed)):
                error = abs(mp.mpf(function(s[row], t[row]).item()) / truth - 1)
                assert error <= 32 * torch.finfo(dtype).eps, function.__name__


@pytest.mark.parametrize("function", DIVERGENCES)
def test_sigmoid_relatives_keep_their_digits(function: Function) -> None:
    """The float32 value of every one-sided and mixed divergence against float64, near and far."""
    for apart in (1e-4, 1e-2, 1.0, 20.0):
        s = normal(300, seed=5, scale=10).float()
        t = s + normal(300, seed=6, scale=apart).float()
        value = function(s, t, activation="sigmoid", reduction="none")
        truth = function(s.double(), t.double(), activation="sigmoid", reduction="none")
        torch.testing.assert_close(value.double(), truth, rtol=3e-6, atol=1e-37)


def test_a_function_of_your_own_meets_the_difference_of_the_logits_unrounded() -> None:
    """At T = 3, where s/T and t/T are rounded, and their difference would hold little else."""
    s = torch.full((400,), 8.0)
    t = s - torch.arange(400) * torch.finfo(torch.float32).eps * 8
    decisions = iter([torch.ones(400), torch.zeros(400)])
    terms = symmetric_kl(s, t, activation=lambda _: next(decisions), temperature=3.0, reduction="none")
    torch.testing.assert_close(terms.double(), (s.double() - t.double()) / 3, rtol=2e-7, atol=0)


# ---------------------------------------------------------------------------------------------------------------------
# Finite for every finite input.

extremes = st.sampled_from([0.0, -0.0, 1.0, -1.0, 1e-30, 1e-7, 17.0, 88.8, -88.8, 1e4, -1e4, math.inf, -math.inf])


@settings(deadline=None, max_examples=300)
@given(
    logits=st.lists(st.tuples(*[st.one_of(extremes, st.floats(allow_nan=False))] * 2), min_size=1, max_size=6),
    dtype=st.sampled_from(DTYPES),
    activation=st.sampled_from(ACTIVATIONS),
    power=st.one_of(st.just(0.0), st.floats(-18, 18)),
    reduction=st.sampled_from(["sum", "mean", "batchmean"]),
    data=st.data(),
)
def test_value_and_gradient_are_finite_for_every_finite_input(
    logits: list[tuple[float, float]],
    dtype: torch.dtype,
    activation: str,
    power: float,
    reduction: str,
    data: st.DataObject,
) -> None:
    largest = torch.finfo(dtype).max  # the infinities above stand for it, of either sign
    s, t = (torch.tensor(x, dtype=torch.float64).clamp(-largest, largest).to(dtype) for x in zip(*logits, strict=True))
    assert s.isfinite().all()
    assert t.isfinite().all()
    mask = data.draw(st.one_of(st.none(), st.lists(st.booleans(), min_size=len(s), max_size=len(s)).map(torch.tensor)))
    for function in DIVERGENCES:
        a, b = s.clone().requires_grad_(), t.clone().requires_grad_()
        options = {"activation": activation, "temperature": 10**power, "mask": mask}
        if dtype == torch.float16 and power < 0:  # a gradient, divided by T, need not fit into float16
            a, b = s.float().requires_grad_(), t.float().requires_grad_()
            assert function(s, t, **options, reduction=reduction).isfinite()
        value = function(a, b, **options, reduction=reduction)
        value.backward()
        assert value.isfinite()
        for leaf in (a, b):
            assert leaf.grad is not None
            assert leaf.grad.isfinite().all()
    assert (symmetric_kl(s, t, **options, reduction="none") >= 0).all()


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_the_largest_logits_of_every_dtype_in_a_large_batch(activation: str) -> None:
    for dtype in DTYPES:
        s = torch.full((40, 50), torch.finfo(dtype).max, dtype=dtype).requires_grad_()
        s.data[:, ::2] *= -1
        for function in DIVERGENCES:
            (gradient,) = torch.autograd.grad(function(s, -s.detach(), activation=activation), s)
            assert function(s, -s, activation=activation).isfinite()
            assert gradient.isfinite().all()
