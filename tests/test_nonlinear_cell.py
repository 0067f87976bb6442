"""Nonlinear voxel cells: kernels, agreement with the linear solver, Newton, mixed control, history."""

from __future__ import annotations

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numpy.testing import assert_allclose

from scalebridge import Elasticity
from scalebridge.cell.boundary import AbstractBoundary, KinematicUniform, Periodic, StaticUniform
from scalebridge.cell.modes import Element
from scalebridge.cell.moments import moments_of
from scalebridge.cell.nonlinear import (
    Integration,
    NewtonKrylov,
    NonlinearCell,
    prepare,
    solve_equilibrium,
    virgin_start,
)
from scalebridge.cell.nonlinear.elements import VoxelElements
from scalebridge.cell.nonlinear.fields import (
    flux_forces,
    padded_voxels,
    point_drives,
    tangent_entries,
    tangent_forces,
)
from scalebridge.cell.nonlinear.tangent import macroscopic_tangent
from scalebridge.cell.problem import PreconditionedConjugateGradients
from scalebridge.cell.solve import solve_cell
from scalebridge.homogenize.effective import effective_tensor
from scalebridge.homogenize.phases import collect_phases
from scalebridge.material.kinematics import ALL_KINEMATICS, Kinematics
from scalebridge.material.laws import LinearLaw
from scalebridge.microstructure import generate

EVERY_ELEMENT = [
    (kinematics, integration, periodic)
    for kinematics, integration, periodic in itertools.product(ALL_KINEMATICS, Integration, (True, False))
    if (integration is not Integration.ONE_POINT or periodic)
    # At finite strain shared dilatations are not linear: test_dilatation.py.
    and (integration is not Integration.MEAN_DILATATION or kinematics.symmetric)
]


@pytest.mark.parametrize("budget", [1e9, 1.0], ids=["one slab", "planes"])
@pytest.mark.parametrize(
    ("kinematics", "integration", "periodic"),
    EVERY_ELEMENT,
    ids=lambda v: v.name if hasattr(v, "name") else str(v),
)
def test_forces_are_the_transpose_of_drives_and_the_tangent_agrees(
    kinematics: Kinematics, integration: Integration, periodic: bool, budget: float
) -> None:
    random = np.random.default_rng(0)
    elements = VoxelElements((4, 3, 2), (1.2, 0.9, 1 / 1.08), kinematics, integration, periodic)
    cells, loads, m = 2, 2, elements.size

    def field(count: int) -> tuple[jax.Array, ...]:
        return tuple(
            jnp.asarray(random.standard_normal((count, *elements.nodes))) for _ in range(elements.components)
        )

    with jax.enable_x64(True):
        w, macro = field(cells * loads), jnp.asarray(random.standard_normal((cells * loads, m)))
        drives = point_drives(elements, w, macro, budget)
        flux = jnp.asarray(random.standard_normal(drives.shape))
        forces = flux_forces(elements, padded_voxels(flux, elements), budget)
        work = sum(float(jnp.vdot(a, b)) for a, b in zip(w, forces, strict=True))
        inner = float(jnp.vdot(point_drives(elements, w, 0 * macro, budget), flux))
        assert_allclose(work, inner * elements.voxel_volume / elements.points, rtol=1e-10)
        tangent = random.standard_normal((elements.points, m, m, cells, *elements.shape))
        for symmetric in (True, False):
            if symmetric:
                tangent = tangent + tangent.swapaxes(1, 2)
            entries = tangent_entries(m, symmetric)
            stored = padded_voxels(
                jnp.stack([jnp.asarray(tangent[:, i, j]) for i, j in entries], 1), elements
            )
            got, total = tangent_forces(elements, stored, w, macro, budget, symmetric, True)
            answer = jnp.einsum("pij...,pj...->pi...", np.repeat(tangent, loads, axis=3), drives)
            wanted = flux_forces(elements, padded_voxels(answer, elements), budget)
            for a, b in zip(got, wanted, strict=True):
                assert_allclose(a, b, atol=1e-11)
            mean = answer.sum(axis=(0, 3, 4, 5)) if answer.ndim == 6 else answer.sum()
            assert_allclose(total.T, mean * elements.voxel_volume / elements.points, atol=1e-10)


CASES: list[tuple[AbstractBoundary, Integration, Element]] = [
    (Periodic(), Integration.ONE_POINT, Element.REDUCED),
    (Periodic(), Integration.EIGHT_POINTS, Element.FULL),
    (KinematicUniform(), Integration.EIGHT_POINTS, Element.FULL),
    (StaticUniform(), Integration.EIGHT_POINTS, Element.FULL),
]


@pytest.mark.parametrize(
    ("boundary", "integration", "element"), CASES, ids=lambda v: getattr(v, "name", None)
)
def test_linear_phases_give_the_stiffness_of_the_linear_solver(
    boundary: AbstractBoundary, integration: Integration, element: Element
) -> None:
    image = generate.sphere_array(6, radius=0.3)
    laws = {0: Elasticity.isotropic(E=1e9, nu=0.3), 1: Elasticity.isotropic(E=1e10, nu=0.3)}
    cell = NonlinearCell(
        image.grid, image.labels, {n: LinearLaw.of(law) for n, law in laws.items()}, boundary, integration
    )
    batch = prepare(cell)
    strain = np.array([[0.01, 0.0, -0.002, 0.0, 0.001, 0.003]])
    held = solve_equilibrium(batch, virgin_start(batch), strain, np.zeros(6, bool), 1.0, NewtonKrylov())
    problem = collect_phases(image, laws, None, None).problem(boundary, element)
    solution = solve_cell(problem, PreconditionedConjugateGradients(1e-10))
    stiffness = effective_tensor(moments_of(solution), solution.loads, boundary.prescribes_flux).value
    assert held.converged
    assert_allclose(held.flux[0], np.asarray(stiffness) @ strain[0], rtol=1e-7, atol=1e-7 * 1e8)
    # Hill-Mandel: the mean energy of the points is that of the means.
    assert_allclose(2 * held.stored, np.einsum("bi,bi->b", held.flux, held.drive), rtol=1e-8)
    free = np.array([False, True, True, True, True, False])
    mixed = solve_equilibrium(
        batch, virgin_start(batch), np.where(free, 0.0, strain), free, 1.0, NewtonKrylov()
    )
    assert mixed.converged
    assert_allclose(mixed.flux[0], np.asarray(stiffness) @ mixed.drive[0], rtol=1e-6, atol=1.0)
    assert_allclose(mixed.flux[0][free], 0.0, atol=1e-8 * np.abs(mixed.flux).max())


def test_a_homogeneous_cell_under_uniform_tractions_has_the_tangent_of_its_law() -> None:
    """Its right-hand sides are rounding only: solving for them would blow them up."""
    law = LinearLaw.of(Elasticity.isotropic(E=1e9, nu=0.3))
    labels = np.zeros((2, 2, 2), np.uint8)
    grid = generate.sphere_array(2, radius=0.3).grid
    batch = prepare(NonlinearCell(grid, labels, {0: law}, StaticUniform(), Integration.EIGHT_POINTS))
    strain = np.array([[0.01, 0.0, -0.002, 0.0, 0.001, 0.003]])
    found = solve_equilibrium(batch, virgin_start(batch), strain, np.zeros(6, bool), 1.0, NewtonKrylov())
    assert_allclose(found.flux[0], law.tensor @ strain[0], rtol=1e-7, atol=1e-2)
    assert_allclose(macroscopic_tangent(batch, found)[0], law.tensor, atol=1e-6 * 1e9)
