r"""Preconditioners: the exact inverse of the same elements on a homogeneous reference material.

Periodic cells: the discrete Green operator by FFT. Its symbol is that of the element in use, so that the condition
number is bounded by the contrast alone, on any grid [leute2022; ladecky2023]. Boxes: fast diagonalization per
component (numerics/fast_diagonalization.py); for elasticity this drops the coupling between components, which costs a
factor bounded by Korn's inequality, again on any grid.
"""

from __future__ import annotations

import itertools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from scalebridge.cell.boundary import AbstractBoundary, Edge
from scalebridge.cell.modes import Element
from scalebridge.cell.operator import Discretization
from scalebridge.numerics.conjugate_gradients import Vector
from scalebridge.numerics.fast_diagonalization import linear_element_modes


def green_factors(disc: Discretization) -> tuple[list[np.ndarray], list[np.ndarray], list[np.ndarray]]:
    """Per axis, for the real-FFT frequencies: stiffness symbol, mass symbol and first-derivative symbol."""
    stiff, mass, cross = [], [], []
    for a, (n, h) in enumerate(zip(disc.shape, disc.spacing, strict=True)):
        count = n // 2 + 1 if a == disc.ndim - 1 else n
        angle = 2 * np.pi * np.arange(count) / n
        stiff.append(4 * np.sin(angle / 2) ** 2 / h**2)
        if disc.element is Element.FULL:
            mass.append((2 + np.cos(angle)) / 3)
        else:
            mass.append((1 + np.cos(angle)) / 2)
        cross.append(np.sin(angle) / h)
        # The Nyquist entries are exact zeros that round-off must not turn into tiny denominators.
        cross[-1][np.abs(cross[-1]) < 1e-12] = 0.0
        mass[-1][np.abs(mass[-1]) < 1e-12] = 0.0
    return stiff, mass, cross


def _outer(factors: list[jax.Array]) -> jax.Array:
    ndim = len(factors)
    out = None
    for a, f in enumerate(factors):
        shaped = f.reshape(tuple(-1 if b == a else 1 for b in range(ndim)))
        out = shaped if out is None else out * shaped
    assert out is not None
    return out


def to_frequencies(r: Vector) -> Vector:
    """Real Fourier transforms of all components over all spatial axes."""
    return tuple(jnp.fft.rfftn(v, axes=range(1, v.ndim)) for v in r)


def from_frequencies(shape: tuple[int, ...], hats: Vector) -> Vector:
    """The inverse of `to_frequencies` on a grid of `shape`."""
    return tuple(jnp.fft.irfftn(v, s=shape, axes=range(1, v.ndim)) for v in hats)


def solve_frequencies(disc: Discretization, reference: jax.Array, hats: Vector) -> Vector:
    """The reference problem, one small system per frequency.

    The symbol is evaluated on the way: storing it saves no time but takes 12 bytes per voxel in elasticity.
    """
    ndim = disc.ndim
    real = hats[0].real.dtype
    stiff, mass, cross = ([jnp.asarray(f, real) for f in fs] for fs in green_factors(disc))
    volume = disc.voxel_volume

    def laplace(a: int) -> jax.Array:
        return _outer([stiff[b] if b == a else mass[b] for b in range(ndim)])

    if not disc.form.vector:
        symbol = sum(reference[a] * volume * laplace(a) for a in range(ndim))
        inverse = jnp.where(symbol > 0, 1 / jnp.where(symbol > 0, symbol, 1), 0)
        return (hats[0] * inverse,)
    solved = _elastic_green(disc, reference, hats, [laplace(a) for a in range(ndim)], mass, cross)
    return tuple(v / volume for v in solved)


def apply_green(disc: Discretization, reference: jax.Array, r: Vector) -> Vector:
    """The periodic solution of the reference problem for nodal forces r, c components (B, *nodes)."""
    return from_frequencies(disc.shape, solve_frequencies(disc, reference, to_frequencies(r)))


def _elastic_green(
    disc: Discretization,
    reference: jax.Array,
    hats: Vector,
    laplace: list[jax.Array],
    mass: list[jax.Array],
    cross: list[jax.Array],
) -> list[jax.Array]:
    """Solve K(k) u = f per frequency; K is real symmetric d x d because the element is symmetric in each axis."""
    ndim = disc.ndim
    lame, shear = reference[0], reference[1]
    total = sum(laplace[1:], laplace[0])
    k = {}
    for i, j in itertools.combinations_with_replacement(range(ndim), 2):
        if i == j:
            k[i, i] = (lame + shear) * laplace[i] + shear * total
        else:
            k[i, j] = (lame + shear) * _outer([cross[b] if b in (i, j) else mass[b] for b in range(ndim)])
    # The mean and the hourglass modes of the reduced element have no stiffness (exact zeros): they stay untouched.
    alive = total > 1e-25
    safe = jnp.where(alive, 1.0, 0.0).astype(total.dtype)
    if ndim == 2:
        det = k[0, 0] * k[1, 1] - k[0, 1] ** 2
        inverse = jnp.where(alive, 1 / jnp.where(alive, det, 1), 0)
        return [
            inverse * (k[1, 1] * hats[0] - k[0, 1] * hats[1]),
            inverse * (k[0, 0] * hats[1] - k[0, 1] * hats[0]),
        ]
    # LDL^T elimination keeps full relative accuracy in float32 where cofactors would cancel.
    d0 = jnp.where(alive, k[0, 0], 1)
    l10, l20 = k[0, 1] / d0, k[0, 2] / d0
    d1 = jnp.where(alive, k[1, 1] - l10 * k[0, 1], 1)
    off = k[1, 2] - l10 * k[0, 2]
    l21 = off / d1
    d2 = jnp.where(alive, k[2, 2] - l20 * k[0, 2] - l21 * off, 1)
    y0 = hats[0]
    y1 = hats[1] - l10 * y0
    y2 = hats[2] - l20 * y0 - l21 * y1
    z2 = y2 / d2
    z1 = y1 / d1 - l21 * z2
    z0 = y0 / d0 - l10 * z1 - l20 * z2
    return [safe * z0, safe * z1, safe * z2]


BoxModes = tuple[tuple[tuple[jax.Array, jax.Array], ...], ...]


def box_modes(disc: Discretization, boundary: AbstractBoundary, dtype: Any) -> BoxModes:
    """Per component and axis the 1-D eigenvalues and modes that satisfy its edge conditions."""
    result = []
    for i in range(disc.components):
        edges = boundary.edges(disc.ndim, i if disc.form.vector else None)
        pairs = []
        for a, edge in enumerate(edges):
            values, modes = linear_element_modes(disc.shape[a], disc.spacing[a], edge is Edge.FIXED)
            pairs.append((jnp.asarray(values, dtype), jnp.asarray(modes, dtype)))
        result.append(tuple(pairs))
    return tuple(result)


def _transform(v: jax.Array, matrix: jax.Array, axis: int) -> jax.Array:
    """matrix^T along one spatial axis of v (B, *spatial), as plain matrix products without transposing the grid."""
    shape = v.shape
    before = int(np.prod(shape[:axis]))
    after = int(np.prod(shape[axis + 1 :]))
    out_shape = (*shape[:axis], matrix.shape[1], *shape[axis + 1 :])
    if after == 1:
        return (v.reshape(before, shape[axis]) @ matrix).reshape(out_shape)
    if before == 1:
        return (matrix.T @ v.reshape(shape[axis], after)).reshape(out_shape)
    return jax.lax.map(lambda plane: matrix.T @ plane, v.reshape(before, shape[axis], after)).reshape(
        out_shape
    )


def apply_box(disc: Discretization, reference: jax.Array, modes: BoxModes, r: Vector) -> Vector:
    """The solution of the reference problem on a box, component by component, constants projected out."""
    ndim = disc.ndim
    out = []
    for i, v in enumerate(r):
        weights = [reference[a] for a in range(ndim)]
        if disc.form.vector:
            weights = [reference[0] + 2 * reference[1] if a == i else reference[1] for a in range(ndim)]
        if min(m.shape[1] for _, m in modes[i]) == 0:
            out.append(jnp.zeros_like(v))
            continue
        for a in range(ndim):
            v = _transform(v, modes[i][a][1], a + 1)
        symbol = sum(
            weights[a] * modes[i][a][0].reshape(tuple(-1 if b == a else 1 for b in range(ndim)))
            for a in range(ndim)
        )
        v = v * jnp.where(symbol > 0, 1 / jnp.where(symbol > 0, symbol, 1), 0)
        for a in range(ndim):
            v = _transform(v, modes[i][a][1].T, a + 1)
        out.append(v)
    return tuple(out)
