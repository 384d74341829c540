"""What a training run went through: one row an epoch, in memory, in history.jsonl, and as a picture."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gpkl_lib._optional import optional
from gpkl_lib._storage import CheckpointError, write_text
from gpkl_lib.palette import COLOURS, DASHES, MARKERS, PALETTE

FILE = "history.jsonl"
Row = dict[str, Any]


@dataclass
class History:
    """Rows of epoch (from 1), step, loss, task, divergence, alpha, precision, recall, f1 (on dev) and seconds.

    loss, task and divergence are means over the epoch's sentences; divergence is D before alpha/4, None where no second
    view was made; alpha is the last step's; seconds are those of the epoch, its evaluation included.
    """

    rows: list[Row] = field(default_factory=list)

    @property
    def best(self) -> Row:
        """The row with the highest f1, the first of several. Raises ValueError if there is no row."""
        return max(self.rows, key=lambda row: row["f1"])

    def __len__(self) -> int:
        return len(self.rows)

    @classmethod
    def load(cls, path: str | Path) -> History:
        """From history.jsonl, or from the run folder that holds it. A last line cut short by a kill is left out.

        Raises:
            CheckpointError: no such file, or a line that is no row; the message names it.
        """
        path = Path(path)
        path = path / FILE if path.is_dir() else path
        if not path.is_file():
            raise CheckpointError(f"{path} is missing: no training run has written its history here")
        lines = path.read_text(encoding="utf-8").split("\n")[:-1]  # what follows the last newline is unfinished
        rows = []
        for number, line in enumerate(lines, 1):
            try:
                rows.append(json.loads(line))
            except ValueError as error:
                raise CheckpointError(f"{path}:{number}: no JSON: {error}") from error
        return cls(rows)

    def save(self, folder: Path) -> None:
        """Write all rows, replacing the file in one step."""
        write_text(folder / FILE, "".join(map(_line, self.rows)))

    def append(self, row: Row, folder: Path | None) -> None:
        """Add a row; with a folder, at the end of its file too, on the disk before this returns."""
        self.rows.append(row)
        if folder is None:
            return
        try:
            with (folder / FILE).open("a", encoding="utf-8") as file:
                file.write(_line(row))
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise CheckpointError(f"cannot write {folder / FILE}: {error.strerror or error}") from error

    def plot(self, path: str | Path) -> None:
        """Loss and its parts on the left, dev precision, recall and F1 on the right, as a PNG; opens no window."""
        figure = optional("matplotlib.figure", "train", "a plot of the history").Figure((9, 3.6), layout="constrained")
        left, right = figure.subplots(1, 2)
        epochs = [row["epoch"] for row in self.rows]
        for axes, names in ((left, ("loss", "task", "divergence")), (right, ("precision", "recall", "f1"))):
            for name, colour, dashes, marker in zip(names, COLOURS, DASHES, MARKERS, strict=False):
                values = [row[name] for row in self.rows]
                if None not in values:
                    style: dict[str, Any] = {"color": PALETTE[colour], "linestyle": dashes, "marker": marker}
                    axes.plot(epochs, values, **style, markersize=4, label=name)
            axes.set_xlabel("epoch")
            axes.legend()
        left.set_title("training")
        right.set_title("dev")
        figure.savefig(path, dpi=120)


def _line(row: Row) -> str:
    return json.dumps(row, allow_nan=False) + "\n"
