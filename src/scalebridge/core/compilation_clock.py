"""How long a run spent compiling, whoever asked for it: every compilation of the process reports itself."""

from __future__ import annotations

import threading
import time
from typing import Any

COMPILING = "/jax/core/compile/"

_lock = threading.Lock()
_clocks: list[CompilationClock] = []
_listening = False


class CompilationClock:
    """Wall-clock seconds between entering and leaving during which something was being compiled.

    Tracing, lowering and compiling count; what overlaps (one function traced inside another, two threads) counts once.
    """

    def __init__(self) -> None:
        self._intervals: list[tuple[float, float]] = []

    def __enter__(self) -> CompilationClock:
        _listen()
        with _lock:
            _clocks.append(self)
        return self

    def __exit__(self, *_: object) -> None:
        with _lock:
            _clocks.remove(self)

    def add(self, begin: float, end: float) -> None:
        """One compilation, in seconds of `time.perf_counter`."""
        self._intervals.append((begin, end))

    @property
    def seconds(self) -> float:
        """Length of the union of all compilations so far."""
        total, covered = 0.0, float("-inf")
        for begin, end in sorted(self._intervals):
            if end > covered:
                total += end - max(begin, covered)
                covered = end
        return total


def _listen() -> None:
    """Ask for the events once per process: listeners cannot be taken back."""
    global _listening
    with _lock:
        if _listening:
            return
        _listening = True
    from jax import monitoring

    monitoring.register_event_duration_secs_listener(_heard)


def _heard(event: str, duration_secs: float, **_: Any) -> None:
    if not event.startswith(COMPILING):
        return
    end = time.perf_counter()
    with _lock:
        for clock in _clocks:
            clock.add(end - duration_secs, end)
