"""Grids of runs: what they are named by, what survives a kill, what the statistics say."""

from __future__ import annotations

import math
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from gpkl_lib._storage import locked, read_rows
from gpkl_lib.cli import main
from gpkl_lib.corpora import toy_corpus, write_jsonl
from gpkl_lib.experiments.plots import comparison_figure
from gpkl_lib.experiments.records import identity, processor_name, read_counts, sentence_counts
from gpkl_lib.experiments.runner import ModelConfig, Task, Trial, compare, grid
from gpkl_lib.experiments.summary import by_method, groups, summarise, variants
from gpkl_lib.experiments.tables import in_words
from gpkl_lib.training.history import History
from gpkl_lib.training.loop import TrainingConfig

BASE = TrainingConfig(epochs=2, batch_size=8, learning_rate=0.01, device="cpu")
MODEL = ModelConfig(hidden_size=16)
RESULTS = Path(__file__).parents[2] / "book/_results"


@pytest.fixture(scope="module")
def task() -> Task:
    return Task("toy", toy_corpus(24), toy_corpus(8, split="dev"), toy_corpus(8, split="test"))


def trials(task: Task, *seeds: int) -> list[Trial]:
    """`none` and `sigmoid`, one after the other."""
    return [Trial(task, MODEL, config) for config in grid(BASE, ["none", "sigmoid"], [1.0], [0.0], seeds)]


def measured(row: dict[str, Any]) -> dict[str, Any]:
    """A row without what differs from one time to the next."""
    return {
        name: value for name, value in row.items() if name not in ("seconds", "cpu_seconds", "resumed", "provenance")
    }


class TestGrid:
    def test_has_every_combination_once_and_no_weight_for_none(self):
        configs = grid(BASE, ["none", "sigmoid", "softmax"], [0.1, 1.0], [0.0, 0.5], [3, 4])
        cells = [(c.method, c.alpha, c.alpha_warmup, c.seed) for c in configs]
        weighted = [(m, a, w) for m in ("sigmoid", "softmax") for w in (0.0, 0.5) for a in (0.1, 1.0)]
        assert cells == [(*cell, seed) for cell in [("none", 0.0, 0.0), *weighted] for seed in (3, 4)]
        assert all(replace(c, method="none", alpha=1.0, alpha_warmup=0.2, seed=0) == BASE for c in configs)

    def test_two_views_without_weight_stand_once(self):
        configs = grid(BASE, ["softmax", "sigmoid"], [0.0, 1.0], [0.0, 0.5], [0])
        assert [(c.method, c.alpha_warmup) for c in configs if c.alpha == 0] == [("softmax", 0.0)]
        assert len(configs) == 1 + 2 * 2

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            ((["none"], [], [0.0], [1, 1]), "seeds must be distinct"),
            ((["sigmoid"], [], [0.0], [1]), "at least one alpha"),
            ((["sigmoid"], [-1.0], [0.0], [1]), "alpha must be not negative"),
        ],
    )
    def test_refuses_what_makes_no_grid(self, arguments: Any, message: str):
        with pytest.raises(ValueError, match=message):
            grid(BASE, *arguments)


class TestIdentity:
    def test_every_setting_names_the_run_but_those_that_change_no_number(self, task: Task):
        def key(trial: Trial) -> str:
            return identity(trial.settings())

        trial = Trial(task, MODEL, BASE)
        other_dev = replace(task, dev=toy_corpus(8, split="dev", seed=1))
        others = [
            replace(trial, config=replace(BASE, **{name: value}))
            for name, value in {"seed": 1, "alpha": 0.5, "epochs": 3, "learning_rate": 0.02, "patience": 2}.items()
        ]
        others += [
            replace(trial, model=replace(MODEL, dropout=0.1)),
            replace(trial, task=replace(task, train=task.train[:10])),
            replace(trial, task=other_dev),
            replace(trial, task=replace(task, test=None)),
        ]
        assert len({key(trial), *map(key, others)}) == 1 + len(others)
        assert key(replace(trial, config=replace(BASE, device="auto", checkpoint_seconds=1.0))) == key(trial)

    def test_does_not_depend_on_the_order_of_the_settings(self):
        assert identity({"a": 1, "b": {"c": 2, "d": 3}}) == identity({"b": {"d": 3, "c": 2}, "a": 1})
        with pytest.raises(ValueError, match="JSON"):
            identity({"a": math.nan})


class TestRecords:
    def test_counts_of_sentences(self):
        found = [[("A", 0, 1), ("A", 0, 1), ("B", 0, 2)], [], [("A", 1, 2)]]
        gold = [[("A", 0, 1)], [("A", 0, 1)], [("A", 1, 2), ("B", 1, 2)]]
        row = {"key": "k", "test": {"sentences": sentence_counts(found, gold)}}
        assert read_counts(row) == [[1, 0, 1], [2, 0, 1], [1, 1, 2]]
        with pytest.raises(ValueError, match="row k has no counts of its test sentences"):
            read_counts({"key": "k", "test": None})

    def test_the_processor_is_named(self, tmp_path: Path):
        (tmp_path / "cpuinfo").write_text("processor\t: 0\nmodel\t: 2\nmodel name\t: A B 7\nmodel name\t: C\n")
        assert processor_name(tmp_path / "cpuinfo") == "A B 7"
        assert processor_name(tmp_path / "none") != ""

    def test_a_broken_line_elsewhere_is_named_and_nothing_is_touched(self, task: Task, tmp_path: Path):
        path = tmp_path / "rows.jsonl"
        path.write_text('{"key": 1}\n{"key": \n{"key": 2}\n')
        with pytest.raises(ValueError, match=r"rows\.jsonl:2: expected one JSON object"):
            compare(trials(task, 0), path)
        assert path.read_text() == '{"key": 1}\n{"key": \n{"key": 2}\n'

    def test_two_processes_do_not_write_to_one_file(self, task: Task, tmp_path: Path):
        with locked(tmp_path / "rows.jsonl.runs/lock"), pytest.raises(BlockingIOError):
            compare(trials(task, 0), tmp_path / "rows.jsonl")
        assert not (tmp_path / "rows.jsonl").exists()


class TestCompare:
    def test_a_row_says_what_was_run_where_and_what_came_out(self, task: Task, tmp_path: Path):
        rows = compare(trials(task, 5), tmp_path / "rows.jsonl", command="gpkl compare ...")
        assert rows == read_rows(tmp_path / "rows.jsonl")
        assert not (tmp_path / "rows.jsonl.runs").exists()
        row = rows[1]
        assert row["config"]["method"] == "sigmoid"
        assert row["config"]["seed"] == 5
        assert row["corpus"]["train"] == {"sha256": task.train.sha256, "sentences": 24}
        assert row["sources"]["test"] == task.test.name if task.test else None
        assert row["steps"] == 6
        assert row["seconds"] > 0
        assert row["cpu_seconds"] > 0
        assert len(row["history"]["f1"]) == 2
        assert max(row["history"]["f1"]) == pytest.approx(row["dev"]["f1"], rel=1e-5)
        assert row["test"]["gold"] == sum(len(s.spans) for s in toy_corpus(8, split="test"))
        assert set(row["test"]["types"]) == set(task.types)
        correct, predicted, gold = read_counts(row)
        assert gold == [len(s.spans) for s in toy_corpus(8, split="test")]
        assert [sum(correct), sum(predicted)] == [row["test"]["correct"], row["test"]["predicted"]]
        assert row["parameters"] == MODEL.build(task, 5).num_parameters
        origin = row["provenance"]
        assert origin["command"] == "gpkl compare ..."
        assert origin["versions"] == {
            "gpkl_lib": origin["versions"]["gpkl_lib"],
            "torch": torch.__version__,
            "numpy": np.__version__,
            "python": sys.version.split()[0],
        }
        assert origin["threads"] == 1
        assert origin["device"].startswith("cpu: ")
        assert origin["processor"] == processor_name() != ""
        git = subprocess.run(["git", "rev-parse", "HEAD"], cwd=Path(__file__).parent, capture_output=True, text=True)
        if git.returncode == 0:
            assert origin["commit"] == git.stdout.strip()
            assert isinstance(origin["dirty"], bool)

    def test_methods_begin_with_the_same_weights(self, task: Task):
        first, second = (MODEL.build(task, 3).state_dict() for _ in range(2))
        other = MODEL.build(task, 4).state_dict()
        assert all(torch.equal(first[name], second[name]) for name in first)
        assert not all(torch.equal(first[name], other[name]) for name in first)

    def test_a_run_cut_off_goes_on_from_its_checkpoint(
        self, task: Task, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ):
        trial = trials(task, 0)[1]
        (whole,) = compare([trial], tmp_path / "whole.jsonl")
        append = History.append

        def stop_after_the_first_epoch(self: History, row: dict[str, Any], folder: Path | None) -> None:
            if row["epoch"] == 2:
                raise KeyboardInterrupt
            append(self, row, folder)

        monkeypatch.setattr(History, "append", stop_after_the_first_epoch)
        with pytest.raises(KeyboardInterrupt):
            compare([trial], tmp_path / "rows.jsonl")
        monkeypatch.undo()
        assert not (tmp_path / "rows.jsonl").exists()
        (row,) = compare([trial], tmp_path / "rows.jsonl")
        assert row["resumed"]
        assert not whole["resumed"]
        assert measured(row) == measured(whole)


@pytest.mark.slow
def test_killed_at_any_moment_two_processes_end_with_the_rows_of_one(tmp_path: Path):
    words = ["--epochs", "4", "--hidden-size", "16", "--seeds", "0", "1", "--device", "cpu"]
    words += ["--methods", "none", "sigmoid", "--alphas", "1"]
    for part, size in (("train", 24), ("dev", 8), ("test", 8)):
        write_jsonl(tmp_path / f"{part}.jsonl", toy_corpus(size, split=part))
        words += [f"--{part}", str(tmp_path / f"{part}.jsonl")]

    def begin(output: Path) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "gpkl_lib", "compare", *words, "--jobs", "2", "--output", str(output)]
        return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    killed, whole = tmp_path / "killed.jsonl", tmp_path / "whole.jsonl"
    process = begin(killed)
    deadline = time.monotonic() + 1800  # a guard against a process that hangs
    while not (killed.exists() and killed.read_bytes().count(b"\n")):  # at least one row, and a run under way
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.01)
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    workers = [int(pid) for pid in children.read_text().split()] if children.exists() else []
    process.send_signal(signal.SIGKILL)
    process.wait()
    while any(Path(f"/proc/{pid}/stat").exists() for pid in workers):  # no worker outlives the parent
        assert time.monotonic() < deadline, "a worker goes on although its parent was killed"
        time.sleep(0.01)
    before = killed.read_bytes()
    with killed.open("ab") as file:
        file.write(b'{"key": "half a r')
    assert main(["compare", *words, "--jobs", "2", "--output", str(killed)]) == 0
    assert killed.read_bytes().startswith(before)
    assert main(["compare", *words, "--output", str(whole)]) == 0  # in one process, which must make no difference
    rows = [{row["key"]: measured(row) for row in read_rows(path)} for path in (killed, whole)]
    assert len(read_rows(killed)) == 4
    assert rows[0] == rows[1]


class TestStatistics:
    @staticmethod
    def row(method: str, alpha: float, seed: int, dev: float, test: float | None, **other: Any) -> dict[str, Any]:
        config = {"method": method, "alpha": alpha, "alpha_warmup": 0.0, "seed": seed, "epochs": 2, **other}
        scored = None if test is None else {"f1": test}
        head = {"corpus": {"name": "c"}, "model": {}, "config": config, "dev": {"f1": dev}, "test": scored}
        return {**head, "steps": 10, "seconds": 2.0, "cpu_seconds": 1.0}

    def test_dev_chooses_the_weight_and_test_is_reported(self):
        rows = [self.row("none", 0, seed, 0.5, 0.4 + seed / 100) for seed in (0, 1)]
        rows += [self.row("sigmoid", 0.1, seed, 0.6, 0.9) for seed in (0, 1)]
        rows += [self.row("sigmoid", 1.0, seed, 0.7, 0.45 + seed / 100) for seed in (0, 1)]  # best on dev, not on test
        rows += [self.row("sigmoid", 3.0, 0, 0.9, 0.9)]  # best of all, but one seed is missing
        rows += [self.row("softmax", 0.0, seed, 0.8, 0.3) for seed in (0, 1)]
        none, sigmoid, views = summarise(rows)
        assert (none.method, none.difference) == ("none", None)
        assert (sigmoid.alpha, sigmoid.tried) == (1.0, 2)
        assert sigmoid.test == {0: 0.45, 1: 0.46}
        assert sigmoid.difference is not None
        assert sigmoid.difference.mean == pytest.approx(0.05)
        assert views.method == "two views"

    def test_a_grid_tuned_on_few_seeds_counts_whole(self):
        rows = [self.row("none", 0, seed, 0.5, 0.4) for seed in range(5)]
        for alpha, dev in ((0.1, 0.6), (0.3, 0.7), (1.0, 0.65)):
            rows += [self.row("sigmoid", alpha, seed, dev, alpha) for seed in (0, 1)]
        rows += [self.row("sigmoid", 0.3, seed, 0.2, 0.3) for seed in (2, 3, 4)]  # worse than it looked in tuning
        none, sigmoid = summarise(rows)
        assert (sigmoid.alpha, sigmoid.tried, sigmoid.tuning_seeds) == (0.3, 3, 2)
        assert sigmoid.test == dict.fromkeys(range(5), 0.3)
        assert (none.tried, none.tuning_seeds) == (1, 5)
        _, sigmoid = summarise([row for row in rows if row["config"]["seed"] != 1])  # tuned on one seed
        assert (sigmoid.alpha, sigmoid.tried, sigmoid.tuning_seeds) == (0.3, 3, 1)

    def test_without_a_test_part_dev_is_compared(self):
        rows = [self.row(m, a, seed, 0.5 + a, None) for m, a in (("none", 0.0), ("sigmoid", 0.1)) for seed in (0, 1)]
        difference = summarise(rows)[1].difference
        assert difference is not None
        assert difference.mean == pytest.approx(0.1)

    def test_only_runs_alike_but_for_method_weight_and_seed_are_compared(self):
        rows = [
            self.row("none", 0, 0, 0.5, 0.4),
            self.row("sigmoid", 1, 1, 0.5, 0.4),
            self.row("none", 0, 0, 1, 1, epochs=4),
        ]
        assert [len(group) for group in groups(rows)] == [2, 1]

    def test_seeds_with_data_of_their_own_are_one_group_and_a_seed_has_one_data_set(self):
        def drawn(method: str, seed: int, digest: str) -> dict[str, Any]:
            train = {"sha256": digest, "sentences": 8}
            return {**self.row(method, 0, seed, 0.5, 0.4), "corpus": {"name": "c", "draw": "seed", "train": train}}

        rows = [drawn(method, seed, f"data {seed}") for method in ("none", "softmax") for seed in (0, 1)]
        assert [len(group) for group in groups(rows)] == [4]
        with pytest.raises(ValueError, match="seed 1 of c has two data sets"):
            groups([*rows, drawn("squared", 1, "others")])
        first = [{**row, "corpus": {k: v for k, v in row["corpus"].items() if k != "draw"}} for row in rows]
        assert [len(group) for group in groups(first)] == [2, 2]

    def test_unlabelled_sentences_of_each_seeds_own_are_one_variant(self):
        def drawn(seed: int, contents: str, **corpus: str) -> dict[str, Any]:
            row = self.row("vat-unlabelled", 1, seed, 0.5 + seed / 100, 0.4)
            row["config"]["unlabelled"] = {"contents": contents, "sentences": 8}
            return {**row, "corpus": {"name": "c", "train": {"sentences": 8}, **corpus}}

        rows = [drawn(seed, f"of {seed}", draw="seed") for seed in (0, 1, 2)]
        assert [sorted(runs) for runs in variants(rows).values()] == [[0, 1, 2]]
        shared = [drawn(seed, f"of {seed}") for seed in (0, 1, 2)]
        assert len(variants(shared)) == 3, "other sentences for all seeds: another variant"

    def test_an_arm_has_settings_of_its_own_and_the_variant_that_dev_chose(self):
        rows = [{**self.row("none", 0, seed, 0.5, 0.4), "arm": "plain"} for seed in (0, 1)]
        for epochs, dev in ((3, 0.6), (4, 0.7)):
            rows += [{**self.row("none", 0, seed, dev, dev, epochs=epochs), "arm": "longer"} for seed in (0, 1)]
        found = by_method(rows, baseline="plain")
        assert found["longer"].test == {0: 0.7, 1: 0.7}
        assert (found["longer"].tried, found["plain"].tried) == (2, 1)
        assert found["longer"].difference is not None
        assert found["longer"].difference.mean == pytest.approx(0.3)

    def test_what_is_asked_for_is_one_comparison(self):
        rows = [self.row(m, 0, seed, 0.5, 0.4 + seed / 100) for m in ("none", "sigmoid") for seed in range(3)]
        assert by_method(rows)["two views"].verdict is not None
        with pytest.raises(ValueError, match="got 2 comparisons: 6 rows on c, 1 rows on c"):
            by_method([*rows, self.row("none", 0, 0, 0.5, 0.4, epochs=4)])
        with pytest.raises(ValueError, match="got 0 comparisons: no row"):
            by_method([])

    def test_a_verdict_counts_the_comparisons_of_its_table(self):
        noise = [0.01, -0.01, 0.02, -0.02, 0.0]
        rows = [self.row("none", 0, seed, 0.5, 0.4) for seed in range(5)]
        rows += [self.row("sigmoid", 1, seed, 0.5, 0.42 + noise[seed]) for seed in range(5)]
        alone = by_method(rows)["sigmoid"]
        rows += [self.row(m, 1, seed, 0.5, 0.4 + noise[seed] / 2) for m in ("softmax", "squared") for seed in range(5)]
        among = by_method(rows)["sigmoid"]
        assert alone.verdict is not None
        assert among.verdict is not None
        assert alone.difference == among.difference
        assert among.verdict.p == pytest.approx(3 * alone.verdict.p)
        assert in_words(alone.verdict) == "better (p = 0.047)"
        assert in_words(among.verdict) == "undecided (0.027 or more would be seen)"
        rows = [self.row("none", 0, seed, 0.5, 0.4) for seed in range(5)]
        rows += [self.row("sigmoid", 1, seed, 0.5, 0.4 + noise[seed] / 20) for seed in range(5)]
        verdict = by_method(rows)["sigmoid"].verdict
        assert verdict is not None
        assert in_words(verdict) == "equivalent within 0.005"

    def test_the_figure_draws_every_seed(self):
        rows = [self.row("none", 0, seed, 0.5, 0.4 + seed / 100) for seed in range(5)]
        rows += [self.row("sigmoid", a, seed, 0.6 + a, 0.5) for seed in range(5) for a in (0.1, 0.3, 1.0)]
        left, right = comparison_figure(rows).axes
        assert [len(points.get_offsets()) for points in left.collections if len(points.get_offsets()) > 1] == [5, 5]
        assert sum(len(points.get_offsets()) for points in right.collections) == 15
        assert left.get_ylabel() == "F1 on test"


RECORDS = sorted(path for path in RESULTS.glob("*.jsonl") if not path.stem.startswith("tiled-"))  # those are benchmarks
COMPARED = [path for path in RECORDS if "gpkl compare" in read_rows(path)[0]["provenance"]["command"]]


@pytest.mark.parametrize("path", RECORDS, ids=lambda path: path.stem)
def test_every_record_is_whole_and_says_where_it_comes_from(path: Path):
    rows = read_rows(path)
    assert rows
    assert len({row["key"] for row in rows}) == len(rows)
    for row in rows:
        origin = row["provenance"]
        assert origin["commit"]
        assert not origin["dirty"]
        assert origin["command"].split()[0] in ("gpkl", "python", "make")
        assert {"versions", "device"} <= set(origin)
        assert isinstance(row.get("seconds"), dict) or row.get("seconds", 1) > 0  # costs have seconds by method


@pytest.mark.parametrize("path", COMPARED, ids=lambda path: path.stem)
def test_records_of_comparisons_have_their_keys_and_sum_up(path: Path):
    rows = read_rows(path)
    for row in rows:
        assert row["key"] == identity({name: row[name] for name in ("corpus", "model", "config")})
        assert row["provenance"]["command"].startswith("gpkl compare ")
        assert row["seconds"] > 0
        assert row["cpu_seconds"] > 0
    for summary in summarise(rows):
        assert summary.steps > 0


def test_the_comparisons_are_found():
    assert {path.stem for path in COMPARED} >= {
        "corpora-alpha",
        "toy-alpha",
        "toy-short",
        "toy-small",
        "germeval2014",
    }
