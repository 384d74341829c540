"""The built site, built once if it is not up to date and served on localhost; and the objects behind the equations.

GPKL_SITE names a site built elsewhere, for drafts.
"""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from labels import derivations_of_chapters
from pages import ROOT

if TYPE_CHECKING:
    from gpkl_lib.derivations import Derivation, Equation

sys.path.insert(0, str(ROOT / "book" / "_ext"))


@pytest.fixture(scope="session")
def site_dir() -> Path:
    """The built site, built now if it is not up to date."""
    if given := os.environ.get("GPKL_SITE"):
        return Path(given)
    import build_book  # and with it, what takes a second to import

    try:
        build_book.build(quiet=True)
    except subprocess.CalledProcessError:
        log = build_book.LOG.read_text("utf-8", errors="replace").splitlines()
        pytest.fail("the book does not build:\n" + "\n".join(log[-60:]), pytrace=False)
    return build_book.SITE


@pytest.fixture(scope="session")
def site_url(site_dir: Path) -> Iterator[str]:
    """The site's address on a free port, without a slash at the end."""
    import serve_book

    with serve_book.server(site_dir) as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{running.server_port}"
        running.shutdown()


@pytest.fixture(scope="session")
def checks() -> dict[str, Equation]:
    """The registered checks of all chapters, by the label of their equation."""
    from gpkl_lib.derivations import equations, load_checks

    load_checks(ROOT / "book" / "_checks")
    return equations()


@pytest.fixture(scope="session")
def catalogue() -> dict[str, Derivation]:
    """Every derivation of a chapter, by "module.name"."""
    return {
        f"{module}.{name}": getattr(importlib.import_module(f"gpkl_lib.chapters.formulas.{module}"), name)
        for module, name in derivations_of_chapters()
    }


@pytest.fixture(scope="session")
def true_as_well(checks: dict[str, Equation]) -> dict[tuple[str, int], tuple[int, str]]:
    """Where a changed sign leaves a truth: (label or title, number of the statement or step) -> (how often, why)."""
    modules = [module for name, module in sys.modules.items() if name.startswith("gpkl_book_checks_")]
    return {key: value for module in modules for key, value in getattr(module, "TRUE_AS_WELL", {}).items()}
