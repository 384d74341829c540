"""Explorables: pictures that the reader plays with, live in a notebook and on the page without a kernel.

Each is one Python class in NAME.py and one ES module in NAME.js of this folder, over shared files of `maths/` (all the
maths) and `kit/` (all the drawing aids). This face finds them by their `class NAME(Explorable)` and imports one only
when it is asked for.
"""

import re
from importlib import import_module

try:
    import anywidget as _anywidget  # noqa: F401
except ImportError as error:
    raise ImportError(
        "gpkl_lib.explore needs anywidget, which is in the extra 'book': pip install 'gpkl-lib[book]'"
    ) from error

from gpkl_lib.explore.base import MODULES, STATIC, Explorable, css, esm

_MODULE_OF = {
    name: module
    for module in MODULES
    for name in re.findall(r"^class (\w+)\(Explorable\):", (STATIC / f"{module}.py").read_text("utf8"), re.M)
}
__all__ = ["MODULES", "STATIC", "Explorable", "css", "esm", *_MODULE_OF]


def __getattr__(name: str) -> type[Explorable]:
    """The explorable of this name, from its own module."""
    if name not in _MODULE_OF:
        raise AttributeError(f"gpkl_lib.explore has no {name!r}; its explorables are {', '.join(sorted(_MODULE_OF))}")
    found: type[Explorable] = getattr(import_module(f"{__name__}.{_MODULE_OF[name]}"), name)
    return found


def __dir__() -> list[str]:
    return sorted(__all__)
