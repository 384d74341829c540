"""A probe of what attention can see of positions: from n equal tokens to the numbers 1, 2, ..., n; and its record.

    fit_positions(place="rotary")       # two seconds on one core: 32 times the same number, the mean of 1, ..., 32

Two layers of attention and of a network on each token, normalised before each. Nothing but the attention knows where a
token stands, unless its place is "absolute".
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from gpkl_lib._storage import Row
from gpkl_lib.chapters.recorders.recorder import Entry, timed
from gpkl_lib.global_pointer import rotary_embedding

Weights = Literal["softmax", "urpe", "l2", "sigmoid"]
Place = Literal["none", "rotary", "bias", "values", "absolute"]
LENGTH, WIDTH, HEADS, LAYERS = 32, 32, 4, 2


class Attention(nn.Module):
    """Attention with a choice of weights, and of where positions come in; no mask but the causal one.

    weights: "softmax"; "l2" divides e^s by the root of the sum of squares; "sigmoid" by n; "urpe" multiplies softmax by
    a trained factor for each distance. place: "bias" adds a trained number for each distance to the scores, "values" a
    trained vector to the values as well; `zero` starts the bias at 0.
    """

    distance: Tensor

    def __init__(self, weights: Weights, place: Place, causal: bool, zero: bool) -> None:
        super().__init__()
        self.weights, self.place, self.causal = weights, place, causal
        self.project, self.out = nn.Linear(WIDTH, 3 * WIDTH), nn.Linear(WIDTH, WIDTH)
        distances, size = 2 * LENGTH - 1, WIDTH // HEADS
        if place in ("bias", "values"):
            self.bias = nn.Parameter(torch.randn(HEADS, distances) * (0.0 if zero else 1.0))
        if place == "values":
            self.added = nn.Parameter(torch.randn(distances, size) / size**0.5)
        if weights == "urpe":
            self.factor = nn.Parameter(1 + 0.1 * torch.randn(HEADS, distances))
        steps = torch.arange(LENGTH)
        self.register_buffer("distance", steps - steps[:, None] + LENGTH - 1)

    def forward(self, x: Tensor) -> Tensor:
        """Tokens (n, width) to outputs of the same shape."""
        q, k, v = self.project(x).view(LENGTH, 3, HEADS, -1).permute(1, 2, 0, 3)
        if self.place == "rotary":
            q, k = rotary_embedding(q), rotary_embedding(k)
        scores = q @ k.mT / q.shape[-1] ** 0.5
        if self.place in ("bias", "values"):
            scores = scores + self.bias[:, self.distance]
        if self.causal:
            scores = scores.masked_fill(self.distance >= LENGTH, -torch.inf)
        a = self.rows(scores)
        mixed = a @ v
        if self.place == "values":
            mixed = mixed + torch.einsum("hij,ijd->hid", a, self.added[self.distance])
        return self.out(mixed.transpose(0, 1).reshape(LENGTH, WIDTH))  # type: ignore[no-any-return]

    def rows(self, scores: Tensor) -> Tensor:
        """The weights of each row."""
        if self.weights == "sigmoid":
            return scores.sigmoid() / LENGTH
        if self.weights == "l2":
            return normalize((scores - scores.detach().amax(-1, keepdim=True)).exp(), dim=-1)
        a = scores.softmax(-1)
        return a * self.factor[:, self.distance] if self.weights == "urpe" else a


def fit_positions(
    *,
    weights: Weights = "softmax",
    place: Place = "rotary",
    causal: bool = False,
    first: bool = False,
    zero: bool = False,
    steps: int = 600,
    seed: int = 0,
) -> Tensor:
    """The outputs (n,), in positions, of a probe trained by Adam with a learning rate that falls from 0.003 to 0.

    Args:
        weights, place, zero: see `Attention`; "absolute" adds a trained vector for each position to the tokens.
        causal: each token sees itself and those before it.
        first: the first token is another one than the rest.
        steps, seed: of the training.
    """
    torch.manual_seed(seed)
    tokens = torch.zeros(LENGTH, dtype=torch.long)
    tokens[0] = int(first)
    table, positions = nn.Embedding(2, WIDTH), nn.Embedding(LENGTH, WIDTH)
    layers = nn.ModuleList()
    for _ in range(LAYERS):
        attention = nn.Sequential(nn.LayerNorm(WIDTH), Attention(weights, place, causal, zero))
        network = nn.Sequential(
            nn.LayerNorm(WIDTH), nn.Linear(WIDTH, 4 * WIDTH), nn.GELU(), nn.Linear(4 * WIDTH, WIDTH)
        )
        layers.extend([attention, network])
    last = nn.Sequential(nn.LayerNorm(WIDTH), nn.Linear(WIDTH, 1))
    target = torch.arange(1, LENGTH + 1) / LENGTH
    parts = nn.ModuleList([table, layers, last, *([positions] if place == "absolute" else [])])
    optimizer = torch.optim.Adam(parts.parameters(), lr=0.003)
    schedule = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.0, steps)

    def outputs() -> Tensor:
        x = table(tokens) + (positions.weight if place == "absolute" else 0)
        for layer in layers:
            x = x + layer(x)
        return last(x)[:, 0]  # type: ignore[no-any-return]

    for _ in range(steps):
        optimizer.zero_grad()
        (outputs() - target).square().mean().backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        schedule.step()
    return LENGTH * outputs().detach()


def position_rows(
    weights: Sequence[Weights],
    places: Sequence[Place],
    seeds: Sequence[int],
    causal: bool = False,
    first: bool = False,
    zero: bool = False,
) -> Iterator[Entry]:
    """A row for each kind of weights, place and seed: the root mean squared error of `fit_positions`, over n."""
    for kind in weights:
        for place in places:
            for seed in seeds:
                settings: Row = {
                    "weights": kind,
                    "place": place,
                    "causal": causal,
                    "first": first,
                    "zero": zero,
                    "seed": seed,
                }
                yield timed(settings, partial(_run, **settings))


def _run(**settings: Any) -> Row:
    away = fit_positions(**settings) / LENGTH - torch.arange(1, LENGTH + 1) / LENGTH
    return {"error": float(f"{away.square().mean().sqrt().item():.4g}")}
