"""Pack the built site into dist/site.zip: a folder whose index.html opens by a double click, with no server."""

import sys
import zipfile
from pathlib import Path

ROOT = Path(__file__).parents[2]
SITE = ROOT / "_build" / "html"
FOLDER = "kl-divergence-under-globalpointer"
MADE = (1980, 1, 1, 0, 0, 0)  # of every file: the archive is a function of the site


def pack(site: Path, archive: Path) -> None:
    """Write the archive, whole or not at all; what only the build reads stays behind."""
    archive.parent.mkdir(parents=True, exist_ok=True)
    partial = archive.with_name(archive.name + ".partial")
    with zipfile.ZipFile(partial, "w", zipfile.ZIP_DEFLATED) as packed:
        for path in sorted(site.rglob("*")):
            name = path.relative_to(site)
            if path.is_file() and name.parts[0] != "reports" and name.name != ".buildinfo":
                entry = zipfile.ZipInfo(f"{FOLDER}/{name.as_posix()}", MADE)
                packed.writestr(entry, path.read_bytes(), zipfile.ZIP_DEFLATED)
    partial.replace(archive)


def main() -> int:
    """Pack, and say where."""
    archive = ROOT / "dist" / "site.zip"
    pack(SITE, archive)
    size = archive.stat().st_size / 1e6
    print(f"{archive} ({size:.1f} MB): unpacked anywhere, {FOLDER}/index.html opens by a double click.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
