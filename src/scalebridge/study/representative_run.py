"""Running a representativity study: which cells are new, and how they are spread."""

from __future__ import annotations

import dataclasses
from typing import final

from scalebridge.core.content_store import ContentStore
from scalebridge.core.progress import AbstractProgress, SilentProgress
from scalebridge.homogenize.representative.ensemble import Workers
from scalebridge.homogenize.representative.study import (
    RepresentativityResult,
    SamplingMethod,
    representativity,
)
from scalebridge.study.representative_plan import RepresentativePlan

_SMALL = 40_000  # voxels: cells below are solved in less time than it takes to write them down one by one
_TOGETHER = 4


@final
@dataclasses.dataclass(frozen=True, eq=False)
class StudyOutcome:
    """hits: cells that the store held already; solved: the others."""

    result: RepresentativityResult
    hits: int
    solved: int


@final
class _Counting(AbstractProgress):
    """Passes everything on; remembers how many cells were known at the start."""

    def __init__(self, listener: AbstractProgress) -> None:
        self._listener = listener
        self.known: int | None = None

    def update(self, stage: str, done: int | float, total: int | float, message: str = "") -> None:
        if stage == "cells" and self.known is None:
            self.known = int(done)
        self._listener.update(stage, done, total, message)


def sampling_method(
    plan: RepresentativePlan, store: ContentStore | None = None, energy: float | None = None
) -> SamplingMethod:
    """energy: what earlier cells in the store were solved to; used again where it is fine enough."""
    choices = plan.choices
    method = SamplingMethod(plan.counts, choices.precision, choices.confidence, store=store)
    wanted = method.cell_energy
    voxels = plan.problem.sizes[-1] ** plan.problem.source.ndim
    # An interrupted study loses the chunks under way: small ones, unless cells are cheaper than keeping them.
    chunk = _TOGETHER if voxels <= _SMALL else 1
    return dataclasses.replace(
        method,
        energy=energy if energy is not None and energy <= wanted else wanted,
        workers=Workers(plan.workers, None, chunk),
    )


def run_study(
    plan: RepresentativePlan, method: SamplingMethod, progress: AbstractProgress | None = None
) -> StudyOutcome:
    """Fails as `representativity` does; what was solved until then is in the method's store."""
    listener = _Counting(progress or SilentProgress())
    result = representativity(plan.problem, method, listener)
    hits = listener.known or 0
    return StudyOutcome(result, hits, plan.cells - hits)
