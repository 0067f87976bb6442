"""What one call of `homogenize` asks for, once everything about it was checked."""

from __future__ import annotations

import dataclasses
from typing import final

import numpy as np

from scalebridge.cell.boundary import AbstractBoundary
from scalebridge.cell.finite_volume import MultigridConjugateGradients
from scalebridge.cell.problem import PreconditionedConjugateGradients
from scalebridge.core.checkpoint import AbstractStore
from scalebridge.core.progress import AbstractProgress
from scalebridge.homogenize.budget import StatisticalError
from scalebridge.homogenize.phases import Phases
from scalebridge.homogenize.validity import Transport

# The share of the accuracy that the iteration may leave, and the loosest and the tightest energy it stops at.
ALGEBRAIC_SHARE = 0.03
LOOSEST_ENERGY, TIGHTEST_ENERGY = 2e-3, 1e-9


@final
@dataclasses.dataclass(frozen=True, eq=False)
class Request:
    """The phases, how they are loaded and compared, how exactly, what is known of them, who listens and remembers.

    transport: which directions are carried; sample: the statistical term, if sub-volumes were solved.
    """

    phases: Phases
    boundary: AbstractBoundary
    accuracy: float | None
    residual: float | None
    fields: bool
    conditions: tuple[AbstractBoundary, ...]
    transport: Transport
    sample: StatisticalError
    progress: AbstractProgress
    store: AbstractStore

    def energy(self, discretization: float) -> float:
        """The relative energy error to stop at: small beside what is wanted, or beside what the voxels allow anyway."""
        wanted = ALGEBRAIC_SHARE * max(self.accuracy or 0.0, discretization)
        return float(np.clip(wanted, TIGHTEST_ENERGY, LOOSEST_ENERGY))

    def method(self, discretization: float) -> PreconditionedConjugateGradients:
        """How the elements are solved, for a discretization error that is expected."""
        if self.residual is not None:
            return PreconditionedConjugateGradients(self.residual, None)
        return PreconditionedConjugateGradients(None, self.energy(discretization))

    def volumes_method(self, discretization: float) -> MultigridConjugateGradients:
        """How the finite volumes are solved, for a discretization error that is expected."""
        if self.residual is not None:
            return MultigridConjugateGradients(rtol=self.residual, value_rtol=None)
        return MultigridConjugateGradients(rtol=None, value_rtol=self.energy(discretization))
