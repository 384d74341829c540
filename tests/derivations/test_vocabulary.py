"""The derivations of the chapter "Smooth maximum" hold, and a wrong sign in any step is found."""

from __future__ import annotations

import pytest

from gpkl_lib.chapters.formulas import smooth_maximum
from gpkl_lib.derivations.derivation import Derivation, DerivationError

ALL = {name: value for name, value in vars(smooth_maximum).items() if isinstance(value, Derivation)}
STEPS = [(name, number) for name, value in ALL.items() for number in range(len(value.steps))]


@pytest.mark.parametrize("name", ALL)
def test_every_step_is_proven_for_every_n(name: str) -> None:
    assert set(ALL[name].check().ways) == {"every n"}


@pytest.mark.parametrize(("name", "number"), STEPS)
def test_a_wrong_sign_is_found(name: str, number: int) -> None:
    derivation = ALL[name]
    wrong = derivation.with_step(number, -derivation.steps[number].expr)
    with pytest.raises(DerivationError) as error:
        wrong.check()
    assert error.value.step in (number, number + 1)


@pytest.mark.parametrize("name", ALL)
def test_no_power_is_printed_as_a_factor(name: str) -> None:
    """SymPy prints an unevaluated T * (1 / Z) * (1 / T) as "T Z (-1) / T": proven right, shown wrong."""
    assert "-1" not in ALL[name].latex()
