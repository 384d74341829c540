"""Where things lie, and the digest of files and texts."""

import hashlib
from collections.abc import Iterable
from pathlib import Path

EXTENSION = Path(__file__).parent
STATIC = EXTENSION / "static"
BOOK = EXTENSION.parents[1]
ROOT = BOOK.parent
LIBRARY = ROOT / "gpkl_lib"


def digest(files: Iterable[Path], *texts: str) -> str:
    """Return 16 hexadecimal digits that change when a file changes, comes, goes or is renamed, or a text changes."""
    total = hashlib.sha256()
    named = [(path.relative_to(ROOT).as_posix(), path.read_bytes()) for path in sorted(set(files))]
    for name, content in [*named, *(("", text.encode()) for text in texts)]:
        total.update(f"{name}\0{len(content)}\0".encode())
        total.update(content)
    return total.hexdigest()[:16]
