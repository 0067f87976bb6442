"""What happened to a computation, as data."""

from __future__ import annotations

import enum


class Status(enum.StrEnum):
    """The outcome of a solve or of a whole run."""

    CONVERGED = "converged"
    ACCURACY_NOT_MET = "accuracy_not_met"
    MAX_STEPS = "max_steps"
    BREAKDOWN = "breakdown"

    @property
    def exit_code(self) -> int:
        return {Status.CONVERGED: 0, Status.ACCURACY_NOT_MET: 3}.get(self, 1)
