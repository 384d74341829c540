"""`gpkl train`: a tagger, its run folder, and how to go on with a run."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shlex
from collections.abc import Sequence
from pathlib import Path

from gpkl_lib._storage import locked, read_json, write_text
from gpkl_lib.cli import inputs, settings
from gpkl_lib.cli.outputs import scored_on
from gpkl_lib.cli.parser import given
from gpkl_lib.cli.said import UsageError, say, usage
from gpkl_lib.experiments import Task, Teacher, Trial, history_table, scores_table, show
from gpkl_lib.tagger import CONFIG, DECODING, SCORES, tagger_folder
from gpkl_lib.training import LOCK, METHODS, evaluate, fit, holds_training

ARGUMENTS = "arguments.json"
NOT_RECORDED = ("command", "config", "output", "resume")
MANY = 20  # times as many spans as there are


def train(arguments: argparse.Namespace, words: Sequence[str]) -> None:
    """Train a tagger in a run folder, score it and show the history: `gpkl train`."""
    if arguments.resume:
        arguments = _recorded(arguments, words)
    is_main = int(os.environ.get("RANK", "0")) == 0  # torchrun and accelerate set it
    config, folder = settings.config(arguments), _folder(arguments)
    settings.check_sources([config.method], arguments)
    task, teacher = inputs.task(arguments), settings.teacher(arguments, config.seed)
    if is_main:
        _claim(folder, arguments)
        for part, corpus in task.parts().items():
            say(f"{part}: {corpus}")
        say(f"run folder: {folder}")
        for flag in settings.unused(arguments, words):
            say(f"warning: {flag} has no effect with --method {config.method}")
    try:
        tagger = settings.model(arguments).build(task, config.seed)
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
            raise usage(error, arguments) from error
        raise
    if not is_main:
        return
    scores = {part: evaluate(tagger, corpus) for part, corpus in task.parts().items() if part != "train"}
    measured = {part: score.record() | {"corpus": scored_on(task.parts()[part])} for part, score in scores.items()}
    write_text(folder / SCORES, json.dumps(measured, indent=1, ensure_ascii=False) + "\n")
    show(history_table(history))
    for part, score in scores.items():
        show(scores_table(f"{part}, weights of epoch {history.best['epoch']}", score))
    dev, weight = scores["dev"], ", a smaller --alpha" if METHODS[arguments.method].factor else ""
    if dev.predicted > MANY * dev.gold:
        say(
            f"on dev the tagger finds {dev.predicted:,} spans where there are {dev.gold:,}, and has hardly learnt to "
            f"leave one out: try more --epochs, another --learning-rate{weight}"
        )
    if not (tagger_folder(folder) / DECODING).exists():  # a run that was finished before keeps what was tuned since
        try:
            say(str(tagger.calibrate(task.dev)))
            tagger.save_decoding(tagger_folder(folder))
        except ValueError as error:  # the scores say nothing yet; the tagger is what it is
            say(str(error))
    say(f"{folder}: best/ is the tagger; try: gpkl predict {shlex.quote(str(folder))} FILE")


def trial(arguments: argparse.Namespace, task: Task | None = None) -> Trial:
    """The run that the arguments of `gpkl train` describe, as a cell of a comparison; on `task`, if that is given."""
    config = settings.config(arguments)
    settings.check_sources([config.method], arguments)
    task, model = task or inputs.task(arguments), settings.model(arguments)
    return Trial(task, model, config, settings.teacher(arguments, config.seed))


def how_to_resume(arguments: argparse.Namespace) -> str:
    """What a person types to go on after Ctrl-C; empty where there is nothing to go on with."""
    if arguments.command == "compare":
        return "; finished runs are kept, the same command goes on"
    if arguments.command == "train" and (_folder(arguments) / ARGUMENTS).exists():
        return f"; go on with: gpkl train --resume --output {shlex.quote(str(_folder(arguments)))}"
    return ""


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
