"""A small experiment with unit features and unit class weights at a fixed scale, and its record.

    train, test = clusters(seed=0)
    run = fit_normalized(train, test, scale=16)      # half a second on one core

The data: C random directions in R^d, a few noisy points about each to learn from and many to test on. The model: one
hidden layer, a feature f(x) of length 1, a weight w_c of length 1 for each class, logits s <w_c, f(x)>.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import partial

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, normalize

from gpkl_lib._storage import Row
from gpkl_lib.chapters.recorders.recorder import Entry, timed

Labelled = tuple[Tensor, Tensor]


@dataclass(frozen=True)
class Curve:
    """What a run showed at `steps`: training loss (nats), held-out accuracy, smallest and mean training lead (cosines).

    The margin is taken over the nearest rival, its least value; the lead over the mean of the rivals, its mean value.
    """

    scale: float
    steps: list[int]
    loss: list[float]
    accuracy: list[float]
    margin: list[float]
    lead: list[float]


def clusters(
    num_classes: int = 50, size: int = 64, per_class: tuple[int, int] = (8, 40), noise: float = 1.5, *, seed: int = 0
) -> tuple[Labelled, Labelled]:
    """Noisy points about random unit vectors, the same number for each class.

    Args:
        num_classes: C.
        size: dimension of the inputs.
        per_class: how many points of each class to train on, and how many to test on.
        noise: expected length of the noise, where the centres have length 1.
        seed: of centres and noise.

    Returns:
        (inputs (N, size), labels (N,)) for training, and the same for testing.
    """
    draw = torch.Generator().manual_seed(seed)
    centres = normalize(torch.randn(num_classes, size, generator=draw), dim=1)
    parts = []
    for count in per_class:
        labels = torch.arange(num_classes * count) % num_classes
        blur = torch.randn(len(labels), size, generator=draw) * (noise / math.sqrt(size))
        parts.append((centres[labels] + blur, labels))
    return parts[0], parts[1]


def fit_normalized(
    train: Labelled,
    test: Labelled,
    *,
    scale: float,
    hidden_size: int = 128,
    steps: int = 400,
    learning_rate: float = 0.01,
    every: int = 10,
    seed: int = 0,
) -> Curve:
    """Train logits scale * cos(w_c, f(x)) by Adam on whole batches with softmax cross-entropy.

    The features have as many entries as there are classes, enough for the weights to form a regular simplex.

    Args:
        train, test: inputs (N, d) and labels (N,).
        scale: s.
        hidden_size, steps, learning_rate, seed: of the network and its training.
        every: steps between two entries of the curve; step 0 and the last are entries as well.

    Returns:
        The curve; entry k is measured before the update of step steps[k].
    """
    inputs, labels = train
    num_classes = int(labels.max()) + 1
    draw = torch.Generator().manual_seed(seed)
    shapes = ((inputs.shape[1], hidden_size), (hidden_size, num_classes), (num_classes, num_classes))
    first, second, weight = (torch.randn(*shape, generator=draw) / math.sqrt(shape[0]) for shape in shapes)
    parameters = [p.requires_grad_() for p in (first, second, weight)]
    optimizer = torch.optim.Adam(parameters, lr=learning_rate)
    curve = Curve(scale, [], [], [], [], [])

    def cosines(x: Tensor) -> Tensor:
        return normalize(torch.tanh(x @ first) @ second, dim=1) @ normalize(weight, dim=1).T

    for step in range(steps + 1):
        cosine = cosines(inputs)
        loss = cross_entropy(scale * cosine, labels)
        if step % every == 0 or step == steps:
            with torch.no_grad():
                own = cosine.gather(1, labels[:, None])
                rival = cosine.scatter(1, labels[:, None], -2).amax(1, keepdim=True)
                right = cosines(test[0]).argmax(1) == test[1]
            curve.steps.append(step)
            curve.loss.append(float(f"{loss.item():.5g}"))
            curve.accuracy.append(round(right.double().mean().item(), 4))
            curve.margin.append(round((own - rival).min().item(), 4))
            others = (cosine.sum(1, keepdim=True) - own) / (num_classes - 1)
            curve.lead.append(round((own - others).mean().item(), 4))
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    return curve


def normface_rows(scales: Sequence[float], seeds: Sequence[int]) -> Iterator[Entry]:
    """A row for each seed and scale: `fit_normalized` on the `clusters` of the seed."""
    for seed in seeds:
        train, test = clusters(seed=seed)
        data = hashlib.sha256(b"".join(t.numpy().tobytes() for part in (train, test) for t in part)).hexdigest()
        named = {"seed": seed, "classes": 50, "data": {"name": "clusters", "sha256": data}}
        for scale in map(float, scales):
            settings: Row = {"scale": scale, **named}
            yield timed(settings, partial(_run, train, test, scale=settings["scale"], seed=seed))


def _run(train: Labelled, test: Labelled, *, scale: float, seed: int) -> Row:
    curve = asdict(fit_normalized(train, test, scale=scale, seed=seed))
    del curve["lead"]  # for the page; no row has it
    return curve
