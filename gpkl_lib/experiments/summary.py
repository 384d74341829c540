"""What a comparison found: of each method the variant that dev chose, and its paired difference from the baseline."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any, NamedTuple

from gpkl_lib._storage import Row
from gpkl_lib.experiments.records import identity
from gpkl_lib.statistics import PairedDifference, Verdict, judge, paired_difference
from gpkl_lib.training import METHODS, own_settings

COMPARED = ("method", "alpha", "alpha_warmup", "seed", "teacher", "unlabelled")
"""What runs of one comparison may differ in, beside the methods' own settings; all else is the same for a group."""
MARGIN = 0.005
"""Of F1: half a point. A difference within it is called equivalent; stated before the runs."""


class Variant(NamedTuple):
    """What runs have in common that differ in their seed alone.

    `own` holds the settings of the method's own, `other` the rest where runs are called by their arm.
    """

    label: str
    alpha: float
    alpha_warmup: float
    own: tuple[tuple[str, Any], ...] = ()
    other: str = ""


@dataclass(frozen=True)
class MethodSummary:
    """A method at the variant (alpha, alpha_warmup, its own settings) that dev chose among `tried`.

    Attributes:
        corpus, name, alpha, alpha_warmup: what was run; `name` is the method's.
        method: its `label`, which may split a method in several.
        own: the settings that this method has and others do not, such as epsilon.
        tried: how many variants were compared on dev, with how many seeds of each in `tuning_seeds`.
        dev, test: F1 by seed; `test` is empty where the corpus has no test part.
        difference: of F1 on test (on dev where there is no test) from the baseline; None for the baseline itself.
        verdict: on that difference, as one of those of its group, by a margin of half a point.
        steps, seconds, cpu_seconds: mean optimiser steps, wall time and processor time of a run.

    Example:
        >>> none, sigmoid = summarise(rows)
        >>> sigmoid.method, sigmoid.alpha, round(sigmoid.difference.mean, 4)
        ('sigmoid', 0.4, 0.0511)
    """

    corpus: str
    name: str
    method: str
    alpha: float
    alpha_warmup: float
    own: dict[str, Any]
    tried: int
    tuning_seeds: int
    dev: dict[int, float]
    test: dict[int, float]
    difference: PairedDifference | None
    verdict: Verdict | None
    steps: float
    seconds: float
    cpu_seconds: float


def label(row: Row) -> str:
    """What a run is called: its arm, if it has one; else its method, "two views" for a divergence of weight 0.

    The two ways of dividing in uda and the temperatures of distillation are compared with each other: each has its own.

    Example:
        >>> label({"config": {"method": "sigmoid", "alpha": 0.4}}), label({"config": {"method": "sigmoid", "alpha": 0}})
        ('sigmoid', 'two views')
    """
    if "arm" in row:
        return str(row["arm"])
    config = row["config"]
    method = METHODS.get(config["method"])  # a record may tell of one that nobody has registered here
    return method.label_of(config) if method else str(config["method"])


def variants(rows: Sequence[Row]) -> dict[Variant, dict[int, Row]]:
    """Rows of one group as variant -> seed -> row, in the order of the file.

    Where each seed has data of its own, unlabelled sentences too, as many of them are the same variant.

    Raises:
        ValueError: two rows of one variant and seed (students of two teachers, say).

    Example:
        >>> [(variant.label, sorted(runs)) for variant, runs in variants(rows).items()]
        [('none', [0, 1, 2]), ('sigmoid', [0, 1, 2])]
    """
    found: dict[Variant, dict[int, Row]] = {}
    for row in rows:
        config = row["config"]
        own = tuple((name, _plain(config[name], row)) for name in _own_names() if name in config)
        free = {name: value for name, value in config.items() if name not in COMPARED and name not in own_settings()}
        other = identity({"model": row["model"], "config": free}) if "arm" in row else ""
        runs = found.setdefault(Variant(label(row), config["alpha"], config["alpha_warmup"], own, other), {})
        if config["seed"] in runs:
            raise ValueError(f"two rows of {label(row)} with seed {config['seed']} and the same settings")
        runs[config["seed"]] = row
    return found


def _own_names() -> tuple[str, ...]:
    """What methods have of their own: settings, and unlabelled sentences."""
    return (*own_settings(), "unlabelled")


def _plain(value: Any, row: Row) -> Any:
    """A value that can be a key: sentences are their checksum, or their number where each seed draws its own."""
    return value["sentences" if "draw" in row["corpus"] else "contents"] if isinstance(value, dict) else value


def groups(rows: Sequence[Row]) -> list[list[Row]]:
    """Rows that may be compared with each other: one corpus, one model, one configuration but for what is compared.

    Runs that are called by their arm may differ in all but the corpus: each arm has settings of its own. Where each
    seed has data of its own, a seed's is the same for all.

    Raises:
        ValueError: two data sets of one seed in a group.

    Example:
        >>> [len(group) for group in groups(rows)]
        [6]
    """
    found: dict[str, list[Row]] = {}
    free, drawn = {*COMPARED, *own_settings()}, dict[tuple[str, int], Any]()
    for row in rows:
        fixed = {name: value for name, value in row["config"].items() if name not in free}
        corpus, run = row["corpus"], {"model": row["model"], "config": fixed}
        if "draw" in corpus:
            corpus = {name: part["sentences"] if isinstance(part, dict) else part for name, part in corpus.items()}
        name = identity({"corpus": corpus, **({} if "arm" in row else run)})
        found.setdefault(name, []).append(row)
        if drawn.setdefault((name, row["config"]["seed"]), row["corpus"]) != row["corpus"]:
            raise ValueError(f"seed {row['config']['seed']} of {corpus['name']} has two data sets")
    return list(found.values())


def titles(parts: Sequence[Sequence[Row]]) -> list[str]:
    """The name of each group: its corpus, and where several have the same, the settings that set it apart.

    Example:
        >>> titles(groups(rows))
        ['mine']
        >>> longer = [row | {"config": row["config"] | {"epochs": 9}} for row in rows]
        >>> titles(groups([*rows, *longer]))
        ['mine', 'mine, epochs 9']
    """
    names, told = [group[0]["corpus"]["name"] for group in parts], [_told(group) for group in parts]
    found = []
    for name, own in zip(names, told, strict=True):
        rivals = [other for rival, other in zip(names, told, strict=True) if rival == name]
        apart = [key for key, value in own.items() if any(other.get(key) != value for other in rivals)]
        found.append(", ".join([name, *(f"{key} {own[key]}" for key in apart)]))
    return found


def _told(group: Sequence[Row]) -> dict[str, Any]:
    """What all rows of a group have in common, by the words that tell it."""
    rows = []
    for row in group:
        parts = {key: value for key, value in row["corpus"].items() if isinstance(value, dict)}
        made = {key.replace("_", " "): value for key, value in row["corpus"].items() if key not in {*parts, "name"}}
        sizes = {f"{part} of": f"{of['sentences']} sentences" for part, of in parts.items()}
        settings = {key.replace("_", " "): value for key, value in {**row["model"], **row["config"]}.items()}
        data = {f"{part}": of["sha256"][:8] for part, of in parts.items() if "draw" not in row["corpus"]}
        rows.append({**settings, **made, **sizes, **data})
    return {key: value for key, value in rows[0].items() if all(other.get(key) == value for other in rows)}


def check_one_group(rows: Sequence[Row]) -> None:
    """Raise ValueError unless all rows may be compared with each other."""
    found = groups(rows)
    if len(found) != 1:
        told = ", ".join(f"{len(group)} rows on {group[0]['corpus']['name']}" for group in found)
        raise ValueError(f"rows of one comparison are wanted, got {len(found)} comparisons: {told or 'no row'}")


def by_method(rows: Sequence[Row], *, baseline: str = "none") -> dict[str, MethodSummary]:
    """`summarise` for rows of one group: the summary of each method by its `label`.

    Raises:
        ValueError: rows of several groups, none of which is the one that is meant.

    Example:
        >>> by_method(rows)["sigmoid"].test
        {0: 0.55, 1: 0.5611111111111111, 2: 0.5722222222222223}
    """
    check_one_group(rows)
    return {summary.method: summary for summary in summarise(rows, baseline=baseline)}


def summarise(rows: Sequence[Row], *, baseline: str = "none") -> list[MethodSummary]:
    """For each group and method the variant with the best mean dev F1, its difference from the baseline, the verdict.

    The verdicts of a group are adjusted for their number, and "equivalent" is within half a point (`MARGIN`).
    Only variants with every seed of the group stand to be chosen, so that a half-finished grid favours none; the first
    one in the file wins a tie. Where a grid was run on a few seeds and its best variant on all of them, as by
    `gpkl compare --tuning-seeds`, only that one has every seed; `tried` counts the whole grid. Of an arm, which may
    have fewer seeds than others, the variants with most seeds stand to be chosen.

    Example:
        >>> [(summary.method, summary.tried) for summary in summarise(rows)]
        [('none', 1), ('sigmoid', 1)]
    """
    summaries = []
    for group in groups(rows):
        seeds = {row["config"]["seed"] for row in group}
        grids: dict[str, list[dict[int, Row]]] = {}
        for (method, *_), runs in variants(group).items():
            grids.setdefault(method, []).append(runs)
        if "arm" in group[0]:
            whole = {arm: [runs for runs in grid if len(runs) == max(map(len, grid))] for arm, grid in grids.items()}
        else:
            whole = {method: [runs for runs in grid if runs.keys() == seeds] for method, grid in grids.items()}
        chosen = {method: max(found, key=_mean_dev) for method, found in whole.items() if found}
        part = "test" if all(row["test"] for row in group) else "dev"
        rivals = f1_by_seed(chosen[baseline], part) if baseline in chosen else {}
        differences = {
            method: paired_difference(f1_by_seed(runs, part), rivals)
            for method, runs in chosen.items()
            if method != baseline and rivals
        }
        verdicts = judge(differences, MARGIN)
        for method, runs in chosen.items():
            tuning = _tuning(grids[method], seeds)
            summaries.append(_summary(runs, tuning, differences.get(method), verdicts.get(method)))
    return summaries


def _tuning(grid: Sequence[dict[int, Row]], seeds: set[int]) -> tuple[int, int]:
    """(variants compared, seeds of each): all with the seeds that every one has.

    If that is one seed at most, it is that of a tuning only where a single variant went on to the others; where several
    did, the grid was not finished, and those with every seed were compared.
    """
    shared = set.intersection(*(set(runs) for runs in grid))
    whole = sum(seeds <= runs.keys() for runs in grid)
    if not shared or (len(shared) == 1 and whole > 1):
        shared = seeds
    return sum(shared <= runs.keys() for runs in grid), len(shared)


def remarks(rows: Sequence[Row]) -> list[str]:
    """A sentence, with what to try, for each sign that runs learnt nothing or that the best weight was not offered.

    Example:
        >>> remarks([row("none", 0.0, seed, 0.0) for seed in range(2)])[0].partition(";")[0]
        'mine: no run of none found a span of dev: its F1 compares nothing'
    """
    said = []
    for group in groups(rows):
        corpus = group[0]["corpus"]["name"]
        found = variants(group)
        for method in dict.fromkeys(variant.label for variant in found):
            runs = [row for variant, of in found.items() if variant.label == method for row in of.values()]
            if not any(max(row["history"]["f1"]) for row in runs):
                said.append(
                    f"{corpus}: no run of {method} found a span of dev: its F1 compares nothing; try more epochs, a "
                    "higher learning rate or a smaller weight, and see whether train and dev are labelled alike"
                )
            known = METHODS.get(runs[0]["config"]["method"])
            idle = [row for row in runs if known and known.needs == "unlabelled" and 0 in row["history"]["divergence"]]
            if idle:
                said.append(
                    f"{corpus}: in {len(idle)} of {len(runs)} runs of {method} there was an epoch without a sure span, "
                    "in which unlabelled sentences taught nothing; try lower thresholds"
                )
        offered = {method: {v.alpha for v in found if v.label == method} for method in {v.label for v in found}}
        chosen = {each.method: each.alpha for each in summarise(group) if len(offered[each.method]) > 1}
        if chosen and all(alpha == min(offered[method]) for method, alpha in chosen.items()):
            weights = ", ".join(f"{alpha:g} of {method}" for method, alpha in chosen.items())
            said.append(f"{corpus}: dev chose the smallest weight on offer ({weights}): try smaller ones as well")
    return said


def f1_by_seed(runs: Mapping[int, Row], part: str) -> dict[int, float]:
    """F1 on "dev" or "test" by seed; rows without that part are left out."""
    return {seed: row[part]["f1"] for seed, row in sorted(runs.items()) if row[part]}


def _mean_dev(runs: Mapping[int, Row]) -> float:
    return fmean(f1_by_seed(runs, "dev").values())


def _summary(
    runs: Mapping[int, Row], tuning: tuple[int, int], difference: PairedDifference | None, verdict: Verdict | None
) -> MethodSummary:
    first = next(iter(runs.values()))
    return MethodSummary(
        corpus=first["corpus"]["name"],
        name=first["config"]["method"],
        method=label(first),
        alpha=first["config"]["alpha"],
        alpha_warmup=first["config"]["alpha_warmup"],
        own={name: first["config"][name] for name in _own_names() if name in first["config"]},
        tried=tuning[0],
        tuning_seeds=tuning[1],
        dev=f1_by_seed(runs, "dev"),
        test=f1_by_seed(runs, "test"),
        difference=difference,
        verdict=verdict,
        steps=fmean(row["steps"] for row in runs.values()),
        seconds=fmean(row["seconds"] for row in runs.values()),
        cpu_seconds=fmean(row["cpu_seconds"] for row in runs.values()),
    )
