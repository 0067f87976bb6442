"""Problem, method and solution of a nonlinear cell."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import jax
import numpy as np

from scalebridge.cell.boundary import AbstractBoundary, Periodic
from scalebridge.cell.nonlinear.elements import Integration, VoxelElements
from scalebridge.cell.operator import normalized_spacing
from scalebridge.core.errors import InputError, LawError
from scalebridge.core.status import Status
from scalebridge.grid import VoxelGrid
from scalebridge.material.kinematics import Kinematics
from scalebridge.material.laws.point import AbstractPointLaw
from scalebridge.numerics.conjugate_gradients import Vector


@dataclasses.dataclass(frozen=True, eq=False)
class NonlinearCell:
    """One or several voxel cells of the same grid, with a law per label (None: a void).

    Shapes: labels (*shape), or (B, *shape) for B microstructures. Fails when: laws differ in their kinematics
    (LawError), the labels do not fit the grid, or the integration does not fit the boundary (InputError).
    """

    grid: VoxelGrid
    labels: np.ndarray
    laws: Mapping[int, AbstractPointLaw | None]
    boundary: AbstractBoundary = dataclasses.field(default_factory=Periodic)
    integration: Integration | None = None

    def __post_init__(self) -> None:
        if self.labels.shape[-self.grid.ndim :] != self.grid.shape or self.labels.ndim > self.grid.ndim + 1:
            raise InputError(
                f"The labels have shape {self.labels.shape}, the grid {self.grid.shape}: expected that of the "
                "grid, or one more axis in front for several cells."
            )
        _ = self.elements  # refuses what does not fit together

    @property
    def kinematics(self) -> Kinematics:
        """What all laws of the cell are driven by."""
        found = {law.kinematics for law in self.laws.values() if law is not None}
        if len(found) != 1:
            names = sorted(k.name for k in found)
            raise LawError(
                f"The laws of one cell must share their kinematics, got {names or 'no law at all (voids only)'}."
            )
        return found.pop()

    @property
    def elements(self) -> VoxelElements:
        """The elements: as asked for, or one point on periodic cells and what does not lock on boxes."""
        kinematics, periodic = self.kinematics, self.boundary.periodic
        integration = self.integration
        if integration is None:
            if periodic:
                integration = Integration.ONE_POINT
            elif kinematics.vector:
                integration = Integration.MEAN_DILATATION
            else:
                integration = Integration.EIGHT_POINTS
        return VoxelElements(
            self.grid.shape, normalized_spacing(self.grid.cell_size), kinematics, integration, periodic
        )


@dataclasses.dataclass(frozen=True)
class NewtonKrylov:
    """How to find equilibrium. tolerance: relative out-of-balance stress, sqrt(r.K_ref^-1 r / V <s : C_ref^-1 : s>),
    which bounds the gap in the Hill-Mandel identity relative to the work.

    steps: Newton iterations before an increment counts as failed; krylov: of the linear solver within one.
    forcing: the loosest relative residual of a linear solve. memory: bytes for all cells of a batch at once.
    """

    tolerance: float = 1e-9
    steps: int = 25
    krylov: int = 1000
    forcing: float = 0.02
    memory: float = 4e9

    def __post_init__(self) -> None:
        if not 0 < self.tolerance < 1:
            raise InputError(f"The tolerance must lie between 0 and 1, got {self.tolerance!r}.")
        if not 0 < self.forcing < 1:
            raise InputError(f"The forcing term must lie between 0 and 1, got {self.forcing!r}.")
        if self.steps < 1 or self.krylov < 1:
            raise InputError("Newton and Krylov steps must be at least 1.")


@dataclasses.dataclass(frozen=True, eq=False)
class Equilibrium:
    """Cells in balance under their macroscopic drives. All arrays have the cells first.

    w: c x (B, *nodes), fluctuation in units of the mean voxel edge; drive, flux (B, m): macroscopic means; state: of
    the points; stored (B,): free energy per volume; dissipated (B,): within the increment; residuals (Newton, B);
    krylov (Newton, B); status per cell; reason: in words where a cell failed. tangent: entries on padded voxels at the
    solution, divided by `scale`.
    """

    w: Vector
    drive: np.ndarray
    flux: np.ndarray
    state: tuple[Any, ...]
    stored: np.ndarray
    dissipated: np.ndarray
    residuals: np.ndarray
    krylov: np.ndarray
    status: tuple[Status, ...]
    reason: tuple[str, ...]
    point_flux: jax.Array
    tangent: jax.Array

    @property
    def converged(self) -> bool:
        return all(s is Status.CONVERGED for s in self.status)
