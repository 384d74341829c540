"""How many of how many?, and the maths of maths/many.js."""

import itertools

from specimen import Specimen

from gpkl_lib.explore import HowManyOfHowMany
from gpkl_lib.explore.how_many_of_how_many import lead_for_mass, relevant_mass

SPECIMEN = Specimen(
    settings=[
        HowManyOfHowMany(),
        HowManyOfHowMany(4096, relevant=16, share=True),
        HowManyOfHowMany(65_536, relevant=1, mass=0.99),
        HowManyOfHowMany(65_536, relevant=32, share=True, mass=0.5),
        HowManyOfHowMany(1000, relevant=3, share=True, mass=0.75),
        HowManyOfHowMany(724, relevant=32, mass=0.5),
    ],
    line="fixed",
    slider="keys n",
    stops=6,
    absolute=1e-14,  # the scale of a half on half of the keys is 0
)


def golden():
    module = "maths/many"
    for n, k in itertools.product((64, 724, 65_536), (1, 3.5, 32)):
        for share in (False, True):
            yield module, "relevantKeys", [n, k, share], k * n / 64 if share else k
        for lead in (0.0, 6.34, 24.0):
            yield module, "relevantMass", [n, k, lead], relevant_mass(n, k, lead), 1e-300
        for mass in (0.5, 0.9, 0.99):
            yield module, "leadForMass", [n, k, mass], lead_for_mass(n, k, mass), 1e-14
