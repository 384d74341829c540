"""The rubric of a good chapter as rules: each takes a page and lists what is wrong with it."""

from __future__ import annotations

import ast
import importlib
import inspect
import pkgutil
import re
import textwrap
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from statistics import median

from pages import ROOT, Block, Chapter, plain, words

import gpkl_lib

Rule = Callable[[Chapter], list[str]]


@cache
def explorables() -> frozenset[str]:
    """Names of the explorable classes; Quiz is counted on its own."""
    explore = importlib.import_module("gpkl_lib.explore")
    names = (n for n in explore.__all__ if inspect.isclass(getattr(explore, n)))
    return frozenset(n for n in names if issubclass(getattr(explore, n), explore.Explorable)) - {"Explorable", "Quiz"}


def is_explorable(block: Block) -> bool:
    return block.kind == "code" and any(re.search(rf"\b{name}\(", block.text) for name in explorables())


def is_figure(block: Block) -> bool:
    return block.kind == "code" and bool(re.search(r"\bplt\.(show|subplots|figure|plot)\b", block.text))


def opening(chapter: Chapter) -> list[str]:
    """Something to play with or a question inside the first 250 words."""
    read = 0
    for block in chapter.blocks:
        if is_explorable(block):
            return []
        for word in block.text.split() if block.kind == "prose" else []:
            read += 1
            if read <= 250 and "?" in word:
                return []
        if read > 250:
            break
    return ["neither an explorable nor a question in the first 250 words"]


def goals(chapter: Chapter) -> list[str]:
    """At most five lines of "what you will be able to do"; a last section "what you now know" that answers each."""
    headings = [(k, b.text.lower()) for k, b in enumerate(chapter.blocks) if b.kind == "heading"]
    able = [k for k, text in headings if "you will be able to do" in text]
    know = [k for k, text in headings if "you now know" in text]
    if not able or not know:
        return ['a section "What you will be able to do" and one "What you now know" must stand in the chapter']
    problems = []
    promised, answered = _items(chapter, able[0]), _items(chapter, know[-1])
    if not 1 <= promised <= 5:
        problems.append(f'"What you will be able to do" has {promised} list items, wanted 1 to 5')
    if answered != promised:
        problems.append(f'"What you now know" has {answered} list items for {promised} promised')
    if know[-1] != headings[-1][0]:
        problems.append(f'"What you now know" is not the last section; "{headings[-1][1]}" is')
    return problems


def _items(chapter: Chapter, heading: int) -> int:
    count = 0
    for block in chapter.blocks[heading + 1 :]:
        if block.kind == "heading":
            break
        count += len(re.findall(r"^(?:\d+\.|[-*]) ", block.text, re.M)) if block.kind == "prose" else 0
    return count


def length(chapter: Chapter) -> list[str]:
    """2,000 to 4,500 words; an excursion 1,500 to 3,000."""
    total = sum(words(b) for b in chapter.blocks)
    low, high = (1500, 3000) if chapter.name.startswith("excursions/") else (2000, 4500)
    return [] if low <= total <= high else [f"{total} words, wanted {low} to {high}"]


def relief(chapter: Chapter) -> list[str]:
    """Never more than 200 words without a displayed formula, cell, figure, table, explorable or exercise."""
    problems, run, since = [], 0, 1
    for block in [*chapter.blocks, Block("math", "", 0)]:
        seen = block.kind in ("math", "listing", "figure", "table", "exercise") or (
            block.kind == "code" and "remove-cell" not in block.tags
        )
        if not seen:
            run += words(block)
            continue
        if run > 200:
            problems.append(f"from line {since}: {run} words without a formula, cell, figure, table or exercise")
        run, since = 0, block.line
    return problems


def cells(chapter: Chapter) -> list[str]:
    """Code cells: median at most 12 lines, none over 30; long plotting code folded."""
    sizes = [b.code_lines for b in chapter.code]
    problems = [f"line {b.line}: a cell of {b.code_lines} lines" for b in chapter.code if b.code_lines > 30]
    if sizes and median(sizes) > 12:
        problems.append(f"the median cell has {median(sizes):g} lines, wanted at most 12")
    for block in chapter.code:
        hidden = block.tags & {"hide-input", "remove-input", "hide-cell", "remove-cell"}
        if is_figure(block) and block.code_lines > 12 and not hidden:
            problems.append(f"line {block.line}: {block.code_lines} lines of plotting code that are not folded")
    return problems


@cache
def library_functions() -> dict[str, list[str]]:
    """Name of every function and method of gpkl_lib -> its code, without docstring, as a normalised dump."""
    found: dict[str, list[str]] = {}
    for module in pkgutil.walk_packages(gpkl_lib.__path__, "gpkl_lib."):
        spec = module.module_finder.find_spec(module.name, None)
        if spec and spec.origin and spec.origin.endswith(".py"):
            for name, dump in functions(Path(spec.origin).read_text("utf8")):
                found.setdefault(name, []).append(dump)
    return found


def functions(source: str) -> Iterator[tuple[str, str]]:
    """(name, body without docstring) of every function in Python source; IPython magics are left out."""
    source = "\n".join(line for line in source.splitlines() if not line.lstrip().startswith(("%", "!")))
    for node in ast.walk(ast.parse(textwrap.dedent(source))):
        if isinstance(node, ast.FunctionDef):
            body = node.body[1:] if ast.get_docstring(node) else node.body
            yield node.name, ast.dump(ast.Module(body, []))


def from_the_package(chapter: Chapter) -> list[str]:
    """Library code is shown from the package, and nowhere pasted."""
    problems = []
    shown = any("getsource" in b.text or re.search(r"^source\(", b.text, re.M) for b in chapter.code) or any(
        "gpkl_lib" in b.text for b in chapter.blocks if b.kind == "figure"
    )
    if not shown:
        problems.append("no library code is shown (cells.source, inspect.getsource or literalinclude)")
    for block in chapter.code:
        for name, dump in functions(block.text):
            if len(dump) > 200 and any(dump in dumps for dumps in library_functions().values()):
                problems.append(f"line {block.line}: {name} is pasted from gpkl_lib")
    return problems


def numbers(chapter: Chapter) -> list[str]:
    """Decimals with three or more places in prose come from code, through glue."""
    problems = []
    for block in chapter.prose:
        found = re.findall(r"(?<![\w.])\d+\.\d{3,}(?![\w.]*\w)", plain(block.text))
        problems += [f"line {block.line}: {number} is typed by hand; glue it" for number in found]
    return problems


def verdicts(chapter: Chapter) -> list[str]:
    """Where gradients or curvature are spoken of, a cell prints a verdict: exact or the largest difference."""
    claims = [b for b in chapter.prose if re.search(r"\b(gradient|Hessian|curvature)", b.text)]
    printed = any(re.search(r"largest difference|largest relative|\bexact\b|\bverdict\(", b.text) for b in chapter.code)
    return ["gradients or curvature are claimed, and no cell prints a verdict"] if claims and not printed else []


def play(chapter: Chapter) -> list[str]:
    """Before each explorable a question, after it what to notice."""
    problems = []
    for k, block in enumerate(chapter.blocks):
        if not is_explorable(block):
            continue
        before = []
        for previous in reversed(chapter.blocks[:k]):
            if previous.kind == "heading" or is_explorable(previous):
                break
            before.append(previous.text if previous.kind == "prose" else "")
        after = next((b.text for b in chapter.blocks[k + 1 :] if b.kind in ("prose", "heading")), "")
        if not any("?" in text for text in before):
            problems.append(f"line {block.line}: no question before the explorable")
        if not re.search(r"\bnotice", after, re.I):
            problems.append(f'line {block.line}: the text after the explorable does not say what to "notice"')
    return problems


def exercises(chapter: Chapter) -> list[str]:
    """Six exercises with one to three stars, a hint and a folded, executed, asserting solution; two quizzes."""
    places = [k for k, b in enumerate(chapter.blocks) if b.kind == "exercise"]
    problems = [] if len(places) >= 6 else [f"{len(places)} exercises, wanted at least 6"]
    for k in places:
        exercise = chapter.blocks[k]
        where = f"line {exercise.line}: the exercise {exercise.title!r}"
        if not re.search(r"(?<!★)★{1,3}(?!★)", exercise.title):
            problems.append(f"{where} has no stars (one to three)")
        hints = [b for b in exercise.children if {"hint", "dropdown"} <= set(str(b.options.get("class")).split())]
        if not hints:
            problems.append(f"{where} has no folded hint")
        rest = []
        for block in chapter.blocks[k + 1 :]:
            if block.kind in ("exercise", "heading"):
                break
            rest.append(block)
        solved = [b for b in rest if b.kind == "code" and {"hide-cell", "solution"} <= b.tags]
        if not any(re.search(r"^\s*assert\b|\bassert_close\(", b.text, re.M) for b in solved):
            problems.append(f"{where} has no folded solution that asserts")
    quizzes = sum(len(re.findall(r"^\s*(?:\w+ = |display\()?Quiz\(", b.text, re.M)) for b in chapter.code)
    if quizzes < 2:
        problems.append(f"{quizzes} questions answer at once (Quiz), wanted at least 2")
    return problems


def figures(chapter: Chapter) -> list[str]:
    """Each plotting cell has real alternative text and a caption that says what the figure does not show."""
    problems = []
    for k, block in enumerate(chapter.blocks):
        if not is_figure(block) or block.tags & {"remove-cell", "remove-output"}:
            continue
        mystnb = block.options.get("mystnb") or {}
        alt = str((mystnb.get("image") or {}).get("alt") or "")
        if len(alt.split()) < 8:
            problems.append(f"line {block.line}: alternative text of {len(alt.split())} words, wanted at least 8")
        below = next((b.text for b in chapter.blocks[k + 1 : k + 2] if b.kind == "prose"), "")
        caption = str((mystnb.get("figure") or {}).get("caption") or below)
        if not re.search(r"\b(not|no|nor|never|nothing|neither|only|cannot)\b", caption, re.I):
            problems.append(f"line {block.line}: no caption that says what the figure does not show")
    return problems


@cache
def bibliography() -> frozenset[str]:
    """The keys of book/references.bib."""
    return frozenset(re.findall(r"^@\w+\{([^,\s]+),", (ROOT / "book" / "references.bib").read_text("utf8"), re.M))


def cited(chapter: Chapter) -> set[str]:
    """The keys that a page cites."""
    roles = (found for b in chapter.flat() for found in re.findall(r"\{cite(?::\w+)?\}`([^`]*)`", b.text))
    return {key.strip() for keys in roles for key in keys.split(",")}


def citations(chapter: Chapter) -> list[str]:
    """Something is cited, and every key is in references.bib."""
    keys = cited(chapter)
    return [f"{key} is not in references.bib" for key in sorted(keys - bibliography())] or (
        [] if keys else ["nothing is cited"]
    )


def seeded(chapter: Chapter) -> list[str]:
    """The same numbers every time: whoever draws random numbers sets a seed."""
    code = "\n".join(b.text for b in chapter.code)
    draws = re.search(
        r"torch\.(randn?|randint|randperm|multinomial|bernoulli)\(|np\.random\.\w+\(|random\.(random|gauss)\(", code
    )
    seeds = re.search(r"manual_seed\(\d+\)|default_rng\(\d+\)|Random\(\d+\)|seed\(\d+\)|seed=", code)
    return ["random numbers are drawn and no seed is set"] if draws and not seeds else []


RULES: tuple[Rule, ...] = (
    opening,
    goals,
    length,
    relief,
    cells,
    from_the_package,
    numbers,
    verdicts,
    play,
    exercises,
    figures,
    citations,
    seeded,
)
