"""The files of a package that some code reaches by its imports. Nothing is run: the answer comes from the text alone.

A name is followed through faces, the ``__init__`` files that hand on what others define: ``from gpkl_lib import
symmetric_kl`` reaches ``divergence.py`` and all that it imports. That Python runs ``gpkl_lib/__init__.py``, and so
imports everything, does not count, since none of the rest has a say in what ``symmetric_kl`` does.

Where the text does not say what is meant, more is reached rather than less: a package that is used as a whole, or that
finds its own modules (``pkgutil.iter_modules``), with all its files.
"""

import ast
from collections.abc import Iterable, Iterator
from functools import cached_property
from itertools import pairwise
from pathlib import Path

Wanted = tuple[str, str | None]
"""A name in a module, or with None the module as a whole."""


class Source:
    """One parsed file of the package."""

    def __init__(self, path: Path, module: str) -> None:
        self.path, self.module = path, module
        self.is_face = path.name == "__init__.py"

    @cached_property
    def tree(self) -> ast.Module:
        """The file's syntax."""
        return ast.parse(self.path.read_text("utf-8"), str(self.path))

    @cached_property
    def handed_on(self) -> dict[str, Wanted]:
        """What the file imports from elsewhere under a name of its own."""
        return {
            alias.asname or alias.name: (node.module, alias.name)
            for node in statements(self.tree.body)
            if isinstance(node, ast.ImportFrom) and node.module
            for alias in node.names
        }

    @cached_property
    def defined(self) -> set[str]:
        """The names that the file itself defines."""
        names = set()
        for node in statements(self.tree.body):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                names.add(node.name)
            elif isinstance(node, ast.Assign | ast.AnnAssign):
                targets = node.targets if isinstance(node, ast.Assign) else [node.target]
                names |= {one.id for target in targets for one in ast.walk(target) if isinstance(one, ast.Name)}
        return names

    @property
    def finds_modules(self) -> bool:
        """Whether it looks for the modules of its own folder."""
        return any(getattr(node, "attr", getattr(node, "id", "")) == "iter_modules" for node in ast.walk(self.tree))


def statements(body: Iterable[ast.stmt]) -> Iterator[ast.stmt]:
    """Yield the statements of a module's top level, those within ``if``, ``try`` and ``with`` too."""
    for node in body:
        yield node
        if isinstance(node, ast.If | ast.Try | ast.With):
            yield from statements(node.body)
            yield from statements(getattr(node, "orelse", []))
            for handler in getattr(node, "handlers", []):
                yield from statements(handler.body)


def attributes(tree: ast.AST, name: str) -> Iterator[list[str]]:
    """Yield ``["b", "c"]`` for each use ``name.b.c`` of a name, and ``[]`` for each use of the name alone."""
    inner = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    for node in ast.walk(tree):
        chain: list[str] = []
        one: ast.AST = node
        while isinstance(one, ast.Attribute):
            chain.insert(0, one.attr)
            one = one.value
        if id(node) not in inner and isinstance(one, ast.Name) and one.id == name and isinstance(one.ctx, ast.Load):
            yield chain


class Library:
    """A package, whose files are read once."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.name = folder, folder.name
        self.sources = {source.module: source for source in map(self._source, folder.rglob("*.py"))}

    def _source(self, path: Path) -> Source:
        parts = path.relative_to(self.folder.parent).with_suffix("").parts
        return Source(path, ".".join(parts[:-1] if parts[-1] == "__init__" else parts))

    def reached(self, *codes: str) -> set[Path]:
        """Return the package's files that the codes reach.

        Raises:
            SyntaxError: one of them is no Python.
        """
        files: set[Path] = set()
        seen: set[Wanted] = set()
        todo = [wanted for code in codes for wanted in self._imports(ast.parse(code))]
        while todo:
            wanted = todo.pop()
            if wanted not in seen:
                seen.add(wanted)
                for source in self._meant(*wanted):
                    if source.path not in files:
                        files.add(source.path)
                        todo += self._imports(source.tree)
                        if source.finds_modules:
                            todo.append((source.module if source.is_face else source.module.rpartition(".")[0], None))
                todo += self._further(*wanted)
        return files

    def _meant(self, module: str, name: str | None) -> list[Source]:
        """Return the files that count because of what is wanted; none where a face only hands it on."""
        source = self.sources.get(module)
        if source is None or f"{module}.{name}" in self.sources:
            return []
        below = [one for key, one in self.sources.items() if key == module or key.startswith(f"{module}.")]
        if not source.is_face or name in source.defined:
            return [source]
        if name in source.handed_on:
            return []
        return [one for one in below if name in one.defined] or below

    def _further(self, module: str, name: str | None) -> list[Wanted]:
        """Return what is wanted in its place: what a face hands on, a module that is taken like a name."""
        source = self.sources.get(module)
        handed_on = source.handed_on.get(name) if source and source.is_face and name else None
        if handed_on not in (None, (module, name)):
            return [handed_on]
        return [(f"{module}.{name}", None)] if f"{module}.{name}" in self.sources else []

    def _imports(self, tree: ast.AST) -> Iterator[Wanted]:
        """Yield what the code imports from this package, also inside functions."""
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom):
                for alias in node.names if self._is_own(node.module) else ():
                    whole = f"{node.module}.{alias.name}"
                    if whole in self.sources:
                        yield from self._used(tree, alias.asname or alias.name, whole)
                    else:
                        yield (str(node.module), None if alias.name == "*" else alias.name)
            elif isinstance(node, ast.Import):
                for alias in node.names:
                    if self._is_own(alias.name):
                        yield from self._used(
                            tree, alias.asname or self.name, alias.name if alias.asname else self.name
                        )
            elif isinstance(node, ast.List):  # [sys.executable, "-m", "gpkl_lib", ...]
                words = [getattr(word, "value", None) for word in node.elts]
                if ("-m", self.name) in pairwise(words):
                    yield (f"{self.name}.__main__", None)

    def _is_own(self, module: str | None) -> bool:
        return module is not None and module.partition(".")[0] == self.name

    def _used(self, tree: ast.AST, name: str, module: str) -> Iterator[Wanted]:
        """Yield what is used of a module that the code knows by `name`."""
        chains = list(attributes(tree, name))
        for chain in chains or [[]]:
            inner = module
            while chain and f"{inner}.{chain[0]}" in self.sources:
                inner, chain = f"{inner}.{chain[0]}", chain[1:]
            yield (inner, chain[0] if chain else None)
