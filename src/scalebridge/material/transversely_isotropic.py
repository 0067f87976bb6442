"""Transversely isotropic materials (fibres, plies): an axis, and no preferred direction across it.

Local axes: z is the axis. nu_axial = - (radial strain) / (axial strain) under axial stress; nu_radial
likewise between two radial directions; G_axial is the shear modulus in planes that contain the axis.
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


def transverse_stiffness(values: Values) -> Num[np.ndarray, "6 6"]:
    """The inverse of the compliance written with the five engineering constants. Shape (6, 6)."""
    axial, radial = values["E_axial"], values["E_radial"]
    shear_radial = radial / (2 * (1 + values["nu_radial"]))
    s_xy = -values["nu_radial"] / radial
    s_xz = -values["nu_axial"] / axial
    normals = np.array([[1 / radial, s_xy, s_xz], [s_xy, 1 / radial, s_xz], [s_xz, s_xz, 1 / axial]])
    stiffness = np.zeros((6, 6), normals.dtype)
    stiffness[:3, :3] = np.linalg.inv(normals)
    stiffness[3, 3] = stiffness[4, 4] = 2 * values["G_axial"]
    stiffness[5, 5] = 2 * shear_radial
    return stiffness


def check_transverse(values: Values) -> None:
    """Moduli positive; what the Poisson ratios may be is decided by the eigenvalues."""
    require_positive(values, "E_axial", "E_radial", "G_axial")
    require_positive({"1 + nu_radial": 1 + values["nu_radial"]}, "1 + nu_radial")


CONDUCTIVITY = Symmetry(
    name="transversely isotropic",
    kind=TensorKind.CONDUCTIVITY,
    keys=("k_axial", "k_radial"),
    formula=lambda v: np.array(
        [[v["k_radial"], 0.0, 0.0], [0.0, v["k_radial"], 0.0], [0.0, 0.0, v["k_axial"]]]
    ),
    check=lambda values: require_nonnegative(values, "k_axial", "k_radial"),
)
EXPANSION = Symmetry(
    name="transversely isotropic",
    kind=TensorKind.EXPANSION,
    keys=("alpha_axial", "alpha_radial"),
    formula=lambda v: np.array(
        [[v["alpha_radial"], 0.0, 0.0], [0.0, v["alpha_radial"], 0.0], [0.0, 0.0, v["alpha_axial"]]]
    ),
)
STIFFNESS = Symmetry(
    name="transversely isotropic",
    kind=TensorKind.STIFFNESS,
    keys=("E_axial", "E_radial", "nu_axial", "nu_radial", "G_axial"),
    formula=transverse_stiffness,
    check=check_transverse,
    singular=False,
)
