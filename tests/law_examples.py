"""One instance of every law of a point, by name; the family's shared tests run over this list. A new law joins it here.

Moduli are of the order of one, so that one tolerance serves all; `SCALES` says by how much a drive of each law may
differ from the virgin one, where 0.2 is not its natural size.
"""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np

from scalebridge.material import FINITE_STRAIN, SMALL_STRAIN, Elasticity
from scalebridge.material.laws import (
    AbstractPointLaw,
    EnergyLaw,
    LinearLaw,
    MooneyRivlin,
    NeoHooke,
    Ogden,
    PlaneStrain,
    PlaneStress,
    PowerLawConduction,
    SaintVenantKirchhoff,
    TemperatureDependentConduction,
    UpdateLaw,
)
from scalebridge.material.laws.backstress import ArmstrongFrederickBackstress, PragerBackstress
from scalebridge.material.laws.crystal import CubicCrystal
from scalebridge.material.laws.damage import IsotropicDamage
from scalebridge.material.laws.equivalent_strain import MazarsStrain
from scalebridge.material.laws.finite_j2 import FiniteJ2Plasticity
from scalebridge.material.laws.hardening import LinearHardening, NoHardening, VoceHardening
from scalebridge.material.laws.j2 import J2Plasticity
from scalebridge.material.laws.maxwell import GeneralizedMaxwell
from scalebridge.material.laws.norton import NortonCreep

BULK, SHEAR = 3.0, 1.2


def stiffening(strain, parameters):
    """K/2 tr^2 + G dev:dev + B (dev:dev)^2: isotropic and convex."""
    trace = strain[0] + strain[1] + strain[2]
    deviator = strain - trace / 3 * jnp.array([1.0, 1.0, 1.0, 0.0, 0.0, 0.0])
    square = jnp.sum(deviator**2)
    return parameters["K"] / 2 * trace**2 + parameters["G"] * square + parameters["B"] * square**2


def stretching(drive, parameters):
    """The neo-Hookean energy of NeoHooke, as a user would write it."""
    f = drive.reshape(3, 3)
    log_volume = jnp.log(jnp.linalg.det(f))
    lame = parameters["K"] - 2 * parameters["G"] / 3
    return parameters["G"] * ((jnp.sum(f**2) - 3) / 2 - log_volume) + lame / 2 * log_volume**2


def relaxing(state, strain, dt, parameters):
    """A Maxwell element with its energy: stress' = 2 G strain' - stress / t_r, backward Euler."""
    stress = (state["stress"] + 2 * parameters["G"] * (strain - state["strain"])) / (
        1 + dt / parameters["t_r"]
    )
    viscous = dt / parameters["t_r"] * stress / (2 * parameters["G"])
    stored = jnp.sum(stress**2) / (4 * parameters["G"])
    return stress, {"stress": stress, "strain": strain}, stored, jnp.sum(stress * viscous)


ALL: dict[str, AbstractPointLaw] = {
    "linear solid": LinearLaw.of(Elasticity.isotropic(K=BULK, G=SHEAR)),
    "linear conductor": LinearLaw(np.array([[2.0, 0.3, 0.0], [0.3, 1.0, 0.1], [0.0, 0.1, 0.5]])),
    "Saint-Venant-Kirchhoff": SaintVenantKirchhoff.isotropic(BULK, SHEAR),
    "neo-Hooke": NeoHooke(BULK, SHEAR),
    "Mooney-Rivlin": MooneyRivlin(0.4, 0.2, BULK),
    "Ogden": Ogden([1.0, -0.2], [1.6, -4.0], BULK),
    "power-law conduction": PowerLawConduction(1.5, 2.5, 0.3, 1e-2),
    "shear-thinning conduction": PowerLawConduction(1.5, 0.6, 0.3, 1e-1),
    "temperature-dependent conduction": TemperatureDependentConduction(
        [250.0, 300.0, 400.0], [1.0, 2.0, 1.5]
    ),
    "own energy": EnergyLaw(stiffening, {"K": BULK, "G": SHEAR, "B": 5.0}, SMALL_STRAIN),
    "own hyperelastic energy": EnergyLaw(stretching, {"K": BULK, "G": SHEAR}, FINITE_STRAIN),
    "own update": UpdateLaw(
        relaxing,
        {"G": SHEAR, "t_r": 2.0},
        SMALL_STRAIN,
        {"stress": np.zeros(6), "strain": np.zeros(6)},
        symmetric=True,
    ),
    "plane strain of neo-Hooke": PlaneStrain(NeoHooke(BULK, SHEAR)),
    "plane stress of neo-Hooke": PlaneStress(NeoHooke(BULK, SHEAR)),
    "plane stress of a linear solid": PlaneStress(LinearLaw.of(Elasticity.isotropic(K=BULK, G=SHEAR))),
    "no flow across the plane": PlaneStress(LinearLaw(np.diag([2.0, 1.0, 0.5]))),
    "plane stress of J2": PlaneStress(J2Plasticity(BULK, SHEAR, 0.1, LinearHardening(0.3))),
    "perfect J2": J2Plasticity(BULK, SHEAR, 0.1),
    "linear J2": J2Plasticity(BULK, SHEAR, 0.1, LinearHardening(0.3)),
    "Voce J2": J2Plasticity(BULK, SHEAR, 0.1, VoceHardening(0.1, 10.0, 0.05)),
    "Prager J2": J2Plasticity(BULK, SHEAR, 0.1, NoHardening(), PragerBackstress(0.3)),
    "Armstrong-Frederick J2": J2Plasticity(
        BULK, SHEAR, 0.1, VoceHardening(0.1, 10.0), ArmstrongFrederickBackstress(0.8, 8.0)
    ),
    "finite-strain J2": FiniteJ2Plasticity(BULK, SHEAR, 0.1, VoceHardening(0.1, 10.0, 0.05)),
    "Maxwell": GeneralizedMaxwell(BULK, SHEAR / 4, [0.6, 0.3], [0.1, 1.0], [1.0], [0.5]),
    "Norton": NortonCreep(BULK, SHEAR, 0.1, 0.1, 5.0),
    "damage by energy": IsotropicDamage(BULK, SHEAR, 0.02, 0.2),
    "damage by extension": IsotropicDamage(BULK, SHEAR, 0.02, 0.2, MazarsStrain()),
    "fcc crystal": CubicCrystal(4.0, 2.0, 1.5, 0.05, 0.02, 5.0, 0.1, 5.0, 1.2),
}

SCALES: dict[str, float] = {}

ELASTIC_MODULI = {"bulk": BULK, "shear": SHEAR}
FINITE_STRAIN_ELASTIC = (
    "Saint-Venant-Kirchhoff",
    "neo-Hooke",
    "Mooney-Rivlin",
    "Ogden",
    "own hyperelastic energy",
)
ELASTIC = (
    *FINITE_STRAIN_ELASTIC,
    "linear solid",
    "linear conductor",
    "power-law conduction",
    "shear-thinning conduction",
    "temperature-dependent conduction",
    "own energy",
    "plane strain of neo-Hooke",
    "plane stress of neo-Hooke",
    "plane stress of a linear solid",
    "no flow across the plane",
)
ANISOTROPIC = ("linear conductor", "no flow across the plane", "fcc crystal")
"""Laws that do not commute with rotations of the drive (small strain, transport) when their axes stay."""
