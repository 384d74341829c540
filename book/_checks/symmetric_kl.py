"""The checks of the chapter "Symmetric KL at the logits": each proves its derivation and meets the library at it."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
from mpmath import mpf

from gpkl_lib import symmetric_kl
from gpkl_lib.chapters.formulas import curvature
from gpkl_lib.chapters.formulas import symmetric_kl as forms
from gpkl_lib.derivations import Derivation, Evaluator, Point, equation
from gpkl_lib.derivations.notation import k, l, s, t, tau

Tensor = torch.Tensor
TRUE_AS_WELL = {  # steps where so many wrong signs leave the step true
    (forms.at_the_logits.title, 4): (2, "log Z does not depend on i, and p - q sums to 0"),
    (forms.at_the_logits.title, 5): (4, "what multiplies the sum of p - q, which is 0, may have any sign"),
    (forms.shift_invariance.title, 1): (1, "c does not depend on i, and p - q sums to 0"),
    (forms.shift_invariance.title, 2): (1, "c does not depend on i, and p - q sums to 0"),
    (forms.shift_invariance.title, 3): (2, "what multiplies the sum of p - q, which is 0, may have any sign"),
    (curvature.hessian.title, 1): (1, "q does not depend on s, so its derivative is 0"),
    (curvature.fisher.title, 1): (2, "the mean of one factor is 0, and so is that of a constant times it"),
}


def view(values: list[mpf]) -> Tensor:
    """50-digit logits as float64; their decimals are short, so what is lost is one rounding."""
    return torch.tensor([float(x) for x in values], dtype=torch.float64)


def at_points(derivation: Derivation, step: int = -1) -> Iterator[tuple[Point, Tensor, Tensor, float]]:
    """The derivation's points whose views differ by more than a rounding, with the value of one of its steps there."""
    evaluate = Evaluator(derivation.given)
    for point in derivation.points():
        if point.kind not in ("close", "equal"):
            value = evaluate(derivation.steps[step].expr, point)
            yield point, view(point.values[s]), view(point.values[t]), float(value)


def meets(derivation: Derivation, library: Callable[[Point, Tensor, Tensor], float], tolerance: float = 1e-11) -> str:
    """The derivation's verdict, after the library was found within `tolerance` of its last line at its points."""
    verdict, worst = derivation.check(), 0.0
    for point, a, b, value in at_points(derivation):
        worst = max(worst, abs(library(point, a, b) - value) / max(abs(value), 1.0))
    assert worst <= tolerance, f"the library is {worst:.1e} away from {derivation.title}"
    return f"{verdict}; gpkl_lib within {worst:.0e} of it"


@equation("eq-symmetric-kl", shows=forms.at_the_logits.claim(0, 1))
def definition() -> str:
    return str(forms.at_the_logits.check())


@equation("eq-symmetric-kl-probabilities", shows=forms.at_the_logits.claim(0, 3))
def probabilities() -> str:
    return str(forms.at_the_logits.check())


@equation("eq-symmetric-kl-logits", shows=forms.at_the_logits.claim(0, -1))
def logits() -> str:
    return meets(forms.at_the_logits, lambda point, a, b: symmetric_kl(a, b).item())


@equation("eq-symmetric-kl-shift", shows=forms.shift_invariance.claim(0, -1))
def shift() -> str:
    return meets(forms.shift_invariance, lambda point, a, b: symmetric_kl(a + 100, b - 3).item(), 1e-10)


@equation("eq-symmetric-kl-bregman", shows=forms.bregman.claim(0, -1))
def bregman() -> str:
    return meets(forms.bregman, lambda point, a, b: symmetric_kl(a, b).item())


@equation("eq-symmetric-kl-slope", shows=forms.slope.claim(0, 2, 3))
def slope() -> str:
    def derivative(point: Point, a: Tensor, b: Tensor) -> float:
        where = torch.tensor(float(point.values[tau]), dtype=torch.float64, requires_grad=True)
        (torch.softmax(b + where * (a - b), -1) * (a - b)).sum().backward()
        assert where.grad is not None
        return where.grad.item()

    verdict, worst = forms.slope.check(), 0.0
    for point, a, b, value in at_points(forms.slope, step=2):
        worst = max(worst, abs(derivative(point, a, b) - value) / max(value, 1.0))
    assert worst <= 1e-9
    return f"{verdict}; autograd within {worst:.0e} of it"


@equation("eq-symmetric-kl-tanh", shows=forms.tanh_form.claim(0, -1))
def tanh() -> str:
    return str(forms.tanh_form.check())


@equation("eq-symmetric-kl-gradient", shows=curvature.gradient.claim(0, -1))
def gradient() -> str:
    def by_autograd(point: Point, a: Tensor, b: Tensor) -> float:
        a.requires_grad_(True)
        symmetric_kl(a, b).backward()
        assert a.grad is not None
        return a.grad[point.values[k] - 1].item()

    return meets(curvature.gradient, by_autograd)


@equation("eq-symmetric-kl-hessian", shows=curvature.hessian.claim(0, -1))
def hessian() -> str:
    verdict, worst = curvature.hessian.check(), 0.0
    evaluate = Evaluator(curvature.hessian.given)
    for point in curvature.hessian.points():
        a = view(point.values[s])
        found = torch.autograd.functional.hessian(lambda x, a=a: symmetric_kl(x, a), a)
        value = float(evaluate(curvature.hessian.steps[-1].expr, point))
        worst = max(worst, abs(found[point.values[k] - 1, point.values[l] - 1].item() - value))
    assert worst <= 1e-12, f"autograd's second derivative is {worst:.1e} away"
    return f"{verdict}; autograd within {worst:.0e} of it"


@equation("eq-symmetric-kl-fisher", shows=curvature.fisher.claim(0, -1))
def fisher() -> str:
    return str(curvature.fisher.check())


@equation("eq-symmetric-kl-nearby", shows=curvature.nearby.claim(0, -1))
def nearby() -> str:
    return str(curvature.nearby.check())


@equation("eq-symmetric-kl-hot", shows=curvature.hot.claim(0, -1))
def hot() -> str:
    def library(point: Point, a: Tensor, b: Tensor) -> float:
        T = 1e8 * max(1.0, float((a - b).abs().max()))  # the distance to the limit falls like 1/T
        return T * T * symmetric_kl(a, b, temperature=T).item()

    return meets(curvature.hot, library, tolerance=1e-6)


@equation("eq-symmetric-kl-cold", shows=curvature.cold.claim(0, -1))
def cold() -> str:
    return meets(curvature.cold, lambda point, a, b: 1e-3 * symmetric_kl(a, b, temperature=1e-3).item())


@equation("eq-symmetric-kl-sigmoid", shows=forms.sigmoid.claim(0, -1))
def sigmoid() -> str:
    return meets(forms.sigmoid, lambda point, a, b: symmetric_kl(a, b, activation="sigmoid").item())
