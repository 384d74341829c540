"""A comparison on a Dask cluster: the rows of one machine, whatever happens to the workers."""

from __future__ import annotations

import os
import signal
import time
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from gpkl_lib import cli
from gpkl_lib._storage import read_rows
from gpkl_lib.corpora import toy_corpus
from gpkl_lib.experiments.engines import run_on
from gpkl_lib.experiments.records import identity
from gpkl_lib.experiments.runner import ModelConfig, Task, Trial, compare, grid
from gpkl_lib.training import METHODS, TrainingConfig, TrainingError

pytestmark = pytest.mark.skipif(find_spec("distributed") is None, reason="needs the extra dask")

BASE = TrainingConfig(epochs=2, batch_size=8, learning_rate=0.01, device="cpu")
DIFFERENT = ("seconds", "cpu_seconds", "resumed", "provenance")


def trials(*seeds: int, base: TrainingConfig = BASE) -> list[Trial]:
    """`none` and `sigmoid` on two corpora of one size."""
    model = ModelConfig(hidden_size=16)
    tasks = [Task(f"toy{n}", toy_corpus(24, seed=n), toy_corpus(8, split="dev", seed=n)) for n in (0, 1)]
    configs = grid(base, ["none", "sigmoid"], [1.0], [0.0], seeds)
    return [Trial(task, model, config) for task in tasks for config in configs]


def measured(row: dict[str, Any]) -> dict[str, Any]:
    """A row without what differs from one time to the next."""
    return {name: value for name, value in row.items() if name not in DIFFERENT}


@pytest.fixture
def one_worker():
    """A client of a worker in this process."""
    import distributed

    options = {"n_workers": 1, "processes": False, "dashboard_address": None}
    with (
        distributed.LocalCluster(threads_per_worker=1, **options) as cluster,
        distributed.Client(cluster, set_as_default=False) as client,
    ):
        yield client


def test_rows_and_keys_are_those_of_one_machine(one_worker: Any, tmp_path: Path):
    here, there = tmp_path / "here.jsonl", tmp_path / "there.jsonl"
    compare(trials(0)[:1], there)  # one that another call made
    said: list[str] = []
    rows = compare(trials(0), there, client=one_worker, command="gpkl compare ...", report=said.append)
    assert list(map(measured, rows)) == list(map(measured, compare(trials(0), here)))
    assert {row["key"] for row in read_rows(there)} == {row["key"] for row in rows}
    assert [line[:5] for line in said[1:]] == ["[1/3]", "[2/3]", "[3/3]"]
    assert {row["provenance"]["threads"] for row in read_rows(there)} == {1}
    assert read_rows(there)[1]["provenance"]["command"] == "gpkl compare ..."
    assert sorted(path.name for path in tmp_path.iterdir()) == ["here.jsonl", "there.jsonl"]


def test_a_row_comes_as_its_run_ends(one_worker: Any, tmp_path: Path):
    """The second run ends only when somebody has seen the row of the first."""

    def run(trial: Trial, folder: Path) -> dict[str, Any]:
        assert folder.parent.is_dir()
        assert not folder.exists()
        first = not (tmp_path / "begun").exists()
        (tmp_path / "begun").touch()
        for _ in range(0 if first else 600):
            if (tmp_path / "seen").exists():
                break
            time.sleep(0.1)
        return {"seen": (tmp_path / "seen").exists()}

    two = {identity(trial.settings()): trial for trial in trials(0)[:2]}
    found = run_on(one_worker, two, run)
    key, row = next(found)
    assert row == {"seen": False}
    (tmp_path / "seen").touch()
    assert list(found) == [(({*two} - {key}).pop(), {"seen": True})]


def test_what_a_run_raises_ends_the_comparison(one_worker: Any, monkeypatch: pytest.MonkeyPatch):
    def run(trial: Trial, folder: Path) -> dict[str, Any]:
        raise TrainingError("not finite in step 3")

    trial = trials(0)[0]
    with pytest.raises(TrainingError, match="not finite in step 3"):
        list(run_on(one_worker, {identity(trial.settings()): trial}, run))
    with pytest.raises(TrainingError, match="has another version of gpkl-lib"):
        list(run_on(one_worker, {"0123": trial}, run))
    others = {name: method for name, method in METHODS.items() if name != "none"}
    monkeypatch.setattr("gpkl_lib.experiments.engines.METHODS", others)  # the registry itself keeps its order
    with pytest.raises(TrainingError, match="does not know method 'none': start the workers with --preload"):
        list(run_on(one_worker, {"0123": trial}, run))


def test_a_worker_of_two_threads_is_refused(tmp_path: Path):
    import distributed

    options = {"n_workers": 1, "processes": False, "dashboard_address": None}
    with (
        distributed.LocalCluster(threads_per_worker=2, **options) as cluster,
        distributed.Client(cluster) as client,
        pytest.raises(TrainingError, match=r"has 2 threads, .* start each worker with --nthreads 1"),
    ):
        compare(trials(0), tmp_path / "rows.jsonl", client=client)


class TestCommand:
    WORDS = (
        "compare",
        "--toy-size",
        "12",
        "--epochs",
        "1",
        "--hidden-size",
        "8",
        "--seeds",
        "0",
        "1",
        "--device",
        "cpu",
    )

    def test_takes_an_address(self, one_worker: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
        pytest.importorskip("matplotlib", reason="needs the extra train")
        address, output = one_worker.scheduler.address, tmp_path / "rows.jsonl"
        words = [*self.WORDS, "--methods", "none", "--dask", address, "--output", str(output)]
        assert cli.main(words) == 0
        assert f"{address}: 1 workers" in capsys.readouterr().err
        assert sorted(row["config"]["seed"] for row in read_rows(output)) == [0, 1]

    @pytest.mark.parametrize(
        ("more", "message"),
        [
            (("--jobs", "2", "--dask", "tcp://127.0.0.1:1"), "with --dask the workers are as many as there are"),
            (("--dask", "tcp://127.0.0.1:1"), "no Dask scheduler answers at tcp://127.0.0.1:1"),
            (("--dask", "nowhere://x"), "no Dask scheduler answers at nowhere://x"),
        ],
    )
    def test_says_what_is_wrong(self, more: Any, message: str, tmp_path: Path, capsys: Any, monkeypatch: Any):
        monkeypatch.setattr("gpkl_lib.experiments.engines.WAIT", 0.5)
        assert cli.main([*self.WORDS, *more, "--output", str(tmp_path / "rows.jsonl")]) == 2
        assert message in capsys.readouterr().err


def known(key: str, dask_scheduler: Any = None) -> bool:
    """Whether the scheduler keeps the result of a run."""
    return any(name.endswith(key) for name in dask_scheduler.tasks)


@pytest.mark.slow
def test_a_worker_killed_costs_its_run_and_nothing_else(tmp_path: Path):
    """Of two workers, one that has a finished run behind it and another one under way is killed."""
    import distributed

    four = trials(0, base=replace(BASE, epochs=10))
    options = {"n_workers": 2, "threads_per_worker": 1, "processes": True, "dashboard_address": None}
    killed: dict[str, str] = {}
    with distributed.LocalCluster(**options) as cluster, distributed.Client(cluster) as client:

        def ended() -> list[tuple[str, str]]:
            """(key, worker) of the runs that have ended so far."""
            tasks = [task for task in client.get_task_stream() if task["key"].startswith("gpkl-run-")]
            return [(task["key"].rpartition("-")[2], task["worker"]) for task in tasks]

        def kill(line: str) -> None:
            if line.startswith("[1/4]"):
                ((key, worker),) = ended()
                for _ in range(50):  # the scheduler forgets a row that is here: it would have it made again
                    if not client.run_on_scheduler(known, key):
                        break
                    time.sleep(0.1)
                else:
                    raise AssertionError("the scheduler would make the first row again")
                (under_way,) = client.processing()[worker]
                os.kill(client.run(os.getpid)[worker], signal.SIGKILL)
                killed[under_way.rpartition("-")[2]] = worker

        assert ended() == []  # and from now on they are noted
        rows = compare(four, tmp_path / "rows.jsonl", client=client, report=kill)
        assert sorted(key for key, _ in ended()) == sorted(identity(trial.settings()) for trial in four)  # each once
        ((key, worker),) = killed.items()
        assert dict(ended())[key] != worker
    assert sorted(path.name for path in tmp_path.iterdir()) == ["rows.jsonl"]
    assert {row["key"] for row in read_rows(tmp_path / "rows.jsonl")} == {row["key"] for row in rows}
    assert list(map(measured, rows)) == list(map(measured, compare(four, tmp_path / "here.jsonl")))


@pytest.mark.slow
def test_a_run_that_kills_its_workers_ends_the_comparison(tmp_path: Path):
    import dask
    import distributed

    options = {"n_workers": 1, "threads_per_worker": 1, "processes": True, "dashboard_address": None}

    def run(trial: Trial, folder: Path) -> dict[str, Any]:
        os.kill(os.getpid(), signal.SIGKILL)
        return {}

    trial = trials(0)[0]
    once = dask.config.set({"distributed.scheduler.allowed-failures": 0})
    with once, distributed.LocalCluster(**options) as cluster, distributed.Client(cluster) as client:
        with pytest.raises(TrainingError, match="workers died under one run again and again"):
            list(run_on(client, {identity(trial.settings()): trial}, run))
        rows = compare([trial], tmp_path / "rows.jsonl", client=client)  # the cluster is whole again
    assert len(rows) == 1


@pytest.mark.slow
def test_a_scheduler_that_ends_says_so(tmp_path: Path):
    import distributed

    options = {"n_workers": 1, "threads_per_worker": 1, "processes": True, "dashboard_address": None}
    four = trials(0, base=replace(BASE, epochs=5))
    with distributed.LocalCluster(**options) as cluster, distributed.Client(cluster) as client:

        def end(line: str) -> None:
            if line.startswith("[1/4]"):
                cluster.close()

        with pytest.raises(TrainingError, match="the Dask scheduler is gone"):
            compare(four, tmp_path / "rows.jsonl", client=client, report=end)
    assert len(read_rows(tmp_path / "rows.jsonl")) == 1
