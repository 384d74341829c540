"""The methods of training, one file each: what each adds to the cross-entropy, its settings, how it is named and drawn.

Notation: B sentences, H types, L tokens. A row is the L * L spans of one type in one sentence; every loss is summed
over the valid spans of a row and averaged over rows, so that longer sentences dilute nothing.

Every file of this folder that defines `METHODS` is found by itself. A method of your own need not lie here: build a
`Method` and `register` it, and `fit`, `gpkl train` and `gpkl compare` know it.
"""

from __future__ import annotations

import pkgutil
from importlib import import_module

from gpkl_lib.training.methods.method import TWO_VIEWS, Method, Setting, Step

__all__ = ["METHODS", "TWO_VIEWS", "Method", "Setting", "Step", "own_settings", "register"]

METHODS: dict[str, Method] = {}
"""Every method by its name."""


def register(method: Method) -> Method:
    """Make a method known, in the place of one of the same name if there is any; return it.

    Raises:
        ValueError: a setting that another method has too, with another default or other choices.

    Example:
        >>> from dataclasses import replace
        >>> mine = register(replace(METHODS["sigmoid"], name="mine", help="as sigmoid, under a name of my own"))
        >>> TrainingConfig(method="mine").method
        'mine'
        >>> del METHODS["mine"]
    """
    for setting in method.settings:
        for other in METHODS.values():
            known = other.setting(setting.name) if other.name != method.name else None
            if known is not None and (known.default, known.choices) != (setting.default, setting.choices):
                raise ValueError(
                    f"setting {setting.name} of method {method.name!r} must have the default {known.default!r} "
                    f"that it has with {other.name!r}, got {setting.default!r}"
                )
    METHODS[method.name] = method
    return method


def own_settings() -> dict[str, list[tuple[Method, Setting]]]:
    """Every setting that is not every method's, by name, with each method that has it.

    Example:
        >>> [method.name for method, _ in own_settings()["epsilon"]]
        ['vat', 'vat-unlabelled']
    """
    found: dict[str, list[tuple[Method, Setting]]] = {}
    for method in METHODS.values():
        for setting in method.settings:
            found.setdefault(setting.name, []).append((method, setting))
    return found


# The control first, then as the files are named.
_names = sorted((info.name for info in pkgutil.iter_modules(__path__)), key=lambda name: (name != "two_views", name))
for _name in _names:
    for _method in getattr(import_module(f"{__name__}.{_name}"), "METHODS", ()):
        register(_method)
