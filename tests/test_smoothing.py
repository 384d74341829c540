"""Smooth maxima, against scipy, 50-digit arithmetic, bounds that must hold, and finite differences."""

from __future__ import annotations

import math
from collections.abc import Callable

import mpmath as mp
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.autograd import gradcheck, gradgradcheck

from gpkl_lib import entropy, logsumexp, softmax
from gpkl_lib.smoothing import entropy_invariant_scale, logsumexp_bounds, normalized_scale_bound

Function = Callable[..., Tensor]
FUNCTIONS = [logsumexp, softmax, entropy]
DTYPES = [torch.float16, torch.bfloat16, torch.float32, torch.float64]
every = pytest.mark.parametrize("function", FUNCTIONS)


def logits(*shape: int, seed: int = 0, scale: float = 3.0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64) * scale


@pytest.mark.parametrize("temperature", [0.01, 0.3, 1.0, 7.0, 1e4])
@pytest.mark.parametrize("dim", [0, 1, -1])
def test_values_are_those_of_scipy(temperature: float, dim: int) -> None:
    import scipy.special

    x = logits(3, 4, 5)
    p = scipy.special.softmax(x.numpy() / temperature, axis=dim)
    options = {"dim": dim, "temperature": temperature}
    smooth_max = temperature * scipy.special.logsumexp(x.numpy() / temperature, axis=dim)
    torch.testing.assert_close(logsumexp(x, **options), torch.from_numpy(smooth_max))
    torch.testing.assert_close(softmax(x, **options), torch.from_numpy(p))
    torch.testing.assert_close(entropy(x, **options), torch.from_numpy(scipy.special.entr(p).sum(dim)))
    assert logsumexp(x, **options, keepdim=True).shape == x.sum(dim, keepdim=True).shape


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("temperature", [0.05, 1.0, 20.0])
def test_values_are_right_to_the_precision_of_the_dtype(dtype: torch.dtype, temperature: float) -> None:
    x = logits(6, 9, seed=1, scale=10).to(dtype)
    eps = torch.finfo(dtype).eps
    with mp.workdps(50):
        for row in range(len(x)):
            t = mp.mpf(temperature)
            exponentials = [mp.exp(mp.mpf(v) / t) for v in x[row].double().tolist()]
            total = mp.fsum(exponentials)
            p = [e / total for e in exponentials]
            truth = {
                logsumexp: [t * mp.log(total)],
                softmax: p,
                entropy: [-mp.fsum(v * mp.log(v) for v in p)],
            }
            for function, expected in truth.items():
                value = function(x[row], temperature=temperature)
                assert value.dtype == dtype
                torch.testing.assert_close(
                    value.double().reshape(-1),
                    torch.tensor([float(v) for v in expected], dtype=torch.float64),
                    rtol=8 * eps if dtype in DTYPES[:2] else 400 * eps,  # half precision is rounded once, at the end
                    atol=torch.finfo(dtype).smallest_normal + (eps if function is entropy else 0),
                )


def test_the_gradient_of_logsumexp_is_softmax_at_every_temperature() -> None:
    for temperature in (0.1, 1.0, 5.0):
        x = logits(4, 6).requires_grad_()
        (gradient,) = torch.autograd.grad(logsumexp(x, temperature=temperature).sum(), x)
        torch.testing.assert_close(gradient, softmax(x, temperature=temperature))


@every
def test_gradcheck(function: Function) -> None:
    mask = torch.tensor([[True, True, False, True], [True] * 4, [False] * 4])

    def total(x: Tensor) -> Tensor:
        value = function(x, temperature=0.7, mask=mask)
        return value.masked_fill(value == -math.inf, 0)  # logsumexp of the empty slice

    x = logits(3, 4, scale=1).requires_grad_()
    assert gradcheck(total, (x,))
    assert gradgradcheck(total, (x,))


@settings(deadline=None, max_examples=200)
@given(
    x=st.lists(st.floats(width=32, allow_nan=False, allow_infinity=False), min_size=1, max_size=8),
    power=st.floats(-18, 18),
    dtype=st.sampled_from(DTYPES),
)
def test_bounds_hold_and_everything_is_finite(x: list[float], power: float, dtype: torch.dtype) -> None:
    largest = torch.finfo(dtype).max / 2  # leave room for T log n
    values = torch.tensor(x, dtype=torch.float64).clamp(-largest, largest).to(dtype)
    temperature = min(10**power, largest / 8)
    lower, upper = logsumexp_bounds(values, temperature=temperature)
    assert lower == values.max()
    leaf = values.clone().requires_grad_()
    result = logsumexp(leaf, temperature=temperature)
    slack = 8 * torch.finfo(dtype).eps * (float(upper.double().abs()) + temperature)
    assert float(lower.double()) - slack <= float(result.detach().double()) <= float(upper.double()) + slack
    p = softmax(leaf, temperature=temperature)
    assert ((p >= 0) & (p <= 1)).all()
    assert abs(float(p.detach().double().sum()) - 1) <= len(x) * torch.finfo(dtype).eps
    h = entropy(leaf, temperature=temperature)
    assert 0 <= float(h.detach()) <= math.log(len(x)) + 4 * torch.finfo(dtype).eps * max(1, math.log(len(x)))
    (gradient,) = torch.autograd.grad(result, leaf)
    assert gradient.isfinite().all()
    if dtype != torch.float16 or temperature >= 1:  # divided by T, it need not fit into float16
        for value in (p[0], h):
            (gradient,) = torch.autograd.grad(value, leaf)
            assert gradient.isfinite().all()


def test_the_bounds_are_reached() -> None:
    equal = torch.full((2, 7), 3.0, dtype=torch.float64)
    lower, upper = logsumexp_bounds(equal, temperature=2.0)
    torch.testing.assert_close(upper, torch.full((2,), 3 + 2 * math.log(7), dtype=torch.float64))
    torch.testing.assert_close(logsumexp(equal, temperature=2.0), upper)
    lone = torch.tensor([3.0, -1e4, -1e4], dtype=torch.float64)
    assert logsumexp(lone) == logsumexp_bounds(lone)[0] == 3
    assert torch.equal(lower, torch.full((2,), 3.0, dtype=torch.float64))


def test_bounds_count_the_valid_entries() -> None:
    mask = torch.tensor([[True, True, False], [False, False, False], [False, True, False]])
    lower, upper = logsumexp_bounds(torch.tensor([[1.0, 2.0, 9.0]] * 3), mask=mask)
    assert lower.tolist() == [2.0, -math.inf, 2.0]
    assert upper.tolist() == pytest.approx([2 + math.log(2), -math.inf, 2.0])


def test_temperature_goes_from_the_one_hot_to_the_uniform() -> None:
    x = torch.tensor([1.0, 3.0, 2.0])
    torch.testing.assert_close(softmax(x, temperature=1e-3), torch.tensor([0.0, 1.0, 0.0]))
    torch.testing.assert_close(softmax(x, temperature=1e6), torch.full((3,), 1 / 3), atol=1e-6, rtol=0)
    torch.testing.assert_close(softmax(x, temperature=0.5), softmax(2 * x))
    entropies = [entropy(x, temperature=t).item() for t in (0.01, 0.1, 1.0, 10.0, 100.0)]
    assert entropies == sorted(entropies)
    assert entropies[0] == pytest.approx(0)
    assert entropies[-1] == pytest.approx(math.log(3), abs=1e-4)


@every
def test_masked_logits_take_no_part_whatever_they_hold(function: Function) -> None:
    x = logits(3, 6)
    mask = torch.ones(3, 6, dtype=torch.bool)
    mask[0, 4:] = mask[1, ::2] = False
    mask[2] = False
    for garbage in (0.0, 1e300, math.inf, -math.inf, math.nan):
        leaf = x.masked_fill(~mask, garbage).requires_grad_()
        value = function(leaf, mask=mask)
        for row in range(2):
            found = value[row][mask[row]] if function is softmax else value[row]
            torch.testing.assert_close(found, function(x[row][mask[row]]))
        if function is softmax:
            assert (value[~mask] == 0).all()
        else:
            assert value[2] == (-math.inf if function is logsumexp else 0)
        (gradient,) = torch.autograd.grad(value[:2].square().sum(), leaf)
        assert (gradient[~mask] == 0).all()
        assert gradient.isfinite().all()


@every
def test_a_slice_without_a_valid_logit_has_gradient_zero(function: Function) -> None:
    for x, mask in ((torch.ones(2, 3), torch.tensor(False)), (torch.full((2, 3), -math.inf), None)):
        leaf = x.requires_grad_()
        (gradient,) = torch.autograd.grad(function(leaf, mask=mask).sum(), leaf)
        assert (gradient == 0).all()


@every
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16], ids=str)
def test_half_precision_is_summed_in_float32(function: Function, dtype: torch.dtype) -> None:
    x = logits(2, 5000, scale=1).to(dtype)  # 5000 ones cannot be counted in bfloat16
    value = function(x)
    assert value.dtype == dtype
    torch.testing.assert_close(value.double(), function(x.double()), rtol=torch.finfo(dtype).eps, atol=1e-7)


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"input": [1.0]}, TypeError, "input must be a torch.Tensor, got list"),
        ({"input": torch.ones(2, 3).long()}, TypeError, "input must be floating point, got dtype torch.int64"),
        ({"mask": torch.ones(2, 3)}, TypeError, "mask must be a boolean tensor, True = valid, got dtype torch.float32"),
        ({"mask": torch.ones(4, dtype=torch.bool)}, ValueError, r"mask of shape \(4,\) does not broadcast .* \(2, 3\)"),
        ({"temperature": 0.0}, ValueError, "temperature must lie between 1e-18 and 1e[+]18, got 0.0"),
        ({"temperature": -1.0}, ValueError, "got -1.0"),
        ({"temperature": math.inf}, ValueError, "got inf"),
        ({"dim": 2}, IndexError, "[Dd]imension"),
        ({"input": torch.ones(2, 0)}, IndexError, "non-zero size"),
    ],
)
@pytest.mark.parametrize("function", [*FUNCTIONS, logsumexp_bounds])
def test_errors_name_the_argument_and_what_came(
    function: Function, change: dict[str, object], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        function(**({"input": torch.ones(2, 3)} | change))


def test_the_simplex_reaches_the_normalized_scale_bound_and_nothing_goes_below() -> None:
    def loss(features: Tensor, weights: Tensor, scale: float) -> float:
        cosine = torch.nn.functional.normalize(features, dim=-1) @ torch.nn.functional.normalize(weights, dim=-1).mT
        return torch.nn.functional.cross_entropy(scale * cosine, torch.arange(len(cosine))).item()

    for classes in (2, 4, 30):
        simplex = torch.eye(classes, dtype=torch.float64) - 1 / classes
        for scale in (0.5, 3.0, 8.0):
            bound = normalized_scale_bound(classes, scale)
            assert loss(simplex, simplex, scale) == pytest.approx(bound, rel=1e-8)
            assert all(loss(x := logits(classes, classes, seed=i), x, scale) > bound for i in range(20))
    for bad in ((1, 1.0), (2, 0.0), (2, math.nan)):
        with pytest.raises(ValueError, match="must be"):
            normalized_scale_bound(*bad)


def test_the_entropy_invariant_scale_holds_the_entropy_while_the_length_grows() -> None:
    lengths = (64, 512, 4096, 32768)
    drift = {}
    for name, scale in (("constant", lambda n: 1.0), ("invariant", lambda n: entropy_invariant_scale(n, 0.5))):
        h = [entropy(scale(n) * logits(20, n, seed=n, scale=1)).mean().item() for n in lengths]
        drift[name] = max(h) - min(h)
    assert drift["invariant"] < drift["constant"] / 2
    assert entropy_invariant_scale(512, 1 / math.log(512)) == pytest.approx(1)
    with pytest.raises(ValueError, match="n must be at least 2, got 1"):
        entropy_invariant_scale(1)
