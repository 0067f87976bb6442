"""`python -m scalebridge`: the command `scalebridge` where its folder is not on the PATH."""

from __future__ import annotations

import sys

from scalebridge.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
