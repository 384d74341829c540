"""The reference of the library, made from its docstrings by autodoc and napoleon.

A page of ``book/reference/api`` names what it shows:

    .. api::

       gpkl_lib.symmetric_kl
       gpkl_lib.kl_divergence

Each name gets its entry, and the block begins with a table of them; ``gpkl_lib.explore.*`` stands for all names of a
face that no page has by themselves. A docstring's labels and titles lead to equations
and chapters; below it stand the equations whose checks compare themselves with it, and the list of equations has the
way back, ``{compared}`eq-rdrop```. A test holds that every public name stands on one page.
"""

import ast
import importlib
import inspect
import re
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import Any, get_type_hints

from docutils import nodes
from docutils.statemachine import StringList
from sphinx.addnodes import pending_xref
from sphinx.application import Sphinx
from sphinx.domains.python import PyObject
from sphinx.environment import BuildEnvironment
from sphinx.util.docutils import SphinxDirective, SphinxRole

from .command_line import Command
from .compared import compared
from .docstrings import Links, restructured
from .paths import BOOK, EXTENSION, LIBRARY, ROOT, digest
from .reach import Library
from .records import Records

PAGES = BOOK / "reference" / "api"
CHECKS = BOOK / "_checks"
BLOCK = re.compile(r"^\.\. api::\n\n((?: +[\w.*]+\n)+)", re.M)
LABEL = re.compile(r"^:label: (eq-[\w-]+)$", re.M)
SIGNATURE = re.compile(r'<dl>\n(<dd><em class="sig-param">.*?)</dl>\n', re.S)
SHORT = 100  # characters of a constant's value that are shown


def listed() -> Iterator[tuple[Path, str]]:
    """Yield page and full name of each entry of the reference, in order."""
    return ((page, name) for page, line in lines() for name in meant(line))


def lines() -> list[tuple[Path, str]]:
    """Return page and text of each line of a block."""
    texts = {page: page.read_text("utf-8") for page in sorted(PAGES.glob("*.md"))}
    return [(page, line) for page, text in texts.items() for block in BLOCK.findall(text) for line in block.split()]


def meant(line: str) -> list[str]:
    """Return the full names that a line of a block stands for: itself, or what is left of a face."""
    face, star, _ = line.partition(".*")
    if not star:
        return [line]
    named = {name for _, name in lines()}
    return [name for one in sorted(importlib.import_module(face).__all__) if (name := f"{face}.{one}") not in named]


def taken(full_name: str) -> Any:
    """Return what a full name stands for."""
    module, _, name = full_name.rpartition(".")
    return getattr(importlib.import_module(module), name)


def _taken_or_none(full_name: str) -> Any:
    """Return the same, None where there is no such name."""
    try:
        return taken(full_name)
    except (ImportError, AttributeError):
        return None


class Reference:
    """What the docstrings are linked with, read once a build from pages and checks."""

    def __init__(self) -> None:
        toc = (ROOT / "_toc.yml").read_text("utf-8")
        pages = {toc.find(path.relative_to(ROOT).with_suffix("").as_posix()): path for path in BOOK.glob("*/*.md")}
        texts = {path: path.read_text("utf-8") for place, path in sorted(pages.items()) if place > 0}
        heads = {path: re.search(r"^# (.+)$", text, re.M) for path, text in texts.items()}
        titles = {path: head[1] for path, head in heads.items() if head}
        self.places = {title: path.relative_to(ROOT).with_suffix("").as_posix() for path, title in titles.items()}
        self.chapters = {label: titles[path] for path, text in texts.items() for label in LABEL.findall(text)}
        self.entries = [full for _, full in listed()]
        self.names = {full.rpartition(".")[2]: full for full in reversed(self.entries)}
        entries = {id(taken(full)): full for full in self.entries}
        found = {label: [id(taken(name)) for name in names] for label, names in compared(CHECKS).items()}
        self.compared = {label: [entries[one] for one in ids if one in entries] for label, ids in found.items()}

    def links(self, of: str, arguments: Iterable[str] = ()) -> Links:
        """Return what the words of a docstring lead to, of the entry `of` or a member of it, with these arguments."""

        def full_name(word: str) -> str | None:
            if word.startswith(f"{LIBRARY.name}."):  # in full, it may be by another module than the entry's
                last = word if word in self.entries else self.names.get(word.rpartition(".")[2])
                return last if last and taken(last) is _taken_or_none(word) else None
            first, dot, member = word.partition(".")
            near = f"{'.'.join(of.split('.')[:2])}.{first}"  # of the same module, where two have the name
            entry = near if near in self.entries else self.names.get(first)
            if entry is None or first in arguments or entry == of:
                return None
            module = entry.rpartition(".")[0]
            # "rows" may be any rows, unless the module is the same
            telling = module == LIBRARY.name or of.startswith(f"{module}.") or "_" in first or first != first.lower()
            return entry + dot + member if telling else None

        return Links(full_name, self.places, self.chapters)

    def equations(self, full_name: str) -> str:
        """Return a sentence on the equations that are compared with an entry; nothing where none is."""
        labels = [label for label in self.chapters if full_name in self.compared.get(label, ())]
        if not labels:
            return ""
        of: dict[str, list[str]] = {}
        for label in labels:
            of.setdefault(self.chapters[label], []).append(f":eq:`{label}`")
        places = [f"{', '.join(roles)} of :doc:`/{self.places[title]}`" for title, roles in of.items()]
        return f"**Checked against:** {'; '.join(places)}."


class Api(SphinxDirective):
    """The entries of some names of the library: a table of them, then each with signature and docstring."""

    has_content = True

    def run(self) -> list[nodes.Node]:
        """Parse what autodoc and autosummary are asked for."""
        entries = {name: taken(name) for line in self.content for name in meant(line.strip())}
        told = [name for name, each in entries.items() if inspect.isclass(each) or inspect.isroutine(each)]
        asked = [".. autosummary::", "   :nosignatures:", "", *(f"   ~{name}" for name in told), ""]
        for name, each in entries.items():
            asked += [*(_entry(name, each) if name in told else self._constant(name, each)), ""]
        box = nodes.container()
        self.state.nested_parse(StringList(asked, source=self.get_source_info()[0]), self.content_offset, box)
        return box.children

    def _constant(self, full_name: str, value: object) -> list[str]:
        """Return the directive of a constant, with its value if that is short, and what its source says of it."""
        module, _, name = full_name.rpartition(".")
        shown = repr(value).replace("typing.", "")
        fits = len(shown) <= SHORT and "\n" not in shown and str(ROOT) not in shown
        path, said = said_of(module, name)
        self.env.note_dependency(str(path))
        text = restructured(said.split("\n"), current().links(full_name))
        head = [f".. py:data:: {name}", f"   :module: {module}", *([f"   :value: {shown}"] if fits else [])]
        return [*head, "", *(f"   {line}" for line in text)]


def _entry(full_name: str, each: object) -> list[str]:
    """Return the directive of a function or class."""
    if not isinstance(each, type):
        return [f".. autofunction:: {full_name}"]
    if hasattr(each, "_fields"):  # Python keeps the types of a named tuple as text
        each.__new__.__annotations__.update(get_type_hints(each))
    asked = [f".. autoclass:: {full_name}"]
    if not issubclass(each, BaseException):
        asked += ["   :members:"]
    if any(base.__module__.startswith("torch.nn") for base in each.__mro__):
        asked += ["   :inherited-members:"]  # of the tagger's other bases: what torch has is left out below
    return asked


def said_of(module: str, name: str) -> tuple[Path, str]:
    """Return where a constant is defined and its docstring, the text below it, or else the comment on its line."""
    library = Library(LIBRARY)
    while (handed_on := library.sources[module].handed_on.get(name)) is not None:
        module, name = handed_on[0], handed_on[1] or name
    source = library.sources[module]
    for here, below in zip(source.tree.body, [*source.tree.body[1:], ast.Pass()], strict=True):
        targets = here.targets if isinstance(here, ast.Assign) else [getattr(here, "target", None)]
        if any(
            isinstance(one, ast.Name) and one.id == name for target in targets if target for one in ast.walk(target)
        ):
            if isinstance(below, ast.Expr) and isinstance(below.value, ast.Constant):
                return source.path, inspect.cleandoc(below.value.value)
            return source.path, source.path.read_text("utf-8").splitlines()[here.lineno - 1].partition("  # ")[2]
    return source.path, ""


class Compared(SphinxRole):
    """``{compared}`eq-rdrop```: the entries of what the equation is compared with."""

    def run(self) -> tuple[list[nodes.Node], list[nodes.system_message]]:
        """Return links, with commas between them; nothing where the check meets no public name."""
        found: list[nodes.Node] = []
        for full in current().compared.get(self.text, []):
            shown = nodes.literal(text=full, classes=["xref", "py", "py-obj"])
            attributes = {"refdomain": "py", "reftype": "obj", "reftarget": full, "refdoc": self.env.docname}
            found += [nodes.Text(", ")] * bool(found)
            found.append(pending_xref("", shown, refexplicit=True, refwarn=True, **attributes))
        return ([nodes.Text("Compared with "), *found, nodes.Text(".")] if found else []), []


@cache
def current() -> Reference:
    """Return what the docstrings are linked with, read once a build."""
    return Reference()


def link_docstring(app: Sphinx, what: str, name: str, obj: object, options: object, lines: list[str]) -> None:
    """Make a docstring's words links, before napoleon reads its sections; say what is checked against it."""
    arguments = inspect.signature(obj).parameters if inspect.isroutine(obj) else ()
    said = current().equations(name)
    if what in ("attribute", "property") and lines:
        lines[0] = re.sub(r"^(?=.*: )", ":", lines[0])  # napoleon would take what stands before a colon for a type
    lines[:] = [*restructured(lines, current().links(name, arguments)), *(["", said] if said else [])]


def readable_signature(
    app: Sphinx, what: str, name: str, obj: object, options: object, signature: str | None, returns: str | None
) -> tuple[str | None, str | None]:
    """Write a default that is made anew each time as Python that Sphinx can read, and a widget's traits as such."""
    if signature == "(*args: t.Any, **kwargs: t.Any)":
        signature = "(**traits)"
    return signature and signature.replace("<factory>", "..."), returns


def skip_member(app: Sphinx, what: str, name: str, obj: Any, skip: bool, options: object) -> bool | None:
    """Leave out what a class has from torch, and a named tuple's fields, whose docstrings only give their number."""
    written = getattr(getattr(obj, "fget", obj), "__module__", None) or LIBRARY.name
    return True if type(obj).__name__ == "_tuplegetter" or not written.startswith(LIBRARY.name) else None


def find_outdated(
    app: Sphinx, env: BuildEnvironment, added: set[str], changed: set[str], removed: set[str]
) -> list[str]:
    """Return the pages of entries where what their words are linked with is another than at the last build."""
    pages = {env.path2doc(str(path)) for path, _ in listed()} & env.found_docs
    if not pages:
        return []
    made_from = [*EXTENSION.glob("*.py"), *CHECKS.glob("*.py"), ROOT / "_toc.yml"]
    new = digest(made_from, repr((current().places, current().chapters, current().names)))
    old, env.gpkl_reference = getattr(env, "gpkl_reference", ""), new  # type: ignore[attr-defined]
    return [] if new == old else sorted(pages)


def finish_page(app: Sphinx, pagename: str, templatename: str, context: dict[str, Any], doctree: Any) -> None:
    """Let the pages of the reference look as they should, and the lines of a signature be lines.

    Sphinx writes them as a list of definitions without a term, over which a screen reader stumbles.
    """
    if pagename.startswith("book/reference/"):
        app.add_css_file("gpkl/reference.css", priority=901)
        context["body"] = SIGNATURE.sub(_as_lines, context["body"])


def _as_lines(match: re.Match[str]) -> str:
    return match[1].replace("<dd>", '<span class="sig-line">').replace("</dd>", "</span>")


def setup(app: Sphinx) -> None:
    """Connect to Sphinx."""
    current.cache_clear()
    for field in PyObject.doc_field_types:
        if field.name == "variable":
            field.label = "Attributes"  # as the docstrings call them
    app.add_directive("api", Api)
    app.add_directive("command", Command)
    app.add_directive("records", Records)
    app.add_role("compared", Compared())
    app.connect("autodoc-process-docstring", link_docstring, priority=400)  # napoleon's is 500
    app.connect("autodoc-process-signature", readable_signature)
    app.connect("autodoc-skip-member", skip_member)
    app.connect("env-get-outdated", find_outdated)
    app.connect("html-page-context", finish_page)
