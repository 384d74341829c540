"""The probe of positions: what it must not see, what it may, and its record."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from gpkl_lib._storage import read_rows
from gpkl_lib.chapters.recorders.positions import LENGTH, WIDTH, Attention, fit_positions

RECORD = Path(__file__).parents[2] / "book/_results/positions.jsonl"
BLIND = ((LENGTH**2 - 1) / 12) ** 0.5 / LENGTH  # the deviation of 1, ..., n, over n
EQUAL = torch.ones(LENGTH, 1) * torch.linspace(-1, 1, WIDTH)


def spread(weights: Any, place: Any, *, causal: bool = False, zero: bool = False, first: bool = False) -> float:
    """How far the outputs of one attention differ over positions, where all tokens are equal or all but the first."""
    torch.manual_seed(0)
    x = EQUAL.clone()
    x[0] *= -1 if first else 1
    y = Attention(weights, place, causal, zero)(x).detach()
    return float((y.amax(0) - y.amin(0)).max())


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("place", ["none", "rotary", "bias"])
def test_rows_that_sum_to_one_see_no_position(place: str, causal: bool) -> None:
    assert spread("softmax", place, causal=causal) < 1e-6


@pytest.mark.parametrize(
    ("weights", "place", "more"),
    [
        ("softmax", "values", {}),
        ("softmax", "rotary", {"first": True}),
        ("softmax", "none", {"first": True, "causal": True}),
        ("urpe", "none", {}),
        ("sigmoid", "rotary", {}),
        ("sigmoid", "none", {"causal": True}),
        ("l2", "rotary", {}),
        ("l2", "bias", {}),
    ],
)
def test_others_see_some(weights: str, place: str, more: dict[str, bool]) -> None:
    assert spread(weights, place, **more) > 1e-2


def test_a_causal_row_sees_itself_and_nothing_after_it() -> None:
    torch.manual_seed(0)
    attention, x = Attention("softmax", "bias", causal=True, zero=False), torch.randn(LENGTH, WIDTH)
    before = attention(x)
    for place in (0, 9, LENGTH - 1):
        other = x.clone()
        other[place] += 1
        moved = (attention(other) != before).any(1)
        assert moved[place]
        assert not moved[:place].any()


def test_a_bias_of_zero_is_a_stationary_point_of_l2_weights() -> None:
    assert spread("l2", "bias", zero=True) < 1e-6
    torch.manual_seed(0)
    slopes = []
    for zero in (True, False):
        attention = Attention("l2", "bias", causal=False, zero=zero).double()
        y = attention(EQUAL.double())
        (y * torch.randn_like(y)).sum().backward()
        assert attention.bias.grad is not None
        slopes.append(attention.bias.grad.abs().max().item())
    assert slopes[0] < 1e-14 < 1e-3 < slopes[1]


def test_a_run_repeats_and_is_one_of_its_seed() -> None:
    run = fit_positions(place="bias", weights="urpe", steps=3)
    assert run.shape == (LENGTH,)
    assert torch.equal(run, fit_positions(place="bias", weights="urpe", steps=3))
    assert not torch.equal(run, fit_positions(place="bias", weights="urpe", steps=3, seed=1))


def test_absolute_positions_are_learnt_at_once() -> None:
    away = fit_positions(place="absolute", steps=200) - torch.arange(1, LENGTH + 1)
    assert away.abs().max() < 0.05


def test_the_record_is_complete_and_nobody_is_below_the_blind_floor() -> None:
    rows = read_rows(RECORD)
    ways: dict[tuple[Any, ...], list[float]] = {}
    for row in rows:
        assert row["provenance"]["dirty"] is False
        assert row["provenance"]["command"] == "python -m gpkl_lib.chapters.recorders book/_results/positions.toml"
        key = tuple(row[name] for name in ("weights", "place", "causal", "first", "zero"))
        ways.setdefault(key, []).append(row["error"])
    assert len(ways) == 18
    assert {len(errors) for errors in ways.values()} == {5}
    blind = {key for key, errors in ways.items() if min(errors) > 0.999 * BLIND}
    rows_of_one = {("softmax", place, causal, False, False) for place in ("none", "rotary") for causal in (False, True)}
    assert blind == rows_of_one | {("softmax", "bias", False, False, False)}
