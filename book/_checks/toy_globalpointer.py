"""The checks of the chapter "The toy corpus": what is proven or compared, and the library beside it."""

from __future__ import annotations

import itertools
import math

import torch

from gpkl_lib import sparse_multilabel_cross_entropy
from gpkl_lib.chapters.formulas import toy_globalpointer as proofs
from gpkl_lib.derivations import equation
from gpkl_lib.training import TrainingConfig


@equation("eq-toy-start", shows=proofs.start)
def start() -> str:
    """gpkl_lib's cross-entropy of one row of scores, all of them 0."""
    for n, g in ((1, 0), (1, 1), (55, 3), (325, 0), (325, 12)):
        true = torch.stack([torch.zeros(g, dtype=torch.long), torch.arange(g)], 1)
        ours = sparse_multilabel_cross_entropy(torch.zeros(1, n, dtype=torch.float64), true)
        assert abs(ours.item() - math.log(1 + n - g) - math.log(1 + g)) < 1e-12, (n, g)
    return f"{proofs.start.check()}; gpkl_lib.sparse_multilabel_cross_entropy at five pairs (n, g)"


@equation("eq-toy-rate", shows=proofs.rate)
def rate() -> str:
    """gpkl_lib.TrainingConfig.rate_at over the whole course, for several warm-ups."""
    for warmup, step in itertools.product((0.05, 0.1, 0.5, 0.9), range(1, 1000)):
        u = step / 1000
        wanted = u / warmup if u < warmup else (1 - u) / (1 - warmup)
        assert abs(TrainingConfig(warmup=warmup).rate_at(u) - wanted) < 1e-12, (warmup, u)
    return f"{proofs.rate.check()}; gpkl_lib.TrainingConfig.rate_at at 999 places for four warm-ups"
