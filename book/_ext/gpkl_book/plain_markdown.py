"""MyST Markdown to the Markdown that every notebook front end shows: no directives, no roles, formulas in dollars.

A downloaded chapter is opened in JupyterLab, Colab or VS Code, where ``{eq}`` and fences of ``{math}`` would stand as
they were typed. A directive or role without a plain form is reported, so that the strict build stops at it.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache

from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token
from myst_parser.config.main import MdParserConfig
from myst_parser.parsers.mdit import create_md_parser

# what `_config.yml` names in myst_enable_extensions
EXTENSIONS = {
    "amsmath",
    "attrs_block",
    "attrs_inline",
    "colon_fence",
    "deflist",
    "dollarmath",
    "substitution",
    "tasklist",
}
FENCES, UNSEEN = {"fence", "colon_fence"}, {"myst_target", "myst_line_comment", "myst_block_break"}
BLOCKS = FENCES | UNSEEN | {"math_block_label", "math_block", "amsmath", "code_block", "html_block"}
DIRECTIVE = re.compile(r"\{(?P<name>[\w:-]+)\}(?P<argument>.*)")
INLINE = re.compile(
    r"\{(?P<name>[a-zA-Z][\w:.-]*)\}`(?P<text>[^`]+)`"  # a role
    r"|(?P<code>(?P<ticks>`+)(?!`).+?(?<!`)(?P=ticks)(?!`))"  # a code span, which stays as it is
    r"|(?P<bare>\[)?\]\((?P<page>(?!\w+:)[^)\s#]*)\.md(?P<anchor>#[^)\s]*)?\)",  # a link to another page
    re.S,
)
OPTION = re.compile(r"^:([\w-]+):[ \t]*(.*)$")
TITLED = re.compile(r"^(?P<title>.*?)\s*<(?P<target>[^<>]+)>$", re.S)
NAMES_OF_CODE = {
    "func",
    "class",
    "meth",
    "mod",
    "attr",
    "data",
    "exc",
    "obj",
    "file",
    "code",
    "kbd",
    "py:func",
    "py:class",
    "py:meth",
}
BOXES = {
    "note": "Note",
    "tip": "Tip",
    "hint": "Hint",
    "warning": "Warning",
    "caution": "Caution",
    "important": "Important",
}
BOXES |= {"attention": "Attention", "danger": "Danger", "seealso": "See also", "margin": "", "sidebar": "", "topic": ""}
LEFT_OUT = {"tableofcontents", "toctree", "contents", "raw", "index", "bibliography"}


@dataclass
class References:
    """Texts of what roles refer to, and a list of what has no plain form."""

    equation: Callable[[str], str]
    citation: Callable[[str, bool], str]
    target: Callable[[str], str]
    page: Callable[[str], str]
    glued: Callable[[str], str | None]
    include: Callable[[str], str]
    problems: list[str] = field(default_factory=list)


def to_plain(text: str, references: References) -> str:
    """The Markdown of one cell without directives and roles.

    MyST's own parser says where its blocks are; what lies between them keeps its lines, with the roles replaced.
    """
    plain: list[str] = []
    lines, at = text.split("\n"), 0
    for token in _parser().parse(text):
        if token.type in BLOCKS and token.map:
            first, end = token.map
            plain += _prose("\n".join(lines[at:first]), references).split("\n") if at < first else []
            plain += _block(token, lines[first:end], references)
            at = end
    plain.append(_prose("\n".join(lines[at:]), references))
    return re.sub(r"\n{3,}", "\n\n", "\n".join(plain)).strip("\n")


@cache
def _parser() -> MarkdownIt:
    return create_md_parser(MdParserConfig(enable_extensions=EXTENSIONS), RendererHTML)


def _block(token: Token, lines: list[str], references: References) -> list[str]:
    """The lines of a block's plain form; `lines` are those that it stands on."""
    directive = DIRECTIVE.fullmatch(token.info.strip()) if token.type in FENCES else None
    if token.type in UNSEEN:
        return []
    if token.type == "math_block_label":
        shown = display(token.content, references.equation(token.info))
    elif directive:
        shown = _directive(directive["name"], directive["argument"].strip(), token.content.split("\n"), references)
    else:
        return lines
    before = lines[0].partition(token.markup)[0]  # in a list its mark and indent, in a quotation its ">"
    below = re.sub(r"[^>]", " ", before)
    first, *others = shown.split("\n")
    return [below.rstrip(), *(line.rstrip() for line in (before + first, *(below + x for x in others))), below.rstrip()]


def _options(lines: list[str]) -> tuple[dict[str, str], list[str]]:
    """Split a directive's options from its body."""
    options: dict[str, str] = {}
    if lines and lines[0].strip() == "---" and "---" in (line.strip() for line in lines[1:]):
        end = next(at for at, line in enumerate(lines) if at and line.strip() == "---")
        for line in lines[1:end]:
            key, _, value = line.partition(":")
            options[key.strip()] = value.strip().strip("'\"")
        return options, lines[end + 1 :]
    while lines and (option := OPTION.match(lines[0])):
        options[option[1]] = option[2].strip()
        lines = lines[1:]
    return options, lines


def _directive(name: str, argument: str, lines: list[str], references: References) -> str:
    options, body = _options(lines)
    text = "\n".join(body).strip("\n")
    if name == "math":
        return display(
            "\n".join(filter(None, [argument, text])),
            references.equation(options["label"]) if "label" in options else "",
        )
    if name == "admonition" or name in BOXES:
        title = argument if name in ("admonition", "sidebar", "topic") else BOXES[name]
        if name not in ("admonition", "sidebar", "topic") and argument:
            text = f"{argument}\n\n{text}"
        return _box(_prose(title, references), to_plain(text, references), "dropdown" in options.get("class", ""))
    if name == "dropdown":
        return _box(_prose(argument, references), to_plain(text, references), folded=True)
    if name in ("code-block", "code", "sourcecode"):
        return f"```{argument}\n{text}\n```"
    if name == "literalinclude":
        return f"```{options.get('language', 'python')}\n{references.include(argument)}\n```"
    if name in ("figure", "image"):
        return f"![{options.get('alt', '')}]({argument})" + (f"\n\n*{_prose(text, references)}*" if text else "")
    if name in ("table", "div", "container", "epigraph", "grid", "grid-item", "card", "tab-set", "tab-item"):
        heading = (
            f"**{_prose(argument, references)}**\n\n" if argument and name in ("table", "card", "tab-item") else ""
        )
        return heading + to_plain(text, references)
    if name == "list-table":
        return _table(argument, text, references)
    if name in LEFT_OUT:
        return ""
    references.problems.append(f"directive {{{name}}}")
    return to_plain(text, references)


def display(body: str, number: str) -> str:
    """A displayed formula, aligned and split where Sphinx would, numbered by hand."""
    body = re.sub(r"\n\s*\n", "\n", body.strip())
    environment = re.match(r"\\begin\{(align|gather|equation|multline|alignat|flalign)\*?\}", body)
    if "\\\\" in body and not re.match(r"\\begin\{", body):
        body = f"\\begin{{aligned}}\n{body}\n\\end{{aligned}}"
    tag = f" \\tag{{{number}}}" if number and not environment else ""
    return f"$$\n{body}{tag}\n$$"


def _box(title: str, text: str, folded: bool) -> str:
    if folded:
        return f"<details><summary>{title}</summary>\n\n{text}\n\n</details>"
    quoted = [f"**{title}**", ""] if title else []
    return "\n".join(f"> {line}".rstrip() for line in [*quoted, *text.split("\n")])


def _table(caption: str, text: str, references: References) -> str:
    """A list-table as a pipe table; its first row is the head."""
    rows: list[list[str]] = []
    for line in text.split("\n"):
        if re.match(r"[*-] [*-] ?", line):
            rows.append([line[4:].strip()])
        elif re.match(r"  [*-]( |$)", line) and rows:
            rows[-1].append(line[4:].strip())
        elif line.strip() and rows:
            rows[-1][-1] += f" {line.strip()}"
    if not rows:
        return ""
    shown = ["| " + " | ".join(_prose(cell, references) for cell in row) + " |" for row in rows]
    shown.insert(1, "|" + " --- |" * len(rows[0]))
    return (f"**{_prose(caption, references)}**\n\n" if caption else "") + "\n".join(shown)


def _prose(text: str, references: References) -> str:
    """Convert what stands inside lines (roles and links to pages), not in code spans."""
    if not text.strip():
        return text
    return INLINE.sub(lambda found: _inline(found, references), text)


def _inline(found: re.Match[str], references: References) -> str:
    if found["code"]:
        return found["code"]
    if found["name"]:
        return _role(found["name"], found["text"], references)
    address = references.page(found["page"]) + (found["anchor"] or "")
    return f"[{references.target(found['page'])}]({address})" if found["bare"] else f"]({address})"


def _role(name: str, text: str, references: References) -> str:
    titled = TITLED.match(text)
    title, target = (titled["title"], titled["target"]) if titled else ("", text)
    if name in ("eq", "math:numref"):
        return f"({references.equation(target)})"
    if name in ("cite", "cite:p", "cite:ps", "cite:alp"):
        return f"({'; '.join(references.citation(key.strip(), False) for key in text.split(','))})"
    if name in ("cite:t", "cite:ts", "cite:alt"):
        return ", ".join(references.citation(key.strip(), True) for key in text.split(","))
    if name in ("glue", "glue:text", "glue:md"):
        value = references.glued(text)
        if value is None:
            references.problems.append(f"the glued {text}")
        return text if value is None else value
    if name == "math":
        return f"${text}$"
    if name in ("ref", "doc", "numref", "term", "any", "std:ref", "std:doc", "myst"):
        return title or references.target(target)
    if name in ("download", "nb-download"):
        return title or target
    if name in NAMES_OF_CODE:
        return f"`{title or target}`"
    if name in ("sub", "sup", "kbd"):
        return f"<{name}>{text}</{name}>"
    if name == "abbr":
        return text
    references.problems.append(f"role {{{name}}}")
    return text
