"""Ctrl-C and SIGTERM: never lost, never a traceback, acted on where that is safe.

Raised in the middle of an import, KeyboardInterrupt can crash an extension module that is half built; raised in a
callback of the garbage collector or of compiled code, it is forgotten. So it waits for imports to end, and comes again
until somebody unwinds. Nothing is imported here that takes time: until this module is at work, Python itself answers.
"""

from __future__ import annotations

import contextlib
import signal
import sys
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any

AGAIN_SECONDS = 0.1
_IMPORTING = "<frozen importlib"


class Interruption:
    """What was asked for by signals since `interruptible` began."""

    def __init__(self) -> None:
        self.requested = False
        self._alarm: Any = None  # whose the timer was before this needed it

    def handle(self, number: int, frame: FrameType | None) -> None:
        """The handler of all signals that end a run."""
        self.requested = True
        comes_again = self._again()
        waits = _importing(frame) or (number != signal.SIGINT and _unwinding())
        if not (comes_again and waits):
            raise KeyboardInterrupt

    def _again(self) -> bool:
        """Lets the signal come again a moment later; False where the platform has no timer for it."""
        if not hasattr(signal, "setitimer"):
            return False
        earlier = signal.signal(signal.SIGALRM, self.handle)
        if self._alarm is None:
            self._alarm = earlier
        signal.setitimer(signal.ITIMER_REAL, AGAIN_SECONDS)
        return True

    def handle_unraisable(self, lost: Any, otherwise: Callable[[Any], Any]) -> None:
        """For `sys.unraisablehook`: an interruption comes again anyway, all else goes `otherwise`."""
        if not issubclass(lost.exc_type, KeyboardInterrupt):
            otherwise(lost)

    def settle(self) -> None:
        """From here on further signals change nothing: what remains is to say so and leave."""
        with contextlib.suppress(ValueError):  # not the main thread: no signal comes here
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            if self._alarm is not None:
                signal.setitimer(signal.ITIMER_REAL, 0.0)
                signal.signal(signal.SIGALRM, self._alarm)
                self._alarm = None


@contextlib.contextmanager
def interruptible(*, ends_process: bool) -> Iterator[Interruption]:
    """Both signals raise KeyboardInterrupt in the block, as soon as it can be acted on.

    ends_process: the process has nothing to do after the block, and a signal that comes as late as that is ignored.
    """
    interruption, earlier = Interruption(), {}
    hook = sys.unraisablehook
    try:
        # Batch systems end a job with SIGTERM: it leaves as resumable a folder as Ctrl-C does.
        for number in (signal.SIGINT, signal.SIGTERM):
            if signal.getsignal(number) is not signal.SIG_IGN:  # nohup, or a shell's background job
                earlier[number] = signal.signal(number, interruption.handle)
    except ValueError:  # only the main thread may do this; elsewhere it is not needed
        yield interruption
        return
    sys.unraisablehook = lambda lost: interruption.handle_unraisable(lost, hook)
    try:
        yield interruption
    finally:
        interruption.settle()
        if not ends_process:
            sys.unraisablehook = hook
            for number, handler in earlier.items():
                signal.signal(number, handler)


def _importing(frame: FrameType | None) -> bool:
    while frame is not None:
        if frame.f_code.co_filename.startswith(_IMPORTING):
            return True
        frame = frame.f_back
    return False


def _unwinding() -> bool:
    """Whether code runs that cleans up behind an interruption: a second one would leave it undone."""
    error = sys.exc_info()[1]
    while error is not None and not isinstance(error, KeyboardInterrupt):
        error = error.__context__
    return error is not None
