"""What a comparison runs: tasks, models, the cells of a grid, and the choice among them on dev."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from itertools import product
from pathlib import Path
from statistics import fmean
from typing import Any

from gpkl_lib._storage import Row
from gpkl_lib.corpora import Corpus, bare, contents
from gpkl_lib.experiments.summary import label
from gpkl_lib.experiments.teachers import Teacher
from gpkl_lib.tagger import HeadName, Tagger
from gpkl_lib.training import METHODS, TrainingConfig

UNNAMED = ("device", "checkpoint_seconds")
"""Settings that do not name a run: the same row may come from another device, and says from which."""


@dataclass(frozen=True)
class Task:
    """What is learnt: the three parts of a corpus, `test` None where there is none; and sentences without labels.

    `made` tells what else names the data: {"draw": "seed"} where each seed has its own, {"label_noise": 0.2}.

    Example:
        >>> from gpkl_lib.corpora import toy_corpus
        >>> from gpkl_lib.training import TrainingConfig
        >>> task = Task("toy", toy_corpus(8), toy_corpus(4, split="dev"))
        >>> base = TrainingConfig(epochs=1, device="cpu")
        >>> task.types, list(task.parts())
        (('event', 'organisation', 'person', 'place', 'work'), ['train', 'dev'])
    """

    name: str
    train: Corpus
    dev: Corpus
    test: Corpus | None = None
    unlabelled: Corpus | None = None
    made: Row = field(default_factory=dict)

    @property
    def types(self) -> tuple[str, ...]:
        """Every type of train and dev: a type that only test has cannot be learnt, and counts as missed."""
        return tuple(sorted({*self.train.types, *self.dev.types}))

    def record(self) -> Row:
        """Name, how the data were made, and sha256 and number of sentences of each part."""
        return {"name": self.name, **self.made} | {
            part: {"sha256": corpus.sha256, "sentences": len(corpus)} for part, corpus in self.parts().items()
        }

    def parts(self) -> dict[str, Corpus]:
        """Those of "train", "dev" and "test" that there are."""
        parts = {"train": self.train, "dev": self.dev, "test": self.test}
        return {part: corpus for part, corpus in parts.items() if corpus is not None}


@dataclass(frozen=True)
class ModelConfig:
    """What learns.

    Attributes:
        encoder: "scratch", or a folder or hub name of a `transformers` encoder.
        head: "global_pointer" or "efficient".
        hidden_size, dropout: of the encoder from scratch; a pretrained one brings its own.

    Example:
        >>> ModelConfig(hidden_size=64)
        ModelConfig(encoder='scratch', head='global_pointer', hidden_size=64, dropout=0.4)
    """

    encoder: str = "scratch"
    head: HeadName = "global_pointer"
    hidden_size: int = 200
    dropout: float = 0.4

    def __post_init__(self) -> None:
        if not 0 <= self.dropout < 1:  # a NaN would name a run before an encoder could refuse it
            raise ValueError(f"dropout must lie in [0, 1), got {self.dropout}")

    def build(self, task: Task, seed: int) -> Tagger:
        """A tagger for the task; `seed` alone decides its first weights, so that methods start as pairs."""
        if self.encoder != "scratch":
            return Tagger.from_encoder(self.encoder, task.types, head=self.head, seed=seed)
        sizes: dict[str, Any] = {"hidden_size": self.hidden_size, "dropout": self.dropout}
        return Tagger.from_scratch(task.train.sentences, task.types, head=self.head, seed=seed, **sizes)


@dataclass(frozen=True)
class Trial:
    """One cell of the grid.

    Attributes:
        teacher: the folder of the one that method "distillation" learns from.
        arm: what the run is called where its method does not say it, as "none at the same time"; names no run.

    Example:
        >>> from gpkl_lib.corpora import toy_corpus
        >>> from gpkl_lib.training import TrainingConfig
        >>> task = Task("toy", toy_corpus(8), toy_corpus(4, split="dev"))
        >>> base = TrainingConfig(epochs=1, device="cpu")
        >>> print(Trial(task, ModelConfig(), base))
        toy none seed=0
    """

    task: Task
    model: ModelConfig
    config: TrainingConfig
    teacher: Path | None = None
    arm: str = ""

    def settings(self) -> Row:
        """The whole configuration as JSON; `identity` of it names the run.

        What a method does not use stays out of it: without uda the unlabelled sentences, without distillation the
        teacher (its name).
        """
        config = {name: value for name, value in self.config.settings().items() if name not in UNNAMED}
        if self.unlabelled is not None:
            config["unlabelled"] = {"contents": contents(bare(self.unlabelled)), "sentences": len(self.unlabelled)}
        if self.taught_by is not None:
            config["teacher"] = self.taught_by.name
        return {"corpus": self.task.record(), "model": asdict(self.model), "config": config}

    @property
    def unlabelled(self) -> Corpus | None:
        """The sentences without labels, if the method learns from them."""
        return self.task.unlabelled if METHODS[self.config.method].needs == "unlabelled" else None

    @property
    def taught_by(self) -> Teacher | None:
        """The teacher, if the method learns from one."""
        taught = METHODS[self.config.method].needs == "teacher"
        return Teacher(self.teacher) if self.teacher is not None and taught else None

    def __str__(self) -> str:
        c, method = self.config, METHODS[self.config.method]
        weight = f" alpha={c.alpha:g} alpha_warmup={c.alpha_warmup:g}" if method.factor else ""
        own = "".join(f" {each.name}={getattr(c, each.name)}" for each in method.settings if each.varied)
        arm = f" ({self.arm})" if self.arm else ""
        return f"{self.task.name} {c.method}{weight}{own}{arm} seed={c.seed}"


def grid(
    base: TrainingConfig,
    methods: Sequence[str],
    alphas: Sequence[float] | None,
    warmups: Sequence[float],
    seeds: Sequence[int],
    **own: Sequence[Any],
) -> list[TrainingConfig]:
    """Every combination, seeds innermost, without those that differ in name only.

    Method "none" has no weight and stands once a seed. So does weight 0, two views whose divergence counts nothing: the
    control that tells what the second view alone does. It stands under the first method that has two views.

    Args:
        base: the settings that do not vary.
        methods, alphas, warmups, seeds: what varies; alphas (None: each method's own) and warmups for every method but
            "none".
        own: values of settings that some methods have of their own, by name, such as epsilon=[0.1, 0.3]; each method
            has a variant for each combination of those that are its own.

    Raises:
        ValueError: methods other than "none" without an alpha, a value given twice, a value out of its range, alpha 0
            without a method of two views.

    Example:
        >>> from gpkl_lib.training import TrainingConfig
        >>> cells = grid(TrainingConfig(), ["none", "sigmoid"], [0.1, 1.0], [0.0], seeds=[0])
        >>> [(config.method, config.alpha) for config in cells]
        [('none', 0.0), ('sigmoid', 0.1), ('sigmoid', 1.0)]
    """
    varied = {"methods": methods, "alphas": alphas or [], "warmups": warmups, "seeds": seeds, **own}
    for name, values in varied.items():
        if len(set(values)) != len(values):
            raise ValueError(f"{name} must be distinct, got {', '.join(map(str, values))}")
    weights = {name: [METHODS[name].alpha] if alphas is None else alphas for name in methods if METHODS[name].factor}
    weighted = ", ".join(weights)
    if not all(weights.values()):
        raise ValueError(f"methods {weighted} need at least one alpha")
    controls = [name for name in weights if METHODS[name].views == 2 and 0 in weights[name]][:1]
    if any(0 in chosen for chosen in weights.values()) and not controls:
        raise ValueError(f"alpha 0 is two views without their divergence; {weighted} has one view")
    plain = [name for name in methods if not METHODS[name].factor]
    cells: list[dict[str, Any]] = [{"method": name, "alpha": 0.0, "alpha_warmup": 0.0} for name in plain + controls]
    for method, chosen in weights.items():
        names = [name for name in own if METHODS[method].setting(name)]
        cells += [
            {"method": method, "alpha": alpha, "alpha_warmup": warmup, **dict(zip(names, values, strict=True))}
            for values in product(*(own[name] for name in names))
            for warmup in warmups
            for alpha in chosen
            if alpha != 0
        ]
    return [replace(base, **cell, seed=seed) for cell in cells for seed in seeds]


def best_on_dev(trials: Sequence[Trial], rows: Sequence[Row]) -> list[Trial]:
    """Of each task and method (by `label`) the variant with the best mean F1 on dev: one trial for it, of any seed.

    Args:
        trials: a grid, seeds innermost.
        rows: one for each trial, in the same order.

    Example:
        >>> from gpkl_lib.corpora import toy_corpus
        >>> from gpkl_lib.training import TrainingConfig
        >>> task = Task("toy", toy_corpus(8), toy_corpus(4, split="dev"))
        >>> base = TrainingConfig(epochs=1, device="cpu")
        >>> trials = [Trial(task, ModelConfig(), config) for config in grid(base, ["sigmoid"], [0.1, 1.0], [0.0], [0])]
        >>> rows = [{"config": {"method": "sigmoid", "alpha": 1}, "dev": {"f1": f1}} for f1 in (0.4, 0.6)]
        >>> [trial.config.alpha for trial in best_on_dev(trials, rows)]
        [1.0]
    """
    scores: dict[tuple[str, str], dict[TrainingConfig, list[float]]] = {}
    first: dict[tuple[str, str, TrainingConfig], Trial] = {}
    for trial, row in zip(trials, rows, strict=True):
        place, variant = (trial.task.name, label(row)), replace(trial.config, seed=0)
        scores.setdefault(place, {}).setdefault(variant, []).append(row["dev"]["f1"])
        first.setdefault((*place, variant), trial)
    return [first[(*place, max(found, key=lambda variant: fmean(found[variant])))] for place, found in scores.items()]
