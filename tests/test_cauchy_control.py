"""Cauchy stresses as what is prescribed of a cell at finite strain."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.optimize import fsolve

from nonlinear_cells import HARD_RUBBER, SOFT_RUBBER, cell_of, corner
from scalebridge.cell.nonlinear import NewtonKrylov, NonlinearCell, prepare
from scalebridge.cell.nonlinear.control import Control, cauchy_stress
from scalebridge.cell.nonlinear.loading import Leg
from scalebridge.cell.nonlinear.march import march
from scalebridge.core.errors import InputError
from scalebridge.grid import VoxelGrid
from scalebridge.material.kinematics import FINITE_STRAIN, SMALL_STRAIN
from scalebridge.material.laws import PlaneStress

HELD = {"yx": 0.0, "zx": 0.0, "zy": 0.0}  # below the diagonal: no rotation
FREE = {"yy": 0.0, "zz": 0.0, "xy": 0.0, "xz": 0.0, "yz": 0.0}


@pytest.mark.parametrize("ndim", [2, 3])
def test_the_rows_are_the_derivative_of_the_gap(ndim: int) -> None:
    random = np.random.default_rng(ndim)
    m = ndim * ndim
    control = Control.of(np.arange(m) % 2 == 0, np.arange(m) % 4 == 0)
    drive = np.eye(ndim).reshape(-1) + 0.3 * random.uniform(-1, 1, (2, m))
    flux, target, d_flux, d_drive = random.normal(size=(4, 2, m))
    found = control.rows(flux, drive, target)
    assert found is not None
    linear = np.einsum("bij,bj->bi", found[0], d_flux) + np.einsum("bij,bj->bi", found[1], d_drive)
    # The scale of a row is frozen: it is divided out, component by component.
    scale = np.linalg.norm(drive.reshape(-1, ndim, ndim), axis=2)

    def gap(t: float) -> np.ndarray:
        f = drive + t * d_drive
        moved = np.linalg.norm(f.reshape(-1, ndim, ndim), axis=2)
        value = control.gap(flux + t * d_flux, f, target)
        ratio = np.broadcast_to((moved / scale)[:, None, :], (2, ndim, ndim)).reshape(2, m)
        return np.where(control.cauchy, value * ratio, value)

    h = 1e-3
    slope = -(8 * (gap(h) - gap(-h)) - (gap(2 * h) - gap(-2 * h))) / (12 * h)
    assert_allclose(slope[:, control.flux], linear[:, control.flux], rtol=0, atol=1e-9)
    assert np.abs(linear[:, control.cauchy] - d_flux[:, control.cauchy]).max() > 0.1


def test_a_homogeneous_cell_has_the_stretch_of_its_law() -> None:
    """Uniaxial Cauchy stress: two equations for the stretches along and across, from the law alone."""
    law, stress = SOFT_RUBBER, 1.5e6

    def miss(stretches: np.ndarray) -> list[float]:
        drive = np.diag([stretches[0], stretches[1], stretches[1]]).reshape(1, 9)
        sigma = cauchy_stress(law.respond(law.initial_state(1), drive, 1.0).flux, drive)[0]
        return [(sigma[0] - stress) / stress, sigma[4] / stress]

    wanted = fsolve(miss, [1.3, 0.9], xtol=1e-13)
    leg = Leg(HELD, FREE, 1.0, 3, {"xx": stress})
    batch = prepare(cell_of(np.zeros((1, 1, 1), np.uint8), (law,)))
    last = list(march(batch, [leg], NewtonKrylov(tolerance=1e-11)))[-1].balance
    assert wanted[0] > 1.2
    assert_allclose(last.drive[0, [0, 4, 8]], wanted[[0, 1, 1]], rtol=1e-9)


def test_a_composite_follows_a_path_of_cauchy_stresses() -> None:
    """Straight in time, all components but the rotation; Newton's method does not slow down."""
    target = {"xx": 8e5, "yy": -2e5, "xy": 3e5, "zz": 0.0}
    leg = Leg(HELD, {"xz": 0.0, "yz": 0.0}, 1.0, 3, target)
    batch = prepare(cell_of(corner(), (SOFT_RUBBER, HARD_RUBBER)))
    taken = list(march(batch, [leg], NewtonKrylov(tolerance=1e-10)))
    order = [FINITE_STRAIN.components(3).index(name) for name in target]
    for step in taken:
        sigma = cauchy_stress(step.balance.flux, step.balance.drive)[0]
        assert_allclose(sigma[order], step.time * np.array(list(target.values())), atol=1e-9 * 8e5)
        assert np.abs(step.balance.flux[0, order] - sigma[order]).max() > 1e-3 * 8e5
        assert len(step.balance.krylov) <= 5
    assert len(taken) == 3


def test_stresses_that_cannot_be_prescribed_are_refused() -> None:
    with pytest.raises(InputError, match="'xx' is given as a flux and as a Cauchy stress"):
        Leg(HELD, {"xx": 0.0, **FREE}, cauchy={"xx": 1.0})
    with pytest.raises(InputError, match="at finite strain only; here the flux is the stress"):
        Leg({"yy": 0.0}, cauchy={"xx": 1.0}).targets(SMALL_STRAIN, 2)
    flat = Leg({"yx": 0.0}, {"yy": 0.0, "xy": 0.0}, cauchy={"xx": 1e5})
    cell = NonlinearCell(VoxelGrid((2, 2)), np.zeros((2, 2), np.uint8), {0: PlaneStress(SOFT_RUBBER)})
    with pytest.raises(InputError, match="deformed thickness"):
        list(march(prepare(cell), [flat]))
