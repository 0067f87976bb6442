"""Linear systems of a few unknowns, one per point, in arithmetic that vectorizes over the points.

LAPACK is called once per point of a batch, which costs more than the arithmetic of a 3x3 system. Gauss-Jordan
elimination with partial pivoting, unrolled over the columns, is a handful of array operations over all points.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import jax
import jax.numpy as jnp

if TYPE_CHECKING:
    from jaxtyping import Float


def solve_dense(matrix: Float[jax.Array, "k k"], right: Float[jax.Array, "k *m"]) -> Float[jax.Array, "k *m"]:
    """x with matrix x = right, for matrix (k, k) and right (k,) or (k, m); k up to about 20.

    To be used under `jax.vmap`; can be differentiated. A singular matrix gives finite numbers of no meaning, not NaN:
    the caller sees it in the residual.
    """
    k = matrix.shape[0]
    table = jnp.concatenate([matrix, right.reshape(k, -1)], axis=1)
    rows = jnp.arange(k)
    for column in range(k):
        candidates = jnp.where(rows >= column, jnp.abs(table[:, column]), -1.0)
        chosen = (rows == jnp.argmax(candidates))[:, None]  # selected, not gathered: gathers do not vectorize
        pivot_row = jnp.sum(jnp.where(chosen, table, 0.0), axis=0)
        swapped = jnp.where(chosen, table[column], table)
        pivot = pivot_row[column]
        usable = jnp.isfinite(pivot) & (pivot != 0.0)
        pivot_row = pivot_row / jnp.where(usable, pivot, 1.0)
        eliminated = swapped - swapped[:, column, None] * pivot_row
        table = jnp.where((rows == column)[:, None], pivot_row, eliminated)
    return table[:, k:].reshape(right.shape)
