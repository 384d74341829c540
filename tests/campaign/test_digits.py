"""The short form of the campaign: at every temperature, shift and number of classes the digits are there."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import digits
import pytest
import torch
from digits import DIVERGENCES, DTYPES, SHORT, Measured, campaign

from gpkl_lib import symmetric_kl

# In units in the last place of what is computed (float32, or float64 for float64); README and docstrings state them.
VALUE = {"sigmoid": 8, "softmax": 16}
GRADIENT = {"sigmoid": 80, "softmax": 1600}  # of the symmetric form, relative to the largest entry
ONE_SIDED = 8  # the gradients of the others, relative to (1 + distance / T) / T


@pytest.fixture(scope="module")
def measured() -> list[Measured]:
    return list(campaign(short=True))


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("activation", ["sigmoid", "softmax"])
@pytest.mark.parametrize("function", [function.__name__ for function in DIVERGENCES])
def test_values_and_gradients_keep_their_digits(
    measured: list[Measured], dtype: torch.dtype, activation: str, function: str
) -> None:
    rows = [x for x in measured if (x.dtype, x.activation, x.function) == (str(dtype)[6:], activation, function)]
    assert {x.temperature for x in rows} >= set(SHORT)
    assert {x.shift for x in rows} == ({0.0, 10.0, 1_000.0} if activation == "softmax" else {0.0})
    value, gradient = max(rows, key=lambda x: x.value), max(rows, key=lambda x: x.gradient)
    assert value.value <= VALUE[activation], value
    assert gradient.gradient <= (GRADIENT[activation] if function == symmetric_kl.__name__ else ONE_SIDED), gradient


def test_many_classes_cost_no_digit(measured: list[Measured]) -> None:
    rows = [x for x in measured if x.classes > 10_000]
    assert {x.function for x in rows} == {function.__name__ for function in DIVERGENCES}
    assert all(x.value <= VALUE["softmax"] for x in rows)


def test_the_pair_that_came_out_three_times_too_large() -> None:
    s, t = torch.tensor([0.0013443524949252605]), torch.tensor([0.0013443526113405824])
    value = symmetric_kl(s, t, activation="sigmoid", temperature=0.11110446030598971)
    assert value.item() == pytest.approx(2.7446149e-19, rel=1e-6, abs=0)


def test_a_million_classes() -> None:
    generator = torch.Generator().manual_seed(0)
    s = torch.randn(1_000_000, generator=generator)
    t = s + torch.randn(1_000_000, generator=generator) * 0.1
    for function in DIVERGENCES:
        true = digits.truth_of_many(function, s, t, 1.0)
        assert digits.error(torch.float32, function(s, t).item(), true) <= VALUE["softmax"]


def test_the_script_prints_its_table() -> None:
    script = Path(__file__).with_name("digits.py")
    answer = subprocess.run([sys.executable, str(script), "--help"], capture_output=True, text=True, check=True)
    assert "--short" in answer.stdout
