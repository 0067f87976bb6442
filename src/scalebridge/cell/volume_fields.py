r"""Local fields of a finite-volume solution between two faces: the way back down without finite elements.

Face fluxes q_f = (u_+ - u_-) / (R_- + R_+) are exact for the scheme; a voxel shows the mean of its two faces per axis.
The gradient is what that flux needs in the voxel's own material, q / k, and zero in voids, where none is defined.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from scalebridge.cell.boundary import Edge
from scalebridge.cell.finite_volume import FiniteVolumeSolution

if TYPE_CHECKING:
    from jaxtyping import Bool, Float


def volume_fields(
    solution: FiniteVolumeSolution,
) -> tuple[
    Float[np.ndarray, "*nodes"],
    Float[np.ndarray, "d *shape"],
    Float[np.ndarray, "d *shape"],
    Float[np.ndarray, "*shape"],
]:
    """Fields of the one load of a set-up between faces, in float32.

    Shapes: potential at nodes (*shape + 1), gradient (d, *shape), flux (d, *shape), energy density (*shape, halved).
    Units: gradient 1 along the axis on average, so the flux is a conductivity.
    """
    problem = solution.problem
    axis = solution.axes[0]
    index, ndim = problem.index, problem.index.ndim
    u = np.asarray(solution.potential(0), np.float32)
    flux = np.zeros((ndim, *index.shape), np.float32)
    gradient = np.zeros_like(flux)
    for a in range(ndim):
        k = problem.conductivity[:, a].astype(np.float32)[index]
        h = np.float32(problem.cell_size[a])
        flux[a] = _mean_of_faces(u, k, h, a, problem.edges[a] is Edge.FIXED and a == axis)
        np.divide(flux[a], k, out=gradient[a], where=k > 0)
    energy = np.float32(0.5) * np.einsum("a...,a...->...", flux, gradient)
    conducts = np.any(problem.conductivity > 0, axis=1)
    return _at_nodes(u, np.asarray(conducts)[index]), gradient, flux, energy


def _mean_of_faces(u: np.ndarray, k: np.ndarray, h: np.float32, axis: int, held: bool) -> np.ndarray:
    """Mean over the two faces along `axis` of the flux density; insulated ends, or ends held at -+ n h / 2."""
    u, k = np.moveaxis(u, axis, 0), np.moveaxis(k, axis, 0)
    out = np.zeros_like(u)
    total = k[1:] + k[:-1]
    inner = 2 * k[1:] * k[:-1]
    np.divide(inner, total, out=inner, where=total > 0)
    inner *= (u[1:] - u[:-1]) / h
    out[:-1] += inner / 2
    out[1:] += inner / 2
    if held:
        half = len(u) * h / 2
        out[0] += k[0] * (u[0] + half) / h
        out[-1] += k[-1] * (half - u[-1]) / h
    return np.moveaxis(out, 0, axis)


def _at_nodes(
    u: Float[np.ndarray, "*shape"], conducting: Bool[np.ndarray, "*shape"]
) -> Float[np.ndarray, "*nodes"]:
    """Mean over the conducting voxels around each node (over all of them where none conducts)."""
    weight = conducting.astype(np.float32) + np.float32(1e-6)
    top, bottom = _around(u * weight), _around(weight)
    return top / bottom


def _around(v: np.ndarray) -> np.ndarray:
    """Sum of the voxels around each node."""
    for axis in range(v.ndim):
        before = [(0, 0)] * v.ndim
        after = [(0, 0)] * v.ndim
        before[axis], after[axis] = (1, 0), (0, 1)
        v = np.pad(v, before) + np.pad(v, after)
    return v
