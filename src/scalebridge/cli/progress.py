"""Showing progress on stderr: a live bar on a terminal, plain lines in a log, nothing otherwise."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import Any, final

from scalebridge.core.progress import AbstractProgress, SilentProgress


@final
class LiveProgress(AbstractProgress):
    """One bar per stage, redrawn in place (rich)."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

        self._bars: Any = Progress(
            TextColumn("{task.description:<22}"),
            BarColumn(bar_width=30),
            TimeElapsedColumn(),
            TextColumn("{task.fields[message]}", style="dim"),
            console=Console(stderr=True),
        )
        self._tasks: dict[str, Any] = {}
        self._bars.start()

    def update(self, stage: str, done: int | float, total: int | float, message: str = "") -> None:
        # A bar that pulses until the end says "unknown" better than one that jumps to full.
        known = total if total > 0 else None
        if stage not in self._tasks:
            for earlier in self._tasks.values():
                self._bars.stop_task(earlier)
            self._tasks[stage] = self._bars.add_task(stage, total=known, message=message)
        self._bars.update(self._tasks[stage], completed=done, total=known, message=message)

    def close(self) -> None:
        self._bars.stop()


@final
class LineProgress(AbstractProgress):
    """A line when a stage begins, and again at most every `seconds` while it goes on."""

    def __init__(self, seconds: float = 2.0) -> None:
        self._seconds = seconds
        self._start = time.perf_counter()
        self._stage = ""
        self._last = 0.0

    def update(self, stage: str, done: int | float, total: int | float, message: str = "") -> None:
        now = time.perf_counter() - self._start
        if stage == self._stage and now - self._last < self._seconds:
            return
        self._stage, self._last = stage, now
        share = f" {min(1.0, done / total):4.0%}" if total > 0 else ""
        print(
            f"[{now:6.1f} s] {stage}{share}{'  ' + message if message else ''}", file=sys.stderr, flush=True
        )


@final
class Progress:
    """Chooses the listener and closes it: `with Progress(style) as listener: ...`."""

    def __init__(self, style: str, *, quiet: bool = False) -> None:
        self._style = "none" if quiet else style
        self._live: LiveProgress | None = None

    def __enter__(self) -> AbstractProgress:
        if self._style == "lines":
            return LineProgress()
        if self._style == "auto" and sys.stderr.isatty():
            self._live = LiveProgress()
            return self._live
        return SilentProgress()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live is not None:
            self._live.close()
