"""What is imported late: packages of an extra, asked for by name where they are missing; what a face hands on."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
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


def handing_on(face: str, names: Mapping[str, Sequence[str]]) -> Callable[[str], Any]:
    """The `__getattr__` of the module `face`: each of the names that its parts have is imported when first asked for.

    Who wants a loss alone, or the help of the command, does not wait for the rest.
    """
    parts = {name: part for part, found in names.items() for name in found}

    def get(name: str) -> Any:
        if name not in parts:
            raise AttributeError(f"module {face!r} has no attribute {name!r}")
        value = getattr(importlib.import_module(f"{face}.{parts[name]}"), name)
        setattr(sys.modules[face], name, value)
        return value

    return get


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
