"""The checks of the chapter "The KL divergence of GlobalPointer": each proves its object and meets the library."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
from mpmath import mpf

from gpkl_lib import kl_divergence, symmetric_kl
from gpkl_lib.chapters.formulas import globalpointer_kl as proofs
from gpkl_lib.derivations import Derivation, Evaluator, Point, equation
from gpkl_lib.derivations.notation import c, k, s, t

Tensor = torch.Tensor
ROOM = ("close", "equal")  # differences that float64 does not hold
TRUE_AS_WELL = {
    (proofs.binary.title, 2): (3, "what 0 multiplies may have any sign"),
    (proofs.curvature.title, 1): (1, "v does not depend on s, so its derivative is 0"),
}


def view(values: list[mpf]) -> Tensor:
    """50-digit logits as float64, ready for a gradient."""
    return torch.tensor([float(x) for x in values], dtype=torch.float64, requires_grad=True)


def sigmoid_kl(a: Tensor, b: Tensor, temperature: float = 1.0) -> Tensor:
    """The library's divergence."""
    return symmetric_kl(a, b, activation="sigmoid", temperature=temperature)


def at_points(derivation: Derivation) -> Iterator[tuple[Point, Tensor, Tensor, float]]:
    """The derivation's points at which float64 tells the views apart, with the value of its last step."""
    evaluate = Evaluator(derivation.given)
    for point in derivation.points():
        if point.kind not in ROOM:
            value = float(evaluate(derivation.steps[-1].expr, point))
            yield point, view(point.values[s]), view(point.values.get(t, point.values[s])), value


def meets(derivation: Derivation, library: Callable[[Point, Tensor, Tensor], float], tolerance: float = 1e-11) -> str:
    """The derivation's verdict, after the library was found within `tolerance` of its last line at its points."""
    verdict, worst = derivation.check(), 0.0
    for point, a, b, value in at_points(derivation):
        worst = max(worst, abs(library(point, a, b) - value) / max(abs(value), 1.0))
    assert worst <= tolerance, f"the library is {worst:.1e} away from {derivation.title}"
    return f"{verdict}; gpkl_lib within {worst:.0e} of it"


def slope(value: Tensor, by: Tensor, point: Point) -> Tensor:
    """The derivative of `value` by the logit k of the point."""
    (gradient,) = torch.autograd.grad(value, by, create_graph=True)
    return gradient[point.values[k] - 1]


@equation("eq-gpkl", shows=proofs.inner)
def inner_product() -> str:
    return str(proofs.inner.check())


@equation("eq-gpkl-pair", shows=proofs.pair.claim(0, 2, 3))
def pair() -> str:
    verdict, worst = proofs.pair.check(), 0.0
    for x in (-1e3, -30.0, -1.0, 0.0, 0.5, 30.0, 1e3):
        logit = torch.tensor(x, dtype=torch.float64)
        two = torch.softmax(torch.stack([logit, torch.zeros_like(logit)]), 0)
        worst = max(worst, float((two - torch.stack([torch.sigmoid(logit), torch.sigmoid(-logit)])).abs().max()))
    assert worst <= 2e-16
    return f"{verdict}; torch's softmax and sigmoid within {worst:.0e} up to logits of 1000"


@equation("eq-gpkl-binary", shows=proofs.binary.claim(0, -1))
def binary() -> str:
    def both_ways(point: Point, a: Tensor, b: Tensor) -> float:
        one, other = (kl_divergence(*pair, activation="sigmoid").item() for pair in ((a, b), (b, a)))
        assert abs(one + other - sigmoid_kl(a, b).item()) <= 1e-12 * max(1.0, one + other)
        return one + other

    return meets(proofs.binary, both_ways)


@equation("eq-gpkl-shift", shows=proofs.shift.claim(0, -1))
def shift() -> str:
    return meets(proofs.shift, lambda point, a, b: sigmoid_kl(a + float(point.values[c]), a).item(), 1e-9)


@equation("eq-gpkl-bounds", shows=proofs.bounds)
def bounds() -> str:
    closest = 0.0
    for size in (1e-3, 1.0, 1e3):
        a, b = size * torch.randn(2, 500, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
        ratio = symmetric_kl(a, b, activation="sigmoid", reduction="none") / ((a - b) ** 2 / 4)
        assert ratio.min() >= 0
        assert ratio.max() <= 1 + 1e-12
        closest = max(closest, ratio.max().item())
    return f"{proofs.bounds.check()}; gpkl_lib at most {closest:.6f} of the bound"


@equation("eq-gpkl-half", shows=proofs.hyperbolic.claim(0, -1))
def hyperbolic() -> str:
    return meets(proofs.hyperbolic, lambda point, a, b: sigmoid_kl(a, b, temperature=0.5).item())


@equation("eq-gpkl-gradient", shows=proofs.gradient.claim(0, -1))
def gradient() -> str:
    return meets(proofs.gradient, lambda point, a, b: slope(sigmoid_kl(a, b), a, point).item())


@equation("eq-gpkl-pull", shows=proofs.pull)
def pull() -> str:
    verdict, draw = proofs.pull.check(), torch.Generator().manual_seed(0)
    for size in (1e-2, 1.0, 30.0, 1e3):
        a, b = size * torch.randn(2, 500, generator=draw, dtype=torch.float64)
        a.requires_grad_(True)
        terms = symmetric_kl(a, b, activation="sigmoid", reduction="none")
        (pulled,) = torch.autograd.grad(terms.sum(), a)
        assert ((a - b) * pulled >= terms * (1 - 1e-12)).all()
    return f"{verdict}; autograd's gradient keeps it at 2000 pairs"


@equation("eq-gpkl-curvature", shows=proofs.curvature.claim(0, -1))
def curvature() -> str:
    return meets(proofs.curvature, lambda point, a, b: slope(slope(sigmoid_kl(a, b), a, point), a, point).item(), 1e-10)


@equation("eq-gpkl-net", shows=proofs.net.claim(0, -1))
def net() -> str:
    def both(point: Point, a: Tensor, b: Tensor) -> float:
        value = sigmoid_kl(a, b)
        return (slope(value, a, point) + slope(value, b, point)).item()

    return meets(proofs.net, both)


@equation("eq-gpkl-hot", shows=proofs.hot.claim(0, -1))
def hot() -> str:
    def library(point: Point, a: Tensor, b: Tensor) -> float:
        T = 1e6 * max(1.0, (a - b).abs().max().item())  # the distance to the limit falls like 1/T^2
        return T * T * sigmoid_kl(a, b, temperature=T).item()

    return meets(proofs.hot, library, tolerance=1e-6)


@equation("eq-gpkl-digits", shows=proofs.digits.claim(0, -1))
def digits() -> str:
    def one(point: Point, a: Tensor, b: Tensor) -> float:
        place = point.values[k] - 1
        gap = (a[place] - b[place]).item()
        return sigmoid_kl(a[place], b[place]).item() / gap if gap else 0.0

    return meets(proofs.digits, one)
