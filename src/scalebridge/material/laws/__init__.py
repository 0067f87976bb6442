"""Nonlinear laws and laws with a history: what does one point answer, given where it comes from?

Takes: parameters (SI floats), a drive (n, m), a state, a time step.   Gives: flux, consistent tangent, new state, the
free energy and what was dissipated, for n points at once.
May import: material, numerics, core.   Open first: point.py, then neo_hooke.py and j2.py.
"""

from scalebridge.material.laws.linear import LinearLaw
from scalebridge.material.laws.point import AbstractPointLaw, PointUpdate, batched, parameter

__all__ = ["AbstractPointLaw", "LinearLaw", "PointUpdate", "batched", "parameter"]
