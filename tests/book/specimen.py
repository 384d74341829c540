"""What the tests know of each explorable: five settings, where its controls are, and golden values of its maths.

Every file in `specimens/` holds one explorable's `SPECIMEN` and, where it has maths of its own, `golden()`, which
yields (module, function, arguments, value by the Python library[, floor]) for each function that the module exports;
below `floor` there are no digits to compare. All tests in `test_explorables*.py` run over these.

GPKL_SPECIMEN=two_views takes this file alone, while its explorable is being drawn.
"""

from __future__ import annotations

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


def _load(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"specimen_{path.stem}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


_CHOSEN = os.environ.get("GPKL_SPECIMEN", "*")
_FILES = {path.stem: _load(path) for path in sorted(FOLDER.glob(f"{_CHOSEN}.py"))}
SPECIMENS: dict[str, Specimen] = {file.SPECIMEN.settings[0].module: file.SPECIMEN for file in _FILES.values()}


def goldens() -> Iterator[tuple[str, str, list[Any], Any, float]]:
    """All golden values as (module, function, arguments, value, floor)."""
    for file in _FILES.values():
        for module, function, arguments, value, *floor in getattr(file, "golden", tuple)():
            yield module, function, arguments, value, floor[0] if floor else 1e-300
