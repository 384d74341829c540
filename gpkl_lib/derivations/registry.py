"""The register of labelled equations: every label in the book has one check here, and every check one label.

    @equation("eq-lse-bounds", shows=proofs.bounds)
    def lse_bounds() -> str:
        worst = ...
        assert worst < 1e-12
        return f"{proofs.bounds.check()}; gpkl_lib within {worst:.1e} of it"

A check takes nothing, asserts, and returns its verdict in one line. The checks of a chapter stand in
`book/_checks/<chapter>.py`; `load_checks` imports them.
"""

from __future__ import annotations

import importlib.util
import inspect
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Check = Callable[[], str]
_LABEL = re.compile(r"eq-[a-z0-9]+(-[a-z0-9]+)*")
_REGISTER: dict[str, Equation] = {}


@dataclass(frozen=True)
class Equation:
    """A registered check: the label, the function, and the expression that the page must show (None: not compared).

    Example:
        >>> Equation("eq-example", lambda: "compared at 3 points").check()
        'compared at 3 points'
    """

    label: str
    function: Check
    shows: Any = None

    @property
    def file(self) -> Path:
        """The Python file the check is written in."""
        return Path(self.function.__code__.co_filename)

    @property
    def line(self) -> int:
        """The line its decorator stands on."""
        return self.function.__code__.co_firstlineno

    @property
    def latex(self) -> str | None:
        """LaTeX of the tested expression, printed from it; None where the check did not say what it shows."""
        if self.shows is None:
            return None
        from gpkl_lib.derivations.notation import latex

        return latex(self.shows)

    @property
    def status(self) -> str:
        """Status of the object that the page shows: "proven", "proven in words" or "numbers only"."""
        from gpkl_lib.derivations.status import status

        return status(self.shows.check())

    @property
    def source(self) -> str:
        """The check's Python source."""
        return inspect.getsource(self.function)

    def check(self) -> str:
        """Run the check and return its verdict, one line. Raises AssertionError (or the check's own error)."""
        verdict = self.function()
        if not isinstance(verdict, str) or not verdict.strip() or "\n" in verdict:
            raise TypeError(f"the check of {self.label} must return its verdict in one line, got {verdict!r}")
        return verdict


def equation(label: str, *, shows: Any = None) -> Callable[[Check], Check]:
    """Register a zero-argument check under the label of an equation in the book.

    Args:
        label: as in the chapter's `:label:`, "eq-" and lower-case words joined by hyphens.
        shows: what the page shows, a `Statement`, a `Claim` or several `Together`. The LaTeX in the chapter must be
            what it prints, so that a sign changed on either side is found. Every equation of the book has one.

    Raises:
        ValueError: the label is malformed, or another file or function has it already.

    Example:
        >>> register = equation("eq-of-mine")  # decorates a function that asserts, and returns its verdict in one line
        >>> equation("Eq 1")
        Traceback (most recent call last):
            ...
        ValueError: a label is "eq-" and lower-case words joined by hyphens, got 'Eq 1'
    """
    if not _LABEL.fullmatch(label):
        raise ValueError(f'a label is "eq-" and lower-case words joined by hyphens, got {label!r}')

    def register(function: Check) -> Check:
        new = Equation(label, function, shows)
        old = _REGISTER.get(label)
        if old is not None and (old.file, old.function.__name__) != (new.file, function.__name__):
            raise ValueError(f"{label} is registered twice: {old.file}:{old.line} and {new.file}:{new.line}")
        _REGISTER[label] = new
        return function

    return register


def equations() -> dict[str, Equation]:
    """All registered equations by label, in alphabetical order.

    Example:
        >>> list(equations()) == sorted(equations())
        True
    """
    return dict(sorted(_REGISTER.items()))


def load_checks(folder: str | Path) -> list[Path]:
    r"""Import every `*.py` of `folder` (no package needed), which registers its checks; return the files read.

    Example:
        >>> import tempfile
        >>> from pathlib import Path
        >>> folder = Path(tempfile.mkdtemp())
        >>> _ = Path(folder, "of_mine.py").write_text("loaded = True\n", "utf-8")
        >>> [file.name for file in load_checks(folder)]
        ['of_mine.py']
    """
    files = sorted(Path(folder).resolve().glob("*.py"))
    if not files:
        raise FileNotFoundError(f"no check files (*.py) in {folder}")
    for file in files:
        name = f"gpkl_book_checks_{file.stem}"
        spec = importlib.util.spec_from_file_location(name, file)
        if spec is None or spec.loader is None:
            raise ImportError(f"{file} cannot be imported as a module")
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        spec.loader.exec_module(module)
    return files
