"""The checks of the chapter "Entropy against length": what is proven or compared, and the library beside it."""

from __future__ import annotations

import math

from mpmath import mp

import gpkl_lib
from gpkl_lib.chapters.formulas import entropy_and_length as proofs
from gpkl_lib.derivations import equation
from gpkl_lib.explore.entropy_against_length import random_scores
from gpkl_lib.smoothing import entropy_invariant_scale


@equation("eq-entropy-split", shows=proofs.entropy_split.claim(0, -1))
def split() -> str:
    return str(proofs.entropy_split.check())


@equation("eq-entropy-estimate", shows=proofs.estimate)
def estimate() -> str:
    for n in (16, 1024, 16384):
        for lam in (1e-3, 0.5, 4.0, 50.0):
            x = random_scores(n)
            least = math.log(n) - lam * (x.amax(-1) - x.mean(-1))
            assert bool((gpkl_lib.entropy(lam * x) >= least - 1e-12).all())
    return f"{proofs.estimate.check()}; holds for gpkl_lib.entropy of random scores"


@equation("eq-entropy-balanced", shows=proofs.balanced)
def balanced() -> str:
    assert entropy_invariant_scale(512, 1 / math.log(512)) == 1
    for n in (2, 16, 16384):
        assert math.isclose(entropy_invariant_scale(n, 0.3), 0.3 * math.log(n))
    return f"{proofs.balanced.check()}; entropy_invariant_scale is kappa log n"


@equation("eq-entropy-normal", shows=proofs.normal_scores.claim(0, -1))
def normal_scores() -> str:
    worst = max(abs(proofs.moment(lam) / mp.exp(lam * lam / 2) - 1) for lam in (0.1, 1.0, 2.5))
    assert worst < 1e-12
    x = random_scores(16384)
    far = max(
        abs(gpkl_lib.entropy(lam * x).mean().item() - math.log(16384) + lam * lam / 2) for lam in (0.25, 0.5, 1.0)
    )
    assert far < 0.02
    return f"{proofs.normal_scores.check()}; M by quadrature; 16384 scores within {far:.3f} nats up to lambda = 1"
