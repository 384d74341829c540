"""Entropy against length under test."""

import itertools
import math

import torch
from specimen import Specimen

from gpkl_lib import entropy
from gpkl_lib.explore import EntropyAgainstLength
from gpkl_lib.explore.entropy_against_length import random_scores

SPECIMEN = Specimen(
    settings=[
        EntropyAgainstLength(),
        EntropyAgainstLength(16, scale=0.1),
        EntropyAgainstLength(16384, scale=8.0),
        EntropyAgainstLength(512, scale=2.5, scores="uniform"),
        EntropyAgainstLength(16, scale=8.0, scores="uniform"),
        EntropyAgainstLength(2048, scale=4.0),
    ],
    line="invariant",
    slider="scale λ at n = 512",
    stops=5,
    absolute=1e-12,
)


def counted(x):
    """How often each score from the least to the largest, in steps of 1/64, stands in x."""
    return torch.bincount((64 * (x - x.min())).long()).tolist()


def golden():
    module = "maths/scale"
    for kind, n, row in itertools.product(["normal", "uniform"], [16, 512], [0, 3]):
        x = random_scores(n, kind)[row]
        counts = counted(x)
        yield module, "countsOf", [random_scores(n, kind).flatten().tolist(), row * n, n], counts
        yield module, "gapOf", [counts], (x.max() - x.mean()).item()
        for scale in (0.0, 0.1, 2.5, 13.0):
            below = scale * (x - x.max())
            sums = [below.exp().sum().item(), (below * below.exp()).sum().item()]
            yield module, "sumsOf", [counts, scale], sums, 1e-12
            yield module, "sumsOf", [counts, scale, [math.exp(-scale * k / 64) for k in range(900)]], sums, 1e-12
            yield module, "entropyOf", sums, entropy(scale * x).item(), 1e-12
    for scale in (0.0, 0.1, 13.0, 800.0):
        yield module, "decay", [scale, 5], [math.exp(-scale * k / 64) for k in range(5)]
