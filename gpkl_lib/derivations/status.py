"""The status of a result: proven, proven in words beside the formula, or numbers only; and the badge that shows it."""

from __future__ import annotations

import html
from typing import Any

from gpkl_lib.derivations.proof import EVERY

PROVEN, IN_WORDS, NUMBERS = STATUSES = ("proven", "proven in words", "numbers only")
"""How certain a relation is, from the most certain on."""
_PILL = "display:inline-block;cursor:pointer;border:1px solid currentColor;border-radius:1em;padding:0 .7em"


def status(found: Any) -> str:
    """Status of a `Verdict`, a `Finding` or `Findings`: that of its least certain relation.

    "proven": SymPy showed it for every n. "proven in words": what SymPy did not show, the page proves in words. Else
    "numbers only".

    Example:
        >>> from gpkl_lib.derivations.notation import c
        >>> status(Statement(c + c, "=", 2 * c).check())
        'proven'
    """
    left = [one for one in getattr(found, "each", (found,)) if set(one.ways) != {EVERY}]
    return PROVEN if not left else IN_WORDS if all(one.words for one in left) else NUMBERS


def badge(found: Any) -> str:
    """The status of such a result as HTML, with the details in a fold behind it.

    Example:
        >>> from gpkl_lib.derivations.notation import c
        >>> badge(Statement(c, "=", c).check()).startswith("<")
        True
    """
    return (
        f'<details class="gpkl-verdict" style="margin:.3em 0;font-size:.9em"><summary style="{_PILL}">{status(found)}'
        f'</summary><p style="margin:.3em 0">{html.escape(str(found))}</p></details>'
    )
