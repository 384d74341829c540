"""Run a chapter again when anything it shows has changed, and only then.

jupyter-cache compares a notebook's cells and nothing else: without this, a change in ``gpkl_lib`` would leave the old
numbers in the page. So each chapter has a key, the digest of its code, of the library's files that the code reaches and
of the records that it opens, and a cache of its own, ``_build/.jupyter_cache/CHAPTER/KEY``. Beside the executed
notebook lies ``cpu-seconds``, the processor time of its kernel and of what that started.

An explorable's JavaScript is in no key: a notebook's output holds the state and the still picture, both from Python,
and the page takes the script from the library when it is written.
"""

import ast
import functools
import os
import re
import shutil
from collections.abc import Iterable
from pathlib import Path

from myst_nb.core.read import read_myst_markdown_notebook
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment

from .paths import BOOK, LIBRARY, ROOT, digest
from .reach import Library

CHECKS = BOOK / "_checks"
RECORDS = BOOK / "_results"
HELP = LIBRARY / "cli" / "texts.py"  # what --help says: of no account to a chapter that runs commands without it
HEADINGS_AND_EQUATIONS = re.compile(r"^# .+$|^:label: eq-[\s\S]*?^```", re.M)


def code_of(page: str) -> str:
    """Return the code that a page's text runs; none for a page that is no notebook."""
    if not re.match(r"---\n.*?^kernelspec:.*?^---\n", page, re.M | re.S):
        return ""
    return "\n".join(cell.source for cell in read_myst_markdown_notebook(page).cells if cell.cell_type == "code")


def records_named(codes: Iterable[str]) -> list[Path]:
    """Return the recorded results, and what lies beside them, whose name stands in a text of the codes.

    The name may stand without its suffix: ``read_rows(results / f"{name}.jsonl") for name in ("toy", "wnut17")``.
    """
    values = (node.value for code in codes for node in ast.walk(ast.parse(code)) if isinstance(node, ast.Constant))
    texts = {value for value in values if isinstance(value, str)}
    stems = texts | {part.rpartition(".")[0] for text in texts for part in re.split(r"[\s/]+", text)}
    return [path for path in RECORDS.glob("*.*") if path.stem in stems]


def inputs(code: str, library: Library) -> list[Path]:
    """Return the files outside the chapter from which its outputs come; all, where its code is no plain Python."""
    checks = list(CHECKS.glob("*.py")) if CHECKS.name in code else []
    codes = [code, *(path.read_text("utf-8") for path in checks)]
    try:
        reached = [path for path in library.reached(*codes) if path != HELP or "--help" in code]
        return [*checks, *reached, *records_named(codes)]
    except SyntaxError:
        return [*CHECKS.glob("*.py"), *LIBRARY.rglob("*.py"), *RECORDS.glob("*.*")]


def key(page: str, library: Library) -> str:
    """Return the key of a page's notebook; an empty one for a page that runs nothing."""
    code = code_of(page)
    if not code:
        return ""
    listed: list[str] = []
    if CHECKS.name in code:  # the page that lists every chapter's equations
        pages = [path.read_text("utf-8") for path in sorted(BOOK.glob("*/*.md"))]
        listed = [(ROOT / "_toc.yml").read_text("utf-8"), *HEADINGS_AND_EQUATIONS.findall("\n".join(pages))]
    return digest(inputs(code, library), code, *listed)


@functools.cache
def library() -> Library:
    """Return the project's own library, parsed once a build."""
    return Library(LIBRARY)


def depend(env: BuildEnvironment, code: str) -> None:
    """Let the page that is read now be read again when a file of the library changes that the code reaches."""
    for path in library().reached(code):
        env.note_dependency(str(path))


def cache(app: Sphinx) -> Path:
    """Return the folder of all caches."""
    return Path(app.config.nb_execution_cache_path or Path(app.outdir).parent / ".jupyter_cache")


def find_outdated(
    app: Sphinx, env: BuildEnvironment, added: set[str], changed: set[str], removed: set[str]
) -> list[str]:
    """Return the pages whose key is another than at the last build; remember the new keys."""
    old = getattr(env, "gpkl_keys", {})
    new = {page: key(Path(env.doc2path(page)).read_text("utf-8"), library()) for page in env.found_docs}
    env.gpkl_keys = new  # type: ignore[attr-defined]
    return [page for page in new if new[page] != old.get(page, "")]


def choose_cache(app: Sphinx, docname: str, source: list[str]) -> None:
    """Give the page that is read now its own cache; look at the clock."""
    folder = cache(app) / docname / app.env.gpkl_keys[docname]
    app.env.mystnb_config = app.env.mystnb_config.copy(execution_cache_path=str(folder))
    app.env.temp_data["gpkl_cpu"] = cpu_seconds()


def note_seconds(app: Sphinx, doctree: object) -> None:
    """Write down the processor time of the page's kernel, if it ran."""
    spent = cpu_seconds() - app.env.temp_data["gpkl_cpu"]
    if spent:
        Path(app.env.mystnb_config.execution_cache_path, "cpu-seconds").write_text(f"{spent:.2f}\n", "utf-8")


def cpu_seconds() -> float:
    """Return the processor time of this process's children that have ended: the kernels."""
    return sum(os.times()[2:4])


def prune(app: Sphinx, exception: Exception | None) -> None:
    """Remove the caches that no page uses any more."""
    if exception is not None:
        return
    used = {cache(app) / page / key for page, key in app.env.gpkl_keys.items()}
    for database in list(cache(app).rglob("global.db")):
        if database.parent not in used:
            shutil.rmtree(database.parent)


def setup(app: Sphinx) -> None:
    """Connect to Sphinx."""
    app.connect("env-get-outdated", find_outdated)
    app.connect("source-read", choose_cache)
    app.connect("doctree-read", note_seconds)
    app.connect("build-finished", prune)
