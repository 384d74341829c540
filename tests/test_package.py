"""The package as a whole: what it hands on, what it loads, and that its floors stand on each other."""

from __future__ import annotations

import ast
import inspect
import re
import subprocess
import sys
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

import gpkl_lib

ROOT = Path(gpkl_lib.__file__).parent
PUBLIC = {
    *("logsumexp", "softmax", "entropy"),
    *("kl_divergence", "symmetric_kl", "jensen_shannon"),
    *("multilabel_cross_entropy", "sparse_multilabel_cross_entropy"),
    *("GlobalPointer", "EfficientGlobalPointer", "span_mask"),
    *("rdrop_loss", "virtual_adversarial_loss", "uda_loss", "distillation_loss"),
    *("decode_spans", "span_scores", "Tagger", "fit"),
}
HEAVY = ("sympy", "mpmath", "matplotlib", "scipy", "anywidget", "ipywidgets", "transformers", "accelerate", "rich")

# From the ground up. A module may import from its own floor and from those below; what is not named stands
# wherever its imports put it.
FLOORS = [
    {"_checks", "_optional"},
    {"smoothing", "divergence"},
    {"losses", "global_pointer"},
    {"consistency", "adversarial", "tiled"},
    {"spans", "corpora"},
    {"tagger", "training"},
    {"experiments"},
    {"cli", "commands", "__main__"},
]
FLOOR = {f"gpkl_lib.{name}": level for level, names in enumerate(FLOORS) for name in names}
WINGS = ("gpkl_lib.derivations", "gpkl_lib.explore")


def modules() -> dict[str, Path]:
    """Every module of the package by its dotted name."""
    found = {}
    for path in sorted(ROOT.rglob("*.py")):
        parts = ("gpkl_lib", *path.relative_to(ROOT).with_suffix("").parts)
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def imports() -> dict[str, set[str]]:
    """Which modules of the package each of them imports, inside functions too."""
    known = modules()
    graph = {}
    for name, path in known.items():
        graph[name] = set()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                wanted = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                assert node.level == 0, f"{path}:{node.lineno}: relative import"
                below = [f"{node.module}.{alias.name}" for alias in node.names]
                wanted = [module if module in known else str(node.module) for module in below]
            else:
                continue
            graph[name] |= {module for module in wanted if module in known}
    return graph


def reachable(graph: dict[str, set[str]], start: str) -> set[str]:
    found, ahead = set(), [start]
    while ahead:
        ahead += (new := graph[ahead.pop()] - found)
        found |= new
    return found


def test_the_public_names_are_the_documented_ones() -> None:
    assert set(gpkl_lib.__all__) == PUBLIC
    assert len(gpkl_lib.__all__) == len(PUBLIC)
    present = {name for name, value in vars(gpkl_lib).items() if name[0] != "_" and not inspect.ismodule(value)}
    assert present == PUBLIC


@pytest.mark.parametrize("name", sorted(PUBLIC))
def test_every_public_name_says_what_it_takes_and_what_it_raises(name: str) -> None:
    value = getattr(gpkl_lib, name)
    documentation = inspect.getdoc(value)
    assert documentation
    if inspect.isfunction(value):
        assert "Raises:" in documentation or "errors" in documentation, "names no error"
        assert "Args:" in documentation or "Arguments" in documentation, "names no argument"


def test_every_equation_and_chapter_that_a_docstring_points_to_exists() -> None:
    book = ROOT.parent / "book"
    if not book.is_dir():
        pytest.skip("the book is not installed with the package")
    text = "\n".join(path.read_text(encoding="utf-8") for path in book.rglob("*.md"))
    pointed = 0
    for path in ROOT.glob("*.py"):
        source = path.read_text(encoding="utf-8")
        for label in re.findall(r"\beq-[a-z0-9-]+", source):
            assert re.search(rf":label: {label}$", text, re.MULTILINE), f"{path.name} points to {label}"
            pointed += 1
        for chapter in re.findall(r'in the chapter\s+"([^"]+)"', source):
            assert f"\n# {chapter}\n" in text, f"{path.name} points to the chapter {chapter}"
    assert pointed > 5


def test_importing_the_package_loads_nothing_heavy() -> None:
    code = f"import sys, gpkl_lib; print([name for name in {HEAVY} if name in sys.modules])"
    loaded_by_torch = f"import sys, torch; print([name for name in {HEAVY} if name in sys.modules])"
    found, already = (
        subprocess.run([sys.executable, "-c", c], capture_output=True, text=True, check=True, timeout=120).stdout
        for c in (code, loaded_by_torch)
    )
    assert found == already


def test_no_module_imports_from_a_floor_above_and_none_goes_round_in_a_circle() -> None:
    graph = imports()
    assert set(FLOOR) <= set(graph)
    list(TopologicalSorter(graph).static_order())  # raises CycleError
    for name, level in FLOOR.items():
        for other in reachable(graph, name):
            assert FLOOR.get(other, 0) <= level, f"{name} reaches {other}, which stands above it"
            assert not other.startswith(WINGS), f"{name} reaches {other}, a wing"
            assert other != "gpkl_lib", f"{name} imports the package that hands it on"


def test_the_ground_floors_know_nothing_of_what_stands_on_them() -> None:
    graph = imports()
    for name in ("smoothing", "divergence"):
        assert graph[f"gpkl_lib.{name}"] == {"gpkl_lib._checks"}
