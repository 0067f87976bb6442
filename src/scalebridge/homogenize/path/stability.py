r"""What a macroscopic tangent says about the material: is it stable, and can it still not localize?

A material is stable in the small where the symmetric part of its tangent is positive definite. Deformation can gather
in a band of normal n as soon as det Q(n) <= 0 for the acoustic tensor Q_ik = n_j A_ijkl n_l; the symmetric part of Q is
looked at (strong ellipticity), which is lost first. References: [rice1976].
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from scalebridge.material.kinematics import Kinematics
from scalebridge.numerics.mandel import from_mandel4

if TYPE_CHECKING:
    from jaxtyping import Float

DIRECTIONS = 400
_FLAT = 1e-8  # relative to the largest eigenvalue: perfect plasticity is flat, and not meant


def least_stiffness(tangent: Float[np.ndarray, "m m"]) -> float:
    """Smallest over largest eigenvalue of the symmetric part."""
    values = np.linalg.eigvalsh((tangent + tangent.T) / 2)
    return float(values[0] / np.abs(values).max()) if np.any(values) else 0.0


def least_ellipticity(
    tangent: Float[np.ndarray, "m m"], kinematics: Kinematics, ndim: int
) -> tuple[float, Float[np.ndarray, " {ndim}"]]:
    """Smallest eigenvalue of sym Q(n) over the largest of all n, and the n of the smallest; n from a spiral."""
    if not kinematics.vector:
        full = tangent[None, :, None, :]
    elif kinematics.symmetric:
        full = from_mandel4(tangent)
    else:
        full = tangent.reshape(ndim, ndim, ndim, ndim)
    normals = _directions(ndim)
    acoustic = np.einsum("nj,ijkl,nl->nik", normals, full, normals)
    values = np.linalg.eigvalsh((acoustic + acoustic.swapaxes(1, 2)) / 2)
    worst = int(np.argmin(values[:, 0]))
    top = float(np.abs(values).max())
    return (float(values[worst, 0]) / top if top > 0 else 0.0), normals[worst]


def tangent_warnings(
    tangent: Float[np.ndarray, "m m"], kinematics: Kinematics, ndim: int, increment: int
) -> tuple[str, ...]:
    """In words, what is wrong with the tangent at the end of an increment; empty for a stable one."""
    told = []
    if least_stiffness(tangent) < -_FLAT:
        told.append(
            f"The macroscopic tangent is not positive definite at increment {increment}: under prescribed stress this "
            "state is unstable."
        )
    value, normal = least_ellipticity(tangent, kinematics, ndim)
    if value < -_FLAT:
        told.append(
            f"The macroscopic tangent lost ellipticity at increment {increment} (normal "
            f"{np.round(normal, 2).tolist()}): deformation localizes in bands, and the answer from there on depends on "
            "the size of the cell."
        )
    return tuple(told)


def _directions(ndim: int) -> Float[np.ndarray, "n {ndim}"]:
    """Unit vectors over half of the circle or the sphere (opposite normals are the same)."""
    n = np.arange(DIRECTIONS)
    if ndim == 2:
        angle = np.pi * n / DIRECTIONS
        return np.stack([np.cos(angle), np.sin(angle)], axis=1)
    z = (n + 0.5) / DIRECTIONS
    angle = np.pi * (3 - np.sqrt(5.0)) * n
    r = np.sqrt(1 - z**2)
    spiral = np.stack([r * np.cos(angle), r * np.sin(angle), z], axis=1)
    return np.concatenate([spiral, np.eye(3)])
