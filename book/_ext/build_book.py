"""Build the book as `make book` does: strictly, and only when something changed since the last build that succeeded.

Strict means that Sphinx's warnings are errors. A build that failed leaves no environment behind: with it, the next one
would find nothing out of date, repeat no warning, and pass.
"""

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

from filelock import FileLock

sys.path.insert(0, str(Path(__file__).parent))

from gpkl_book.paths import ROOT, digest

SITE = ROOT / "_build" / "html"
STATE = ROOT / "_build" / "built-from"
LOG = ROOT / "_build" / "build.log"
SETTINGS = ("GPKL_REPOSITORY_URL", "GPKL_BASE_URL")


def sources() -> list[Path]:
    """Return every file that the site is made from."""
    named = [ROOT / name for name in ("_config.yml", "_toc.yml", "requirements.txt", "constraints.txt")]
    found = [path for folder in ("book", "gpkl_lib") for path in (ROOT / folder).rglob("*") if path.is_file()]
    kept = [path for path in found if not {"__pycache__", ".ipynb_checkpoints"} & set(path.parts)]
    return [*(path for path in named if path.exists()), *kept]


def state() -> str:
    """Return what identifies the site that the present sources and settings give."""
    return " ".join([digest(sources()), *(f"{name}={os.environ.get(name, '')}" for name in SETTINGS)])


def is_current() -> bool:
    """Say whether the site was built from what lies here now."""
    return (SITE / "index.html").is_file() and STATE.is_file() and STATE.read_text("utf-8") == state()


def build(*, quiet: bool = False) -> float:
    """Build if needed and return the seconds it took.

    Raises:
        subprocess.CalledProcessError: the build failed; its output is in ``_build/build.log`` where it was not shown.
    """
    begin = time.monotonic()
    STATE.parent.mkdir(exist_ok=True)
    with FileLock(STATE.parent / ".lock"):  # one process at a time builds
        if is_current():
            return time.monotonic() - begin
        started_from = state()
        STATE.unlink(missing_ok=True)
        program = shutil.which("jupyter-book", path=str(Path(sys.executable).parent)) or "jupyter-book"
        command = [program, "build", str(ROOT), "-W", "--keep-going"]
        environment = os.environ | {"OMP_NUM_THREADS": "1"}  # the chapters' numbers, whatever the caller's threads
        with LOG.open("w") as log:
            streams = {"stdout": log, "stderr": subprocess.STDOUT} if quiet else {}
            done = subprocess.run(command, cwd=ROOT, env=environment, **streams)
        if done.returncode:
            shutil.rmtree(ROOT / "_build" / ".doctrees", ignore_errors=True)
            raise subprocess.CalledProcessError(done.returncode, command)
        STATE.write_text(started_from, "utf-8")
    return time.monotonic() - begin


def main() -> int:
    """Build, and say where to look."""
    try:
        seconds = build()
    except subprocess.CalledProcessError as error:
        print(
            f"\nThe book was not built (exit status {error.returncode}): each warning above is an error.",
            file=sys.stderr,
        )
        return 1
    print(f"\nThe book is built ({seconds:.0f} s). Open {SITE / 'index.html'}\nor run `make serve`.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
