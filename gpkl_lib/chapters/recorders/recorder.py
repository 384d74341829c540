"""What makes a record: skip the rows that are there, make the others, sign them, append."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import torch

from gpkl_lib._storage import Row, append_row, read_rows
from gpkl_lib.experiments import identity, provenance


class Entry(NamedTuple):
    """A row that can be made: the settings that name it (its key is their `identity`), and the function that does."""

    settings: Row
    make: Callable[[], Row]


Recorder = Callable[..., Iterable[Entry]]


def timed(settings: Row, make: Callable[[], Row]) -> Entry:
    """The entry whose row holds its settings, what `make` finds, and the seconds that it took."""

    def row() -> Row:
        began = time.perf_counter()
        return {**settings, **make(), "seconds": round(time.perf_counter() - began, 3)}

    return Entry(settings, row)


def record(entries: Iterable[Entry], output: Path, command: str) -> None:
    """Append the rows that `output` lacks, each with its key, commit, versions, device and the command.

    All of it runs on one thread of the CPU, so that the record can be made again wherever there is one.
    """
    torch.set_num_threads(1)
    there = {row["key"] for row in read_rows(output)} if output.exists() else set()
    for settings, make in entries:
        key = identity(settings)
        if key not in there:
            row = make()
            finished = datetime.now(UTC).isoformat(timespec="seconds")
            signed = {**provenance(torch.device("cpu")), "finished": finished, "command": command}
            append_row(output, {"key": key, **row, "provenance": signed})
        print(f"{output}: {key} {'was there already' if key in there else 'is made'}", file=sys.stderr, flush=True)
