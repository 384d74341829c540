"""The glossary: both languages for every term, no term twice, each used in the chapter that it names."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import pytest
from pages import ROOT, pages_of_toc

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


def test_every_term_is_whole_and_used_where_it_says() -> None:
    found = terms(GLOSSARY)
    assert 60 <= len(found) <= 130
    assert problems(found) == []


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
    text = (REFERENCE / "notation.md").read_text("utf8")
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
