"""The checks of the chapter "Attention on long inputs": its objects, gpkl_lib and the explorable beside them."""

from __future__ import annotations

import math

import torch

from gpkl_lib import logsumexp, softmax
from gpkl_lib.chapters.formulas import long_attention as proofs
from gpkl_lib.derivations import equation
from gpkl_lib.explore.how_many_of_how_many import HowManyOfHowMany, lead_for_mass, relevant_mass

SIZES = ((64, 1), (64, 16), (4096, 1), (4096, 1024), (65_536, 3))


def leaders(n: int, k: int, lead: float) -> torch.Tensor:
    """n scores in float64: the lead k times, then zeros."""
    scores = torch.zeros(n, dtype=torch.float64)
    scores[:k] = lead
    return scores


@equation("eq-long-mass", shows=proofs.mass)
def mass() -> str:
    worst = 0.0
    for n, k in SIZES:
        for lead in (0.0, 3.0, 6.34, 30.0):
            found = softmax(leaders(n, k, lead))[:k].sum().item()
            worst = max(worst, abs(found / relevant_mass(n, k, lead) - 1))
    assert worst < 1e-11
    return f"{proofs.mass.check()}; gpkl_lib's softmax over as many scores within {worst:.0e} of it"


@equation("eq-long-scale", shows=proofs.scale)
def scale() -> str:
    for n, k in SIZES:
        for wanted in (0.5, 0.9, 0.999):
            found = softmax(leaders(n, k, lead_for_mass(n, k, wanted)))[:k].sum().item()
            assert abs(found - wanted) < 1e-11
    return f"{proofs.scale.check()}; gpkl_lib's softmax has the mass that was asked for"


@equation("eq-long-rules", shows=proofs.rules)
def rules() -> str:
    """With a fixed share the exact scale is the fixed one; with one key it is log n and what vanishes."""
    for n in (64, 724, 65_536):
        leads = HowManyOfHowMany(n, relevant=16, share=True).leads(n)
        assert math.isclose(leads["fixed"], leads["exact"])
        exact = HowManyOfHowMany(n).leads(n)["exact"]
        assert math.isclose(exact, math.log(9) + math.log(n) + math.log1p(-1 / n))
    return f"{proofs.rules.check()}; the explorable's scales agree"


@equation("eq-long-keys", shows=proofs.keys)
def keys() -> str:
    """Normal scores in large numbers: their share of keys is the one of the formula, well below the freezing."""
    draw = torch.randn(200_000, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    worst = 0.0
    for spread in (0.25, 0.5, 1.0):
        share = 1 / softmax(spread * draw).square().sum().item() / len(draw)
        worst = max(worst, abs(share / math.exp(-(spread**2)) - 1))
    assert worst < 0.02
    return f"{proofs.keys.check()}; 200,000 normal scores within {worst:.3f} of it"


@equation("eq-long-gap", shows=proofs.gap)
def gap() -> str:
    x = 5 * torch.randn(100, 30, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    for temperature in (0.1, 1.0, 10.0):
        smooth = temperature * logsumexp(x / temperature)
        left, right = smooth[:, None] - x, -temperature * softmax(x, temperature=temperature).log()
        torch.testing.assert_close(left, right, rtol=1e-9, atol=1e-9)
    return f"{proofs.gap.check()}; gpkl_lib's logsumexp and softmax agree"
