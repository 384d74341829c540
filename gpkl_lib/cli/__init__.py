"""The `gpkl` command, also `python -m gpkl_lib`. Its help comes at once; torch is loaded when a command is named."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from gpkl_lib._optional import handing_on
from gpkl_lib.cli.front import COMMANDS, outline

if TYPE_CHECKING:
    from gpkl_lib.cli.inputs import tasks
    from gpkl_lib.cli.parser import build_parser
    from gpkl_lib.cli.recipes import COMPARE, Recipe, first, flags, options, read_recipe
    from gpkl_lib.cli.running import RUN
    from gpkl_lib.cli.said import UsageError

__all__ = [
    "COMPARE",
    "RUN",
    "Recipe",
    "UsageError",
    "build_parser",
    "first",
    "flags",
    "main",
    "options",
    "read_recipe",
    "tasks",
]
_FROM = {
    "inputs": ("tasks",),
    "parser": ("build_parser",),
    "recipes": ("COMPARE", "Recipe", "first", "flags", "options", "read_recipe"),
    "running": ("RUN",),
    "said": ("UsageError",),
}
__getattr__ = handing_on(__name__, _FROM)


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command; `argv` are the words after `gpkl`, the process's own where None. Returns the exit code.

    0: done. 2: wrong usage or input, said in one line on standard error. 130: interrupted.
    """
    words = list(sys.argv[1:] if argv is None else argv)
    if not words or words[0] not in COMMANDS:
        outline(with_commands=True)[0].parse_args(words)  # the help, the version or a complaint, and then it exits
    running = importlib.import_module("gpkl_lib.cli.running")
    return int(running.run(words))
