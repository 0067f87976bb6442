"""Averages of a tensor over many orientations: what a polycrystal or a fibre tow looks like on average.

The mean of a rotated tensor needs only the moments of the rotation matrices, which are matrix products over
all voxels: memory stays small and millions of orientations take seconds.
    mean k_ij = <R_ia R_jb> k_ab          mean C_ijkl = <R_ia R_jb R_kc R_ld> C_abcd
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from scalebridge.numerics.mandel import from_mandel4, to_mandel4

if TYPE_CHECKING:
    from jaxtyping import Float, Num

_CHUNK = 1 << 11  # pairs of a chunk stay in the cache


def second_moment(rotations: Num[np.ndarray, "d d ..."]) -> Float[np.ndarray, "d d d d"]:
    """<R_ia R_jb> of rotations (d, d, ...), shape (d, d, d, d) in the order i, a, j, b."""
    d = len(rotations)
    q = np.asarray(rotations, float).reshape(d * d, -1)
    return (q @ q.T / q.shape[1]).reshape(d, d, d, d)


def fourth_moment(rotations: Num[np.ndarray, "d d ..."]) -> Float[np.ndarray, "d d d d d d d d"]:
    """<R_ia R_jb R_kc R_ld> of rotations (d, d, ...), shape (d,) * 8 in the order i, a, j, b, k, c, l, d."""
    d = len(rotations)
    q = np.asarray(rotations).reshape(d * d, -1)
    rows, columns = np.triu_indices(d * d)
    total = np.zeros((len(rows), len(rows)))
    for start in range(0, q.shape[1], _CHUNK):
        part = np.asarray(q[:, start : start + _CHUNK], float)
        pairs = part[rows] * part[columns]
        total += pairs @ pairs.T
    place = np.zeros((d * d, d * d), int)  # where a pair of entries sits among the distinct ones
    place[rows, columns] = place[columns, rows] = np.arange(len(rows))
    return (total[place[:, :, None, None], place] / q.shape[1]).reshape((d,) * 8)


def mean_rotated2(
    tensor: Num[np.ndarray, "d d"], rotations: Num[np.ndarray, "d d ..."]
) -> Float[np.ndarray, "d d"]:
    """The mean of R t R^T over rotations (d, d, ...) for a second-order tensor (d, d)."""
    return np.einsum("iajb,ab->ij", second_moment(rotations), tensor)


def mean_rotated4(
    matrices: Num[np.ndarray, "*batch m m"], rotations: Num[np.ndarray, "d d ..."]
) -> Float[np.ndarray, "*batch m m"]:
    """The mean of rotated Mandel matrices (..., m, m) over rotations (d, d, ...)."""
    moment = fourth_moment(rotations)
    return to_mandel4(np.einsum("iajbkcld,...abcd->...ijkl", moment, from_mandel4(matrices)))
