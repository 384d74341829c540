"""Build sdist and wheel into dist/, and look at them as a stranger would.

Their metadata must be what an index shows without a warning; the wheel must answer in an environment of its own; and
tests of the unpacked sdist must pass from there, against its own files.
"""

import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
DIST = ROOT / "dist"
HOSTS = re.compile(r"\.(github/|editorconfig|pre-commit)")  # what is for the repository alone
TESTED = [  # of each kind one: the package as a whole, mathematics, files, training, the command, README
    "tests/test_package.py",
    "tests/test_divergence.py",
    "tests/test_readme.py",
    "tests/test_spans.py",
    "tests/corpora/test_reading.py",
    "tests/training/test_loop.py",
    "tests/cli/test_help.py",
    "tests/chapters/test_records.py",
]


def run(*command: str, cwd: Path = ROOT, **variables: str) -> None:
    """Run it; its failure ends this."""
    print("+", *command, flush=True)
    subprocess.run(command, cwd=cwd, check=True, env=os.environ | variables)


def main() -> int:
    """Build and look."""
    shutil.rmtree(DIST, ignore_errors=True)
    run(sys.executable, "-m", "build", "--outdir", str(DIST))
    built = sorted(map(str, DIST.iterdir()))
    run(sys.executable, "-m", "twine", "check", "--strict", *built)
    (sdist,), (wheel,) = DIST.glob("*.tar.gz"), DIST.glob("*.whl")
    with tempfile.TemporaryDirectory() as folder:
        with tarfile.open(sdist) as archive:
            archive.extractall(folder, filter="data")
        (unpacked,) = Path(folder).iterdir()
        tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, check=True, capture_output=True, text=True).stdout
        missing = [name for name in tracked.splitlines() if not (unpacked / name).exists() and not HOSTS.match(name)]
        if missing:
            sys.exit(f"MANIFEST.in leaves out {missing}")
        here = "not slow and not browser and not pretrained"
        program = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-m", here]
        run(*program, *TESTED, cwd=unpacked, PYTHONPATH=str(unpacked))
        empty = Path(folder) / "empty"
        venv.create(empty, with_pip=True)
        python = str(empty / ("Scripts/python.exe" if os.name == "nt" else "bin/python"))
        run(python, "-m", "pip", "install", "--quiet", "--no-deps", str(wheel))
        run(python, "-m", "gpkl_lib", "--help", cwd=Path(folder))  # which needs nothing but the wheel
    print(*(f"{Path(path).name}  {Path(path).stat().st_size / 1e6:.1f} MB" for path in built), sep="\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
