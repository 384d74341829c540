"""The book's records and their recipes: every row is one that its recipe asks for, and named by its own settings."""

from __future__ import annotations

import argparse
import functools
import importlib.util
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from gpkl_lib import cli
from gpkl_lib.chapters.recorders import ARMS, RECORDERS, needs, standing
from gpkl_lib.chapters.recorders.__main__ import entries
from gpkl_lib.chapters.recorders.__main__ import main as make
from gpkl_lib.chapters.recorders.arms import OWN, cells, points, seeds
from gpkl_lib.chapters.recorders.arms import trials as planned
from gpkl_lib.cli import COMPARE, RUN, compare, flags, inputs, options, read_recipe
from gpkl_lib.corpora import CorpusError, read_corpus
from gpkl_lib.experiments import Task, Teacher, Trial, identity, read_rows, trials

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "book/_results"
BESIDE = ROOT.parent / "shared" / "data"
RECIPES = {path.stem: read_recipe(path) for path in sorted(RESULTS.glob("*.toml"))}
RECORDED = [name for name, recipe in RECIPES.items() if recipe.record.exists()]
COMPARED = [
    pytest.param(name, marks=[pytest.mark.pretrained] * bool(recipe.links))
    for name, recipe in RECIPES.items()
    if recipe.recorder == COMPARE
]
ARMED = [
    pytest.param(name, marks=[pytest.mark.pretrained] * bool(recipe.links))
    for name, recipe in RECIPES.items()
    if recipe.recorder == ARMS
]
UNDERWAY: set[str] = {
    *("vat-arms", "few-weights", "few-arms"),
}
"""Records that are not whole yet; each goes when it is."""
MEASURED = {
    "milliseconds",
    "cpu_milliseconds",
    "peak_mib",
    "median_ms",
    "median_cpu_ms",
    "median_mib",
    "package",
    "processes",
    "skipped",
}

read_once = functools.cache(read_corpus)


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> None:
    """GPKL_DATA, or the folder beside the repository where that is not set; no file is read twice."""
    if not os.environ.get("GPKL_DATA") and BESIDE.is_dir():
        monkeypatch.setenv("GPKL_DATA", str(BESIDE))
    for module in ("cli.inputs", "chapters.recorders.corpora"):
        monkeypatch.setattr(f"gpkl_lib.{module}.read_corpus", read_once)


def recorded(name: str) -> dict[str, dict[str, Any]]:
    rows = read_rows(RESULTS / f"{name}.jsonl") if name in RECORDED else []
    found = {row["key"]: row for row in rows}
    assert len(found) == len(rows), "two rows of one key"
    return found


def settings(name: str, row: dict[str, Any]) -> dict[str, Any]:
    """What names a row, from the row alone."""
    run = {part: row[part] for part in ("corpus", "model", "config") if part in row}
    match RECIPES[name].recorder:
        case "boards":
            own = {"sentences": [board["sentence"] for board in row["boards"]]}
            return {**run, **own, "types": row["types"], "dropout_seed": row["dropout_seed"]}
        case "replays":
            return {**run, "replayed": row["sentence"]}
        case "corpora":
            return {**run, "sha256": {part: facts["sha256"] for part, facts in row["parts"].items()}}
        case "normface":
            return {part: row[part] for part in ("scale", "seed", "classes", "data")}
        case "positions":
            return {part: row[part] for part in ("weights", "place", "causal", "first", "zero", "seed")}
        case "sentences":
            return {part: row[part] for part in ("set", "sha256", "encoder")}
        case "lengths":
            return {part: row[part] for part in ("task", "lengths", "rule", "seed")}
        case "costs":
            return {**run, "methods": row["methods"], "repeats": row["repeats"]}
        case "rounding":
            return {**run, "nudges": row["nudges"]}
        case "benchmarks/span_loss.py":
            return {k: v for k, v in row.items() if k not in {*MEASURED, "key", "provenance", "command", "measured_at"}}
    return run


def test_every_record_has_its_recipe_and_every_recipe_its_record() -> None:
    assert {path.stem for path in RESULTS.glob("*.jsonl")} <= RECIPES.keys()
    unfinished = {name for name, recipe in RECIPES.items() if not recipe.record.exists()}
    for name, recipe in RECIPES.items():
        there, asked_for = standing(recipe.path) if recipe.recorder == ARMS else (0, 0)
        if there != asked_for:
            unfinished.add(name)
    assert unfinished == UNDERWAY


@pytest.mark.parametrize("name", RECORDED)
def test_every_row_is_named_by_its_settings(name: str) -> None:
    for key, row in recorded(name).items():
        assert identity(settings(name, row)) == key


BEFORE = {"corpora-alpha", "germeval2014", "toy-alpha", "toy-short", "vat"}
"""Records from before a file had to be of one commit and to count test sentences; each goes when it is made again."""


@pytest.mark.parametrize("name", RECORDED)
def test_a_record_is_of_one_commit_and_counts_every_test_sentence(name: str) -> None:
    rows = [row for row in recorded(name).values() if "skipped" not in row]
    origins = [row["provenance"] for row in rows]
    same = all(len({str(origin[what]) for origin in origins}) == 1 for what in ("commit", "versions"))
    tested = [row["test"] for row in rows if row.get("test") and RECIPES[name].recorder in (COMPARE, "arms")]
    assert (same and all("sentences" in test for test in tested)) == (name not in BEFORE)


def asked(name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[str]:
    """The keys that `gpkl compare --recipe` asks for: grids, and with all seeds what dev chose in them."""
    rows, found = recorded(name), dict[str, None]()
    names = {row["teacher"]["folder"]: row["config"]["teacher"] for row in rows.values() if "teacher" in row}

    def look_up(wanted: Sequence[Trial], *_: Any, **__: Any) -> list[dict[str, Any]]:
        keys = [identity(trial.settings()) for trial in wanted]
        missing = [str(trial) for key, trial in zip(keys, wanted, strict=True) if key not in rows]
        assert not missing, f"{name}.jsonl lacks what {name}.toml asks for"
        found.update(dict.fromkeys(keys))
        return [rows[key] for key in keys]

    monkeypatch.setattr(compare, "run_trials", look_up)
    monkeypatch.setattr(compare, "read_rows", lambda path: [])
    monkeypatch.setattr(compare, "comparison_figure", lambda rows: SimpleNamespace(savefig=lambda *_, **__: None))
    monkeypatch.setitem(RUN, "train", lambda *_: pytest.fail("a teacher would be trained"))
    monkeypatch.setattr(Teacher, "name", property(lambda self: names[str(self.folder)]))
    monkeypatch.chdir(tmp_path)
    for folder in names:
        Path(folder).mkdir(parents=True)
        Path(folder, "scores.json").touch()
    assert cli.main(["compare", "--recipe", str(RESULTS / f"{name}.toml")]) == 0
    return list(found)


@pytest.mark.parametrize("name", COMPARED)
def test_a_recipe_asks_for_the_rows_of_its_record_and_no_other(
    name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, read: None
) -> None:
    for run in RECIPES[name].runs:
        try:
            inputs.tasks(RECIPES[name].arguments(COMPARE, run)[0])
        except CorpusError as error:
            pytest.skip(f"{run['corpus']} is not at hand: {error}")
    assert sorted(asked(name, monkeypatch, tmp_path)) == sorted(recorded(name))


class Unread:
    """Sentences without labels of which a record keeps a sum and their number."""

    def __init__(self, config: dict[str, Any]) -> None:
        self.config = config

    def __len__(self) -> int:
        return int(self.config["sentences"])


@pytest.mark.parametrize("name", COMPARED)
def test_so_it_does_by_what_the_record_says_of_the_corpora(
    name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The same without any corpus."""
    rows = recorded(name).values()

    def tasks(arguments: argparse.Namespace) -> list[Task]:
        ((corpus,),) = arguments.corpus or [["toy"]]
        same = [row for row in rows if row["corpus"]["name"] == corpus]
        size = arguments.limit_train or max(row["corpus"]["train"]["sentences"] for row in same)
        same = [row for row in same if row["corpus"]["train"]["sentences"] == size]
        spare = next((Unread(row["config"]["unlabelled"]) for row in same if "unlabelled" in row["config"]), None)
        task: Any = SimpleNamespace(name=corpus, record=lambda: same[0]["corpus"], unlabelled=spare)
        return [task]

    monkeypatch.setattr(inputs, "tasks", tasks)
    monkeypatch.setattr(trials, "bare", lambda corpus: corpus)
    monkeypatch.setattr(trials, "contents", lambda corpus: corpus.config["contents"])
    assert sorted(asked(name, monkeypatch, tmp_path)) == sorted(recorded(name))


@pytest.mark.parametrize("name", ARMED)
def test_what_chooses_is_not_what_confirms_and_there_is_something_to_choose(name: str) -> None:
    recipe = RECIPES[name]
    for run in recipe.runs:
        recipe.check(run, OWN | options("train"), ARMS)
        for point in points(run):
            said = {key: value for key, value in {**run, **point}.items() if key not in {*OWN, "share"}}
            recipe.arguments("train", said)
        assert {seed >= 1000 for seed in seeds(run)} == {not run.get("tested", True)}
        for source in run.get("chosen", ()):
            other, _, arm = source.partition(": ")
            offered = [one for one in RECIPES[other].runs if one["arm"] == arm]
            assert offered
            assert all(("grid" in one or "shares" in one) and not one["tested"] for one in offered)


@pytest.mark.parametrize("name", ARMED)
def test_the_runs_of_arms_are_those_that_their_recipe_asks_for(
    name: str, read: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All of them where the record is whole, else no others."""
    recipe = RECIPES[name]
    names = {r["teacher"]["folder"]: r["config"]["teacher"] for r in recorded(name).values() if "teacher" in r}
    monkeypatch.setattr(Teacher, "name", property(lambda self: names.get(str(self.folder), "not trained here")))
    if all(read_recipe(needed).path.stem not in UNDERWAY for needed in needs(recipe)):
        try:
            runs = {identity(trial.settings()): trial.arm for trial in planned(recipe)}
        except CorpusError as error:
            pytest.skip(f"a corpus is not at hand: {error}")
        found = {key: row["arm"] for key, row in recorded(name).items()}
        assert found.items() <= runs.items()
        assert name in UNDERWAY or found == runs
    else:
        assert not recorded(name)


@pytest.mark.parametrize("name", [one for one in ARMED if one.values[0] in RECORDED])
def test_so_they_are_by_what_the_record_says_of_the_corpora(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same without any corpus."""
    rows = recorded(name).values()
    names = {row["teacher"]["folder"]: row["config"]["teacher"] for row in rows if "teacher" in row}
    monkeypatch.setattr(Teacher, "name", property(lambda self: names[str(self.folder)]))
    monkeypatch.setattr(trials, "bare", lambda corpus: corpus)
    monkeypatch.setattr(trials, "contents", lambda corpus: corpus.config["contents"])
    # the sentences of one seed may be of several kinds
    seen: dict[tuple[str, str, int], dict[str, dict[str, Any]]] = {}
    for row in rows:
        place = (row["corpus"]["name"], row["arm"], row["config"]["seed"])
        seen.setdefault(place, {})[row["corpus"]["train"]["sha256"]] = row
    keys = set()
    for run, settings in cells(RECIPES[name]):
        for row in seen.get((run["corpus"], run["arm"], settings["seed"]), {}).values():
            spare = Unread(row["config"]["unlabelled"]) if "unlabelled" in row["config"] else None
            task: Any = SimpleNamespace(name=run["corpus"], record=lambda row=row: row["corpus"], unlabelled=spare)
            said = {key: value for key, value in settings.items() if key != "share"}
            keys.add(identity(RECIPES[name].trial(said, task).settings()))
    assert keys >= recorded(name).keys()


@pytest.mark.parametrize("name", [name for name, recipe in RECIPES.items() if recipe.recorder in RECORDERS])
def test_a_recorder_asks_for_the_rows_of_its_record_and_no_other(name: str, read: None) -> None:
    recipe = RECIPES[name]
    try:
        keys = [identity(entry.settings) for entry in entries(recipe)]
    except CorpusError as error:
        pytest.skip(f"a corpus is not at hand: {error}")
    if name == "normface" and torch.__version__.partition("+")[0] not in str(recorded(name)):
        pytest.skip(f"torch {torch.__version__} draws other clusters than the torch of the record")
    assert sorted(keys) == sorted(recorded(name)) or name in UNDERWAY


def test_the_benchmark_asks_for_the_rows_of_its_record_and_no_other(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (run,) = (recipe := RECIPES["tiled-span-loss"]).runs
    spec = importlib.util.spec_from_file_location("span_loss", ROOT / recipe.recorder)
    assert spec is not None
    assert spec.loader is not None
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    copy = tmp_path / "copy.jsonl"
    copy.write_bytes(recipe.record.read_bytes())
    planned = []
    wanted = script.wanted
    monkeypatch.setattr(script, "wanted", lambda *options: planned.append([*wanted(*options)]) or planned[0])
    monkeypatch.setattr(script, "_process", lambda what, options: pytest.fail(f"{what} would be measured"))
    monkeypatch.setattr(sys, "argv", ["span_loss.py", "--output", str(copy), *flags(run)])
    script.main()
    places = ("case", "implementation", "length", "batch")
    assert {tuple(one.values()) for one in planned[0]} == {
        tuple(row[place] for place in places) for row in recorded("tiled-span-loss").values()
    }


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            'recorder = "board"\n[[runs]]\nsentences = [1]',
            "must be one of compare, arms, boards, corpora, costs, lengths, normface, positions, replays, rounding, "
            "sentences",
        ),
        (
            'recorder = "boards"\n[[runs]]\nsentence = [1]',
            "'sentence' is no setting of boards; did you mean 'sentences'?",
        ),
        ('recorder = "boards"\n[[runs]]\nepochs = 1', "boards needs 'sentences'"),
        ('recorder = "normface"\n[[runs]]\nepochs = 1', "'epochs' is no setting of normface"),
    ],
)
def test_what_is_wrong_is_said_with_file_and_key(
    text: str, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe = tmp_path / "small.toml"
    recipe.write_text(text)
    assert make([str(recipe)]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert str(recipe) in line
    assert said in line
