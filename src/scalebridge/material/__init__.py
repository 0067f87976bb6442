"""Constitutive laws: what does one point of a phase answer to a gradient or a strain?

Takes: properties (plain SI floats, each with an optional uncertainty), an orientation.   Gives: laws.
May import: grid, numerics, core.   Open first: law.py, then conduction.py; symmetries.py lists the symmetry
classes. Laws with a history, or nonlinear ones, are in laws/.
"""

from scalebridge.material.conduction import Conduction
from scalebridge.material.elasticity import Elasticity
from scalebridge.material.from_properties import dimension_of, law_from_properties
from scalebridge.material.kinematics import FINITE_STRAIN, GRADIENT, SMALL_STRAIN, Kinematics
from scalebridge.material.law import AbstractLaw, Response
from scalebridge.material.physics import Physics, Transport
from scalebridge.material.plane import PlaneState
from scalebridge.material.thermoelasticity import Thermoelasticity

__all__ = [
    "FINITE_STRAIN",
    "GRADIENT",
    "SMALL_STRAIN",
    "AbstractLaw",
    "Conduction",
    "Elasticity",
    "Kinematics",
    "Physics",
    "PlaneState",
    "Response",
    "Thermoelasticity",
    "Transport",
    "dimension_of",
    "law_from_properties",
]
