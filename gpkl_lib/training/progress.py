"""A progress bar for a terminal; nowhere else does it say anything."""

from __future__ import annotations

from types import TracebackType
from typing import Any

from gpkl_lib._optional import optional


class ProgressBar:
    """Steps done of `total`, with loss and dev F1; silent unless `enabled` and standard error is a terminal."""

    def __init__(self, total: int, *, enabled: bool) -> None:
        self._bar: Any = None
        if not enabled:
            return
        console = optional("rich.console", "train", "the progress bar").Console(stderr=True)
        if console.is_terminal:
            rich = optional("rich.progress", "train", "the progress bar")
            columns = (
                rich.TextColumn("epoch {task.fields[epoch]}"),
                rich.BarColumn(),
                rich.MofNCompleteColumn(),
                rich.TextColumn("loss {task.fields[loss]:.3f}  dev F1 {task.fields[f1]}"),
                rich.TimeRemainingColumn(),
            )
            self._bar = rich.Progress(*columns, console=console)
            self._task = self._bar.add_task("", total=total, epoch=1, loss=0.0, f1="-")

    def show(self, step: int, epoch: int, loss: float, f1: float | None) -> None:
        """Move to `step`; epochs count from 1; `f1` is the last epoch's."""
        if self._bar is not None:
            text = "-" if f1 is None else f"{f1:.3f}"
            self._bar.update(self._task, completed=step, epoch=epoch, loss=loss, f1=text)

    def __enter__(self) -> ProgressBar:
        if self._bar is not None:
            self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()
