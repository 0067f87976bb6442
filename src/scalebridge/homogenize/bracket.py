"""The guaranteed bracket of conduction: potential energy above, divergence-free flux below.

Both hold for the voxel image as it is, whether or not the iterations converged: any potential gives an upper bound when
its energy is integrated exactly, any exactly divergence-free flux a lower one. What lies between is what the elements
miss on these voxels; what the voxels miss of the real geometry is another matter (resolution.py).
"""

from __future__ import annotations

import threading
from concurrent.futures import Future, ThreadPoolExecutor

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
from scalebridge.cell.scratch import ScratchFolder
from scalebridge.cell.streamed_bound import streamed_flux_bound
from scalebridge.core.heap import release_freed_memory
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


# Up to this many voxels the lower bound is computed beside the elements: most of its time is compilation, which uses
# one core. Larger images would need the memory of both at once.
BESIDE_UP_TO = 4_000_000


class _Cancelled(Exception):
    """The run that wanted the bound is over."""


class _Quiet(AbstractProgress):
    """Shows nothing, but stops the computation when asked to."""

    def __init__(self) -> None:
        self.stop = threading.Event()

    def update(self, stage: str, done: int | float, total: int | float, message: str = "") -> None:
        if self.stop.is_set():
            raise _Cancelled


class LowerBound:
    """The flux bound of a periodic cell, started early and collected late. Use as a context manager.

    tolerance: relative error of the effective value at which the finite-volume iteration may stop.
    """

    def __init__(self, phases: Phases, boundary: AbstractBoundary, tolerance: float) -> None:
        self.problem = volumes_problem(phases, boundary)
        self.method = MultigridConjugateGradients(rtol=None, value_rtol=tolerance)
        self.listener = _Quiet()
        self.pool: ThreadPoolExecutor | None = None
        self.future: Future[np.ndarray] | None = None

    def __enter__(self) -> LowerBound:
        if self.problem is not None and self.problem.index.size <= BESIDE_UP_TO:
            self.pool = ThreadPoolExecutor(1, "lower-bound")
            self.future = self.pool.submit(self._compute, self.listener)
        return self

    def __exit__(self, *_: object) -> None:
        self.listener.stop.set()
        if self.pool is not None:
            self.pool.shutdown(wait=True, cancel_futures=True)

    def _compute(self, progress: AbstractProgress) -> np.ndarray:
        assert self.problem is not None
        if self.problem.index.size > BESIDE_UP_TO:
            # The descent that tightens the bound needs the fluxes several times over: not on large images.
            found = streamed_flux_bound(self.problem, ScratchFolder(), progress)
            release_freed_memory()
            return np.asarray(found.lower)
        solution = solve_finite_volume(self.problem, self.method, progress)
        # The bound is off by the error of the solution anyway: a tenth of that may be lost in the divergence.
        tolerance = 0.1 * (self.method.value_rtol or 0.0)
        return np.asarray(flux_lower_bound(solution, 1, progress, max(tolerance, 1e-7)).lower)

    def bracket(self, upper: np.ndarray, progress: AbstractProgress) -> tuple[Bracket | None, list[str]]:
        """The bracket with `upper`, the exactly integrated energy matrix; waits for the bound if it is not ready."""
        if self.problem is None:
            return None, [
                "No guaranteed bracket: it needs conductivities aligned with the axes of the image."
            ]
        progress.update("bracket", 0, 0, "divergence-free fluxes for the lower bound")
        lower = self._compute(progress) if self.future is None else self.future.result()
        return Bracket(lower, np.asarray(upper)), []


def faces_bracket(
    solution: FiniteVolumeSolution, cell: SolvedCell | None, progress: AbstractProgress
) -> tuple[Bracket | None, list[str]]:
    """Bracket of the scalar between two faces; the upper bound needs the elements on the same voxels."""
    if cell is None:
        return None, ["No upper bound was computed for an image of this size: the bracket is left out."]
    bound = flux_lower_bound(solution, progress=progress)
    return Bracket(np.asarray(bound.lower).reshape(1, 1), np.asarray(cell.effective.value)), []
