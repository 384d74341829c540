"""Every labelled equation of the book has a check, every check a label, and every check bites."""

from __future__ import annotations

import importlib
import pkgutil
import re
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
from mutants import parts_of, passes, sign_changes, statements_of, wrong_statements, wrong_steps

from gpkl_lib import derivations
from gpkl_lib.derivations import Claim, Derivation, Statement, equations, latex, load_checks

BOOK = Path(__file__).parents[2] / "book"
LABEL = re.compile(r"^:label:[ \t]*(\S+)[ \t]*$|^\((eq-[^)\s]+)\)=[ \t]*$|^\$\$[ \t]*\((eq-[^)\s]+)\)", re.MULTILINE)
MATH = re.compile(r"^(`{3,})\{math\}[^\n]*\n((?::[a-z]+:[^\n]*\n)*)(.*?)^\1[ \t]*$", re.MULTILINE | re.DOTALL)

load_checks(BOOK / "_checks")


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
        for labelled in labels_of(file.read_text("utf-8"), str(file.relative_to(BOOK.parent)))
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


LABELLED = all_labels()
CATALOGUE: tuple[Derivation, ...] = tuple(
    derivation
    for module in pkgutil.iter_modules(derivations.__path__, "gpkl_lib.derivations.")
    for derivation in getattr(importlib.import_module(module.name), "DERIVATIONS", ())
)


def test_the_book_has_labelled_equations() -> None:
    assert len(LABELLED) >= 60
    assert len(CATALOGUE) >= 25
    assert len(STATEMENTS) >= 40


def test_every_label_has_a_check() -> None:
    missing = [f"{x.label} ({x.place})" for x in LABELLED if x.label not in equations()]
    assert not missing, "labelled equations without a check in book/_checks: " + ", ".join(missing)


def test_every_check_has_a_label() -> None:
    known = {x.label for x in LABELLED}
    orphans = [f"{x.label} ({x.file.name}:{x.line})" for x in equations().values() if x.label not in known]
    assert not orphans, "checks without a labelled equation in book/**/*.md: " + ", ".join(orphans)


def test_no_label_stands_twice() -> None:
    places: dict[str, list[str]] = {}
    for x in LABELLED:
        places.setdefault(x.label, []).append(x.place)
    twice = {label: where for label, where in places.items() if len(where) > 1}
    assert not twice


def test_every_reference_finds_its_label() -> None:
    known = {x.label for x in LABELLED}
    lost = [
        f"{label} ({file.relative_to(BOOK.parent)})"
        for file in sorted(BOOK.rglob("*.md"))
        for label in re.findall(r"\{eq\}`([^`<>]+)`", file.read_text("utf-8"))
        if label not in known
    ]
    assert not lost, "{eq} references without a label: " + ", ".join(lost)


@pytest.mark.parametrize("label", list(equations()))
def test_check_holds(label: str) -> None:
    verdict = equations()[label].check()
    assert verdict.strip()


@pytest.mark.parametrize("label", list(equations()))
def test_every_equation_is_printed_from_a_tested_object(label: str) -> None:
    shown = equations()[label].shows
    assert shown is not None, f"{label}: the page's LaTeX is not compared with anything"
    for part in parts_of(shown):
        assert isinstance(part, Claim | Statement), f"{label} shows a {type(part).__name__}"
        assert isinstance(part, Statement) or part.derivation in CATALOGUE, f"{label}: not in a tuple DERIVATIONS"


@pytest.mark.parametrize("labelled", [x for x in LABELLED if x.label in equations()], ids=lambda x: x.label)
def test_page_shows_what_is_tested(labelled: Labelled) -> None:
    """The LaTeX in the page is, but for its layout, what the tested object prints, and every sign in it matters."""
    tested = equations()[labelled.label].latex
    assert tested is not None
    assert labelled.body is not None, f"{labelled.place}: {labelled.label} is not in a math directive"
    assert squeeze(labelled.body) == squeeze(tested), f"{labelled.place} should read\n{tested}"
    for wrong in wrong_pages(labelled.body):
        assert squeeze(wrong) != squeeze(tested), f"{labelled.place}: not noticed:\n{wrong}"


def wrong_pages(body: str) -> list[str]:
    """The LaTeX with one sign changed, or one relation turned round."""
    turned = {"+": "-", "-": "+", "<": ">", ">": "<", r"\le": r"\ge", r"\ge": r"\le"}
    found = re.finditer(r"[+<>-]|\\[lg]e(?![a-zA-Z])", body)
    return [body[: sign.start()] + turned[sign[0]] + body[sign.end() :] for sign in found]


def test_layout_is_no_content() -> None:
    assert squeeze(r"\begin{aligned} & a_{i} \\ & \quad = \left(b + c\right), \end{aligned}") == squeeze(
        r"a_i = \bigl(b+c\bigr)."
    )
    assert squeeze(r"T \log n") == squeeze(r"T\,\log n") != squeeze(r"T \logn")
    for other in (r"a_i = (b-c)", r"a_j = (b+c)", r"a_i = b+c", r"-a_i = (b+c)", r"a_i \le (b+c)"):
        assert squeeze(r"a_{i} = \left(b + c\right)") != squeeze(other)
    assert squeeze(r"\log n") != squeeze(r"\log_n") != squeeze(r"\logn")


STATEMENTS = {
    f"{label}-{number}": statement
    for label, entry in equations().items()
    for number, statement in enumerate(statements_of(entry.shows), 1)
}


TRUE_AS_WELL: dict[tuple[str, int], tuple[int, str]] = {
    key: value
    for name, module in sorted(sys.modules.items())
    if name.startswith("gpkl_book_checks_")
    for key, value in getattr(module, "TRUE_AS_WELL", {}).items()
}
WHERE = "list their number and the reason in TRUE_AS_WELL of the chapter's file in book/_checks, under"


@pytest.mark.parametrize("name", STATEMENTS)
def test_a_wrong_sign_in_a_statement_is_found(name: str) -> None:
    """By numbers alone, whichever sign or relation it is, unless what comes out is true as well."""
    wrong = list(wrong_statements(STATEMENTS[name]))
    missed = [x.latex() for x in wrong if passes(x)]
    label, number = name.rsplit("-", 1)
    allowed, _ = TRUE_AS_WELL.get((label, int(number)), (0, ""))
    assert wrong
    assert len(missed) == allowed, f"not noticed; if they are true, {WHERE} {(label, int(number))}:\n" + "\n".join(
        missed
    )


@pytest.mark.parametrize("derivation", CATALOGUE, ids=lambda derivation: derivation.title[:40])
def test_a_wrong_sign_in_a_derivation_is_found(derivation: Derivation) -> None:
    """By numbers alone, at the changed step or at the one after it, unless the step is true all the same."""
    missed: dict[int, list[str]] = {}
    for number, changed, let_pass in wrong_steps(derivation):
        missed.setdefault(number, [])
        missed[number] += [latex(changed)] if let_pass else []
    for number, step in enumerate(derivation.steps):
        allowed, _ = TRUE_AS_WELL.get((derivation.title, number), (0, ""))
        found = missed.get(number, [])
        assert number in missed or step.expr == 0
        assert len(found) == allowed, f"not noticed; if true, {WHERE} {(derivation.title, number)}:\n" + "\n".join(
            found
        )


def test_what_is_listed_as_true_as_well_exists_and_has_a_reason() -> None:
    places = {(derivation.title, number) for derivation in CATALOGUE for number in range(len(derivation.steps))}
    places |= {(label, int(number)) for label, number in (name.rsplit("-", 1) for name in STATEMENTS)}
    assert set(TRUE_AS_WELL) <= places
    assert all(count > 0 and len(reason.split()) > 3 for count, reason in TRUE_AS_WELL.values())


def test_the_number_of_wrong_signs_tried() -> None:
    """So that none of the tests above can become empty unnoticed."""
    pages = sum(len(wrong_pages(x.body or "")) for x in LABELLED)
    statements = sum(1 for statement in STATEMENTS.values() for _ in wrong_statements(statement))
    steps = sum(1 for derivation in CATALOGUE for step in derivation.steps for _ in sign_changes(step.expr))
    allowed = sum(count for count, _ in TRUE_AS_WELL.values())
    print(
        f"signs changed: {pages} in pages, {statements} in statements, {steps} in derivations; {allowed} true as well"
    )
    assert pages >= 150
    assert statements >= 250
    assert steps >= 500
    assert allowed <= 0.05 * (statements + steps)
