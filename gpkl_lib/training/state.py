"""Where a training run stands: counted at every step, kept in checkpoints, taken up again."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from itertools import islice
from typing import Any

from torch import Tensor

from gpkl_lib._storage import Row
from gpkl_lib.corpora import Corpus, Sentence, batches, contents
from gpkl_lib.training.config import TrainingConfig
from gpkl_lib.training.evaluation import DevScores
from gpkl_lib.training.folder import RunFolder
from gpkl_lib.training.history import History, rank
from gpkl_lib.training.methods import METHODS
from gpkl_lib.training.process import Process
from gpkl_lib.training.progress import Progress

PARTS = ("loss", "task", "divergence", "confident")  # the last of methods that have it alone


@dataclass
class Position:
    """How far a run has come; JSON values only. Sums and seconds are those of the epoch under way.

    Attributes:
        epoch, batch, step: done so far; `batch` within the epoch.
        sentences, sums, alpha, seconds: what the epoch's row in the history will be made of.
        rows: the history.
        best_f1, best_loss, best_scores: those of the best epoch on dev, whose loss is None if it is not finite.
        stale: epochs since F1 last rose.
    """

    epoch: int = 0
    batch: int = 0
    step: int = 0
    sentences: int = 0
    sums: dict[str, float] = field(default_factory=dict)
    alpha: float = 0.0
    seconds: float = 0.0
    rows: list[Row] = field(default_factory=list)
    best_f1: float = -1.0
    best_loss: float | None = None
    best_scores: dict[str, Any] = field(default_factory=dict)
    stale: int = 0

    def mean(self, part: str) -> float:
        """Mean of a part of the loss over the epoch's sentences so far, of which there is one at least."""
        return self.sums[part] / self.sentences


class Run:
    """A training run: where it stands, counted at every step and kept in its folder; `start` gives one.

    Args:
        train: the labelled sentences.
        config: how to train.
        process: this one, with the tagger and the optimiser.
        folder: where the run is kept.
        at: where it stands.
        best: the weights of the best epoch so far; none before the first has ended.
    """

    def __init__(
        self,
        train: Corpus,
        config: TrainingConfig,
        process: Process,
        folder: RunFolder,
        at: Position,
        best: dict[str, Tensor],
    ) -> None:
        self.train, self.config, self.process, self.folder = train, config, process, folder
        self.at, self.best, self.tagger, self.history = at, best, process.tagger, History(at.rows)
        self.per_epoch = math.ceil(len(train) / config.batch_size)
        self.steps = config.epochs * self.per_epoch
        self.stopped = False
        self._clock = self._saved = time.monotonic()

    @classmethod
    def start(
        cls,
        train: Corpus,
        dev: Corpus,
        config: TrainingConfig,
        process: Process,
        folder: RunFolder,
        *,
        resume: bool,
        sources: Mapping[str, Any],
    ) -> Run:
        """Claim the folder and begin, or go on from its checkpoint, whose weights and optimiser state are restored.

        `sources` tells what else the method learns from. Raises CheckpointError if the folder cannot be used, or cannot
        be resumed with these arguments.
        """
        asked = {
            "config": config.settings(),
            "tagger": process.tagger.fingerprint(),
            "train": _provenance(train),
            "dev": _provenance(dev),
            **sources,
        }
        folder.check(asked, resume)
        process.wait()  # until all have looked at the folder as it was
        folder.start(asked)
        at, best = Position(), {}
        saved = folder.load_checkpoint()
        if saved is not None:
            process.load_tensors(saved[0])
            at = Position(**saved[1])
            best = folder.best() if at.epoch else {}
        run = cls(train, config, process, folder, at, best)
        folder.rewrite(run.history)
        process.wait()  # until all have read the checkpoint, which the main process will replace
        return run

    @property
    def done(self) -> float:
        """The share of all steps that is done, the one under way half counted: never quite 0, never quite 1."""
        return (self.at.step + 0.5) / self.steps

    @property
    def finished(self) -> bool:
        """Whether all epochs are done, `patience` of them brought nothing better, or the run was stopped."""
        patience = self.config.patience
        idle = patience is not None and self.at.stale >= patience
        return self.stopped or idle or self.at.epoch >= self.config.epochs

    @property
    def last_f1(self) -> float | None:
        """Dev F1 of the last epoch that has ended."""
        return float(self.at.rows[-1]["f1"]) if self.at.rows else None

    @property
    def progress(self) -> Progress:
        """Where the run stands, for who listens."""
        return Progress(self.at.step, self.steps, self.at.epoch + 1, self.at.mean("loss"), self.last_f1)

    def rest_of_epoch(self) -> Iterator[list[Sentence]]:
        """The batches of the epoch that have not been taken yet; their order follows from seed and epoch."""
        order = batches(self.train.sentences, self.config.batch_size, seed=self.config.seed, epoch=self.at.epoch)
        return islice(order, self.at.batch, None)

    def count(self, parts: Sequence[float], sentences: int) -> None:
        """Add up the losses of a step that has been taken; write a checkpoint if the last one is old."""
        at = self.at
        at.alpha = self.config.alpha_at(self.done)
        for name, value in zip(PARTS, parts, strict=False):
            at.sums[name] = at.sums.get(name, 0.0) + value * sentences
        at.sentences += sentences
        at.batch += 1
        at.step += 1
        if time.monotonic() - self._saved >= self.config.checkpoint_seconds:
            self.checkpoint()

    def end_epoch(self, dev: DevScores) -> None:
        """Write the epoch's row, keep the weights if it is the best so far, write a checkpoint."""
        at, scores, alone = self.at, dev.spans, METHODS[self.config.method].factor == 0
        if scores.f1 > at.best_f1:
            at.stale = 0
        elif at.best_f1 > 0:
            at.stale += 1  # a lower loss at the same F1 makes a better epoch, and no patience
        if rank(scores.f1, dev.loss) > rank(at.best_f1, at.best_loss):
            at.best_f1, at.best_loss, at.best_scores = scores.f1, dev.loss, scores.record()
            self.best = {name: t.detach().to("cpu", copy=True) for name, t in self.tagger.state_dict().items()}
            self.folder.save_best(self.tagger)
        row: Row = {"epoch": at.epoch + 1, "step": at.step, **dict.fromkeys(PARTS)}
        row |= {name: at.mean(name) for name in at.sums}
        row |= {"alpha": 0.0 if alone else at.alpha, "divergence": None if alone else row["divergence"]}
        row |= {"precision": scores.precision, "recall": scores.recall, "f1": scores.f1, "dev_loss": dev.loss}
        row |= {"seconds": self._seconds()}
        self.folder.append(self.history, row)
        at.epoch, at.batch, at.sentences, at.sums, at.seconds = at.epoch + 1, 0, 0, {}, 0.0
        self.checkpoint()

    def stop(self) -> None:
        """End the run where it stands; its checkpoint says how to go on."""
        self.stopped = True
        self.checkpoint()

    def checkpoint(self) -> None:
        """Write everything that it takes to go on from here."""
        self._seconds()
        if self.folder.writes:
            self.folder.save_checkpoint(self.process.tensors(), asdict(self.at))
        self._saved = time.monotonic()

    def finish(self) -> None:
        """Give the tagger its best weights, if an epoch has ended; write the scores and the picture."""
        self.tagger.eval()
        if self.best:
            self.tagger.load_state_dict(self.best)
            scores = {"epoch": self.history.best["epoch"], "dev": self.at.best_scores}
            self.folder.finish(self.history, scores, self.tagger)
        self.process.wait()

    def _seconds(self) -> float:
        """The seconds of the epoch so far, those before a kill included."""
        now = time.monotonic()
        self.at.seconds += now - self._clock
        self._clock = now
        return self.at.seconds


def _provenance(corpus: Corpus) -> dict[str, Any]:
    """Name and sha256 of the source, and a sha256 of the very sentences: a slice has its source's name and sum."""
    return {"name": corpus.name, "sha256": corpus.sha256, "sentences": len(corpus), "contents": contents(corpus)}
