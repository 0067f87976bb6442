"""The guaranteed bracket of conduction: potential energy above, divergence-free flux below.

Both hold for the voxel image as it is, whether or not the iterations converged: any potential gives an upper bound when
its energy is integrated exactly, any exactly divergence-free flux a lower one. What lies between is what the elements
miss on these voxels; what the voxels miss of the real geometry is another matter (resolution.py).
"""

from __future__ import annotations

import numpy as np

from scalebridge.cell.boundary import AbstractBoundary
from scalebridge.cell.coefficients import Symmetry
from scalebridge.cell.finite_volume import (
    FiniteVolumeProblem,
    FiniteVolumeSolution,
    MultigridConjugateGradients,
    solve_finite_volume,
)
from scalebridge.cell.flux_bound import flux_lower_bound
from scalebridge.core.progress import AbstractProgress
from scalebridge.homogenize.cells import SolvedCell
from scalebridge.homogenize.phases import Phases
from scalebridge.homogenize.result import Bracket


def volumes_problem(phases: Phases, boundary: AbstractBoundary) -> FiniteVolumeProblem | None:
    """The finite-volume problem of these phases; None where a conductivity is not aligned with the axes."""
    if phases.vector or phases.orientations or phases.problem(boundary).form.symmetry is Symmetry.FULL:
        return None
    conductivity = np.stack([np.diag(m) for m in phases.matrices])
    return FiniteVolumeProblem(phases.image.index, conductivity, phases.image.grid.cell_size, boundary)


def guaranteed_bracket(
    phases: Phases,
    boundary: AbstractBoundary,
    upper: np.ndarray,
    tolerance: float,
    progress: AbstractProgress,
) -> tuple[Bracket | None, list[str]]:
    """Bracket of the whole tensor under periodic conditions; `upper` is the exactly integrated energy matrix.

    tolerance: relative error of the effective value at which the finite-volume iteration may stop.
    """
    problem = volumes_problem(phases, boundary)
    if problem is None:
        return None, ["No guaranteed bracket: it needs conductivities aligned with the axes of the image."]
    progress.update("bracket", 0, 0, "divergence-free fluxes for the lower bound")
    solution = solve_finite_volume(
        problem, MultigridConjugateGradients(rtol=None, value_rtol=tolerance), progress
    )
    bound = flux_lower_bound(solution, progress=progress)
    return Bracket(np.asarray(bound.lower), np.asarray(upper)), []


def faces_bracket(
    solution: FiniteVolumeSolution, cell: SolvedCell | None, progress: AbstractProgress
) -> tuple[Bracket | None, list[str]]:
    """Bracket of the scalar between two faces; the upper bound needs the elements on the same voxels."""
    if cell is None:
        return None, ["No upper bound was computed for an image of this size: the bracket is left out."]
    bound = flux_lower_bound(solution, progress=progress)
    return Bracket(np.asarray(bound.lower).reshape(1, 1), np.asarray(cell.effective.value)), []
