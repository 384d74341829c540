"""Sphere the cloud, and the maths of maths/cloud.js."""

import itertools

import torch
from specimen import Specimen

from gpkl_lib.explore import SphereTheCloud
from gpkl_lib.explore import sphere_the_cloud as plane

SPECIMEN = Specimen(
    settings=[
        SphereTheCloud(),
        SphereTheCloud(3, beta=1, gamma=1),
        SphereTheCloud(4, beta=1, gamma=0.5, x=(-4, 4)),
        SphereTheCloud(60, beta=0, gamma=1, x=(4, -4)),
        SphereTheCloud(3, beta=0.35, gamma=0.95, x=(0, 0)),
        SphereTheCloud(17, beta=0, gamma=0.25, x=(0, 0)),
    ],
    line="cosine",
    slider="spectrum",
    stops=7,
    absolute=1e-12,
)


def golden():
    module = "maths/cloud"
    for count, x in ((3, [2.8, 0.4]), (7, [-4.0, 4.0]), (60, [0.0, 0.0])):
        points = plane.cloud(count, x)
        yield module, "cloud", [count, x], points.tolist(), 1e-15
        yield module, "cosine", points[:2].tolist(), plane.cosine_similarity(*points[:2], dim=0).item(), 1e-14
        for beta, gamma in itertools.product((0.0, 0.3, 1.0), (0.0, 0.7, 1.0)):
            mean, moment = plane.moments(points, beta)
            flat = [moment[0, 0].item(), moment[0, 1].item(), moment[1, 1].item()]
            values, vectors = plane.axes(moment)
            top = vectors[:, 1] * (1 if vectors[0, 1] > 0 else -1)
            yield module, "cloudMoments", [points.tolist(), beta], [mean.tolist(), flat], 1e-13
            yield module, "cloudAxes", [flat], {"values": values.flip(0).tolist(), "axis": top.tolist()}, 1e-12
            root = (vectors * values ** (-gamma / 2)) @ vectors.T
            entries = [root[0, 0].item(), root[0, 1].item(), root[1, 1].item()]
            yield module, "whitener", [flat, gamma], entries, 1e-12
            arrows = plane.whitened(points, beta, gamma)
            yield module, "whitened", [points.tolist(), beta, gamma], arrows.tolist(), 1e-12
            yield module, "cosineRange", [arrows.tolist()], list(plane.cosine_range(arrows)), 1e-12
            yield module, "natsFromRound", [arrows.tolist()], plane.nats_from_round(arrows), 1e-12
    assert torch.equal(plane.cloud(3, [1.0, 2.0])[0], torch.tensor([1.0, 2.0], dtype=torch.float64))
