"""Training a tagger, with or without R-Drop: one loop for CPU, CUDA and MPS, for one process and for several."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from gpkl_lib.consistency import ConsistencyLoss, doubled, rdrop_loss, two_views
from gpkl_lib.corpora import Batch, Corpus, Sentence
from gpkl_lib.divergence import Activation
from gpkl_lib.global_pointer import span_mask
from gpkl_lib.history import History
from gpkl_lib.losses import sparse_multilabel_cross_entropy
from gpkl_lib.progress import ProgressBar
from gpkl_lib.run import Run
from gpkl_lib.run_folder import RunFolder
from gpkl_lib.spans import SpanScores, span_scores
from gpkl_lib.tagger import Tagger
from gpkl_lib.training_config import TrainingConfig
from gpkl_lib.worker import Worker, accelerator

__all__ = ["History", "TrainingConfig", "TrainingError", "evaluate", "fit", "training_loss"]


class TrainingError(RuntimeError):
    """Training cannot go on; the message says where it stood and what to try."""


def fit(
    tagger: Tagger,
    train: Corpus,
    dev: Corpus,
    *,
    config: TrainingConfig | None = None,
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
        output: a new or empty folder; None keeps nothing.
        resume: go on from the checkpoint in `output`; from the start if there is none yet.
        progress: show a bar, if standard error is a terminal.

    Returns:
        `History`, one row an epoch.

    Raises:
        ModuleNotFoundError: a package of the extra "train" is missing.
        ValueError: no training sentence, no span in dev, a type without a head, a device that is not there.
        TrainingError: a loss or a gradient is not finite; the last checkpoint is from before it.
        CheckpointError: the folder cannot be used, resumed or written.
    """
    config = config or TrainingConfig()
    _check_corpora(tagger, train, dev)
    tagger.warn_of_oddities([*train, *dev])
    tagger.max_span_length = max(tagger.max_span_length or 0, *map(len, train))  # farther apart, nothing is trained
    with accelerator(config.device) as accelerate:
        worker = Worker(accelerate, tagger, config)
        run = Run(tagger, train, dev, config, worker, RunFolder(output, writes=worker.is_main), resume)
        with ProgressBar(run.steps, enabled=progress and worker.is_main) as bar:
            while not run.finished:
                worker.model.train()
                for sentences in run.rest_of_epoch():
                    share, weight = worker.share(sentences)  # all of them, unless other processes help
                    batch = tagger.collate(share).to(worker.device)
                    worker.seed(config.seed, run.at.step)  # dropout follows from the step: nothing random to save
                    losses = training_loss(worker, batch, config.method, config.alpha_at(run.done))
                    norm = worker.backward(losses.loss * weight)
                    parts = worker.mean([part * weight for part in losses])
                    _check_finite(parts, norm, run)  # before the weights could be spoilt
                    worker.step(config.rate_at(run.done))
                    run.count(parts, len(sentences))  # and a checkpoint, if the last one is old
                    bar.show(run.at.step, run.at.epoch + 1, run.at.mean("loss"), run.last_f1)
                run.end_epoch(_evaluate_together(tagger, dev, worker))  # a row, the best weights, a checkpoint
        run.finish()
    return run.history


def training_loss(model: Any, batch: Batch, method: str, alpha: float) -> ConsistencyLoss:
    """Cross-entropy of one view, or of two dropout views with their divergence; `model` maps a batch to logits.

    Both views come from ONE forward pass of the doubled batch. A row is the L * L spans of one type in one sentence:
    the divergence is summed over the valid ones and averaged over rows, like the cross-entropy.

    Args:
        model: maps a Batch of B sentences to logits (B, H, L, L).
        batch: B sentences.
        method: "none" (one view, divergence 0), "sigmoid", "softmax" or "squared".
        alpha: the divergence counts alpha/4 times.

    Returns:
        ConsistencyLoss(loss, task, divergence), scalars in nats.

    Source: eq-rdrop.
    """
    mask = span_mask(batch.attention_mask)  # (B, 1, L, L)

    def cross_entropy(logits: Tensor) -> Tensor:
        return sparse_multilabel_cross_entropy(logits, batch.positives, class_dims=2, mask=mask)

    if method == "none":
        task = cross_entropy(model(batch))
        return ConsistencyLoss(task, task, torch.zeros_like(task))
    first, second = two_views(model(_doubled(batch)))  # each (B, H, L, L)
    shape = first.shape
    return rdrop_loss(
        first.flatten(0, 1).flatten(1),  # (B * H, L * L)
        second.flatten(0, 1).flatten(1),
        lambda rows: cross_entropy(rows.view(shape)),
        alpha=alpha,
        activation=ACTIVATIONS[method],
        mask=mask.expand(shape).flatten(0, 1).flatten(1),
    )


def evaluate(tagger: Tagger, corpus: Corpus | Sequence[Sentence], batch_size: int = 32) -> SpanScores:
    """Exact precision, recall and F1 of the tagger on a corpus; see `span_scores`."""
    sentences = list(corpus)
    return span_scores(tagger.predict(sentences, batch_size=batch_size), [sentence.spans for sentence in sentences])


def _identity(logits: Tensor) -> Tensor:
    return logits


ACTIVATIONS: dict[str, Activation] = {"sigmoid": "sigmoid", "softmax": "softmax", "squared": _identity}


def _doubled(batch: Batch) -> Batch:
    """The batch followed by itself; the gold spans, which both views share, stay as they are."""
    inputs = {name: doubled(tensor) for name, tensor in batch.inputs.items()}
    return Batch(inputs, doubled(batch.attention_mask), batch.positives)


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
