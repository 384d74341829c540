"""`gpkl compare`: a grid of trials, its tables and its figure."""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import replace
from functools import partial

from gpkl_lib._storage import read_rows
from gpkl_lib.cli import inputs, settings
from gpkl_lib.cli.outputs import ready
from gpkl_lib.cli.said import UsageError, say, usage
from gpkl_lib.experiments import (
    Trial,
    best_on_dev,
    comparison_figure,
    comparison_table,
    dask_client,
    grid,
    groups,
    remarks,
    show,
    summarise,
    titles,
)
from gpkl_lib.experiments import (
    compare as run_trials,
)
from gpkl_lib.training import own_settings


def compare(arguments: argparse.Namespace, words: Sequence[str]) -> None:
    """Run a grid of trials, show its tables and draw its figure: `gpkl compare`."""
    if arguments.jobs < 1:
        raise UsageError(f"--jobs must be positive, got {arguments.jobs}")
    if arguments.dask and arguments.jobs > 1:
        raise UsageError("--jobs counts processes of this machine; with --dask the workers are as many as there are")
    model, output = settings.model(arguments), ready(arguments.output)
    settings.check_sources(arguments.methods, arguments)
    tuning, seeds = arguments.tuning_seeds, arguments.seeds
    if tuning and not set(tuning) <= set(seeds):
        raise UsageError("--tuning-seeds must be among --seeds: what they chose is run with the others as well")
    varied = {name: getattr(arguments, name + "s") for name, having in own_settings().items() if having[0][1].varied}
    try:
        configs = grid(
            settings.config(arguments),
            arguments.methods,
            arguments.alphas,
            arguments.alpha_warmups,
            tuning or seeds,
            **varied,
        )
        tasks = inputs.tasks(arguments)
        trials = [
            Trial(task, model, config, settings.teacher(arguments, config.seed)) for task in tasks for config in configs
        ]
        command = shlex.join(["gpkl", *words])
        with dask_client(arguments.dask, say) if arguments.dask else nullcontext() as client:
            run = partial(run_trials, jobs=arguments.jobs, client=client, command=command, report=say)
            rows = run(trials, output)
            if tuning:
                chosen = best_on_dev(trials, rows)
                say(f"tuned on seeds {', '.join(map(str, tuning))}; with every seed:")
                for trial in chosen:
                    say(f"  {str(trial).rpartition(' ')[0]}")
                run([_with_seed(trial, seed, arguments) for trial in chosen for seed in seeds], output)
    except BlockingIOError:
        raise UsageError(
            f"another gpkl compare is writing to {output}; wait for it or choose another --output"
        ) from None
    except ValueError as error:
        raise usage(error, arguments) from error
    rows = read_rows(output)  # those of earlier calls as well
    parts = groups(rows)
    for title, group in zip(titles(parts), parts, strict=True):
        show(comparison_table(summarise(group), group, title))
    for sentence in remarks(rows):
        say(sentence)
    picture = output.with_suffix(".png")
    comparison_figure(rows).savefig(picture, dpi=120)
    say(f"rows: {output}; figure: {picture}")


def _with_seed(trial: Trial, seed: int, arguments: argparse.Namespace) -> Trial:
    return replace(trial, config=replace(trial.config, seed=seed), teacher=settings.teacher(arguments, seed))
