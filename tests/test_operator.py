"""The operator in slabs against the same elements summed voxel by voxel: any slab, any boundary, either precision."""

from __future__ import annotations

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from cells import isotropic_stiffness
from scalebridge.cell.boundary import AbstractBoundary, KinematicUniform, Periodic
from scalebridge.cell.coefficients import pack
from scalebridge.cell.modes import Element, corner_modes, needed_modes, scatter_modes
from scalebridge.cell.operator import Discretization, mode_forces, nodal_forces, slab_planes
from scalebridge.cell.problem import CellProblem
from scalebridge.cell.session import Session
from scalebridge.grid import VoxelGrid


def problem_of(
    shape: tuple[int, ...], vector: bool, boundary: AbstractBoundary, element: Element
) -> CellProblem:
    rng = np.random.default_rng(3)
    index = rng.integers(0, 3, shape)
    if not vector:
        matrices = np.stack([k * np.eye(len(shape)) for k in (1.0, 3.0, 0.2)])
    else:
        matrices = np.stack([isotropic_stiffness(e, 0.3) for e in (1.0, 4.0, 0.5)])
        matrices[2, 0, 0] *= 1.3  # not isotropic: looked up in a table
    spacing = (1.0, 0.8, 1.3)[: len(shape)]
    return CellProblem(VoxelGrid(shape, spacing), index, matrices, vector, boundary, element)


def forces_voxel_by_voxel(
    disc: Discretization, problem: CellProblem, scale: float, w: np.ndarray, macro: np.ndarray
) -> np.ndarray:
    """B^T C (E + B w): every voxel by itself, its forces added to its corners. Shapes: w (c, B, *nodes)."""
    wanted = needed_modes(disc.ndim, disc.element)
    table = pack(disc.form, problem.matrices / scale)
    out = np.zeros(w.shape)
    for voxel in np.ndindex(disc.shape):
        corners = np.ix_(*((v, (v + 1) % n) for v, n in zip(voxel, disc.nodes, strict=True)))
        at = (slice(None), slice(None), *corners)
        modes = [corner_modes(u, disc.ndim, wanted) for u in w[at]]
        forces = mode_forces(disc, modes, list(table[:, problem.index[voxel]]), macro)
        around = [{m: np.pad(f, [(0, 0), *[(1, 1)] * disc.ndim]) for m, f in part.items()} for part in forces]
        out[at] += np.stack([scatter_modes(part, disc.ndim) for part in around])
    return out


CASES = [
    ((7, 4, 3), True, Periodic(), Element.FULL),
    ((6, 4, 3), True, Periodic(), Element.REDUCED),
    ((6, 3, 4), True, KinematicUniform(), Element.FULL),
    ((8, 5), False, Periodic(), Element.FULL),
    ((9, 3, 2), False, KinematicUniform(), Element.FULL),
]


def budgets_of(disc: Discretization, batch: int) -> dict[int, float]:
    """A budget for every number of planes that a slab can have."""
    return {slab_planes(disc, batch, 8, b): b for b in np.geomspace(1e2, 1e7, 200)}


@pytest.mark.parametrize("case", CASES, ids=str)
def test_slabs_of_any_size_give_the_forces_of_the_elements(
    case: tuple[tuple[int, ...], bool, AbstractBoundary, Element],
) -> None:
    problem = problem_of(*case)
    with jax.enable_x64(True):
        session = Session(problem)
        disc, loads = session.disc, problem.loads()
        w = np.random.default_rng(5).standard_normal((disc.components, len(loads), *disc.nodes))
        expected = forces_voxel_by_voxel(disc, problem, session.scale, w, loads)
        coefficients = session._coefficients(np.float64)
        budgets = budgets_of(disc, len(loads))
        count = disc.nodes[0]
        assert {1, count} < set(budgets)
        assert count != 7 or any(count % planes for planes in budgets)
        for budget in budgets.values():
            vectors = tuple(jnp.asarray(v) for v in w)
            found = np.stack(nodal_forces(disc, coefficients, vectors, jnp.asarray(loads), budget))
            np.testing.assert_allclose(found, expected, atol=1e-12 * np.abs(expected).max())


def test_a_residual_evaluated_in_float64_keeps_its_digits_in_float32() -> None:
    problem = problem_of((6, 4, 3), False, Periodic(), Element.FULL)
    problem = dataclasses.replace(problem, index=np.zeros_like(problem.index))
    with jax.enable_x64(True):
        session = Session(problem)
        disc, loads = session.disc, problem.loads() / 3
        still = (jnp.zeros((len(loads), *disc.nodes)),)
        coefficients = session._coefficients(np.float64)
        for budget in budgets_of(disc, len(loads)).values():
            (forces,) = nodal_forces(disc, coefficients, still, jnp.asarray(loads), budget, jnp.float32)
            assert forces.dtype == jnp.float32
            assert np.abs(np.asarray(forces)).max() < 1e-15
