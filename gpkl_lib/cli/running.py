"""Picks the command of `gpkl`, and turns what a person can put right into one line."""

from __future__ import annotations

import argparse
import os
import sys
import warnings
from collections.abc import Sequence

from gpkl_lib._storage import CheckpointError
from gpkl_lib.cli import compare, evaluate, files, predict, train
from gpkl_lib.cli.configuration import with_config
from gpkl_lib.cli.parser import build_parser
from gpkl_lib.cli.recipes import steps
from gpkl_lib.cli.said import UsageError
from gpkl_lib.corpora import CorpusError, visible
from gpkl_lib.training import LearningWarning, TrainingError

RUN = {
    "train": train.train,
    "compare": compare.compare,
    "predict": predict.predict,
    "evaluate": evaluate.evaluate,
    "convert": files.convert,
}


def run(words: list[str]) -> int:
    """Run the command of these words; the exit code is that of `gpkl_lib.cli.main`."""
    arguments = build_parser().parse_args(words)
    try:
        _check_words(arguments, words)
        if getattr(arguments, "config", None) is not None:
            if arguments.resume:
                raise UsageError("--resume goes on with the run's own settings: leave --config out")
            words = with_config(words, arguments.config)
            arguments = build_parser().parse_args(words)
        with warnings.catch_warnings():
            warnings.showwarning = _one_line
            warnings.simplefilter("always", LearningWarning)
            for step, spelt in steps(arguments, words):
                RUN[step.command](step, spelt)
    except BrokenPipeError:  # the reader of a pipe, `head` say, has had enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except (UsageError, CorpusError, CheckpointError, TrainingError, ModuleNotFoundError, OSError) as error:
        print(f"gpkl {arguments.command}: {visible(str(error))}", file=sys.stderr)
        return 2
    except (MemoryError, RuntimeError) as error:
        if not _is_out_of_memory(error):
            raise
        hint = "try a smaller --batch-size, fewer --jobs, shorter sentences"
        print(f"gpkl {arguments.command}: out of memory ({str(error).strip()[:200]}); {hint}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(f"\ngpkl {arguments.command}: interrupted{train.how_to_resume(arguments)}", file=sys.stderr)
        return 130
    return 0


def _check_words(arguments: argparse.Namespace, words: Sequence[str]) -> None:
    """Refuse what no file name can hold, and an encoding that Python does not have."""
    if any("\0" in word for word in words):
        raise UsageError("an argument holds a NUL character")
    encoding = getattr(arguments, "encoding", "utf-8")
    try:
        "a".encode("utf-8" if encoding.lower() == "cesu-8" else encoding)
    except (LookupError, UnicodeError):
        raise UsageError(f"--encoding {encoding} is not known; utf-8, utf-16, gb18030, latin-1, cesu-8 are") from None


def _is_out_of_memory(error: BaseException) -> bool:
    """Whether it is that: the allocator of a CPU says so in words alone."""
    words = ("can't allocate memory", "not enough memory", "out of memory", "size calculation overflowed")
    return isinstance(error, MemoryError) or any(each in str(error) for each in words)


def _one_line(message: Warning | str, *_: object, **__: object) -> None:
    print(f"warning: {message}", file=sys.stderr)
