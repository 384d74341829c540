"""The labelled equations of the book as they stand in its text: labels, LaTeX, and the names of its derivations."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass

from pages import ROOT

BOOK = ROOT / "book"
FORMULAS = ROOT / "gpkl_lib" / "chapters" / "formulas"
LABEL = re.compile(r"^:label:[ \t]*(\S+)[ \t]*$|^\((eq-[^)\s]+)\)=[ \t]*$|^\$\$[ \t]*\((eq-[^)\s]+)\)", re.MULTILINE)
MATH = re.compile(r"^(`{3,})\{math\}[^\n]*\n((?::[a-z]+:[^\n]*\n)*)(.*?)^\1[ \t]*$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Labelled:
    """A label in a chapter; `body` is the LaTeX under it (None where it is not a math directive)."""

    label: str
    place: str
    body: str | None


def labels_of(text: str, name: str) -> list[Labelled]:
    bodies = {}
    for block in MATH.finditer(text):
        label = LABEL.search(block[2])
        if label:
            bodies[label[1]] = block[3]
    found = []
    for match in LABEL.finditer(text):
        label = next(x for x in match.groups() if x)
        if label.startswith("eq-") or label in bodies:
            found.append(Labelled(label, f"{name}:{text.count(chr(10), 0, match.start()) + 1}", bodies.get(label)))
    return found


def all_labels() -> list[Labelled]:
    return [
        labelled
        for file in sorted(BOOK.rglob("*.md"))
        if not any(part.startswith((".", "_build")) for part in file.relative_to(BOOK).parts)
        for labelled in labels_of(file.read_text("utf-8"), str(file.relative_to(ROOT)))
    ]


def derivations_of_chapters() -> list[tuple[str, str]]:
    """(module, name) of every derivation that a module of `gpkl_lib.chapters.formulas` lists in `DERIVATIONS`."""
    return [
        (file.stem, name.id)
        for file in sorted(FORMULAS.glob("*.py"))
        for node in ast.parse(file.read_text("utf-8")).body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "DERIVATIONS"
        for name in ast.walk(node.value)
        if isinstance(name, ast.Name)
    ]


_LAYOUT = (
    (r"\\begin\{aligned\}(\[\w\])?|\\end\{aligned\}", ""),
    (r"[.,;:]\s*(?=\\\\|$)", ""),
    (r"\\\\(\[\w+\])?|&", " "),
    (r"\\[td]frac(?![a-zA-Z])", r"\\frac"),
    (r"\\([lg])eq(?![a-zA-Z])", r"\\\1e"),
    (r"\\[,;:! ]|\\q?quad(?![a-zA-Z])|~", " "),
    (r"\\(left|right|[bB]igg?[lr]?)(?![a-zA-Z])", " "),
    (r"(\\(?:mathcal|mathbb|mathbf|bar|hat|tilde|sqrt))\s+(\w)", r"\1{\2}"),
    (r"(\\[a-zA-Z]+)\s+(?=[a-zA-Z])", r"\1·"),  # the space that ends a command's name
    (r"\s|\{\}", ""),
    (r"\{(\w)\}", r"\1"),
)


def squeeze(latex: str) -> str:
    """LaTeX without its layout: white space, line breaks, alignment, sizes of brackets, commas at the ends of lines."""
    for pattern, instead in _LAYOUT:
        latex = re.sub(pattern, instead, latex.strip())
    return latex


def wrong_pages(body: str) -> list[str]:
    """The LaTeX with one sign changed, or one relation turned round."""
    turned = {"+": "-", "-": "+", "<": ">", ">": "<", r"\le": r"\ge", r"\ge": r"\le"}
    found = re.finditer(r"[+<>-]|\\[lg]e(?![a-zA-Z])", body)
    return [body[: sign.start()] + turned[sign[0]] + body[sign.end() :] for sign in found]
