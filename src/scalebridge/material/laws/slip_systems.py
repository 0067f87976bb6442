r"""The slip systems of a crystal, in its own axes: normals, directions, Schmid tensors."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np

from scalebridge.numerics.mandel import PAIRS, SQRT2, to_mandel, weights

if TYPE_CHECKING:
    from jaxtyping import Float, Num

_ROWS, _COLUMNS = np.array(PAIRS[3]).T


def octahedral_systems() -> tuple[Float[np.ndarray, "n 3"], Float[np.ndarray, "n 3"]]:
    """The 12 systems {111}<110> of an fcc crystal: unit normals (12, 3) and slip directions (12, 3)."""
    planes = np.array([(1, *signs) for signs in product((1, -1), repeat=2)]) / np.sqrt(3)
    edges = [(i, j, sign) for i, j in ((1, 2), (0, 2), (0, 1)) for sign in (1, -1)]
    lines = np.zeros((len(edges), 3))
    for line, (i, j, sign) in zip(lines, edges, strict=True):
        line[i], line[j] = 1 / SQRT2, sign / SQRT2
    pairs = [(normal, line) for normal in planes for line in lines if abs(normal @ line) < 1e-12]
    normals, directions = (np.array(part) for part in zip(*pairs, strict=True))
    return normals, directions


def schmid_tensors(
    normals: Num[np.ndarray, "n 3"], directions: Num[np.ndarray, "n 3"]
) -> Float[np.ndarray, "n 6"]:
    """sym(direction (x) normal) as Mandel vectors (n, 6): times a stress, the resolved shear stresses."""
    return to_mandel(directions[:, :, None] * normals[:, None, :])


# An orthonormal basis of deviators in which a cubic stiffness is diagonal: C11 - C12 twice, 2 C44 three times.
CUBIC_DEVIATORS = np.array(
    [
        [2 / np.sqrt(6), -1 / np.sqrt(6), -1 / np.sqrt(6), 0, 0, 0],
        [0, 1 / SQRT2, -1 / SQRT2, 0, 0, 0],
        [0, 0, 0, 1, 0, 0],
        [0, 0, 0, 0, 1, 0],
        [0, 0, 0, 0, 0, 1],
    ]
)


def turned_mandel(rotation: Any) -> Float[jax.Array, "6 6"]:
    """The Mandel matrix Q (6, 6) of a rotation R (3, 3), traceable: mandel(R t R^T) = Q mandel(t)."""
    rotation = jnp.asarray(rotation)
    direct = rotation[_ROWS[:, None], _ROWS] * rotation[_COLUMNS[:, None], _COLUMNS]
    crossed = rotation[_ROWS[:, None], _COLUMNS] * rotation[_COLUMNS[:, None], _ROWS]
    return (direct + crossed) / 2 * np.outer(weights(3), weights(3))
