"""Progress as an interface: solvers tell, whoever listens decides how to show it.

A listener that raises (KeyboardInterrupt included) stops the run at the next report: so runs are cancelled.
"""

from __future__ import annotations

import abc


class AbstractProgress(abc.ABC):
    """Listens to a run. `stage`: a short name for people; `done`, `total` in any unit (total 0: unknown)."""

    @abc.abstractmethod
    def update(self, stage: str, done: int | float, total: int | float, message: str = "") -> None: ...


class SilentProgress(AbstractProgress):
    """Hears everything, shows nothing."""

    def update(self, stage: str, done: int | float, total: int | float, message: str = "") -> None:
        return None
