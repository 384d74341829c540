"""One attention head, trained on short inputs and tested on long ones: who looks up, and who takes an average?

    measure(fit_head("mean"), "mean", 4096, [1.0, 2.0])      # its own scale, and twice that

A task has n keys in sixteen dimensions; a query belongs to k of them. No key has a position, so those k come first.

- "lookup": k = 1, one of n random keys of one length; the query is that key with noise. Which of four labels has it?
- "mean": k = n/4 keys about a direction that the query names; which number do their values scatter about?
- "uneven": the same, but the keys of the group have lengths of their own, and so scores of their own.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, mse_loss, normalize, one_hot

from gpkl_lib._storage import Row
from gpkl_lib.chapters.recorders.recorder import Entry, timed
from gpkl_lib.smoothing import entropy

Task = Literal["lookup", "mean", "uneven"]
Rule = Literal["fixed", "root", "log"]
WIDTH, LABELS, SHARE, NOISE, UNEVEN = 16, 4, 4, 0.5, 0.4
REFERENCE = 64  # every rule is 1 at this number of keys
LENGTHS = (64, 256, 1024, 4096)
SWEEP = (0.5, 1.0, 1.5, 2.0, 3.0, 5.0)  # factors of the scale at the longest


class Examples(NamedTuple):
    """Queries (B, d), keys (B, n, d), values (B, n, labels or 1), targets (B,), and k: the keys that are asked for."""

    query: Tensor
    keys: Tensor
    values: Tensor
    target: Tensor
    relevant: int


def examples(task: Task, n: int, batch: int) -> Examples:
    """`batch` new examples of a task with n keys, from torch's generator."""
    keys, query = torch.randn(batch, n, WIDTH), torch.randn(batch, WIDTH)
    if task == "lookup":
        keys = math.sqrt(WIDTH) * normalize(keys, dim=-1)
        labels = torch.randint(LABELS, (batch, n))
        values = one_hot(labels, LABELS).float()
        return Examples(keys[:, 0] + NOISE * query, keys, values, labels[:, 0], 1)
    k, query = n // SHARE, math.sqrt(WIDTH) * normalize(query, dim=-1)
    length = torch.exp(UNEVEN * torch.randn(batch, k, 1)) if task == "uneven" else 1.0
    keys[:, :k] = length * query[:, None] + NOISE * keys[:, :k]
    target = torch.randn(batch)
    values = torch.randn(batch, n)
    values[:, :k] += target[:, None]
    return Examples(query, keys, values[..., None], target, k)


class Head(nn.Module):
    """One head: scores, half the plain inner products to begin with, and a readout of the weighted mean of values."""

    def __init__(self, task: Task) -> None:
        super().__init__()
        out = LABELS if task == "lookup" else 1
        self.query, self.readout = nn.Linear(WIDTH, WIDTH, bias=False), nn.Linear(out, out)
        with torch.no_grad():
            nn.init.eye_(self.query.weight).mul_(0.5)
            nn.init.eye_(self.readout.weight)

    def scores(self, x: Examples) -> Tensor:
        """(B, n): inner products over the root of the width."""
        asked: Tensor = self.query(x.query)
        return (x.keys @ asked[..., None])[..., 0] / math.sqrt(WIDTH)


def factor(rule: Rule, n: int) -> float:
    """What a rule multiplies the scores of n keys by: 1, log n over log 64, or the root of that."""
    power = {"fixed": 0.0, "root": 0.5, "log": 1.0}[rule]
    return math.pow(math.log(n) / math.log(REFERENCE), power)


def mix(scores: Tensor, values: Tensor) -> Tensor:
    """The means (B, out) of values under the softmax of scores."""
    return (scores.softmax(-1)[:, None] @ values)[:, 0]


def fit_head(
    task: Task, *, lengths: Sequence[int] = (REFERENCE,), rule: Rule = "fixed", steps: int = 1000, seed: int = 0
) -> Head:
    """Train a head by Adam, batches of 128 of the given lengths in turn, learning rate from 0.02 down to 0."""
    torch.manual_seed(seed)
    head = Head(task)
    optimizer = torch.optim.Adam(head.parameters(), lr=0.02)
    schedule = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.0, steps)
    for step in range(steps):
        n = lengths[step % len(lengths)]
        x = examples(task, n, 128)
        out = head.readout(mix(factor(rule, n) * head.scores(x), x.values))
        loss = cross_entropy(out, x.target) if task == "lookup" else mse_loss(out[:, 0], x.target)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        schedule.step()
    return head


@torch.no_grad()
def measure(head: Head, task: Task, n: int, factors: Sequence[float], *, batches: int = 20) -> list[dict[str, float]]:
    """For each factor of the scale, on the same `batches` times 50 examples: means of

    error, the share of wrong labels or the mean squared error; refitted, the latter after one factor of the output is
    fitted to these very examples; mass on the keys that are asked for; entropy in nats; keys, 1 over the sum of
    squares of the weights within them.
    """
    torch.manual_seed(n)
    seen: dict[float, list[tuple[Tensor, ...]]] = {by: [] for by in factors}
    for _ in range(batches):
        x = examples(task, n, 50)
        scores = head.scores(x)
        for by in factors:
            p = (by * scores).softmax(-1)
            out = head.readout(mix(by * scores, x.values))
            wanted = p[:, : x.relevant]
            mass = wanted.sum(-1)
            keys = 1 / (wanted / mass[:, None]).square().sum(-1)
            seen[by].append((out, x.target, mass, entropy(by * scores), keys))
    found = []
    for by in factors:
        out, target, mass, nats, keys = map(torch.cat, zip(*seen[by], strict=True))
        row = {"factor": round(by, 4), "mass": _mean(mass), "entropy": _mean(nats), "keys": _mean(keys)}
        if task == "lookup":
            row["error"] = _mean((out.argmax(-1) != target).float())
        else:
            out = out[:, 0]
            row["error"] = _mean((out - target).square())
            row["refitted"] = _mean((out * (out @ target) / (out @ out) - target).square())
        found.append(row)
    return found


def _mean(values: Tensor) -> float:
    return float(f"{values.double().mean().item():.4g}")


def length_rows(
    tasks: Sequence[Task],
    seeds: Sequence[int],
    lengths: Sequence[int] = (REFERENCE,),
    rules: Sequence[Rule] = ("fixed",),
) -> Iterator[Entry]:
    """A row for each task, rule in training and seed, with what `measure` finds under each rule at each length."""
    for task in tasks:
        for rule in rules:
            for seed in seeds:
                settings: Row = {"task": task, "lengths": list(lengths), "rule": rule, "seed": seed}
                yield timed(settings, partial(_run, **settings))


def _run(task: Task, **training: Any) -> Row:
    head = fit_head(task, **training)
    rules: tuple[Rule, ...] = ("fixed", "root", "log")
    tests = {}
    for n in LENGTHS:
        tests[str(n)] = dict(zip(rules, measure(head, task, n, [factor(rule, n) for rule in rules]), strict=True))
    return {"tests": tests, "sweep": measure(head, task, LENGTHS[-1], SWEEP)}
