"""Memory that is asked for again and again, kept by the process instead of handed back and forth.

Every pass over the points of a cell makes arrays of tens of megabytes. glibc asks the kernel for each of them afresh,
and the kernel clears page by page what the process has just given up: a third of the time of such a pass.
"""

from __future__ import annotations

import ctypes
import sys

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3


def keep_memory(largest: int = 1 << 28, kept: int = 1 << 30) -> bool:
    """Arrays of up to `largest` bytes are taken from memory that was used before, and up to `kept` bytes of that are
    not handed back. A setting of the whole process: for programs, not for libraries. False where there is no glibc.
    """
    if not sys.platform.startswith("linux"):
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):  # another C library
        return False
    return bool(mallopt(M_MMAP_THRESHOLD, largest)) and bool(mallopt(M_TRIM_THRESHOLD, kept))
