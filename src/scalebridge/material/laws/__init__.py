"""Nonlinear laws and laws with a history: what does one point answer, given where it comes from?

Takes: parameters (SI floats), a drive (n, m), a state, a time step.   Gives: flux, consistent tangent, new state, the
free energy and what was dissipated, for n points at once.
May import: material, numerics, core.   Open first: point.py, then neo_hooke.py and j2.py.
"""

from scalebridge.material.laws.conduction import PowerLawConduction, TemperatureDependentConduction
from scalebridge.material.laws.energy import AbstractEnergyLaw, AbstractHyperelastic
from scalebridge.material.laws.linear import LinearLaw
from scalebridge.material.laws.mooney_rivlin import MooneyRivlin
from scalebridge.material.laws.neo_hooke import NeoHooke
from scalebridge.material.laws.ogden import Ogden
from scalebridge.material.laws.plane import PlaneStrain, PlaneStress
from scalebridge.material.laws.point import AbstractPointLaw, PointUpdate, batched, parameter
from scalebridge.material.laws.saint_venant_kirchhoff import SaintVenantKirchhoff
from scalebridge.material.laws.user import EnergyLaw, UpdateLaw

__all__ = [
    "AbstractEnergyLaw",
    "AbstractHyperelastic",
    "AbstractPointLaw",
    "EnergyLaw",
    "LinearLaw",
    "MooneyRivlin",
    "NeoHooke",
    "Ogden",
    "PlaneStrain",
    "PlaneStress",
    "PointUpdate",
    "PowerLawConduction",
    "SaintVenantKirchhoff",
    "TemperatureDependentConduction",
    "UpdateLaw",
    "batched",
    "parameter",
]
