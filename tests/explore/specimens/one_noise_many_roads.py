"""One noise, many roads, and the maths of maths/roads.js."""

import torch
from specimen import Specimen

from gpkl_lib.explore import OneNoiseManyRoads
from gpkl_lib.explore.one_noise_many_roads import (
    DATA,
    density,
    gaussian,
    guess,
    histogram,
    kl,
    plan,
    quantiles,
    roads,
)

SPECIMEN = Specimen(
    settings=[
        OneNoiseManyRoads(together=True, eta=0.5, start=0.3),
        OneNoiseManyRoads(),
        OneNoiseManyRoads(eta=1.0, steps=100),
        OneNoiseManyRoads("one bump", steps=1),
        OneNoiseManyRoads("one bump", steps=20, eta=1.0, added="large but last"),
        OneNoiseManyRoads("one bump", steps=7, eta=0.35, added="large", together=True, start=-3.0),
        OneNoiseManyRoads(steps=2, eta=1.0, added="large"),
    ],
    line="spread",
    slider="number of steps",
    stops=8,
    drags=[("where all begin", 40, 1.0)],
    absolute=1e-11,
)
SAMPLERS = ((1, 0.0, "matching"), (10, 0.5, "matching"), (7, 1.0, "large"), (20, 1.0, "large but last"))


def golden():
    module = "maths/roads"
    x = torch.tensor([-700.0, -2.0, -0.3, 0.0, 0.8, 3.0, 700.0], dtype=torch.float64)
    yield module, "quantiles", [12], quantiles(12).tolist(), 1e-15
    yield module, "swaps", [[1.0, 0.0, 2.0, -1.0]], 4
    yield module, "histogram", [x.tolist(), 24, 3], histogram(x)
    yield module, "deviation", [x.tolist()], x.std(correction=0).item()
    for name, bumps in DATA.items():
        listed = [list(bump) for bump in bumps]
        yield module, "bumpsOf", [name], listed
        yield module, "dataDeviation", [listed], OneNoiseManyRoads(name).values()["truth"]
        for at in x.tolist():
            yield module, "bumpDensity", [at, listed], density(at, bumps)
        for steps, eta, added in (
            (1, 0.0, "matching"),
            (10, 0.5, "matching"),
            (7, 1.0, "large"),
            (20, 1, "large but last"),
        ):
            moves = plan(steps, eta, added)
            given = [list(move) for move in moves]
            yield module, "plan", [steps, eta, added], given, 1e-15
            yield module, "roads", [x.tolist(), given, listed], roads(x, moves, bumps).tolist(), 1e-11
            yield module, "gaussian", [given, listed[-1]], list(gaussian(moves, bumps[-1]))
            found = list(gaussian(moves, bumps[-1]))
            yield module, "gaussianKl", [found, listed[-1][1:]], kl(tuple(found), bumps[-1][1:]), 1e-15
            for place, move in zip(x.tolist(), moves * 7, strict=False):
                value = guess(torch.tensor([place], dtype=torch.float64), move.a, move.b, bumps).item()
                yield module, "guess", [place, move.a, move.b, listed], value, 1e-15
