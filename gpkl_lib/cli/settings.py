"""From the arguments of `gpkl train` and `gpkl compare` to settings of training and of the model."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from gpkl_lib.cli.parser import given
from gpkl_lib.cli.said import UsageError, usage
from gpkl_lib.experiments import ModelConfig
from gpkl_lib.training import METHODS, TrainingConfig, own_settings


def config(arguments: argparse.Namespace) -> TrainingConfig:
    """The training settings among the arguments."""
    names = [name for name in TrainingConfig.names() if hasattr(arguments, name)]
    try:
        return TrainingConfig(**{name: getattr(arguments, name) for name in names})
    except ValueError as error:
        raise usage(error, arguments) from error


def unused(arguments: argparse.Namespace, words: Sequence[str]) -> list[str]:
    """The flags of `gpkl train` that were given and that its method does not look at.

    Of a --config file only what is not the default counts: the arguments.json of a run names every setting.
    """
    method, typed, defaults = METHODS[arguments.method], given(words), TrainingConfig(arguments.method)
    used = {setting.name for setting in method.settings} | ({"alpha", "alpha_warmup"} if method.factor else set())
    return [
        "--" + name.replace("_", "-")
        for name in ("alpha", "alpha_warmup", *own_settings())
        if name in typed and name not in used and (not arguments.config or typed[name] != getattr(defaults, name))
    ]


def check_sources(methods: Sequence[str], arguments: argparse.Namespace) -> None:
    """Refuse a method without what it learns from, and what no method learns from."""
    for flag in ("unlabelled", "teacher"):
        value = getattr(arguments, flag, None)
        needing = [method.name for method in METHODS.values() if method.needs == flag]
        asked = [name for name in methods if name in needing]
        if asked and value is None:
            raise UsageError(f"method {asked[0]} learns from --{flag}; give it")
        if not asked and value is not None:
            raise UsageError(f"--{flag} is for method {' or '.join(needing)}, which is not asked for")


def teacher(arguments: argparse.Namespace, seed: int) -> Path | None:
    """The teacher's folder for a seed."""
    folder = getattr(arguments, "teacher", None)
    return None if folder is None else Path(folder.replace("{seed}", str(seed)))


def model(arguments: argparse.Namespace) -> ModelConfig:
    """The settings of the model among the arguments."""
    try:
        return ModelConfig(arguments.encoder, arguments.head, arguments.hidden_size, arguments.dropout)
    except ValueError as error:
        raise usage(error, arguments) from error
