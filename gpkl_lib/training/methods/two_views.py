"""One view, and two dropout views that are asked to agree: cross-entropy alone, and R-Drop with each divergence."""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor

from gpkl_lib.consistency import ConsistencyLoss, rdrop_loss, two_views
from gpkl_lib.corpora import Batch
from gpkl_lib.divergence import Activation
from gpkl_lib.global_pointer import span_mask
from gpkl_lib.losses import sparse_multilabel_cross_entropy
from gpkl_lib.training.methods.method import Method, Step


def cross_entropy(logits: Tensor, batch: Batch, mask: Tensor | None = None) -> Tensor:
    """The supervised loss: logits (B, H, L, L), the batch's gold spans -> a scalar. `mask` leaves out spans.

    Example:
        >>> from gpkl_lib.corpora import toy_corpus
        >>> corpus = toy_corpus(16)
        >>> tagger = Tagger.from_scratch(corpus.sentences, corpus.types, hidden_size=16)
        >>> batch = tagger.collate(corpus.sentences[:4])
        >>> bool(cross_entropy(tagger(batch), batch) > 0)
        True
    """
    mask = span_mask(batch.attention_mask) if mask is None else mask
    return sparse_multilabel_cross_entropy(logits, batch.positives, class_dims=2, mask=mask)


def rows(scores: Tensor) -> Tensor:
    """Scores (B, H, L, L) as rows (B * H, L * L), one for each type in each sentence.

    Example:
        >>> rows(torch.zeros(2, 3, 5, 5)).shape
        torch.Size([6, 25])
    """
    return scores.flatten(0, 1).flatten(1)


def one_view(step: Step) -> ConsistencyLoss:
    """The cross-entropy of one view, alone."""
    task = cross_entropy(step.model(step.batch), step.batch)
    return ConsistencyLoss(task, task, torch.zeros_like(task))


def r_drop(step: Step, *, activation: Activation) -> ConsistencyLoss:
    """Two dropout views of each sentence, from ONE forward pass of the doubled batch; alpha/4 of their divergence."""
    first, second = two_views(step.model(step.batch.doubled()))  # each (B, H, L, L)
    return rdrop_loss(
        rows(first),
        rows(second),
        lambda view: cross_entropy(view.view(first.shape), step.batch),
        alpha=step.alpha,
        activation=activation,
        mask=rows(span_mask(step.batch.attention_mask).expand(first.shape)),
    )


def one_view_tiled(step: Step) -> ConsistencyLoss:
    """`one_view` in tiles: the scores are never held all at once."""
    loss: ConsistencyLoss = step.model.tiled_loss(step.batch)
    return loss


def r_drop_tiled(step: Step, *, activation: Activation) -> ConsistencyLoss:
    """`r_drop` in tiles."""
    options = {"views": 2, "alpha": step.alpha, "activation": activation}
    loss: ConsistencyLoss = step.model.tiled_loss(step.batch.doubled(), **options)
    return loss


def _identity(logits: Tensor) -> Tensor:
    return logits


METHODS = (
    Method("none", "cross-entropy of one view, alone", one_view, factor=0.0, tiled=one_view_tiled, tone="grey"),
    Method(
        "sigmoid",
        "GlobalPointer's divergence between two dropout views",
        partial(r_drop, activation="sigmoid"),
        alpha=0.03,
        factor=1 / 4,
        views=2,
        tiled=partial(r_drop_tiled, activation="sigmoid"),
        marker="s",
        tone="blue",
    ),
    Method(
        "softmax",
        "the symmetric KL of two dropout views over the spans of a type, blind to a common shift",
        partial(r_drop, activation="softmax"),
        alpha=0.1,
        factor=1 / 4,
        views=2,
        tiled=partial(r_drop_tiled, activation="softmax"),
        marker="^",
        tone="vermilion",
    ),
    Method(
        "squared",
        "the squared difference of the logits of two dropout views",
        partial(r_drop, activation=_identity),
        alpha=0.001,
        factor=1 / 4,
        views=2,
        tiled=partial(r_drop_tiled, activation=_identity),
        marker="D",
        tone="green",
    ),
)
