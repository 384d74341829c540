"""Comparisons of vat, uda and distillation: what names a run, what varies, what is tuned, what a row tells."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gpkl_lib._storage import read_rows
from gpkl_lib.corpora import Corpus, Sentence, toy_corpus
from gpkl_lib.experiments.plots import comparison_figure
from gpkl_lib.experiments.records import identity
from gpkl_lib.experiments.runner import ModelConfig, Task, Trial, best_on_dev, compare, grid
from gpkl_lib.experiments.summary import groups, label, summarise, variants
from gpkl_lib.experiments.teachers import Teacher
from gpkl_lib.tagger import Tagger, tagger_folder
from gpkl_lib.training import TrainingConfig, evaluate, fit
from gpkl_lib.training.methods import METHODS, own_settings

BASE = TrainingConfig(epochs=2, batch_size=8, learning_rate=0.01, device="cpu")
MODEL = ModelConfig(hidden_size=16)
RESULTS = Path(__file__).parents[2] / "book/_results"
UNLABELLED = toy_corpus(40)[24:]


@pytest.fixture(scope="module")
def task() -> Task:
    dev, test = (toy_corpus(8, split=split) for split in ("dev", "test"))
    return Task("toy", toy_corpus(24), dev, test, UNLABELLED)


@pytest.fixture(scope="module")
def teachers(tmp_path_factory: pytest.TempPathFactory, task: Task) -> Path:
    """Two folders, teacher-0 and teacher-1."""
    folder = tmp_path_factory.mktemp("teachers")
    for seed in (0, 1):
        ModelConfig(hidden_size=40).build(task, seed + 10).save(folder / f"teacher-{seed}")
    return folder


def key(trial: Trial) -> str:
    return identity(trial.settings())


class TestNames:
    @pytest.mark.parametrize("path", sorted(RESULTS.glob("*.jsonl")), ids=lambda path: path.stem)
    def test_recorded_runs_of_every_method_keep_their_names(self, path: Path):
        """Rows from before a method had settings of its own, and rows since."""
        for row in read_rows(path):
            if row["key"] != identity({name: row.get(name) for name in ("corpus", "model", "config")}):
                continue  # a record of another kind
            config = {name: value for name, value in row["config"].items() if name not in ("unlabelled", "teacher")}
            found = TrainingConfig(**{**config, "temperature": float(config.get("temperature", 1))}).settings()
            assert {name: found[name] for name in found.keys() - {"device", "checkpoint_seconds"}} == config

    def test_what_a_method_does_not_use_names_no_run(self, task: Task, teachers: Path):
        changed: dict[str, Any] = {"epsilon": 0.7, "power_iterations": 3, "temperature": 2.0, "threshold": 0.5}
        changed |= {"divide": "confident", "annealing": "log", "unlabelled_ratio": 2, "hide": 0.3, "exchange": 0.3}
        changed |= {"top": 3, "open_above": -2.0}
        assert {*changed} == {*own_settings()}
        for method in METHODS:
            trial = Trial(task, MODEL, replace(BASE, method=method), teachers / "teacher-0")
            for name, value in changed.items():
                other = replace(trial, config=replace(trial.config, **{name: value}))
                assert (key(other) == key(trial)) == (METHODS[method].setting(name) is None), (method, name)
            without = replace(trial, task=replace(task, unlabelled=None))
            assert (key(without) == key(trial)) == (METHODS[method].needs != "unlabelled")
            other = replace(trial, teacher=teachers / "teacher-1")
            assert (key(other) == key(trial)) == (METHODS[method].needs != "teacher")

    def test_a_teacher_trained_again_is_the_same_teacher(self, task: Task, tmp_path: Path):
        """Its weights may have moved by rounding; other settings make another one."""
        names, weights = [], []
        for folder, changes in (("one", {}), ("again", {"device": "auto"}), ("other", {"epochs": 2})):
            tagger = ModelConfig(hidden_size=8).build(task, 0)
            fit(
                tagger, task.train, task.dev, config=replace(BASE, **{"epochs": 1, **changes}), output=tmp_path / folder
            )
            teacher = Teacher(tmp_path / folder)
            if folder == "again":
                moved = teacher.load()
                moved.head.projection.weight.data.mul_(1 + 1e-6)
                moved.save(tagger_folder(teacher.folder))
            names.append(teacher.name)
            weights.append(teacher.weights)
        assert names[0] == names[1] != names[2]
        assert len(set(weights)) == 3
        students = [Trial(task, MODEL, replace(BASE, method="distillation"), tmp_path / f) for f in ("one", "again")]
        assert key(students[0]) == key(students[1])

    def test_the_labels_of_unlabelled_sentences_name_no_run(self, task: Task):
        trial = Trial(task, MODEL, replace(BASE, method="uda"))
        bare = Corpus("elsewhere", [Sentence(sentence.tokens) for sentence in UNLABELLED])
        assert key(replace(trial, task=replace(task, unlabelled=bare))) == key(trial)
        assert key(replace(trial, task=replace(task, unlabelled=bare[1:]))) != key(trial)

    def test_an_infinite_temperature_is_json(self):
        settings = replace(BASE, method="distillation", temperature=math.inf).settings()
        assert json.loads(json.dumps(settings, allow_nan=False))["temperature"] == "inf"
        assert "temperature" not in replace(BASE, temperature=math.inf).settings()


class TestGrid:
    def test_each_method_has_its_own_settings_and_no_others(self):
        configs = grid(
            BASE,
            ["none", "sigmoid", "vat", "uda", "distillation"],
            [0.1, 1.0],
            [0.2],
            [0],
            epsilon=[0.1, 0.3],
            temperature=[1.0, 2.0],
            threshold=[0.5, 0.8],
            divide=["all", "confident"],
        )
        counts = {method: sum(c.method == method for c in configs) for method in METHODS}
        given = {"none": 1, "sigmoid": 2, "vat": 4, "uda": 16, "distillation": 4}
        assert counts == dict.fromkeys(METHODS, 0) | given
        assert len({identity(config.settings()) for config in configs}) == len(configs)
        assert {(c.alpha, c.epsilon) for c in configs if c.method == "vat"} == {
            (a, e) for a in (0.1, 1) for e in (0.1, 0.3)
        }

    def test_two_views_without_their_divergence_belong_to_a_method_of_two_views(self):
        configs = grid(BASE, ["vat", "sigmoid"], [0.0, 1.0], [0.2], [0])
        assert [c.method for c in configs if c.alpha == 0] == ["sigmoid"]
        with pytest.raises(ValueError, match="alpha 0 is two views without their divergence; vat has one view"):
            grid(BASE, ["none", "vat"], [0.0, 1.0], [0.2], [0])

    def test_refuses_values_that_repeat_or_do_not_fit(self):
        with pytest.raises(ValueError, match="epsilon must be distinct"):
            grid(BASE, ["vat"], [1.0], [0.2], [0], epsilon=[0.1, 0.1])
        with pytest.raises(ValueError, match="temperature must be positive and finite with uda, got inf"):
            grid(BASE, ["uda"], [1.0], [0.2], [0], temperature=[math.inf])


@pytest.mark.parametrize(
    ("field", "value"),
    [
        *[("epsilon", 0.0), ("epsilon", math.inf), ("power_iterations", 0), ("temperature", 0.0)],
        *[("temperature", math.nan), ("threshold", 1.0), ("threshold", -0.1), ("divide", "sure")],
        *[("annealing", "cosine"), ("unlabelled_ratio", 0), ("hide", -0.1), ("exchange", 0.95)],
    ],
)
def test_a_wrong_setting_is_named(field: str, value: Any):
    with pytest.raises(ValueError, match=f"^{field} must be .*got {value!r}"):
        TrainingConfig(**{field: value})


def row(trial: Trial, dev: float) -> dict[str, Any]:
    settings = trial.settings()
    scored = {"dev": {"f1": dev}, "test": {"f1": dev - 0.1}, "steps": 1, "seconds": 1.0, "cpu_seconds": 1.0}
    return {"key": identity(settings), **settings, **scored}


def made_up(task: Task, teachers: Path, seeds: tuple[int, ...]) -> tuple[list[Trial], list[dict[str, Any]]]:
    """A grid and rows for it. On dev alpha 0.1, epsilon 0.3 and threshold 0.5 are best."""
    configs = grid(
        BASE,
        ["none", "sigmoid", "vat", "uda", "distillation"],
        [0.0, 0.1, 1.0],
        [0.2],
        seeds,
        epsilon=[0.1, 0.3],
        temperature=[1.0, 2.0],
        threshold=[0.5, 0.8],
        divide=["all", "confident"],
    )
    trials = [Trial(task, MODEL, config, teachers / f"teacher-{config.seed}") for config in configs]

    def dev(c: TrainingConfig) -> float:
        return 0.5 + 0.1 * (c.alpha == 0.1) + 0.1 * (c.epsilon == 0.3) - 0.1 * (c.threshold == 0.8) + 0.01 * c.seed

    return trials, [row(trial, dev(trial.config)) for trial in trials]


class TestStatistics:
    def test_methods_are_compared_although_each_has_its_own_settings_sentences_and_teachers(
        self, task: Task, teachers: Path
    ):
        _, rows = made_up(task, teachers, (0, 1))
        assert len(groups(rows)) == 1
        summaries = {summary.method: summary for summary in summarise(rows)}
        assert set(summaries) == {
            *("none", "two views", "sigmoid", "vat", "uda, by all", "uda, by confident"),
            *("distillation, T = 1", "distillation, T = 2"),
        }
        assert summaries["vat"].own["epsilon"] == 0.3
        assert summaries["vat"].tried == 4
        assert summaries["vat"].alpha == 0.1
        assert summaries["uda, by all"].own["threshold"] == 0.5
        assert summaries["uda, by all"].tried == 8
        assert all(summary.test.keys() == {0, 1} for summary in summaries.values())
        difference = summaries["vat"].difference
        assert difference is not None
        assert difference.mean == pytest.approx(0.2)
        assert difference.pairs == 2
        left, _ = comparison_figure(rows).axes
        assert len(left.get_xticklabels()) == 8

    def test_students_of_two_teachers_are_not_one_run(self, task: Task, teachers: Path):
        trial = Trial(task, MODEL, replace(BASE, method="distillation"), teachers / "teacher-0")
        with pytest.raises(ValueError, match="two rows of distillation, T = 1 with seed 0"):
            variants([row(trial, 0.5), row(replace(trial, teacher=teachers / "teacher-1"), 0.6)])

    def test_dev_chooses_one_variant_of_each_method_for_all_seeds(self, task: Task, teachers: Path):
        trials, rows = made_up(task, teachers, (0, 1))
        chosen = best_on_dev(trials, rows)
        assert len({label(row(trial, 0)) for trial in chosen}) == len(chosen) == 8
        for trial in chosen:
            config = trial.config
            assert config.alpha == (0 if label(row(trial, 0)) in ("none", "two views") else 0.1)
            assert config.method != "vat" or config.epsilon == 0.3
            assert config.method != "uda" or config.threshold == 0.5
        elsewhere = [replace(trial, task=replace(task, name="other")) for trial in trials]
        assert len(best_on_dev([*trials, *elsewhere], [*rows, *rows])) == 16


class TestRows:
    def test_a_row_of_uda_names_its_sentences(self, task: Task, tmp_path: Path):
        config = replace(BASE, method="uda", threshold=0.0)
        (found,) = compare([Trial(task, MODEL, config)], tmp_path / "rows.jsonl")
        assert found["config"]["unlabelled"]["sentences"] == len(UNLABELLED)
        assert found["config"]["threshold"] == 0.0
        assert found["history"]["divergence"][0] > 0
        assert found["corpus"] == Trial(task, MODEL, BASE).settings()["corpus"]  # what none is paired with

    def test_a_row_of_distillation_tells_of_teacher_and_student(self, task: Task, teachers: Path, tmp_path: Path):
        config = replace(BASE, method="distillation", temperature=math.inf)
        trial = Trial(task, MODEL, config, teachers / "teacher-0")
        (found,) = compare([trial], tmp_path / "rows.jsonl")
        teacher = Tagger.load(teachers / "teacher-0")
        assert found["key"] == identity({name: found[name] for name in ("corpus", "model", "config")})
        assert found["config"]["temperature"] == "inf"
        assert found["config"]["teacher"] == found["teacher"]["weights"] == Teacher(teachers / "teacher-0").weights
        assert found["teacher"]["parameters"] == sum(p.numel() for p in teacher.parameters())
        assert found["teacher"]["parameters"] > found["parameters"] == MODEL.build(task, 0).num_parameters
        assert found["teacher"]["test"]["f1"] == evaluate(teacher, task.parts()["test"]).f1
        assert found["teacher"]["folder"] == str(teachers / "teacher-0")
        assert label(found) == "distillation, T = inf"

    def test_a_run_without_these_methods_has_the_settings_of_before(self, task: Task, teachers: Path):
        config = Trial(task, MODEL, BASE, teachers / "teacher-0").settings()["config"]
        assert config.keys() == {*TrainingConfig.names()} - {*own_settings()} - {"device", "checkpoint_seconds"}
