"""Recipes of arms: what they expand to, how one is made from the record of another, what a page hears of it."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest

from gpkl_lib.chapters.recorders import arms, costs, needs, standing
from gpkl_lib.chapters.recorders.__main__ import main
from gpkl_lib.cli import UsageError, read_recipe
from gpkl_lib.corpora import toy_corpus
from gpkl_lib.experiments import ModelConfig, Task, Trial, by_method, identity, read_rows, runner
from gpkl_lib.training import TrainingConfig

COMMON = 'recorder = "arms"\ncorpus = "toy"\ndraw = "seed"\ntoy-size = 8\nhidden-size = 8\nepochs = 4\n'
SEARCH = """
seeds = "1000-1001"
tested = false
alpha = 0
grid = { batch-size = [4, 8], learning-rate = [0.001, 0.003, 0.01] }
draws = 4
runs = [{ arm = "none", method = "none" }, { arm = "two views", method = "sigmoid" }]
"""
DOSES = """
seeds = [1000]
tested = false
alpha = 0
chosen = ["search: two views"]
runs = [{ arm = "sigmoid's", method = "sigmoid" }, { arm = "softmax's", method = "softmax" }]
"""
COSTS = """
recorder = "costs"
methods = ["none", "sigmoid"]
repeats = 3
corpus = "toy"
runs = [{ batch-size = 4 }, { batch-size = 8 }]
"""
FINAL = """
seeds = "0-2"
[shared.one]
method = "none"
chosen = ["search: none"]
[shared.two]
method = "sigmoid"
chosen = ["search: two views"]
[[runs]]
shared = "one"
arm = "none"
[[runs]]
shared = "one"
arm = "none at the same time"
lasts = "two views"
costs = "costs"
[[runs]]
shared = "two"
arm = "two views"
alpha = 0
[[runs]]
shared = "two"
arm = "softmax"
method = "softmax"
doses = "doses"
shares = [0.1]
seeds = [0, 1]
"""


def quality(trial: Trial) -> float:
    """Dev F1 of a run that is not made: best at 0.003 with one view, at 0.01 with two."""
    best = 0.003 if trial.config.method == "none" else 0.01
    wrong = abs(trial.config.learning_rate - best) + 0.001 * (trial.config.batch_size == 8)
    return 0.8 - 10 * wrong + 0.001 * random.Random(str(trial)).random()


def made_up(trial: Trial, folder: Path) -> dict[str, Any]:
    """A row without a training run."""
    folder.mkdir()
    settings, score = trial.settings(), {"f1": quality(trial)}
    history = {"task": [9.0, 0.3], "divergence": [9.0, {"sigmoid": 0.2, "softmax": 1.2}.get(trial.config.method)]}
    row = {"key": identity(settings), "arm": trial.arm, **settings, "dev": score, "history": history}
    row |= {"test": score if trial.task.test else None, "provenance": {}, "steps": 1, "seconds": 1.0}
    return {**row, "cpu_seconds": 1.0}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Four recipes; runs give rows that are made up."""
    for name, text in {"search": COMMON + SEARCH, "doses": COMMON + DOSES, "final": COMMON + FINAL}.items():
        (tmp_path / f"{name}.toml").write_text(text)
    (tmp_path / "costs.toml").write_text(COSTS)
    monkeypatch.setattr(runner, "run_trial", made_up)
    seconds = {"none": [1.0, 9.0, 1.1], "sigmoid": [2.2, 2.0, 2.1]}
    monkeypatch.setattr(
        costs,
        "_seconds",
        lambda trial, *_: {m: [t * 8 / trial.config.batch_size for t in ts] for m, ts in seconds.items()},
    )
    return tmp_path


def cells(file: Path) -> list[dict[str, Any]]:
    return [{**settings, "arm": run["arm"]} for run, settings in arms.cells(read_recipe(file))]


def test_runs_go_seed_by_seed_and_draws_are_the_same_for_every_arm(folder: Path) -> None:
    found = cells(folder / "search.toml")
    assert [cell["seed"] for cell in found] == [1000] * 8 + [1001] * 8
    drawn = {
        arm: [(cell["batch-size"], cell["learning-rate"]) for cell in found[:8] if cell["arm"] == arm]
        for arm in ("none", "two views")
    }
    assert drawn["none"] == drawn["two views"]
    assert len(set(drawn["none"])) == 4
    assert standing(folder / "search.toml") == (0, 16)


def test_a_recipe_makes_what_it_is_made_from_and_chooses_by_dev(folder: Path) -> None:
    assert main([str(folder / "final.toml")]) == 0
    search, final = (read_rows(folder / f"{name}.jsonl") for name in ("search", "final"))
    assert all(row["test"] is None for row in search)
    assert [(row["arm"], row["config"]["seed"]) for row in final] == [
        (arm, seed)
        for seed in range(3)
        for arm in ("none", "none at the same time", "two views", "softmax")
        if (arm, seed) != ("softmax", 2)
    ]
    tried = {arm: {} for arm in ("none", "two views")}
    for row in search:
        setting = (row["config"]["learning_rate"], row["config"]["batch_size"])
        tried[row["arm"]].setdefault(setting, []).append(row["dev"]["f1"])
    best = {arm: max(found, key=lambda setting: sum(found[setting])) for arm, found in tried.items()}
    assert best["none"] != best["two views"]
    for row in final:
        chosen = best["none" if row["arm"].startswith("none") else "two views"]
        assert (row["config"]["learning_rate"], row["config"]["batch_size"]) == chosen
        epochs = 4
        if row["arm"] == "none at the same time":
            one, two = best["none"][1], best["two views"][1]
            epochs = round(4 * 2.1 * (8 / two) / (1.1 * (8 / one)))
        assert row["config"]["epochs"] == epochs
        # A tenth of the cross-entropy: alpha / 4 x 1.2 = 0.03.
        assert row["config"]["alpha"] == (0.1 if row["arm"] == "softmax" else 0)
        assert row["provenance"]["command"].endswith("final.toml")
    assert standing(folder / "final.toml") == (11, 11)
    summaries = by_method(final)
    assert [len(summary.test) for summary in summaries.values()] == [3, 3, 3, 2]
    assert summaries["softmax"].difference is not None
    assert summaries["softmax"].difference.pairs == 2


def test_what_a_recipe_is_made_from_is_made_once_and_first(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its search is asked for by the doses as well: to look twice would be to read every corpus of it twice."""
    asked, of = [], arms.trials
    monkeypatch.setattr(arms, "trials", lambda recipe: asked.append(recipe.path.stem) or of(recipe))
    assert main([str(folder / "final.toml")]) == 0
    assert asked == ["search", "doses", "final"]
    assert [file.stem for file in needs(read_recipe(folder / "final.toml"))] == ["search", "costs", "doses"]


def test_what_a_run_says_is_not_chosen_for_it(folder: Path) -> None:
    assert main([str(folder / "final.toml")]) == 0
    text = (folder / "final.toml").read_text().replace('arm = "two views"', 'arm = "two views"\nlearning-rate = 0.5')
    (folder / "final.toml").write_text(text)
    rates = {cell["arm"]: cell["learning-rate"] for cell in cells(folder / "final.toml")}
    assert rates["two views"] == 0.5
    assert rates["softmax"] == 0.01


def test_nothing_is_chosen_from_half_a_record(folder: Path) -> None:
    assert main([str(folder / "final.toml")]) == 0
    lines = (folder / "search.jsonl").read_text().splitlines(keepends=True)
    (folder / "search.jsonl").write_text("".join(lines[:-1]))
    with pytest.raises(UsageError, match=r"wants all rows of search, and 15 of 16 are there"):
        cells(folder / "final.toml")
    assert standing(folder / "final.toml") == (11, 11)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("batch-size = 8 }]", "batch-size = 2 }]"), "costs does not say what"),
        (('chosen = ["search: none"]', 'chosen = ["search"]'), "chosen must be 'RECORD: ARM', got 'search'"),
        (
            ('chosen = ["search: none"]', 'chosen = ["search: squared"]'),
            "nothing to choose in search",
        ),
        (("draws = 4", "draw-s = 4"), "'draw-s' is no setting of arms; did you mean 'draws'?"),
        (('arm = "none"\n', ""), "a run of arms needs 'arm', 'method' and 'seeds'"),
    ],
)
def test_what_does_not_fit_is_said_in_a_line(
    change: tuple[str, str], said: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for file in folder.glob("*.toml"):
        file.write_text(file.read_text().replace(*change))
    assert main([str(folder / "final.toml")]) == 2
    assert said in capsys.readouterr().err.splitlines()[-1]


def test_the_cost_of_an_epoch_is_that_of_its_steps() -> None:
    task = Task("toy", toy_corpus(24), toy_corpus(200, split="dev"))
    trial = Trial(task, ModelConfig(hidden_size=16), TrainingConfig(epochs=1, batch_size=4, device="cpu"))
    (entry,) = costs.cost_rows(trial, ["none", "sigmoid"], 2)
    row = entry.make()
    assert {method: len(seconds) for method, seconds in row["seconds"].items()} == {"none": 2, "sigmoid": 2}
    assert 1 < min(row["seconds"]["sigmoid"]) / min(row["seconds"]["none"]) < 4
    assert identity(entry.settings) == identity({name: row[name] for name in entry.settings})
