"""Laws that are composed of parts, made from plain numbers: what the catalogue offers by name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from scalebridge.core.errors import LawError
from scalebridge.material.laws.backstress import (
    AbstractBackstress,
    ArmstrongFrederickBackstress,
    NoBackstress,
    PragerBackstress,
)
from scalebridge.material.laws.crystal import CubicCrystal
from scalebridge.material.laws.damage import IsotropicDamage
from scalebridge.material.laws.equivalent_strain import MazarsStrain
from scalebridge.material.laws.finite_j2 import FiniteJ2Plasticity
from scalebridge.material.laws.hardening import AbstractHardening, LinearHardening, NoHardening, VoceHardening
from scalebridge.material.laws.j2 import J2Plasticity

if TYPE_CHECKING:
    from jaxtyping import Float


def j2_plasticity(
    bulk: Any,
    shear: Any,
    yield_stress: Any,
    hardening: Any = 0.0,
    saturation: Any = 0.0,
    saturation_rate: Any = None,
    kinematic: Any = 0.0,
    recall: Any = 0.0,
) -> J2Plasticity:
    """J2 plasticity at small strain: R = hardening alpha + saturation (1 - exp(-saturation_rate alpha)); X' = 2/3
    kinematic eps_p' - recall X alpha'."""
    return J2Plasticity(
        bulk,
        shear,
        yield_stress,
        _hardening(hardening, saturation, saturation_rate),
        _backstress(kinematic, recall),
    )


def finite_strain_j2_plasticity(
    bulk: Any,
    shear: Any,
    yield_stress: Any,
    hardening: Any = 0.0,
    saturation: Any = 0.0,
    saturation_rate: Any = None,
) -> FiniteJ2Plasticity:
    """J2 plasticity at finite strain, in logarithmic strains; hardening as at small strain."""
    return FiniteJ2Plasticity(bulk, shear, yield_stress, _hardening(hardening, saturation, saturation_rate))


def mazars_damage(bulk: Any, shear: Any, threshold: Any, softening: Any) -> IsotropicDamage:
    """Isotropic damage driven by extension (Mazars): sigma = (1 - d) C eps, exponential softening."""
    return IsotropicDamage(bulk, shear, threshold, softening, MazarsStrain())


def fcc_crystal(
    C11: Any,
    C12: Any,
    C44: Any,
    resistance: Any,
    saturation: Any,
    hardening_rate: Any,
    rate: Any,
    exponent: Any,
    latent: Any = 1.0,
    orientation: Any = (0.0, 0.0, 0.0),
) -> CubicCrystal:
    """Single fcc crystal at small strain: viscoplastic slip on {111}<110>, Voce hardening, with an orientation.

    orientation: three Euler angles of Bunge in radians, or the nine entries of the rotation matrix, rows first (see
    `crystal_rotation`). Fails when: it is neither (LawError), and as CubicCrystal does.
    """
    return CubicCrystal(
        C11,
        C12,
        C44,
        resistance,
        saturation,
        hardening_rate,
        rate,
        exponent,
        latent,
        crystal_rotation(orientation),
    )


def crystal_rotation(orientation: Any) -> Float[np.ndarray, "3 3"]:
    r"""The rotation (3, 3) from the axes of a crystal to those of the sample: R = R_z(phi_1) R_x(Phi) R_z(phi_2).

    orientation: the angles phi_1, Phi, phi_2 (radians), by which the axes of the sample are turned about z, the new x
    and the new z to become those of the crystal, or the nine entries of R, rows first. Fails when: it has another
    number of entries (LawError).
    """
    values = np.asarray(orientation, float)
    if values.size == 9:
        return values.reshape(3, 3)
    if values.shape != (3,):
        raise LawError(
            "An orientation has three Euler angles (Bunge: phi_1, Phi, phi_2) or the nine entries of a rotation "
            f"matrix, rows first; got {values.size} numbers."
        )
    first, tilt, second = values
    return _turned(first, 0, 1) @ _turned(tilt, 1, 2) @ _turned(second, 0, 1)


def _turned(angle: float, i: int, j: int) -> np.ndarray:
    """The rotation that takes axis i towards axis j."""
    turned = np.eye(3)
    turned[i, i] = turned[j, j] = np.cos(angle)
    turned[j, i] = np.sin(angle)
    turned[i, j] = -turned[j, i]
    return turned


def _hardening(modulus: Any, saturation: Any, rate: Any) -> AbstractHardening:
    if saturation:
        if rate is None:
            raise LawError("Hardening with a saturation needs its saturation_rate, a number above zero.")
        return VoceHardening(saturation, rate, modulus)
    if rate is not None:
        raise LawError("A saturation_rate without a saturation does nothing: give both, or neither.")
    return LinearHardening(modulus) if modulus else NoHardening()


def _backstress(modulus: Any, recall: Any) -> AbstractBackstress:
    if recall:
        return ArmstrongFrederickBackstress(modulus, recall)
    return PragerBackstress(modulus) if modulus else NoBackstress()
