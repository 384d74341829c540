"""Draw the noise, and the maths of maths/noise.js."""

import itertools
from functools import partial

import torch
from specimen import Specimen

from gpkl_lib import symmetric_kl
from gpkl_lib.explore import DrawTheNoise
from gpkl_lib.explore.draw_the_noise import draws, mixed
from gpkl_lib.noise import NOISES, argmax_probabilities

PAIR = ((1.0, 0.0, -1.0), (0.0, 0.5, 0.3))
SPECIMEN = Specimen(
    settings=[
        DrawTheNoise(),
        DrawTheNoise((5, -5, -5), noise="cauchy", draws=4000),
        DrawTheNoise((2, 1, 0.9), noise="uniform"),
        DrawTheNoise((1000, -1000, 1000), noise="laplace", temperature=0.05, draws=1),
        DrawTheNoise((0.5, 0.5, 0.5), noise="normal", temperature=20),
        DrawTheNoise(*PAIR),
        DrawTheNoise(*PAIR, noise="uniform", draws=1000),
        DrawTheNoise(*PAIR, noise="exponential", temperature=3),
        DrawTheNoise(*PAIR, noise="logistic", draws=3999),
        DrawTheNoise((0.3, 1.3, -0.7), (0, 1, -1), noise="cauchy"),
        DrawTheNoise((1000, 0, -1000), (-1000, 0, 1000), noise="normal"),
    ],
    line="exact",
    slider="width T",
    stops=8,
    drags=[("score s₁", 38, 2.0)],
    absolute=1e-13,
)
SCORES = ([1.0, 0.0, -1.0], [0.0, 0.5, 0.3], [5.0, -5.0, -5.0], [2.0, 2.0, 1.9], [1000.0, -1000.0, 999.5])


def golden():
    module = "maths/noise"
    for x in (-40.0, -8.0, -2.6, -2.4, -1e-9, 0.0, 0.7, 2.4, 2.6, 9.0):
        value = torch.special.ndtr(torch.tensor(x, dtype=torch.float64)).item()
        yield module, "normalCdf", [x], value, 1e-16
    for u in (1e-9, 0.02, 0.3, 0.5, 0.7, 1 - 2**-20):
        value = torch.special.ndtri(torch.tensor(u, dtype=torch.float64)).item()
        yield module, "normalQuantile", [u], value, 1e-15
    for k in (0, 1, 2, 999, 2**21 + 11_999):
        yield module, "mixed", [k], mixed(torch.tensor(k)).item()
    for i, j in itertools.product(range(3), repeat=2):
        yield module, "term", [*map(list, PAIR), i, j], (PAIR[0][i] - PAIR[1][i]) - (PAIR[0][j] - PAIR[1][j]), 1e-15
    for noise in NOISES:
        f, sample = partial(argmax_probabilities, noise=noise), draws(noise, 400)
        yield module, "noiseDraws", [noise, 3, 50], sample[:50].tolist(), 1e-13
        for scores, T in itertools.product(SCORES, (0.05, 1.0, 20.0)):
            s = torch.tensor(scores, dtype=torch.float64)
            won = (s + T * sample).argmax(-1)
            yield module, "argmaxProbabilities", [noise, scores, T], f(s, temperature=T).tolist(), 1e-14
            yield module, "winner", [scores, sample[7].tolist(), T], won[7].item()
            shares = torch.bincount(won, minlength=3).double() / len(won)
            yield module, "winShares", [scores, sample.tolist(), T], shares.tolist()
        for (first, second), T in itertools.product(itertools.combinations(SCORES, 2), (0.3, 1.0)):
            s, t = (torch.tensor(scores, dtype=torch.float64) for scores in (first, second))
            D = T * symmetric_kl(s, t, activation=f, temperature=T).item()
            yield module, "noiseDivergence", [noise, first, second, T], D, 1e-13 * (1 + (s - t).abs().max().item())
            one, other = (s + T * sample).argmax(-1), (t + T * sample).argmax(-1)
            terms = (s - t)[one] - (s - t)[other]
            counts = torch.bincount(3 * one + other, minlength=9).reshape(3, 3).double()
            found = {
                "shares": (counts / len(sample)).tolist(),
                "drawn": terms.mean().item(),
                "least": terms.min().item(),
                "apart": (one != other).double().mean().item(),
            }
            yield module, "coupled", [first, second, sample.tolist(), T], found, 1e-12
