"""Adversarial direction, and the plane of maths/adversarial.js."""

import itertools

import torch
from specimen import Specimen

from gpkl_lib.explore import AdversarialDirection
from gpkl_lib.explore import adversarial_direction as plane

SPECIMEN = Specimen(
    settings=[
        AdversarialDirection(),
        AdversarialDirection((-1.0, 1.5), start=-170, epsilon=2.5, xi=10, steps=3),
        AdversarialDirection((1.6, 1.6), start=180, epsilon=0.05, xi=0.01, steps=8),
        AdversarialDirection((-1.6, -1.6), start=0, epsilon=3, xi=1, steps=0),
        AdversarialDirection((0, -1.3), start=33, epsilon=0.3, xi=0.0316, steps=2),
        AdversarialDirection((-1.6, 1.6), start=-90, epsilon=1.35, xi=3.16, steps=5),
    ],
    line="divergence",
    slider="length ε",
    stops=7,
    drags=[("start direction", 36, -9.0)],
    absolute={"*": 1e-13, "angle": 1e-8},
)
POINTS = [[0.9, -0.2], [-1.0, 1.5], [2.5, 2.5], [-2.5, -2.5], [0.0, -2.4]]
STEPS = [[1e-2, 0.0], [0.3, -0.4], [-1.0, 2.0], [8.0, 9.0], [0.0, 0.0]]


def golden():
    module = "maths/adversarial"
    yield module, "spanWeights", [], plane.WEIGHTS.tolist()
    yield module, "spanBiases", [], plane.BIASES.tolist()
    for angle in (-180.0, -33.0, 0.0, 7.5, 90.0, 180.0):
        yield module, "unitVector", [angle], plane.unit(angle).tolist(), 1e-15
    for x in POINTS:
        G = plane.metric(x)
        values, vectors = torch.linalg.eigh(G)
        top = vectors[:, 1] * (1 if vectors[0, 1] > 0 else -1)
        flat = [G[0, 0].item(), G[0, 1].item(), G[1, 1].item()]
        yield module, "planeScores", [x], plane.scores(torch.tensor(x, dtype=torch.float64)).tolist(), 1e-15
        yield module, "planeMetric", [x], flat, 1e-15
        yield module, "planeEigen", [flat], [values[1].item(), values[0].item(), top.tolist()], 1e-12
        yield module, "divergenceRing", [x, 1.3, 20], plane.ring(x, 1.3, 20).tolist(), 1e-15
        radii = [plane.contour(x, level).tolist() for level in plane.LEVELS]
        yield module, "levelRadii", [x, list(plane.LEVELS)], radii, 1e-12
        for r in STEPS:
            at = torch.tensor(r, dtype=torch.float64)
            yield module, "planeDivergence", [x, r], plane.divergence(x, at).item(), 1e-15
            yield module, "planeGradient", [x, r], plane.gradient(x, at).tolist(), 1e-14
            yield module, "planeQuadratic", [flat, r], (at @ G @ at).item()
        for xi, steps, start in itertools.product((0.01, 1.0, 10.0), (0, 1, 5), (-170.0, 20.0)):
            yield module, "powerSteps", [x, start, xi, steps], plane.directions(x, start, xi, steps).tolist(), 1e-10
    yield module, "lineAngle", [[1.0, 0.0], [-1.0, 0.0]], 0.0
    yield module, "lineAngle", [[1.0, 0.0], [0.0, 2.0]], 90.0
    yield module, "lineAngle", [[1.0, 1.0], [-1.0, 0.0]], 45.0
