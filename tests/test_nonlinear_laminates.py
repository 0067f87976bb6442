"""Voxel laminates along loading paths against exact two-phase laminates, increment by increment."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose

from exact_laminates import ExactLaminate
from scalebridge import Elasticity
from scalebridge.cell.nonlinear import NewtonKrylov, NonlinearCell, prepare
from scalebridge.cell.nonlinear.loading import Leg, leg_of
from scalebridge.cell.nonlinear.march import march
from scalebridge.cell.nonlinear.tangent import macroscopic_tangent
from scalebridge.grid import VoxelGrid
from scalebridge.material import FINITE_STRAIN, SMALL_STRAIN
from scalebridge.material.laws import AbstractPointLaw, LinearLaw
from scalebridge.material.laws.backstress import ArmstrongFrederickBackstress, PragerBackstress
from scalebridge.material.laws.conduction import PowerLawConduction
from scalebridge.material.laws.finite_j2 import FiniteJ2Plasticity
from scalebridge.material.laws.hardening import LinearHardening, VoceHardening
from scalebridge.material.laws.j2 import J2Plasticity
from scalebridge.material.laws.maxwell import GeneralizedMaxwell
from scalebridge.material.laws.neo_hooke import NeoHooke
from scalebridge.material.laws.norton import NortonCreep
from scalebridge.material.laws.saint_venant_kirchhoff import SaintVenantKirchhoff

METHOD = NewtonKrylov(tolerance=1e-11)
STIFF = LinearLaw.of(Elasticity.isotropic(E=400e9, nu=0.2))
VOCE = J2Plasticity(70e9, 26e9, 100e6, VoceHardening(80e6, 40.0, 0.5e9))
LINEAR = J2Plasticity(160e9, 80e9, 250e6, LinearHardening(2e9))
PRAGER = J2Plasticity(70e9, 26e9, 80e6, backstress=PragerBackstress(3e9))
RECALL = J2Plasticity(70e9, 26e9, 80e6, LinearHardening(1e9), ArmstrongFrederickBackstress(20e9, 200.0))
MAXWELL = GeneralizedMaxwell(3e9, 0.1e9, [0.6e9, 0.3e9], [0.5, 5.0], [1e9], [2.0])
FLUID = GeneralizedMaxwell(2e9, 0.0, [0.4e9], [1.0])
NORTON = NortonCreep(70e9, 26e9, 1e-2, 50e6, 4.0)
METAL = FiniteJ2Plasticity(70e9, 26e9, 200e6, LinearHardening(1e9))
SOFT_RUBBER, HARD_RUBBER = NeoHooke(5e6, 1e6), NeoHooke(30e6, 8e6)
SVK = SaintVenantKirchhoff.isotropic(20e6, 10e6)

STRAIN = {"xx": 0.006, "yy": -0.004, "zz": 0.001, "yz": 0.002, "xz": -0.003, "xy": 0.005}
BACK = {"xx": -0.003, "yy": 0.001, "zz": 0.0, "yz": -0.002, "xz": 0.001, "xy": 0.001}
SMALL_PATH = [Leg(STRAIN, increments=4), Leg(BACK, increments=4)]
STRETCH = {
    "xx": 1.3,
    "xy": 0.2,
    "xz": -0.1,
    "yx": 0.1,
    "yy": 0.8,
    "yz": 0.15,
    "zx": 0.0,
    "zy": -0.1,
    "zz": 1.1,
}
SLIGHT = {
    "xx": 1.03,
    "xy": 0.04,
    "xz": -0.02,
    "yx": 0.01,
    "yy": 0.98,
    "yz": 0.03,
    "zx": 0.0,
    "zy": 0.0,
    "zz": 1.01,
}
UNDEFORMED = {name: float(name[0] == name[1]) for name in STRETCH}
FINITE_PATH = [Leg(STRETCH, increments=4), Leg(UNDEFORMED, increments=3)]
METAL_PATH = [Leg(SLIGHT, increments=5), Leg(UNDEFORMED, increments=3)]
HEAT_PATH = [
    Leg({"x": 30.0, "y": -10.0, "z": 5.0}, increments=3),
    Leg({"x": 1.0, "y": 2.0, "z": -8.0}, increments=2),
]


def uniaxial(kinematics: Any, ends: tuple[float, ...], increments: int) -> list[Leg]:
    """Stretch along x with everything else free of stress (rotations held, where they are seen)."""
    held = {} if kinematics.symmetric else {"yx": 0.0, "zx": 0.0, "zy": 0.0}
    return [leg_of(kinematics, 3, {"xx": e} | held, rest_free=True, increments=increments) for e in ends]


SMALL_TENSION = uniaxial(SMALL_STRAIN, (0.006, 0.002), 4)
METAL_TENSION = uniaxial(FINITE_STRAIN, (1.04, 1.02), 4)
FINITE_TENSION = uniaxial(FINITE_STRAIN, (1.4, 0.9), 4)

CASES: dict[str, tuple[tuple[AbstractPointLaw, AbstractPointLaw], list[Leg]]] = {
    "Voce in elastic": ((STIFF, VOCE), SMALL_PATH),
    "Voce in elastic, uniaxial stress": ((STIFF, VOCE), SMALL_TENSION),
    "linear and Prager hardening": ((LINEAR, PRAGER), SMALL_PATH),
    "linear and Prager hardening, uniaxial stress": ((LINEAR, PRAGER), SMALL_TENSION),
    "Armstrong and Frederick in elastic": ((STIFF, RECALL), SMALL_PATH),
    "solid and fluid of Maxwell branches": ((MAXWELL, FLUID), SMALL_PATH),
    "solid and fluid of Maxwell branches, uniaxial stress": ((MAXWELL, FLUID), SMALL_TENSION),
    "Norton creep in elastic": ((STIFF, NORTON), SMALL_PATH),
    "Norton creep in elastic, uniaxial stress": ((STIFF, NORTON), SMALL_TENSION),
    "two neo-Hookean rubbers": ((SOFT_RUBBER, HARD_RUBBER), FINITE_PATH),
    "two neo-Hookean rubbers, uniaxial stress": ((SOFT_RUBBER, HARD_RUBBER), FINITE_TENSION),
    "neo-Hooke and Saint-Venant-Kirchhoff": ((SOFT_RUBBER, SVK), FINITE_PATH),
    "finite J2": ((METAL, NeoHooke(160e9, 80e9)), METAL_PATH),
    "finite J2, uniaxial stress": ((METAL, NeoHooke(160e9, 80e9)), METAL_TENSION),
    "power-law conduction": (
        (PowerLawConduction(2.0, 3.0, 10.0), LinearLaw(np.diag([1.0, 2.0, 3.0]))),
        HEAT_PATH,
    ),
}  # fmt: skip


def three_laminates(laws: tuple[AbstractPointLaw, AbstractPointLaw]) -> NonlinearCell:
    """Layers along x, y and z as three cells of one batch: a quarter of the first law."""
    pattern = np.array([1, 0, 1, 1], np.uint8)
    labels = np.stack(
        [np.broadcast_to(pattern.reshape(s), (4, 4, 4)) for s in ((4, 1, 1), (1, 4, 1), (1, 1, 4))]
    )
    return NonlinearCell(VoxelGrid((4, 4, 4), (1.0, 1.25, 0.8)), labels, dict(enumerate(laws)))


@pytest.mark.parametrize("name", CASES)
def test_voxel_laminates_are_exact_at_every_increment(name: str) -> None:
    laws, legs = CASES[name]
    batch = prepare(three_laminates(laws))
    exact = [list(ExactLaminate(laws, 0.25, np.eye(3)[axis]).along(legs)) for axis in range(3)]
    reached = list(march(batch, legs, METHOD))
    assert len(reached) == sum(leg.increments for leg in legs)
    size = max(np.abs(step.flux).max() for steps in exact for step in steps)
    energy = max(step.stored for steps in exact for step in steps)
    lost = max(step.dissipated for steps in exact for step in steps)
    for n, increment in enumerate(reached):
        balance = increment.balance
        for axis in range(3):
            wanted = exact[axis][n]
            # A component may vanish: every one is measured by the largest of the path.
            assert_allclose(balance.flux[axis], wanted.flux, rtol=0, atol=1e-8 * size)
            assert_allclose(balance.drive[axis], wanted.drive, rtol=0, atol=1e-8 * np.abs(wanted.drive).max())
            assert_allclose(balance.stored[axis], wanted.stored, rtol=1e-8, atol=1e-8 * energy)
            assert_allclose(balance.dissipated[axis], wanted.dissipated, rtol=1e-8, atol=1e-8 * lost)
    tangents = macroscopic_tangent(batch, reached[-1].balance)
    for axis in range(3):
        wanted = exact[axis][-1].tangent
        assert_allclose(tangents[axis], wanted, rtol=0, atol=1e-5 * np.abs(wanted).max())
