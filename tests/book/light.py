"""What a reader has who ran one command: a Jupyter and what the first cell of a notebook brings, and nothing else."""

from __future__ import annotations

import json
import tomllib
import venv
from functools import cache
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from pages import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
AT_HAND = ("jupyterlab", "torch")  # in any environment where a stranger opens a notebook of this field


def needs(name: str, extra: str) -> list[str]:
    """What a distribution says it needs; ours says it in pyproject.toml, others where they are installed."""
    if name != PROJECT["name"]:
        return metadata.requires(name) or []
    return PROJECT["optional-dependencies"][extra] if extra else PROJECT["dependencies"]  # type: ignore[no-any-return]


@cache
def brought(*named: str) -> frozenset[str]:
    """The names of all distributions that come with these, on a machine like this one."""
    todo = [(Requirement(one), "") for one in named]
    done: set[tuple[str, str]] = set()
    while todo:
        requirement, of = todo.pop()
        if requirement.marker and not requirement.marker.evaluate({"extra": of}):
            continue
        for extra in ("", *requirement.extras):
            wanted = canonicalize_name(requirement.name), extra
            if wanted not in done:
                done.add(wanted)
                todo += [(Requirement(one), extra) for one in needs(*wanted)]
    return frozenset(name for name, _ in done)


@cache
def modules(distributions: frozenset[str]) -> set[str]:
    """The names under which distributions are imported."""
    names = {"gpkl_lib"} if PROJECT["name"] in distributions else set()
    for module, owners in metadata.packages_distributions().items():
        if any(canonicalize_name(owner) in distributions for owner in owners):
            names.add(module)
    return names


def make_kernel(folder: Path, extras: str) -> None:
    """Write a kernel `light` into `folder`, a JUPYTER_PATH: an interpreter that sees what is brought, by links."""
    venv.create(folder / "env", symlinks=True)
    (packages,) = (folder / "env").glob("lib/python*/site-packages")
    (packages / "gpkl_lib").symlink_to(ROOT / "gpkl_lib")
    for name in brought(*AT_HAND, f"{PROJECT['name']}[{extras}]") - {PROJECT["name"]}:
        for path in metadata.files(name) or []:
            top = packages / path.parts[0]
            if path.parts[0] not in ("..", "__pycache__") and not top.exists():
                top.symlink_to(path.locate().parents[len(path.parts) - 2] if len(path.parts) > 1 else path.locate())
    argv = [str(folder / "env" / "bin" / "python"), "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    (folder / "kernels" / "light").mkdir(parents=True)
    kernel = {"argv": argv, "display_name": "light", "language": "python"}
    (folder / "kernels" / "light" / "kernel.json").write_text(json.dumps(kernel), encoding="utf-8")
