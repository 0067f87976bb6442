"""Problem, method, solution: the three values of a cell computation."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from scalebridge.cell.boundary import AbstractBoundary, OppositeFaces, Periodic
from scalebridge.cell.coefficients import PAIRS, CoefficientForm, Symmetry, symmetry_of
from scalebridge.cell.modes import Element
from scalebridge.cell.operator import Discretization, normalized_spacing
from scalebridge.cell.scratch import NodeField
from scalebridge.core.errors import InputError
from scalebridge.core.status import Status
from scalebridge.grid import VoxelGrid

if TYPE_CHECKING:
    from jaxtyping import Float


@dataclasses.dataclass(frozen=True, eq=False)
class CellProblem:
    """-div C (E + grad w) = 0 on a voxel image, with one constant matrix per phase (or per voxel).

    Shapes: index (*shape) phase numbers; matrices (P, m, m): conductivities d x d, or Mandel stiffnesses. `packed`
    (count, *shape), where given, holds the upper triangle per voxel and replaces index/matrices (oriented grains).
    Units: any consistent ones; the solution scales with them.
    """

    grid: VoxelGrid
    index: np.ndarray
    matrices: np.ndarray
    vector: bool
    boundary: AbstractBoundary = dataclasses.field(default_factory=Periodic)
    element: Element = Element.FULL
    packed: np.ndarray | None = None

    def __post_init__(self) -> None:
        m = len(PAIRS[self.grid.ndim]) if self.vector else self.grid.ndim
        if self.matrices.shape[1:] != (m, m):
            raise InputError(
                f"Phase matrices must be {m} x {m} for this problem, got {self.matrices.shape[1:]}."
            )
        if self.index.shape != self.grid.shape:
            raise InputError(f"The phase numbers have shape {self.index.shape}, the grid {self.grid.shape}.")
        if self.element is Element.REDUCED and not self.boundary.periodic:
            raise InputError(
                "Reduced integration is available for periodic cells only: on a box its hourglass modes are not "
                "controlled. Use Element.FULL."
            )

    @property
    def form(self) -> CoefficientForm:
        if self.packed is not None:
            return CoefficientForm(self.grid.ndim, self.vector, Symmetry.FULL)
        return CoefficientForm(
            self.grid.ndim, self.vector, symmetry_of(self.matrices, self.grid.ndim, self.vector)
        )

    @property
    def discretization(self) -> Discretization:
        spacing = normalized_spacing(self.grid.cell_size)
        return Discretization(self.grid.shape, spacing, self.form, self.element, self.boundary.periodic)

    def loads(self) -> Float[np.ndarray, "L m"]:
        """The unit macroscopic loads (L, m): all of them, or the one of a laboratory set-up."""
        unit = np.eye(self.form.size)
        if isinstance(self.boundary, OppositeFaces):
            return unit[self.boundary.axis][None]
        return unit


@dataclasses.dataclass(frozen=True)
class PreconditionedConjugateGradients:
    """How to solve: stop at a relative residual (in the norm of the preconditioner) or a relative energy error.

    residual: None leaves the decision to `energy`. energy: estimated relative error of the effective energy.
    max_steps: per load case; when it is reached the status says so.
    memory: bytes the batch of load cases may take; larger images solve their load cases one after the other.
    """

    residual: float | None = 1e-6
    energy: float | None = None
    max_steps: int = 2000
    memory: float = 2.5e8

    def __post_init__(self) -> None:
        for name, value in (("residual", self.residual), ("energy", self.energy)):
            if value is not None and not 0 < value < 1:
                raise InputError(f"The {name} tolerance must lie between 0 and 1, got {value!r}.")
        if self.residual is None and self.energy is None:
            raise InputError(
                "Give a residual or an energy tolerance: without either the iteration has no end."
            )


@dataclasses.dataclass(frozen=True, eq=False)
class CellSolution:
    """What happened. fluctuations[l] (c, *nodes) is w of load l, in units of the geometric-mean voxel edge.

    residual: largest relative residual; energy_error (L,): estimated relative error of each load's energy.
    history[l]: relative residual after each iteration.
    """

    problem: CellProblem
    loads: np.ndarray
    fluctuations: Sequence[NodeField]
    iterations: tuple[int, ...]
    residual: float
    energy_error: np.ndarray
    history: tuple[tuple[float, ...], ...]
    status: Status
    seconds: float
    compile_seconds: float


@dataclasses.dataclass(frozen=True, eq=False)
class LoadRecord:
    """One finished load case: w (c, *nodes), how long it took and how far it came."""

    fluctuation: NodeField
    iterations: int
    residual: float
    energy_error: float
    history: tuple[float, ...]
