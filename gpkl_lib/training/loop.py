"""Training a tagger by any of the methods: one loop for CPU, CUDA and MPS, for one process and for several."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor

from gpkl_lib.consistency import ConsistencyLoss
from gpkl_lib.corpora import Batch, Corpus, Sentence
from gpkl_lib.spans import SpanScores, span_scores
from gpkl_lib.tagger import Tagger
from gpkl_lib.training.batching import Lessons
from gpkl_lib.training.config import TrainingConfig
from gpkl_lib.training.folder import RunFolder
from gpkl_lib.training.history import History
from gpkl_lib.training.methods import LOSSES, check_tiled, takes_tiles, tiled_step
from gpkl_lib.training.process import Worker, accelerator
from gpkl_lib.training.progress import ProgressBar
from gpkl_lib.training.state import Run

__all__ = ["History", "TrainingConfig", "TrainingError", "evaluate", "fit", "training_loss"]


class TrainingError(RuntimeError):
    """Training cannot go on; the message says where it stood and what to try."""


def fit(
    tagger: Tagger,
    train: Corpus,
    dev: Corpus,
    *,
    config: TrainingConfig | None = None,
    unlabelled: Corpus | None = None,
    teacher: Tagger | None = None,
    tiled: bool | Literal["auto"] = "auto",
    output: str | Path | None = None,
    resume: bool = False,
    progress: bool = True,
) -> History:
    """Train `tagger` in place; it ends with the weights of the epoch that was best on `dev`, in evaluation mode.

    With `output`, that folder receives config.json, history.jsonl, history.png, scores.json, best/ (a saved tagger) and
    checkpoint/. A run that was killed goes on with resume=True and the same arguments; on a CPU it then ends bit for
    bit as one left alone. Several processes (torchrun, accelerate launch) share each batch and step as one would.

    Args:
        tagger: new, or trained before.
        train: at least one sentence; every type in it must be one of the tagger's.
        dev: at least one span; it chooses the best epoch.
        config: how to train; None for the defaults.
        unlabelled: for method "uda": sentences whose labels, if they have any, are not looked at.
        teacher: for method "distillation": a tagger that knows the same types. It is moved to the device, no more.
        tiled: compute the loss in tiles, without ever holding all scores; "auto" where it is faster, which changes
            the last digits alone. True is for the methods "none" and "sigmoid".
        output: a new or empty folder; None keeps nothing.
        resume: go on from the checkpoint in `output`; from the start if there is none yet.
        progress: show a bar, if standard error is a terminal.

    Returns:
        `History`, one row an epoch.

    Raises:
        ModuleNotFoundError: a package of the extra "train" is missing.
        ValueError: no training sentence, no span in dev, a type without a head, a device that is not there; tiled=True
            with a method that has no tiled form; unlabelled
            or teacher missing where the method needs it, given where it does not, or a teacher of other types.
        TrainingError: a loss or a gradient is not finite; the last checkpoint is from before it.
        CheckpointError: the folder cannot be used, resumed or written.
    """
    config = config or TrainingConfig()
    check_tiled(config, tiled)
    _check_corpora(tagger, train, dev)
    lessons = Lessons(tagger, train, config, unlabelled, teacher)
    tagger.warn_of_oddities([*train, *dev, *(unlabelled or ())])
    tagger.max_span_length = max(tagger.max_span_length or 0, *map(len, train))  # farther apart, nothing is trained
    with accelerator(config.device) as accelerate:
        worker = Worker(accelerate, tagger, config)
        folder = RunFolder(output, writes=worker.is_main)
        run = Run(tagger, train, dev, config, worker, folder, resume, lessons.record())
        with ProgressBar(run.steps, enabled=progress and worker.is_main) as bar:
            while not run.finished:
                worker.model.train()
                for sentences in run.rest_of_epoch():
                    share, weight = worker.share(lessons.of(sentences, run.at.step))  # all, unless others help
                    batch, target = lessons.collate(share, worker.device)
                    worker.seed(config.seed, run.at.step)  # dropout follows from the step: nothing random to save
                    losses = training_loss(worker, batch, config, run.done, target, tiled=tiled)
                    norm = worker.backward(losses.loss * weight)
                    parts = worker.mean([part * weight for part in losses])
                    _check_finite(parts, norm, run)  # before the weights could be spoilt
                    worker.step(config.rate_at(run.done))
                    run.count(parts, len(sentences))  # and a checkpoint, if the last one is old
                    bar.show(run.at.step, run.at.epoch + 1, run.at.mean("loss"), run.last_f1)
                run.end_epoch(_evaluate_together(tagger, dev, worker))  # a row, the best weights, a checkpoint
        run.finish()
    return run.history


def training_loss(
    model: Any,
    batch: Batch,
    config: TrainingConfig,
    done: float = 1.0,
    target: Tensor | None = None,
    *,
    tiled: bool | Literal["auto"] = False,
) -> ConsistencyLoss:
    """The loss of one step: cross-entropy, and what the method adds to it.

    A row is the L * L spans of one type in one sentence: every part is summed over the valid spans of a row and
    averaged over rows, so the loss of a batch is the mean of those of its parts (with uda divided by "confident" it is
    not: each part has its own number of confident spans).

    Args:
        model: maps a Batch of B sentences to logits (B, H, L, L), as a `Tagger` does. For "vat" it also has
            `embed(batch)` and reads `model(batch, embeddings)`.
        batch: B labelled sentences; for "uda" U altered copies without labels stand after them.
        config: the method and its settings.
        done: share of all steps that is done, for the warm-up of alpha and for annealing.
        target: fixed scores. "uda": (U, H, l, l), of the unaltered sentences; "distillation": (B, H, L, L), the
            teacher's. Nothing for the others.
        tiled: compute it in tiles (methods "none" and "sigmoid"): `model(batch, tiled=options)` gives the loss.

    Returns:
        ConsistencyLoss(loss, task, divergence), scalars in nats: loss = task + c * divergence, where c is alpha/4 for
        two views and vat, alpha for uda and distillation, and 0 for "none".

    Raises:
        ValueError: the method needs a target and there is none, or tiled=True with a method that has no tiled form;
            else as the losses say.

    Source: eq-rdrop for two views; the papers named in `virtual_adversarial_loss`, `uda_loss`, `distillation_loss`.
    """
    if takes_tiles(config, batch, tiled):
        return tiled_step(model, batch, config, done)
    return LOSSES[config.method](model, batch, config, done, target)


def evaluate(tagger: Tagger, corpus: Corpus | Sequence[Sentence], batch_size: int = 32) -> SpanScores:
    """Exact precision, recall and F1 of the tagger on a corpus; see `span_scores`."""
    sentences = list(corpus)
    return span_scores(tagger.predict(sentences, batch_size=batch_size), [sentence.spans for sentence in sentences])


def _evaluate_together(tagger: Tagger, dev: Corpus, worker: Worker) -> SpanScores:
    """`evaluate`, each process on its share of the sentences, the counts added up: the same scores in all of them."""
    names = sorted({*tagger.types, *dev.types})
    share = dev.sentences[worker.rank :: worker.count]
    own = span_scores(tagger.predict(share, warn=False), [sentence.spans for sentence in share])
    found = [own.by_type.get(name, SpanScores()) for name in names]
    counts = worker.sum(torch.tensor([[s.correct, s.predicted, s.gold] for s in found]))
    by_type = {name: SpanScores(*row) for name, row in zip(names, counts.tolist(), strict=True)}
    correct, predicted, gold = counts.sum(0).tolist()
    return SpanScores(correct, predicted, gold, by_type)


def _check_corpora(tagger: Tagger, train: Corpus, dev: Corpus) -> None:
    if not len(train):
        raise ValueError("train has no sentence")
    if not any(sentence.spans for sentence in dev):
        raise ValueError("dev has no span: F1 cannot tell a good epoch from a bad one")
    foreign = sorted({span[0] for sentence in train for span in sentence.spans} - set(tagger.types))
    if foreign:
        raise ValueError(f"train has spans of type {', '.join(foreign)}, the tagger knows {', '.join(tagger.types)}")


def _check_finite(parts: Sequence[float], norm: float, run: Run) -> None:
    if not all(map(math.isfinite, (*parts, norm))):
        values = ", ".join(
            f"{name} {value:g}" for name, value in zip(("loss", "task", "divergence"), parts, strict=True)
        )
        kept = f" The last checkpoint in {run.folder.path} is from before it." if run.folder.path else ""
        raise TrainingError(
            f"not finite in step {run.at.step + 1} (epoch {run.at.epoch + 1}): {values}, gradient norm {norm:g}. "
            "Try a smaller learning_rate, a smaller alpha or a longer alpha_warmup, a smaller gradient_clip, "
            f'mixed_precision="no".{kept}'
        )
