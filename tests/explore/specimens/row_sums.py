"""Row sums, and the maths of maths/rows.js."""

import itertools

import torch
from specimen import Specimen

from gpkl_lib.explore import RowSums
from gpkl_lib.explore.row_sums import board, by_distance

WILD = [(-6.0, -1.5, 0.0, 2.5, 6.0)[(3 * k * k + k) % 5] for k in range(64)]
SPECIMEN = Specimen(
    settings=[
        RowSums(),
        RowSums(weights="sigmoid", causal=True, row=0, column=0),
        RowSums(WILD, weights="l2", first=True, row=7, column=7),
        RowSums([0.0] * 64, causal=True, first=True, row=3, column=5),
        RowSums(WILD, weights="urpe", causal=True),
        RowSums([6.0, -6.0] * 32, weights="urpe", first=True, row=2),
        RowSums([6.0] * 64, weights="sigmoid", column=0),
        RowSums([0.0] * 64, weights="l2", causal=True),
    ],
    line="output",
    slider="score s",
    stops=8,
    absolute={"spread": 1e-12, "*": 1e-15},
)


def golden():
    module = "maths/rows"
    yield module, "byDistance", [8], by_distance()
    draw = torch.Generator().manual_seed(0)
    for scores in (torch.tensor(WILD).view(8, 8), 2 * torch.randn(8, 8, generator=draw)):
        for kind, causal in itertools.product(("softmax", "l2", "sigmoid", "urpe"), (False, True)):
            a = board(scores.double(), kind, causal=causal)
            for i in (0, 3, 7):
                yield module, "rowWeights", [scores[i].double().tolist(), kind, i, causal], a[i].tolist(), 1e-15
                for first in (False, True):
                    yield module, "rowOutput", [a[i].tolist(), first], a[i, int(first) :].sum().item(), 1e-15
