"""Docstrings as the reference shows them: what is plain text in an editor becomes code, numbers of equations and links.

The library's docstrings name things in single backticks, equations by their label, such as eq-rdrop, and chapters by
their title in quotation marks. Each becomes a link where there is something to link to; every other sign stands for
itself, so that ``(*rows, *classes)`` is no emphasis.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

INLINE = re.compile(
    r'\bchapter\s+"(?P<title>[^"]+)"'
    r"|``(?P<literal>[^`]+)``|`(?P<code>[^`]+)`"
    r'|(?P<value>(?<![\w=])(?:\w+=)?"[a-z][\w-]*"(?!\w))'  # reduction="none"
    r"|(?P<flag>(?<![\w-])--[a-z][\w-]*)"  # typography would make a dash of it
    r"|\b(?P<equation>eq-[a-z0-9]+(?:-[a-z0-9]+)*)"
    r"|(?P<sign>[*|\\]|(?<=\w)_(?!\w)|(?<=[a-z]):(?=[a-z/])(?<!https:)(?<!http:))"  # file:line is no address
)
BEFORE, AFTER = "\n ([{<-/:'\"", "\n )]}>-/:.,;!?'\""  # what may stand beside markup without an escaped space
SECTION = re.compile(r"([A-Z][a-z]+):")
SHARED = re.compile(r"( +)(\w+(?:, \w+)+): .*")


@dataclass
class Links:
    """What a docstring's words lead to.

    Attributes:
        name: the full name of what stands in backticks, None where the reference does not have it.
        pages: of the chapters, by title.
        titles: of the chapter of each equation, by label.
    """

    name: Callable[[str], str | None]
    pages: Mapping[str, str]
    titles: Mapping[str, str]


def restructured(lines: list[str], links: Links) -> list[str]:
    """Return a docstring's lines as reStructuredText, its sections still in Google's style.

    Raises:
        KeyError: a chapter or an equation that the book does not have.
    """
    done: list[str] = []
    text: list[str] = []
    whole, example = "\n".join(lines), False

    def close() -> None:
        if text:
            done.extend(_prose("\n".join(text), whole, links).split("\n"))
            text.clear()

    for line in _one_name_a_line(lines):
        example = line.lstrip().startswith(">>>") or (example and bool(line.strip()))
        if example:
            close()
            done.append(line)
        else:
            text.append(line)
    close()
    return done


def _one_name_a_line(lines: list[str]) -> list[str]:
    """Return the lines with "a, b: text" of attributes told of each, and no type read into what is returned."""
    done: list[str] = []
    section, at = "", 0
    while at < len(lines):
        line = lines[at]
        at += 1
        if line and not line.startswith(" "):
            named = SECTION.fullmatch(line.strip())
            section = named[1] if named else ""
            done.append(line)
            if section == "Returns" and at < len(lines) and ": " in lines[at]:
                done.append(re.sub(r"^( +)", r"\1:", lines[at]))  # what stands before a colon would be taken for a type
                at += 1
            continue
        shared = SHARED.fullmatch(line) if section == "Attributes" else None
        if not shared:
            done.append(line)
            continue
        indent, names = shared[1], shared[2]
        rest = [line[len(indent) + len(names) :]]
        while at < len(lines) and lines[at].startswith(indent + " "):
            rest.append(lines[at])
            at += 1
        for name in names.split(", "):
            done += [f"{indent}{name}{rest[0]}", *rest[1:]]
    return done


def _prose(text: str, docstring: str, links: Links) -> str:
    """Replace what stands in backticks, labels and titles; escape what would be markup."""

    def replaced(match: re.Match[str]) -> str:
        kind = match.lastgroup
        if kind == "sign":
            return f"\\{match[0]}"
        if kind == "title":
            title = " ".join(match["title"].split())
            return f"chapter :doc:`/{_of_the_book(links.pages, title)}`"
        if kind == "equation":
            title = _of_the_book(links.titles, match[0])
            place = "" if f'"{title}"' in " ".join(docstring.split()) else f" of :doc:`/{links.pages[title]}`"
            return f":eq:`{match[0]}`{place}"
        word = match[kind or 0]
        target = links.name(word) if kind == "code" else None
        marked = f":py:obj:`{word} <{target}>`" if target else f"``{word}``"
        before, after = text[match.start() - 1 : match.start()], text[match.end() : match.end() + 1]
        return ("" if before in BEFORE else "\\ ") + marked + ("" if after in AFTER else "\\ ")

    return re.sub(r"^Source: ", "**Source:** ", INLINE.sub(replaced, text), flags=re.M)


def _of_the_book(places: Mapping[str, str], name: str) -> str:
    if name not in places:
        raise KeyError(f"a docstring names {name!r}, which the book does not have")
    return places[name]
