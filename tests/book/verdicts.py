"""Verdicts on wrong signs, kept between runs of the tests under a digest of everything that they depend on.

What is kept are facts, how many signs were changed and which changes were not noticed; whether that is right is
asserted in every run. `pytest --cache-clear` finds all of them anew.
"""

from __future__ import annotations

import ast
import hashlib
import platform
from collections.abc import Callable, Iterable
from importlib.metadata import version
from pathlib import Path
from typing import Any

from pages import ROOT

PACKAGE = "gpkl_lib.chapters.formulas"
Verdict = tuple[int, list[str]]  # how many signs were changed, and the LaTeX of each change that no check noticed


def formulas_of(file: Path, root: Path = ROOT) -> set[Path]:
    """`file` and the modules of formulas that it imports, and those that they import."""
    todo, found = [file], set()
    while todo:
        if (path := todo.pop()) in found:
            continue
        found.add(path)
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith(PACKAGE):
                names = [alias.name for alias in node.names] if node.module == PACKAGE else [node.module.split(".")[-1]]
                todo += [root.joinpath(*PACKAGE.split("."), f"{name}.py") for name in names]
    return found


def digest(file: Path, root: Path = ROOT) -> str:
    """What the verdict on an object that is written in `file` depends on."""
    engine = [*root.joinpath("gpkl_lib", "derivations").glob("*.py"), *Path(__file__).parent.glob("mutants.py")]
    whole = hashlib.sha256(" ".join([platform.python_version(), version("sympy"), version("mpmath")]).encode())
    for path in sorted({*engine, *formulas_of(file, root)}):
        whole.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return whole.hexdigest()


def kept(cache: Any, name: str, state: str, find: Callable[[], Iterable[Verdict]]) -> list[Verdict]:
    """The verdicts under this name, found anew unless they were found in this very state.

    Args:
        cache: pytest's.
        name: whose verdicts they are.
        state: a digest of what they depend on.
        find: finds them.
    """
    record = cache.get(f"gpkl/wrong-signs/{name}", None)
    if record is None or record["state"] != state:
        record = {"state": state, "verdicts": list(find())}
        cache.set(f"gpkl/wrong-signs/{name}", record)
    return [(tried, missed) for tried, missed in record["verdicts"]]
