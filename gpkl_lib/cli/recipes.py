"""Recipes: TOML files that say what a record consists of, each beside its record and the only source of its commands.

    device = "cpu"                      # settings of every run, by the long names of `gpkl compare`
    seeds = [0, 1, 2, 3, 4]

    [shared.short]                      # settings that some runs share
    epochs = 5

    [links]                             # folders of installed packages under names that are the same everywhere
    "runs/encoder" = "some_package/model"

    [[teachers]]                        # `gpkl train`, first, unless the folder `output` has a trained one already
    output = "runs/teacher"
    hidden-size = 400

    [[runs]]                            # `gpkl compare`; what stands here goes before what is shared
    shared = "short"
    methods = ["none", "sigmoid"]

`recorder = "NAME"` hands the runs to another program than `gpkl compare`; `gpkl_lib.chapters.recorders` has some.
"""

from __future__ import annotations

import argparse
import shutil
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from importlib.resources import files
from pathlib import Path
from typing import Any, NoReturn

from gpkl_lib.cli import train
from gpkl_lib.cli.parser import given, parsers
from gpkl_lib.cli.said import UsageError
from gpkl_lib.experiments import Task, Trial
from gpkl_lib.tagger import SCORES

Settings = dict[str, Any]
COMPARE = "compare"
TYPED = {"jobs", "dask", "output"}  # what may be typed beside --recipe
NO_SETTINGS = {"help", "output", "recipe", "resume", "config"}


@dataclass(frozen=True)
class Recipe:
    """What the file `path` says, the shared settings filled in.

    Attributes:
        path: of the file.
        recorder: what makes the rows.
        runs: the settings of each of its calls.
        teachers: the settings of each `gpkl train` before them.
        links: where a link is wanted, and "package/folder" that it leads to.
    """

    path: Path
    recorder: str
    runs: list[Settings]
    teachers: list[Settings]
    links: dict[str, str]

    @property
    def record(self) -> Path:
        """The file that the rows go to."""
        return self.path.with_suffix(".jsonl")

    def arguments(self, command: str, settings: Mapping[str, Any]) -> tuple[argparse.Namespace, list[str]]:
        """Settings as the parsed arguments of a command of `gpkl`, and as the words that a person would type.

        Raises:
            UsageError: a value that the command does not take; file and key are named.
        """
        words = [command, *flags(settings)]
        return parsed(words, self.path), words

    def trial(self, settings: Mapping[str, Any], task: Task | None = None) -> Trial:
        """The one run that settings of `gpkl train` describe; on `task`, if what they say of it was read before."""
        self.check(settings, options("train"), "train")
        return train.trial(self.arguments("train", settings)[0], task)

    def check(self, settings: Mapping[str, Any], known: set[str], what: str) -> None:
        """Raise UsageError, which names file and key, unless every key is a known setting of `what`."""
        check_keys(self.path, settings, known, what)


def parsed(words: Sequence[str], file: str | Path) -> argparse.Namespace:
    """The arguments in words that a file made. Raises UsageError, which names the file, where they are wrong."""
    parser, subparsers = parsers()

    def fail(message: str) -> NoReturn:
        raise UsageError(f"{file}: {message}")

    for one in (parser, *subparsers):
        one.error = fail  # type: ignore[method-assign]
    return parser.parse_args(words)


def check_keys(file: str | Path, settings: Mapping[str, Any], known: set[str], what: str) -> None:
    """Raise UsageError, which names file and key and the key that is near, unless every key is a setting of `what`."""
    for key in settings:
        if key not in known:
            near = get_close_matches(key, sorted(known), n=1)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            raise UsageError(f"{file}: {key!r} is no setting of {what}{hint}")


def read_recipe(path: Path) -> Recipe:
    """The recipe in a TOML file.

    Raises:
        UsageError: no such file; no TOML; no run; a name under `shared` that is not there. Keys are checked where they
            are used.
    """
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"{path}: cannot be read: {error.strerror}") from None
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"{path}: no TOML: {error}") from None
    parts = {name: content.pop(name, {}) for name in ("shared", "links", "teachers", "runs")}
    recorder = content.pop("recorder", COMPARE)
    if not (parts["runs"] and isinstance(parts["runs"], list)):
        raise UsageError(f"{path}: a recipe needs at least one [[runs]]")

    def filled(run: Settings, common: Settings) -> Settings:
        name = run.get("shared")
        if name is not None and name not in parts["shared"]:
            raise UsageError(f"{path}: shared = {name!r}, but there is no [shared.{name}]")
        own = {key: value for key, value in run.items() if key != "shared"}
        return {**common, **parts["shared"].get(name, {}), **own}

    runs, teachers = [filled(run, content) for run in parts["runs"]], [filled(one, {}) for one in parts["teachers"]]
    return Recipe(path, recorder, runs, teachers, dict(parts["links"]))


def steps(arguments: argparse.Namespace, words: Sequence[str]) -> Iterator[tuple[argparse.Namespace, list[str]]]:
    """The commands that a command line asks for, parsed and in words: itself, or those of its --recipe.

    The whole recipe is read before the first of them.
    """
    file = getattr(arguments, "recipe", None)
    if file is None:
        yield arguments, list(words)
        return
    recipe = read_recipe(Path(file))
    if recipe.recorder != COMPARE:
        raise UsageError(f"{file} is for {recipe.recorder}: python -m gpkl_lib.chapters.recorders {file}")
    typed = given(words)
    if more := sorted(typed.keys() - TYPED - {"command", "recipe"}):
        raise UsageError(
            f"--recipe has all settings, only --jobs, --dask and --output go with it; leave out {', '.join(more)}"
        )
    beside = {"output": str(recipe.record)} | {name: typed[name] for name in TYPED if name in typed}
    for settings in recipe.runs:
        recipe.check(settings, options(COMPARE), COMPARE)
    runs = [recipe.arguments(COMPARE, {**settings, **beside}) for settings in recipe.runs]
    yield from first(recipe)
    yield from runs


def first(recipe: Recipe) -> Iterator[tuple[argparse.Namespace, list[str]]]:
    """Make the links of a recipe; then the commands that train its teachers, as far as they are not there.

    Raises:
        UsageError: a key that `gpkl train` does not know, a teacher without a folder, a package that is not installed.
    """
    for settings in recipe.teachers:
        recipe.check(settings, options("train") | {"output"}, "train")
        if "output" not in settings:
            raise UsageError(f"{recipe.path}: a teacher needs an output, the folder of its run")
    teachers = [recipe.arguments("train", settings) for settings in recipe.teachers]
    for link, target in recipe.links.items():
        _link(recipe, Path(link), target)
    for training, spelt in teachers:
        folder = Path(training.output)
        if not (folder / SCORES).exists():
            begun = (folder / train.ARGUMENTS).exists()
            yield recipe.arguments("train", {"resume": [], "output": folder}) if begun else (training, spelt)


def flags(settings: Mapping[str, Any]) -> list[str]:
    """Settings as the words of a command line."""
    words = []
    for key, value in settings.items():
        words += [f"--{key}", *map(str, value if isinstance(value, list) else [value])]
    return words


def options(command: str) -> set[str]:
    """The long names of a command's settings: all its arguments but those that say where to and how to go on."""
    (parser,) = (one for one in parsers()[1] if one.prog.split()[-1] == command)
    names = {name.removeprefix("--") for action in parser._actions for name in action.option_strings}
    return names - NO_SETTINGS


def _link(recipe: Recipe, link: Path, target: str) -> None:
    """Let `link` lead to "package/folder" of an installed package, or be a copy, unless a folder stands there."""
    package, _, folder = target.partition("/")
    try:
        place = Path(str(files(package) / folder))
    except ModuleNotFoundError:
        raise UsageError(
            f"{recipe.path}: {link} leads into a package: pip install {package.replace('_', '-')}"
        ) from None
    if link.is_symlink():
        link.unlink()
    if not link.exists():
        link.parent.mkdir(parents=True, exist_ok=True)
        try:
            link.symlink_to(place, target_is_directory=True)
        except OSError:  # Windows lets few people make links
            new = link.with_name(link.name + ".new")
            shutil.copytree(place, new, dirs_exist_ok=True)
            new.rename(link)
