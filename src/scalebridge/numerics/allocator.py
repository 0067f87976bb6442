"""Memory that is asked for again and again, kept by the process instead of handed back and forth.

Every pass over the points of a cell makes arrays of up to gigabytes. glibc asks the kernel for each of them afresh,
and the kernel clears page by page what the process has just given up: half of the time of such a pass.
"""

from __future__ import annotations

import ctypes
import sys

M_TRIM_THRESHOLD, M_MMAP_MAX, M_ARENA_MAX = -1, -4, -8
NEVER = -1


def keep_memory() -> bool:
    """What was used and freed is used again, whatever its size and whichever thread asks, and not handed back.

    A setting of the whole process: for programs, not for libraries. False where there is no glibc.
    """
    if not sys.platform.startswith("linux"):
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):  # another C library
        return False
    # One heap for all threads: those of other threads end at 64 MB, and everything larger goes to the kernel again.
    return all([mallopt(M_MMAP_MAX, 0), mallopt(M_TRIM_THRESHOLD, NEVER), mallopt(M_ARENA_MAX, 1)])
