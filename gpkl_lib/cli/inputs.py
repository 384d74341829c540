"""From the arguments of a command to corpora and sentences."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from pathlib import Path

from gpkl_lib._optional import progress_bar
from gpkl_lib.cli.files import how
from gpkl_lib.cli.said import UsageError
from gpkl_lib.corpora import (
    KNOWN,
    SIZES,
    Corpus,
    How,
    Texts,
    noisy,
    read_corpus,
    read_texts,
    shuffled,
    toy_corpus,
)
from gpkl_lib.experiments import Task

HELD_OUT = 10  # without a dev file, every tenth sentence of train is dev


def task_name(arguments: argparse.Namespace) -> str:
    """The corpus of `gpkl train` in a word: its known name, that of the training file, or toy."""
    return arguments.corpus or (Path(arguments.train).stem if arguments.train else "toy")


def task(arguments: argparse.Namespace) -> Task:
    """The corpus of `gpkl train`: a known one, files, or the toy corpus."""
    if arguments.corpus and _files(arguments):
        raise UsageError("--corpus names a known corpus and --train, --dev, --test are files: give one or the other")
    return _task(task_name(arguments), _files(arguments), arguments)


def tasks(arguments: argparse.Namespace) -> list[Task]:
    """The corpora of `gpkl compare`: each --corpus, and the files; the toy corpus where nothing is named.

    Raises:
        UsageError: a name given twice, files that do not fit together.
    """
    named = [(name, files) for name, *files in arguments.corpus or []]
    if _files(arguments) or not named:
        named.append((Path(arguments.train).stem if arguments.train else "toy", _files(arguments)))
    names = [name for name, _ in named]
    if len(set(names)) != len(names):
        raise UsageError(f"corpora need distinct names, got {', '.join(names)}")
    return [_task(name, files, arguments) for name, files in named]


def corpus(path: str, arguments: argparse.Namespace) -> Corpus:
    """A labelled file, a known name such as wnut17:test, or - for standard input.

    Raises:
        UsageError: a file without a sentence or a single span, which is a file that was misunderstood.
    """
    found = _read(path, how(arguments))
    if not len(found):
        raise UsageError(f"{found.name}: no sentence, read as {found.source}; is it the right file?")
    if not found.types:
        raise UsageError(
            f"{found.name}: no span in {len(found)} sentences, read as {found.source}; is it the right file?"
        )
    return found


def texts(arguments: argparse.Namespace, ahead: int) -> Texts:
    """What `gpkl predict` reads: any form of labelled sentences, without a look at the labels, or plain text."""
    asked = how(arguments, labels=False)
    with progress_bar(f"reading {arguments.file}") as progress:
        asked = replace(asked, format="any") if asked.format == "auto" else asked
        return read_texts(arguments.file, asked, ahead=ahead, progress=progress)


def originals(arguments: argparse.Namespace) -> dict[tuple[str, ...], tuple[str, list[tuple[int, int]]]]:
    """By the tokens of each sentence of the file, which is read once more, its text as it was written and their places.

    Nothing of a file that has tokens alone, or of standard input, which is read by now.
    """
    if arguments.file == "-":
        return {}
    return {
        tuple(row.tokens or ()): (row.text, row.places) for row in texts(arguments, 1).rows if row.text and row.places
    }


def _read(path: str, asked: How) -> Corpus:
    with progress_bar(f"reading {path}") as progress:
        return read_corpus(path, **asdict(asked), progress=progress)


def _files(arguments: argparse.Namespace) -> list[str]:
    """The files TRAIN, DEV, TEST as far as they are given, "" for a missing DEV before a TEST."""
    files = [arguments.train or "", arguments.dev or "", arguments.test or ""]
    if any(files) and not files[0]:
        raise UsageError("--dev and --test need --train, the file to learn from")
    while files and not files[-1]:
        files.pop()
    return files


def _task(name: str, files: Sequence[str], arguments: argparse.Namespace) -> Task:
    if len(files) > 3:
        raise UsageError(f"--corpus {name} takes the files TRAIN DEV TEST, got {len(files)}")
    toy = name == "toy" and not files
    if not toy and arguments.toy_size != SIZES["train"]:
        raise UsageError(f"--toy-size is for the toy corpus, not for {name}")
    if arguments.limit_train is not None and arguments.limit_train < 1:
        raise UsageError(f"--limit-train must be positive, got {arguments.limit_train}")
    if not 0 <= arguments.label_noise <= 1:
        raise UsageError(f"--label-noise must lie between 0 and 1, got {arguments.label_noise}")
    drawn = _drawn(arguments)
    seed, made = drawn or 0, {} if drawn is None else {"draw": "seed"}
    if toy:
        try:
            train = toy_corpus(arguments.toy_size, seed=seed, label_noise=arguments.label_noise)
        except ValueError as error:
            raise UsageError(str(error)) from None
        more = _further(arguments, lambda more: _toy(arguments, more))
        measured = {split: toy_corpus(split=split, seed=seed) for split in ("dev", "test")}
        return Task(name, train[: arguments.limit_train], measured["dev"], measured["test"], more, made)
    if not files:
        if name not in KNOWN:
            raise UsageError(f"corpus {name!r} is not known (toy, {', '.join(KNOWN)}); name files for one of your own")
        files = [f"{name}:{split}" for split in ("train", "dev", "test")]
    whole = corpus(files[0], arguments)
    whole = whole if drawn is None else shuffled(whole, drawn)
    dev, test = (corpus(file, arguments) if file else None for file in [*files[1:], "", ""][:2])
    train = whole[: arguments.limit_train]
    train, dev = _hold_out(train) if dev is None else (train, dev)
    if arguments.label_noise:
        train, made = noisy(train, arguments.label_noise, seed), {**made, "label_noise": arguments.label_noise}
    return Task(name, train, dev, test, _further(arguments, lambda _: whole), made)


def _drawn(arguments: argparse.Namespace) -> int | None:
    """The seed that the data are drawn with, by --draw of `gpkl train`; None for the first sentences of a file."""
    return arguments.seed if getattr(arguments, "draw", "first") == "seed" else None


def _toy(arguments: argparse.Namespace, more: int) -> Corpus:
    """The toy's train with `more` sentences after those that are learnt from: a larger one begins like a smaller."""
    learnt = min(arguments.toy_size, arguments.limit_train or arguments.toy_size)
    size = max(arguments.toy_size, learnt + more)
    return toy_corpus(size, seed=_drawn(arguments) or 0, label_noise=arguments.label_noise)


def _further(arguments: argparse.Namespace, whole: Callable[[int], Corpus]) -> Corpus | None:
    """The sentences of --unlabelled: a file; or, of train beyond what is learnt from, so many or the rest."""
    wanted = getattr(arguments, "unlabelled", None)  # a run from before this argument has none
    if wanted is None:
        return None
    if wanted != "rest" and not wanted.isdigit():
        return _read(wanted, how(arguments, labels=False))
    source = whole(0 if wanted == "rest" else int(wanted))
    learnt = len(source) if arguments.limit_train is None else arguments.limit_train
    if source.name.startswith("toy(") and arguments.limit_train is None:
        learnt = arguments.toy_size
    rest = source[learnt:]
    count = len(rest) if wanted == "rest" else int(wanted)
    if not 0 < count <= len(rest):
        raise UsageError(
            f"--unlabelled {wanted}: beyond what is learnt from there are {len(rest)} sentences in {source.name}; "
            "--limit-train leaves more of them over"
        )
    return rest[:count]


def _hold_out(train: Corpus) -> tuple[Corpus, Corpus]:
    """Split train into (the rest, every tenth sentence), and say so."""
    if len(train) < HELD_OUT:
        raise UsageError(f"{train.name} has {len(train)} sentences, too few to hold some out: give a --dev file")
    rest = [sentence for number, sentence in enumerate(train, 1) if number % HELD_OUT]
    dev = train[HELD_OUT - 1 :: HELD_OUT]
    print(f"no dev file: every tenth sentence of {train.name} is held out as dev, {len(dev)} in all", file=sys.stderr)
    return replace(train, name=f"{train.name} without {dev.name}", sentences=rest), dev
