"""A wrong sign in anything that the book proves or compares is noticed, by numbers alone."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

import pytest
from labels import FORMULAS, all_labels, derivations_of_chapters
from verdicts import digest, kept

if TYPE_CHECKING:
    from gpkl_lib.derivations import Derivation, Equation

LABELS = sorted({x.label for x in all_labels()})
DERIVATIONS = [f"{module}.{name}" for module, name in derivations_of_chapters()]
WHERE = "list their number and the reason in TRUE_AS_WELL of the chapter's file in book/_checks, under"
TrueAsWell = dict[tuple[str, int], tuple[int, str]]


def test_the_names_are_those_of_all_derivations(catalogue: dict[str, Derivation]) -> None:
    """They are read from the text, so that collecting the tests loads no SymPy."""
    names = [file.stem for file in sorted(FORMULAS.glob("*.py")) if file.stem != "__init__"]
    modules = [importlib.import_module(f"gpkl_lib.chapters.formulas.{name}") for name in names]
    assert list(catalogue.values()) == [x for module in modules for x in getattr(module, "DERIVATIONS", ())]
    assert len(catalogue) >= 50


@pytest.mark.parametrize("label", LABELS)
def test_a_wrong_sign_in_a_statement_is_found(
    label: str, checks: dict[str, Equation], catalogue: dict[str, Derivation], true_as_well: TrueAsWell, cache: Any
) -> None:
    """Whichever sign or relation it is, unless what comes out is true as well. Claims are their derivation's below."""
    from mutants import parts_of, statements_of, verdict_on_statement

    equation = checks[label]
    statements = statements_of(equation.shows)
    verdicts = kept(cache, label, digest(equation.file), lambda: map(verdict_on_statement, statements))
    assert len(verdicts) == len(statements)
    for part in parts_of(equation.shows):
        assert part in statements or part.derivation in catalogue.values()
    for number, (tried, missed) in enumerate(verdicts, 1):
        assert tried
        allowed, _ = true_as_well.get((label, number), (0, ""))
        assert len(missed) == allowed, f"not noticed; if true, {WHERE} {(label, number)}:\n" + "\n".join(missed)


@pytest.mark.parametrize("name", DERIVATIONS)
def test_a_wrong_sign_in_a_derivation_is_found(
    name: str, catalogue: dict[str, Derivation], true_as_well: TrueAsWell, cache: Any
) -> None:
    """At the changed step or at the one after it, unless the step is true all the same."""
    from mutants import verdicts_on_derivation

    derivation, file = catalogue[name], FORMULAS / f"{name.partition('.')[0]}.py"
    verdicts = kept(cache, name, digest(file), lambda: verdicts_on_derivation(derivation))
    for number, (step, (tried, missed)) in enumerate(zip(derivation.steps, verdicts, strict=True)):
        assert tried or step.expr == 0
        where = (derivation.title, number)
        allowed, _ = true_as_well.get(where, (0, ""))
        assert len(missed) == allowed, f"not noticed; if true, {WHERE} {where}:\n" + "\n".join(missed)


def test_what_is_listed_as_true_as_well_exists_and_has_a_reason(
    checks: dict[str, Equation], catalogue: dict[str, Derivation], true_as_well: TrueAsWell
) -> None:
    from mutants import statements_of

    places = {
        (derivation.title, number) for derivation in catalogue.values() for number in range(len(derivation.steps))
    }
    places |= {
        (label, number) for label, entry in checks.items() for number, _ in enumerate(statements_of(entry.shows), 1)
    }
    assert set(true_as_well) <= places
    assert all(count > 0 and len(reason.split()) > 3 for count, reason in true_as_well.values())


def test_the_number_of_wrong_signs_tried(
    checks: dict[str, Equation], catalogue: dict[str, Derivation], true_as_well: TrueAsWell
) -> None:
    """So that none of the tests above can become empty unnoticed."""
    from mutants import sign_changes, statements_of, wrong_statements

    objects = [statement for entry in checks.values() for statement in statements_of(entry.shows)]
    statements = sum(1 for statement in objects for _ in wrong_statements(statement))
    steps = sum(1 for derivation in catalogue.values() for step in derivation.steps for _ in sign_changes(step.expr))
    allowed = sum(count for count, _ in true_as_well.values())
    print(f"signs changed: {statements} in statements, {steps} in derivations; {allowed} true as well")
    assert len(objects) >= 40
    assert statements >= 250
    assert steps >= 500
    assert allowed <= 0.05 * (statements + steps)
