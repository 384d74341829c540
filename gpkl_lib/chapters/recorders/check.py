"""Whether records are what their recipes make: a row of each made again, `python -m gpkl_lib.chapters.recorders.check`.

    python -m gpkl_lib.chapters.recorders.check book/_results/toy-arms.toml ... [--seed N]

Training follows rounding: another processor, another version of torch, sums in another order end at other weights. How
far that moves F1 is a record of its own, `rounding`: one seed trained several times from first weights that differ in
their last digit. A row agrees if no F1 in it is farther off than `TIMES` standard deviations of those runs; the numbers
of a record without F1 must agree to a percent.
"""

from __future__ import annotations

import argparse
import math
import random
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import stdev
from typing import Any

import torch

from gpkl_lib import cli
from gpkl_lib._storage import Row, read_rows
from gpkl_lib.chapters.recorders import ARMS, RECORDERS
from gpkl_lib.chapters.recorders.__main__ import entries, prepare
from gpkl_lib.chapters.recorders.arms import trial_of_row
from gpkl_lib.experiments import ModelConfig, Trial, identity, run_trial
from gpkl_lib.training import TrainingConfig

TIMES = 4  # two runs are farther apart than this many standard deviations of one in half a percent of the cases
TIMED = ("costs", "rounding")  # a time comes out otherwise, and what rounding does differs by its nature
NEAR = 0.01


def main(words: Sequence[str]) -> int:
    """Make a row of each record again and say what came out. Returns 1 if one is not what it should be."""
    parser = argparse.ArgumentParser(prog="python -m gpkl_lib.chapters.recorders.check", description=__doc__)
    parser.add_argument("recipes", nargs="+", type=Path, metavar="FILE.toml")
    parser.add_argument("--seed", type=int, help="which rows: drawn by it; else others at each call")
    arguments = parser.parse_args(words)
    draw, wrong = random.Random(arguments.seed), 0
    torch.set_num_threads(1)
    for file in arguments.recipes:
        recipe = cli.read_recipe(file)
        rows = read_rows(recipe.record) if recipe.record.exists() else []
        if recipe.recorder in TIMED or recipe.recorder.endswith(".py") or not rows:
            print(f"{file.stem}: {'nothing recorded' if not rows else 'measures time or rounding'}, not made again")
            continue
        row = draw.choice(rows)
        prepare(recipe)
        limit = tolerance(file.parent, row)
        off = difference(row, again(recipe, row))
        agrees = off <= limit
        wrong += not agrees
        told = f"off by {off:.4f}, {'within' if agrees else 'MORE THAN'} {limit:.4f}"
        print(f"{file.stem}: row {row['key']} made again is {told}", flush=True)
    return int(wrong > 0)


def again(recipe: cli.Recipe, row: Row) -> Row:
    """A recorded row, made again.

    Raises:
        UsageError: the recipe does not ask for it.
    """
    if recipe.recorder in RECORDERS:
        for entry in entries(recipe):
            if identity(entry.settings) == row["key"]:
                return entry.make()
        raise cli.UsageError(f"{recipe.path} asks for no row {row['key']}")
    trial = trial_of_row(recipe, row) if recipe.recorder == ARMS else _compared(recipe, row)
    with tempfile.TemporaryDirectory() as folder:
        return run_trial(trial, Path(folder, "run"))


def _compared(recipe: cli.Recipe, row: Row) -> Trial:
    """The run of a row of `gpkl compare`."""
    config: dict[str, Any] = {k: v for k, v in row["config"].items() if k not in ("unlabelled", "teacher")}
    if config.get("temperature") == "inf":
        config["temperature"] = math.inf
    teacher = Path(row["teacher"]["folder"]) if "teacher" in row else None
    for run in recipe.runs:
        for task in cli.tasks(recipe.arguments(cli.COMPARE, run)[0]):
            trial = Trial(task, ModelConfig(**row["model"]), TrainingConfig(**config, device="cpu"), teacher)
            if task.record() == row["corpus"] and identity(trial.settings()) == row["key"]:
                return trial
    raise cli.UsageError(f"{recipe.path} asks for no row {row['key']}")


def difference(recorded: Row, made: Row) -> float:
    """The largest difference in F1; where a row has none, 0 if its numbers agree to a percent, else infinity."""
    one, other = dict(_numbers(recorded)), dict(_numbers(made))
    if scores := [name for name in one if name.endswith(".f1")]:
        return max(abs(one[name] - other[name]) for name in scores)
    near = all(abs(value - other.get(name, math.inf)) <= NEAR * max(1, abs(value)) for name, value in one.items())
    return 0.0 if near else math.inf


def tolerance(folder: Path, row: Row) -> float:
    """How far rounding moves F1: `TIMES` the largest standard deviation of the record `rounding`; 0 without F1."""
    if not any(name.endswith(".f1") for name, _ in _numbers(row)):
        return 0.0
    file = folder / "rounding.jsonl"
    if not file.exists():
        raise cli.UsageError(f"{file} is missing, which says how far rounding moves F1: make results-rounding")
    rows = read_rows(file)
    return float(TIMES * max(stdev(scores) for one in rows for scores in (one["dev"], one["test"])))


def _numbers(value: Any, name: str = "") -> Iterator[tuple[str, float]]:
    """Every number in a row by its path, without provenance, times and the history of the epochs."""
    if isinstance(value, bool):
        return
    if isinstance(value, int | float):
        yield name, float(value)
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        if key not in ("provenance", "seconds", "cpu_seconds", "history", "teacher"):
            yield from _numbers(inner, f"{name}.{key}")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
