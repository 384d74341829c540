"""The checks of the chapter "Training the accuracy itself": its objects, and gpkl_lib with the three points."""

from __future__ import annotations

import math

import torch
from torch.nn.functional import binary_cross_entropy_with_logits

from gpkl_lib import soft_f1_loss, softmax
from gpkl_lib.chapters.formulas import training_accuracy as proofs
from gpkl_lib.derivations import Evaluator, equation
from gpkl_lib.explore.three_points import best_cross_entropy, best_smooth_accuracy, smooth_accuracy
from gpkl_lib.noise import argmax_probabilities

TRUE_AS_WELL = {(proofs.moment.title, 1): (1, "what the line does not move may have any sign")}
GOLDEN = (1 + math.sqrt(5)) / 2


def root(rises, low, high):
    """Where a function of one number turns from positive to negative."""
    for _ in range(200):
        middle = (low + high) / 2
        low, high = (middle, high) if rises(middle) > 0 else (low, middle)
    return low


@equation("eq-accuracy-moment", shows=proofs.moment.claim(0, -1))
def moment() -> str:
    worst, draw = 0.0, torch.Generator().manual_seed(0)
    for size in (2, 3, 7):
        x = torch.randn(size, generator=draw, dtype=torch.float64)
        y = (torch.rand(size, generator=draw) < 0.5).double()
        b = torch.tensor(0.3, dtype=torch.float64, requires_grad=True)
        loss = binary_cross_entropy_with_logits(3 * (x - b), y, reduction="sum")
        by_hand = 3 * (y.sum() - torch.sigmoid(3 * (x - b)).sum())
        worst = max(worst, (torch.autograd.grad(loss, b)[0] - by_hand).abs().item())
    assert worst < 1e-14
    return f"{proofs.moment.check()}; torch's cross-entropy within {worst:.0e} of it"


@equation("eq-accuracy-scale", shows=proofs.scale)
def scale() -> str:
    u = root(lambda u: 1 - u - u**2 - 3 * u**3, 0.0, 1.0)
    critical = -4 * math.log(u)
    assert abs(best_cross_entropy(critical) - 0.25) < 1e-14
    assert best_cross_entropy(critical * 1.001) < 0.25 < best_cross_entropy(critical * 0.999)
    return f"{proofs.scale.check()}; at its root, w = {critical:.6f}, the best b of gpkl_lib is 1/4"


@equation("eq-accuracy-cold", shows=proofs.cold)
def cold() -> str:
    u = root(lambda u: 1 - 3 * u - u**2 - u**3, 0.0, 1.0)
    critical = -1 / (4 * math.log(u))
    assert abs(best_smooth_accuracy(critical) - 0.25) < 1e-12
    assert best_smooth_accuracy(critical * 0.999) < 0.25 < best_smooth_accuracy(critical * 1.001)
    return f"{proofs.cold.check()}; at its root, T = {critical:.6f}, the best b of gpkl_lib is 1/4"


@equation("eq-accuracy-warm", shows=proofs.warm)
def warm() -> str:
    verdict, worst, evaluate = proofs.warm.check(), 0.0, Evaluator(proofs.warm.given)
    for point in proofs.warm.points():
        b, T = (float(point.values[symbol]) for symbol in (proofs.b, proofs.T))
        found = 3 * smooth_accuracy(b, T).item() - 2
        worst = max(worst, abs(found - float(evaluate(proofs.warm.sides[1], point))))
    assert worst < 1e-14
    edge = 0.25 / math.log(GOLDEN)
    assert math.isinf(best_smooth_accuracy(edge))
    assert math.isfinite(best_smooth_accuracy(edge - 1e-3))
    return f"{verdict}; gpkl_lib within {worst:.0e} of it"


@equation("eq-accuracy-weight", shows=proofs.weight.claim(0, -1))
def weight() -> str:
    s = torch.tensor([1.0, -0.5, 2.0, 0.3], dtype=torch.float64)
    jacobian = torch.autograd.functional.jacobian(softmax, s)
    by_hand = softmax(s)[:, None] * (torch.eye(4, dtype=torch.float64) - softmax(s))
    torch.testing.assert_close(jacobian, by_hand, rtol=1e-13, atol=1e-15)
    noisy = torch.autograd.functional.jacobian(argmax_probabilities, s)
    torch.testing.assert_close(noisy, by_hand, rtol=0, atol=1e-13)
    return f"{proofs.weight.check()}; the slopes of gpkl_lib's softmax, and of its argmax under Gumbel noise"


@equation("eq-accuracy-soft", shows=proofs.soft)
def soft() -> str:
    draw, worst = torch.Generator().manual_seed(0), 0.0
    for size in (2, 9, 78):
        s = 4 * torch.randn(size, generator=draw, dtype=torch.float64)
        y = torch.arange(size) < 1 + size // 4
        p = torch.sigmoid(s / 0.7)
        by_hand = 1 - 2 * (p * y).sum() / (p.sum() + y.sum())
        worst = max(worst, (soft_f1_loss(s, y, temperature=0.7) - by_hand).abs().item())
    assert worst < 1e-14
    return f"{proofs.soft.check()}; gpkl_lib's soft_f1_loss within {worst:.0e} of it"


@equation("eq-accuracy-threshold", shows=proofs.threshold)
def threshold() -> str:
    p = torch.rand(50, generator=torch.Generator().manual_seed(0), dtype=torch.float64).sort(descending=True).values
    many = torch.arange(1, len(p) + 1)
    F = 2 * p.cumsum(0) / (many + p.sum())
    best = int(F.argmax())
    assert p[best + 1] < F[best] / 2 < p[best]
    return f"{proofs.threshold.check()}; of 50 probabilities, F is largest for those above half of it"
