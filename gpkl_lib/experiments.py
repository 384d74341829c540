"""Experiments: methods x weights x seeds x corpora as a grid of runs that survives a kill and says where it came from.

A run is named by its whole configuration. Each finished run is one row of a JSONL file, on the disk before the next
one begins; a run that was cut off goes on from its own checkpoint. So the same command, started again, does what is
missing.
"""

from __future__ import annotations

import multiprocessing
import os
import shutil
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from itertools import product
from pathlib import Path
from statistics import fmean
from typing import Any

import torch

from gpkl_lib.corpora import Corpus
from gpkl_lib.corpora.augmentation import bare
from gpkl_lib.corpora.corpus import contents
from gpkl_lib.paired import label
from gpkl_lib.records import Row, append_row, identity, locked, provenance, read_rows, repair
from gpkl_lib.spans import SpanScores
from gpkl_lib.tagger import Tagger
from gpkl_lib.teachers import Teacher, parameters
from gpkl_lib.training import TrainingConfig, evaluate, fit
from gpkl_lib.training_config import OWN, TWO_VIEWS

FREE = ("device", "checkpoint_seconds")
"""Settings that do not name a run: the same row may come from another device, and says from which."""


VARIED = ("epsilon", "temperature", "threshold", "divide")
"""Settings of one method's own that `grid` is mostly given several values of."""


@dataclass(frozen=True)
class Task:
    """What is learnt: the three parts of a corpus, `test` None where there is none; and sentences without labels."""

    name: str
    train: Corpus
    dev: Corpus
    test: Corpus | None = None
    unlabelled: Corpus | None = None

    @property
    def types(self) -> tuple[str, ...]:
        """Every type of train and dev: a type that only test has cannot be learnt, and counts as missed."""
        return tuple(sorted({*self.train.types, *self.dev.types}))

    def record(self) -> Row:
        """Name, and sha256 and number of sentences of each part."""
        return {"name": self.name} | {
            part: {"sha256": corpus.sha256, "sentences": len(corpus)} for part, corpus in self.parts().items()
        }

    def parts(self) -> dict[str, Corpus]:
        """Those of "train", "dev" and "test" that there are."""
        parts = {"train": self.train, "dev": self.dev, "test": self.test}
        return {part: corpus for part, corpus in parts.items() if corpus is not None}


@dataclass(frozen=True)
class ModelConfig:
    """What learns.

    Attributes:
        encoder: "scratch", or a folder or hub name of a `transformers` encoder.
        head: "global_pointer" or "efficient".
        hidden_size, dropout: of the encoder from scratch; a pretrained one brings its own.
    """

    encoder: str = "scratch"
    head: str = "global_pointer"
    hidden_size: int = 200
    dropout: float = 0.4

    def build(self, task: Task, seed: int) -> Tagger:
        """A tagger for the task; `seed` alone decides its first weights, so that methods start as pairs."""
        if self.encoder != "scratch":
            return Tagger.from_encoder(self.encoder, task.types, head=self.head, seed=seed)
        sizes: dict[str, Any] = {"hidden_size": self.hidden_size, "dropout": self.dropout}
        return Tagger.from_scratch(task.train.sentences, task.types, head=self.head, seed=seed, **sizes)


@dataclass(frozen=True)
class Trial:
    """One cell of the grid; `teacher` is the folder of the one that method "distillation" learns from."""

    task: Task
    model: ModelConfig
    config: TrainingConfig
    teacher: Path | None = None

    def settings(self) -> Row:
        """The whole configuration as JSON; `identity` of it names the run.

        What a method does not use stays out of it: without uda the unlabelled sentences, without distillation the
        teacher (the sha256 of its weights).
        """
        config = {name: value for name, value in self.config.settings().items() if name not in FREE}
        if self.unlabelled is not None:
            config["unlabelled"] = {"contents": contents(bare(self.unlabelled)), "sentences": len(self.unlabelled)}
        if self.taught_by is not None:
            config["teacher"] = self.taught_by.weights
        return {"corpus": self.task.record(), "model": asdict(self.model), "config": config}

    @property
    def unlabelled(self) -> Corpus | None:
        """The sentences without labels, if the method learns from them."""
        return self.task.unlabelled if self.config.method == "uda" else None

    @property
    def taught_by(self) -> Teacher | None:
        """The teacher, if the method learns from one."""
        return Teacher(self.teacher) if self.teacher is not None and self.config.method == "distillation" else None

    def __str__(self) -> str:
        c = self.config
        weight = "" if c.method == "none" else f" alpha={c.alpha:g} alpha_warmup={c.alpha_warmup:g}"
        own = "".join(f" {name}={getattr(c, name)}" for name in OWN.get(c.method, ()) if name in VARIED)
        return f"{self.task.name} {c.method}{weight}{own} seed={c.seed}"


def grid(
    base: TrainingConfig,
    methods: Sequence[str],
    alphas: Sequence[float],
    warmups: Sequence[float],
    seeds: Sequence[int],
    **own: Sequence[Any],
) -> list[TrainingConfig]:
    """Every combination, seeds innermost, without those that differ in name only.

    Method "none" has no weight and stands once a seed. So does weight 0, two views whose divergence counts nothing: the
    control that tells what the second view alone does. It stands under the first method that has two views.

    Args:
        base: the settings that do not vary.
        methods, alphas, warmups, seeds: what varies; alphas and warmups for every method but "none".
        own: values of settings that some methods have of their own, by name, such as epsilon=[0.1, 0.3]; each method
            has a variant for each combination of those that are its own.

    Raises:
        ValueError: methods other than "none" without an alpha, a value given twice, a value out of its range, alpha 0
            without a method of two views.
    """
    for name, values in {"methods": methods, "alphas": alphas, "warmups": warmups, "seeds": seeds, **own}.items():
        if len(set(values)) != len(values):
            raise ValueError(f"{name} must be distinct, got {', '.join(map(str, values))}")
    weighted = [method for method in methods if method != "none"]
    if weighted and not alphas:
        raise ValueError(f"methods {', '.join(weighted)} need at least one alpha")
    controls = [method for method in weighted if method in TWO_VIEWS][:1]
    if weighted and 0 in alphas and not controls:
        raise ValueError(f"alpha 0 is two views without their divergence; {', '.join(weighted)} has one view")
    cells: list[dict[str, Any]] = [{"method": "none", "alpha": 0.0, "alpha_warmup": 0.0}] * ("none" in methods)
    cells += [{"method": method, "alpha": 0.0, "alpha_warmup": 0.0} for method in controls * (0 in alphas)]
    for method in weighted:
        names = [name for name in own if name in OWN.get(method, ())]
        cells += [
            {"method": method, "alpha": alpha, "alpha_warmup": warmup, **dict(zip(names, values, strict=True))}
            for values in product(*(own[name] for name in names))
            for warmup in warmups
            for alpha in alphas
            if alpha != 0
        ]
    return [replace(base, **cell, seed=seed) for cell in cells for seed in seeds]


def best_on_dev(trials: Sequence[Trial], rows: Sequence[Row]) -> list[Trial]:
    """Of each task and method (by `label`) the variant with the best mean F1 on dev: one trial for it, of any seed.

    Args:
        trials: a grid, seeds innermost.
        rows: one for each trial, in the same order.
    """
    scores: dict[tuple[str, str], dict[TrainingConfig, list[float]]] = {}
    first: dict[tuple[str, str, TrainingConfig], Trial] = {}
    for trial, row in zip(trials, rows, strict=True):
        place, variant = (trial.task.name, label(row)), replace(trial.config, seed=0)
        scores.setdefault(place, {}).setdefault(variant, []).append(row["dev"]["f1"])
        first.setdefault((*place, variant), trial)
    return [first[(*place, max(found, key=lambda variant: fmean(found[variant])))] for place, found in scores.items()]


def compare(
    trials: Sequence[Trial],
    output: Path,
    *,
    jobs: int = 1,
    command: str = "",
    report: Callable[[str], None] = lambda line: None,
) -> list[Row]:
    """Do the trials that `output` lacks, each on one thread; returns the rows of all of them, in their order.

    Args:
        trials: the grid.
        output: a JSONL file, appended to. Half-finished runs lie in the folder `output` + ".runs" until they are done.
        jobs: processes at a time.
        command: what a person types to make the rows again; stands in each of them.
        report: is told in a line what was repaired, skipped, and each result.

    Raises:
        ValueError: a broken line in `output` that is not its last.
        BlockingIOError: another process is writing to `output`.
    """
    folder = output.with_name(output.name + ".runs")
    keys = [identity(trial.settings()) for trial in trials]
    with locked(folder / "lock"):
        lost = repair(output)
        if lost is not None:
            report(
                f"{output}: the last row was cut off while it was written ({len(lost)} characters); running it again"
            )
        rows = {row["key"]: row for row in (read_rows(output) if output.exists() else [])}
        missing = {key: trial for key, trial in zip(keys, trials, strict=True) if key not in rows}
        if len(missing) < len(set(keys)):
            report(f"{output}: {len(set(keys)) - len(missing)} of {len(set(keys))} runs are there already")
        began = time.monotonic()
        for done, (key, row) in enumerate(_results(missing, folder, jobs), 1):
            row["provenance"]["command"] = command
            append_row(output, row)
            rows[key] = row
            shutil.rmtree(folder / key)
            left = (time.monotonic() - began) / done * (len(missing) - done)
            report(f"[{done}/{len(missing)}] {missing[key]}: {_in_words(row)}, {left / 60:.0f} min left")
    shutil.rmtree(folder)
    return [rows[key] for key in dict.fromkeys(keys)]


def run_trial(trial: Trial, folder: Path) -> Row:
    """Train in `folder`, going on from its checkpoint if it has one; score the best epoch on dev and test.

    `seconds` is the wall time of all epochs, `cpu_seconds` the processor time of all, training and scoring: the fairer
    measure on a machine that others use as well. After a kill (`resumed`) it lacks what was done before.
    """
    resumed, began = folder.exists(), time.process_time()
    tagger = trial.model.build(trial.task, trial.config.seed)
    teacher = trial.taught_by
    history = fit(
        tagger,
        trial.task.train,
        trial.task.dev,
        config=trial.config,
        unlabelled=trial.unlabelled,
        teacher=None if teacher is None else teacher.load(),
        output=folder,
        resume=resumed,
        progress=False,
    )
    scores = {
        part: score_record(evaluate(tagger, corpus)) for part, corpus in trial.task.parts().items() if part != "train"
    }
    seconds, settings = time.process_time() - began, trial.settings()
    return {
        "key": identity(settings),
        **settings,
        "sources": {part: corpus.name for part, corpus in trial.task.parts().items()},
        "dev": scores["dev"],
        "test": scores.get("test"),
        "parameters": parameters(tagger),
        **({} if teacher is None else {"teacher": teacher.record(trial.task.parts())}),
        "best_epoch": history.best["epoch"],
        "steps": history.rows[-1]["step"],
        "seconds": round(sum(row["seconds"] for row in history.rows), 2),
        "cpu_seconds": round(seconds, 2),
        "resumed": resumed,
        "history": {name: [_short(row[name]) for row in history.rows] for name in ("loss", "task", "divergence", "f1")},
        "provenance": {**provenance(tagger.device), "finished": datetime.now(UTC).isoformat(timespec="seconds")},
    }


def _short(value: float | None) -> float | None:
    """Six significant digits, enough for a curve: a record of many epochs stays small."""
    return None if value is None else float(f"{value:.6g}")


def score_record(scores: SpanScores) -> Row:
    """Counts, precision, recall and F1 as JSON; `types` has the counts of each type as [correct, predicted, gold]."""
    return {
        "precision": scores.precision,
        "recall": scores.recall,
        "f1": scores.f1,
        "correct": scores.correct,
        "predicted": scores.predicted,
        "gold": scores.gold,
        "types": {name: [s.correct, s.predicted, s.gold] for name, s in scores.by_type.items()},
    }


def _results(missing: dict[str, Trial], folder: Path, jobs: int) -> Iterator[tuple[str, Row]]:
    """(key, row) of each run as it ends."""
    if jobs == 1:
        with _one_thread():
            for key, trial in missing.items():
                yield key, run_trial(trial, folder / key)
        return
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(jobs, mp_context=context, initializer=_start_worker) as pool:
        try:
            futures = {pool.submit(run_trial, trial, folder / key): key for key, trial in missing.items()}
            for future in as_completed(futures):
                yield futures[future], future.result()
        finally:
            pool.shutdown(cancel_futures=True)


@contextmanager
def _one_thread() -> Iterator[None]:
    """One thread, so that a sum does not depend on how many cores the machine has."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _start_worker() -> None:
    """One thread; end at Ctrl-C without a word; end with the parent, even when that is killed and can say nothing."""
    torch.set_num_threads(1)
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    parent: Any = multiprocessing.parent_process()

    def follow() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=follow, daemon=True).start()


def _in_words(row: Row) -> str:
    test = "" if row["test"] is None else f", test F1 {row['test']['f1']:.4f}"
    return f"dev F1 {row['dev']['f1']:.4f}{test}, {row['steps']} steps, {row['seconds']:.1f} s"
