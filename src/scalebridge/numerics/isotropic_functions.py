r"""Functions of symmetric 3x3 tensors of one point: f(A) = sum_i f(a_i) n_i (x) n_i, with exact derivatives.

Derivatives of eigenvectors do not exist where eigenvalues coincide; those of f(A) do. With E = N^T (A - A0) N around
the point A0 = N diag(a) N^T, and divided differences f[.,.], f[.,.,.] in place of quotients [higham2008],

    (N^T f(A) N)_ij = f(a_i) d_ij + f[a_i, a_j] E_ij + sum_k f[a_i, a_k, a_j] E_ik E_kj + O(E^3).

The sum is what is computed, with a, N and the divided differences as constants of differentiation: E is zero, so the
value is f(A0), and first and second derivatives are exact, forwards, backwards and mixed, whatever eigenvalues
coincide. THIRD derivatives are not those of f: an energy of f(A) has its stress and its tangent, and no more.
Divided differences of close arguments come from the Taylor series, of others from quotients: errors of 1e-14.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from scalebridge.numerics.point_tensors import product

if TYPE_CHECKING:
    from jaxtyping import Float

_SWEEPS = 6  # of cyclic Jacobi; the convergence is quadratic and double precision is reached in at most five
_TERMS = 12
_CLOSE = 0.03  # of the length over which the function changes: below, the series has converged to 1e-16
_PAIRS = np.array([(i, j) for i in range(3) for j in range(i, 3)])
_TRIPLES = np.array([(i, j, k) for i in range(3) for j in range(i, 3) for k in range(j, 3)])
_PAIR_AT = np.array(
    [[[*map(tuple, _PAIRS)].index((min(i, j), max(i, j))) for j in range(3)] for i in range(3)]
)
_TRIPLE_AT = np.array(
    [
        [[[*map(tuple, _TRIPLES)].index(tuple(sorted((i, k, j)))) for j in range(3)] for k in range(3)]
        for i in range(3)
    ]
)


class ScalarFunction(NamedTuple):
    """f of one variable. series(x): [f(x), f'(x), f''(x)/2, ..., f^(n)(x)/n!] with n = _TERMS; length(x): over what
    change of x the function changes (the radius of convergence, or less); value(x): f(x)."""

    value: Callable[[jax.Array], jax.Array]
    series: Callable[[jax.Array], list[jax.Array]]
    length: Callable[[jax.Array], jax.Array]


def symmetric_log(matrix: Float[jax.Array, "3 3"]) -> Float[jax.Array, "3 3"]:
    """log A of a positive definite matrix (3, 3); NaN where it is not."""
    return isotropic_function(_LOG, matrix)


def symmetric_exp(matrix: Float[jax.Array, "3 3"]) -> Float[jax.Array, "3 3"]:
    """exp A of a symmetric matrix (3, 3)."""
    return isotropic_function(_EXP, matrix)


def symmetric_sqrt(matrix: Float[jax.Array, "3 3"]) -> Float[jax.Array, "3 3"]:
    """The positive definite square root of a positive definite matrix (3, 3); NaN where it is not."""
    return isotropic_function(_power(0.5), matrix)


def symmetric_power(
    matrix: Float[jax.Array, "3 3"], exponent: jax.Array | np.ndarray | float | int
) -> Float[jax.Array, "3 3"]:
    """A^p of a positive definite matrix (3, 3), any real p; NaN where it is not."""
    return isotropic_function(_power(exponent), matrix)


def isotropic_function(function: ScalarFunction, matrix: Float[jax.Array, "3 3"]) -> Float[jax.Array, "3 3"]:
    """f(A) of a symmetric matrix (3, 3) with exact first and second derivatives; only the symmetric part counts."""
    matrix = (matrix + matrix.T) / 2
    values, vectors = symmetric_eigen(matrix)
    change = product(product(vectors.T, matrix - jax.lax.stop_gradient(matrix)), vectors)
    first, second = _divided_differences(function, values)
    quadratic = jnp.sum(second[_TRIPLE_AT] * change[:, :, None] * change[None, :, :], axis=1)
    inside = jnp.diag(function.value(values)) + first[_PAIR_AT] * change + quadratic
    return product(product(vectors, inside), vectors.T)


def symmetric_eigen(
    matrix: Float[jax.Array, "3 3"],
) -> tuple[Float[jax.Array, " 3"], Float[jax.Array, "3 3"]]:
    """Eigenvalues (3,), ascending, and eigenvectors (3, 3), in columns, of a symmetric matrix: constants of
    differentiation. Cyclic Jacobi rotations: as accurate as LAPACK, and in arithmetic that vectorizes over points."""
    matrix = jax.lax.stop_gradient(matrix)
    largest = jnp.max(jnp.abs(matrix))
    scale = jnp.where(largest > 0, largest, 1.0)
    matrix = matrix / scale
    start = (
        (matrix[0, 0], matrix[1, 1], matrix[2, 2]),
        (matrix[1, 2], matrix[0, 2], matrix[0, 1]),
        tuple(jnp.eye(3, dtype=matrix.dtype)),
    )
    values, _, vectors = jax.lax.fori_loop(0, _SWEEPS, lambda _, state: _sweep(state), start)
    values, columns = list(values), list(vectors)
    for a, b in ((0, 1), (1, 2), (0, 1)):
        swap = values[a] > values[b]
        values[a], values[b] = jnp.where(swap, values[b], values[a]), jnp.where(swap, values[a], values[b])
        columns[a], columns[b] = (
            jnp.where(swap, columns[b], columns[a]),
            jnp.where(swap, columns[a], columns[b]),
        )
    return jnp.stack(values) * scale, jnp.stack(columns, axis=1)


_State = tuple[tuple[jax.Array, ...], tuple[jax.Array, ...], tuple[jax.Array, ...]]


def _sweep(state: _State) -> _State:
    """One rotation per off-diagonal entry; entry r is the one that couples the other two directions p and q."""
    diagonal, off, columns = (list(part) for part in state)
    for p, q, r in ((0, 1, 2), (0, 2, 1), (1, 2, 0)):
        entry = off[r]
        difference = diagonal[q] - diagonal[p]
        denominator = jnp.abs(difference) + jnp.sqrt(difference**2 + 4 * entry**2)
        tangent = 2 * entry * jnp.where(difference < 0, -1.0, 1.0)
        tangent = tangent / jnp.where(denominator > 0, denominator, 1.0)
        cosine = 1 / jnp.sqrt(1 + tangent**2)
        sine = tangent * cosine
        diagonal[p], diagonal[q] = diagonal[p] - tangent * entry, diagonal[q] + tangent * entry
        off[r] = jnp.zeros_like(entry)
        # off[q] couples r with p, off[p] couples r with q.
        off[q], off[p] = cosine * off[q] - sine * off[p], sine * off[q] + cosine * off[p]
        columns[p], columns[q] = (
            cosine * columns[p] - sine * columns[q],
            sine * columns[p] + cosine * columns[q],
        )
    return tuple(diagonal), tuple(off), tuple(columns)


def _divided_differences(function: ScalarFunction, values: jax.Array) -> tuple[jax.Array, jax.Array]:
    """f[a, b] of the six pairs and f[a, b, c] of the ten triples of the (ascending) values."""
    low, high = values[_PAIRS[:, 0]], values[_PAIRS[:, 1]]
    middle, half = (low + high) / 2, (high - low) / 2
    close = jnp.abs(half) <= _CLOSE * function.length(middle)
    heights = function.value(values)
    quotient = (heights[_PAIRS[:, 1]] - heights[_PAIRS[:, 0]]) / jnp.where(close, 1.0, high - low)
    odd = function.series(middle)[1::2]
    first = jnp.where(close, _polynomial(odd, half**2), quotient)

    arguments = values[_TRIPLES]
    spread = arguments[:, 2] - arguments[:, 0]
    middle = jnp.mean(arguments, axis=1)
    distances = arguments - middle[:, None]
    close = jnp.max(jnp.abs(distances), axis=1) <= _CLOSE * function.length(middle)
    left, right = (
        first[_PAIR_AT[_TRIPLES[:, 0], _TRIPLES[:, 1]]],
        first[_PAIR_AT[_TRIPLES[:, 1], _TRIPLES[:, 2]]],
    )
    quotient = (right - left) / jnp.where(close, 1.0, spread)
    x, y, z = distances.T
    pairs, triple = x * y + y * z + z * x, x * y * z
    # Complete homogeneous polynomials h_n of the distances, whose sum is zero: h_n = -e2 h_(n-2) + e3 h_(n-3).
    homogeneous = [jnp.ones_like(middle), jnp.zeros_like(middle), -pairs]
    coefficients = function.series(middle)[2:]
    while len(homogeneous) < len(coefficients):
        homogeneous.append(-pairs * homogeneous[-2] + triple * homogeneous[-3])
    series = sum(c * h for c, h in zip(coefficients, homogeneous, strict=True))
    return first, jnp.where(close, series, quotient)


def _polynomial(coefficients: list[jax.Array], x: jax.Array) -> jax.Array:
    total = coefficients[-1]
    for coefficient in coefficients[-2::-1]:
        total = total * x + coefficient
    return total


def _power(exponent: jax.Array | np.ndarray | float | int) -> ScalarFunction:
    def series(x: jax.Array) -> list[jax.Array]:
        terms = [x**exponent]
        for n in range(1, _TERMS + 1):
            terms.append(terms[-1] * (exponent - (n - 1)) / n / x)
        return terms

    return ScalarFunction(
        lambda x: x**exponent, series, lambda x: x / jnp.maximum(1.0, jnp.abs(jnp.asarray(exponent)) / 2)
    )


def power_sum(factors: jax.Array | np.ndarray, exponents: jax.Array | np.ndarray) -> ScalarFunction:
    """sum_n c_n ((1 + x)^p_n - 1) of the N factors c and exponents p; exact also for small x."""

    def series(x: jax.Array) -> list[jax.Array]:
        one = (1 + x)[:, None]
        terms = [factors * one**exponents]
        for n in range(1, _TERMS + 1):
            terms.append(terms[-1] * (exponents - (n - 1)) / n / one)
        return [value(x), *(jnp.sum(term, axis=1) for term in terms[1:])]

    def value(x: jax.Array) -> jax.Array:
        return jnp.sum(factors * jnp.expm1(exponents * jnp.log1p(x)[:, None]), axis=1)

    return ScalarFunction(
        value, series, lambda x: (1 + x) / jnp.maximum(1.0, jnp.max(jnp.abs(jnp.asarray(exponents))) / 2)
    )


def _log_series(x: jax.Array) -> list[jax.Array]:
    return [jnp.log(x), *((-1) ** (n + 1) / (n * x**n) for n in range(1, _TERMS + 1))]


def _exp_series(x: jax.Array) -> list[jax.Array]:
    terms = [jnp.exp(x)]
    for n in range(1, _TERMS + 1):
        terms.append(terms[-1] / n)
    return terms


_LOG = ScalarFunction(jnp.log, _log_series, lambda x: x)
_EXP = ScalarFunction(jnp.exp, _exp_series, jnp.ones_like)
