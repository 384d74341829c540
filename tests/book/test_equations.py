"""Every labelled equation of the book has a check, every check a label, and every check bites."""

from __future__ import annotations

import importlib
import pkgutil
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import sympy as sp

from gpkl_lib import derivations
from gpkl_lib.derivations import Claim, Derivation, DerivationError, equations, load_checks
from gpkl_lib.derivations.numeric import Evaluator, apart

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


def squeeze(latex: str) -> str:
    """LaTeX without the white space that does not change it."""
    return re.sub(r"(?<![a-zA-Z]) | (?![a-zA-Z])", "", " ".join(latex.split())).replace(" ", "")


LABELLED = all_labels()
CATALOGUE: tuple[Derivation, ...] = tuple(
    derivation
    for module in pkgutil.iter_modules(derivations.__path__, "gpkl_lib.derivations.")
    for derivation in getattr(importlib.import_module(module.name), "DERIVATIONS", ())
)


def test_the_book_has_labelled_equations() -> None:
    assert len(LABELLED) >= 10
    assert len(CATALOGUE) >= 12


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


@pytest.mark.parametrize("labelled", [x for x in LABELLED if x.label in equations()], ids=lambda x: x.label)
def test_page_shows_what_is_tested(labelled: Labelled) -> None:
    """Where a check says what it shows, the LaTeX in the page is what the tested object prints, and a sign matters."""
    tested = equations()[labelled.label].latex
    if tested is None:
        return
    assert labelled.body is not None, f"{labelled.place}: {labelled.label} is not in a math directive"
    assert squeeze(labelled.body) == squeeze(tested), f"{labelled.place} should read\n{tested}"
    for sign in re.finditer(r"[+-]", labelled.body):
        other = "-" if sign[0] == "+" else "+"
        assert squeeze(labelled.body[: sign.start()] + other + labelled.body[sign.end() :]) != squeeze(tested)


def test_every_shown_claim_is_of_the_catalogue() -> None:
    """So that the sign changes below reach each of them."""
    shown = [x.shows for x in equations().values() if isinstance(x.shows, Claim)]
    assert shown
    assert all(claim.derivation in CATALOGUE for claim in shown)


def sign_changes(expr: sp.Expr) -> Iterator[sp.Expr]:
    """`expr` with one sign changed: its own, that of one term of a sum in it, or that of one exponent."""
    with sp.evaluate(False):
        yield -1 * expr
        yield from _inside(expr)


def _inside(expr: sp.Expr) -> Iterator[sp.Expr]:
    if isinstance(expr, sp.Indexed) or not expr.args:
        return
    if isinstance(expr, sp.Sum):
        for term in (-1 * expr.function, *_inside(expr.function)):
            changed = sp.Expr.__new__(sp.Sum, term, *expr.limits)
            changed.is_commutative = True
            yield changed
        return
    for place, arg in enumerate(expr.args):
        if not isinstance(arg, sp.Expr) or isinstance(arg, sp.IndexedBase):
            continue
        own = [-1 * arg] if expr.is_Add or isinstance(expr, sp.exp) else []
        for changed in (*own, *_inside(arg)):
            yield expr.func(*expr.args[:place], changed, *expr.args[place + 1 :])


STEPS = [(derivation, number) for derivation in CATALOGUE for number in range(len(derivation.steps))]


@pytest.mark.parametrize(
    ("derivation", "number"), STEPS, ids=[f"{derivation.title[:30]}-{number}" for derivation, number in STEPS]
)
def test_a_changed_sign_is_caught(derivation: Derivation, number: int) -> None:
    """Every sign change that makes the step false fails the check, at the changed step or at the one after it.

    A change that leaves the value as it is at every point (the sign of a term that is 0) leaves a true statement.
    """
    step, evaluate = derivation.steps[number], Evaluator(derivation.given)
    at = derivation.points()
    right = [evaluate(step.expr, point) for point in at]
    false = 0
    for changed in sign_changes(step.expr):
        if all(apart(evaluate(changed, point), value) < 1e-50 for point, value in zip(at, right, strict=True)):
            continue
        false += 1
        with pytest.raises(DerivationError) as error:
            derivation.with_step(number, changed).check()
        assert error.value.step in (number, number + 1)
        assert error.value.point is not None
        assert derivation.title in str(error.value)
    assert false or step.expr == 0, "no sign change makes this step false"
