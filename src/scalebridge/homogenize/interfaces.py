r"""How much the answer depends on where exactly the interfaces run inside their voxels.

An interface may lie anywhere in the voxels that it crosses: one voxel decided for the wrong side by up to a half has a
fraction error uniform in +-1/2 (variance 1/12). The voxels crossed are about as many as the voxel faces F_ab between
the phases a and b, so the fraction of b is uncertain by sigma_ab = sqrt(F_ab / 12) / N. What a fraction is worth
follows from the mean drives of the phases under unit loads, at no extra solve:
    dC / df_b ~ E_a^T (C_b - C_a) E_b,     E_p = mean drive in phase p,
which is exact for dilute ellipsoids and for Hashin's coated spheres. The pairs are independent: their squares add.
Rounding is independent from voxel to voxel on irregular interfaces (arrays off the grid: 0.7 to 0.9 sigma_ab measured),
but symmetric inclusions centred on the grid repeat the same rounding in up to 2^d d! places (measured: 2.4 sigma_ab for
discs, 3.6 for spheres), hence COVERAGE sigmas. docs/error-budget.md shows what that covers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from scalebridge.cell.moments import Moments
from scalebridge.homogenize.phases import Phases

if TYPE_CHECKING:
    from jaxtyping import Float, Integer, Num

COVERAGE = 3.0


def interface_faces(index: Integer[np.ndarray, "*shape"], phases: int) -> Num[np.ndarray, "P P"]:
    """Voxel faces between every two phases inside the image, symmetric (P, P), zero diagonal.

    The outer faces are left out: no interface runs there unless the image is periodic, and then few.
    """
    counts = np.zeros((phases, phases))
    for axis in range(index.ndim):
        line = np.moveaxis(index, axis, 0)
        low, high = line[:-1], line[1:]
        differ = low != high
        pairs = low[differ].astype(np.int64) * phases + high[differ]
        counts += np.bincount(pairs, minlength=phases * phases).reshape(phases, phases)
    return counts + counts.T


def interface_error(
    phases: Phases, moments: Moments, mix: Float[np.ndarray, "L m"], value: Float[np.ndarray, "m m"]
) -> float | None:
    """The relative error of `value` that COVERAGE sigmas of the interfaces' positions stand for.

    Shapes: mix (L, m), the combination of the solved loads that makes unit mean drives; value (m, m).
    None where the mean drives of the phases are not known (very many phases, or orientations per voxel).
    """
    scale = float(np.linalg.norm(value))
    if moments.phase_drive is None or scale == 0:
        return None
    image = phases.image
    faces = interface_faces(image.index, len(image.present))
    fractions = np.array([image.fractions[label] for label in image.present])
    drive = np.einsum("lj,pla->pja", mix, moments.phase_drive) / fractions[:, None, None]
    squares = 0.0
    for a, b in np.argwhere(np.triu(faces)):
        worth = drive[a] @ (phases.matrices[b] - phases.matrices[a]) @ drive[b].T
        squares += faces[a, b] / 12 * float(np.sum(worth**2))
    return COVERAGE * float(np.sqrt(squares)) / (image.grid.size * scale)
