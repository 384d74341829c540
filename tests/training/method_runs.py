"""Small runs of the methods that learn from more than their gold spans."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from gpkl_lib.corpora import toy_corpus
from gpkl_lib.tagger.tagger import Tagger
from gpkl_lib.training.batching import StepBatches
from gpkl_lib.training.loop import TrainingConfig, fit, training_loss
from gpkl_lib.training.process import Process

TRAIN, DEV, MORE = toy_corpus(20), toy_corpus(8, split="dev"), toy_corpus(60)[20:]
SMALL = {"word_size": 8, "character_size": 4, "hidden_size": 12, "head_size": 8}
QUICK = TrainingConfig(epochs=2, batch_size=8, device="cpu", learning_rate=0.01, checkpoint_seconds=0)
METHODS = {
    "vat": {"method": "vat", "epsilon": 0.2},
    "uda": {"method": "uda", "threshold": 0.0, "unlabelled_ratio": 2},
    "distillation": {"method": "distillation", "temperature": math.inf},
}


def tagger_of(**settings: Any) -> Tagger:
    return Tagger.from_scratch(TRAIN.sentences, TRAIN.types, **{**SMALL, **settings})


def sources(method: str) -> dict[str, Any]:
    """What the method learns from besides."""
    if method == "uda":
        return {"unlabelled": MORE}
    return {"teacher": tagger_of(seed=9, hidden_size=20)} if method == "distillation" else {}


def run(method: str, output: Path | None = None, **changes: Any) -> tuple[dict[str, Tensor], list[dict[str, Any]]]:
    """Weights and history, without the seconds."""
    settings = {**METHODS[method], **changes.pop("config", {})}
    tagger, given = tagger_of(), {**sources(method), **changes}
    history = fit(tagger, TRAIN, DEV, config=replace(QUICK, **settings), output=output, progress=False, **given)
    return tagger.state_dict(), [{**row, "seconds": 0} for row in history.rows]


def same(a: tuple[Any, Any], b: tuple[Any, Any]) -> bool:
    return a[1] == b[1] and all(torch.equal(a[0][name], b[0][name]) for name in a[0])


def one_step(process: Process, config: TrainingConfig, method: str, step: int) -> list[Tensor]:
    """The gradients of a step on five sentences, as `fit` makes them: this process has three or two of the five."""
    given = sources(method)
    steps = StepBatches(process.tagger, TRAIN, config, given.get("unlabelled"), given.get("teacher"))
    share, weight = process.share(steps.examples(TRAIN.sentences[:5], step))
    batch, target = steps.collate(share, process.device)
    process.model.train()
    process.seed(0, step)
    process.backward(training_loss(process, batch, config, 1.0, target).loss * weight)
    return [parameter.grad.clone() for parameter in process.tagger.parameters() if parameter.grad is not None]
