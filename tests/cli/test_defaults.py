"""The weight that a method has where none is given is what dev chose, and the examples are worth showing."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path
from typing import Any

import pytest
from scipy import stats

from gpkl_lib._storage import read_rows
from gpkl_lib.chapters.recorders.arms import cells
from gpkl_lib.cli import main, read_recipe, texts
from gpkl_lib.experiments import MARGIN
from gpkl_lib.statistics import PairedDifference, judge, paired_difference
from gpkl_lib.training import METHODS, TrainingConfig

RESULTS = Path(__file__).parents[2] / "book" / "_results"
RECIPE = read_recipe(RESULTS / "defaults.toml")
CONTROLS = {"uda": "none, few labels", "distillation": "none, a student", "open-distillation": "none, a student"}
TRAINED = [line for line in texts.TRAIN_EXAMPLES.splitlines() if re.search(r"--method \w", line)]


def differences() -> dict[str, PairedDifference]:
    """F1 on test minus that of one view at the same settings, by method, over the seeds of the record."""
    scores: dict[str, dict[int, float]] = {}
    for row in read_rows(RECIPE.record):
        scores.setdefault(row["arm"], {})[row["config"]["seed"]] = row["test"]["f1"]
    arms = [arm for arm in scores if not arm.startswith("none")]
    return {arm: paired_difference(scores[arm], scores[CONTROLS.get(arm, "none")]) for arm in arms}


def test_defaults_are_what_dev_chose() -> None:
    chosen = {settings["method"]: settings for _, settings in cells(RECIPE)}
    weighted = {name for name, method in METHODS.items() if method.factor}
    assert chosen.keys() >= weighted
    for name in weighted:
        default = TrainingConfig(method=name)
        own: dict[str, Any] = {key: chosen[name][key] for key in ("alpha", "epsilon") if key in chosen[name]}
        assert own == {key: getattr(default, key) for key in own}, name


def test_no_method_is_worse_than_one_view_at_its_default() -> None:
    found = differences()
    assert found.keys() == {name for name, method in METHODS.items() if method.factor}
    verdicts = judge(found, MARGIN)
    print({name: (round(d.mean, 4), verdicts[name].word) for name, d in found.items()})
    assert "worse" not in {verdict.word for verdict in verdicts.values()}


@pytest.mark.slow
def test_no_example_ends_below_one_view_by_more_than_seeds_explain(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    spread = differences()
    alone: dict[str, float] = {}

    def f1(line: str) -> float:
        words = [*shlex.split(line.strip())[1:], "--device", "cpu"]
        assert main(words) == 0, line
        folder = Path(words[words.index("--output") + 1])
        return float(json.loads((folder / "scores.json").read_text())["test"]["f1"])

    assert len(TRAINED) >= 4
    for line in TRAINED:
        found = re.search(r"--method (\S+)", line)
        assert found
        plain = re.sub(r"--(?:unlabelled|teacher) \S+ ?", "", line.replace(found[0], "--method none"))
        plain = re.sub(r"--output \S+", "--output runs/none", plain)
        if plain not in alone:
            alone[plain] = f1(plain.replace("runs/none", f"runs/none-{len(alone)}"))
        seeds = spread[found[1]]
        explained = float(stats.t.ppf(0.975, seeds.pairs - 1)) * seeds.spread * (1 + 1 / seeds.pairs) ** 0.5
        reached = f1(line)
        assert reached >= alone[plain] - explained, f"{line}: {reached:.4f}, one view {alone[plain]:.4f}"
