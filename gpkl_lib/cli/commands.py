"""What the commands of `gpkl` do; each takes its parsed arguments and the words that were typed."""

from __future__ import annotations

import argparse
import contextlib
import json
import math
import os
import shlex
import sys
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import torch

from gpkl_lib._storage import locked, read_json, read_rows, write_text
from gpkl_lib.cli import inputs
from gpkl_lib.cli.inputs import UsageError
from gpkl_lib.cli.parser import given
from gpkl_lib.corpora import to_jsonl, visible
from gpkl_lib.experiments import (
    ModelConfig,
    Teacher,
    Trial,
    best_on_dev,
    comparison_figure,
    comparison_table,
    dask_client,
    grid,
    groups,
    history_table,
    remarks,
    score_record,
    scores_table,
    show,
    summarise,
)
from gpkl_lib.experiments import (
    compare as run_trials,
)
from gpkl_lib.tagger import DESCRIPTION, Tagger
from gpkl_lib.training import (
    BEST,
    CONFIG,
    LOCK,
    METHODS,
    SCORES,
    TrainingConfig,
    evaluate,
    fit,
    holds_training,
    own_settings,
)

ARGUMENTS = "arguments.json"
NOT_RECORDED = ("command", "output", "resume")


def train(arguments: argparse.Namespace, words: Sequence[str]) -> None:
    """Train a tagger in a run folder, score it and show the history: `gpkl train`."""
    if arguments.resume:
        arguments = _recorded(arguments, words)
    is_main = int(os.environ.get("RANK", "0")) == 0  # torchrun and accelerate set it
    config, folder = _config(arguments), _folder(arguments)
    _check_sources([config.method], arguments)
    task, teacher = inputs.task(arguments), _teacher(arguments, config.seed)
    if is_main:
        _claim(folder, arguments)
        for part, corpus in task.parts().items():
            _say(f"{part}: {corpus}")
        _say(f"run folder: {folder}")
    try:
        tagger = _model(arguments).build(task, config.seed)
        history = fit(
            tagger,
            task.train,
            task.dev,
            config=config,
            unlabelled=task.unlabelled,
            teacher=None if teacher is None else Teacher(teacher).load(),
            output=folder,
            resume=arguments.resume,
        )
    except Exception as error:
        if is_main and not arguments.resume:
            _give_back(folder)
        if isinstance(error, ValueError):
            raise _usage(error, arguments) from error
        raise
    if not is_main:
        return
    scores = {part: evaluate(tagger, corpus) for part, corpus in task.parts().items() if part != "train"}
    write_text(folder / SCORES, json.dumps({part: score_record(s) for part, s in scores.items()}, indent=1) + "\n")
    show(history_table(history))
    for part, score in scores.items():
        show(scores_table(f"{part}, weights of epoch {history.best['epoch']}", score))
    _say(f"{folder}: best/ is the tagger; try: gpkl predict {shlex.quote(str(folder))} FILE")


def compare(arguments: argparse.Namespace, words: Sequence[str]) -> None:
    """Run a grid of trials, show its tables and draw its figure: `gpkl compare`."""
    if arguments.jobs < 1:
        raise UsageError(f"--jobs must be positive, got {arguments.jobs}")
    if arguments.dask and arguments.jobs > 1:
        raise UsageError("--jobs counts processes of this machine; with --dask the workers are as many as there are")
    model, output = _model(arguments), Path(arguments.output)
    _check_sources(arguments.methods, arguments)
    tuning, seeds = arguments.tuning_seeds, arguments.seeds
    if tuning and not set(tuning) <= set(seeds):
        raise UsageError("--tuning-seeds must be among --seeds: what they chose is run with the others as well")
    varied = {name: getattr(arguments, name + "s") for name, having in own_settings().items() if having[0][1].varied}
    try:
        configs = grid(
            _config(arguments), arguments.methods, arguments.alphas, arguments.alpha_warmups, tuning or seeds, **varied
        )
        tasks = inputs.tasks(arguments)
        trials = [Trial(task, model, config, _teacher(arguments, config.seed)) for task in tasks for config in configs]
        command = shlex.join(["gpkl", *words])
        with dask_client(arguments.dask, _say) if arguments.dask else contextlib.nullcontext() as client:
            run = partial(run_trials, jobs=arguments.jobs, client=client, command=command, report=_say)
            rows = run(trials, output)
            if tuning:
                chosen = best_on_dev(trials, rows)
                _say(f"tuned on seeds {', '.join(map(str, tuning))}; with every seed:")
                for trial in chosen:
                    _say(f"  {str(trial).rpartition(' ')[0]}")
                run([_with_seed(trial, seed, arguments) for trial in chosen for seed in seeds], output)
    except BlockingIOError:
        raise UsageError(
            f"another gpkl compare is writing to {output}; wait for it or choose another --output"
        ) from None
    except ValueError as error:
        raise _usage(error, arguments) from error
    rows = read_rows(output)  # those of earlier calls as well
    for group in groups(rows):
        show(comparison_table(summarise(group), group))
    for sentence in remarks(rows):
        _say(sentence)
    picture = output.with_suffix(".png")
    comparison_figure(rows).savefig(picture, dpi=120)
    _say(f"rows: {output}; figure: {picture}")


def predict(arguments: argparse.Namespace, words: Sequence[str]) -> None:
    """Write the spans that a tagger finds in a file: `gpkl predict`."""
    if math.isnan(arguments.threshold):
        raise UsageError("--threshold must be a number, got nan")
    tagger = _load(arguments)
    corpus = inputs.sentences(arguments)
    sentences = corpus.sentences
    _say(f"{corpus.name}: {corpus.source}; {len(corpus):,} sentences")
    found = tagger.predict(sentences, batch_size=arguments.batch_size, threshold=arguments.threshold)
    lines = to_jsonl(type(s)(s.tokens, tuple(spans)) for s, spans in zip(sentences, found, strict=True))
    if arguments.output:
        write_text(Path(arguments.output), lines)
    else:
        sys.stdout.buffer.write(lines.encode())  # UTF-8 wherever it goes
        sys.stdout.flush()


def score(arguments: argparse.Namespace, words: Sequence[str]) -> None:
    """Score a tagger on a labelled file: `gpkl evaluate`."""
    tagger = _load(arguments)
    corpus = inputs.corpus(arguments.file, arguments)
    _say(str(corpus))
    unknown = sorted({*corpus.types} - {*tagger.types})
    if unknown:
        _say(f"types that the tagger was not trained for, all missed: {', '.join(unknown)}")
    scores = evaluate(tagger, corpus, batch_size=arguments.batch_size)
    show(scores_table(corpus.name, scores))
    if arguments.output:
        write_text(Path(arguments.output), json.dumps(score_record(scores), indent=1) + "\n")


def trial(arguments: argparse.Namespace) -> Trial:
    """The run that the arguments of `gpkl train` describe, as a cell of a comparison."""
    config = _config(arguments)
    _check_sources([config.method], arguments)
    return Trial(inputs.task(arguments), _model(arguments), config, _teacher(arguments, config.seed))


def how_to_resume(arguments: argparse.Namespace) -> str:
    """What a person types to go on after Ctrl-C; empty where there is nothing to go on with."""
    if arguments.command == "compare":
        return "; finished runs are kept, the same command goes on"
    if arguments.command == "train" and (_folder(arguments) / ARGUMENTS).exists():
        return f"; go on with: gpkl train --resume --output {shlex.quote(str(_folder(arguments)))}"
    return ""


def _config(arguments: argparse.Namespace) -> TrainingConfig:
    """The training settings among the arguments."""
    names = [name for name in TrainingConfig.names() if hasattr(arguments, name)]
    try:
        return TrainingConfig(**{name: getattr(arguments, name) for name in names})
    except ValueError as error:
        raise _usage(error, arguments) from error


def _usage(error: ValueError, arguments: argparse.Namespace) -> UsageError:
    """The error of a value out of its range, by the name of the argument that gave it."""
    name, must, wanted = str(error).partition(" must ")
    flags = [flag for flag in (name, name + "s") if hasattr(arguments, flag)]
    return UsageError(f"--{flags[0].replace('_', '-')}{must}{wanted}" if must and flags else str(error))


def _check_sources(methods: Sequence[str], arguments: argparse.Namespace) -> None:
    """Refuse a method without what it learns from, and what no method learns from."""
    for flag in ("unlabelled", "teacher"):
        value = getattr(arguments, flag, None)
        needing = [method.name for method in METHODS.values() if method.needs == flag]
        asked = [name for name in methods if name in needing]
        if asked and value is None:
            raise UsageError(f"method {asked[0]} learns from --{flag}; give it")
        if not asked and value is not None:
            raise UsageError(f"--{flag} is for method {' or '.join(needing)}, which is not asked for")


def _teacher(arguments: argparse.Namespace, seed: int) -> Path | None:
    """The teacher's folder for a seed."""
    folder = getattr(arguments, "teacher", None)
    return None if folder is None else Path(folder.replace("{seed}", str(seed)))


def _with_seed(trial: Trial, seed: int, arguments: argparse.Namespace) -> Trial:
    return replace(trial, config=replace(trial.config, seed=seed), teacher=_teacher(arguments, seed))


def _model(arguments: argparse.Namespace) -> ModelConfig:
    try:
        return ModelConfig(arguments.encoder, arguments.head, arguments.hidden_size, arguments.dropout)
    except ValueError as error:
        raise _usage(error, arguments) from error


def _folder(arguments: argparse.Namespace) -> Path:
    """The run folder, by default named for what is run."""
    name = f"{inputs.task_name(arguments)}-{arguments.method}-seed{arguments.seed}"
    return Path(arguments.output or f"runs/{name}")


def _claim(folder: Path, arguments: argparse.Namespace) -> None:
    """Make the folder of a new run and keep its arguments there; refuse one with anything in it."""
    if arguments.resume:
        return
    kept = {name: value for name, value in vars(arguments).items() if name not in NOT_RECORDED}
    try:
        with locked(folder / LOCK):  # of two that start at once, one has the folder
            if {entry.name for entry in folder.iterdir()} - {CONFIG, LOCK}:
                raise FileExistsError
            write_text(folder / ARGUMENTS, json.dumps(kept, indent=1, ensure_ascii=False) + "\n")
    except (BlockingIOError, FileExistsError):
        raise UsageError(
            f"{folder} is not empty: add --resume to go on with its run, or choose another --output"
        ) from None


def _give_back(folder: Path) -> None:
    """Remove what a start that failed has left in its new folder, so that the next try may have it."""
    if not holds_training(folder):
        for name in (ARGUMENTS, CONFIG):
            (folder / name).unlink(missing_ok=True)
        with contextlib.suppress(OSError):  # somebody has put something there
            folder.rmdir()


def _recorded(arguments: argparse.Namespace, words: Sequence[str]) -> argparse.Namespace:
    """The arguments that the run in --output was started with; only its device may change."""
    folder = _folder(arguments)
    file = folder / ARGUMENTS
    if not file.is_file():
        raise UsageError(f"there is no run to resume in {folder} ({ARGUMENTS} is missing); give its folder by --output")
    kept = read_json(file)
    typed = {name: value for name, value in given(words).items() if name not in NOT_RECORDED}
    for name, value in typed.items():
        if name != "device" and kept.get(name) != value:
            flag = "--" + name.replace("_", "-")
            raise UsageError(
                f"{folder} was started with {flag} {kept.get(name)}, not {value}: leave {flag} out to resume"
            )
    of_the_run = {**vars(arguments), **kept, **typed, "output": str(folder), "resume": True}
    return argparse.Namespace(**of_the_run)


def _load(arguments: argparse.Namespace) -> Tagger:
    """The tagger of a run folder or of a saved tagger's own, on the device asked for."""
    if arguments.batch_size < 1:
        raise UsageError(f"--batch-size must be positive, got {arguments.batch_size}")
    folder = Path(arguments.model)
    best = folder / BEST
    tagger = Tagger.load(best if (best / DESCRIPTION).exists() else folder)
    present = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    device = next(name for name, there in present.items() if there) if arguments.device == "auto" else arguments.device
    if not present[device]:
        raise UsageError(f"device {device} is not there; --device auto takes what there is")
    return tagger.to(device)


def _say(line: str) -> None:
    """Print a line to standard error; standard output is for results."""
    print("\n".join(map(visible, line.split("\n"))), file=sys.stderr, flush=True)
