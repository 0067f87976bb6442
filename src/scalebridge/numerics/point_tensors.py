"""Second-order tensors of one point in jax.numpy, to be used under `jax.vmap`: notation, determinant, inverse.

`mandel.py` does the same for NumPy arrays of any number of points. 3x3 formulae in closed form: a library call per
point would cost more than the arithmetic.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import jax
import jax.numpy as jnp
import numpy as np

from scalebridge.numerics.mandel import PAIRS, weights

if TYPE_CHECKING:
    from jaxtyping import Float

_ROWS, _COLUMNS = np.array(PAIRS[3]).T
_WEIGHTS = weights(3)
_PLACES = np.array([[0, 5, 4], [5, 1, 3], [4, 3, 2]])  # where an entry of the matrix sits in a Mandel vector
_SCALES = 1 / _WEIGHTS[_PLACES]


def matrix_of(vector: Float[jax.Array, " 6"]) -> Float[jax.Array, "3 3"]:
    """A Mandel vector (6,) as a symmetric matrix (3, 3)."""
    return vector[_PLACES] * _SCALES


def mandel_of(matrix: Float[jax.Array, "3 3"]) -> Float[jax.Array, " 6"]:
    """The symmetric part of a matrix (3, 3) as a Mandel vector (6,)."""
    return (matrix[_ROWS, _COLUMNS] + matrix[_COLUMNS, _ROWS]) / 2 * _WEIGHTS


def product(a: Float[jax.Array, "3 3"], b: Float[jax.Array, "3 3"]) -> Float[jax.Array, "3 3"]:
    """a b for matrices (3, 3), as sums that fuse with what is around them: batched products of matrices do not."""
    return jnp.sum(a[:, :, None] * b[None, :, :], axis=1)


def cofactor(matrix: Float[jax.Array, "3 3"]) -> Float[jax.Array, "3 3"]:
    """det(A) A^-T of (3, 3): exists for singular matrices, too."""
    following, last = jnp.roll(matrix, -1, axis=0), jnp.roll(matrix, 1, axis=0)
    return jnp.roll(following, -1, 1) * jnp.roll(last, 1, 1) - jnp.roll(following, 1, 1) * jnp.roll(
        last, -1, 1
    )


def determinant(matrix: Float[jax.Array, "3 3"]) -> Float[jax.Array, ""]:
    """det of (3, 3)."""
    return jnp.sum(matrix[0] * cofactor(matrix)[0])


def inverse(matrix: Float[jax.Array, "3 3"]) -> Float[jax.Array, "3 3"]:
    """The inverse of (3, 3); infinite or NaN where the determinant is zero."""
    adjugate = cofactor(matrix).T
    return adjugate / jnp.sum(matrix[0] * adjugate[:, 0])
