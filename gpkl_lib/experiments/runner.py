"""Experiments: methods x weights x seeds x corpora as a grid of runs that survives a kill and says where it came from.

A run is named by its whole configuration. Each finished run is one row of a JSONL file, on the disk before the next
one begins; a run that was cut off goes on from its own checkpoint. So the same command, started again, does what is
missing.
"""

from __future__ import annotations

import multiprocessing
import os
import shutil
import signal
import threading
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch

from gpkl_lib._storage import Row, append_row, locked, read_rows, repair
from gpkl_lib.corpora import Corpus
from gpkl_lib.experiments.engines import run_on
from gpkl_lib.experiments.records import identity, provenance, sentence_counts
from gpkl_lib.experiments.trials import ModelConfig, Task, Trial, best_on_dev, grid
from gpkl_lib.spans import SpanScores, span_scores
from gpkl_lib.tagger import Tagger
from gpkl_lib.training import LearningWarning, TrainingError, evaluate, fit

__all__ = ["ModelConfig", "Task", "Trial", "best_on_dev", "compare", "grid", "run_trial", "score_record"]


def compare(
    trials: Sequence[Trial],
    output: Path,
    *,
    jobs: int = 1,
    client: Any = None,
    command: str = "",
    report: Callable[[str], None] = lambda line: None,
) -> list[Row]:
    """Do the trials that `output` lacks, each on one thread; returns the rows of all of them, in their order.

    Args:
        trials: the grid.
        output: a JSONL file, appended to. Half-finished runs lie in the folder `output` + ".runs" until they are done.
        jobs: processes at a time.
        client: a `distributed.Client`, whose Dask workers do the trials in the place of this machine's processes; each
            has one thread, this library in this version and, by the same paths, the folders that the trials name.
        command: what a person types to make the rows again; stands in each of them.
        report: is told in a line what was repaired, skipped, and each result.

    Raises:
        ValueError: a broken line in `output` that is not its last, or rows of something else.
        BlockingIOError: another process is writing to `output`.
        TrainingError: a process of several jobs was killed; `client` lost its scheduler, or worker after worker.

    Example:
        >>> import tempfile
        >>> from pathlib import Path
        >>> from gpkl_lib.corpora import toy_corpus
        >>> from gpkl_lib.training import TrainingConfig
        >>> task = Task("toy", toy_corpus(8), toy_corpus(4, split="dev"))
        >>> base = TrainingConfig(epochs=1, device="cpu")
        >>> trials = [Trial(task, ModelConfig(hidden_size=8), each) for each in grid(base, ["none"], [0], [0], [0, 1])]
        >>> output = Path(tempfile.mkdtemp(), "mine.jsonl")
        >>> [row["config"]["seed"] for row in compare(trials, output)]  # what is there already is not run again
        [0, 1]
        >>> len(read_rows(output))
        2
    """
    folder = output.with_name(output.name + ".runs")
    keys = [identity(trial.settings()) for trial in trials]
    with locked(folder / "lock"):
        lost = repair(output)
        if lost is not None:
            report(
                f"{output}: the last row was cut off while it was written ({len(lost)} characters); running it again"
            )
        there = read_rows(output) if output.exists() else []
        if any("key" not in row for row in there):
            raise ValueError(f"{output} has other rows than a comparison's: choose another file for them")
        rows = {row["key"]: row for row in there}
        missing = {key: trial for key, trial in zip(keys, trials, strict=True) if key not in rows}
        if len(missing) < len(set(keys)):
            report(f"{output}: {len(set(keys)) - len(missing)} of {len(set(keys))} runs are there already")
        began = time.monotonic()
        for done, (key, row) in enumerate(_results(missing, folder, jobs, client), 1):
            row["provenance"]["command"] = command
            append_row(output, row)
            rows[key] = row
            shutil.rmtree(folder / key, ignore_errors=True)  # not there if another machine made the row
            left = (time.monotonic() - began) / done * (len(missing) - done)
            report(f"[{done}/{len(missing)}] {missing[key]}: {_in_words(row)}, {left / 60:.0f} min left")
    shutil.rmtree(folder)
    return [rows[key] for key in dict.fromkeys(keys)]


def run_trial(trial: Trial, folder: Path) -> Row:
    """Train in `folder`, going on from its checkpoint if it has one; score the best epoch on dev and test.

    `seconds` is the wall time of all epochs, `cpu_seconds` the processor time of all, training and scoring: the fairer
    measure on a machine that others use as well. After a kill (`resumed`) it lacks what was done before.

    Example:
        >>> import tempfile
        >>> from pathlib import Path
        >>> from gpkl_lib.corpora import toy_corpus
        >>> from gpkl_lib.training import TrainingConfig
        >>> task = Task("toy", toy_corpus(8), toy_corpus(4, split="dev"))
        >>> base = TrainingConfig(epochs=1, device="cpu")
        >>> row = run_trial(Trial(task, ModelConfig(hidden_size=8), base), Path(tempfile.mkdtemp(), "run"))
        >>> row["corpus"]["name"], row["dev"]["gold"] > 0
        ('toy', True)
    """
    resumed, began = folder.exists(), time.process_time()
    tagger = trial.model.build(trial.task, trial.config.seed)
    teacher = trial.taught_by
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", LearningWarning)  # the comparison says it of all its runs
        history = fit(
            tagger,
            trial.task.train,
            trial.task.dev,
            config=trial.config,
            unlabelled=trial.unlabelled,
            teacher=None if teacher is None else teacher.load(),
            output=folder,
            resume=resumed,
            progress=False,
        )
    dev = score_record(evaluate(tagger, trial.task.dev))
    test = None if trial.task.test is None else _tested(tagger, trial.task.test)
    seconds, settings = time.process_time() - began, trial.settings()
    return {
        "key": identity(settings),
        **({"arm": trial.arm} if trial.arm else {}),
        **settings,
        "sources": {part: corpus.name for part, corpus in trial.task.parts().items()},
        "dev": dev,
        "test": test,
        "parameters": tagger.num_parameters,
        **({} if teacher is None else {"teacher": teacher.record(trial.task.parts())}),
        "best_epoch": history.best["epoch"],
        "steps": history.rows[-1]["step"],
        "seconds": round(sum(row["seconds"] for row in history.rows), 2),
        "cpu_seconds": round(seconds, 2),
        "resumed": resumed,
        "history": {name: [_short(row[name]) for row in history.rows] for name in ("loss", "task", "divergence", "f1")},
        "provenance": {**provenance(tagger.device), "finished": datetime.now(UTC).isoformat(timespec="seconds")},
    }


def _short(value: float | None) -> float | None:
    """Six significant digits, enough for a curve: a record of many epochs stays small."""
    return None if value is None else float(f"{value:.6g}")


def _tested(tagger: Tagger, corpus: Corpus) -> Row:
    """Scores as JSON, and in `sentences` the counts of each sentence, so that anyone can draw the sentences anew."""
    found, gold = tagger.predict(corpus.sentences), [sentence.spans for sentence in corpus]
    return {**score_record(span_scores(found, gold)), "sentences": sentence_counts(found, gold)}


def score_record(scores: SpanScores) -> Row:
    """Counts, precision, recall and F1 as JSON; `types` has the counts of each type as [correct, predicted, gold].

    Example:
        >>> score_record(span_scores([[("PER", 0, 1)]], [[("PER", 0, 1)]]))["types"]
        {'PER': [1, 1, 1]}
    """
    return {
        "precision": scores.precision,
        "recall": scores.recall,
        "f1": scores.f1,
        "correct": scores.correct,
        "predicted": scores.predicted,
        "gold": scores.gold,
        "types": {name: [s.correct, s.predicted, s.gold] for name, s in scores.by_type.items()},
    }


def _results(missing: dict[str, Trial], folder: Path, jobs: int, client: Any) -> Iterator[tuple[str, Row]]:
    """(key, row) of each run as it ends."""
    if client is not None:
        yield from run_on(client, missing, _run_alone)
        return
    if jobs == 1:
        with _one_thread():
            for key, trial in missing.items():
                yield key, run_trial(trial, folder / key)
        return
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(jobs, mp_context=context, initializer=_start_worker) as pool:
        try:
            futures = {pool.submit(run_trial, trial, folder / key): key for key, trial in missing.items()}
            for future in as_completed(futures):
                yield futures[future], future.result()
        except BrokenProcessPool:
            raise TrainingError(
                "a process was killed, most often for want of memory; what is finished is kept, and the same "
                f"comparison goes on from there: start it again, with fewer jobs than {jobs} if memory is short"
            ) from None
        finally:
            pool.shutdown(cancel_futures=True)


def _run_alone(trial: Trial, folder: Path) -> Row:
    with _one_thread():
        return run_trial(trial, folder)


@contextmanager
def _one_thread() -> Iterator[None]:
    """One thread, so that a sum does not depend on how many cores the machine has."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _start_worker() -> None:
    """One thread; end at Ctrl-C without a word; end with the parent, even when that is killed and can say nothing."""
    torch.set_num_threads(1)
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    parent: Any = multiprocessing.parent_process()

    def follow() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=follow, daemon=True).start()


def _in_words(row: Row) -> str:
    test = "" if row["test"] is None else f", test F1 {row['test']['f1']:.4f}"
    return f"dev F1 {row['dev']['f1']:.4f}{test}, {row['steps']} steps, {row['seconds']:.1f} s"
