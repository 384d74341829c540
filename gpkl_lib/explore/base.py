"""What every explorable shares: one ES module for two hosts, its state, and a picture for where no script runs."""

from __future__ import annotations

import html
import json
import re
from pathlib import Path
from typing import Any, ClassVar

import anywidget

STATIC = Path(__file__).parent
"""The folder of the explorables."""
MODULES = tuple(sorted(path.stem for path in STATIC.glob("*.js")))
"""The explorables: each is a NAME.js with a NAME.py beside it."""

_IMPORT = re.compile(r'^import\s*\{[^}]*\}\s*from\s*"(\.{1,2}/[\w/]+)\.js";\n', re.M)
_TYPES = re.compile(r"^ */\*\*(?:(?!\*/).)*\*/\n", re.M | re.S)
_TOP_LEVEL = re.compile(r"^(?:export )?(?:async )?(?:function\*?|const|let|var|class) +(\w+)", re.M)


def esm(name: str) -> str:
    """Return the module `name` as one self-contained text: NAME.js with the files that it imports put before it.

    Types, which are JSDoc comments on lines of their own, are left out. anywidget and the page both
    import a module from a Blob, where "./maths/core.js" would not resolve.

    Raises:
        FileNotFoundError: there is no such module.
        ValueError: two of the files declare the same top-level name.

    Example:
        >>> "import " in esm("two_views").split("export")[0]  # all that it needs stands before it
        False
    """
    sources: dict[str, str] = {}
    _collect(STATIC / f"{name}.js", sources)
    owner: dict[str, str] = {}
    for file, source in sources.items():
        for declared in _TOP_LEVEL.findall(source):
            if declared in owner:
                raise ValueError(f"{file}.js and {owner[declared]}.js both declare {declared!r} at top level")
            owner[declared] = file
    return "".join(sources.values())


def _collect(path: Path, sources: dict[str, str]) -> None:
    name = path.resolve().relative_to(STATIC.resolve()).with_suffix("").as_posix()
    if name in sources:
        return
    source = path.read_text("utf8")
    for imported in _IMPORT.findall(source):
        _collect(path.parent / f"{imported}.js", sources)
    sources[name] = _TYPES.sub("", _IMPORT.sub("", source))


def css() -> str:
    """Return the style sheet of all explorables.

    Example:
        >>> ".gpkl" in css()
        True
    """
    return (STATIC / "kit" / "explore.css").read_text("utf8")


class Explorable(anywidget.AnyWidget):
    """An anywidget that also lives without a kernel.

    Beside the widget's own mime type its output carries text/html: `<gpkl-explorable>` with the module's name, the
    state, and `still()`, which is what print and a reader without JavaScript see. Front ends of Jupyter show the
    widget, the book's page takes the HTML and runs the same module on it.

    A subclass in NAME.py of this folder is drawn by NAME.js beside it.

    Example:
        >>> picture = TwoViews()
        >>> picture.module, isinstance(picture, Explorable), picture.still().startswith("<svg")
        ('two_views', True, True)
    """

    module: ClassVar[str]
    _css = css()

    def __init_subclass__(cls, **kwargs: Any) -> None:
        package, _, name = cls.__module__.rpartition(".")
        if package == __package__ and Explorable in cls.__bases__:  # traitlets subclasses once more for every widget
            cls.module, cls._esm = name, esm(name)
        super().__init_subclass__(**kwargs)

    def state(self) -> dict[str, Any]:
        """The traits that the picture depends on, ready for JSON."""
        inherited = set(anywidget.AnyWidget.class_trait_names())
        names = self.trait_names(sync=True)
        return {name: getattr(self, name) for name in names if name not in inherited and not name.startswith("_")}

    def still(self) -> str:
        """The present state as static HTML or SVG, drawn in Python."""
        raise NotImplementedError

    def _repr_mimebundle_(self, **kwargs: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        data, metadata = super()._repr_mimebundle_(**kwargs) or ({}, {})
        data["text/plain"] = f"{type(self).__name__}({', '.join(f'{k}={v!r}' for k, v in self.state().items())})"
        state = html.escape(json.dumps(self.state(), ensure_ascii=False))
        data["text/html"] = (
            f'<gpkl-explorable module="{self.module}" state="{state}">'
            f'<div class="gpkl-still">{self.still()}</div></gpkl-explorable>'
        )
        return data, metadata
