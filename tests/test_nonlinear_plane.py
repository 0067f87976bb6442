"""Nonlinear cells in two dimensions, of conductors, and with voids."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose

from exact_laminates import ExactLaminate
from nonlinear_cells import LINEAR, VOCE, cell_of
from scalebridge.cell.nonlinear import NewtonKrylov, NonlinearCell, prepare
from scalebridge.cell.nonlinear.loading import Leg, leg_of
from scalebridge.cell.nonlinear.march import march
from scalebridge.grid import VoxelGrid
from scalebridge.material import GRADIENT, SMALL_STRAIN
from scalebridge.material.laws import (
    AbstractPointLaw,
    PlaneStrain,
    PlaneStress,
    PowerLawConduction,
)
from scalebridge.microstructure import generate

METHOD = NewtonKrylov(tolerance=1e-11)
FLAT = {"xx": 0.006, "yy": -0.003, "xy": 0.004}
FLAT_PATH = [Leg(FLAT, increments=4), leg_of(SMALL_STRAIN, 2, {"xx": 0.002}, rest_free=True, increments=3)]


@pytest.mark.parametrize("state", [PlaneStrain, PlaneStress], ids=lambda s: s.__name__)
def test_plane_laminates_are_exact(state: type[AbstractPointLaw]) -> None:
    """Layers along x and y: plane strain, or plane stress in every layer; uniaxial stress on the way back."""
    laws = (state(LINEAR), state(VOCE))
    pattern = np.array([1, 0, 1, 1], np.uint8)
    labels = np.stack([np.broadcast_to(pattern.reshape(s), (4, 4)) for s in ((4, 1), (1, 4))])
    batch = prepare(NonlinearCell(VoxelGrid((4, 4), (1.0, 1.25)), labels, dict(enumerate(laws))))
    exact = [list(ExactLaminate(laws, 0.25, np.eye(2)[axis]).along(FLAT_PATH)) for axis in range(2)]
    taken = list(march(batch, FLAT_PATH, METHOD))
    assert len(taken) == 7
    size = max(np.abs(step.flux).max() for steps in exact for step in steps)
    for n, increment in enumerate(taken):
        for axis in range(2):
            wanted = exact[axis][n]
            assert_allclose(increment.balance.flux[axis], wanted.flux, rtol=0, atol=1e-8 * size)
            assert_allclose(increment.balance.stored[axis], wanted.stored, rtol=1e-8)
            assert_allclose(
                increment.balance.dissipated[axis], wanted.dissipated, rtol=1e-8, atol=1e-8 * size * 1e-3
            )


def test_a_flat_cell_is_a_cell_of_one_layer_of_voxels() -> None:
    """Plane strain in 2-D, and the same image one voxel thick in 3-D without strain across it."""
    labels = np.zeros((4, 4), np.uint8)
    labels[:2, 1:3] = 1
    flat = NonlinearCell(
        VoxelGrid((4, 4), (1.0, 1.0)), labels, {0: PlaneStrain(VOCE), 1: PlaneStrain(LINEAR)}
    )
    leg = [Leg(FLAT, increments=2)]
    whole = [leg_of(SMALL_STRAIN, 3, FLAT, increments=2)]
    thick = cell_of(labels[:, :, None], (VOCE, LINEAR))
    for a, b in zip(march(prepare(flat), leg, METHOD), march(prepare(thick), whole, METHOD), strict=True):
        assert_allclose(a.balance.flux[0], b.balance.flux[0][[0, 1, 5]], rtol=1e-9, atol=1.0)
        assert_allclose(a.balance.stored, b.balance.stored, rtol=1e-9)
        assert_allclose(a.balance.dissipated, b.balance.dissipated, rtol=1e-9)


def test_conductors_of_one_power_scale_with_it() -> None:
    """Two phases with flux ~ |g|^(n-1) g: twice the gradient gives 2^n times the flux, whatever the microstructure."""
    laws = tuple(PowerLawConduction(k, 3.0, 1.0, 1e-5) for k in (1.0, 5.0))
    labels = np.asarray(generate.sphere_array(4, radius=0.35).labels)
    batch = prepare(cell_of(labels, laws))
    legs = [leg_of(GRADIENT, 3, {"x": x, "y": x / 2}, increments=2) for x in (1.0, 2.0)]
    taken = list(march(batch, legs, METHOD))
    first, last = taken[1].balance, taken[-1].balance
    assert_allclose(last.flux, 8 * first.flux, rtol=1e-8, atol=1e-8 * np.abs(last.flux).max())
    # Euler: g . flux = (n + 1) W for a potential of degree n + 1.
    assert_allclose(np.einsum("bi,bi->b", last.flux, last.drive), 4 * last.stored, rtol=1e-8)
    mean = float(np.where(labels == 1, 5.0, 1.0).mean())
    assert 1.0 < float(last.stored[0]) / (float(np.sum(last.drive**2)) ** 2 / 4) < mean
