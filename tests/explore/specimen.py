"""What the tests know of each explorable: five settings, where its controls are, and golden values of its maths.

Every file in `specimens/` holds one explorable's `SPECIMEN` and, where it has maths of its own, `golden()`, which
yields (module, function, arguments, value by the Python library[, floor]) for each function that the module exports;
below `floor` there are no digits to compare. A file is named as its explorable, and is read when its test runs, so that
tests are collected by the names of files alone.

GPKL_SPECIMEN=two_views takes this file alone, while its explorable is being drawn.
"""

from __future__ import annotations

import functools
import importlib.util
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

from gpkl_lib.explore import Explorable

FOLDER = Path(__file__).parent / "specimens"


@dataclass(frozen=True)
class Specimen:
    """An explorable under test.

    Args:
        settings: five or more, extremes included; the first is what most tests play with.
        line: the readout that the line of Python prints.
        slider: label of the native control that is swept when the time of a redraw is taken.
        stops: how many controls the Tab key reaches, from Reset to the button that copies the line.
        drags: (name of a handle, pixels moved up, change of its value), from the first setting.
        absolute: how near a readout must be where 1e-12 of its size is less: for all, or by readout ("*" for the rest).
        hidden: keys of `values()` that stand in the picture and not among the readouts.
    """

    settings: Sequence[Explorable]
    line: str
    slider: str
    stops: int
    drags: Sequence[tuple[str, float, float]] = ()
    absolute: float | Mapping[str, float] = 1e-28
    hidden: Sequence[str] = field(default=())

    def wanted(self, widget: Explorable) -> dict[str, float]:
        """The numbers that the readouts must show."""
        return {key: value for key, value in widget.values().items() if key not in self.hidden}

    def near(self, key: str) -> float:
        """The absolute tolerance of this readout."""
        if isinstance(self.absolute, Mapping):
            return self.absolute.get(key, self.absolute.get("*", 1e-28))
        return self.absolute


class _Specimens(Mapping[str, Specimen]):
    """The specimens by name, each read once and not before it is asked for; all of them, or those chosen, in order."""

    def __init__(self, chosen: str) -> None:
        self.names = sorted(path.stem for path in FOLDER.glob(f"{chosen}.py"))

    def __getitem__(self, name: str) -> Specimen:
        found: Specimen = module(name).SPECIMEN
        return found

    def __iter__(self) -> Iterator[str]:
        return iter(self.names)

    def __len__(self) -> int:
        return len(self.names)


@functools.cache
def module(name: str) -> ModuleType:
    """The file of one specimen."""
    spec = importlib.util.spec_from_file_location(f"specimen_{name}", FOLDER / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    read = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(read)
    return read


SPECIMENS = _Specimens(os.environ.get("GPKL_SPECIMEN", "*"))
DRAGGED = [name for name in SPECIMENS if "drags=" in (FOLDER / f"{name}.py").read_text("utf8")]


def settings(index: int) -> list[Explorable]:
    """One setting of every explorable."""
    return [specimen.settings[index] for specimen in SPECIMENS.values()]


@functools.cache
def goldens() -> dict[str, list[tuple[str, list[Any], Any, float]]]:
    """Of each module of JavaScript all golden values as (function, arguments, value, floor)."""
    found: dict[str, list[tuple[str, list[Any], Any, float]]] = {}
    for name in SPECIMENS:
        for maths, function, arguments, value, *floor in getattr(module(name), "golden", tuple)():
            found.setdefault(maths, []).append((function, arguments, value, floor[0] if floor else 1e-300))
    return found
