"""The record of a recipe, whatever it is made by: `python -m gpkl_lib.chapters.recorders FILE.toml`.

Words after FILE are handed on to the program that makes the record, `gpkl compare` or a script.
"""

from __future__ import annotations

import inspect
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from gpkl_lib import cli
from gpkl_lib._storage import CheckpointError
from gpkl_lib.chapters.recorders import ARMS, RECORDERS, Entry, needs, record, record_arms
from gpkl_lib.training import TrainingError


def main(words: Sequence[str]) -> int:
    """Make what the record lacks. Returns the exit code, 2 for wrong input, which is said in one line."""
    if not words:
        print(__doc__, file=sys.stderr)
        return 2
    file, *more = words
    try:
        recipe = cli.read_recipe(Path(file))
        for one in [*map(cli.read_recipe, needs(recipe)), recipe]:
            if code := make(one, more):
                return code
    except (cli.UsageError, CheckpointError, TrainingError, ValueError, OSError) as error:
        print(error, file=sys.stderr)
        return 2
    except subprocess.CalledProcessError as error:
        return error.returncode
    return 0


def make(recipe: cli.Recipe, words: Sequence[str]) -> int:
    """Make what the record of one recipe lacks, those that it is made from being whole. Returns the exit code.

    Raises:
        UsageError: a recorder that there is not.
    """
    file = str(recipe.path)
    command = f"python -m gpkl_lib.chapters.recorders {file}"
    if recipe.recorder == cli.COMPARE:
        return cli.main(["compare", "--recipe", file, *words])
    prepare(recipe)
    if recipe.recorder == ARMS:
        record_arms(recipe, words, command)
    elif recipe.recorder in RECORDERS:
        record(entries(recipe), recipe.record, command)
    elif recipe.recorder.endswith(".py"):
        output = ["--output", str(recipe.record)]
        for run in recipe.runs:
            subprocess.run([sys.executable, recipe.recorder, *output, *cli.flags(run), *words], check=True)
    else:
        known = ", ".join([cli.COMPARE, ARMS, *RECORDERS])
        raise cli.UsageError(f"{file}: recorder must be one of {known}, or a script, got {recipe.recorder!r}")
    return 0


def prepare(recipe: cli.Recipe) -> None:
    """Make the links of a recipe, and train those of its teachers that are not there."""
    for arguments, words in cli.first(recipe):
        cli.RUN["train"](arguments, words)


def entries(recipe: cli.Recipe) -> Iterator[Entry]:
    """The rows of a recipe for one of the `RECORDERS`.

    The keys of a run are the recorder's own arguments, and the settings of `gpkl train` where one of them is `trial`.

    Raises:
        UsageError: a key that is neither, an argument that is missing; file and key are named.
    """
    recorder = RECORDERS[recipe.recorder]
    own = {name.replace("_", "-"): parameter for name, parameter in inspect.signature(recorder).parameters.items()}
    trained = "trial" in own
    if trained:
        del own["trial"]
    for run in recipe.runs:
        recipe.check(run, own.keys() | (cli.options("train") if trained else set()), recipe.recorder)
        for name, parameter in own.items():
            if parameter.default is parameter.empty and name not in run:
                raise cli.UsageError(f"{recipe.path}: {recipe.recorder} needs {name!r}")
    for run in recipe.runs:
        given = {name.replace("-", "_"): run[name] for name in own if name in run}
        if trained:
            trial = recipe.trial({name: value for name, value in run.items() if name not in own})
            given["trial"] = replace(trial, config=replace(trial.config, device="cpu"))
        yield from recorder(**given)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
