"""How many of how many?: the mass on k of n keys under a fixed scale, log n, and the scale that keeps it."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator

import traitlets

from gpkl_lib.explore.base import Explorable
from gpkl_lib.explore.kit import svg
from gpkl_lib.explore.traits import Ranged, RangedInt

REFERENCE = 64  # every scale gives the same mass at this number of keys
LONGEST = 65_536
RULES = {"fixed": "vermilion", "log": "blue", "exact": "green"}


def relevant_mass(n: float, k: float, lead: float) -> float:
    """1/(1 + (n - k)/k e^-lead): the mass on k of n keys that lead the others by `lead` = lambda m.

    Example:
        >>> round(relevant_mass(512, 1, 6.0), 4)
        0.4412
    """
    return 1 / (1 + (n - k) / k * math.exp(-lead))


def lead_for_mass(n: float, k: float, mass: float) -> float:
    """log(mass/(1 - mass)) + log((n - k)/k): the lambda m at which k of n keys have this mass.

    Example:
        >>> round(lead_for_mass(64, 1, 0.9), 4)
        6.3404
    """
    return math.log(mass / (1 - mass)) + math.log((n - k) / k)


class HowManyOfHowMany(Explorable):
    """k of n keys lead all others by m: their mass under a fixed scale, one that grows like log n, and the exact one.

    Args:
        length: n, 64 to 65,536.
        relevant: k at n = 64, 1 to 32.
        share: k grows with n, a fixed share of the keys; otherwise it stays.
        mass: what the k keys have at n = 64 under every scale, 0.5 to 0.99.

    Raises:
        traitlets.TraitError: a value outside these.

    Example:
        >>> value = HowManyOfHowMany(4096).values()
        >>> round(value["fixed"], 4), round(value["log"], 4), round(value["exact"], 4)
        (0.1216, 0.9874, 0.9)
    """

    length = RangedInt(REFERENCE, LONGEST)
    relevant = RangedInt(1, REFERENCE // 2)
    share = traitlets.Bool().tag(sync=True)
    mass = Ranged(0.5, 0.99)

    def __init__(self, length: int = REFERENCE, *, relevant: int = 1, share: bool = False, mass: float = 0.9) -> None:
        super().__init__(length=length, relevant=relevant, share=share, mass=mass)

    def keys_at(self, n: float) -> float:
        """How many of n keys are asked for."""
        return self.relevant * n / REFERENCE if self.share else self.relevant

    def leads(self, n: float) -> dict[str, float]:
        """Lambda times m at n keys, by rule."""
        start = lead_for_mass(REFERENCE, self.relevant, self.mass)
        exact = lead_for_mass(n, self.keys_at(n), self.mass)
        return {"fixed": start, "log": start * math.log(n) / math.log(REFERENCE), "exact": exact}

    def masses(self, n: float) -> dict[str, float]:
        """The mass on the keys that are asked for at n keys, by rule."""
        return {rule: relevant_mass(n, self.keys_at(n), lead) for rule, lead in self.leads(n).items()}

    def values(self) -> dict[str, float]:
        """The masses, k, and lambda m of each rule."""
        leads = {f"lead_{rule}": lead for rule, lead in self.leads(self.length).items()}
        return {**self.masses(self.length), "keys": self.keys_at(self.length), **leads}

    def still(self) -> str:
        """The masses over n as curves, and at the present n as numbers, in one SVG picture."""
        at = {rule: f"{value:.3f}" for rule, value in self.masses(self.length).items()}
        asked = f"{self.relevant} of 64 keys" + (
            " and the same share of more" if self.share else ", and no more of more"
        )
        alt = (
            f"Mass on the keys that are asked for, {asked}, over n = 64 to 65536. At n = {self.length}: {at['fixed']} "
            f"with a fixed scale, {at['log']} with log n, {at['exact']} with the exact one."
        )
        return svg.picture(360, 230, alt, self._curves())

    def _curves(self) -> Iterator[str]:
        def place(power: float, mass: float) -> tuple[float, float]:
            return 40 + 25 * (power - 6), 190 - 160 * mass

        for mass in (0, 0.5, 1):
            yield svg.line(40, place(6, mass)[1], 290, place(6, mass)[1])
            yield svg.text(34, place(6, mass)[1] + 4, f"{mass:g}", "grey", "end")
        for power in (6, 9, 12, 15):
            yield svg.text(place(power, 0)[0], 208, str(2**power), "grey")
        now = place(math.log2(self.length), 0)[0]
        yield svg.line(now, 30, now, 190, "ink", stroke_dasharray="2 3")
        powers = [6 + step / 2 for step in range(21)]
        masses = [self.masses(2**power) for power in powers]
        dashes = {"fixed": "6 3", "log": "none", "exact": "2 2"}
        for rule, tone in RULES.items():
            points = [place(power, mass[rule]) for power, mass in zip(powers, masses, strict=True)]
            for (a, b), (c, d) in itertools.pairwise(points):
                yield svg.line(a, b, c, d, tone, width=2, stroke_dasharray=dashes[rule])
        names = {"fixed": "fixed", "log": "log *n*", "exact": "exact"}
        for row, (rule, mass) in enumerate(self.masses(self.length).items()):
            yield svg.text(298, 60 + 24 * row, f"{names[rule]} {mass:.2f}", RULES[rule], "start")
        yield svg.text(8, 16, "mass on the keys asked for", "ink", "start")
        yield svg.text(165, 226, "*n*", "grey")
