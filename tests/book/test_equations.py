"""Every labelled equation of the book has a check, every check a label, and the page shows what is checked."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from labels import BOOK, Labelled, all_labels, squeeze, wrong_pages
from pages import ROOT

if TYPE_CHECKING:
    from gpkl_lib.derivations import Derivation, Equation

LABELLED = all_labels()
EVERY = pytest.mark.parametrize("label", sorted({x.label for x in LABELLED}))


def test_the_book_has_labelled_equations() -> None:
    assert len(LABELLED) >= 60


def test_every_label_has_a_check(checks: dict[str, Equation]) -> None:
    missing = [f"{x.label} ({x.place})" for x in LABELLED if x.label not in checks]
    assert not missing, "labelled equations without a check in book/_checks: " + ", ".join(missing)


def test_every_check_has_a_label(checks: dict[str, Equation]) -> None:
    known = {x.label for x in LABELLED}
    orphans = [f"{x.label} ({x.file.name}:{x.line})" for x in checks.values() if x.label not in known]
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
        f"{label} ({file.relative_to(ROOT)})"
        for file in sorted(BOOK.rglob("*.md"))
        for label in re.findall(r"\{eq\}`([^`<>]+)`", file.read_text("utf-8"))
        if label not in known
    ]
    assert not lost, "{eq} references without a label: " + ", ".join(lost)


@EVERY
def test_check_holds(label: str, checks: dict[str, Equation]) -> None:
    verdict = checks[label].check()
    assert verdict.strip()


@EVERY
def test_every_equation_is_printed_from_a_tested_object(
    label: str, checks: dict[str, Equation], catalogue: dict[str, Derivation]
) -> None:
    from mutants import parts_of

    from gpkl_lib.derivations import Claim, Statement

    shown = checks[label].shows
    assert shown is not None, f"{label}: the page's LaTeX is not compared with anything"
    for part in parts_of(shown):
        assert isinstance(part, Claim | Statement), f"{label} shows a {type(part).__name__}"
        if isinstance(part, Claim):
            assert part.derivation in catalogue.values(), f"{label}: not in a tuple DERIVATIONS"


@pytest.mark.parametrize("labelled", LABELLED, ids=lambda x: x.label)
def test_page_shows_what_is_tested(labelled: Labelled, checks: dict[str, Equation]) -> None:
    """The LaTeX in the page is, but for its layout, what the tested object prints, and every sign in it matters."""
    tested = checks[labelled.label].latex
    assert tested is not None
    assert labelled.body is not None, f"{labelled.place}: {labelled.label} is not in a math directive"
    assert squeeze(labelled.body) == squeeze(tested), f"{labelled.place} should read\n{tested}"
    for wrong in wrong_pages(labelled.body):
        assert squeeze(wrong) != squeeze(tested), f"{labelled.place}: not noticed:\n{wrong}"


def words_of(shown: object) -> list[str]:
    """The words with which a page begins what SymPy does not prove, of each part of what a label shows."""
    from mutants import parts_of

    quotes = [
        getattr(part, "words", "") or getattr(getattr(part, "derivation", None), "words", "")
        for part in parts_of(shown)
    ]
    return [quote for quote in quotes if quote]


@pytest.mark.parametrize("labelled", LABELLED, ids=lambda x: x.label)
def test_what_is_proven_in_words_is_proven_on_its_page(labelled: Labelled, checks: dict[str, Equation]) -> None:
    page = " ".join((ROOT / labelled.place.partition(":")[0]).read_text("utf-8").split())
    for quote in words_of(checks[labelled.label].shows):
        assert len(quote.split()) >= 5, f"{labelled.label}: {quote!r} may stand anywhere"
        assert page.count(quote) == 1, f"{labelled.place}: the proof of {labelled.label} should begin with {quote!r}"


def test_at_most_a_tenth_of_the_equations_rests_on_numbers_only(checks: dict[str, Equation]) -> None:
    by_numbers = sorted(label for label in {x.label for x in LABELLED} if checks[label].status == "numbers only")
    print("numbers only:", *by_numbers)
    assert len(by_numbers) <= 0.1 * len({x.label for x in LABELLED})
    first_parts = {x.label for x in LABELLED if x.place.startswith(("book/foundations/", "book/divergence/"))}
    assert not first_parts & set(by_numbers)


def test_layout_is_no_content() -> None:
    assert squeeze(r"\begin{aligned} & a_{i} \\ & \quad = \left(b + c\right), \end{aligned}") == squeeze(
        r"a_i = \bigl(b+c\bigr)."
    )
    assert squeeze(r"T \log n") == squeeze(r"T\,\log n") != squeeze(r"T \logn")
    for other in (r"a_i = (b-c)", r"a_j = (b+c)", r"a_i = b+c", r"-a_i = (b+c)", r"a_i \le (b+c)"):
        assert squeeze(r"a_{i} = \left(b + c\right)") != squeeze(other)
    assert squeeze(r"\log n") != squeeze(r"\log_n") != squeeze(r"\logn")


def test_the_number_of_wrong_signs_tried_in_pages() -> None:
    """So that the test of the pages cannot become empty unnoticed."""
    assert sum(len(wrong_pages(x.body or "")) for x in LABELLED) >= 150
