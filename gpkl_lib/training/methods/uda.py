"""Unsupervised data augmentation: altered copies of unlabelled sentences are asked for what the model says of them."""

from __future__ import annotations

import math
from dataclasses import replace

import torch
from torch import Tensor

from gpkl_lib.consistency import annealing_threshold, uda_loss
from gpkl_lib.corpora import Batch
from gpkl_lib.global_pointer import span_mask
from gpkl_lib.tiled import tiled_span_loss, tiled_uda_loss
from gpkl_lib.training.methods.method import MaskedStep, Method, Setting, Step
from gpkl_lib.training.methods.two_views import cross_entropy, rows


def augmentation(step: Step) -> MaskedStep:
    """Cross-entropy of labelled sentences, and alpha times what their model says of others, asked of altered copies.

    The batch holds the labelled sentences first and the altered copies (without labels) after them: one forward pass.
    The target has the scores of the unaltered ones. Both ways of dividing are multiplied by the mean number of spans in
    a row: divided by all, the loss is summed over the sure spans of a row; by the confident, also divided by their
    share.
    """
    batch, config, target = step.batch, step.config, step.given
    logits = step.model(batch)
    labelled, size = len(batch) - len(target), target.shape[-1]
    first = Batch({}, batch.attention_mask[:labelled], batch.positives)
    own, copies = logits[:labelled], logits[labelled:, :, :size, :size]
    mask = span_mask(first.attention_mask).expand(own.shape)
    if config.annealing != "none":
        mask = mask & _unsure(own, first.positives, annealing_threshold(step.done, schedule=config.annealing))
        first = replace(first, positives=first.positives[mask[tuple(first.positives.T)]])
    task = cross_entropy(own, first, mask)
    of = rows(span_mask(batch.attention_mask[labelled:, :size]).expand(copies.shape))
    found = uda_loss(
        rows(copies),
        rows(target),
        activation="sigmoid",
        mask=of,
        temperature=config.temperature,
        threshold=config.threshold,
        reduction="mean" if config.divide == "all" else "mean_confident",
    )
    divergence = found.loss * (of.sum() / len(of))
    return MaskedStep(task + step.alpha * divergence, task, divergence, found.confident)


def augmentation_tiled(step: Step) -> MaskedStep:
    """`augmentation` in tiles: the target has queries and keys, and nothing the scores."""
    batch, config, target = step.batch, step.config, step.given_projection
    query, key = step.model.project(batch)
    labelled, size = len(batch) - len(target[0]), target[0].shape[2]
    released = 1.0 if config.annealing == "none" else annealing_threshold(step.done, schedule=config.annealing)
    task = tiled_span_loss(
        query[:labelled],
        key[:labelled],
        batch.positives,
        attention_mask=batch.attention_mask[:labelled],
        annealing_threshold=released,
    ).loss
    found = tiled_uda_loss(
        query[labelled:, :, :size],
        key[labelled:, :, :size],
        *target,
        attention_mask=batch.attention_mask[labelled:, :size],
        temperature=config.temperature,
        threshold=config.threshold,
    )
    nothing_sure = found.confident == 0  # and no loss
    share = found.confident.masked_fill(nothing_sure, 1) if config.divide == "confident" else 1
    divergence = found.loss / share
    return MaskedStep(task + step.alpha * divergence, task, divergence, found.confident)


def _unsure(logits: Tensor, positives: Tensor, threshold: float) -> Tensor:
    """Where the probability of the right decision, by the logits (B, H, L, L), is at most `threshold`."""
    gold = torch.zeros_like(logits, dtype=torch.bool)
    gold[tuple(positives.T)] = True
    right = torch.where(gold, logits, -logits).detach()
    return torch.sigmoid(right.float()) <= threshold


UNLABELLED_RATIO = Setting(
    "unlabelled_ratio",
    1,
    "positive",
    lambda c: c.unlabelled_ratio >= 1,
    "unlabelled sentences of a step for each labelled one",
    "N",
)
HIDE = Setting(
    "hide",
    0.1,
    "between 0 and 1",
    lambda c: 0 <= c.hide <= 1,
    "share of the words of a sentence that its copy hides",
    "SHARE",
)
EXCHANGE = Setting(
    "exchange",
    0.1,
    "between 0 and 1 - hide",
    lambda c: 0 <= c.exchange <= 1 - c.hide,
    "share of the words of a sentence that its copy exchanges for others",
    "SHARE",
)

METHODS = (
    Method(
        "uda",
        "the KL divergence that asks altered copies of unlabelled sentences for what the model says of the sentences",
        augmentation,
        alpha=0.03,
        settings=(
            Setting(
                "temperature",
                1.0,
                "positive and finite",
                lambda c: 0 < c.temperature < math.inf,
                "of the target, below 1 sharpens (the paper: 0.4)",
                "T",
                varied=True,
            ),
            Setting(
                "threshold",
                0.8,
                "at least 0 and below 1",
                lambda c: 0 <= c.threshold < 1,
                "a span counts if the model gives its own decision there a probability above this",
                "P",
                varied=True,
            ),
            Setting.choice(
                "divide",
                ("all", "confident"),
                "by all spans, so that few sure ones weigh little, or by the sure ones alone",
                varied=True,
            ),
            Setting.choice("annealing", ("none", "log", "linear", "exp"), "how labelled spans are released"),
            UNLABELLED_RATIO,
            HIDE,
            EXCHANGE,
        ),
        needs="unlabelled",
        tiled=augmentation_tiled,
        label="uda, by {divide}",
        marker="X",
        tone="ink",
    ),
)
