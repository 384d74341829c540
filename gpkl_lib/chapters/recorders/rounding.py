"""How far rounding alone moves F1: one run several times, from first weights that differ in their last digit."""

from __future__ import annotations

from collections.abc import Iterator

import torch

from gpkl_lib._storage import Row
from gpkl_lib.chapters.recorders.recorder import Entry
from gpkl_lib.experiments import Trial
from gpkl_lib.tagger import Tagger
from gpkl_lib.training import evaluate, fit


def rounding_rows(trial: Trial, nudges: int) -> Iterator[Entry]:
    """One row: F1 on dev and on test of the run as it is and of runs whose first weights are nudged.

    Args:
        trial: the run.
        nudges: how many runs in all; the first one is not nudged.
    """
    named = {**trial.settings(), "nudges": nudges}
    yield Entry(named, lambda: {**named, **_scores(trial, nudges)})


def nudged(tagger: Tagger, seed: int) -> Tagger:
    """The tagger with every weight at most one unit in its last place away, up or down; 0 leaves it as it is."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for weight in tagger.parameters() if seed else ():
            up = torch.rand(weight.shape, generator=generator) < 0.5
            ends = torch.where(up, torch.inf, -torch.inf).to(weight)
            weight.copy_(torch.nextafter(weight, ends))
    return tagger


def _scores(trial: Trial, nudges: int) -> Row:
    found: dict[str, list[float]] = {"dev": [], "test": []}
    for seed in range(nudges):
        tagger = nudged(trial.model.build(trial.task, trial.config.seed), seed)
        fit(tagger, trial.task.train, trial.task.dev, config=trial.config, progress=False)
        for part, scores in found.items():
            scores.append(evaluate(tagger, trial.task.parts()[part]).f1)
    return found
