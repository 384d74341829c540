"""Runs on other machines: an existing Dask cluster computes them, one at a time in each of its worker processes."""

from __future__ import annotations

import contextlib
import os
import tempfile
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from gpkl_lib._optional import optional
from gpkl_lib._storage import Row
from gpkl_lib.experiments.records import identity
from gpkl_lib.experiments.trials import Task, Trial
from gpkl_lib.training import METHODS, TrainingError

Run = Callable[[Trial, Path], Row]
WAIT = 20.0
"""Seconds in which the scheduler must answer."""


@contextmanager
def dask_client(address: str, report: Callable[[str], None]) -> Iterator[Any]:
    """A client of the scheduler at `address`, "tcp://host:8786" for example; `report` is told of its workers.

    Raises:
        ModuleNotFoundError: distributed is missing; the message names the extra.
        TrainingError: no scheduler answers there.

    Example:
        >>> from distributed import LocalCluster
        >>> said = []
        >>> with LocalCluster(n_workers=1, processes=False, dashboard_address=":0") as cluster:
        ...     with dask_client(cluster.scheduler_address, said.append) as client:
        ...         client.submit(sum, [1, 2]).result()
        3
        >>> said[0].endswith("1 workers")
        True
    """
    distributed = optional("distributed", "dask", "a comparison on a Dask cluster")
    try:
        client = distributed.Client(address, timeout=WAIT, set_as_default=False)
    except (OSError, ValueError) as error:
        raise TrainingError(f"no Dask scheduler answers at {address}: {error}") from error
    with client:
        workers = len(client.scheduler_info(n_workers=-1)["workers"])
        report(f"{address}: {workers} workers" + ("" if workers else "; the runs wait for the first"))
        yield client


def run_on(client: Any, trials: Mapping[str, Trial], run: Run) -> Iterator[tuple[str, Row]]:
    """(key, row) of each trial, in the order in which they end on the workers of a `distributed.Client`.

    A run that was under way on a worker that died begins anew on another one. What has been yielded never does.

    Args:
        client: connected; its workers have this library in this version, and one thread each.
        trials: by the key that names their row.
        run: what makes a row, in a folder of the worker's.

    Raises:
        TrainingError: one run was under way on several workers that died; the scheduler is gone; a worker has
            more than one thread or another version. And whatever a run itself raises.
    """
    distributed = optional("distributed", "dask", "a comparison on a Dask cluster")
    mark = uuid.uuid4().hex  # another client may ask the same scheduler for the same runs
    # A corpus travels once, as the result of a task, which the scheduler can make again; scattered, it could be lost.
    tasks = {id(trial.task): trial.task for trial in trials.values()}
    corpora = {name: client.submit(_same, task, key=f"gpkl-corpus-{mark}-{name}") for name, task in tasks.items()}
    names = {}
    for key, trial in trials.items():
        alone: Any = replace(trial, task=None)  # type: ignore[arg-type]
        arguments = (corpora[id(trial.task)], alone, key, run, os.getcwd())
        names[client.submit(_on_worker, *arguments, key=f"gpkl-run-{mark}-{key}")] = key
    ended = distributed.as_completed(list(names), loop=client.loop)  # of this client, whatever the default one
    try:
        for future in ended:
            row = future.result()
            key = names.pop(future)
            future.release()  # else the scheduler would have it made again if its worker died
            yield key, row
    except distributed.KilledWorker as error:
        raise TrainingError(
            "workers died under one run again and again, most often for want of memory; what is finished is kept, and "
            "the same comparison goes on from there: start it again, with more memory for each worker"
        ) from error
    except (distributed.client.FutureCancelledError, distributed.comm.CommClosedError) as error:
        raise TrainingError(
            f"the Dask scheduler is gone ({error}); what is finished is kept, and the same comparison goes on from "
            "there: start it again"
        ) from error
    finally:
        with contextlib.suppress(Exception):  # the scheduler may be the one that failed
            client.cancel(list(names))


def _same(task: Task) -> Task:
    return task


def _on_worker(task: Task, alone: Trial, key: str, run: Run, place: str) -> Row:
    """The row of a trial, made in a temporary folder of this worker's and, if it is there, from the client's folder."""
    worker = optional("distributed", "dask", "a worker").get_worker()
    if worker.state.nthreads > 1:
        raise TrainingError(
            f"the Dask worker {worker.address} has {worker.state.nthreads} threads, in which runs would disturb each "
            "other: start each worker with --nthreads 1, and more of them"
        )
    if alone.config.method not in METHODS:
        raise TrainingError(
            f"the Dask worker {worker.address} does not know method {alone.config.method!r}: start the workers with "
            "--preload and the file that registers it"
        )
    trial = replace(alone, task=task)
    if identity(trial.settings()) != key:
        raise TrainingError(f"the Dask worker {worker.address} has another version of gpkl-lib than this process")
    here = contextlib.chdir(place) if Path(place).is_dir() else contextlib.nullcontext()  # --teacher, --encoder
    with tempfile.TemporaryDirectory(dir=worker.local_directory) as folder, here:
        return run(trial, Path(folder) / key)
