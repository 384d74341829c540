"""A page's MyST source as blocks, and the pages that _toc.yml names."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]
TEACHING = ("foundations", "divergence", "training", "excursions")


@dataclass
class Block:
    """One piece of a page: kind is heading, prose, table, math, code, listing, figure, exercise or admonition."""

    kind: str
    text: str
    line: int
    options: dict[str, Any] = field(default_factory=dict)
    title: str = ""
    children: list[Block] = field(default_factory=list)

    @property
    def tags(self) -> set[str]:
        return set(self.options.get("tags") or [])

    @property
    def code_lines(self) -> int:
        return sum(bool(line.strip()) for line in self.text.splitlines())


_FENCE = re.compile(r"^(?P<mark>`{3,}|:{3,})\s*(?:\{(?P<name>[^}]+)\})?\s*(?P<argument>.*)$")
_FIGURES = ("figure", "image", "glue:figure", "list-table", "table", "literalinclude")


def parse(text: str, first_line: int = 1) -> list[Block]:
    """The blocks of MyST text, nested directives as children. Raises ValueError where a fence is not closed."""
    lines = text.splitlines()
    blocks: list[Block] = []
    i = 0
    if lines and lines[0] == "---" and first_line == 1:
        i = lines.index("---", 1) + 1
    while i < len(lines):
        line, number = lines[i], first_line + i
        fence = _FENCE.match(line)
        if fence:
            end = _closing(lines, i, fence["mark"], number)
            blocks.append(_directive(fence, lines[i + 1 : end], number))
        elif line.startswith("$$"):
            end = i if line.count("$$") > 1 else next(j for j in range(i + 1, len(lines)) if "$$" in lines[j])
            blocks.append(Block("math", "\n".join(lines[i : end + 1]), number))
        elif not line.strip() or re.match(r"^(\(.+\)=|%.*|\+\+\+.*)$", line):
            end = i
        elif re.match(r"^#{1,6} ", line):
            end = i
            blocks.append(Block("heading", line.lstrip("# "), number))
        else:
            end = i
            while end + 1 < len(lines) and lines[end + 1].strip() and not _starts_block(lines[end + 1]):
                end += 1
            kind = "table" if line.startswith("|") else "prose"
            blocks.append(Block(kind, "\n".join(lines[i : end + 1]), number))
        i = end + 1
    return blocks


def _starts_block(line: str) -> bool:
    return bool(_FENCE.match(line)) or line.startswith("$$") or bool(re.match(r"^#{1,6} ", line))


def _closing(lines: list[str], start: int, mark: str, number: int) -> int:
    for j in range(start + 1, len(lines)):
        stripped = lines[j].strip()
        if stripped.startswith(mark) and set(stripped) == {mark[0]}:
            return j
    raise ValueError(f"line {number}: the fence {mark} is never closed")


def _directive(fence: re.Match[str], body: list[str], number: int) -> Block:
    name, argument = fence["name"], fence["argument"].strip()
    options: dict[str, Any] = {}
    skipped = 0
    if name and body and body[0].strip() == "---":
        skipped = body.index("---", 1) + 1
        options = yaml.safe_load("\n".join(body[1 : skipped - 1])) or {}
    elif name:
        while skipped < len(body) and (match := re.match(r"^:([\w-]+):\s*(.*)$", body[skipped])):
            options[match[1]] = yaml.safe_load(match[2]) if match[1] == "tags" else match[2]
            skipped += 1
    text = "\n".join(body[skipped:])
    if name == "code-cell":
        return Block("code", text.strip("\n"), number, options)
    if name == "math":
        return Block("math", text, number, options)
    if name is None or name in ("code", "code-block"):
        return Block("listing", text, number, options)
    if name in _FIGURES:
        return Block("figure", text, number, options)
    kind = "exercise" if "exercise" in str(options.get("class", "")).split() else "admonition"
    children = parse(text, number + skipped + 1)
    return Block(kind, text, number, options, argument, children)


def plain(text: str) -> str:
    """Prose without citations, and a letter in the place of each formula, piece of code, reference or glued number."""
    text = re.sub(r"\{cite(:\w+)?\}`[^`]*`", "", text)
    text = re.sub(r"\{[\w:-]+\}`[^`]*`", "R", text)
    text = re.sub(r"`[^`]*`", "C", text)
    text = re.sub(r"(?<!\\)\$[^$]+\$", "M", text)
    text = re.sub(r"\]\([^)]*\)", "]", text)
    return re.sub(r"<[^>\n]+>", "", text)


def words(block: Block) -> int:
    """How many words a reader reads in this block: prose, lists and headings, not code, formulas or tables."""
    if block.children:
        return sum(words(child) for child in block.children) + len(re.findall(r"[^\W_]+(?:['’-]\w+)*", block.title))
    if block.kind not in ("heading", "prose"):
        return 0
    return len(re.findall(r"[^\W_]+(?:['’-]\w+)*", plain(block.text)))


@dataclass
class Chapter:
    """A page of the book: its name (path below book/, no suffix) and its blocks."""

    name: str
    blocks: list[Block]

    @classmethod
    def read(cls, path: Path) -> Chapter:
        return cls(path.relative_to(ROOT / "book").with_suffix("").as_posix(), parse(path.read_text("utf8")))

    def flat(self) -> Iterator[Block]:
        """Every block, those inside directives too, in reading order."""
        todo = list(self.blocks)
        while todo:
            block = todo.pop(0)
            yield block
            todo = block.children + todo

    @property
    def code(self) -> list[Block]:
        return [b for b in self.blocks if b.kind == "code"]

    @property
    def prose(self) -> list[Block]:
        return [b for b in self.flat() if b.kind == "prose"]


def pages_of_toc() -> list[str]:
    """The files that _toc.yml names, in order, without suffix."""

    def files(node: Any) -> Iterator[str]:
        if isinstance(node, dict):
            if "file" in node:
                yield node["file"]
            for key in ("parts", "chapters", "sections"):
                yield from files(node.get(key))
        elif isinstance(node, list):
            for item in node:
                yield from files(item)

    toc = yaml.safe_load((ROOT / "_toc.yml").read_text("utf8"))
    return [toc["root"], *files(toc)]


def teaching_chapters() -> list[Path]:
    """The chapters that the rubric holds for."""
    pages = [Path(page) for page in pages_of_toc()]
    return [ROOT / page.with_suffix(".md") for page in pages if len(page.parts) > 2 and page.parts[1] in TEACHING]


PAGES = [f"{page}.html" for page in pages_of_toc()]
NOTEBOOKS = [
    page
    for page in pages_of_toc()
    if "\nkernelspec:" in (ROOT / f"{page}.md").read_text("utf8").partition("\n---\n")[0]
]
