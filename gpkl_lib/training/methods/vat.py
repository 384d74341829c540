"""Virtual adversarial training: a second view that is looked for, in the direction that moves the decisions most."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from gpkl_lib.adversarial import adversarial_divergence, virtual_adversarial_loss
from gpkl_lib.consistency import ConsistencyLoss
from gpkl_lib.corpora import Batch
from gpkl_lib.global_pointer import span_mask
from gpkl_lib.tiled import tiled_span_loss, tiled_symmetric_kl
from gpkl_lib.training.methods.method import Method, Setting, Step
from gpkl_lib.training.methods.two_views import cross_entropy, rows
from gpkl_lib.training.methods.uda import UNLABELLED_RATIO

# Of the embeddings' length. What one power iteration finds at 0.1 moves the decisions of a trained toy tagger no less
# than what it finds at 0.01, and bfloat16, which keeps two to three digits, still feels it.
XI = 0.1


def adversarial(step: Step) -> ConsistencyLoss:
    """One view, and alpha/4 of its divergence from the view that moves the decisions most.

    The embeddings of a sentence are moved by epsilon times their own length (over all tokens and features), so that a
    model gains nothing by making its embeddings longer. Words that training hides are hidden in both views alike, and
    the dropout mask is held. `model(batch)` is called once, `model(batch, embeddings)` power_iterations + 2 times.
    """
    logits = step.model(step.batch)
    return _moved(step, logits, cross_entropy(logits, step.batch))


def adversarial_unlabelled(step: Step) -> ConsistencyLoss:
    """`adversarial`, its divergence over the unlabelled sentences as well, which stand after the labelled ones."""
    logits, batch = step.model(step.batch), step.batch
    labelled = len(batch) // (1 + step.config.unlabelled_ratio)
    first = Batch({}, batch.attention_mask[:labelled], batch.positives)
    return _moved(step, logits, cross_entropy(logits[:labelled], first))


def _moved(step: Step, logits: Tensor, task: Tensor) -> ConsistencyLoss:
    model, batch, config = step.model, step.batch, step.config
    embeddings, length, valid = _in_lengths(step)
    divergence = virtual_adversarial_loss(
        lambda unit: rows(model(batch, unit * length)),
        embeddings,
        epsilon=config.epsilon,
        activation="sigmoid",
        xi=XI,
        steps=config.power_iterations,
        mask=rows(span_mask(batch.attention_mask).expand(logits.shape)),
        embedding_mask=valid,
    )
    return ConsistencyLoss(task + step.alpha / 4 * divergence, task, divergence)


def adversarial_tiled(step: Step) -> ConsistencyLoss:
    """`adversarial` in tiles: the views are compared by their queries and keys."""
    return _moved_tiled(step, step.model.tiled_loss(step.batch).loss)


def adversarial_unlabelled_tiled(step: Step) -> ConsistencyLoss:
    """`adversarial_unlabelled` in tiles."""
    batch, (query, key) = step.batch, step.model.project(step.batch)
    labelled = len(batch) // (1 + step.config.unlabelled_ratio)
    mask = batch.attention_mask[:labelled]
    return _moved_tiled(
        step, tiled_span_loss(query[:labelled], key[:labelled], batch.positives, attention_mask=mask).loss
    )


def _moved_tiled(step: Step, task: Tensor) -> ConsistencyLoss:
    model, batch, config = step.model, step.batch, step.config
    embeddings, length, valid = _in_lengths(step)

    def compare(clean: tuple[Tensor, Tensor], moved: tuple[Tensor, Tensor]) -> Tensor:
        return tiled_symmetric_kl(*moved, *clean, attention_mask=batch.attention_mask)

    divergence = adversarial_divergence(
        lambda unit: model.project(batch, unit * length),
        compare,
        embeddings,
        epsilon=config.epsilon,
        xi=XI,
        steps=config.power_iterations,
        embedding_mask=valid,
    )
    return ConsistencyLoss(task + step.alpha / 4 * divergence, task, divergence)


def _in_lengths(step: Step) -> tuple[Tensor, Tensor, Tensor]:
    """The embeddings (B, ..., E) in units of their length; that length (B, 1, ..., 1); what is no padding (B, ...)."""
    embeddings, valid = step.model.embed(step.batch)
    present = embeddings.detach() * valid.unsqueeze(-1)
    length = present.flatten(1).norm(dim=1).clamp(min=torch.finfo(embeddings.dtype).tiny)
    length = length.view(-1, *[1] * (embeddings.ndim - 1))
    return embeddings / length, length, valid


EPSILON = Setting(
    "epsilon",
    0.03,
    "positive",
    lambda c: 0 < c.epsilon < math.inf,
    "how far, as a share of the embeddings' length",
    varied=True,
)
POWER_ITERATIONS = Setting(
    "power_iterations",
    1,
    "positive",
    lambda c: c.power_iterations >= 1,
    "steps in search of the direction; each costs a forward and a backward pass",
    "N",
)

METHODS = (
    Method(
        "vat",
        "the sigmoid divergence from the view whose embeddings were moved in the worst direction",
        adversarial,
        alpha=0.03,
        factor=1 / 4,
        tiled=adversarial_tiled,
        settings=(EPSILON, POWER_ITERATIONS),
        marker="P",
        tone="ochre",
    ),
    Method(
        "vat-unlabelled",
        "the same, over unlabelled sentences as well",
        adversarial_unlabelled,
        alpha=0.03,
        factor=1 / 4,
        tiled=adversarial_unlabelled_tiled,
        settings=(EPSILON, POWER_ITERATIONS, UNLABELLED_RATIO),
        needs="unlabelled",
        marker="h",
        tone="ochre",
    ),
)
