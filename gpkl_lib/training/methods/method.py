"""What a method is: one object that says all that a loop, a command line, a table and a figure ask of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from string import Formatter
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from torch import Tensor

from gpkl_lib.consistency import ConsistencyLoss
from gpkl_lib.corpora import Batch

if TYPE_CHECKING:
    from gpkl_lib.training.config import TrainingConfig


Target = Tensor | tuple[Tensor, Tensor]


class MaskedStep(NamedTuple):
    """A `ConsistencyLoss` whose divergence counts sure spans alone, and the share that they are of all."""

    loss: Tensor
    task: Tensor
    divergence: Tensor
    confident: Tensor


StepLoss = ConsistencyLoss | MaskedStep


@dataclass(frozen=True)
class Step:
    """What the loss of one training step is computed from.

    Attributes:
        model: maps a Batch of B sentences to logits (B, H, L, L), as a `Tagger` does; what else a method asks of it
            (`embed`, `project`, `tiled_loss`) is a `Tagger`'s too.
        batch: B labelled sentences; where the method learns from unlabelled ones, U altered copies stand after them.
        config: the settings of the run.
        done: share of all steps that is done, for the warm-up of alpha and for annealing.
        target: fixed scores that the method asked for, in tiles the queries and keys; see `Method.needs`.

    Example:
        >>> from gpkl_lib.corpora import toy_corpus
        >>> corpus = toy_corpus(16)
        >>> tagger = Tagger.from_scratch(corpus.sentences, corpus.types, hidden_size=16)
        >>> batch = tagger.collate(corpus.sentences[:4])
        >>> step = Step(tagger, batch, TrainingConfig(method="sigmoid", alpha=0.4, alpha_warmup=0.5), done=0.25)
        >>> step.alpha  # half way through its warm-up
        0.2
        >>> METHODS["sigmoid"].loss(step).loss.requires_grad
        True
    """

    model: Any
    batch: Batch
    config: TrainingConfig
    done: float = 1.0
    target: Target | None = None

    @property
    def alpha(self) -> float:
        """The weight of the divergence at this step."""
        return self.config.alpha_at(self.done)

    @property
    def given(self) -> Tensor:
        """The target's scores. Raises ValueError where there are none."""
        if isinstance(self.target, Tensor):
            return self.target
        raise ValueError(f"target must hold the scores that {self._learns_from}")

    @property
    def given_projection(self) -> tuple[Tensor, Tensor]:
        """The target's queries and keys. Raises ValueError where there are none."""
        if isinstance(self.target, tuple):
            return self.target
        raise ValueError(
            f"in tiles target must hold the queries and keys, one after the other, that {self._learns_from}"
        )

    @property
    def _learns_from(self) -> str:
        return f"method {self.config.method!r} learns from, got {type(self.target).__name__}"


@dataclass(frozen=True)
class Setting:
    """A setting of one method's own, or of several; the other methods do not look at it.

    Attributes:
        name: in `TrainingConfig`; its flag is --NAME.
        default: its type is the setting's.
        wanted: the range in words: the message of a value outside of it says so.
        holds: whether the configuration's value lies in the range.
        help: what it means, for --help.
        metavar: what stands for a value in --help.
        choices: all values that a word may take; none for numbers.
        varied: whether `gpkl compare` takes several values, as --NAMEs.

    Example:
        >>> Setting.choice("divide", ("all", "confident"), "by which spans").flag
        '--divide'
    """

    name: str
    default: Any
    wanted: str
    holds: Callable[[TrainingConfig], bool]
    help: str
    metavar: str = "X"
    choices: tuple[str, ...] = ()
    varied: bool = False

    @classmethod
    def choice(cls, name: str, choices: tuple[str, ...], help: str, *, varied: bool = False) -> Setting:
        """A setting that takes one of some words, the first by default."""
        wanted = f"one of {', '.join(choices)}"
        return cls(name, choices[0], wanted, lambda c: getattr(c, name) in choices, help, "", choices, varied)

    @property
    def flag(self) -> str:
        """The flag of one value."""
        return "--" + self.name.replace("_", "-")

    @property
    def flags(self) -> str:
        """The flag of several values."""
        return self.flag + "s"


@dataclass(frozen=True)
class Method:
    """A way of training: what it adds to the cross-entropy, and how it is called, set, compared and drawn.

    Attributes:
        name: in `TrainingConfig.method`, on the command line, in records.
        help: what it adds, as a clause for --help.
        loss: maps a `Step` to ConsistencyLoss(loss, task, divergence), scalars in nats with
            loss = task + factor * alpha * divergence; or to MaskedStep, whose share `confident` the history has too.
        alpha: the weight where none is given, chosen on dev; the record `defaults` says what it is worth.
        factor: how often the divergence counts beside alpha: 1/4 for two views (the paper's alpha), 0 without any.
        settings: those of the method's own.
        needs: "unlabelled" sentences, of which `target` then has the scores (U, H, l, l) before they were altered; a
            "teacher", whose scores (B, H, L, L) then are the target; "" for neither. In tiles the target is a pair of
            queries and keys, (U, H, l, d) or (B, H, L, d), with d that of who made them.
        views: of each sentence; with two, a weight of 0 is the control that tells what the second view alone does.
        tiled: the same loss in tiles, without ever holding all scores; None where there is no such form.
        label: what a run is called in tables; settings in braces split the method in several.
        marker, tone: of its points and lines in figures; the tone is a name in `gpkl_lib.palette`.

    Example:
        >>> METHODS["sigmoid"].help
        "GlobalPointer's divergence between two dropout views"
        >>> METHODS["vat"].setting("epsilon").default
        0.03
    """

    name: str
    help: str
    loss: Callable[[Step], StepLoss]
    factor: float = 1.0
    alpha: float = 1.0
    settings: tuple[Setting, ...] = ()
    needs: Literal["", "unlabelled", "teacher"] = ""
    views: int = 1
    tiled: Callable[[Step], StepLoss] | None = None
    label: str = ""
    marker: str = "o"
    tone: str = "grey"

    def setting(self, name: str) -> Setting | None:
        """The setting of that name, if it is one of the method's own."""
        return next((setting for setting in self.settings if setting.name == name), None)

    def label_of(self, config: Mapping[str, Any]) -> str:
        """What a run with this configuration (JSON values) is called."""
        if self.views == 2 and config["alpha"] == 0:
            return TWO_VIEWS
        return (self.label or self.name).format_map({**config, **_numbers(config)})

    @property
    def told(self) -> tuple[str, ...]:
        """Names of the settings that comparisons vary and that the label does not say."""
        named = {name for _, name, _, _ in Formatter().parse(self.label) if name}
        return tuple(setting.name for setting in self.settings if setting.varied and setting.name not in named)


TWO_VIEWS = "two views"
"""The label of a method of two views whose divergence counts nothing."""


def _numbers(config: Mapping[str, Any]) -> dict[str, float]:
    """The settings that JSON could not hold as numbers: "inf"."""
    return {name: float(value) for name, value in config.items() if value == "inf"}
