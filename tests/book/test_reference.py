"""The reference: every public name has one entry, every entry leads somewhere, and what its tables say is so."""

from __future__ import annotations

import doctest
import inspect
import re
from collections import Counter
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from types import ModuleType

import pytest
import torch
from pages import ROOT, pages_of_toc

import gpkl_lib

REFERENCE = ROOT / "book" / "reference"
FACES = ("corpora", "tagger", "training", "tiled", "experiments", "derivations", "explore", "chapters")
MODULES = [path.stem for path in Path(gpkl_lib.__file__).parent.glob("[a-z]*.py")]
ROLE = re.compile(r"\{(?P<role>py:\w+|doc|option)\}`(?:[^`<]*<)?(?P<target>[^`>]+)>?`")


def public() -> Iterator[str]:
    """Every public name by the shortest way to it; in a module without a face, what has an example."""
    yield from (f"gpkl_lib.{name}" for name in gpkl_lib.__all__)
    for face in map(import_module, (f"gpkl_lib.{name}" for name in FACES)):
        yield from (f"{face.__name__}.{name}" for name in face.__all__ if not at_the_top(name, face))
    for module in map(import_module, (f"gpkl_lib.{name}" for name in MODULES)):
        for name, value in vars(module).items():
            own = getattr(value, "__module__", "") == module.__name__ and name[0] != "_"
            if own and ">>>" in (inspect.getdoc(value) or "") and not at_the_top(name, module):
                yield f"{module.__name__}.{name}"


def at_the_top(name: str, module: ModuleType) -> bool:
    return name in gpkl_lib.__all__ and getattr(gpkl_lib, name) is getattr(module, name)


def test_every_public_name_has_one_entry() -> None:
    from gpkl_book.reference import listed

    entries = [name for _, name in listed()]
    missing = sorted(set(public()) - set(entries))
    assert not missing, f"no entry in the reference, in a block of a page of book/reference/api: {', '.join(missing)}"
    assert [name for name, times in Counter(entries).items() if times > 1] == [], "an entry stands twice"


def test_every_entry_is_a_name_and_every_page_is_in_the_book() -> None:
    from gpkl_book.reference import listed, taken

    for page, name in listed():
        assert taken(name) is not None, f"{page.name}: {name}"
    pages = {path.relative_to(ROOT).with_suffix("").as_posix() for path in REFERENCE.rglob("*.md")}
    assert pages - set(pages_of_toc()) == set()


def test_examples_run_where_no_face_hands_on_what_they_show() -> None:
    """Those of a face run in tests/test_docstrings.py."""
    from gpkl_book.reference import listed, taken

    entries = [name for _, name in listed() if name.split(".")[1] in MODULES]
    front = {"torch": torch, **{name: getattr(gpkl_lib, name) for name in gpkl_lib.__all__}}
    finder, runner, tried = doctest.DocTestFinder(), doctest.DocTestRunner(verbose=False), 0
    for name in entries:
        value, known = taken(name), {**front, **vars(import_module(name.rpartition(".")[0]))}
        for test in finder.find(value, name, globs=known) if callable(value) else ():
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(0)
                found = runner.run(test)
            tried += found.attempted
            assert not found.failed, name
    assert tried > 5


def test_every_constant_says_what_it_is() -> None:
    from gpkl_book.reference import listed, said_of, taken

    constants = [name for _, name in listed() if not callable(taken(name)) or "Literal" in repr(taken(name))]
    assert len(constants) > 20
    assert [name for name in constants if not said_of(*name.rpartition(".")[::2])[1]] == []


def test_sources_of_docstrings_lead_to_equations_and_chapters() -> None:
    from gpkl_book.reference import current, listed, taken

    reference, labels = current(), set()
    for _, name in listed():
        said = inspect.getdoc(taken(name)) or ""
        shown = "\n".join(restructured(said, name))
        named = set(re.findall(r"\beq-[a-z0-9-]+", said)) - {"eq-example", "eq-of-mine"}
        assert named <= set(re.findall(r":eq:`([^`]+)`", shown)), name
        labels |= named
    assert len(labels) > 8
    assert labels <= reference.chapters.keys()


def restructured(docstring: str, name: str) -> list[str]:
    from gpkl_book import docstrings
    from gpkl_book.reference import current

    return docstrings.restructured(docstring.split("\n"), current().links(name))


def test_equations_lead_back_to_what_they_are_compared_with() -> None:
    from gpkl_book.reference import current

    reference = current()
    assert reference.compared["eq-rdrop"] == ["gpkl_lib.rdrop_loss"]
    assert reference.compared["eq-lse-temperature"] == ["gpkl_lib.logsumexp"], "by way of gpkl_lib.logsumexp"
    assert reference.compared["eq-uda-annealing"] == ["gpkl_lib.annealing_threshold"], "imported from its module"
    assert reference.compared["eq-uda-gradient"] == ["gpkl_lib.uda_loss"], "by way of a helper"
    assert ":eq:`eq-rdrop` of :doc:`/book/training/r-drop`" in reference.equations("gpkl_lib.rdrop_loss")
    assert reference.equations("gpkl_lib.span_mask").count(":eq:") == 2
    assert reference.equations("gpkl_lib.two_views") == ""


DOCSTRING = """(*rows, *classes) and a_: `symmetric_kl`s of `rows`.

Args:
    input: "rowmean" by --alpha.

Attributes:
    first, other: two of
        `SpanScores`.

Returns:
    A row: all of it.

Example:
    >>> f("`x`", *y)
    *

Source: eq-rdrop; in the chapter
"Smooth maximum"."""
SHOWN = r"""(\*rows, \*classes) and a\_: :py:obj:`symmetric_kl <gpkl_lib.symmetric_kl>`\ s of ``rows``.

Args:
    input: ``"rowmean"`` by ``--alpha``.

Attributes:
    first: two of
        :py:obj:`SpanScores <gpkl_lib.spans.SpanScores>`.
    other: two of
        :py:obj:`SpanScores <gpkl_lib.spans.SpanScores>`.

Returns:
    :A row: all of it.

Example:
    >>> f("`x`", *y)
    *

**Source:** :eq:`eq-rdrop` of :doc:`/book/training/r-drop`; in the chapter :doc:`/book/foundations/smooth-maximum`."""


def test_a_docstring_becomes_links_and_code_and_nothing_else_is_markup() -> None:
    assert "\n".join(restructured(DOCSTRING, "gpkl_lib.spans.other")) == SHOWN
    assert restructured('reduction="mean" or "a b"', "gpkl_lib.x") == ['``reduction="mean"`` or "a b"']
    assert restructured("file:line, tcp://h, a: b, https://a.b", "gpkl_lib.x") == [
        r"file\:line, tcp\://h, a: b, https://a.b"
    ]
    with pytest.raises(KeyError, match="eq-nowhere"):
        restructured("Source: eq-nowhere.", "gpkl_lib.x")


def test_the_command_line_has_every_command_and_every_argument() -> None:
    from gpkl_book.command_line import described

    from gpkl_lib.cli.parser import parsers

    main, commands = parsers()
    known = {parser.prog: parser for parser in (main, *commands)}
    page = (REFERENCE / "command-line.md").read_text("utf-8")
    assert re.findall(r"^\.\. command:: ?(\w*)$", page, re.M) == ["", *(one.prog.split()[1] for one in commands)]
    for program, parser in known.items():
        lines = list(described(program, known))
        shown = [line.removeprefix(".. option:: ") for line in lines if line.startswith(".. option:: ")]
        flags = [flag for line in shown for flag in re.findall(r"(?:^|, )(--?[a-z-]+)", line)]
        assert sorted(flags) == sorted(parser._option_string_actions.keys() - {"-h", "--help"})
        places = [str(action.metavar) for action in parser._actions if not action.option_strings]
        assert [line for line in shown if not line.startswith("-")] == [one for one in places if one != "COMMAND"]
        assert f"   {parser.prog} " in "\n".join(lines)


def test_help_becomes_links_and_code_and_nothing_else_is_markup() -> None:
    from gpkl_book.command_line import marked

    from gpkl_lib.cli.parser import parsers

    main, commands = parsers()
    known = {parser.prog: parser for parser in (main, *commands)}

    def shown(text: str) -> str:
        return marked(text, "gpkl train", known)

    assert shown("--dev or gpkl predict --threshold, --nowhere") == (
        ":option:`--dev` or :option:`gpkl predict --threshold`, ``--nowhere``"
    )
    assert shown("as gpkl convert --help shows, *.txt") == r"as :ref:`gpkl convert <gpkl-convert>` shows, \*.txt"
    assert shown("of tcp://host:8786; a: b") == r"of tcp\://host:8786; a: b"
    assert shown('{"a": [[0, "b"]]}, end; or "text"') == '``{"a": [[0, "b"]]}``, end; or ``"text"``'


RECIPE = """# Is it so? See PLAN.md.
recorder = "arms"
corpus = "toy"
seeds = "3-4"
runs = [{ arm = "none", method = "none" }, { arm = "two views", method = "sigmoid", alpha = 0 }]
"""


def test_a_record_has_a_verdict_only_when_it_is_whole(tmp_path: Path) -> None:
    from gpkl_book.records import Record

    from gpkl_lib._storage import write_rows

    def row(arm: str, seed: int, f1: float) -> dict[str, object]:
        config = {"method": "none", "alpha": 0.0, "alpha_warmup": 0.0, "seed": seed}
        score = {"f1": f1}
        corpus = {"name": "toy", "train": {"sentences": 200}}
        cost = {"steps": 1, "seconds": 1.0, "cpu_seconds": 1.0}
        run = {"key": f"{arm}{seed}", "arm": arm, "corpus": corpus, "model": {}, "config": config}
        return {**run, "dev": score, "test": score, **cost}

    recipe = tmp_path / "mine.toml"
    recipe.write_text(RECIPE, "utf-8")
    assert list(Record(recipe).verdict()) == ["*not whole yet: 0 of 4 runs*"]
    rows = [row("none", 3, 0.5), row("two views", 3, 0.75), row("none", 4, 0.5)]
    write_rows(recipe.with_suffix(".jsonl"), rows)
    assert list(Record(recipe).verdict()) == ["*not whole yet: 3 of 4 runs*"]
    write_rows(recipe.with_suffix(".jsonl"), [*rows, row("two views", 4, 0.75)])
    record = Record(recipe)
    assert (record.kind, record.question) == ("compared", "Is it so?")
    assert record.setting() == ["| corpus: toy", "| compared: none, two views", "| seeds: 2"]
    assert list(record.verdict()) == [
        "| **toy**, sentences: 200, pairs of runs: 2",
        "| two views: +25.0 [+25.0, +25.0]",
        "",
    ]
    rows += [row("two views", 4, 0.75), row("three", 4, 0.5)]  # of the third one pair: its own number, no interval
    write_rows(recipe.with_suffix(".jsonl"), rows)
    recipe.write_text(RECIPE.rstrip("]\n") + ', { arm = "three", method = "none", seeds = "4-4" }]\n', "utf-8")
    assert list(Record(recipe).verdict()) == [
        "| **toy**, sentences: 200",
        "| two views: +25.0 [+25.0, +25.0], pairs: 2",
        "| three: 0.0, pairs: 1",
        "",
    ]


@pytest.mark.parametrize("page", ["comparison", "experiments", "this-book", "api/index"])
def test_what_a_page_of_the_reference_leads_to_is_there(page: str) -> None:
    from gpkl_book.reference import listed, taken

    from gpkl_lib.cli.parser import parsers

    path = REFERENCE / f"{page}.md"
    text, entries = path.read_text("utf-8"), {name for _, name in listed()}
    options = {f"{parser.prog} {flag}" for parser in parsers()[1] for flag in parser._option_string_actions}
    found = 0
    for role, target in ROLE.findall(text):
        found += 1
        if role == "option":
            assert target in options, f"{page}: {target}"
        elif role == "doc":
            assert path.parent.joinpath(f"{target}.md").resolve().is_file(), f"{page}: {target}"
        elif target not in entries:
            owner, _, member = target.rpartition(".")
            assert owner in entries, f"{page}: {target} has no entry"
            assert inspect.getdoc(getattr(taken(owner), member)), f"{page}: {target} has no entry"
    for file in re.findall(r"`(tests/[\w/.]*)`", text):
        found += 1
        assert (ROOT / file).exists(), f"{page}: {file}"
    assert found or page == "api/index"


def test_entries_are_on_the_site_and_in_its_index(site_dir: Path) -> None:
    from gpkl_book.reference import listed

    index = (site_dir / "genindex.html").read_text("utf-8")
    pages: dict[Path, str] = {}
    for page, name in listed():
        html = pages.setdefault(page, (site_dir / page.relative_to(ROOT)).with_suffix(".html").read_text("utf-8"))
        assert f'id="{name}"' in html, f"{page.name} has no anchor for {name}"
        assert f".html#{name}" in index, f"{name} is not in the index"
    for page, html in pages.items():
        article = html[html.index("<article") : html.index("</article>")]
        text = re.sub(r"<[^>]+>", "", re.sub(r"<pre>.*?</pre>|<code.*?</code>|<dt.*?</dt>", "", article, flags=re.S))
        assert re.findall(r"`|:(?:doc|eq|ref|obj|py:)|\*\*|\beq-[a-z]\w+", text) == [], f"{page.name} shows markup"
        assert "<dl>\n<dd>" not in article, f"{page.name} has a list of definitions without a term"
        assert "~gpkl_lib" not in article, f"{page.name} has a signature that Sphinx could not read"
