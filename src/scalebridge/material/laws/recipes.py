"""Laws that are composed of parts, made from plain numbers: what the catalogue offers by name."""

from __future__ import annotations

from typing import Any

from scalebridge.core.errors import LawError
from scalebridge.material.laws.backstress import (
    AbstractBackstress,
    ArmstrongFrederickBackstress,
    NoBackstress,
    PragerBackstress,
)
from scalebridge.material.laws.damage import IsotropicDamage
from scalebridge.material.laws.equivalent_strain import MazarsStrain
from scalebridge.material.laws.finite_j2 import FiniteJ2Plasticity
from scalebridge.material.laws.hardening import AbstractHardening, LinearHardening, NoHardening, VoceHardening
from scalebridge.material.laws.j2 import J2Plasticity


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
