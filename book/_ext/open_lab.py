"""Open JupyterLab in the project: a double click on a chapter gives a notebook, formulas and boxes are drawn.

The settings lie in ``lab/`` beside this file, so that nothing is written to the user's own. Arguments are handed on.
"""

import os
import sys
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parents[1]


def main() -> None:
    """Become JupyterLab."""
    settings = [str(HERE / "lab"), os.environ.get("JUPYTER_CONFIG_PATH", "")]
    os.environ["JUPYTER_CONFIG_PATH"] = os.pathsep.join(filter(None, settings))
    command = [
        str(Path(sys.executable).parent / "jupyter"),
        "lab",
        f"--ServerApp.root_dir={ROOT}",
        "--LabApp.default_url=/lab/tree/book/index.md",
    ]
    if hasattr(os, "geteuid") and os.geteuid() == 0:  # in a container, where root is all there is
        command.append("--allow-root")
    os.execv(command[0], [*command, *sys.argv[1:]])


if __name__ == "__main__":
    main()
