"""Training a tagger by any of the methods: one loop for CPU, CUDA and MPS, for one process and for several."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

from gpkl_lib._checks import check_kind
from gpkl_lib.corpora import Batch, Corpus
from gpkl_lib.tagger import Tagger
from gpkl_lib.training.batching import StepBatches
from gpkl_lib.training.config import TrainingConfig
from gpkl_lib.training.evaluation import evaluate_together
from gpkl_lib.training.folder import RunFolder
from gpkl_lib.training.history import History
from gpkl_lib.training.methods import METHODS, Step
from gpkl_lib.training.methods.method import StepLoss, Target
from gpkl_lib.training.process import Process, accelerator
from gpkl_lib.training.progress import Progress, ProgressBar
from gpkl_lib.training.state import Run
from gpkl_lib.training.tiles import check_tiled, takes_tiles

__all__ = ["History", "LearningWarning", "TrainingConfig", "TrainingError", "fit", "training_loss"]


class LearningWarning(UserWarning):
    """A run has ended well and taught the tagger nothing; the message says what to try.

    Example:
        >>> import warnings
        >>> with warnings.catch_warnings():  # where a weight that teaches nothing is tried on purpose
        ...     warnings.simplefilter("ignore", LearningWarning)
        ...     warnings.warn("no span of dev was found in any of 3 epochs", LearningWarning)
    """


class TrainingError(RuntimeError):
    """Training cannot go on; the message says where it stood and what to try.

    Example:
        >>> from gpkl_lib.corpora import toy_corpus
        >>> corpus = toy_corpus(8)
        >>> tagger = Tagger.from_scratch(corpus.sentences, corpus.types, hidden_size=8)
        >>> settings = TrainingConfig(epochs=1, batch_size=2, learning_rate=1e30, warmup=0.0, device="cpu")
        >>> try:
        ...     fit(tagger, corpus, corpus, config=settings, progress=False)
        ... except TrainingError as error:
        ...     print(str(error)[:33])
        not finite in step 2 (epoch 1): l
    """


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
    on_epoch: Callable[[History], object] | None = None,
    on_step: Callable[[Progress], object] | None = None,
    should_stop: Callable[[], bool] | None = None,
) -> History:
    """Train `tagger` in place; it ends with the weights of the epoch that was best on `dev`, in evaluation mode.

    The best is the one with the highest F1, and among equals the one with the lowest cross-entropy on `dev`.

    With `output`, that folder receives config.json, history.jsonl, history.png, scores.json, best/ (a saved tagger) and
    checkpoint/. A run that was killed goes on with resume=True and the same arguments; on a CPU it then ends bit for
    bit as one left alone. Several processes share each batch and step as one would, both views of a sentence in the
    same one: under `torchrun --nproc-per-node N`, or `accelerate launch --multi_gpu --num_processes N`, which is meant
    for CPUs as well (without --multi_gpu it starts one process there, and a UserWarning says so). If one of them dies,
    the run ends; started again with resume=True it goes on.

    Args:
        tagger: new, or trained before.
        train: at least one sentence; every type in it must be one of the tagger's.
        dev: at least one span; it chooses the best epoch.
        config: how to train; None for the defaults.
        unlabelled: for method "uda": sentences whose labels, if they have any, are not looked at.
        teacher: for method "distillation": a tagger that knows the same types. It is moved to the device and asked once
            for each sentence of `train`: a GiB of what it says is kept, what goes beyond is asked each epoch.
        tiled: compute the loss in tiles, without ever holding all scores; "auto" where it is faster, which changes
            the last digits alone.
        output: a new or empty folder; None keeps nothing.
        resume: go on from the checkpoint in `output`; from the start if there is none yet.
        progress: show a bar, if standard error is a terminal.
        on_epoch: called after each epoch, its row, its best weights and its checkpoint, with the history so far; the
            tagger has the weights of the epoch's end. In several processes the main one calls it.
        on_step: called after each step with where the run stands, likewise.
        should_stop: asked after each step (in every process); at the first yes training stops there, a checkpoint is
            written, and the tagger has the best weights so far. The run can be resumed.

    Returns:
        `History`, one row an epoch. What it says of a run that learnt nothing (`History.remarks`) is a warning as well.

    Raises:
        ModuleNotFoundError: a package of the extra "train" is missing.
        TypeError: a path or a list in the place of a `Corpus`, a dictionary in that of a `TrainingConfig`, and so on.
        ValueError: no training sentence, no span in dev, a type without a head, a device that is not there; tiled=True
            with a method of your own that has no tiled form; unlabelled or teacher missing where the method needs it,
            given where it does not, or a teacher of other types.
        TrainingError: a loss or a gradient is not finite; the last checkpoint is from before it. Or another process of
            the run is gone.
        CheckpointError: the folder cannot be used, resumed or written, or another process is training in it.

    A log for TensorBoard (or Weights & Biases, with `wandb.log(dict(history.rows[-1]))`) is a listener::

        writer = torch.utils.tensorboard.SummaryWriter("runs/board")

        def log(history):
            row = history.rows[-1]
            for name in ("loss", "f1"):
                writer.add_scalar(name, row[name], row["epoch"])

        fit(tagger, train, dev, on_epoch=log)

    Example:
        >>> from gpkl_lib.corpora import toy_corpus
        >>> corpus = toy_corpus(16)
        >>> from gpkl_lib.training import TrainingConfig
        >>> tagger = Tagger.from_scratch(corpus.sentences, corpus.types, hidden_size=16)
        >>> config = TrainingConfig(method="sigmoid", alpha=0.4, epochs=2, learning_rate=0.01, device="cpu")
        >>> history = fit(tagger, corpus, corpus, config=config, progress=False)
        >>> [row["epoch"] for row in history.rows], history.rows[1]["loss"] < history.rows[0]["loss"]
        ([1, 2], True)
    """
    config = TrainingConfig() if config is None else config
    _check_kinds(tagger, train, dev, config, unlabelled, teacher)
    check_tiled(config, tiled)
    _check_corpora(tagger, train, dev)
    steps = StepBatches(tagger, train, config, unlabelled, teacher)
    tagger.warn_of_oddities([*train, *dev, *(unlabelled or ())])
    tagger.max_span_length = max(tagger.max_span_length or 0, *map(len, train))  # farther apart, nothing is trained
    with accelerator(config.device) as accelerate:
        process = Process(accelerate, tagger, config)
        folder = RunFolder(output, writes=process.is_main)
        with folder.held(), _company(process, folder), ProgressBar(enabled=progress and process.is_main) as bar:
            run = Run.start(train, dev, config, process, folder, resume=resume, sources=steps.record())
            listeners = [one for one in (bar, on_step) if one is not None and process.is_main]
            while not run.finished:
                process.model.train()
                for sentences in run.rest_of_epoch():
                    share, weight = process.share(steps.examples(sentences, run.at.step))  # all, unless others help
                    batch, target = steps.collate(share, process.device, tiled)
                    process.seed(config.seed, run.at.step)  # dropout follows from the step: nothing random to save
                    losses = training_loss(process, batch, config, run.done, target, tiled=tiled)
                    norm = process.backward(losses.loss * weight)
                    parts = process.mean([part.detach() * weight for part in losses])
                    del losses  # and with it what is left of the graph, before the next one is made
                    _check_finite(parts, norm, run)  # before the weights could be spoilt
                    process.step(config.rate_at(run.done))
                    run.count(parts, len(sentences))  # and a checkpoint, if the last one is old
                    for listener in listeners:
                        listener(run.progress)
                    if should_stop is not None and process.any(should_stop()):
                        run.stop()
                        break
                else:
                    run.end_epoch(evaluate_together(tagger, dev, process))  # a row, the best weights, a checkpoint
                    if on_epoch is not None and process.is_main:
                        on_epoch(run.history)
            run.finish()
        if process.is_main and not run.stopped:
            for sentence in run.history.remarks(config):
                warnings.warn(sentence, LearningWarning, stacklevel=2)
    return run.history


def training_loss(
    model: Any,
    batch: Batch,
    config: TrainingConfig,
    done: float = 1.0,
    target: Target | None = None,
    *,
    tiled: bool | Literal["auto"] = False,
) -> StepLoss:
    """The loss of one step: cross-entropy, and what the method adds to it.

    A row is the L * L spans of one type in one sentence: every part is summed over the valid spans of a row and
    averaged over rows, so the loss of a batch is the mean of those of its parts (with uda divided by "confident" it is
    not: each part has its own number of confident spans).

    Args:
        model: maps a Batch of B sentences to logits (B, H, L, L), as a `Tagger` does. For "vat" it also has
            `embed(batch)` and reads `model(batch, embeddings)`; in tiles it has `tiled_loss` and `project`.
        batch: B labelled sentences; for "uda" U altered copies without labels stand after them.
        config: the method and its settings.
        done: share of all steps that is done, for the warm-up of alpha and for annealing.
        target: fixed scores. "uda": (U, H, l, l), of the unaltered sentences; "distillation": (B, H, L, L), the
            teacher's. In tiles the queries and keys in the place of scores, (U, H, l, d) or (B, H, L, d) each. Nothing
            for the others.
        tiled: compute it in tiles; "auto" where it is faster.

    Returns:
        ConsistencyLoss(loss, task, divergence), scalars in nats: loss = task + c * divergence, where c is alpha/4 for
        two views and vat, alpha for uda and distillation, and 0 for "none"; with uda MaskedStep, which has the share of
        sure spans besides.

    Raises:
        ValueError: the method needs a target and there is none of the form that it needs, or tiled=True with a method
            (of your own) that has no tiled form; else as the losses say.

    Example:
        >>> from gpkl_lib.corpora import toy_corpus
        >>> corpus = toy_corpus(16)
        >>> tagger = Tagger.from_scratch(corpus.sentences, corpus.types, hidden_size=16)
        >>> batch = tagger.collate(corpus.sentences[:4])
        >>> loss, task, divergence = training_loss(tagger, batch, TrainingConfig(method="sigmoid", alpha=0.4))
        >>> torch.allclose(loss, task + 0.1 * divergence)
        True

    Source: eq-rdrop for two views; the papers named in `virtual_adversarial_loss`, `uda_loss`, `distillation_loss`.
    """
    method, step = METHODS[config.method], Step(model, batch, config, done, target)
    if method.tiled is not None and takes_tiles(config, batch, tiled):
        return method.tiled(step)
    return method.loss(step)


@contextmanager
def _company(process: Process, folder: RunFolder) -> Iterator[None]:
    """Say what it means for the run that another process is gone; the libraries speak of sockets."""
    try:
        yield
    except RuntimeError as error:
        if not process.lost(error):
            raise
        kept = "give it an output folder to go on from" if folder.path is None else f"resume it from {folder.path}"
        raise TrainingError(
            f"another process of this run has ended too soon (this is {process.rank} of {process.count}, from 0); "
            f"what that one said, or the launcher, tells why. Start the run again, and {kept}"
        ) from error


def _check_kinds(tagger: Any, train: Any, dev: Any, config: Any, unlabelled: Any, teacher: Any) -> None:
    for name, value, kind, how in (
        ("tagger", tagger, Tagger, "as Tagger.from_scratch or Tagger.load gives it"),
        ("train", train, Corpus, "as read_corpus gives it"),
        ("dev", dev, Corpus, "as read_corpus gives it"),
        ("config", config, TrainingConfig, "TrainingConfig(method=..., epochs=...)"),
        ("unlabelled", unlabelled, Corpus | None, "as read_corpus gives it"),
        ("teacher", teacher, Tagger | None, "as Tagger.load gives it"),
    ):
        check_kind(name, value, kind, how)


def _check_corpora(tagger: Tagger, train: Corpus, dev: Corpus) -> None:
    if not len(train):
        raise ValueError("train has no sentence")
    if not any(sentence.spans for sentence in train):
        warnings.warn(
            "train has no span: nothing can be learnt from it but to find nothing; is it the right file?",
            LearningWarning,
            stacklevel=3,
        )
    if not any(sentence.spans for sentence in dev):
        raise ValueError("dev has no span: F1 cannot tell a good epoch from a bad one")
    foreign = sorted({span[0] for sentence in train for span in sentence.spans} - set(tagger.types))
    if foreign:
        raise ValueError(f"train has spans of type {', '.join(foreign)}, the tagger knows {', '.join(tagger.types)}")


def _check_finite(parts: Sequence[float], norm: float, run: Run) -> None:
    if not all(map(math.isfinite, (*parts, norm))):
        values = ", ".join(
            f"{name} {value:g}" for name, value in zip(("loss", "task", "divergence"), parts, strict=False)
        )
        kept = f" The last checkpoint in {run.folder.path} is from before it." if run.folder.path else ""
        raise TrainingError(
            f"not finite in step {run.at.step + 1} (epoch {run.at.epoch + 1}): {values}, gradient norm {norm:g}. "
            "Try a smaller learning_rate, a smaller alpha or a longer alpha_warmup, a smaller gradient_clip, "
            f'mixed_precision="no".{kept}'
        )
