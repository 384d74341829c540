"""A kept verdict is used while nothing that it depends on changed, and hides no failure."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
from labels import BOOK
from pages import ROOT
from verdicts import digest, formulas_of, kept


def test_a_verdict_is_found_once_for_a_state_and_anew_for_another(cache: Any) -> None:
    found = []

    def find() -> list[tuple[int, list[str]]]:
        found.append(1)
        return [(3, ["a - b"]), (len(found), [])]

    name = "test-of-verdicts"
    cache.set(f"gpkl/wrong-signs/{name}", None)
    first = kept(cache, name, "one", find)
    assert first == [(3, ["a - b"]), (1, [])]
    assert kept(cache, name, "one", find) == first, "a failure is kept as well"
    assert kept(cache, name, "two", find) == [(3, ["a - b"]), (2, [])]
    assert kept(cache, name, "one", find)[1] == (3, [])


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    for folder in ("gpkl_lib/derivations", "gpkl_lib/chapters/formulas", "book/_checks"):
        shutil.copytree(ROOT / folder, tmp_path / folder)
    return tmp_path


@pytest.mark.parametrize(
    ("changed", "other"),
    [
        ("gpkl_lib/derivations/comparison.py", True),
        ("gpkl_lib/chapters/formulas/symmetric_kl.py", True),
        ("book/_checks/symmetric_kl.py", True),
        ("gpkl_lib/chapters/formulas/toy_globalpointer.py", False),
    ],
)
def test_the_state_is_that_of_what_a_verdict_depends_on(copy: Path, changed: str, other: bool) -> None:
    file = copy / "book" / "_checks" / "symmetric_kl.py"
    before = digest(file, copy)
    assert digest(file, copy) == before
    (copy / changed).write_text((copy / changed).read_text("utf-8") + "\n", "utf-8")
    assert (digest(file, copy) != before) == other


def test_formulas_are_followed_through_one_another() -> None:
    names = {path.name for path in formulas_of(BOOK / "_checks" / "symmetric_kl.py")}
    assert {"symmetric_kl.py", "curvature.py"} <= names
    importing = next(
        path
        for path in sorted((ROOT / "gpkl_lib" / "chapters" / "formulas").glob("*.py"))
        if "formulas.symmetric_kl import" in path.read_text("utf-8")
    )
    assert {path.name for path in formulas_of(importing)} >= {importing.name, "symmetric_kl.py"}
