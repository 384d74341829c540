"""Which names of the library each equation of the book is compared with, read from the files of checks.

A check compares its equation with the library by calling it, itself or through helpers beside it. Nothing is run: the
answer comes from the text of ``book/_checks``.
"""

import ast
from collections.abc import Iterator
from pathlib import Path

PACKAGE = "gpkl_lib"
NOT_COMPARED = ("gpkl_lib.derivations", "gpkl_lib.chapters", "gpkl_lib.explore")  # they state, show and draw


def compared(folder: Path) -> dict[str, list[str]]:
    """Return what each equation's check takes from the library, such as ``gpkl_lib.symmetric_kl``, by label."""
    return {label: names for path in sorted(folder.glob("*.py")) for label, names in _of_file(path)}


def _of_file(path: Path) -> Iterator[tuple[str, list[str]]]:
    tree = ast.parse(path.read_text("utf-8"))
    taken = {
        alias.asname or alias.name: f"{node.module}.{alias.name}"
        for node in tree.body
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(PACKAGE)
        for alias in node.names
        if not (node.module or "").startswith(NOT_COMPARED)
    }
    functions = {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef)}
    for name, function in functions.items():
        for decorator in function.decorator_list:
            if isinstance(decorator, ast.Call) and getattr(decorator.func, "id", "") == "equation":
                yield decorator.args[0].value, sorted(_reached(name, functions, taken))  # type: ignore[attr-defined]


def _reached(name: str, functions: dict[str, ast.FunctionDef], taken: dict[str, str]) -> set[str]:
    """Return what a function of the file, and those of the file that it calls, take from the library."""
    todo, seen, found = [name], {name}, set()
    while todo:
        for node in ast.walk(functions[todo.pop()]):
            if isinstance(node, ast.Attribute) and getattr(node.value, "id", "") == PACKAGE:
                found.add(f"{PACKAGE}.{node.attr}")
            elif isinstance(node, ast.Name) and node.id in taken:
                found.add(taken[node.id])
            elif isinstance(node, ast.Name) and node.id in functions and node.id not in seen:
                seen.add(node.id)
                todo.append(node.id)
    return found
