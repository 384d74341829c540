"""What the commands say beside their results: lines on standard error, and mistakes in words that help."""

from __future__ import annotations

import argparse
import sys

from gpkl_lib.corpora import visible


class UsageError(Exception):
    """Arguments that do not fit together, or with what is there; the message says what would."""


def usage(error: ValueError, arguments: argparse.Namespace) -> UsageError:
    """The error of a value out of its range, by the name of the argument that gave it."""
    name, must, wanted = str(error).partition(" must ")
    flags = [flag for flag in (name, name + "s") if hasattr(arguments, flag)]
    return UsageError(f"--{flags[0].replace('_', '-')}{must}{wanted}" if must and flags else str(error))


def say(line: str) -> None:
    """Print a line to standard error; standard output is for results."""
    print("\n".join(map(visible, line.split("\n"))), file=sys.stderr, flush=True)
