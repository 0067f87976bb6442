"""Orthotropic materials: three conductivities, or nine engineering constants, along the local x, y, z.

nu_xy = - (strain yy) / (strain xx) under a stress xx, and E_y nu_xy = E_x nu_yx.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from scalebridge.material.symmetry import (
    Symmetry,
    TensorKind,
    Values,
    require_nonnegative,
    require_positive,
)

if TYPE_CHECKING:
    from jaxtyping import Num

CONSTANTS = ("E_x", "E_y", "E_z", "nu_xy", "nu_yz", "nu_xz", "G_xy", "G_yz", "G_xz")


def orthotropic_stiffness(values: Values) -> Num[np.ndarray, "6 6"]:
    """The inverse of the compliance written with the nine engineering constants. Shape (6, 6)."""
    ex, ey, ez = values["E_x"], values["E_y"], values["E_z"]
    s_xy, s_xz, s_yz = -values["nu_xy"] / ex, -values["nu_xz"] / ex, -values["nu_yz"] / ey
    normals = np.array([[1 / ex, s_xy, s_xz], [s_xy, 1 / ey, s_yz], [s_xz, s_yz, 1 / ez]])
    shears = np.array([values["G_yz"], values["G_xz"], values["G_xy"]])
    stiffness = np.zeros((6, 6), np.result_type(normals, shears))
    stiffness[:3, :3] = np.linalg.inv(normals)
    stiffness[3:, 3:] = 2 * np.diag(shears)
    return stiffness


CONDUCTIVITY = Symmetry(
    name="orthotropic",
    kind=TensorKind.CONDUCTIVITY,
    keys=("kx", "ky", "kz"),
    formula=lambda values: np.diag(np.array([values["kx"], values["ky"], values["kz"]])),
    check=lambda values: require_nonnegative(values, "kx", "ky", "kz"),
)
EXPANSION = Symmetry(
    name="orthotropic",
    kind=TensorKind.EXPANSION,
    keys=("alpha_x", "alpha_y", "alpha_z"),
    formula=lambda values: np.diag(np.array([values["alpha_x"], values["alpha_y"], values["alpha_z"]])),
)
STIFFNESS = Symmetry(
    name="orthotropic",
    kind=TensorKind.STIFFNESS,
    keys=CONSTANTS,
    formula=orthotropic_stiffness,
    check=lambda values: require_positive(values, "E_x", "E_y", "E_z", "G_xy", "G_yz", "G_xz"),
    singular=False,
)
