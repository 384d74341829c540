"""Where things lie, and the digest of a set of files."""

import hashlib
from collections.abc import Iterable
from pathlib import Path

EXTENSION = Path(__file__).parent
STATIC = EXTENSION / "static"
BOOK = EXTENSION.parents[1]
ROOT = BOOK.parent
LIBRARY = ROOT / "gpkl_lib"


def digest(files: Iterable[Path]) -> str:
    """Return 16 hexadecimal digits that change when a file changes, comes, goes or is renamed."""
    total = hashlib.sha256()
    for path in sorted(files):
        content = path.read_bytes()
        total.update(f"{path.relative_to(ROOT).as_posix()}\0{len(content)}\0".encode())
        total.update(content)
    return total.hexdigest()[:16]
