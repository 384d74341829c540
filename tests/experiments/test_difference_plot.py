"""The figure of differences between methods, seed by seed."""

import pytest
from matplotlib.figure import Figure

from gpkl_lib.experiments import difference_plot


def test_differences_are_drawn_seed_by_seed_with_their_interval():
    f1 = {"a": {3: 0.50, 1: 0.53, 2: 0.52}, "b": {1: 0.50, 2: 0.51, 3: 0.51}, "c": {1: 0.6, 2: 0.6, 3: 0.6}}
    axes = Figure().subplots()
    difference_plot(axes, f1, [("a", "b"), ("b", "c")])
    dots, diamond, lower_dots, lower_diamond, zero = [
        line for line in axes.lines if line.get_marker() in ("o", "D", "None")
    ]
    assert sorted(dots.get_xdata()) == pytest.approx([-0.01, 0.01, 0.03])
    assert diamond.get_xdata() == pytest.approx([0.01])
    assert lower_dots.get_xdata() == pytest.approx([-0.1, -0.09, -0.09])
    assert lower_diamond.get_xdata() == pytest.approx([-0.28 / 3])
    assert list(zero.get_xdata()) == [0, 0]
    (upper, _) = [bars.get_segments()[0] for bars in axes.collections]
    half = 4.302653 * 0.02 / 3**0.5  # the t of two degrees of freedom, the standard deviation of three
    assert upper[:, 0] == pytest.approx([0.01 - half, 0.01 + half], abs=1e-6)
    (band,) = axes.patches
    assert (band.get_x(), band.get_width()) == pytest.approx((-0.005, 0.01))
    assert [label.get_text() for label in axes.get_yticklabels()] == ["a\nminus b", "b\nminus c"]
    assert list(axes.get_yticks()) == [0, -1]
