"""The build itself, on a small book in a folder of its own: what it refuses, what it repeats, what it fills in."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from pages import ROOT

HEAD = """---
jupytext: {text_representation: {extension: .md, format_name: myst}}
kernelspec: {display_name: Python 3, language: python, name: python3}
---
"""
PAGE = HEAD + "# A page\n\nA paragraph that is long enough to describe the page to those who only see its head.\n\n"
CELL = "```{code-cell} ipython3\n%s\n```\n"
ADDRESSES = {
    "GPKL_REPOSITORY_URL": "https://github.com/someone/a-book",
    "GPKL_BASE_URL": "https://someone.github.io/a-book",
}
READS_THE_LIBRARY = "import sys\n\nsys.path.insert(0, '..')\nfrom gpkl_lib.probe import word\n\nprint(word)"
RAN = "Executing notebook using"


class SmallBook:
    """The project's own configuration and extension around two small pages."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        shutil.copytree(ROOT / "book" / "_ext", folder / "book" / "_ext", ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copy(ROOT / "_config.yml", folder)
        self.write("_toc.yml", "format: jb-book\nroot: book/index\nchapters:\n  - file: book/other\n")
        self.write("book/references.bib", "@book{key, author={Ann Author}, title={T}, year={2001}, publisher={P}}\n")
        self.write("book/index.md", PAGE + CELL % "print(6 * 7)")
        self.write(
            "book/other.md",
            PAGE.removeprefix(HEAD).replace("A page", "Another") + "Cited {cite:t}`key`.\n\n```{bibliography}\n```\n",
        )
        self.write("gpkl_lib/__init__.py", "")
        self.write("gpkl_lib/probe.py", "word = 'first'\n")
        self.write("gpkl_lib/apart.py", "word = 'apart'\n")
        # JupyterLab brings a checker of addresses that compiles 40 grammars when jsonschema finds it, 3 s a build.
        self.write("without/rfc3987_syntax.py", "raise ImportError")

    def write(self, name: str, text: str) -> None:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")

    def build(self, **environment: str) -> tuple[int, str]:
        """Run what `make book` runs; return its exit status and all it wrote."""
        command = [sys.executable, str(self.folder / "book" / "_ext" / "build_book.py")]
        variables = {key: value for key, value in os.environ.items() if not key.startswith("GPKL_")} | environment
        variables["PYTHONPATH"] = str(self.folder / "without")
        done = subprocess.run(command, cwd=self.folder, env=variables, capture_output=True, text=True)
        return done.returncode, done.stdout + done.stderr

    def caches(self, page: str) -> list[Path]:
        """The folders that hold an executed notebook of the page."""
        return [database.parent for database in (self.folder / "_build/.jupyter_cache" / page).glob("*/global.db")]

    def page(self, name: str = "book/index.html") -> str:
        return (self.folder / "_build" / "html" / name).read_text("utf-8")


@pytest.fixture
def small(tmp_path: Path) -> SmallBook:
    return SmallBook(tmp_path)


def test_addresses_are_filled_in(small: SmallBook) -> None:
    status, said = small.build(**ADDRESSES)
    assert status == 0, said
    page = small.page()
    colab = "https://colab.research.google.com/github/someone/a-book/blob/notebooks/book/index.ipynb"
    assert f'href="{colab}"' in page
    assert 'href="https://mybinder.org/v2/gh/someone/a-book/notebooks?urlpath=lab/tree/book/index.ipynb"' in page
    assert 'href="https://github.com/someone/a-book"' in page
    assert "colab.research" not in small.page("book/other.html"), "a page without cells is no notebook"
    assert '<meta property="og:url" content="https://someone.github.io/a-book/book/index.html" />' in page
    pictures = {
        re.search(r'property="og:image" content="https://someone.github.io/a-book/([^"]*)"', small.page(name))[1]
        for name in ("book/index.html", "book/other.html")
    }
    assert len(pictures) == 2, "each page has a card of its own"
    for picture in pictures:
        head = (small.folder / "_build" / "html" / picture).read_bytes()[:24]
        assert head.startswith(b"\x89PNG")
        assert (int.from_bytes(head[16:20], "big"), int.from_bytes(head[20:24], "big")) == (1200, 630)
    assert 'href="/a-book/book/other.html"' in small.page("404.html")
    assert 'content="0; url=book/index.html"' in small.page("index.html")
    assert "og:image" in small.page("index.html")
    set_up = json.loads(small.page("_sources/book/index.ipynb"))["cells"][0]["source"]
    assert "https://github.com/someone/a-book" in "".join(set_up)


def test_built_once_and_again_for_each_thing_that_changes(small: SmallBook) -> None:
    """One book through its life, since each build takes seconds."""
    small.write("book/index.md", PAGE + CELL % READS_THE_LIBRARY)
    status, said = small.build()
    assert status == 0, said
    assert "first" in small.page()
    assert "colab.research" not in small.page(), "no address is configured"
    assert "og:url" not in small.page()
    assert "og:title" in small.page()

    status, said = small.build()
    assert (status, "(0 s)" in said) == (0, True), "nothing changed"

    small.write("book/_ext/gpkl_book/static/site.css", "/* another */")
    assert small.build()[0] == 0
    assert small.page("_static/gpkl/site.css") == "/* another */", "an asset stays behind without a change of text"

    small.write("gpkl_lib/apart.py", "word = 'elsewhere'\n")
    small.write("book/index.md", PAGE + "One sentence more.\n\n" + CELL % READS_THE_LIBRARY)
    status, said = small.build()
    assert status == 0
    assert "One sentence more" in small.page()
    assert RAN not in said, "prose was edited, and a module that the chapter does not reach; yet the notebook ran"

    (old,) = small.caches("book/index")
    small.write("gpkl_lib/probe.py", "word = 'second'\n")
    status, said = small.build()
    assert status == 0
    assert "second" in small.page(), "the library changed, and the chapter did not run"
    assert said.count(RAN) == 1
    (new,) = small.caches("book/index")  # the old one is removed
    assert new != old
    assert 0 < float((new / "cpu-seconds").read_text()) < 60


def test_wrong_repository_address_is_refused(small: SmallBook) -> None:
    status, said = small.build(GPKL_REPOSITORY_URL="git@github.com:someone/a-book")
    assert status == 1
    assert "wanted https://github.com/OWNER/NAME" in said


FAULTS = {
    "widget": (CELL % "import ipywidgets\nipywidgets.IntSlider()", "a plain ipywidget is shown"),
    "error": (CELL % "1 / 0", "Executing notebook failed"),
    "equation": ("See {eq}`eq-nowhere`.", "eq-nowhere"),
    "link": ("[gone](gone.md)", "gone"),
    "role": ("{strange}`role`", "strange"),
    "directive": ("```{pull-quote}\nA directive that Sphinx knows and a notebook does not.\n```", "no plain form"),
}


def test_each_fault_is_a_warning_and_a_warning_fails_the_build_each_time(small: SmallBook) -> None:
    for name, (content, _) in FAULTS.items():
        small.write(f"book/{name}.md", PAGE + content)
    chapters = "".join(f"  - file: book/{name}\n" for name in FAULTS)
    small.write("_toc.yml", "format: jb-book\nroot: book/index\nchapters:\n" + chapters)
    for _ in range(2):  # the second build finds nothing out of date unless the first left nothing behind
        status, said = small.build()
        assert status == 1, said
        for name, (_, complaint) in FAULTS.items():  # a warning by itself, with the page that it is about
            assert re.search(rf"book/{name}\b.*WARNING.*{complaint}", said), (name, said)


def test_one_fault_is_enough(small: SmallBook) -> None:
    small.write("book/other.md", PAGE + FAULTS["directive"][0])
    status, said = small.build()
    assert status == 1, said
    assert len(re.findall(r"/book/.*WARNING", said)) == 1, "another warning is what failed"
    assert "build finished with problems, 1 warning" in said


def test_notebook_branch_holds_commit_and_notebooks(small: SmallBook, tmp_path: Path) -> None:
    def git(*arguments: str) -> str:
        name = ["-c", "user.name=t", "-c", "user.email=t@localhost"]
        return subprocess.run(
            ["git", *name, *arguments], cwd=small.folder, check=True, capture_output=True, text=True
        ).stdout

    remote = tmp_path / "remote.git"
    git("init", "--quiet", "--bare", str(remote))
    git("init", "--quiet", "--initial-branch=main")
    small.write("environment.yml", "channels: [conda-forge]\n")
    git("add", "_toc.yml", "_config.yml", "environment.yml", "book")
    git("commit", "--quiet", "-m", "first")
    sources = tmp_path / "sources"
    (sources / "book" / "part").mkdir(parents=True)
    (sources / "book" / "part" / "a.ipynb").write_text("{}")
    script = small.folder / "book" / "_ext" / "write_notebook_branch"
    for _ in range(2):
        subprocess.run([script, sources, remote], cwd=small.folder, check=True, capture_output=True)
    held = git("--git-dir", str(remote), "ls-tree", "-r", "--name-only", "notebooks").split()
    assert {"book/part/a.ipynb", "book/index.md", "_config.yml", "environment.yml"} <= set(held)
    assert git("status", "--porcelain", "--untracked-files=no") == ""
    assert git("--git-dir", str(remote), "rev-list", "--count", "notebooks").strip() == "1"
    (sources / "book" / "part" / "a.ipynb").unlink()
    assert subprocess.run([script, sources, remote], cwd=small.folder, capture_output=True).returncode == 1
