"""Variance along the way, and maths/way.js."""

import itertools

import torch
from specimen import Specimen

from gpkl_lib.explore import VarianceAlongTheWay

SPECIMEN = Specimen(
    settings=[
        VarianceAlongTheWay(),
        VarianceAlongTheWay([1, 2, 3], [1.5, 2, 2], place=0),
        VarianceAlongTheWay([1, 2, 3], [4, 5, 6], place=1),
        VarianceAlongTheWay([1000, -1000, 0], [999.9, -999, 0.5], place=0.25),
        VarianceAlongTheWay([30, -30], [-30, 30], place=0.37),
        VarianceAlongTheWay([0.5, -0.25, 1, 0, 0, 2], [0.6, -0.25, 1, 0, 1, 2], place=0.99),
    ],
    line="variance",
    slider="place, from t to s",
    stops=10,
    drags=[("s₁", -33, -2.0), ("t₂", 33, 2.0)],
)


def golden():
    pairs = [
        ([3.0, 0.0, -1.0], [-2.0, 1.0, 0.0]),
        ([1.0, 2.0, 3.0], [4.0, 5.0, 6.0]),
        ([0.5, -0.25, 1.0], [0.5 + 1e-9, -0.25, 1.0]),
        ([1e3, -1e3, 0.0], [999.0, -990.0, 0.0]),
        ([30.0, -30.0], [-31.0, 31.0]),
    ]
    for (s, t), place in itertools.product(pairs, [0.0, 0.01, 0.5, 0.83, 1.0]):
        widget = VarianceAlongTheWay(s, t, place=place)
        one, other = widget.views()
        yield "maths/way", "logitsAt", [s, t, place], (other + place * (one - other)).tolist()
        yield "maths/way", "varianceAt", [s, t, place], widget.variance(place), 1e-25
        yield "maths/way", "areaUpTo", [s, t, place], widget.values()["area"], 1e-25
    assert torch.get_default_dtype() == torch.float32
