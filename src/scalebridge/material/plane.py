"""From 3-D materials to 2-D cells: plane strain and plane stress.

The plane is xy. Components split into in-plane p = (xx, yy, xy) and out-of-plane o = zz (the shears yz, xz
vanish in both states as long as the material does not couple them to the plane).
    plane strain:  C_p = C_pp,                       alpha_p = C_pp^-1 (C alpha)_p  [(1 + nu) alpha if
    isotropic] plane stress:  C_p = C_pp - C_po C_oo^-1 C_op,   alpha_p = the in-plane part of alpha
"""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING

import numpy as np

from scalebridge.core.errors import LawError

if TYPE_CHECKING:
    from jaxtyping import Float, Num

IN_PLANE = np.array([0, 1, 5])
OUT_OF_PLANE = 2
ANTIPLANE = np.array([3, 4])
COUPLING_TOLERANCE = 1e-9


class PlaneState(enum.StrEnum):
    """What the third direction does: it may not extend, or it carries no stress."""

    STRAIN = "strain"
    STRESS = "stress"


def plane_tensor(stiffness: np.ndarray, state: PlaneState) -> Num[np.ndarray, "*batch 3 3"]:
    """The 2-D stiffness (..., 3, 3) Mandel (xx, yy, xy) of 3-D ones (..., 6, 6) Mandel.

    Fails when: in-plane strains cause antiplane shear stresses (yz, xz), so that no 2-D state exists
    (LawError).
    """
    stiffness = np.asarray(stiffness)
    _require_no_coupling(stiffness)
    reduction = _reduction(stiffness, state)
    plane = np.swapaxes(reduction, -1, -2) @ stiffness @ reduction
    return (plane + np.swapaxes(plane, -1, -2)) / 2


def plane_derivative(
    stiffness: Num[np.ndarray, "*batch 6 6"], derivative: Num[np.ndarray, "*batch 6 6"], state: PlaneState
) -> Float[np.ndarray, "*batch 3 3"]:
    """d plane_tensor / d parameter (..., 3, 3) from d stiffness / d parameter (..., 6, 6).

    Plane stress makes the energy stationary in the out-of-plane strain, so its own variation drops out.
    """
    reduction = _reduction(np.asarray(stiffness), state)
    return np.swapaxes(reduction, -1, -2) @ derivative @ reduction


def plane_expansion(
    stiffness: np.ndarray, expansion: Num[np.ndarray, "*batch 6"], state: PlaneState
) -> Float[np.ndarray, "*batch 3"]:
    """The 2-D expansion (..., 3) Mandel such that stress_p = C_p (strain_p - alpha_p T); zero in a void."""
    stiffness, expansion = np.asarray(stiffness), np.asarray(expansion)
    _require_no_coupling(stiffness)
    in_plane = np.array(expansion[..., IN_PLANE])
    if state is PlaneState.STRESS:
        return in_plane
    c_pp = stiffness[..., IN_PLANE[:, None], IN_PLANE]
    c_po = stiffness[..., IN_PLANE, OUT_OF_PLANE]
    void = ~np.any(stiffness, axis=(-1, -2))
    solvable = np.where(void[..., None, None], np.eye(3), c_pp)
    extra = np.linalg.solve(solvable, c_po[..., None])[..., 0] * expansion[..., OUT_OF_PLANE, None]
    return np.where(void[..., None], 0.0, in_plane + extra)


def plane_expansion_derivative(
    stiffness: Num[np.ndarray, "6 6"],
    stiffness_derivative: Num[np.ndarray, "6 6"],
    expansion: Num[np.ndarray, " 6"],
    expansion_derivative: Num[np.ndarray, " 6"],
    state: PlaneState,
) -> Float[np.ndarray, " 3"]:
    """d plane_expansion / d parameter (3,) for one law; zero in a void."""
    if not np.any(stiffness):
        return np.zeros(3)
    if state is PlaneState.STRESS:
        return np.array(expansion_derivative[IN_PLANE])
    c_pp = stiffness[np.ix_(IN_PLANE, IN_PLANE)]
    dc_pp = stiffness_derivative[np.ix_(IN_PLANE, IN_PLANE)]
    c_po, dc_po = stiffness[IN_PLANE, OUT_OF_PLANE], stiffness_derivative[IN_PLANE, OUT_OF_PLANE]
    pull = np.linalg.solve(c_pp, c_po)
    change = np.linalg.solve(c_pp, dc_po - dc_pp @ pull)
    return (
        expansion_derivative[IN_PLANE]
        + pull * expansion_derivative[OUT_OF_PLANE]
        + change * expansion[OUT_OF_PLANE]
    )


def _reduction(
    stiffness: Num[np.ndarray, "*batch 6 6"], state: PlaneState
) -> Float[np.ndarray, "*batch 6 3"]:
    """The matrix (..., 6, 3) from in-plane strains to the whole strain of the plane state."""
    reduction = np.zeros((*stiffness.shape[:-2], 6, 3))
    reduction[..., IN_PLANE, np.arange(3)] = 1.0
    if state is PlaneState.STRESS:
        c_oo = stiffness[..., OUT_OF_PLANE, OUT_OF_PLANE]
        safe = np.where(c_oo == 0, 1.0, c_oo)
        reduction[..., OUT_OF_PLANE, :] = -stiffness[..., OUT_OF_PLANE, IN_PLANE] / safe[..., None]
    return reduction


def _require_no_coupling(stiffness: np.ndarray) -> None:
    if stiffness.shape[-2:] != (6, 6):
        raise LawError(f"A plane state needs 3-D stiffnesses (..., 6, 6), got shape {stiffness.shape}.")
    tied = np.array([0, 1, 2, 5])
    coupling = np.abs(stiffness[..., tied[:, None], ANTIPLANE])
    limit = COUPLING_TOLERANCE * np.abs(stiffness).max(axis=(-1, -2))
    if np.any(coupling > limit[..., None, None]):
        *_, row, column = np.unravel_index(int(coupling.argmax()), coupling.shape)
        entry = f"C{tied[row] + 1}{ANTIPLANE[column] + 1}"
        raise LawError(
            f"In-plane strains of this material cause antiplane shear ({entry} = {coupling.max():g} in "
            "Mandel "
            "notation), so neither plane strain nor plane stress exists. Orient it so that the xy plane is a "
            "plane "
            "of symmetry, or solve a 3-D image."
        )
