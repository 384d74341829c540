"""Scale for C classes: the least loss that unit features and unit weights allow, and training at three scales."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from statistics import fmean
from typing import Any

import traitlets

from gpkl_lib.explore.base import Explorable
from gpkl_lib.explore.kit import svg
from gpkl_lib.explore.traits import Ranged, RangedInt
from gpkl_lib.palette import PALETTE
from gpkl_lib.smoothing import normalized_scale_bound

MEASURED = ("loss", "accuracy")
TONES = ("vermilion", "blue", "green")
_LOW, _HIGH, _LEAST, _MOST = -0.5, 2.5, -6.0, 1.0  # powers of ten: of the scale across, of the loss upwards


def mean_curves(rows: Sequence[Mapping[str, Any]], scales: Sequence[float]) -> list[dict[str, Any]]:
    """One curve for each scale, averaged over its runs.

    Args:
        rows: runs with `scale`, `steps`, `loss` (nats), `accuracy` (0 to 1), each list as long as `steps`.
        scales: those to keep, in this order.

    Returns:
        Dictionaries with the same keys.

    Raises:
        ValueError: no run of a scale, or its runs were measured at different steps.
    """
    curves = []
    for scale in scales:
        runs = [row for row in rows if row["scale"] == scale]
        if not runs or any(run["steps"] != runs[0]["steps"] for run in runs):
            raise ValueError(f"runs at scale {scale:g}, all measured at the same steps, are wanted; found {len(runs)}")
        mean = {key: [fmean(at) for at in zip(*(run[key] for run in runs), strict=True)] for key in MEASURED}
        curves.append({"scale": float(scale), "steps": list(runs[0]["steps"]), **mean})
    return curves


class ScaleForClasses(Explorable):
    """log(1 + (C - 1) exp(-s C/(C - 1))) over s, the scale that a loss of epsilon needs, and recorded training runs.

    Args:
        num_classes: C, 2 to 100,000.
        scale: s, 0.32 to 316.
        tolerance: epsilon, the loss that one wants to be able to reach, 1e-6 to 5 nats.
        curves: up to three recorded runs {"scale", "steps", "loss", "accuracy"}, as from `mean_curves`.
        recorded_classes: the C of the recorded runs.

    Raises:
        traitlets.TraitError: a value outside these, or a curve without one of its lists.

    Example:
        >>> picture = ScaleForClasses(num_classes=50, scale=16.0)
        >>> sorted(picture.values())
        ['bound', 'margin', 'needed']
    """

    num_classes = RangedInt(2, 100_000)
    scale = Ranged(10**_LOW, 10**_HIGH)
    tolerance = Ranged(1e-6, 5.0)
    curves = traitlets.List(traitlets.Dict()).tag(sync=True)
    recorded_classes = RangedInt(2, 100_000)

    def __init__(
        self,
        num_classes: int = 50,
        scale: float = 16.0,
        *,
        tolerance: float = 0.01,
        curves: Sequence[Mapping[str, Any]] = (),
        recorded_classes: int = 50,
    ) -> None:
        super().__init__(
            num_classes=num_classes,
            scale=scale,
            tolerance=tolerance,
            curves=[dict(curve) for curve in curves],
            recorded_classes=recorded_classes,
        )

    @traitlets.validate("curves")
    def _validate_curves(self, proposal: dict[str, Any]) -> list[dict[str, Any]]:
        curves: list[dict[str, Any]] = proposal["value"]
        if len(curves) > len(TONES):
            raise traitlets.TraitError(f"curves may hold up to {len(TONES)} runs, got {len(curves)}")
        for curve in curves:
            sizes = {len(curve.get(key, ())) for key in ("steps", *MEASURED)}
            if len(sizes) != 1 or sizes == {0} or not curve.get("scale", 0) > 0:
                raise traitlets.TraitError(
                    f"a curve needs a scale above 0 and steps, loss and accuracy of one length, got {sorted(curve)}"
                )
        return curves

    def chosen(self) -> dict[str, Any] | None:
        """The recorded run whose scale is nearest in ratio, None without a record."""
        return min(self.curves, key=lambda curve: abs(math.log(curve["scale"] / self.scale)), default=None)

    def values(self) -> dict[str, float]:
        """The numbers under the picture: losses in nats, the margin as a difference of cosines."""
        c = self.num_classes
        lead = math.log(c - 1) - math.log(math.expm1(self.tolerance))
        result = {
            "bound": normalized_scale_bound(c, self.scale),
            "needed": (c - 1) / c * lead,
            "margin": lead / self.scale,
        }
        run = self.chosen()
        if run is not None:
            result["recorded_scale"] = run["scale"]
            result["recorded_floor"] = normalized_scale_bound(self.recorded_classes, run["scale"])
            result["recorded_loss"] = run["loss"][-1]
            result["recorded_accuracy"] = run["accuracy"][-1]
        return result

    def still(self) -> str:
        """The bound over s with the present one marked, and the recorded accuracies, as one SVG picture."""
        value = self.values()
        alt = (
            f"{self.num_classes} classes: the least loss over s, both on logarithmic axes. At s = "
            f"{self.scale:g} it is {svg.number(value['bound'], 4)} nats; a loss of {self.tolerance:g} needs s = "
            f"{svg.number(value['needed'], 2)}."
        )
        for run in self.curves:
            alt += (
                f" Recorded at scale {run['scale']:g} with {self.recorded_classes} classes: training loss "
                f"{run['loss'][-1]:.4g}, held-out accuracy {run['accuracy'][-1]:.3f}."
            )
        parts = [*_bound(self), *_runs(self)]
        words = f"*C* = {self.num_classes}, *s* = {self.scale:g}: loss ≥ {value['bound']:.4g}"
        return svg.picture(360, 300 if self.curves else 200, alt, [*parts, svg.text(8, 16, words, "ink", "start")])


def _at(scale: float, loss: float) -> tuple[float, float]:
    x = 40 + 300 * (math.log10(scale) - _LOW) / (_HIGH - _LOW)
    y = 30 + 130 * (_MOST - math.log10(max(loss, 10**_LEAST))) / (_MOST - _LEAST)
    return x, min(y, 160.0)


def _path(points: Sequence[tuple[float, float]], tone: str) -> str:
    d = "".join(f"{'L' if k else 'M'}{x:.1f} {y:.1f}" for k, (x, y) in enumerate(points))
    return svg.tag("path", d=d, fill="none", stroke=PALETTE[tone], stroke_width=2, class_=f"gpkl-{tone}")


def _bound(widget: ScaleForClasses) -> Iterator[str]:
    yield svg.line(40, 160, 340, 160)
    for power in (-6, -4, -2, 0):
        yield svg.text(36, _at(1, 10.0**power)[1] + 4, f"1e{power}", "grey", "end")
    for scale in (1, 10, 100):
        yield svg.text(_at(scale, 1)[0], 176, str(scale), "grey")
    grid = [10 ** (_LOW + (_HIGH - _LOW) * k / 60) for k in range(61)]
    yield _path([_at(s, normalized_scale_bound(widget.num_classes, s)) for s in grid], "blue")
    y = _at(1, widget.tolerance)[1]
    yield svg.line(40, y, 340, y, "vermilion", stroke_dasharray="4 3")
    yield svg.dot(*_at(widget.scale, normalized_scale_bound(widget.num_classes, widget.scale)), "blue")
    if widget.num_classes == widget.recorded_classes:
        for run in widget.curves:
            yield svg.dot(*_at(min(run["scale"], 10**_HIGH), run["loss"][-1]), "green", "diamond", 4)


def _runs(widget: ScaleForClasses) -> Iterator[str]:
    if widget.curves:
        yield svg.text(8, 204, "recorded held-out accuracy", "ink", "start")
    for k, run in enumerate(widget.curves):
        y = 216 + 26 * k
        yield svg.box(70, y, 220 * run["accuracy"][-1], 14, TONES[k])
        yield svg.text(62, y + 12, f"*s* = {run['scale']:g}", TONES[k], "end")
        yield svg.text(76 + 220 * run["accuracy"][-1], y + 12, f"{run['accuracy'][-1]:.3f}", TONES[k], "start")
