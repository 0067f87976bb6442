"""The list of symmetry classes. Joining it is part of adding one: the shared tests run over it."""

from __future__ import annotations

from scalebridge.material import anisotropic, cubic, isotropic, orthotropic, transversely_isotropic
from scalebridge.material.symmetry import Symmetry

SYMMETRIES: tuple[Symmetry, ...] = (
    isotropic.CONDUCTIVITY,
    isotropic.VOID_CONDUCTIVITY,
    transversely_isotropic.CONDUCTIVITY,
    orthotropic.CONDUCTIVITY,
    *anisotropic.CONDUCTIVITY.values(),
    *isotropic.STIFFNESSES,
    isotropic.VOID_STIFFNESS,
    cubic.STIFFNESS,
    transversely_isotropic.STIFFNESS,
    orthotropic.STIFFNESS,
    *anisotropic.STIFFNESS.values(),
    isotropic.EXPANSION,
    isotropic.VOID_EXPANSION,
    transversely_isotropic.EXPANSION,
    orthotropic.EXPANSION,
    *anisotropic.EXPANSION.values(),
)
