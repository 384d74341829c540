"""Packages of an extra, imported where they are first needed and asked for by name where they are missing."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

MUCH = 10_000_000  # bytes from which a file is worth a bar


def optional(module: str, extra: str, purpose: str) -> Any:
    """Import `module`; where it is missing, ModuleNotFoundError says what needs it and which extra installs it."""
    package = module.partition(".")[0]
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name != package:
            raise
        message = f"{purpose} needs the package {package}, which is not installed: pip install 'gpkl-lib[{extra}]'"
        raise ModuleNotFoundError(message, name=package) from None


@contextmanager
def progress_bar(what: str) -> Iterator[Callable[[int, int], None] | None]:
    """A bar of rich's for what takes longer than a second, where there is rich and standard error is a terminal."""
    try:
        console = importlib.import_module("rich.console").Console(stderr=True)
        rich = importlib.import_module("rich.progress")
    except ModuleNotFoundError:
        yield None
        return
    if not console.is_terminal:
        yield None
        return
    columns = (rich.TextColumn("{task.description}", markup=False), rich.BarColumn(), rich.DownloadColumn())
    with rich.Progress(*columns, rich.TimeRemainingColumn(), console=console, transient=True) as bar:
        task = bar.add_task(what, total=None, visible=False)
        yield lambda done, total: bar.update(task, completed=done, total=total, visible=total > MUCH)
