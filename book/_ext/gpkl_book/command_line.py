"""The command line's own help as a page: ``.. command:: train`` shows what ``gpkl train --help`` says.

Paragraphs stay paragraphs, indented lines become a list of names or a listing, and each argument is an ``option`` of
Sphinx, which other pages link to as ``{option}`gpkl train --threshold```.
"""

import argparse
import re
from collections.abc import Iterator
from itertools import groupby

from docutils import nodes
from docutils.statemachine import StringList
from sphinx.util.docutils import SphinxDirective

from .freshness import depend

PROGRAM = "gpkl"
WORDS = re.compile(
    r"(?P<quoted>`[^`]+`)|(?P<json>\{\"|\[[\[{\"])|(?P<word>\"[\w-]+\")"
    r"|\bgpkl (?P<command>train|compare|predict|evaluate|convert)\b(?: (?P<its>--[a-z][a-z-]*))?"
    r"|(?<![\w-])(?P<option>--[a-z][a-z-]*)|(?P<sign>[*|\\]|(?<=\w)_(?!\w)|(?<=[a-z]):(?=//))"
)
Parsers = dict[str, argparse.ArgumentParser]


class Command(SphinxDirective):
    """The help of one command, or with no argument that of ``gpkl`` itself."""

    optional_arguments = 1

    def run(self) -> list[nodes.Node]:
        """Parse the help as reStructuredText, and remember what it is made from."""
        from gpkl_lib.cli.parser import parsers

        depend(self.env, "from gpkl_lib.cli.parser import parsers")
        main, commands = parsers()
        known = {parser.prog: parser for parser in (main, *commands)}
        lines = list(described(" ".join([PROGRAM, *self.arguments]), known))
        box = nodes.container()
        self.state.nested_parse(StringList(lines, source=self.get_source_info()[0]), self.content_offset, box)
        return box.children


def described(program: str, known: Parsers) -> Iterator[str]:
    """Yield the lines of a command's help: what it does, examples, each group of arguments."""
    parser = known[program]
    yield from (f".. program:: {program}", "", ".. code-block:: text", "", f"   {usage(parser)}", "")
    for block in blocks(parser.description or ""):
        yield from listed(block, program, known)
    for block in blocks(parser.epilog or ""):
        yield from listed(block, program, known, code=True)
    for group in parser._action_groups:
        shown = [action for action in group._group_actions if "--help" not in action.option_strings]
        if shown and not isinstance(shown[0], argparse._SubParsersAction):
            title = (group.title or "").removeprefix("positional ").capitalize()
            yield from (f".. rubric:: {title}", "")
            for action in shown:
                yield from option(action, parser, known)


def usage(parser: argparse.ArgumentParser) -> str:
    """Return how the command is typed, its options in one word."""
    places = [str(action.metavar or action.dest) for action in parser._actions if not action.option_strings]
    return " ".join([parser.prog, *places, "[options]"])


def option(action: argparse.Action, parser: argparse.ArgumentParser, known: Parsers) -> Iterator[str]:
    """Yield the entry of an argument: its names and values, what it means, its default."""
    formatter = parser._get_formatter()
    values = formatter._format_args(action, action.dest.upper()) if action.nargs != 0 else ""
    names = action.option_strings or [str(action.metavar)]
    yield f".. option:: {', '.join(f'{name} {values}'.strip() if action.option_strings else name for name in names)}"
    yield ""
    said = formatter._expand_help(action) if action.help else ""
    yield from (f"   {marked(said, parser.prog, known)}", "")


def blocks(text: str) -> Iterator[list[str]]:
    """Yield the paragraphs of a text, and apart from them the indented lines below one."""
    for empty, lines in groupby(text.splitlines(), key=lambda line: not line.strip()):
        if not empty:
            for _, block in groupby(lines, key=lambda line: line.startswith("  ")):
                yield list(block)


def listed(lines: list[str], program: str, known: Parsers, *, code: bool = False) -> Iterator[str]:
    """Yield a block: a paragraph, a list where each indented line begins with a name and a gap, or else a listing."""
    if not lines[0].startswith("  "):
        text = " ".join(lines)
        yield from (marked(text if text.startswith(PROGRAM) else text[0].upper() + text[1:], program, known), "")
        return
    items: list[str] = []
    for line in lines:
        if line.startswith("   ") and items:
            items[-1] += " " + line.strip()
        else:
            items.append(line.strip())
    pairs = [re.split(r" {2,}", item, maxsplit=1) for item in items]
    if code or any(len(pair) < 2 for pair in pairs):
        yield from (".. code-block:: text", "", *(f"   {line[2:]}" for line in lines), "")
        return
    for name, text in pairs:
        yield from (f"``{name}``", f"   {marked(text, program, known)}", "")


def marked(text: str, program: str, known: Parsers) -> str:
    """Return a text of the help with its commands and arguments as links, and every other sign as itself."""

    def role(command: str, flag: str) -> str:
        has = flag in known[command]._option_string_actions and flag != "--help"
        return f":option:`{flag if command == program else f'{command} {flag}'}`" if has else f"``{flag}``"

    def replaced(match: re.Match[str]) -> str:
        if match["quoted"]:
            return f"`{match['quoted']}`"
        if match["word"]:
            return f"``{match[0]}``"
        if match["sign"]:
            return f"\\{match[0]}"
        if match["option"]:
            return role(program, match["option"])
        command = f"{PROGRAM} {match['command']}"
        if match["its"] in (None, "--help"):
            return f":ref:`{command} <{PROGRAM}-{match['command']}>`"
        return role(command, match["its"])

    done, at = "", 0
    for match in WORDS.finditer(text):
        if match.start() >= at:
            end = _closed(text, match.start()) if match["json"] else match.end()
            done += text[at : match.start()] + (
                f"``{text[match.start() : end]}``" if match["json"] else replaced(match)
            )
            at = end
    return done + text[at:]


def _closed(text: str, start: int) -> int:
    """Return where the bracket that opens at `start` is closed, the end of the text if nowhere."""
    depth = 0
    for at in range(start, len(text)):
        depth += (text[at] in "[{") - (text[at] in "]}")
        if not depth:
            return at + 1
    return len(text)
