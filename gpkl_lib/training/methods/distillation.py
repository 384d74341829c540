"""Distillation: the decisions of a teacher, softened by a temperature, beside the labels."""

from __future__ import annotations

import math

from torch import Tensor

from gpkl_lib.consistency import ConsistencyLoss, distillation_loss
from gpkl_lib.global_pointer import span_mask
from gpkl_lib.tiled import tiled_distillation_loss
from gpkl_lib.training.methods.method import Method, Setting, Step
from gpkl_lib.training.methods.two_views import cross_entropy, rows


def distillation(step: Step) -> ConsistencyLoss:
    """Cross-entropy of one view, and alpha times T^2 KL(teacher || student); the target has the teacher's scores."""
    return _taught(step, span_mask(step.batch.attention_mask))


def open_distillation(step: Step) -> ConsistencyLoss:
    """`distillation` on the spans that the teacher scores above `open_above`; the others are left to the labels."""
    return _taught(step, span_mask(step.batch.attention_mask) & (step.given > step.config.open_above))


def _taught(step: Step, mask: Tensor) -> ConsistencyLoss:
    logits = step.model(step.batch)
    task = cross_entropy(logits, step.batch)
    divergence = distillation_loss(
        rows(logits),
        rows(step.given),
        activation="sigmoid",
        mask=rows(mask.expand(logits.shape)),
        temperature=step.config.temperature,
    )
    return ConsistencyLoss(task + step.alpha * divergence, task, divergence)


def distillation_tiled(step: Step) -> ConsistencyLoss:
    """`distillation` in tiles, from the queries and keys of both."""
    return _taught_tiled(step, -math.inf)


def open_distillation_tiled(step: Step) -> ConsistencyLoss:
    """`open_distillation` in tiles."""
    return _taught_tiled(step, step.config.open_above)


def _taught_tiled(step: Step, above: float) -> ConsistencyLoss:
    query, key = step.model.project(step.batch)
    return tiled_distillation_loss(
        query,
        key,
        *step.given_projection,
        positives=step.batch.positives,
        attention_mask=step.batch.attention_mask,
        alpha=step.alpha,
        temperature=step.config.temperature,
        above=above,
    )


TEMPERATURE = Setting(
    "temperature",
    1.0,
    "positive",
    lambda c: c.temperature > 0,
    "of both sides; inf gives the limit, a squared error on the logits",
    "T",
    varied=True,
)

METHODS = (
    Method(
        "distillation",
        "T^2 x the KL divergence from the decisions of a teacher",
        distillation,
        alpha=0.0003,
        settings=(TEMPERATURE,),
        needs="teacher",
        tiled=distillation_tiled,
        label="distillation, T = {temperature:g}",
        marker="*",
        tone="purple",
    ),
    Method(
        "open-distillation",
        "the same, on the spans alone that the teacher does not put far below 0",
        open_distillation,
        alpha=0.001,
        settings=(
            TEMPERATURE,
            Setting(
                "open_above",
                -5.0,
                "a number",
                lambda c: not math.isnan(c.open_above),
                "spans count that the teacher scores above it",
                "SCORE",
                varied=True,
            ),
        ),
        needs="teacher",
        tiled=open_distillation_tiled,
        label="open-distillation, T = {temperature:g}",
        marker="p",
        tone="purple",
    ),
)
