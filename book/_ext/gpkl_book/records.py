"""Tables of the recorded experiments, made from records and recipes: ``.. records:: compared`` and its like.

A record is of one kind. ``compared``: methods over seeds, with a verdict once it is whole. ``chosen``: runs that choose
settings for another record on dev, or measure what a choice needs. ``shown``: anything else that chapters show.
"""

import re
from collections.abc import Iterator
from pathlib import Path

from docutils import nodes
from docutils.parsers.rst import directives
from docutils.statemachine import StringList
from sphinx.util.docutils import SphinxDirective

from .docstrings import Links, restructured
from .freshness import depend
from .paths import BOOK, ROOT

RESULTS = BOOK / "_results"
KINDS = ("compared", "chosen", "shown")
NO_LINKS = Links(lambda word: None, {}, {})


class Records(SphinxDirective):
    """The records of one kind: question, setting, verdict, and the command that makes the record again."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """Read recipes and records, and remember that the page is made from them."""
        kind = directives.choice(self.arguments[0], KINDS)
        depend(self.env, "from gpkl_lib.experiments import summarise\nfrom gpkl_lib.chapters.recorders import standing")
        lines = [".. list-table::", "   :class: gpkl-stacked", "   :header-rows: 1", "   :widths: 38 27 35", ""]
        lines += ["   * - Question and command", "     - Setting", "     - Verdict"]
        for path in sorted(RESULTS.glob("*.toml")):
            self.env.note_dependency(str(path))
            self.env.note_dependency(str(path.with_suffix(".jsonl")))
            record = Record(path)
            if record.kind == kind:
                cells = [[record.question, "", *record.places(), f"``make results-{path.stem}``"], record.setting()]
                for mark, cell in zip(("   * - ", "     - ", "     - "), [*cells, list(record.verdict())], strict=True):
                    lines += [mark + cell[0], *(f"       {line}".rstrip() for line in cell[1:])]
        box = nodes.container()
        self.state.nested_parse(StringList(lines, source=self.get_source_info()[0]), self.content_offset, box)
        return box.children


class Record:
    """What a recipe asks for and what its record holds."""

    def __init__(self, path: Path) -> None:
        from gpkl_lib.chapters.recorders import ARMS, standing
        from gpkl_lib.cli import read_recipe
        from gpkl_lib.experiments import read_rows

        self.path, self.recipe = path, read_recipe(path)
        self.rows = read_rows(self.recipe.record) if self.recipe.record.exists() else []
        self.asked = standing(path)[1] if self.recipe.recorder == ARMS else len(self.rows) or len(self.recipe.runs)
        self.whole = len(self.rows) == self.asked

    @property
    def kind(self) -> str:
        """One of KINDS."""
        if self.recipe.recorder == "costs" or any("tested" in run for run in self.recipe.runs):
            return "chosen"
        return "compared" if self.recipe.recorder in ("arms", "compare") else "shown"

    @property
    def question(self) -> str:
        """The comment at the top of the recipe."""
        found = re.match(r"(?:#.*\n)+", self.path.read_text("utf-8"))
        text = " ".join(line.lstrip("# ") for line in found[0].splitlines()) if found else self.path.stem
        text = re.sub(r":? [Ss]ee PLAN\.md\.?$", "", text)
        return " ".join(restructured([text + "." * (text[-1] not in ".?")], NO_LINKS))

    def places(self) -> list[str]:
        """Return a line that links the chapters which read the record."""
        pages = sorted(BOOK.glob("*/*.md"))
        name = re.compile(rf"\b{self.path.stem}\.(jsonl|toml)")
        read = [page.relative_to(ROOT).with_suffix("") for page in pages if name.search(page.read_text("utf-8"))]
        return [f"Read in {', '.join(f':doc:`/{page.as_posix()}`' for page in read)}.", ""] if read else []

    def setting(self) -> list[str]:
        """Return a line each for corpora, methods or arms, and the number of seeds."""
        from gpkl_lib.chapters.recorders import seeds

        runs = self.recipe.runs
        found = {
            "corpus": [name for run in runs for name in _list(run.get("corpus", []))],
            "compared": [name for run in runs for name in _list(run.get("arm", run.get("methods", [])))],
            "seeds": [str(len(seeds(run))) for run in runs if "seeds" in run],
        }
        lines = [f"| {what}: {', '.join(dict.fromkeys(names))}" for what, names in found.items() if names]
        return lines or [f"rows: {self.asked}"]

    def verdict(self) -> Iterator[str]:
        """Yield a line for each comparison: what it found if it is whole, or else how far it is."""
        if not self.whole:
            yield f"*not whole yet: {len(self.rows)} of {self.asked} runs*"
        elif self.kind != "compared":
            yield f"whole: rows {len(self.rows)}"
        else:
            yield from list(self._found()) or ["of one method: nothing to compare in it"]

    def _found(self) -> Iterator[str]:
        """Yield what each method does beside `none`, in points of F1, with the word that `judge` finds for it.

        Arms are compared in the pairs that the plan names, which a chapter shows: here they get an interval, no word.
        """
        from gpkl_lib.experiments import groups, summarise

        for group in groups(self.rows):
            corpus, told = group[0]["corpus"], []
            for one in summarise(group):
                if (found := one.difference) and one.verdict:
                    mean, low, high = map(_points, (found.mean, found.low, found.high))
                    word = f"*{one.verdict.word}*" if "arm" not in group[0] else f"[{low}, {high}]" * (found.pairs > 1)
                    told.append((f"{one.method}: {mean} {word}".rstrip(), found.pairs))
            if told:
                counts = {pairs for _, pairs in told}
                of_all = f", pairs of runs: {told[0][1]}" if len(counts) == 1 else ""
                yield f"| **{corpus['name']}**, sentences: {corpus['train']['sentences']}{of_all}"
                yield from (f"| {line}" + (f", pairs: {pairs}" if not of_all else "") for line, pairs in told)
                yield ""


def _list(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value


def _points(difference: float) -> str:
    """Return a difference of F1 in points, without a sign where it rounds to 0."""
    points = f"{100 * difference:+.1f}"
    return "0.0" if float(points) == 0 else points
