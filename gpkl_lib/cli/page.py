"""Texts with spans over them as one HTML file: no script, no request, by keyboard, in light and in dark.

A span is a line below its words with its name at the first of them, as the explorables draw it; nested and crossing
ones stand below each other. Names, texts and types are data: nothing of them is markup.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from html import escape
from itertools import pairwise

from gpkl_lib.cli.said import UsageError
from gpkl_lib.corpora import visible
from gpkl_lib.palette import COLOURS, PALETTE, PALETTE_DARK
from gpkl_lib.spans import span_lines

WORD = re.compile(r"\S+\s*|\s+")
SPACE = re.compile(r"\s+")
CLOSING = re.compile(r"[^\w\s]+")
NAME, LETTER = 6.6, 7.0  # pixels a letter of a name and of the text is wide, about
CROWD = 30  # spans a word: so many lines below each other are read by no one, and the file grows with their square
STROKES = ("solid", "dashed", "dotted", "double")


@dataclass(frozen=True)
class Mark:
    """A span over the characters of a text.

    Attributes:
        start, end: its characters, end exclusive.
        name: what stands at its first word.
        key: the number of its entry in the page's keys, which gives colour and stroke and can be switched off.
        told: all about it, shown when it is pointed at or reached by the Tab key.
    """

    start: int
    end: int
    name: str
    key: int
    told: str


@dataclass(frozen=True)
class Key:
    """An entry of the list of what can be shown: its name, how often it occurs, its colour and its stroke."""

    name: str
    count: int
    colour: str
    stroke: str


def type_keys(counts: dict[str, int]) -> list[Key]:
    """A key for each type: colours in the palette's order, and another stroke when they begin again."""
    rounds = len(COLOURS)
    return [
        Key(name, count, COLOURS[n % rounds], STROKES[n // rounds % len(STROKES)])
        for n, (name, count) in enumerate(counts.items())
    ]


def page(
    title: str, told: str, keys: Sequence[Key], rows: Iterable[tuple[str, Sequence[Mark], bool]], *, quiet: str
) -> Iterator[str]:
    """The page, piece by piece.

    Args:
        title: its heading.
        told: HTML that stands before the texts.
        keys: what marks there are; each is a box that shows or hides them.
        rows: (text, marks, whether it is one of the quiet ones, which a box hides) of each.
        quiet: what these are, for the box.

    Raises:
        UsageError: a text with so many marks that no one could look at them.
    """
    name = escape(visible(title))
    yield (
        f'<!doctype html>\n<html lang="mul"><head><meta charset="utf-8"><title>{name}</title>\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n'
        f'<link rel="icon" href="data:,">\n<style>{style(keys)}</style></head>\n<body><main>\n<h1>{name}</h1>\n{told}\n'
    )
    if keys:
        yield "<fieldset><legend>shown below the words</legend>"
        for number, key in enumerate(keys):
            yield (
                f'<label class="key k{number}"><input type="checkbox" id="k{number}" checked> '
                f"<span>{escape(visible(key.name))}</span> {key.count:,}</label>"
            )
        yield f'<label class="key"><input type="checkbox" id="quiet" checked> {escape(quiet)}</label></fieldset>\n'
    yield "<ol>\n"
    for number, (text, marks, hushed) in enumerate(rows, 1):
        words = len(WORD.findall(text))
        if len(marks) > CROWD * max(words, CROWD):
            raise UsageError(
                f"text {number} has {len(marks):,} spans in {words:,} words, more than a page can show; a higher "
                "--threshold finds fewer, and a tagger that finds so many has hardly learnt"
            )
        yield f"<li{' class=quiet' if hushed else ''}>{''.join(_words(text, marks))}</li>\n"
    yield "</ol></main></body></html>\n"


def table(caption: str, head: Sequence[str], body: Iterable[Sequence[object]]) -> str:
    """An HTML table; the first cell of a row names it."""
    cells = "".join(f'<th scope="col">{escape(visible(each))}</th>' for each in head)
    lines = [
        f'<tr><th scope="row">{escape(visible(str(first)))}</th>'
        + "".join(f"<td>{escape(visible(str(cell)))}</td>" for cell in rest)
        + "</tr>"
        for first, *rest in body
    ]
    return (
        f'<div class="wide" tabindex="0" role="region" aria-label="{escape(visible(caption))}"><table>'
        f"<caption>{escape(visible(caption))}</caption><thead><tr>{cells}</tr></thead>"
        f"<tbody>{''.join(lines)}</tbody></table></div>"
    )


def _words(text: str, marks: Sequence[Mark]) -> Iterator[str]:
    """The text, each word of a span as a column with a lane for every line of spans below it."""
    lines = span_lines([("", mark.start, mark.end) for mark in marks])
    at = 0
    for start, end in _pieces(text, marks):
        yield escape(text[at:start])
        over = {lines[n]: mark for n, mark in enumerate(marks) if mark.start <= start < mark.end}
        lanes = (_lane(text, over.get(line), start, end) for line in range(max(over) + 1))
        cell = f'<span class="w"><span>{escape(text[start:end])}</span>{"".join(lanes)}</span>'
        closing = CLOSING.match(text, end)
        if closing and not any(mark.start < closing.end() and end < mark.end for mark in marks):
            yield f'<span class="n">{cell}{escape(closing[0])}</span>'  # no line begins with its comma
            at = closing.end()
        else:
            yield cell
            at = end
    yield escape(text[at:])


def _pieces(text: str, marks: Sequence[Mark]) -> list[tuple[int, int]]:
    """What is under at least one mark: its words, with the space behind them where a mark goes on over it."""
    cuts = {mark.start for mark in marks} | {match.start() for match in WORD.finditer(text)} | {len(text)}
    for mark in marks:
        space = SPACE.match(text, mark.end)
        cuts.add(space.end() if space and any(each.start < mark.end < each.end for each in marks) else mark.end)
    return [(a, b) for a, b in pairwise(sorted(cuts)) if any(mark.start <= a < mark.end for mark in marks)]


def _lane(text: str, mark: Mark | None, start: int, end: int) -> str:
    if mark is None:
        return '<span class="l"></span>'
    names = ["l", f"k{mark.key}"]
    if mark.end <= end:
        names.append("e" if mark.end == end else "e s")
    if start > mark.start:
        return f'<span class="{" ".join(names)}"></span>'
    room = len(mark.name) * NAME + 8 - (mark.end - end) * LETTER  # what the words that follow leave for the name
    wide = f' style="min-width:{room:.0f}px"' if room > (end - start) * LETTER else ""
    told = escape(visible(mark.told))
    return (
        f'<span class="{" ".join([*names, "f"])}"{wide} tabindex="0" role="note" aria-label="{told}" '
        f'data-told="{told}" data-name="{escape(visible(mark.name))}"></span>'
    )


def style(keys: Sequence[Key]) -> str:
    """The style sheet: the book's colours, a rule for each key."""
    light = "".join(f"--{name}:{colour};" for name, colour in PALETTE.items())
    dark = "".join(f"--{name}:{colour};" for name, colour in PALETTE_DARK.items())
    rules = [
        f".k{n}{{--tone:var(--{key.colour});--stroke:{key.stroke}}}"
        f"body:has(#k{n}:not(:checked)) li .k{n}{{visibility:hidden}}"
        for n, key in enumerate(keys)
    ]
    return (
        f":root{{{light}--paper:#fff}}@media (prefers-color-scheme:dark){{:root{{{dark}--paper:#14181f}}}}{STYLE}"
        + ("".join(rules))
    )


STYLE = """
*{box-sizing:border-box}
body{margin:0;background:var(--paper);color:var(--ink);font:1rem/1.5 system-ui,sans-serif}
main{max-width:56rem;margin:0 auto;padding:1rem 1rem 5rem}
h1{font-size:1.25rem;margin:.5rem 0;overflow-wrap:anywhere}
p{margin:.4rem 0}
fieldset{position:sticky;top:0;z-index:1;display:flex;flex-wrap:wrap;gap:.15rem .9rem;margin:1rem 0;
  padding:.3rem .8rem .5rem;border:1px solid var(--grey);border-radius:8px;background:var(--paper);
  max-height:40vh;overflow:auto}
legend{font-size:.875rem}
.key{white-space:nowrap;min-height:1.75rem;display:inline-flex;align-items:center;gap:.35rem;cursor:pointer}
.key>span{border-bottom:3px var(--stroke,none) var(--tone)}
input{width:1.1rem;height:1.1rem;margin:0;accent-color:var(--blue)}
ol{margin:0;padding-left:3.2rem}
li{margin:.35rem 0;white-space:pre-wrap;overflow-wrap:anywhere;min-height:1.5em}
li::marker{color:var(--grey);font-size:.8rem;font-variant-numeric:tabular-nums}
body:has(#quiet:not(:checked)) .quiet{display:none}
.n{white-space:nowrap}
.w{display:inline-flex;flex-direction:column;vertical-align:baseline;white-space:pre;max-width:100%}
.w>span:first-child{overflow-wrap:anywhere;white-space:pre-wrap}
.l{display:block;height:1.2rem;font-size:.75rem;line-height:1rem}
.l[class*=k]{border-top:3px var(--stroke) var(--tone)}
.l.e{margin-right:3px}
.l.s{margin-right:.6em}
.l.f::before{content:attr(data-name);color:var(--tone);white-space:nowrap;user-select:none}
.l:focus-visible,.wide:focus-visible{outline:2px solid var(--ink);outline-offset:1px;border-radius:2px}
.l.f:hover::after,.l.f:focus::after{content:attr(data-told);position:fixed;inset:auto 0 0 0;z-index:2;
  padding:.6rem 1rem;background:var(--ink);color:var(--paper);font-size:.9375rem;white-space:pre-wrap;
  overflow-wrap:anywhere}
.wide{overflow-x:auto;margin:.8rem 0}
table{border-collapse:collapse;font-size:.9rem;font-variant-numeric:tabular-nums}
caption{text-align:left;font-weight:600;padding:.2rem 0}
th,td{padding:.2rem .6rem;text-align:right;border-bottom:1px solid color-mix(in srgb,var(--ink) 18%,var(--paper))}
th:first-child{text-align:left}
thead th{font-weight:600;vertical-align:bottom}
tbody th{font-weight:400}
@media print{fieldset{position:static}.l.f::after{content:none}}
"""
