"""When a chapter runs again: what its code reaches in the library, which records it names, what its key depends on."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from pages import ROOT

sys.path.insert(0, str(ROOT / "book" / "_ext"))

PACKAGE = {
    "__init__.py": '"""A face."""\nfrom pack.near import alpha\nfrom pack.far import omega as last\n',
    "__main__.py": "from pack.far import omega\n",
    "near.py": "from pack._ground import base\n\ndef alpha():\n    return base\n",
    "far.py": "def omega():\n    from pack.ways import WAYS\n    return WAYS\n",
    "_ground.py": "base: int = 1\n",
    "wing/__init__.py": "try:\n    from pack.wing.cells import table\nexcept ImportError:\n    pass\n\n"
    "OWN = 1\n\ndef __getattr__(name):\n    ...\n",
    "wing/cells.py": "def table():\n    ...\n",
    "wing/late.py": "from pack import _ground\n\nclass Late:\n    one = _ground.base\n",
    "ways/__init__.py": "import pkgutil\n\nWAYS = {info.name: ... for info in pkgutil.iter_modules(__path__)}\n",
    "ways/first.py": "",
    "ways/second.py": "from pack._ground import base\n",
}
ALL = " ".join(sorted(PACKAGE))
WAYS = "_ground.py ways/__init__.py ways/first.py ways/second.py"
WING = "_ground.py wing/__init__.py wing/cells.py wing/late.py"
REACHED = {
    "from pack import alpha": "_ground.py near.py",
    "from pack import last": f"_ground.py far.py {WAYS[11:]}",
    "import pack\npack.alpha()": "_ground.py near.py",
    "import pack as p\nprint(p.near.alpha)": "_ground.py near.py",
    "import pack": ALL,
    "import pack\nvars(pack)": ALL,
    "from pack import *": ALL,
    "from pack.near import *": "_ground.py near.py",
    "from pack import _ground": "_ground.py",
    "def later():\n    from pack.wing import table": "wing/cells.py",
    "from pack import wing\nwing.table": "wing/cells.py",
    "from pack.wing import Late": "_ground.py wing/late.py",
    "from pack.wing import OWN": "wing/__init__.py wing/cells.py",
    "from pack.wing import nowhere": WING,
    "from pack.ways import WAYS": WAYS,
    "from pack.ways.second import base": "_ground.py ways/second.py",
    "from pack.ways import second\nsecond": "_ground.py ways/second.py",
    '[sys.executable, "-m", "pack", "train"]': f"__main__.py _ground.py far.py {WAYS[11:]}",
    "import os, packing\nfrom other.pack import alpha": "",
}


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Any:
    from gpkl_book.reach import Library

    folder = tmp_path_factory.mktemp("reach") / "pack"
    for name, text in PACKAGE.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, "utf-8")
    return Library(folder)


@pytest.mark.parametrize("code", REACHED)
def test_names_are_followed_through_faces(package: Any, code: str) -> None:
    found = {path.relative_to(package.folder).as_posix() for path in package.reached(code)}
    assert found == set(REACHED[code].split())


# ---------------------------------------------------------------- the book's own chapters


@pytest.fixture(scope="module")
def library() -> Any:
    from gpkl_book.freshness import LIBRARY
    from gpkl_book.reach import Library

    return Library(LIBRARY)


def inputs(page: str, library: Any) -> set[str]:
    from gpkl_book import freshness

    code = freshness.code_of((ROOT / "book" / f"{page}.md").read_text("utf-8"))
    return {path.relative_to(ROOT).as_posix() for path in freshness.inputs(code, library)}


def below(files: set[str], folder: str) -> set[str]:
    return {path for path in files if path.startswith(folder)}


def sources(folder: str) -> set[str]:
    return {path.relative_to(ROOT).as_posix() for path in (ROOT / folder).rglob("*.py")}


@pytest.mark.parametrize("page", ["foundations/kl-divergence", "foundations/smooth-maximum", "divergence/symmetric-kl"])
def test_a_chapter_of_mathematics_reaches_no_training(page: str, library: Any) -> None:
    found = inputs(page, library)
    assert {"gpkl_lib/divergence.py", "gpkl_lib/chapters/cells.py"} <= found
    for folder in ("training", "tagger", "experiments", "cli"):
        assert not below(found, f"gpkl_lib/{folder}/"), folder
    assert not below(found, "book/_results/")


def test_a_chapter_that_trains_reaches_every_method_and_its_records(library: Any) -> None:
    found = inputs("training/r-drop", library)
    assert sources("gpkl_lib/training/methods") <= found
    records = {Path(path).name for path in below(found, "book/_results/")}
    used = {
        "toy-arms",
        "toy-doses",
        "toy-weights",
        "toy-short",
        "toy-alpha",
        "toy-costs",
        "corpora-alpha",
        "germeval2014",
    }
    assert {f"{name}.jsonl" for name in used} <= records
    assert not {"vat-arms.jsonl", "uda-arms.jsonl", "distillation-arms.jsonl"} & records
    assert not below(found, "gpkl_lib/cli/")


def test_the_command_line_is_reached_where_a_cell_runs_it(library: Any) -> None:
    from gpkl_book import freshness

    found = inputs("training/real-corpora", library)
    assert "gpkl_lib/cli/train.py" in found
    assert freshness.HELP.relative_to(ROOT).as_posix() not in found
    asking = 'subprocess.run([sys.executable, "-m", "gpkl_lib", "--help"])'
    assert freshness.HELP in freshness.inputs(asking, library)


def test_the_list_of_equations_reaches_all_checks_and_formulas(library: Any) -> None:
    found = inputs("reference/equations", library)
    assert sources("book/_checks") <= found
    assert sources("gpkl_lib/chapters/formulas") - {"gpkl_lib/chapters/formulas/__init__.py"} <= found


@pytest.mark.parametrize(
    ("kind", "arguments", "made_from"),
    [
        ("command_line.Command", ["train"], ["cli/texts.py", "cli/parser.py", "training/methods/two_views.py"]),
        ("records.Records", ["compared"], ["experiments/summary.py", "statistics.py", "chapters/recorders/arms.py"]),
    ],
)
def test_a_page_made_of_the_library_is_read_again_when_that_changes(
    kind: str, arguments: list[str], made_from: list[str]
) -> None:
    module, _, name = kind.partition(".")
    noted: list[str] = []
    env = SimpleNamespace(note_dependency=noted.append)
    state = SimpleNamespace(
        document=SimpleNamespace(settings=SimpleNamespace(env=env)), nested_parse=lambda *_: None, state_machine=None
    )
    where = SimpleNamespace(get_source_and_line=lambda _: ("page.md", 1), reporter=None)
    directive = getattr(importlib.import_module(f"gpkl_book.{module}"), name)
    directive(module, arguments, {}, [], 1, 0, "", state, where).run()
    assert {str(ROOT / "gpkl_lib" / file) for file in made_from} <= set(noted)


# ---------------------------------------------------------------- keys

PAGE = """---
kernelspec: {display_name: Python 3, language: python, name: python3}
---
# A page

%s

```{code-cell} ipython3
:tags: [hide-input]
%s
```
"""


def test_a_key_is_of_the_code_and_what_it_reaches(
    package: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from gpkl_book import freshness, paths
    from gpkl_book.reach import Library

    monkeypatch.setattr(paths, "ROOT", package.folder.parent)
    monkeypatch.setattr(freshness, "RECORDS", package.folder.parent)
    near, far, record = package.folder / "near.py", package.folder / "far.py", package.folder.parent / "toy.jsonl"
    record.write_text("1")

    def key(prose: str = "Words.", code: str = 'from pack import alpha\nread("toy")') -> str:
        return freshness.key(PAGE % (prose, code), Library(package.folder))

    assert freshness.key("# No notebook\n\n```python\nfrom pack import alpha\n```\n", package) == ""
    first = key()
    assert key("Other words.") == first
    assert key(code='from pack import alpha\nread("toys")') != first
    far.write_text(far.read_text() + "# another word\n")
    assert key() == first
    near.write_text(near.read_text() + "# another word\n")
    second = key()
    assert second != first
    record.write_text("2")
    assert key() not in (first, second)


def test_the_list_of_equations_is_made_again_for_an_equation_or_a_title(
    library: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from gpkl_book import freshness

    listing = (ROOT / "book" / "reference" / "equations.md").read_text("utf-8")
    chapter = (ROOT / "book" / "divergence" / "symmetric-kl.md").read_text("utf-8")
    folder = tmp_path / "divergence"
    folder.mkdir()
    monkeypatch.setattr(freshness, "BOOK", tmp_path)

    def key(text: str) -> str:
        (folder / "symmetric-kl.md").write_text(text, "utf-8")
        return freshness.key(listing, library)

    assert key(chapter) == key(chapter.replace("What to notice", "What one sees"))
    title, label = chapter.index("\n# ") + 3, chapter.index("\n", chapter.index("\n:label: eq-") + 1)
    for place in (title, label):
        assert key(chapter[:place] + "x" + chapter[place:]) != key(chapter)


def test_magics_are_no_python_so_everything_counts(library: Any) -> None:
    from gpkl_book import freshness

    assert sources("gpkl_lib") <= {path.relative_to(ROOT).as_posix() for path in freshness.inputs("%pylab", library)}
