"""Memory that was freed but is still held by the process, given back to the system.

The C library keeps freed blocks of up to some megabytes for reuse: the slabs, coarse images and compilations of one
phase of a computation then count beside the large arrays of the next.
"""

from __future__ import annotations

import ctypes
import functools
import sys
from collections.abc import Callable


@functools.cache
def _trim() -> Callable[[int], int] | None:
    if not sys.platform.startswith("linux"):
        return None
    try:
        function = ctypes.CDLL(None).malloc_trim
    except (OSError, AttributeError):  # not the GNU C library
        return None
    function.argtypes, function.restype = [ctypes.c_size_t], ctypes.c_int
    return function


def release_freed_memory() -> None:
    """Give freed memory back (GNU C library; elsewhere nothing happens). Takes milliseconds."""
    trim = _trim()
    if trim is not None:
        trim(0)
