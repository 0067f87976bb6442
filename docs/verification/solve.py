"""Cells solved tightly, without a budget: what the verification compares with exact and published values."""

from __future__ import annotations

import dataclasses

import numpy as np

from scalebridge.cell.boundary import AbstractBoundary, Periodic
from scalebridge.cell.modes import Element
from scalebridge.cell.moments import moments_of
from scalebridge.cell.problem import CellProblem, PreconditionedConjugateGradients
from scalebridge.cell.solve import solve_cell
from scalebridge.core.status import Status
from scalebridge.grid import PhaseImage, VoxelGrid
from scalebridge.homogenize.effective import effective_tensor


@dataclasses.dataclass(frozen=True, eq=False)
class Solved:
    """value: the effective tensor (all loads), or rows of mean fluxes with the energies on the diagonal (some)."""

    value: np.ndarray
    iterations: int
    phase_drive: np.ndarray | None = None  # (P, L, m): <1_p e> under each load


def image_of(labels: np.ndarray) -> PhaseImage:
    """Labels as an image of unknown spacing."""
    return PhaseImage(labels, VoxelGrid(labels.shape))


def conductivities(*values: float, ndim: int = 3) -> np.ndarray:
    """Isotropic phase matrices (P, d, d)."""
    return np.asarray(values, float)[:, None, None] * np.eye(ndim)


def solve_tensor(
    index: np.ndarray,
    matrices: np.ndarray,
    *,
    boundary: AbstractBoundary | None = None,
    element: Element = Element.FULL,
    residual: float = 1e-8,
    loads: list[int] | None = None,
) -> Solved:
    """The effective tensor; with `loads` only these rows: (L, m), mean flux of each unit load.

    Fails when: the iteration does not converge (RuntimeError): a verification must not go on with such numbers.
    """
    boundary = boundary or Periodic()
    problem = CellProblem(
        VoxelGrid(index.shape), index, matrices, matrices.shape[-1] != index.ndim, boundary, element
    )
    unit = problem.loads() if loads is None else problem.loads()[loads]
    solution = solve_cell(problem, PreconditionedConjugateGradients(residual), loads=unit)
    if solution.status is not Status.CONVERGED:
        raise RuntimeError(f"The cell did not converge: {solution.status}, residual {solution.residual:.1e}.")
    moments = moments_of(solution)
    if loads is None:
        value = effective_tensor(moments, solution.loads, boundary.prescribes_flux).value
    else:
        value = moments.flux
    return Solved(value, max(solution.iterations), moments.phase_drive)


def extrapolate(sizes: list[int], values: list[float]) -> tuple[float, float | None]:
    """(limit, order) of three values on grids that double: v = limit + c n^-order (Aitken); first order where the
    observed order is out of (0.2, 2.5)."""
    a, b, c = values[-3:]
    ratio = (b - a) / (c - b) if c != b else 0.0
    order = float(np.log2(ratio)) if ratio > 0 else None
    if order is None or not 0.2 < order < 2.5:
        return 2 * c - b, None
    return c + (c - b) / (ratio - 1), order


def line_fit(sizes: list[int], values: list[float]) -> float:
    """Least-squares limit of v = limit + c / n: averages out how well each grid happens to hit the volume."""
    n = np.asarray(sizes, float)
    matrix = np.stack([np.ones_like(n), 1 / n], axis=1) * np.sqrt(n)[:, None]
    return float(np.linalg.lstsq(matrix, np.asarray(values) * np.sqrt(n), rcond=None)[0][0])
