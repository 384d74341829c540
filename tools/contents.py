"""The list of chapters on the front page, made from _toc.yml and the chapters themselves.

    python tools/contents.py            # write it into book/index.md
    python tools/contents.py --check    # exit 1 where the front page has another

Each line has a chapter's title, its first heading, and its question, `question:` in its front matter. A chapter that is
new in _toc.yml is on the front page after the next run; a test compares the two.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[1]
INDEX = ROOT / "book" / "index.md"
BEGIN, END = "% the list of chapters: python tools/contents.py", "% the end of the list"
NO_CHAPTERS = "Reference"


def chapter(file: Path) -> tuple[str, str]:
    """Title and question of a chapter.

    Raises:
        ValueError: it asks none; the message names the file.
    """
    front, _, text = file.read_text("utf-8").removeprefix("---\n").partition("\n---\n")
    question = str((yaml.safe_load(front) or {}).get("question", ""))
    title = re.search(r"^# (.+)$", text, re.M)
    if title is None or not question.endswith("?"):
        raise ValueError(f'{file}: wanted a heading and, in the front matter, its question, as in question: "...?"')
    return title[1], question


def contents(root: Path = ROOT) -> str:
    """The list, one numbered line a chapter, numbers running through, under the name of each part."""
    lines, number = [], 0
    for part in yaml.safe_load((root / "_toc.yml").read_text("utf-8"))["parts"]:
        if part["caption"] == NO_CHAPTERS:
            continue
        lines += ["", f"**{part['caption']}**", ""]
        for entry in part["chapters"]:
            number += 1
            file = f"{entry['file']}.md"
            title, question = chapter(root / file)
            lines.append(f"{number}. [{title}]({Path(file).relative_to('book').as_posix()}). {question}")
    return "\n".join(lines).strip("\n")


def written(page: str, listed: str) -> str:
    """The page with this list between its two marks."""
    before, _, rest = page.partition(BEGIN)
    _, mark, after = rest.partition(END)
    if not mark:
        raise ValueError(f"the page must hold the lines {BEGIN!r} and {END!r}")
    return f"{before}{BEGIN}\n\n{listed}\n\n{END}{after}"


def main() -> int:
    """Write the list, or with --check compare it."""
    page = INDEX.read_text("utf-8")
    new = written(page, contents())
    if "--check" in sys.argv[1:]:
        return int(page != new)
    INDEX.write_text(new, "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
