"""Every command a person needs, from a fresh clone on, with Python 3.11 or newer alone: `python tools/do.py book`.

`make book` does the same by this file. Each command installs what it needs into .venv first, and what it stands on is
done before it, once. With -n the commands are printed and not run.

Read from the environment: CONSTRAINTS, a file of versions in the place of constraints.txt; TORCH=any, to take the build
of torch that pip chooses, whatever its size; BENCH_PYTHON, an interpreter that has bert4torch, for `bench`.
"""

from __future__ import annotations

import sys

if sys.version_info < (3, 11):  # noqa: UP036
    sys.exit(f"Python 3.11 or newer is needed, this is {sys.version.split()[0]}: start tools/do.py with another.")

import difflib
import hashlib
import json
import os
import platform
import re
import shlex
import shutil
import subprocess
import textwrap
import tomllib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
VENV = ROOT / ".venv"
BIN = VENV / ("Scripts" if os.name == "nt" else "bin")
CONSTRAINTS = os.environ.get("CONSTRAINTS", "constraints.txt")
PIP = ["python", "-m", "pip", "--disable-pip-version-check"]
INSTALL = [*PIP, "install", "--constraint", CONSTRAINTS]
BUILT = ("_build", ".pytest_cache", ".mypy_cache", ".ruff_cache", ".hypothesis", "build", "dist", "gpkl_lib.egg-info")
CUDA = re.compile(r"(nvidia|cuda|triton)\b")
PRINTED = "-n" in sys.argv[1:]

NO_CPU_TORCH = """
There is no GPU here, and torch as pip would install it brings gigabytes of CUDA. The build for the processor could not
be had by itself. Take the command for "CPU" from https://pytorch.org/get-started/locally/, run it with
{python}
in the place of python, and start this again; or take the large one, by setting TORCH=any in the environment."""


@dataclass(frozen=True)
class Target:
    """What a command does, in words and in order."""

    help: str
    needs: str = ""  # an extra of pyproject.toml, installed first
    first: tuple[str, ...] = ()  # other targets
    commands: tuple[str | Callable[[], None], ...] = ()  # of programs in .venv
    threads: str = ""  # one where processes run side by side, else they wait for one another


def constraints() -> None:
    """Write down the versions, without a local part such as +cpu, which a stranger's index does not have."""
    frozen = output([*PIP, "freeze", "--exclude-editable"]).splitlines()
    kept = [line.partition("+")[0] for line in frozen if not CUDA.match(line) and "@ " not in line]
    head = "# The versions that were tested, written by `make constraints`. They bind only what is installed anyway."
    (ROOT / "constraints.txt").write_text("\n".join([head, *kept, ""]), "utf-8")
    print(f"constraints.txt: {len(kept)} versions")


def bench() -> None:
    """Measure the tiled span loss, with another interpreter where one is named."""
    recipe = "book/_results/tiled-span-loss.toml"
    other = os.environ.get("BENCH_PYTHON", program("python"))
    run(["python", "-m", "gpkl_lib.chapters.recorders", recipe, "--python", other])


def clean() -> None:
    """Remove what was built."""
    for name in BUILT:
        shutil.rmtree(ROOT / name, ignore_errors=True)
    for folder in ("book", "gpkl_lib", "tests", "tools"):
        for cached in list((ROOT / folder).rglob("__pycache__")):
            shutil.rmtree(cached)


def distclean() -> None:
    """Remove the virtual environment."""
    shutil.rmtree(VENV, ignore_errors=True)


# Windows opens a text file in an encoding of its own unless one is named; the rule is still in preview.
UNNAMED_ENCODINGS = "ruff check --preview --select PLW1514 book examples gpkl_lib tools"
PYTEST = "python -m pytest -n 2 --dist worksteal"
TARGETS = {
    "book": Target(
        "run every notebook and build the site, strictly (a warning is an error): _build/html/index.html",
        "book",
        commands=("python book/_ext/build_book.py",),
    ),
    "serve": Target("the same, and show the site on a free port", "", ("book",), ("python book/_ext/serve_book.py",)),
    "site.zip": Target(
        "the same, and pack the site into dist/site.zip, which opens by a double click",
        first=("book",),
        commands=("python book/_ext/pack_site.py",),
    ),
    "lab": Target(
        "the same, and open its notebooks, with the numbers in the text, in JupyterLab",
        "lab",
        ("book",),
        ("python book/_ext/open_lab.py",),
    ),
    "check": Target(
        "while you write code: linters, and the tests that need no browser, no built site and no long training",
        first=("lint", "library"),
    ),
    "lint": Target(
        "linters only",
        "lint",
        commands=("ruff check .", UNNAMED_ENCODINGS, "ruff format --check .", "mypy", "python tools/lint_js.py"),
    ),
    "library": Target(
        "those tests only",
        "check",
        commands=(f"{PYTEST} --ignore tests/book -m 'not browser and not slow and not pretrained'",),
        threads="1",
    ),
    "environment": Target("only install, into .venv, what all of these need", "test"),
    "fonts": Target(
        "the tests of widths, which other fonts change",
        "test",
        commands=(f"{PYTEST} tests/explore -m fonts",),
        threads="1",
    ),
    "test": Target(
        "linters and all tests; browser tests need a Chromium and otherwise say so in one line",
        "test",
        ("lint", "book"),
        (PYTEST,),
        threads="1",
    ),
    "links": Target(
        "visit every address outside the book that it names (needs the network)",
        "book",
        commands=("jupyter-book build . --builder linkcheck --path-output _build/links",),
    ),
    "package": Target(
        "sdist and wheel in dist/, their metadata checked, and tests run from the unpacked sdist",
        "package",
        commands=("python tools/package.py",),
        threads="1",
    ),
    "results": Target(
        "run every recorded experiment again, a day of two cores (real text needs GPKL_DATA); rows that are there stay"
    ),
    "check-results": Target("one row of each record again: does it come out within what rounding does?"),
    "campaign": Target(
        "what could fail in silence, at length (two hours of one core): digits of the divergences, damaged "
        "checkpoints, killed runs, and 200,000 files, valid and damaged, in every form",
        "test",
        commands=(
            "python tests/campaign/digits.py",
            "python tests/campaign/checkpoints.py",
            "python tests/campaign/kills.py",
            "python tests/campaign/files.py --files 200000",
        ),
        threads="1",
    ),
    "bench": Target(
        "time and memory of the tiled span loss against other ways (half an hour on an idle machine)",
        "book",
        commands=(bench,),
    ),
    "constraints": Target("write down the versions that are installed now", "test", commands=(constraints,)),
    "clean": Target("remove everything built", commands=(clean,)),
    "distclean": Target("the virtual environment as well", first=("clean",), commands=(distclean,)),
}

for recipe in sorted((ROOT / "book" / "_results").glob("*.toml")):
    links = tomllib.loads(recipe.read_text("utf-8")).get("links", {}).values()  # folders of wheels, such as an encoder
    wheels = [shlex.join([*INSTALL, link.partition("/")[0].replace("_", "-")]) for link in links]
    for family, module in (("results", "recorders"), ("check-results", "recorders.check")):
        name = f"{family}-{recipe.stem}"
        command = f"python -m gpkl_lib.chapters.{module} book/_results/{recipe.name}"
        TARGETS[name] = Target("", "book", commands=(*wheels, command), threads="1")
        if name != "results-tiled-span-loss":  # which wants an idle machine: that is `bench`
            TARGETS[family] = replace(TARGETS[family], first=(*TARGETS[family].first, name))

EPILOG = """
results-NAME and check-results-NAME are one record, by the recipe book/_results/NAME.toml; normface, replay and corpora
take a minute. Another interpreter: start tools/do.py with it (make book PYTHON=python3.12), after distclean.

while writing a chapter   {jupyter_book} build . -W --keep-going --path-output DRAFT
some tests only           {pytest} tests/book -k r-drop
tests of another site     GPKL_SITE=DRAFT/_build/html in the environment; GPKL_SPECIMEN=two_views: of one explorable"""


def main(words: Sequence[str]) -> int:
    """Do the targets in order."""
    wanted = [word for word in words if word != "-n"] or ["help"]
    try:
        for word in wanted:
            if word in ("help", "-h", "--help"):
                print(told())
            elif word not in TARGETS:
                close = difflib.get_close_matches(word, TARGETS, 1)
                meant = f"did you mean {close[0]}?" if close else "python tools/do.py help lists them"
                print(f"{word}: no such command; {meant}", file=sys.stderr)
                return 2
            else:
                do(word)
    except subprocess.CalledProcessError as error:
        return max(error.returncode, 1)
    except KeyboardInterrupt:
        return 130
    return 0


@cache
def do(name: str) -> None:
    """Do what a target stands on, then the target; each once."""
    target = TARGETS[name]
    if target.needs:
        install(target.needs)
    for other in target.first:
        do(other)
    for command in target.commands:
        if isinstance(command, str):
            run(shlex.split(command), OMP_NUM_THREADS=target.threads)
        elif PRINTED:
            print(f"{command.__name__}()")
        else:
            command()


def told() -> str:
    """The help."""
    lead = (
        "python tools/do.py COMMAND ..., or with make: make COMMAND ... It needs Python 3.11 or newer and git; "
        "each command installs what it needs into .venv first. With -n the commands are shown and not run."
    )
    lines = [
        textwrap.fill(target.help, 118, initial_indent=f"  {name:<14}  ", subsequent_indent=" " * 18)
        for name, target in TARGETS.items()
        if target.help
    ]
    shown = EPILOG.format(jupyter_book=program("jupyter-book"), pytest=program("pytest"))
    return "\n".join([textwrap.fill(lead, 118), "", *lines, shown])


@cache
def install(extra: str) -> None:
    """Install an extra of pyproject.toml into .venv, unless that was done from the same files."""
    named = [ROOT / name for name in ("pyproject.toml", "setup.py", CONSTRAINTS)]
    state = hashlib.sha256(b"\0".join(path.read_bytes() for path in named)).hexdigest()
    done = VENV / ".done" / extra
    if done.is_file() and done.read_text("utf-8") == state:
        return
    make_environment()
    bring_torch()
    print(f"Installing what `{extra}` needs into .venv (only when the requirements change) ...", flush=True)
    run([*INSTALL, "--editable", f".[{extra}]"])
    if not PRINTED:
        done.parent.mkdir(exist_ok=True)
        for each in brought(extra):
            (done.parent / each).write_text(state, "utf-8")


def brought(extra: str) -> set[str]:
    """Return the extra and those that it brings: `test` has all that `lint` and `book` need."""
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["optional-dependencies"]
    named = re.findall(r"\bgpkl-lib\[([^]]+)\]", " ".join(extras[extra]))
    return {extra}.union(*(brought(each) for names in named for each in names.split(",")))


@cache
def make_environment() -> None:
    """Make .venv, of the interpreter that runs this."""
    if shutil.which(program("python")):
        return
    try:
        run([sys.executable, "-m", "venv", str(VENV)])
    except subprocess.CalledProcessError:
        shutil.rmtree(VENV, ignore_errors=True)
        sys.exit(
            "The virtual environment was not made. Debian and Ubuntu keep that part of Python in a package of its own, "
            "python3-venv."
        )


@cache
def bring_torch() -> None:
    """Where there is no GPU, and pip would bring torch with CUDA, install the build for the processor first.

    pip looks where you have told it to. If CUDA's build is what it finds there, uv is asked, which knows PyTorch's own
    indexes; where that fails, nothing is fetched and the person decides.
    """
    if PRINTED or platform.system() != "Linux" or shutil.which("nvidia-smi") or os.environ.get("TORCH") == "any":
        return
    if is_there("torch"):
        return
    asked = ["--dry-run", "--ignore-installed", "--no-deps", "--quiet", "--report", "-", "torch"]
    (found,) = json.loads(output([*INSTALL, *asked]))["install"]
    if not any(CUDA.match(wanted) for wanted in found["metadata"].get("requires_dist", [])):
        return
    torch = f"torch=={found['metadata']['version']}"
    print(f"No GPU here: {torch} for the processor, by uv ...", flush=True)
    try:
        run([*INSTALL, "--quiet", "uv"])
        run(["uv", "pip", "install", "--python", program("python"), "--no-deps", "--torch-backend", "auto", torch])
    except subprocess.CalledProcessError:
        sys.exit(NO_CPU_TORCH.format(python=program("python")))


def is_there(package: str) -> bool:
    """Whether .venv has a package."""
    return subprocess.run(located([*PIP, "show", "--quiet", package]), capture_output=True).returncode == 0


def program(name: str) -> str:
    """Where a program lies in .venv, or will lie; one that is named by its path lies there."""
    return shutil.which(name, path=str(BIN)) or str(BIN / name)


def located(command: Sequence[str]) -> list[str]:
    """The command with its program's place."""
    return [program(command[0]), *command[1:]]


def run(command: Sequence[str], **environment: str) -> None:
    """Run a command in the project's folder; its failure is this one's."""
    given = {name: value for name, value in environment.items() if value}
    if PRINTED:
        print(*(f"{name}={value}" for name, value in given.items()), shlex.join(located(command)))
        return
    # Threads that spin while they wait make two processes on two cores many times slower than one.
    surroundings = {"OMP_WAIT_POLICY": "PASSIVE"} | os.environ | given
    subprocess.run(located(command), cwd=ROOT, check=True, env=surroundings)


def output(command: Sequence[str]) -> str:
    """What a command prints."""
    done = subprocess.run(located(command), cwd=ROOT, check=True, capture_output=True, text=True, encoding="utf-8")
    return done.stdout


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
