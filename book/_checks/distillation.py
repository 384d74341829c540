"""The checks of the chapter "Distillation": each proves its object and meets the library."""

from __future__ import annotations

from collections.abc import Callable

import torch
from mpmath import mpf

from gpkl_lib import distillation_loss, kl_divergence
from gpkl_lib.chapters.formulas import distillation as proofs
from gpkl_lib.derivations import Derivation, Evaluator, Point, equation
from gpkl_lib.derivations.notation import T as HEAT
from gpkl_lib.derivations.notation import k, s, t

Tensor = torch.Tensor
ROOM = ("close", "equal")  # differences that float64 does not hold
TRUE_AS_WELL = {
    (proofs.hot_softmax.title, 2): (1, "the mean is squared"),
    ("eq-distil-series", 1): (1, "O stands for a remainder of either sign"),
    ("eq-distil-shift", 1): (1, "c may have any sign"),
}
PAIRS = [
    tuple(size * torch.randn(2, 300, generator=torch.Generator().manual_seed(seed), dtype=torch.float64))
    for seed, size in enumerate((1e-2, 1.0, 10.0, 1e3))
]


def view(values: list[mpf]) -> Tensor:
    """50-digit scores as float64, ready for a gradient."""
    return torch.tensor([float(x) for x in values], dtype=torch.float64, requires_grad=True)


def loss(student: Tensor, teacher: Tensor, temperature: float, **options: object) -> Tensor:
    """The library's loss, added over the spans."""
    options = {"activation": "sigmoid", "reduction": "sum"} | options
    return distillation_loss(student, teacher, temperature=temperature, **options)  # type: ignore[arg-type]


def pull(student: Tensor, teacher: Tensor, temperature: float) -> Tensor:
    """Its gradient by the student's scores."""
    student = student.detach().requires_grad_()
    return torch.autograd.grad(loss(student, teacher, temperature), student)[0]


def meets(
    derivation: Derivation,
    library: Callable[[float, Tensor, Tensor, Point], float],
    tolerance: float = 1e-11,
    places: tuple[int, ...] = (-1,),
) -> str:
    """The derivation's verdict, after the library was found within `tolerance` of a line of it at its points."""
    verdict, worst, evaluate = derivation.check(), 0.0, Evaluator(derivation.given)
    for point in derivation.points():
        if point.kind in ROOM:
            continue
        found = library(float(point.values.get(HEAT, 1)), view(point.values[s]), view(point.values[t]), point)
        for place in places:
            value = float(evaluate(derivation.steps[place].expr, point))
            worst = max(worst, abs(found - value) / max(abs(value), 1.0))
    assert worst <= tolerance, f"the library is {worst:.1e} away from {derivation.title}"
    return f"{verdict}; gpkl_lib within {worst:.0e} of it"


@equation("eq-distil-loss", shows=proofs.loss)
def check_loss() -> str:
    return f"{proofs.loss.check()}; {meets(proofs.bregman, lambda T, a, b, _: loss(a, b, T).item())}"


@equation("eq-distil-hinton", shows=proofs.hinton.claim(0, -1))
def check_hinton() -> str:
    """The library's loss plus the teacher's entropy, which torch computes; and the gradients of both forms."""
    bce = torch.nn.functional.binary_cross_entropy_with_logits

    def cross(T: float, a: Tensor, b: Tensor, _: Point) -> float:
        v = (b / T).sigmoid().detach()
        entropy = torch.nn.functional.softplus(b / T) - v * b / T
        form = T**2 * bce(a / T, v, reduction="sum")
        (pulled,) = torch.autograd.grad(form, a)
        torch.testing.assert_close(pulled, pull(a, b, T), rtol=1e-9, atol=1e-12 * max(T, 1.0))
        return loss(a, b, T).item() + T**2 * entropy.sum().item()

    return meets(proofs.hinton, cross, 1e-9)


@equation("eq-distil-gradient", shows=proofs.gradient.claim(0, -1))
def check_gradient() -> str:
    return meets(proofs.gradient, lambda T, a, b, at: pull(a, b, T)[at.values[k] - 1].item(), 1e-10)


@equation("eq-distil-rise", shows=proofs.rise)
def check_rise() -> str:
    for a, b in PAIRS:
        sizes = torch.stack([pull(a, b, T).abs() for T in (0.1, 0.5, 1.0, 2.0, 8.0, 100.0, 1e4)])
        assert (sizes.diff(dim=0) >= -1e-9 * sizes[1:]).all()
    return f"{proofs.rise.check()}; autograd's pull falls nowhere at seven temperatures and 1200 pairs"


@equation("eq-distil-hot", shows=proofs.hot.claim(0, -1))
def check_hot() -> str:
    def library(_: float, a: Tensor, b: Tensor, __: Point) -> float:
        return loss(a, b, 1e6 * max(1.0, (a - b).abs().max().item())).item()  # the distance falls like 1/T^2

    return meets(proofs.hot, library, 1e-6)


@equation("eq-distil-pull-hot", shows=proofs.pull_hot.claim(0, -1))
def check_pull_hot() -> str:
    def library(_: float, a: Tensor, b: Tensor, at: Point) -> float:
        return pull(a, b, 1e6 * max(1.0, (a - b).abs().max().item()))[at.values[k] - 1].item()

    return meets(proofs.pull_hot, library, 1e-6)


@equation("eq-distil-series", shows=proofs.series)
def check_series() -> str:
    """What is left of the loss after both terms falls like 1/T^4."""
    a, b = (3 * torch.rand(2, 200, generator=torch.Generator().manual_seed(0), dtype=torch.float64)).unbind()
    rest = []
    for T in (20.0, 40.0):
        ours = kl_divergence(b, a, activation="sigmoid", temperature=T, reduction="none") * T**2 * 8 / (a - b) ** 2
        rest.append((ours - 1 + (a**2 + 2 * a * b + 3 * b**2) / (24 * T**2)).abs().max().item())
    assert 14 < rest[0] / rest[1] < 18, rest
    return f"{proofs.series.check()}; twice the temperature leaves 1/{rest[0] / rest[1]:.1f} of gpkl_lib's difference"


@equation("eq-distil-cold", shows=proofs.cold)
def check_cold() -> str:
    """Loss over T at temperatures where every score is far from the threshold."""
    for a, b in PAIRS:
        T = 1e-3 * min(a.abs().min().item(), b.abs().min().item())
        wanted = (-a * b.sign()).clamp(min=0).sum()
        torch.testing.assert_close(loss(a, b, T) / T, wanted, rtol=1e-9, atol=0)
    return f"{proofs.cold.check()}; gpkl_lib within 1e-9 of it at 1200 pairs"


@equation("eq-distil-hot-softmax", shows=proofs.hot_softmax.claim(0, -1))
def check_hot_softmax() -> str:
    def library(_: float, a: Tensor, b: Tensor, __: Point) -> float:
        return loss(a, b, 1e6 * max(1.0, (a - b).abs().max().item()), activation="softmax").item()

    return meets(proofs.hot_softmax, library, 1e-6)


@equation("eq-distil-shift", shows=proofs.shift)
def check_shift() -> str:
    for a, b in PAIRS:
        for move in (-1e3, -1.0, 7.0):
            one, other = (loss(x, b, 2.0, activation="softmax") for x in (a, a + move))
            torch.testing.assert_close(one, other, rtol=1e-9, atol=1e-12)
            assert (loss(a, b, 2.0) - loss(a + move, b, 2.0)).abs() > 1e-3  # the sigmoid sees it
    return f"{proofs.shift.check()}; gpkl_lib's softmax form within 1e-9 under three shifts, its sigmoid form is moved"
