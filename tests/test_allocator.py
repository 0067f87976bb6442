"""Memory kept by the process: what was used once is not cleared by the kernel again."""

from __future__ import annotations

import subprocess
import sys

import pytest

from scalebridge.numerics import allocator

PROGRAM = """
import ctypes, resource, sys, threading
from scalebridge.numerics.allocator import keep_memory

if sys.argv[1] == "keep":
    assert keep_memory()

library = ctypes.CDLL(None)
library.malloc.restype = ctypes.c_void_p

def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    def use():
        memory = ctypes.c_void_p(library.malloc(3 << 27))
        ctypes.memset(memory, 1, 3 << 27)
        library.free(memory)

    for _ in range(2):  # here and in another thread
        use()
        thread = threading.Thread(target=use)
        thread.start()
        thread.join()
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

faults()
print(faults())
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="a setting of glibc")
def test_used_memory_is_used_again() -> None:
    counts = {
        how: int(
            subprocess.run(
                [sys.executable, "-c", PROGRAM, how], capture_output=True, text=True, check=True
            ).stdout
        )
        for how in ("keep", "hand back")
    }
    assert counts["hand back"] > 1000
    assert counts["keep"] < counts["hand back"] / 20


def test_other_systems_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(allocator.sys, "platform", "darwin")
    assert not allocator.keep_memory()
