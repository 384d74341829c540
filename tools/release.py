"""Print what the changelog says of a version, if the project is ready to be released as it.

    python tools/release.py v1.2.3

The tag, pyproject.toml, CITATION.cff and the newest entry of CHANGELOG.md name one version, and the last two its day.
"""

from __future__ import annotations

import re
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def notes(tag: str, root: Path = ROOT) -> str:
    """The newest entry of the changelog.

    Raises:
        ValueError: the tag is not the version, or a file names another version or day.
    """
    version = tomllib.loads((root / "pyproject.toml").read_text("utf-8"))["project"]["version"]
    newest = re.search(
        r"^## (\S+) \((\S+)\)\n(.*?)(?=^## |\Z)", (root / "CHANGELOG.md").read_text("utf-8"), re.M | re.S
    )
    if newest is None:
        raise ValueError('CHANGELOG.md: no entry such as "## 1.2.3 (2026-01-31)"')
    citation = dict(
        re.findall(r"^(version|date-released): *\"?([\w.-]+)", (root / "CITATION.cff").read_text("utf-8"), re.M)
    )
    named = {"the tag": tag.removeprefix("v"), "CHANGELOG.md": newest[1], "CITATION.cff": citation.get("version")}
    other = [f"{where} names {what}" for where, what in named.items() if what != version]
    if other:
        raise ValueError(f"pyproject.toml names version {version}, but {' and '.join(other)}")
    if not re.fullmatch(r"\d{4}-\d\d-\d\d", newest[2]) or citation.get("date-released") != newest[2]:
        day = citation.get("date-released")
        raise ValueError(f"the day of release: CHANGELOG.md says {newest[2]}, CITATION.cff date-released {day}")
    return newest[3].strip() + "\n"


if __name__ == "__main__":
    try:
        print(notes(sys.argv[1]), end="")
    except (IndexError, ValueError) as error:
        sys.exit(f"{error}" if isinstance(error, ValueError) else __doc__)
