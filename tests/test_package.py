"""The package as a whole: what it hands on, what it loads, and that its floors stand on each other."""

from __future__ import annotations

import ast
import compileall
import inspect
import re
import shutil
import subprocess
import sys
import tomllib
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

import gpkl_lib

ROOT = Path(gpkl_lib.__file__).parent
PUBLIC = {
    *("logsumexp", "softmax", "entropy"),
    *("kl_divergence", "symmetric_kl", "jensen_shannon"),
    *("multilabel_cross_entropy", "plateau_bound", "soft_f1_loss", "sparse_multilabel_cross_entropy"),
    *("GlobalPointer", "EfficientGlobalPointer", "span_mask"),
    *("rdrop_loss", "virtual_adversarial_loss", "uda_loss", "annealing_threshold", "distillation_loss"),
    *("global_pointer_loss", "global_pointer_rdrop_loss", "tiled_head_loss", "doubled", "two_views"),
    *("GoldCells", "gold_cells", "decode_spans", "span_scores", "Sentence", "Tagger", "fit"),
}
HEAVY = ("sympy", "mpmath", "matplotlib", "scipy", "anywidget", "ipywidgets", "transformers", "accelerate", "rich")

# From the ground up: a name imports only from names before its own. What is no top-level name of the package fails.
FLOORS = (
    "_checks _optional _storage",
    "palette statistics smoothing noise divergence",
    "losses global_pointer",
    "consistency adversarial",
    "tiled",
    "spans",
    "span_loss",
    "corpora",
    "tagger",
    "training",
    "experiments",
    "cli",
    "derivations explore",
    "chapters",
)
LEVEL = {name: level for level, line in enumerate(FLOORS) for name in line.split()}
MAY = {  # the wings, which stand beside the house: all that each may use
    "derivations": set(),
    "explore": {
        "_checks",
        "_optional",
        "_storage",
        "palette",
        "statistics",
        "smoothing",
        "noise",
        "divergence",
        "losses",
        "global_pointer",
        "consistency",
        "adversarial",
        "tiled",
        "spans",
    },
}

PACKAGES = {
    "gpkl_lib.chapters.formulas",
    "gpkl_lib.chapters.recorders",
    "gpkl_lib.explore.kit",
    "gpkl_lib.explore.recorded",
}
PUBLIC_MODULES = ("gpkl_lib.chapters.formulas.", "gpkl_lib.derivations.notation", "gpkl_lib.derivations.vocabulary")


def modules(root: Path = ROOT) -> dict[str, Path]:
    """Every module of the package by its dotted name."""
    found = {}
    for path in sorted(root.rglob("*.py")):
        parts = ("gpkl_lib", *path.relative_to(root).with_suffix("").parts)
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def imports(root: Path = ROOT, *, for_types: bool = True) -> dict[str, set[str]]:
    """Which modules of the package each of them imports, inside functions too and `for_types` alone."""
    known = modules(root)
    graph = {}
    for name, path in known.items():
        graph[name] = set()
        tree = ast.parse(path.read_text(encoding="utf-8"))
        if not for_types:
            checking = lambda node: isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)  # noqa: E731
            tree.body = [node for node in tree.body if not checking(node)]
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                wanted = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                assert node.level == 0, f"{path}:{node.lineno}: relative import"
                below = [f"{node.module}.{alias.name}" for alias in node.names]
                wanted = [module if module in known else str(node.module) for module in below]
            else:
                continue
            graph[name] |= {module for module in wanted if module in known}
    return graph


def test_the_public_names_are_the_documented_ones() -> None:
    assert set(gpkl_lib.__all__) == PUBLIC
    assert len(gpkl_lib.__all__) == len(PUBLIC)
    present = {name for name in dir(gpkl_lib) if name[0] != "_" and not inspect.ismodule(getattr(gpkl_lib, name))}
    assert present == PUBLIC


@pytest.mark.parametrize("name", sorted(PUBLIC))
def test_every_public_name_says_what_it_takes_and_what_it_raises(name: str) -> None:
    value = getattr(gpkl_lib, name)
    documentation = inspect.getdoc(value)
    assert documentation
    if inspect.isfunction(value):
        assert "Raises:" in documentation or "errors" in documentation, "names no error"
        assert "Args:" in documentation or "Arguments" in documentation, "names no argument"


def test_every_equation_and_chapter_that_a_docstring_points_to_exists() -> None:
    book = ROOT.parent / "book"
    if not book.is_dir():
        pytest.skip("the book is not installed with the package")
    text = "\n".join(path.read_text(encoding="utf-8") for path in book.rglob("*.md"))
    pointed = 0
    for path in ROOT.glob("*.py"):
        source = path.read_text(encoding="utf-8")
        for label in re.findall(r"\beq-[a-z0-9-]+", source):
            assert re.search(rf":label: {label}$", text, re.MULTILINE), f"{path.name} points to {label}"
            pointed += 1
        for chapter in re.findall(r'in the chapter\s+"([^"]+)"', source):
            assert f"\n# {chapter}\n" in text, f"{path.name} points to the chapter {chapter}"
    assert pointed > 5


LATER = {"Sentence", "Tagger", "fit"}  # what reads corpora or trains
LOSSES = f"import gpkl_lib; [getattr(gpkl_lib, name) for name in gpkl_lib.__all__ if name not in {LATER}]"


def test_importing_the_package_loads_torch_when_a_name_is_asked_for() -> None:
    code = "import sys, gpkl_lib; print('torch' in sys.modules); gpkl_lib.softmax; print('torch' in sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=1800)
    assert run.stdout.split() == ["False", "True"]


def test_the_losses_load_nothing_heavy() -> None:
    code = f"import sys; {LOSSES}; print([name for name in {HEAVY} if name in sys.modules])"
    loaded_by_torch = f"import sys, torch; print([name for name in {HEAVY} if name in sys.modules])"
    found, already = (
        subprocess.run([sys.executable, "-c", c], capture_output=True, text=True, check=True, timeout=1800).stdout
        for c in (code, loaded_by_torch)
    )
    assert found == already


def test_importing_the_losses_adds_little_to_importing_torch(tmp_path: Path) -> None:
    """At most 3 % in processor time, and nothing of corpora, taggers and training until one of them is asked for.

    The package is compiled, as an installation leaves it: a checkout may be forbidden to keep its bytecode.
    """
    installed = shutil.copytree(ROOT, tmp_path / "gpkl_lib", ignore=shutil.ignore_patterns("__pycache__"))
    assert compileall.compile_dir(installed, quiet=1)
    code = (
        "import sys, time; clock = [time.process_time()]; import torch; clock.append(time.process_time()); "
        f"{LOSSES}; clock.append(time.process_time()); own = clock[2] - clock[1]; "
        "print(own / (clock[1] - clock[0]), gpkl_lib.__path__[0]); "
        "print(*(name for name in sys.modules if name.startswith('gpkl_lib.')))"
    )
    shares = []
    for _ in range(5):  # the least of five: what else runs can only add
        run = subprocess.run(
            [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True, timeout=1800
        )
        first, modules = run.stdout.splitlines()
        share, place = first.split(maxsplit=1)
        assert Path(place) == installed
        assert not {"gpkl_lib.corpora", "gpkl_lib.tagger", "gpkl_lib.training"} & set(modules.split())
        shares.append(float(share))
        if shares[-1] < 0.03:
            break
    assert min(shares) < 0.03, shares
    for name in gpkl_lib.__all__:
        assert getattr(gpkl_lib, name).__name__ == name
    with pytest.raises(AttributeError, match="module 'gpkl_lib' has no attribute 'Taggers'"):
        gpkl_lib.Taggers  # noqa: B018


def violations(root: Path = ROOT) -> list[str]:
    """What breaks the order of floors: a name that is on none, an import of a floor that is not below."""
    found = []
    for name, others in imports(root).items():
        for other in others:
            own, below = (dotted.split(".")[1] if "." in dotted else "" for dotted in (name, other))
            if own in ("", "__main__", below):  # the front door hands on what stands anywhere
                continue
            if own not in LEVEL:
                found.append(f"{name}: {own} is on no floor")
            elif not below:
                found.append(f"{name} imports the package that hands it on")
            elif below not in MAY.get(own, LEVEL) or LEVEL.get(below, len(FLOORS)) >= LEVEL[own]:
                found.append(f"{name} imports {other}, which is not below it")
    return found


def test_every_name_is_on_a_floor_and_imports_only_from_below() -> None:
    names = {dotted.split(".")[1] for dotted in modules() if "." in dotted} - {"__main__"}
    assert names == set(LEVEL)
    assert violations() == []
    list(TopologicalSorter(imports(for_types=False)).static_order())  # raises CycleError


@pytest.mark.parametrize(
    ("file", "line", "seen"),
    [
        ("experiments/tables.py", "from gpkl_lib import cli, chapters", "experiments.tables imports gpkl_lib.cli"),
        ("explore/kit/svg.py", "from gpkl_lib import training", "explore.kit.svg imports gpkl_lib.training"),
        ("explore/two_views.py", "from gpkl_lib.training import fit", "explore.two_views imports gpkl_lib.training"),
        ("derivations/layout.py", "from gpkl_lib import training", "derivations.layout imports gpkl_lib.training"),
        ("derivations/points.py", "from gpkl_lib import smoothing", "derivations.points imports gpkl_lib.smoothing"),
        ("losses.py", "from gpkl_lib.consistency import rdrop_loss", "losses imports gpkl_lib.consistency"),
        ("spans.py", "from gpkl_lib import symmetric_kl", "spans imports the package that hands it on"),
        ("corpora/toy.py", "from gpkl_lib.chapters import table", "corpora.toy imports gpkl_lib.chapters"),
        ("attic.py", "from gpkl_lib import smoothing", "attic is on no floor"),
    ],
)
def test_an_import_that_breaks_the_order_is_seen(file: str, line: str, seen: str, tmp_path: Path) -> None:
    copy = tmp_path / "gpkl_lib"
    shutil.copytree(ROOT, copy, ignore=shutil.ignore_patterns("*.js", "*.css", "__pycache__"))
    with (copy / file).open("a", encoding="utf-8") as end:
        end.write(f"\n\ndef _later():\n    {line}\n")
    found = violations(copy)
    assert any(seen in one for one in found), found


def test_packages_are_entered_by_their_face() -> None:
    """From outside a package only its `__init__` is imported, or a module that is public as such."""
    known = modules()
    for name, others in imports().items():
        for other in others:
            own, house = (dotted.split(".")[1:2] for dotted in (name, other))
            if own == house or other.count(".") < 2 or f"{other}.__init__" in known or other in PACKAGES:
                continue
            assert other.startswith(PUBLIC_MODULES), (
                f"{name} imports {other}, which lies behind the face of its package"
            )


def test_project_citation_and_changelog_name_one_version() -> None:
    root = ROOT.parent
    if not (root / "CITATION.cff").is_file():
        pytest.skip("the project's own files are not installed with the package")
    version = tomllib.loads((root / "pyproject.toml").read_text("utf-8"))["project"]["version"]
    citation = dict(re.findall(r"^([a-z-]+): *(.+)$", (root / "CITATION.cff").read_text("utf-8"), re.MULTILINE))
    newest = re.search(r"^## (\S+) \((\S+)\)$", (root / "CHANGELOG.md").read_text("utf-8"), re.MULTILINE)
    assert newest
    assert (citation["version"], newest[1]) == (version, version)
    assert citation.get("date-released", "unreleased") == newest[2]


def private_uses(source: str) -> list[str]:
    """Names with an underscore that a piece of code takes out of another module of the package."""
    known, ours, found = modules(), set(), []
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            ours |= {alias.asname or "gpkl_lib" for alias in node.names if alias.name.split(".")[0] == "gpkl_lib"}
        elif isinstance(node, ast.ImportFrom) and str(node.module).split(".")[0] == "gpkl_lib":
            ours |= {alias.asname or alias.name for alias in node.names}
            found += [alias.name for alias in node.names if f"{node.module}.{alias.name}" not in known]
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            root = node.value
            while isinstance(root, ast.Attribute):
                root = root.value
            if isinstance(root, ast.Name) and root.id in ours and f"gpkl_lib.{node.attr}" not in known:
                found.append(node.attr)
    return [name for name in found if re.match("_(?!_)", name)]


def code_cells(page: Path) -> str:
    """All code of a chapter, without the options of its cells."""
    text = page.read_text(encoding="utf-8")
    cells = re.findall(r"^```\{code-cell\}[^\n]*\n(?:---\n.*?^---\n)?(.*?)^```", text, re.DOTALL | re.MULTILINE)
    return "\n".join(re.sub(r"^:\w.*$", "", cell, flags=re.MULTILINE) for cell in cells)


def test_no_module_uses_a_private_name_of_another() -> None:
    found = {name: used for name, path in modules().items() if (used := private_uses(path.read_text("utf-8")))}
    assert found == {}


def test_what_a_chapter_uses_and_shows_is_public() -> None:
    pages = sorted((ROOT.parent / "book").rglob("*.md"))
    if not pages:
        pytest.skip("the book is not installed with the package")
    code = {page.name: code_cells(page) for page in pages}
    assert sum(text.count("\n") for text in code.values()) > 5000
    found = {name: used for name, text in code.items() if (used := private_uses(text))}
    hidden = {name: used for name, text in code.items() if (used := re.findall(r"gpkl_lib[.\w]*\._\w+.*", text))}
    assert found | hidden == {}


@pytest.mark.parametrize(
    "code",
    [
        "from gpkl_lib.losses import _check",
        "from gpkl_lib.losses import _check as check",
        "from gpkl_lib import losses\nlosses._check",
        "import gpkl_lib.losses\ngpkl_lib.losses._check(1)",
        "import gpkl_lib as lib\nlib.losses._check",
        "def f():\n    from gpkl_lib import GlobalPointer as G\n    return source(G._finish)",
    ],
)
def test_a_private_name_is_seen(code: str) -> None:
    assert private_uses(code)
    assert not private_uses(code.replace("._", ".").replace(" _", " "))


def test_the_page_for_contributors_shows_every_floor() -> None:
    page = ROOT.parent / "CONTRIBUTING.md"
    if not page.exists():
        pytest.skip("the page is not installed with the package")
    table = page.read_text(encoding="utf-8").partition("| where | what |")[2].partition("\n\n")[0]
    shown = [name for cell in re.findall(r"^\| (`[^|]+) \|", table, re.M) for name in re.findall(r"`(\w+)/?`", cell)]
    assert shown == [name for floor in FLOORS for name in floor.split()]
