"""The `gpkl` command, also `python -m gpkl_lib`: picks the command, turns what a person can put right into one line."""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Sequence

from gpkl_lib._storage import CheckpointError
from gpkl_lib.cli import commands
from gpkl_lib.cli.inputs import UsageError
from gpkl_lib.cli.parser import build_parser
from gpkl_lib.cli.recipes import COMPARE, Recipe, flags, options, read_recipe, steps
from gpkl_lib.corpora import CorpusError
from gpkl_lib.training import TrainingError

__all__ = ["COMPARE", "Recipe", "UsageError", "build_parser", "flags", "main", "options", "read_recipe"]

RUN = {
    "train": commands.train,
    "compare": commands.compare,
    "predict": commands.predict,
    "evaluate": commands.score,
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command; `argv` are the words after `gpkl`, the process's own where None. Returns the exit code.

    0: done. 2: wrong usage or input, said in one line on standard error. 130: interrupted.
    """
    words = list(sys.argv[1:] if argv is None else argv)
    arguments = build_parser().parse_args(words)
    try:
        with warnings.catch_warnings():
            warnings.showwarning = _one_line
            for step, spelt in steps(arguments, words):
                RUN[step.command](step, spelt)
    except BrokenPipeError:  # the reader of a pipe, `head` say, has had enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except (UsageError, CorpusError, CheckpointError, TrainingError, ModuleNotFoundError, OSError) as error:
        print(f"gpkl {arguments.command}: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(f"\ngpkl {arguments.command}: interrupted{commands.how_to_resume(arguments)}", file=sys.stderr)
        return 130
    return 0


def _one_line(message: Warning | str, *_: object, **__: object) -> None:
    print(f"warning: {message}", file=sys.stderr)
