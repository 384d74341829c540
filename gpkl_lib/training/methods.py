"""What each method adds to the cross-entropy of a step: a second view of its sentences, or of others, or a teacher's.

Notation: B sentences, H types, L tokens. A row is the L * L spans of one type in one sentence; every loss is summed
over the valid spans of a row and averaged over rows, so that longer sentences dilute nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Literal

import torch
from torch import Tensor

from gpkl_lib.adversarial import virtual_adversarial_loss
from gpkl_lib.consistency import (
    ConsistencyLoss,
    annealing_threshold,
    distillation_loss,
    doubled,
    rdrop_loss,
    two_views,
    uda_loss,
)
from gpkl_lib.corpora import Batch
from gpkl_lib.divergence import Activation
from gpkl_lib.global_pointer import span_mask
from gpkl_lib.losses import sparse_multilabel_cross_entropy
from gpkl_lib.training.config import TrainingConfig

# Of the embeddings' length. What one power iteration finds at 0.1 moves the decisions of a trained toy tagger no less
# than what it finds at 0.01, and bfloat16, which keeps two to three digits, still feels it.
XI = 0.1
TILED = ("none", "sigmoid")
TILED_FROM = 32  # tokens; benchmarks/span_loss.py finds 25 about even and 32 ahead
Method = Callable[[Any, Batch, TrainingConfig, float, Tensor | None], ConsistencyLoss]


def cross_entropy(logits: Tensor, batch: Batch, mask: Tensor | None = None) -> Tensor:
    """The supervised loss: logits (B, H, L, L), the batch's gold spans -> a scalar. `mask` leaves out spans."""
    mask = span_mask(batch.attention_mask) if mask is None else mask
    return sparse_multilabel_cross_entropy(logits, batch.positives, class_dims=2, mask=mask)


def one_view(model: Any, batch: Batch, config: TrainingConfig, done: float, target: Tensor | None) -> ConsistencyLoss:
    """Cross-entropy alone."""
    task = cross_entropy(model(batch), batch)
    return ConsistencyLoss(task, task, torch.zeros_like(task))


def r_drop(model: Any, batch: Batch, config: TrainingConfig, done: float, target: Tensor | None) -> ConsistencyLoss:
    """Two dropout views of each sentence, from ONE forward pass of the doubled batch; alpha/4 of their divergence."""
    first, second = two_views(model(_doubled(batch)))  # each (B, H, L, L)
    return rdrop_loss(
        rows(first),
        rows(second),
        lambda view: cross_entropy(view.view(first.shape), batch),
        alpha=config.alpha_at(done),
        activation=ACTIVATIONS[config.method],
        mask=rows(span_mask(batch.attention_mask).expand(first.shape)),
    )


def tiled_step(model: Any, batch: Batch, config: TrainingConfig, done: float) -> ConsistencyLoss:
    """`one_view` or `r_drop` with sigmoid in tiles: the scores are never held all at once."""
    if config.method == "none":
        loss: ConsistencyLoss = model(batch, tiled={})
    else:
        loss = model(_doubled(batch), tiled={"views": 2, "alpha": config.alpha_at(done)})
    return loss


def check_tiled(config: TrainingConfig, wanted: bool | Literal["auto"]) -> None:
    """Raise ValueError unless `wanted` is True, False or "auto", and True only with a method that has a tiled form."""
    if wanted not in (True, False, "auto"):
        raise ValueError(f'tiled must be True, False or "auto", got {wanted!r}')
    if wanted is True and config.method not in TILED:
        raise ValueError(
            f"tiled=True is for the methods {' and '.join(TILED)}; {config.method} needs all scores at once"
        )


def takes_tiles(config: TrainingConfig, batch: Batch, wanted: bool | Literal["auto"]) -> bool:
    """Whether a step is computed in tiles; "auto": if the method allows it and sentences are long enough to gain."""
    check_tiled(config, wanted)
    if wanted == "auto":
        return config.method in TILED and batch.attention_mask.shape[1] >= TILED_FROM
    return wanted


def adversarial(
    model: Any, batch: Batch, config: TrainingConfig, done: float, target: Tensor | None
) -> ConsistencyLoss:
    """One view, and alpha/4 of its divergence from the view that moves the decisions most.

    The embeddings of a sentence are moved by epsilon times their own length (over all tokens and features), so that a
    model gains nothing by making its embeddings longer. Words that training hides are hidden in both views alike, and
    the dropout mask is held. `model(batch)` is called once, `model(batch, embeddings)` power_iterations + 2 times.
    """
    logits = model(batch)
    task = cross_entropy(logits, batch)
    embeddings, valid = model.embed(batch)  # (B, ..., E) and (B, ...)
    present = embeddings.detach() * valid.unsqueeze(-1)
    length = present.flatten(1).norm(dim=1).clamp(min=torch.finfo(embeddings.dtype).tiny)
    length = length.view(-1, *[1] * (embeddings.ndim - 1))  # (B, 1, ..., 1): from units of their length to embeddings
    divergence = virtual_adversarial_loss(
        lambda unit: rows(model(batch, unit * length)),
        embeddings / length,
        epsilon=config.epsilon,
        xi=XI,
        steps=config.power_iterations,
        mask=rows(span_mask(batch.attention_mask).expand(logits.shape)),
        embedding_mask=valid,
    )
    return ConsistencyLoss(task + config.alpha_at(done) / 4 * divergence, task, divergence)


def augmentation(
    model: Any, batch: Batch, config: TrainingConfig, done: float, target: Tensor | None
) -> ConsistencyLoss:
    """Cross-entropy of labelled sentences, and alpha times what their model says of others, asked of altered copies.

    The batch holds the labelled sentences first and the altered copies (without labels) after them: one forward pass.
    `target` has the scores of the unaltered ones. Both ways of dividing are multiplied by the mean number of spans in a
    row: divided by all, the loss is summed over the sure spans of a row; by the confident, also divided by their share.
    """
    target = _given(target, "unlabelled sentences", "uda")
    logits = model(batch)
    labelled, size = len(batch) - len(target), target.shape[-1]
    first = Batch({}, batch.attention_mask[:labelled], batch.positives)
    own, copies = logits[:labelled], logits[labelled:, :, :size, :size]
    mask = span_mask(first.attention_mask).expand(own.shape)
    if config.annealing != "none":
        mask = mask & _unsure(own, first.positives, annealing_threshold(done, schedule=config.annealing))
        first = replace(first, positives=first.positives[mask[tuple(first.positives.T)]])
    task = cross_entropy(own, first, mask)
    of = rows(span_mask(batch.attention_mask[labelled:, :size]).expand(copies.shape))
    found = uda_loss(
        rows(copies),
        rows(target),
        mask=of,
        temperature=config.temperature,
        threshold=config.threshold,
        reduction={"all": "mean", "confident": "mean_confident"}[config.divide],
    )
    divergence = found.loss * (of.sum() / len(of))
    return ConsistencyLoss(task + config.alpha_at(done) * divergence, task, divergence)


def distillation(
    model: Any, batch: Batch, config: TrainingConfig, done: float, target: Tensor | None
) -> ConsistencyLoss:
    """Cross-entropy of one view, and alpha times T^2 KL(teacher || student); `target` has the teacher's scores."""
    target = _given(target, "a teacher's scores", "distillation")
    logits = model(batch)
    task = cross_entropy(logits, batch)
    divergence = distillation_loss(
        rows(logits),
        rows(target),
        mask=rows(span_mask(batch.attention_mask).expand(logits.shape)),
        temperature=config.temperature,
    )
    return ConsistencyLoss(task + config.alpha_at(done) * divergence, task, divergence)


def rows(scores: Tensor) -> Tensor:
    """(B, H, L, L) -> (B * H, L * L)."""
    return scores.flatten(0, 1).flatten(1)


def _identity(logits: Tensor) -> Tensor:
    return logits


ACTIVATIONS: dict[str, Activation] = {"sigmoid": "sigmoid", "softmax": "softmax", "squared": _identity}
LOSSES: dict[str, Method] = {
    "none": one_view,
    **dict.fromkeys(ACTIVATIONS, r_drop),
    "vat": adversarial,
    "uda": augmentation,
    "distillation": distillation,
}


def _doubled(batch: Batch) -> Batch:
    """The batch followed by itself; the gold spans, which both views share, stay as they are."""
    inputs = {name: doubled(tensor) for name, tensor in batch.inputs.items()}
    return Batch(inputs, doubled(batch.attention_mask), batch.positives)


def _unsure(logits: Tensor, positives: Tensor, threshold: float) -> Tensor:
    """Where the probability of the right decision, by the logits (B, H, L, L), is at most `threshold`."""
    gold = torch.zeros_like(logits, dtype=torch.bool)
    gold[tuple(positives.T)] = True
    right = torch.where(gold, logits, -logits).detach()
    return torch.sigmoid(right.float()) <= threshold


def _given(target: Tensor | None, what: str, method: str) -> Tensor:
    if target is None:
        raise ValueError(f"target must hold {what} with method {method!r}, got None")
    return target
