"""`python -m gpkl_lib` is `gpkl`."""

import sys

from gpkl_lib.cli import main

sys.exit(main())
