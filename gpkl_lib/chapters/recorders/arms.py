"""Arms: ways of training that each have settings of their own, compared seed by seed.

A recipe with `recorder = "arms"` has one `[[runs]]` for each arm (several runs may add to one). Its keys are the
settings of `gpkl train`, and these:

    arm = "two views"                       # what its rows are called
    seeds = "200-229"                       # a run for each; or a list
    grid = { dropout = [0.1, 0.3] }         # every combination ...
    draws = 16                              # ... or so many of them at random, the same for every arm of that grid
    chosen = ["search: two views"]          # as dev chose among a record's runs of an arm, but for what the run says
    shares = [0.01, 0.1, 1]                 # weights at which alpha x factor x D is so much of the cross-entropy ...
    doses = "doses"                         # ... by the D and cross-entropy of the runs of that method in a record
    lasts = "two views"                     # as many epochs as take the time of that arm's steps ...
    costs = "costs"                         # ... by what a record says that steps cost
    tested = false                          # the test set is not looked at: runs that choose

So a chain of recipes says beforehand how each choice is made, and every step is made by the rows of the one before.
Runs go seed by seed through all arms: a record that is not whole compares its seeds as pairs.
"""

from __future__ import annotations

import argparse
import random
import sys
from collections.abc import Sequence
from dataclasses import replace
from itertools import product
from pathlib import Path
from statistics import fmean, median
from typing import Any

from gpkl_lib import cli
from gpkl_lib._storage import Row, read_rows
from gpkl_lib.experiments import Task, Trial, compare, identity, unit_weight, variants
from gpkl_lib.training import METHODS

ARMS = "arms"
Settings = dict[str, Any]
DATA = ("corpus", "train", "dev", "test", "limit-train", "toy-size", "label-noise", "unlabelled", "draw")
OWN = {"arm", "seeds", "grid", "draws", "chosen", "shares", "doses", "lasts", "costs", "tested"}


def record_arms(recipe: cli.Recipe, words: Sequence[str], command: str) -> None:
    """Make the rows of a recipe that its record lacks; `words` may hold --jobs N.

    Raises:
        UsageError: as `trials` and `gpkl train`.
    """
    parser = argparse.ArgumentParser(prog=command)
    parser.add_argument("--jobs", type=int, default=1, help="runs at a time, each a process with one thread")
    jobs = parser.parse_args(words).jobs
    compare(trials(recipe), recipe.record, jobs=jobs, command=command, report=lambda line: print(line, file=sys.stderr))


def trials(recipe: cli.Recipe) -> list[Trial]:
    """Every run of a recipe, seed by seed; its links and its teachers must be there.

    Raises:
        UsageError: a key that is no setting, a record that it chooses from and that is not whole, what does not fit.
    """
    tasks: dict[str, Task] = {}
    return [_trial(recipe, run, settings, tasks) for run, settings in cells(recipe)]


def trial_of_row(recipe: cli.Recipe, row: Row) -> Trial:
    """The run of a recorded row.

    Raises:
        UsageError: the recipe does not ask for it.
    """
    for run, settings in cells(recipe):
        if (run["arm"], settings["seed"]) == (row["arm"], row["config"]["seed"]):
            trial = _trial(recipe, run, settings, {})
            if identity(trial.settings()) == row["key"]:
                return trial
    raise cli.UsageError(f"{recipe.path} asks for no row {row['key']}")


def cells(recipe: cli.Recipe) -> list[tuple[Settings, Settings]]:
    """Of every run of a recipe the table of its arm, and its settings for `gpkl train`; in the order of the seeds."""
    found = []
    for run in recipe.runs:
        recipe.check(run, OWN | cli.options("train"), "arms")
        if not {"arm", "method", "seeds"} <= run.keys():
            raise cli.UsageError(f"{recipe.path}: a run of arms needs 'arm', 'method' and 'seeds'")
        given = _settings(recipe, run)
        for point in points(run):
            settings = {**given, **point}
            if "share" in settings:
                settings["alpha"] = _weight(recipe, run, settings)
            if not (settings.get("alpha", 1) and METHODS[settings["method"]].factor):  # there is nothing to weigh
                settings |= {"alpha": 0, "alpha-warmup": 0}
            found += [(n, run, {**settings, "seed": seed}) for n, seed in enumerate(seeds(run))]
    return [(run, settings) for _, run, settings in sorted(found, key=lambda cell: cell[0])]


def needs(recipe: cli.Recipe) -> list[Path]:
    """The recipes whose records a recipe is made from, each once and after those that it is made from itself."""
    if recipe.recorder != ARMS:
        return []
    names = []
    for run in recipe.runs:
        names += [_split(recipe, source)[0] for source in run.get("chosen", ())]
        names += [run[key] for key in ("doses", "costs") if key in run]
    files = [recipe.path.with_name(f"{name}.toml") for name in dict.fromkeys(names)]
    return list(dict.fromkeys(one for file in files for one in (*needs(cli.read_recipe(file)), file)))


def standing(file: Path) -> tuple[int, int]:
    """How many rows the record of a recipe has, and how many the recipe asks for; reads no corpus and no other record.

    A chapter says by it that a record is not yet whole.
    """
    recipe = cli.read_recipe(file)
    there = len(read_rows(recipe.record)) if recipe.record.exists() else 0
    return there, sum(len(points(run)) * len(seeds(run)) for run in recipe.runs)


def seeds(run: Settings) -> list[int]:
    """The seeds of a run: a list, or "200-229", its ends included."""
    if isinstance(run["seeds"], list):
        return list(run["seeds"])
    first, _, last = run["seeds"].partition("-")
    return list(range(int(first), int(last) + 1))


def points(run: Settings) -> list[Settings]:
    """The combinations of a run's `grid`, or `draws` of them, each with every one of its `shares`."""
    grid = run.get("grid", {})
    found = [dict(zip(grid, values, strict=True)) for values in product(*grid.values())]
    if "draws" in run:
        found = random.Random(f"draws from {grid}").sample(found, run["draws"])
    if "shares" in run:
        found = [{**point, "share": share} for point in found for share in run["shares"]]
    return found


def _trial(recipe: cli.Recipe, run: Settings, settings: Settings, tasks: dict[str, Task]) -> Trial:
    """The run of a cell; `tasks` keeps what was read, for the next run on the same sentences."""
    data = {key: settings.get(key) for key in DATA}
    name = identity({**data, "seed": settings["seed"] if data["draw"] == "seed" else None})
    trial = recipe.trial({key: value for key, value in settings.items() if key != "share"}, tasks.get(name))
    tasks[name] = trial.task
    task = trial.task if run.get("tested", True) else replace(trial.task, test=None)
    return replace(trial, task=task, arm=run["arm"])


def _settings(recipe: cli.Recipe, run: Settings) -> Settings:
    """What a run says for `gpkl train`, what was chosen for it filled in."""
    settings: Settings = {}
    for source in run.get("chosen", ()):
        settings |= _chosen(recipe, *_split(recipe, source))
    settings |= {key: value for key, value in run.items() if key not in OWN}
    if "lasts" in run:
        settings["epochs"] = _epochs(recipe, run, settings)
    return settings


def _split(recipe: cli.Recipe, source: str) -> tuple[str, str]:
    name, colon, arm = source.partition(": ")
    if not colon:
        raise cli.UsageError(f"{recipe.path}: chosen must be 'RECORD: ARM', got {source!r}")
    return name, arm


def _other(recipe: cli.Recipe, name: str) -> tuple[cli.Recipe, list[Row]]:
    """Another recipe and its whole record."""
    other = cli.read_recipe(recipe.path.with_name(f"{name}.toml"))
    rows = read_rows(other.record) if other.record.exists() else []
    wanted = standing(other.path)[1] if other.recorder == ARMS else len(other.runs)
    if len(rows) != wanted:
        raise cli.UsageError(f"{recipe.path} wants all rows of {name}, and {len(rows)} of {wanted} are there")
    return other, rows


def _chosen(recipe: cli.Recipe, name: str, arm: str) -> Settings:
    """The settings in which the runs of an arm differ, as dev chose them in the record `name`: the best mean F1."""
    other, rows = _other(recipe, name)
    varied = {key for run in other.runs if run["arm"] == arm for key in run.get("grid", {})}
    varied |= {"alpha" for run in other.runs if run["arm"] == arm and "shares" in run}
    found = variants([row for row in rows if row["arm"] == arm])
    if not varied or not found:
        raise cli.UsageError(f"{recipe.path}: there is nothing to choose in {name} for arm {arm!r}")
    best = max(found.values(), key=lambda runs: fmean(row["dev"]["f1"] for row in runs.values()))
    row = next(iter(best.values()))
    known = {**row["model"], **row["config"]}
    return {key: known[key.replace("-", "_")] for key in sorted(varied)}


def _weight(recipe: cli.Recipe, run: Settings, settings: Settings) -> float:
    """The alpha of a share of the loss, to three digits."""
    _, rows = _other(recipe, run["doses"])
    return float(f"{settings['share'] * unit_weight(rows, settings['method']):.3g}")


def _epochs(recipe: cli.Recipe, run: Settings, settings: Settings) -> int:
    """The epochs whose steps take the processor time that those of the arm `lasts` take."""
    wanted = (run["lasts"], run["corpus"])
    (model,) = (_settings(recipe, other) for other in recipe.runs if (other["arm"], other["corpus"]) == wanted)
    _, rows = _other(recipe, run["costs"])

    def cost(of: Settings) -> float:
        """Processor seconds of an epoch."""
        where = (of["corpus"], of["batch-size"])
        found = [row for row in rows if (row["corpus"]["name"], row["config"]["batch_size"]) == where]
        if len(found) != 1 or of["method"] not in found[0]["seconds"]:
            raise cli.UsageError(f"{recipe.path}: {run['costs']} does not say what {of['method']} costs on {where}")
        return float(median(found[0]["seconds"][of["method"]]))

    return round(int(model["epochs"]) * cost(model) / cost(settings))
