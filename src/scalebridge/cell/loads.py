"""What a load does to a cell before anything is solved: boundary forces, held nodes, the energy of no fluctuation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from scalebridge.cell.boundary import Edge
from scalebridge.cell.coefficients import PAIRS
from scalebridge.cell.operator import Discretization
from scalebridge.cell.problem import CellProblem

if TYPE_CHECKING:
    from jaxtyping import Bool, Float, Num


def uniform_flux_forces(
    disc: Discretization, fluxes: Num[np.ndarray, "B m"]
) -> Float[np.ndarray, "B c *nodes"]:
    """Nodal forces of a uniform flux (stress) on the whole boundary: integral of S : grad N.

    Shapes: fluxes (B, m) -> (B, c, *nodes). Nonzero on boundary nodes only.
    """
    ndim = disc.ndim
    ends, sums = [], []
    for a, n in enumerate(disc.shape):
        end = np.zeros(n + 1)
        end[0], end[-1] = -1.0, 1.0
        total = np.ones(n + 1)
        total[0] = total[-1] = 0.5
        ends.append(end / disc.spacing[a])
        sums.append(total)

    def gradient(a: int) -> np.ndarray:
        out = np.ones(())
        for b in range(ndim):
            out = np.multiply.outer(out, ends[b] if b == a else sums[b])
        return out * disc.voxel_volume

    forces = np.zeros((len(fluxes), disc.components, *disc.nodes))
    if not disc.form.vector:
        for a in range(ndim):
            forces[:, 0] += fluxes[:, a].reshape(-1, *(1,) * ndim) * gradient(a)
        return forces
    for n, (i, j) in enumerate(PAIRS[ndim]):
        value = fluxes[:, n].reshape(-1, *(1,) * ndim) / (1.0 if i == j else np.sqrt(2.0))
        forces[:, i] += value * gradient(j)
        if i != j:
            forces[:, j] += value * gradient(i)
    return forces


def mean_energy(problem: CellProblem, loads: Num[np.ndarray, "L m"]) -> Float[np.ndarray, " L"]:
    """E : <C> : E per load: the energy of w = 0 (the Voigt estimate)."""
    if problem.packed is not None:
        mean = unpack_mean(problem)
    else:
        counts = np.bincount(problem.index.reshape(-1), minlength=len(problem.matrices))
        mean = np.einsum("p,pij->ij", counts / problem.index.size, problem.matrices)
    return np.einsum("li,ij,lj->l", loads, mean, loads)


def unpack_mean(problem: CellProblem) -> Float[np.ndarray, "m m"]:
    """The volume mean of coefficients given per voxel, as a full matrix."""
    assert problem.packed is not None
    m = problem.form.size
    mean = np.zeros((m, m))
    mean[np.triu_indices(m)] = problem.packed.reshape(len(problem.packed), -1).mean(axis=1, dtype=np.float64)
    return mean + np.triu(mean, 1).T


def edge_mask(problem: CellProblem, disc: Discretization) -> Bool[np.ndarray, "c *nodes"] | None:
    """1 where a node component may move, 0 where it is held; None when nothing is held."""
    edges = [
        problem.boundary.edges(disc.ndim, i if disc.form.vector else None) for i in range(disc.components)
    ]
    if not any(Edge.FIXED in e for e in edges):
        return None
    mask = np.ones((disc.components, *disc.nodes), bool)
    for i, component in enumerate(edges):
        for a, edge in enumerate(component):
            if edge is Edge.FIXED:
                for end in (0, -1):
                    where: list[Any] = [i, *[slice(None)] * disc.ndim]
                    where[1 + a] = end
                    mask[tuple(where)] = 0
    return mask


def scale_of(problem: CellProblem) -> float:
    """Coefficients are divided by their largest entry: float32 must not see SI gigapascals squared."""
    source = problem.packed if problem.packed is not None else problem.matrices
    scale = float(np.abs(source).max(initial=0.0))
    return scale if scale > 0 else 1.0
