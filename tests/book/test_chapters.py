"""Every teaching chapter keeps the rubric, as far as a program can tell; and every rule can fail."""

from __future__ import annotations

import inspect
from pathlib import Path

import pytest
import rubric
from pages import ROOT, Chapter, pages_of_toc, parse, plain, teaching_chapters, words
from rubric import RULES, Rule

from gpkl_lib import smoothing

CHAPTERS = teaching_chapters()


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
@pytest.mark.parametrize("path", CHAPTERS, ids=lambda path: path.stem)
def test_rubric(path: Path, rule: Rule) -> None:
    problems = rule(Chapter.read(path))
    assert not problems, f"{path.relative_to(ROOT)}: {rule.__doc__}\n" + "\n".join(problems)


def test_there_are_chapters() -> None:
    assert CHAPTERS, "_toc.yml names no teaching chapter"
    for path in CHAPTERS:
        assert path.is_file(), f"_toc.yml names {path.relative_to(ROOT)}, which does not exist"


def test_every_page_cites_what_exists() -> None:
    for page in pages_of_toc():
        chapter = Chapter.read(ROOT / f"{page}.md")
        missing = rubric.cited(chapter) - rubric.bibliography()
        assert not missing, f"{page} cites {sorted(missing)}, not in book/references.bib"


@pytest.mark.parametrize(
    "path", [path for path in CHAPTERS if path.parent.name == "training"], ids=lambda path: path.stem
)
def test_a_chapter_on_training_says_its_answer_first(path: Path) -> None:
    """What was asked, what was found, with numbers from the code, and where it stands."""
    heading, box, *_ = Chapter.read(path).blocks
    assert (heading.kind, box.title) == ("heading", "The answer first")
    text = "".join(block.text for block in box.children) or box.text
    assert [mark for mark in ("?", "{glue:text}`") if mark not in text] == []
    assert "{ref}`" in text or ".md)" in text


def processor_seconds(page: str, build: Path) -> list[float]:
    """What the page's kernel used when it last ran, as the build left it; none where it never ran here."""
    return [float(file.read_text()) for file in (build / ".jupyter_cache" / page).glob("*/cpu-seconds")]


@pytest.mark.parametrize("path", CHAPTERS, ids=lambda path: path.stem)
def test_runs_in_90_seconds_of_processor_time(path: Path) -> None:
    page = path.relative_to(ROOT).with_suffix("").as_posix()
    used = processor_seconds(page, ROOT / "_build")
    if not used:
        pytest.skip(f"{path.stem} has not been built here; run `make book` first")
    assert max(used) < 90, f"{path.stem} used {max(used):.0f} s of processor time, wanted less than 90"


def test_what_a_page_used_is_read_where_the_build_leaves_it(tmp_path: Path) -> None:
    for page, used in (("book/a/page", "91.50\n"), ("book/a/page-2", "12.00\n")):
        (tmp_path / ".jupyter_cache" / page / "0123456789abcdef").mkdir(parents=True)
        (tmp_path / ".jupyter_cache" / page / "0123456789abcdef" / "cpu-seconds").write_text(used)
    assert processor_seconds("book/a/page", tmp_path) == [91.5]
    assert processor_seconds("book/another/page", tmp_path) == []


# ---------------------------------------------------------------- a page that keeps every rule, and ways to break each

EXERCISE = """````{admonition} Exercise NUMBER ★★ · a name
:class: exercise
Why?

```{admonition} Hint
:class: dropdown hint
Think.
```
````

```{code-cell} ipython3
:tags: [hide-cell, solution]

assert 1 + 1 == 2
```

"""
FIGURE = """```{code-cell} ipython3
---
mystnb:
  image:
    alt: A straight line from the lower left corner to the upper right corner of the axes.
---
plt.plot([0, 1])
```

*A line. It does not show where the line ends.*

"""
EXPLORABLE = """Which bar grows?

```{code-cell} ipython3
SoftmaxLogsumexp()
```

Notice which one it was.

"""
TEXT = ("word " * 150).strip() + "\n\n$$\nx\n$$\n\n"
GOOD = (
    "---\nkernelspec:\n  name: python3\n---\n\n# A title\n\n"
    + EXPLORABLE
    + "## What you will be able to do\n\n1. This.\n2. That.\n\n"
    + "```{code-cell} ipython3\ntorch.manual_seed(0)\nx = torch.randn(3)\n"
    + 'print(inspect.getsource(f), "largest difference", x)\n```\n\n'
    + "The gradient, as {cite:t}`boyd2004` says.\n\n"
    + FIGURE
    + TEXT * 15
    + "## Exercises\n\n"
    + "".join(EXERCISE.replace("NUMBER", str(k)) for k in range(1, 7))
    + "```{code-cell} ipython3\nQuiz('a', answer=1)\n```\n\n```{code-cell} ipython3\nQuiz('b', answer=1)\n```\n\n"
    + "## What you now know\n\n1. This.\n2. That.\n"
)
PASTED = inspect.getsource(smoothing.logsumexp)
CELL = "```{code-cell} ipython3\n%s```\n\n"
BAD: list[tuple[Rule, str, str, str]] = [
    (rubric.opening, EXPLORABLE, "Nothing to do.\n\n" + TEXT * 2, "first 250 words"),
    (rubric.goals, "## What you will be able to do", "## Aims", "must stand"),
    (rubric.goals, "2. That.\n\n", "2. That.\n3. More.\n\n", "for 3 promised"),
    (rubric.goals, "2. That.\n\n", "2. a\n3. b\n4. c\n5. d\n6. e\n\n", "wanted 1 to 5"),
    (
        rubric.goals,
        "## What you now know\n\n1. This.\n2. That.\n",
        "## What you now know\n\n1. a\n2. b\n\n## End\n",
        "last",
    ),
    (rubric.length, TEXT * 15, TEXT * 5, "words, wanted"),
    (rubric.length, TEXT * 15, TEXT * 31, "words, wanted"),
    (rubric.relief, TEXT * 15, TEXT * 13 + "word " * 201 + "\n\n", "without a formula"),
    (
        rubric.relief,
        TEXT * 15,
        TEXT * 13 + TEXT.replace("$$\nx\n$$", CELL % ":tags: [remove-cell]\n\nx\n") * 2,
        "without",
    ),
    (rubric.cells, CELL % "Quiz('a', answer=1)\n", CELL % ("x = 1\n" * 31), "31 lines"),
    (rubric.cells, FIGURE, FIGURE.replace("plt.plot([0, 1])\n", "plt.plot([0, 1])\n" * 13), "not folded"),
    (rubric.cells, "assert 1 + 1 == 2\n", "assert 1 + 1 == 2\n" * 13, "median"),
    (rubric.from_the_package, "inspect.getsource(f)", "f", "no library code"),
    (rubric.from_the_package, FIGURE, CELL % PASTED, "logsumexp is pasted"),
    (rubric.from_the_package, FIGURE, CELL % PASTED.replace("def logsumexp", "def mine"), "mine is pasted"),
    (rubric.numbers, "1. This.", "1. This, 0.6931 nats.", "0.6931"),
    (rubric.verdicts, '"largest difference", ', "", "no cell prints a verdict"),
    (rubric.play, "Which bar grows?", "Look.", "no question"),
    (rubric.play, "Notice which one it was.", "So it goes.", "notice"),
    (rubric.exercises, "Exercise 6 ★★", "Exercise 6 ★★★★", "no stars"),
    (rubric.exercises, "Exercise 6 ★★", "Exercise 6", "no stars"),
    (rubric.exercises, ":class: dropdown hint", ":class: hint", "no folded hint"),
    (rubric.exercises, "assert 1 + 1 == 2", "print(1 + 1)", "no folded solution"),
    (rubric.exercises, "[hide-cell, solution]", "[solution]", "no folded solution"),
    (rubric.exercises, EXERCISE.replace("NUMBER", "6"), "", "5 exercises"),
    (rubric.exercises, "Quiz('a', answer=1)", "pass", "1 questions"),
    (rubric.figures, "    alt: A straight line", "    caption: A straight line", "alternative text"),
    (rubric.figures, "It does not show where the line ends.", "It is straight.", "no caption"),
    (rubric.citations, "boyd2004", "nobody1999", "nobody1999 is not in references.bib"),
    (rubric.citations, "{cite:t}`boyd2004`", "someone", "nothing is cited"),
    (rubric.seeded, "torch.manual_seed(0)\n", "", "no seed"),
]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_a_good_page_keeps_the_rule(rule: Rule) -> None:
    assert rule(Chapter("sample", parse(GOOD))) == []


@pytest.mark.parametrize(("rule", "old", "new", "message"), BAD, ids=lambda value: getattr(value, "__name__", ""))
def test_each_rule_can_fail(rule: Rule, old: str, new: str, message: str) -> None:
    assert old in GOOD
    problems = rule(Chapter("sample", parse(GOOD.replace(old, new))))
    assert any(message in problem for problem in problems), problems


@pytest.mark.parametrize(("pieces", "chapter", "excursion"), [(15, True, True), (11, False, True), (23, True, False)])
def test_an_excursion_is_shorter(pieces: int, chapter: bool, excursion: bool) -> None:
    blocks = parse(GOOD.replace(TEXT * 15, TEXT * pieces))
    assert [rubric.length(Chapter(name, blocks)) == [] for name in ("sample", "excursions/sample")] == [
        chapter,
        excursion,
    ]


def test_every_rule_is_broken_above() -> None:
    assert {rule for rule, *_ in BAD} == set(RULES)


def test_prose_is_what_a_reader_reads() -> None:
    assert plain("see {cite:p}`boyd2004` for $x_1$ and `torch.exp`, {glue:text}`a:.4f`") == "see  for M and C, R"
    (block,) = parse("Two words, $x + y$, [a link](https://example.org/1.2345).\n")
    assert words(block) == 5
    assert words(parse("```{code-cell}\nnot = words\n```\n")[0]) == 0


def test_an_open_fence_is_named_with_its_line() -> None:
    with pytest.raises(ValueError, match="line 3: the fence ``` is never closed"):
        parse("text\n\n```{math}\nx\n")


def test_nested_fences_and_options() -> None:
    exercise, solution = parse(EXERCISE)
    assert (exercise.kind, exercise.children[1].title, exercise.children[1].children[0].text) == (
        "exercise",
        "Hint",
        "Think.",
    )
    assert solution.tags == {"hide-cell", "solution"}
    assert solution.text == "assert 1 + 1 == 2"
    assert solution.line == 11
