"""R-Drop on the highest spans of each board alone: does the softmax help by where it looks?

A softmax over the spans of a type hardly feels a span far below the highest, while the sigmoid's divergence counts all
of them alike. With this method the divergence is the sigmoid's and the place is the softmax's.
"""

from __future__ import annotations

import torch
from torch import Tensor

from gpkl_lib.consistency import ConsistencyLoss, rdrop_loss, two_views
from gpkl_lib.global_pointer import span_mask
from gpkl_lib.training.methods.method import Method, Setting, Step
from gpkl_lib.training.methods.two_views import cross_entropy, rows


def top_spans(step: Step) -> ConsistencyLoss:
    """R-Drop, its divergence on the `top` spans of each row that score highest in the mean of the two views."""
    first, second = two_views(step.model(step.batch.doubled()))
    mask = rows(span_mask(step.batch.attention_mask).expand(first.shape))
    return rdrop_loss(
        rows(first),
        rows(second),
        lambda view: cross_entropy(view.view(first.shape), step.batch),
        alpha=step.alpha,
        activation="sigmoid",
        mask=highest(rows(first + second).detach(), mask, step.config.top),
    )


def top_spans_tiled(step: Step) -> ConsistencyLoss:
    """`top_spans` in tiles."""
    options = {"views": 2, "alpha": step.alpha, "top": step.config.top}
    loss: ConsistencyLoss = step.model.tiled_loss(step.batch.doubled(), **options)
    return loss


def highest(scores: Tensor, mask: Tensor, count: int) -> Tensor:
    """Where the `count` highest valid scores of each row stand, or all of them where there are fewer."""
    scores = scores.masked_fill(~mask, float("-inf"))
    places = scores.topk(min(count, scores.shape[-1]), dim=-1).indices
    return torch.zeros_like(mask).scatter(-1, places, True) & mask


METHODS = (
    Method(
        "top-spans",
        "GlobalPointer's divergence between two dropout views, on the spans of each board that score highest alone",
        top_spans,
        alpha=0.1,
        factor=1 / 4,
        settings=(Setting("top", 5, "positive", lambda c: c.top >= 1, "spans of a board that count", "N"),),
        views=2,
        tiled=top_spans_tiled,
        marker="<",
        tone="vermilion",
    ),
)
