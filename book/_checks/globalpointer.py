"""The checks of the chapter "GlobalPointer": each proves its derivation and meets the library at it."""

from __future__ import annotations

import itertools
import math
from fractions import Fraction

import torch

from gpkl_lib import EfficientGlobalPointer, GlobalPointer, span_mask, span_scores
from gpkl_lib.chapters.formulas import globalpointer as proofs
from gpkl_lib.derivations import equation
from gpkl_lib.global_pointer import rotary_embedding

SIZES = [(1, 1, 2), (3, 5, 2), (8, 2, 4), (100, 5, 64), (256, 10, 64)]  # width, types, head size


def count(module: torch.nn.Module) -> int:
    """Its parameters."""
    return sum(parameter.numel() for parameter in module.parameters())


@equation("eq-gp-candidates", shows=proofs.candidates)
def candidates() -> str:
    for length in range(1, 65):
        assert int(span_mask(torch.ones(1, length)).sum()) == length * (length + 1) // 2
    return f"{proofs.candidates.check()}; gpkl_lib.span_mask has as many for L up to 64"


@equation("eq-gp-rotary", shows=proofs.relative)
def rotary() -> str:
    generator, worst = torch.Generator().manual_seed(0), 0.0
    q, k = torch.randn(2, 6, dtype=torch.float64, generator=generator)
    length = 200
    rotated = rotary_embedding(q.expand(length, 6)) @ rotary_embedding(k.expand(length, 6)).T
    distance = torch.arange(length, dtype=torch.float64)
    for i, j in itertools.product((0, 1, 17, 199), repeat=2):
        gap = distance[j] - distance[i]
        angle = gap * 10000.0 ** (-torch.arange(0, 6, 2, dtype=torch.float64) / 6)
        (q1, q2), (k1, k2) = (x.view(3, 2).T for x in (q, k))
        claimed = ((q1 * k1 + q2 * k2) * angle.cos() + (q2 * k1 - q1 * k2) * angle.sin()).sum()
        worst = max(worst, abs(rotated[i, j] - claimed).item())
    assert worst < 1e-12
    along = max(rotated.diagonal(gap).std().item() for gap in range(-198, 199))
    assert along < 1e-12, "the score changes along a diagonal"
    return (
        f"{proofs.relative.check()}; gpkl_lib.rotary_embedding within {worst:.0e} of it, constant along every diagonal"
    )


@equation("eq-gp-variance", shows=proofs.variance)
def variance() -> str:
    generator = torch.Generator().manual_seed(0)
    for d in (2, 16, 256):
        q, k = torch.randn(2, 200_000 // d, d, dtype=torch.float64, generator=generator)
        measured, draws = (q * k).sum(-1).var().item(), len(q)
        assert abs(measured - d) < 6 * d * math.sqrt(8 / draws), (d, measured)
    return f"{proofs.variance.check()}; normal entries for d = 2, 16, 256 within 6 standard errors of d"


@equation("eq-gp-parameters", shows=proofs.parameters.claim(0, -1))
def parameters() -> str:
    for w, types, d in SIZES:
        assert count(GlobalPointer(w, types, d)) == 2 * types * d * (w + 1)
    return f"{proofs.parameters.check()}; equal to the module's numel for {len(SIZES)} sizes"


@equation("eq-gp-efficient-parameters", shows=proofs.efficient.claim(0, -1))
def efficient_parameters() -> str:
    for w, types, d in SIZES:
        assert count(EfficientGlobalPointer(w, types, d)) == 2 * d * (w + 1) + 2 * types * (2 * d + 1)
    return f"{proofs.efficient.check()}; equal to the module's numel for {len(SIZES)} sizes"


@equation("eq-gp-types-differ", shows=proofs.types_differ.claim(0, -1))
def types_differ() -> str:
    generator = torch.Generator().manual_seed(0)
    head = EfficientGlobalPointer(8, 3, 4).double()
    logits = head(torch.randn(2, 7, 8, dtype=torch.float64, generator=generator)).detach()
    gap, worst = logits[:, 0] - logits[:, 1], 0.0
    for i, k, j, m in itertools.combinations(range(7), 4):  # a sum f(i) + g(j) has no mixed second difference
        mixed = gap[:, i, j] - gap[:, i, m] - gap[:, k, j] + gap[:, k, m]
        worst = max(worst, mixed.abs().max().item())
    assert worst < 1e-13
    return f"{proofs.types_differ.check()}; mixed second differences of the module at most {worst:.0e}"


@equation("eq-gp-f1", shows=proofs.f1.claim(0, -1))
def f1() -> str:
    spans = [("a", 0, end) for end in range(1, 13)]
    tried = 0
    for decided, true in itertools.product(range(1, 7), repeat=2):
        for right in range(1, min(decided, true) + 1):
            found = span_scores([spans[:decided]], [[*spans[:right], *spans[6 : 6 + true - right]]])
            p, r = Fraction(right, decided), Fraction(right, true)
            assert 2 * p * r / (p + r) == Fraction(2 * right, decided + true)
            assert math.isclose(found.f1, 2 * right / (decided + true), rel_tol=1e-15)
            tried += 1
    return f"{proofs.f1.check()}; gpkl_lib.span_scores at {tried} small cases"
