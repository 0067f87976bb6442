"""Elements of shared dilatation at finite strain: an energy with its exact derivatives, and no locking."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numpy.testing import assert_allclose

from nonlinear_cells import HARD_RUBBER, SOFT_RUBBER, cell_of, corner
from scalebridge.cell.boundary import KinematicUniform, Periodic
from scalebridge.cell.nonlinear import (
    Integration,
    NewtonKrylov,
    NonlinearCell,
    prepare,
    solve_equilibrium,
    virgin_start,
)
from scalebridge.cell.nonlinear.dilatation import flux_on_gradient, shared_gradient
from scalebridge.cell.nonlinear.fields import flux_forces
from scalebridge.cell.nonlinear.newton import answer_at, linearize
from scalebridge.cell.nonlinear.tangent import macroscopic_tangent
from scalebridge.core.errors import InputError
from scalebridge.grid import VoxelGrid
from scalebridge.material.laws import NeoHooke, PlaneStrain, PowerLawConduction

HELD = np.zeros(9, bool)
STRETCH = np.array([[1.2, 0.15, 0.0, 0.0, 0.9, 0.1, 0.05, 0.0, 1 / 1.08]])


@pytest.mark.parametrize("m", [4, 9])
def test_points_of_a_voxel_share_their_volume_and_fluxes_do_the_same_work(m: int) -> None:
    ndim = int(np.sqrt(m))
    random = np.random.default_rng(m)
    with jax.enable_x64(True):
        f = jnp.asarray(np.eye(ndim).reshape(m, 1, 1) + 0.2 * random.standard_normal((m, 8, 5)))
        flux = jnp.asarray(random.standard_normal((m, 8, 5)))
        change = list(jnp.asarray(random.standard_normal((m, 8, 5))))
        moved, rate = jax.jvp(shared_gradient, (list(f),), (change,))
        volumes = np.linalg.det(np.moveaxis(np.array(moved), 0, -1).reshape(8, 5, ndim, ndim))
        mean = np.linalg.det(np.moveaxis(np.array(f), 0, -1).reshape(8, 5, ndim, ndim)).mean(axis=0)
        assert_allclose(volumes, np.broadcast_to(mean, (8, 5)), rtol=1e-12)
        inner = sum(jnp.sum(a * b, axis=0) for a, b in zip(flux, rate, strict=True))
        outer = sum(
            jnp.sum(a * b, axis=0) for a, b in zip(flux_on_gradient(list(f), list(flux)), change, strict=True)
        )
        assert_allclose(outer, inner, rtol=1e-11)


@pytest.mark.parametrize("boundary", [Periodic(), KinematicUniform()], ids=lambda b: b.name)
def test_forces_and_tangents_are_derivatives_of_the_energy(boundary: Periodic | KinematicUniform) -> None:
    """With a void, whose points are turned inside out by the fluctuation."""
    labels = np.zeros((3, 2, 2), np.uint8)
    labels[0], labels[1, 0, 0] = 1, 2
    batch = prepare(cell_of(labels, (SOFT_RUBBER, HARD_RUBBER, None), boundary, Integration.MEAN_DILATATION))
    elements = batch.elements
    random = np.random.default_rng(1)
    with jax.enable_x64(True):

        def vector(size: float) -> tuple[jax.Array, ...]:
            w = tuple(jnp.asarray(size * random.uniform(-1, 1, (1, *elements.nodes))) for _ in range(3))
            return batch.space.restrict(w)

        w, step = vector(0.15), vector(1.0)
        drive, turn = STRETCH, random.standard_normal((1, 9))
        state = batch.points.initial_state()

        def at(t: float) -> tuple[float, tuple[jax.Array, ...], np.ndarray]:
            moved = tuple(a + t * b for a, b in zip(w, step, strict=True))
            answer = answer_at(batch, state, moved, drive + t * turn, 1.0, tangent=True)
            assert not answer.failed.any()
            return float(answer.stored[0]), flux_forces(elements, answer.flux, 1e9), answer.mean_flux

        energy, forces, mean = at(0.0)
        assert energy > 0
        h = 1e-4
        slope = (at(h)[0] - at(-h)[0]) / (2 * h) * elements.volume / batch.reference.scale
        work = sum(float(jnp.vdot(a, b)) for a, b in zip(forces, step, strict=True))
        work += float(np.vdot(mean, turn)) * elements.volume
        assert_allclose(work, slope, rtol=1e-6)
        answer = answer_at(batch, state, w, drive, 1.0, tangent=True)
        linear = linearize(batch, answer.tangent)
        single = tuple(v.astype(batch.space.dtype) for v in step)
        change, sums = linear.apply(single, jnp.asarray(turn, batch.space.dtype))
        high, low = at(h), at(-h)
        for got, a, b in zip(
            change, batch.space.restrict(high[1]), batch.space.restrict(low[1]), strict=True
        ):
            assert_allclose(got, (a - b) / (2 * h), atol=2e-4 * float(jnp.abs(got).max()))
        assert_allclose(sums, (high[2] - low[2]) / (2 * h) * elements.volume, atol=2e-4 * np.abs(sums).max())


def energy_of(bulk: float, integration: Integration) -> float:
    """A stiff corner in a soft nearly incompressible matrix, stretched without change of volume."""
    laws = (NeoHooke(bulk, 1e6), NeoHooke(bulk, 50e6))
    batch = prepare(cell_of(corner(), laws, Periodic(), integration))
    drive = np.diag([1.05, 1 / 1.05, 1.0]).reshape(1, 9)
    found = solve_equilibrium(batch, virgin_start(batch), drive, HELD, 1.0, NewtonKrylov(tolerance=1e-6))
    assert found.converged, found.reason
    return float(found.stored[0])


def test_nearly_incompressible_cells_do_not_lock() -> None:
    """From K/G = 50 to 1000 the energy hardly changes; with eight dilatations per voxel it grows without end."""
    energy = {
        (k, i): energy_of(k, i)
        for k in (5e7, 1e9)
        for i in (Integration.MEAN_DILATATION, Integration.EIGHT_POINTS)
    }
    free = energy[1e9, Integration.MEAN_DILATATION] / energy[5e7, Integration.MEAN_DILATATION]
    locked = energy[1e9, Integration.EIGHT_POINTS] / energy[5e7, Integration.EIGHT_POINTS]
    assert 1.0 < free < 1.1
    assert locked > 1.5


def test_the_tangent_of_the_cell_is_its_slope() -> None:
    batch = prepare(cell_of(corner(), (SOFT_RUBBER, HARD_RUBBER), KinematicUniform()))
    assert batch.elements.integration is Integration.MEAN_DILATATION
    method = NewtonKrylov(tolerance=1e-11)
    step = np.random.default_rng(2).standard_normal(9)
    flux = []
    for t in (-1e-3, 0.0, 1e-3):
        found = solve_equilibrium(batch, virgin_start(batch), STRETCH + t * step, HELD, 1.0, method)
        assert found.converged
        flux.append(found.flux[0])
        if t == 0.0:
            tangent = macroscopic_tangent(batch, found)[0]
            assert_allclose(np.vdot(found.flux, found.drive - np.eye(3).reshape(1, 9)) > 0, True)
    assert_allclose(tangent, tangent.T, atol=1e-6 * np.abs(tangent).max())
    assert_allclose(tangent @ step, (flux[2] - flux[0]) / 2e-3, atol=1e-4 * np.abs(tangent @ step).max())


def test_flat_cells_share_the_dilatation_in_the_plane() -> None:
    labels = np.zeros((8, 8), np.uint8)
    labels[2:6, 2:6] = 1
    laws = {n: PlaneStrain(NeoHooke(1e9, g)) for n, g in enumerate((1e6, 5e7))}
    energy = {}
    for integration in Integration:
        batch = prepare(NonlinearCell(VoxelGrid((8, 8)), labels, laws, Periodic(), integration))
        drive = np.array([[1.05, 0.0, 0.0, 1 / 1.05]])
        found = solve_equilibrium(
            batch, virgin_start(batch), drive, np.zeros(4, bool), 1.0, NewtonKrylov(tolerance=1e-6)
        )
        assert found.converged, found.reason
        energy[integration] = float(found.stored[0])
    # One point is below the solution, eight are above it, and locked.
    assert 1.0 < energy[Integration.MEAN_DILATATION] / energy[Integration.ONE_POINT] < 1.2
    assert energy[Integration.EIGHT_POINTS] > 3 * energy[Integration.MEAN_DILATATION]


def test_conductors_have_no_dilatation() -> None:
    with pytest.raises(InputError, match="for deformation, not for transport"):
        cell_of(corner(), (PowerLawConduction(1.0, 3.0, 1.0, 1e-5),) * 2, None, Integration.MEAN_DILATATION)
