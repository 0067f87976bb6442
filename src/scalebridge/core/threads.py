"""How many threads a process may use."""

from __future__ import annotations

import os


def thread_count() -> int:
    """OMP_NUM_THREADS where it is a number, as for numerical libraries, else all cores.

    Processes that share a machine, such as the workers of a study, are given their share that way.
    """
    given = os.environ.get("OMP_NUM_THREADS", "").split(",")[0].strip()
    if given.isascii() and given.isdigit() and int(given) > 0:
        return int(given)
    return os.cpu_count() or 1
