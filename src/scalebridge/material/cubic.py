"""Cubic materials: C11, C12, C44 in Voigt notation along the cube axes. Their conduction is isotropic."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from scalebridge.core.errors import LawError
from scalebridge.material.symmetry import Symmetry, TensorKind, Values

if TYPE_CHECKING:
    from jaxtyping import Num


def cubic_stiffness(values: Values) -> Num[np.ndarray, "6 6"]:
    """C11 on normals, C12 between them, C44 on shears; Mandel doubles the shears. Shape (6, 6)."""
    c11, c12, c44 = values["C11"], values["C12"], values["C44"]
    normals = c12 * np.ones((3, 3)) + (c11 - c12) * np.eye(3)
    stiffness = np.zeros((6, 6), normals.dtype)
    stiffness[:3, :3] = normals
    stiffness[3:, 3:] = 2 * c44 * np.eye(3)
    return stiffness


def check_cubic(values: Values) -> None:
    """Stability of a cubic crystal: C44 > 0, C11 - C12 > 0, C11 + 2 C12 > 0 (or all zero)."""
    c11, c12, c44 = values["C11"], values["C12"], values["C44"]
    if c11 == c12 == c44 == 0:
        return
    for words, value in (("C44", c44), ("C11 - C12", c11 - c12), ("C11 + 2 C12", c11 + 2 * c12)):
        if value <= 0:
            raise LawError(
                f"A cubic material with C11 = {c11:g}, C12 = {c12:g}, C44 = {c44:g} is unstable: {words} = "
                f"{value:g} "
                "must be positive. Check the units and the order of the constants."
            )


STIFFNESS = Symmetry(
    name="cubic",
    kind=TensorKind.STIFFNESS,
    keys=("C11", "C12", "C44"),
    formula=cubic_stiffness,
    check=check_cubic,
    singular=False,
)
