"""Every chapter as a notebook to download: no outputs, plain Markdown, a first cell that installs what is missing."""

import json
import posixpath
import re
from pathlib import Path
from typing import Any

import nbformat
from pybtex.database import parse_file
from sphinx.application import Sphinx
from sphinx.util import logging

from .freshness import library
from .launch import NOTEBOOK_BRANCH
from .paths import LIBRARY
from .plain_markdown import References, to_plain

log = logging.getLogger(__name__)
NEEDED = ("gpkl_lib", "anywidget", "matplotlib", "scipy", "sympy")  # one of each that the extra `notebook` brings
TO_TRAIN = ("accelerate", "rich")  # and what `train` adds
TRAINS = LIBRARY / "training" / "process.py"  # what a chapter reaches that trains
RECORD = "application/papermill.record/text/plain"
FOLDED = {"hide-input", "hide-cell", "remove-input", "remove-cell"}

FILES = re.compile(r"_results|_checks")  # folders of the book that a chapter's code may read

SET_UP = """\
# Set-up: does nothing where the book's packages{and_files} are at hand already.
import importlib.util{imports}

missing = [name for name in {needed!r} if importlib.util.find_spec(name) is None]
{look}{bring}
if importlib.util.find_spec("myst_nb") is None:  # it puts numbers into the text, and in this text they stand
    import sys, types

    sys.modules["myst_nb"] = types.ModuleType("myst_nb")
    sys.modules["myst_nb"].glue = lambda *_, **__: None
"""
LOOK = "away = not any((one / 'references.bib').is_file() for one in (Path.cwd(), *Path.cwd().parents))\n"
CLONE = """\
if {when}:
    import os, subprocess, sys

    if not os.path.isdir("gpkl-book"):
        copy = ["git", "clone", "--quiet", "--depth=1", "--branch={branch}", "{repository}", "gpkl-book"]
        subprocess.run(copy, check=True)
    if missing:
        subprocess.run([sys.executable, "-m", "pip", "install", "--quiet", "./gpkl-book[{extras}]"], check=True)
    os.chdir("gpkl-book/{folder}")
    importlib.invalidate_caches()"""
REFUSE = """\
if missing:
    raise ModuleNotFoundError(
        f"{{missing}}: first run `pip install '.[{extras}]'` in a copy of the book's repository, "
        "or `pip install 'WHEEL[{extras}]'` with the wheel of a release"
    )"""
STAY = """
if away:
    raise FileNotFoundError("this chapter opens files of the book: run it in {folder} of a copy of its repository")"""


def set_up_cell(repository: str, docname: str, code: str) -> str:
    """The source of the first cell, for a chapter with this code.

    It brings what is missing by a copy of the repository; where the repository is not known it can only say what to do.
    """
    reads = FILES.search(code) is not None
    trains = TRAINS in library().reached(code)
    names = {
        "branch": NOTEBOOK_BRANCH,
        "repository": repository,
        "folder": docname.rpartition("/")[0],
        "extras": "notebook,train" if trains else "notebook",
        "when": "missing or away" if reads else "missing",
    }
    return SET_UP.format(
        needed=[*NEEDED, *TO_TRAIN] if trains else list(NEEDED),
        and_files=" and files" if reads else "",
        imports="\nfrom pathlib import Path" if reads else "",
        look=LOOK if reads else "",
        bring=(CLONE if repository else REFUSE + STAY if reads else REFUSE).format(**names),
    ).rstrip("\n")


def strip(
    notebook: nbformat.NotebookNode, docname: str, repository: str, references: References
) -> nbformat.NotebookNode:
    """The notebook to hand out: outputs dropped, text plain, folded cells folded, the set-up cell first."""
    shared = nbformat.v4.new_notebook()
    shared.metadata = nbformat.from_dict(
        {
            "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
            "language_info": {"name": "python"},
        }
    )
    code = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "code")
    shared.cells.append(nbformat.v4.new_code_cell(set_up_cell(repository, docname, code), id="set-up"))
    for number, cell in enumerate(notebook.cells):
        name = f"cell-{number}"
        if cell.cell_type == "code":
            new = nbformat.v4.new_code_cell(cell.source, id=name)
            tags = cell.metadata.get("tags", [])
            if tags:
                new.metadata["tags"] = list(tags)
            if FOLDED.intersection(tags):
                new.metadata["jupyter"] = {"source_hidden": True}
        else:
            new = nbformat.v4.new_markdown_cell(to_plain(cell.source, references), id=name)
        shared.cells.append(new)
    return shared


def glued_values(file: Path) -> dict[str, str]:
    """Values that the cells glued, by name, as the text that Python shows.

    myst_nb takes them out of the executed notebook, and keeps them in a file beside it where there are any.
    """
    outputs = json.loads(file.read_text("utf-8")) if file.is_file() else {}
    return {name: one["data"].get(RECORD, one["data"].get("text/plain", "")) for name, one in outputs.items()}


def show_glued(reference: str, values: dict[str, str]) -> str | None:
    """The value for ``name`` or ``name:format``, as myst-nb shows it; None where nothing was glued by the name."""
    name, _, wanted = reference.partition(":")
    if name not in values:
        return None
    value = values[name].strip()
    if wanted:
        return format(float(value), wanted)
    return value[1:-1] if re.fullmatch(r"'.*'|\".*\"", value, re.S) else value


class Lookup:
    """Finds what a page's roles refer to, in Sphinx's environment."""

    def __init__(self, app: Sphinx, docname: str, values: dict[str, str]) -> None:
        self.app, self.docname, self.values = app, docname, values

    def references(self) -> References:
        """The methods as the converter wants them."""
        return References(self.equation, self.citation, self.target, self.page, self.glued, self.include)

    def equation(self, label: str) -> str:
        """The number that the page shows, with the page's title where it is another."""
        docname, number = self.app.env.get_domain("math").equations.get(label, (None, None))
        if docname is None:
            return "?"
        numbers = self.app.env.toc_fignumbers.get(docname, {}).get("displaymath", {}).get(f"equation-{label}")
        shown = ".".join(map(str, numbers)) if numbers else str(number)
        return shown if docname == self.docname else f"{shown} of “{self.app.env.titles[docname].astext()}”"

    def citation(self, key: str, textual: bool) -> str:
        """Author and year."""
        entry = bibliography(self.app).get(key)
        if entry is None:
            return key
        people = [" ".join([*person.prelast_names, *person.last_names]) for person in entry.persons.get("author", [])]
        people = people or [entry.fields.get("title", key)]
        who = people[0] if len(people) == 1 else " and ".join(people) if len(people) == 2 else f"{people[0]} et al."
        year = entry.fields.get("year", "n. d.")
        return re.sub(r"[{}]", "", f"{who} ({year})" if textual else f"{who} {year}")

    def target(self, label: str) -> str:
        """The title of what the label marks."""
        standard = self.app.env.get_domain("std")
        if label in standard.labels:
            return str(standard.labels[label][2])
        found = self.app.env.titles.get(self.docname_of(label))
        return found.astext() if found is not None else label

    def docname_of(self, path: str) -> str:
        """The name of the page that a path leads to from this one."""
        folder = "" if path.startswith("/") else posixpath.dirname(self.docname)
        return posixpath.normpath(posixpath.join(folder, path.lstrip("/"))).removesuffix(".md")

    def page(self, path: str) -> str:
        """The address of another page: on the site where its address is known, else the file beside this one."""
        docname, base = self.docname_of(path), self.app.config.html_baseurl
        if base:
            return str(base + self.app.builder.get_target_uri(docname))
        return path + (".ipynb" if "kernelspec" in self.app.env.metadata.get(docname, {}) else ".md")

    def glued(self, reference: str) -> str | None:
        """A glued value, if there is one."""
        return show_glued(reference, self.values)

    def include(self, path: str) -> str:
        """The text of a file of the repository."""
        return (Path(self.app.srcdir) / self.docname).parent.joinpath(path).read_text("utf-8").rstrip("\n")


def bibliography(app: Sphinx) -> dict[str, Any]:
    """The entries of all bibliography files, read once for a build."""
    if not hasattr(app, "gpkl_bibliography"):
        entries: dict[str, Any] = {}
        for file in app.config.bibtex_bibfiles:
            entries.update(parse_file(Path(app.srcdir) / file).entries)
        app.gpkl_bibliography = entries  # type: ignore[attr-defined]
    return app.gpkl_bibliography  # type: ignore[attr-defined,no-any-return]


def hand_out(app: Sphinx, pagename: str, templatename: str, context: dict[str, Any], doctree: Any) -> None:
    """Write the page's notebook beside its source, and name it to the theme's download menu."""
    executed = Path(app.outdir).parent / "jupyter_execute" / f"{pagename}.ipynb"
    if doctree is None or not executed.is_file() or "kernelspec" not in app.env.metadata.get(pagename, {}):
        return
    notebook = nbformat.read(executed, as_version=4)
    values = glued_values(executed.with_suffix(".glue.json"))
    references = Lookup(app, pagename, values).references()
    shared = strip(notebook, pagename, app.config.gpkl_repository, references)
    for problem in sorted(set(references.problems)):
        log.warning(
            "%s has no plain form for the notebook", problem, location=pagename, type="gpkl", subtype="notebook"
        )
    target = Path(app.outdir) / "_sources" / f"{pagename}.ipynb"
    target.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(shared, target)
    context["ipynb_source"] = f"{pagename}.ipynb"


def setup(app: Sphinx) -> None:
    """Connect to Sphinx."""
    app.connect("html-page-context", hand_out, priority=420)
