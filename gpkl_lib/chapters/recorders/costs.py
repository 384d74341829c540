"""What the steps of methods cost: processor seconds of an epoch, without what is spent on scoring.

A control "at the same time" must not be given the time that a run spends on scoring, which is the same for one view
and for two: measured on whole runs, two views look cheaper than their steps are.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from itertools import pairwise
from statistics import fmean

from gpkl_lib.chapters.recorders.recorder import Entry
from gpkl_lib.experiments import Trial
from gpkl_lib.training import LearningWarning, fit


def cost_rows(trial: Trial, methods: Sequence[str], repeats: int) -> Iterator[Entry]:
    """One row: the cost of an epoch of each of the methods, measured in turns so that a busy machine favours none.

    Args:
        trial: task, model and configuration, without the method.
        methods: to be measured.
        repeats: epochs of each.
    """
    config = {"batch_size": trial.config.batch_size, "seed": trial.config.seed}
    settings = {"corpus": trial.task.record(), "model": asdict(trial.model), "config": config}
    named = {**settings, "methods": list(methods), "repeats": repeats}
    yield Entry(named, lambda: {**named, "seconds": _seconds(trial, methods, repeats)})


def _seconds(trial: Trial, methods: Sequence[str], repeats: int) -> dict[str, list[float]]:
    found: dict[str, list[float]] = {method: [] for method in methods}
    for _ in range(repeats):
        for method in methods:
            config = replace(trial.config, method=method, epochs=1)
            found[method].append(round(epoch_seconds(replace(trial, config=config)), 3))
    return found


def epoch_seconds(trial: Trial) -> float:
    """Processor seconds of the steps of an epoch; the first, which pays for what is made once, counts as the others."""
    ends: list[float] = []
    tagger = trial.model.build(trial.task, trial.config.seed)
    train, dev = trial.task.train, trial.task.dev[:20]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", LearningWarning)  # an epoch is not enough to learn in
        fit(
            tagger,
            train,
            dev,
            config=trial.config,
            unlabelled=trial.unlabelled,
            teacher=None if trial.taught_by is None else trial.taught_by.load(),
            progress=False,
            on_step=lambda _: ends.append(time.process_time()),
        )
    return fmean(after - before for before, after in pairwise(ends)) * len(ends)
