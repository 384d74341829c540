"""What the chapters' cells show again and again: a table, the source of a function, a recipe, a verdict, a badge."""

from __future__ import annotations

import ast
import html
import inspect
import textwrap
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import torch
from IPython.display import HTML, Markdown
from torch import Tensor


def table(head: Sequence[object], rows: Iterable[Sequence[object]]) -> HTML:
    """An HTML table, as Markdown tables do not survive in the output of a cell; the first column names the row.

    Args:
        head: names of the columns.
        rows: as many values each, shown by `str`; they may hold markup.

    Raises:
        ValueError: a row of another length; the message gives it.

    Example:
        >>> "<td>0.4</td>" in table(["method", "F1"], [["none", 0.4]]).data
        True
    """
    lines = []
    for row in rows:
        if len(row) != len(head):
            raise ValueError(f"a row must have {len(head)} values, as head has, got {list(row)}")
        first, *rest = map(str, row)
        lines.append(f'<tr><th scope="row">{first}</th>{"".join(f"<td>{value}</td>" for value in rest)}</tr>')
    top = "".join(f'<th scope="col">{name}</th>' for name in head)
    return HTML(  # type: ignore[no-untyped-call]
        f'<table class="dataframe"><tr>{top}</tr>{"".join(lines)}</table>'
    )


def source(*functions: Callable[..., Any]) -> Markdown:
    """The code of functions, one below another, without their docstrings: what the library does, from the library.

    Example:
        >>> print(source(doubled).data.splitlines()[1])
        def doubled(batch: Tensor) -> Tensor:
    """
    text = "\n\n\n".join(map(_body, functions))
    return Markdown(f"```python\n{text}\n```")  # type: ignore[no-untyped-call]


def recipe(*files: Path) -> Markdown:
    r"""Recipes of records, each below the command that makes the record again.

    Example:
        >>> import tempfile
        >>> from pathlib import Path
        >>> file = Path(tempfile.mkdtemp(), "mine.toml")
        >>> _ = file.write_text("epochs = 3\n", "utf-8")
        >>> print(recipe(file).data.splitlines()[1])
        make results-mine
    """
    shown = []
    for file in files:
        text = file.read_text(encoding="utf-8").strip()
        shown.append(f"```shell\nmake results-{file.stem}\n```\n\n```toml\n{text}\n```")
    return Markdown("\n\n".join(shown))  # type: ignore[no-untyped-call]


def badges(*objects: Any) -> HTML:
    """The badges of statements and derivations after their checks, each below its formula where there are several.

    Example:
        >>> from gpkl_lib.derivations import Statement
        >>> from gpkl_lib.derivations.notation import c
        >>> "proven" in badges(Statement(c + c, "=", 2 * c)).data
        True
    """
    from gpkl_lib.derivations import badge, latex

    rows = []
    for shown in objects:
        formula = html.escape(rf"\(\displaystyle {latex(shown)}\)")
        name = f'<div class="math notranslate nohighlight">{formula}</div>' if len(objects) > 1 else ""
        rows.append(name + badge(shown.check()))
    return HTML(f'<div class="gpkl-derivation">{"".join(rows)}</div>')  # type: ignore[no-untyped-call]


def _body(function: Callable[..., Any]) -> str:
    text = textwrap.dedent(inspect.getsource(function))
    found = ast.parse(text).body[0]
    lines = text.splitlines()
    if isinstance(found, ast.FunctionDef | ast.ClassDef) and ast.get_docstring(found) is not None:
        docstring = found.body[0]
        del lines[docstring.lineno - 1 : docstring.end_lineno]
    return "\n".join(lines).strip("\n")


def verdict(claim: str, a: Tensor | float, b: Tensor | float = 0.0) -> None:
    """Print `claim` and how far `a` and `b`, two ways to compute the same thing, are apart at most (nan counts).

    Example:
        >>> verdict("1/3, twice", torch.tensor(1 / 3), 1 / 3)
        1/3, twice: largest difference 9.9e-09
    """
    one, other = (torch.as_tensor(x, dtype=torch.float64).detach() for x in (a, b))
    largest = (one - other).abs().max().item()
    print(f"{claim}: {'exact' if largest == 0 else f'largest difference {largest:.1e}'}")
