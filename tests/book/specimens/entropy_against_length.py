"""Entropy against length under test."""

import itertools
import math

import torch
from specimen import Specimen

from gpkl_lib import entropy
from gpkl_lib.explore import EntropyAgainstLength

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


def golden():
    module = "math-scale"
    rows = [[0.3, -1.2, 2.5, 0.1, 0.1, -0.7, 1.9, 0.0], [1e3, -1e3, 999.5, 0.0], [2.0] * 5, [5.0, -5.0]]
    for x, scale in itertools.product(rows, [0.0, 0.1, 1.0, 7.5]):
        for start, n in ((0, len(x)), (1, len(x) - 1)):
            part = torch.tensor(x[start : start + n], dtype=torch.float64)
            arguments = [x, start, n, scale]
            yield module, "largest", [x, start, n], part.max().item()
            yield module, "entropyOfRow", arguments, entropy(scale * part).item(), 1e-12
            estimate = math.log(n) + scale * (part.mean() - part.max()).item()
            yield module, "estimateOfRow", arguments, estimate, 1e-12
