"""What a comparison says beside its table; and what it says when one of its processes is killed."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gpkl_lib._storage import Row, read_rows
from gpkl_lib.corpora import toy_corpus
from gpkl_lib.experiments import ModelConfig, Task, Trial, compare, remarks
from gpkl_lib.training import TrainingConfig, TrainingError


def row(method: str, alpha: float, f1: float, *, seed: int = 0, divergence: Any = 0.5) -> Row:
    config = {"method": method, "alpha": alpha, "alpha_warmup": 0.2, "seed": seed, "epochs": 2}
    config |= {"divide": "all", "temperature": 1.0, "threshold": 0.8} if method == "uda" else {}
    score = {"f1": f1}
    history = {"f1": [0.0, f1], "divergence": [divergence, 0.7]}
    timing = {"steps": 1, "seconds": 1.0, "cpu_seconds": 1.0}
    corpus, model = {"name": "toy"}, {"encoder": "scratch"}
    return {
        "corpus": corpus,
        "model": model,
        "config": config,
        "dev": score,
        "test": score,
        "history": history,
        **timing,
    }


def test_a_method_that_never_found_a_span() -> None:
    learnt = [row("none", 0.0, 0.5), row("sigmoid", 1.0, 0.6)]
    assert remarks(learnt) == []
    (said,) = remarks(
        [*learnt, row("softmax", 1.0, 0.0), row("softmax", 1.0, 0.0, seed=1), row("none", 0.0, 0.5, seed=1)]
    )
    assert said.startswith("toy: no run of softmax found a span of dev: its F1 compares nothing; try more epochs")
    assert remarks([*learnt, row("softmax", 1.0, 0.0), row("softmax", 2.0, 0.1)]) == []


def test_runs_with_an_epoch_without_a_sure_span() -> None:
    rows = [row("uda", 1.0, 0.5, divergence=0.0), row("uda", 1.0, 0.5, seed=1), row("vat", 1.0, 0.5, divergence=0.0)]
    (said,) = remarks(rows)
    assert said.startswith("toy: in 1 of 2 runs of uda, by all there was an epoch without a sure span")


def test_the_smallest_weight_on_offer() -> None:
    none = row("none", 0.0, 0.5)
    low = [row("sigmoid", 0.3, 0.7), row("sigmoid", 1.0, 0.6)]
    said = "toy: dev chose the smallest weight on offer (0.3 of sigmoid): try smaller ones as well"
    assert remarks([none, *low]) == [said]
    assert remarks([none, low[0]]) == []  # there was no choice
    assert remarks([none, *low, row("softmax", 0.3, 0.1), row("softmax", 1.0, 0.2)]) == []  # not of every method
    both = remarks([none, *low, row("softmax", 0.3, 0.3), row("softmax", 1.0, 0.2)])
    assert both == [said.replace("sigmoid)", "sigmoid, 0.3 of softmax)")]


class Deadly(Trial):
    """A trial whose process is killed as it begins."""

    def __reduce__(self) -> Any:
        return os._exit, (9,)


@pytest.mark.slow
def test_a_process_that_was_killed(tmp_path: Path) -> None:
    task = Task("toy", toy_corpus(8), toy_corpus(4, split="dev"))
    config = TrainingConfig(epochs=1, batch_size=8, device="cpu")
    trials = [Trial(task, ModelConfig(hidden_size=8), replace(config, seed=seed)) for seed in range(2)]
    deadly = [trials[0], Deadly(task, ModelConfig(hidden_size=8), trials[1].config)]
    with pytest.raises(TrainingError, match=r"a process was killed, .* start it again, with fewer jobs than 2"):
        compare(deadly, tmp_path / "rows.jsonl", jobs=2)
    assert len(compare(trials, tmp_path / "rows.jsonl")) == len(read_rows(tmp_path / "rows.jsonl")) == 2
