"""The glossary: both languages for every term, no term twice, each used in the chapter that it names."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import pytest
from pages import ROOT, Chapter, pages_of_toc, teaching_chapters

REFERENCE = ROOT / "book" / "reference"
ENTRY = re.compile(
    r'^\*\*(?P<english>[^*]+)\*\* · <span lang="zh">(?P<chinese>[^<]*)</span>\n'
    r": (?P<text>.+) \[[^\]]+\]\((?P<link>[^)]+)\)$",
    re.MULTILINE,
)
HAN = re.compile(r"[\u4e00-\u9fff]")
ENDING = re.compile(r"(?<=\w{3})(y|ing|er|ance|e)$")  # entities are an entity, invariant is invariance
NEAR = 120
NOT_PROSE = re.compile(r"^---\n.*?\n---\n|\{cite\S*?\}`[^`]*`|\]\([^)]*\)", re.DOTALL)


@dataclass(frozen=True)
class Term:
    """One entry."""

    english: str
    chinese: str
    text: str
    page: Path


def terms(text: str) -> list[Term]:
    """The entries of a glossary. Raises ValueError where a bold line is no whole entry."""
    found = [
        Term(m["english"], m["chinese"], m["text"], (REFERENCE / m["link"]).resolve()) for m in ENTRY.finditer(text)
    ]
    begun = re.findall(r"^\*\*(.+?)\*\*", text, re.MULTILINE)
    if begun != [term.english for term in found]:
        raise ValueError(f"not whole: {sorted(set(begun) - {term.english for term in found})}")
    return found


def problems(found: list[Term]) -> list[str]:
    """What is wrong with the entries."""
    wrong = []
    for language in ("english", "chinese"):
        names = Counter(getattr(term, language).lower() for term in found)
        wrong += [f"{name} stands {count} times" for name, count in names.items() if count > 1]
    for term in found:
        if not HAN.search(term.chinese):
            wrong.append(f"{term.english}: no Chinese in {term.chinese!r}")
        if not re.search(r"[A-Za-z]", term.english) or HAN.search(term.english):
            wrong.append(f"{term.english}: not English")
        if len(re.sub(r"\$[^$]+\$", "x", term.text)) > 130:
            wrong.append(f"{term.english}: longer than a line or two")
        if not term.page.is_file():
            wrong.append(f"{term.english}: {term.page.name} does not exist")
        elif not used(term.english, term.page.read_text("utf8")):
            wrong.append(f"{term.english} is not used in {term.page.name}")
    return wrong


def used(english: str, page: str) -> bool:
    """Whether the words stand near each other in a page, each at the start of a word, in any case."""
    text = NOT_PROSE.sub(" ", page).replace("_", " ")
    stems = [ENDING.sub("", word) for word in re.findall(r"\w+", english)]
    rare, *others = (rf"(?<!\w){re.escape(stem)}" for stem in sorted(stems, key=len, reverse=True))
    return any(
        all(re.search(word, text[max(0, m.start() - NEAR) : m.end() + NEAR], re.IGNORECASE) for word in others)
        for m in re.finditer(rare, text, re.IGNORECASE)
    )


GLOSSARY = (REFERENCE / "glossary.md").read_text("utf8")
NOTATION = (REFERENCE / "notation.md").read_text("utf8")
MEANT = "a word of every day, or of something else"
AHEAD = "named ahead of its chapter"
EARLIER = {  # terms that an earlier chapter has as well, and why the glossary names a later one
    **dict.fromkeys(("head", "key", "miss", "negative", "positive", "precision", "query"), MEANT),
    **dict.fromkeys(("calibration", "distillation", "GlobalPointer", "inner product", "R-Drop"), AHEAD),
    **dict.fromkeys(("symmetric KL divergence", "threshold", "warm-up"), AHEAD),
    **dict.fromkeys(("Gumbel noise", "noisy argmax", "denoiser", "sampler"), AHEAD),
    **dict.fromkeys(("unsupervised data augmentation", "virtual adversarial training"), AHEAD),
}


def prose(page: Path) -> str:
    """What stands in a page's sentences, headings and titles, without code, formulas and addresses, on one line."""
    chapter = Chapter.read(page)
    parts = [block.text for block in chapter.flat() if block.kind in ("prose", "heading", "table")]
    parts += [block.title for block in chapter.flat()]
    return " ".join(re.sub(r"\{[\w:-]+\}`[^`]*`|`[^`]*`|\$[^$]+\$|\]\([^)]*\)", " ", "\n".join(parts)).split())


def stands(english: str, text: str) -> bool:
    """Whether a term stands in prose word for word, in the singular or plural."""
    *words, last = map(re.escape, english.split())
    last = f"{last[:-1]}(?:y|ies)" if last.endswith("y") else f"{last}(?:s|es)?"
    return bool(re.search(rf"(?<![\w-]){r'[ -]'.join([*words, last])}(?![\w-])", text, re.IGNORECASE))


def too_late(found: list[Term], pages: dict[Path, str]) -> list[str]:
    """Terms for which the glossary names a later chapter than the first one that has them."""
    order = list(pages)
    late = []
    for term in found:
        earlier = order[: order.index(term.page)]
        first = next((page for page in earlier if stands(term.english, pages[page])), None)
        late += [f"{term.english}: {term.page.stem}, first in {first.stem}"] if first else []
    return late


def test_every_term_is_whole_and_used_where_it_says() -> None:
    found = terms(GLOSSARY)
    assert 60 <= len(found) <= 150
    assert problems(found) == []


@pytest.fixture(scope="module")
def chapters() -> dict[Path, str]:
    """The prose of each chapter, in reading order."""
    return {page: prose(page) for page in teaching_chapters()}


def test_the_first_chapter_of_a_term_is_named(chapters: dict[Path, str]) -> None:
    late = too_late(terms(GLOSSARY), chapters)
    assert [line for line in late if line.partition(":")[0] not in EARLIER] == []
    assert {line.partition(":")[0] for line in late} == set(EARLIER), "no exception is left over"


def test_a_term_that_comes_in_earlier_is_found(chapters: dict[Path, str]) -> None:
    entry = re.search(r"^\*\*variance\*\*.*\n.*$", GLOSSARY, re.MULTILINE)
    assert entry
    later = re.sub(r"\[[^]]+\]\(.+\)", "[Symmetric KL](../divergence/symmetric-kl.md)", entry[0])
    moved = GLOSSARY.replace(entry[0], later)
    assert moved != GLOSSARY
    assert "variance: symmetric-kl, first in kl-divergence" in too_late(terms(moved), chapters)
    assert stands("class weight", "no class weights at all")
    assert stands("entity", "two entities")
    assert not stands("mask", "masked rows")
    assert not stands("loss", "a glossary")
    assert not stands("precision", "half-precision")


def symbols_in(text: str) -> str:
    """The formulas of a page, without words."""
    found = re.findall(r"\$\$.*?\$\$|\$[^$]+\$|```\{math\}.*?```", text, re.DOTALL)
    return re.sub(r"\\(?:mathrm|text|operatorname|label)\{[^}]*\}", " ", " ".join(found))


def clashes(text: str) -> dict[str, list[Path]]:
    """The symbols with several meanings, and the chapters in which they have them."""
    rows = re.findall(r"^\| \$(\S+)\$ \| (.+) \|$", text.partition("## Symbols with several meanings")[2], re.M)
    return {
        symbol: [(REFERENCE / link).resolve() for link in re.findall(r"\]\(([^)]+)\)", cell)] for symbol, cell in rows
    }


def test_symbols_with_several_meanings_are_listed_where_they_have_them() -> None:
    listed = clashes(NOTATION)
    heads = re.findall(r"^(.+?) · .+\n: ", NOTATION, re.M)
    names = Counter(x for head in heads for x in set(re.findall(r"\$\\?(\w+)(?:\(.*?\)|_\w+)?\$", head)))
    twice = {name for name, count in names.items() if count > 1 and len(name) == 1}
    assert twice - {symbol.lstrip("\\") for symbol in listed} == set()
    assert {"m", "w", "L", "J", "G", "F"} <= set(listed)
    for symbol, pages in listed.items():
        assert len(pages) == len(set(pages)) >= 2, symbol
        name = rf"(?<![a-zA-Z\\{{]){symbol}" if symbol.isalpha() else re.escape(symbol)
        for page in pages:
            assert re.search(rf"{name}(?![a-zA-Z])", symbols_in(page.read_text("utf8"))), f"{symbol} in {page.stem}"


def test_terms_are_in_alphabetical_order_within_their_section() -> None:
    for section in GLOSSARY.split("\n## ")[1:]:
        names = [term.english.lower() for term in terms(section)]
        assert names == sorted(names), section.partition("\n")[0]


def test_every_chapter_has_a_term_and_every_link_is_in_the_book() -> None:
    pages = {ROOT / f"{page}.md" for page in pages_of_toc()}
    linked = {term.page for term in terms(GLOSSARY)}
    assert linked <= pages
    chapters = {page for page in pages if page.parent.name in ("foundations", "divergence")}
    assert chapters <= linked


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('<span lang="zh">熵</span>', '<span lang="zh">entropy</span>', "entropy: no Chinese"),
        ('<span lang="zh">熵</span>', '<span lang="zh">奈特</span>', "奈特 stands 2 times"),
        ("**surprise**", "**nat**", "nat stands 2 times"),
        ("**surprise**", "**antimony**", "antimony is not used in kl-divergence.md"),
        ("**surprise**", "**惊异**", "惊异: not English"),
        (": The unit of information with natural", f": {'The unit ' * 20} natural", "nat: longer"),
        ("(../training/r-drop.md)", "(../training/r-drop-2.md)", "r-drop-2.md does not exist"),
    ],
)
def test_each_fault_is_found(old: str, new: str, message: str) -> None:
    assert old in GLOSSARY
    assert any(message in problem for problem in problems(terms(GLOSSARY.replace(old, new, 1))))


def test_every_symbol_has_its_name_in_both_languages() -> None:
    text = NOTATION
    entries = re.findall(r"^(.+)\n: (.+)", text, re.MULTILINE)
    assert len(entries) >= 40
    for head, meaning in entries:
        assert HAN.search("".join(re.findall(r'<span lang="zh">([^<]+)</span>', head))), head
        assert re.search(r"[A-Za-z]{3}", meaning), head
    symbols = Counter(symbol for head, _ in entries for symbol in re.findall(r"\$[^$]+\$", head.partition(" · ")[0]))
    assert {symbol for symbol, count in symbols.items() if count > 1} <= {
        "$s$",
        "$f$",
    }
    chapters = {page.name for part in ("foundations", "divergence") for page in (ROOT / "book" / part).glob("*.md")}
    assert chapters <= {Path(link).name for link in re.findall(r"\]\(([^)]+)\)", text)}


def test_half_an_entry_is_found() -> None:
    with pytest.raises(ValueError, match="surprise"):
        terms(GLOSSARY.replace("**surprise** ·", "**surprise**"))
