"""The way back down: local fields in the microstructure under a macroscopic load."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from scalebridge.cell.boundary import OppositeFaces
from scalebridge.cell.finite_volume import FiniteVolumeSolution
from scalebridge.cell.moments import local_fields
from scalebridge.cell.problem import CellSolution
from scalebridge.cell.scratch import let_go_of_pages, mapped_array
from scalebridge.cell.volume_fields import volume_fields
from scalebridge.core.errors import InputError
from scalebridge.grid import Field, Location, VoxelGrid
from scalebridge.homogenize.naming import Names
from scalebridge.homogenize.phases import Phases
from scalebridge.homogenize.result import HomogenizationResult, LocalFields
from scalebridge.numerics.mandel import from_mandel

if TYPE_CHECKING:
    from jaxtyping import Float

# The fields of one load are always kept up to this many voxels, of all loads when asked for ...
ALWAYS_VOXELS = 20_000_000
# ... those of a load in scratch files where they have more bytes than this.
SPILL_BYTES = 1e8
COMPONENTS = {2: ("xx", "yy", "xy"), 3: ("xx", "yy", "zz", "yz", "xz", "xy")}


def unit_load_fields(
    phases: Phases, solution: CellSolution, mix: Float[np.ndarray, "L m"], names: Names, wanted: bool
) -> tuple[LocalFields, ...]:
    """Fields under unit mean gradients (strains): of the first load for pictures, of all when `wanted`."""
    if not len(solution.loads) or (not wanted and phases.image.grid.size > ALWAYS_VOXELS):
        return ()
    boundary = solution.problem.boundary
    ndim = phases.image.grid.ndim
    labels = COMPONENTS[ndim] if phases.vector else tuple("xyz"[:ndim])
    if isinstance(boundary, OppositeFaces):
        chosen = [(boundary.axis, np.ones(1))]
    else:
        chosen = [(n, mix[:, n]) for n in range(mix.shape[1]) if np.any(mix[:, n] != 0)]
    word = "strain" if phases.vector else "gradient"
    return tuple(
        _fields(
            solution,
            weights,
            f"unit {word} {'' if phases.vector else 'along '}{labels[n]}",
            names,
            phases.vector,
        )
        for n, weights in (chosen if wanted else chosen[:1])
    )


def between_faces_fields(
    phases: Phases, solution: FiniteVolumeSolution, names: Names, wanted: bool
) -> tuple[LocalFields, ...]:
    """Fields of the finite volumes between two faces: for images too large for the elements beside them."""
    grid = phases.image.grid
    if not solution.percolates[0] or (not wanted and grid.size > ALWAYS_VOXELS // 4):
        return ()
    potential, gradient, flux, energy = volume_fields(solution)
    load = f"unit gradient along {'xyz'[solution.axes[0]]}"
    return (_local_fields(load, names, grid, potential, gradient, flux, energy, False),)


def localize(result: HomogenizationResult, drive: np.ndarray) -> LocalFields:
    """Local fields under the macroscopic gradient or Mandel strain `drive` (m,), from the kept solution.

    Fails when: the result does not carry its solution any more, or `drive` has the wrong length (InputError).
    """
    solution, drive = result.solution, np.asarray(drive, float)
    if solution is None:
        raise InputError("This result does not carry its solution (it was read from a file): solve it again.")
    if isinstance(solution.problem.boundary, OppositeFaces):
        raise InputError("A laboratory set-up has one load; its fields are in result.fields.")
    if drive.shape != (solution.loads.shape[1],):
        raise InputError(
            f"The load must have {solution.loads.shape[1]} components (Mandel), got shape {drive.shape}."
        )
    weights = solution.loads @ drive
    if solution.problem.boundary.prescribes_flux:
        weights = solution.loads @ (result.value @ drive)
    vector = solution.problem.vector
    names = Names(
        result.physics, result.quantity, result.unit, "displacement" if vector else "potential",
        "strain" if vector else "gradient", "stress" if vector else "flux", {},
    )  # fmt: skip
    return _fields(solution, weights, f"load {np.array2string(drive, precision=4)}", names, vector)


def _fields(
    solution: CellSolution, weights: np.ndarray, load: str, names: Names, vector: bool
) -> LocalFields:
    problem = solution.problem
    grid = problem.grid
    components = 2 * solution.loads.shape[1] + 1 + (grid.ndim if vector else 1)
    allocate = mapped_array if 4.0 * components * grid.size > SPILL_BYTES else np.empty
    w, drive, flux, energy = local_fields(solution, weights, np.float32, allocate)
    let_go_of_pages(drive, flux, energy)
    total = _with_macro(problem.grid, solution, weights, w, vector, allocate)
    let_go_of_pages(total)
    return _local_fields(load, names, grid, total, drive, flux, energy, vector)


def _local_fields(
    load: str,
    names: Names,
    grid: VoxelGrid,
    primary: np.ndarray,
    drive: np.ndarray,
    flux: np.ndarray,
    energy: np.ndarray,
    vector: bool,
) -> LocalFields:
    """Named fields with their units: under unit strain a stress is a stiffness, under unit gradient a flux k / m."""
    unit = names.unit
    strain_unit = "" if vector else ("1/m" if grid.spacing is not None else "")
    flux_unit = unit if vector else (f"{unit}/m" if unit else "")
    return LocalFields(
        load,
        Field(names.primary, primary, grid, Location.NODE, "m" if grid.spacing and vector else ""),
        Field(names.drive, drive, grid, Location.VOXEL, strain_unit),
        Field(names.flux, flux, grid, Location.VOXEL, flux_unit),
        Field("energy density", energy, grid, Location.VOXEL, unit),
    )


def _with_macro(
    grid: VoxelGrid,
    solution: CellSolution,
    weights: np.ndarray,
    w: np.ndarray,
    vector: bool,
    allocate: Callable[[tuple[int, ...], type], np.ndarray],
) -> np.ndarray:
    """E . x + w at all (n + 1)^d nodes, in metres (or voxel edges where the spacing is unknown)."""
    edge = float(np.exp(np.mean(np.log(grid.cell_size))))
    total = allocate((len(w), *(n + 1 for n in grid.shape)), np.float32)
    total[(slice(None), *(slice(n) for n in w.shape[1:]))] = w
    if solution.problem.boundary.periodic:
        for axis in range(1, total.ndim):
            ends = np.moveaxis(total, axis, 0)
            ends[-1] = ends[0]
    total *= np.float32(edge)
    if not solution.problem.boundary.prescribes_flux:
        macro = np.asarray(weights, float) @ solution.loads
        axes = [np.arange(n + 1) * h for n, h in zip(grid.shape, grid.cell_size, strict=True)]
        gradient = from_mandel(macro) if vector else macro[None, :]
        for a, x in enumerate(axes):
            shaped = x.reshape(tuple(-1 if b == a else 1 for b in range(grid.ndim)))
            for i in range(len(total)):
                total[i] += gradient[i, a] * shaped
    return total if vector else total[0]
