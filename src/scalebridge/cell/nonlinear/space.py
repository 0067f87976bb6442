r"""The fluctuations that a boundary condition allows: restriction of forces, and the exact inverse of a reference.

The unknown is u = E.x + w, E the macroscopic drive (some components given, others follow from given mean fluxes).
Periodic: w periodic. KUBC: w = 0 on the faces. SUBC: <B w> = 0, otherwise free: its stationary point has the uniform
traction S.n on the faces, so that a mean drive can be prescribed there, too [miehe2002]. That space is reached by the
projection P w = w - X <B w>, X e = e.x, and forces by its transpose.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from scalebridge.cell.boundary import AbstractBoundary
from scalebridge.cell.coefficients import PAIRS
from scalebridge.cell.nonlinear.elements import SQRT2, VoxelElements
from scalebridge.cell.preconditioner import (
    BoxModes,
    apply_box,
    box_modes,
    from_frequencies,
    solve_frequencies,
    to_frequencies,
)
from scalebridge.cell.reference import isotropic_part
from scalebridge.numerics.compiling import quick_jit
from scalebridge.numerics.conjugate_gradients import Vector

if TYPE_CHECKING:
    from jaxtyping import Float, Num


class Reference(NamedTuple):
    """lame: the two Lame constants, or a conductivity per axis; matrix (m, m): the same as a tangent, invertible;
    scale: the tangents and fluxes of a cell are divided by it, so that single precision never sees pascals squared."""

    constants: np.ndarray
    matrix: np.ndarray
    scale: float

    @property
    def inverse(self) -> Float[np.ndarray, "m m"]:
        """The compliance (m, m), which measures fluxes."""
        return np.linalg.inv(self.matrix)


def reference_of(elements: VoxelElements, mean: Float[np.ndarray, "m m"]) -> Reference:
    """A homogeneous reference from the mean tangent (m, m) of a cell: the nearest isotropic one."""
    ndim, kinematics = elements.ndim, elements.kinematics
    scale = float(np.abs(mean).max())
    mean = mean / scale
    if not kinematics.vector:
        k = np.diag(mean).copy()
        k[k <= 0] = max(float(k.max()), 1e-3)
        return Reference(k, np.diag(k), scale)
    if kinematics.symmetric:
        normal, double = mean[:ndim, :ndim].sum(), np.trace(mean)
        unit, whole = np.zeros(len(mean)), np.eye(len(mean))
        unit[:ndim] = 1.0
    else:
        unit = np.eye(ndim).reshape(-1)
        swapped = np.arange(ndim * ndim).reshape(ndim, ndim).T.reshape(-1)
        symmetric = (np.eye(ndim * ndim) + np.eye(ndim * ndim)[swapped]) / 2
        normal, double = unit @ mean @ unit, np.trace(symmetric @ mean @ symmetric)
        whole = np.eye(ndim * ndim)  # rotations get the shear modulus, too: without it the matrix is singular
    bulk, shear = isotropic_part(normal, double, ndim)
    shear = max(float(shear), 1e-3)
    lame = max(float(bulk - 2 * shear / ndim), 0.0)
    return Reference(np.array([lame, shear]), lame * np.outer(unit, unit) + 2 * shear * whole, scale)


@dataclasses.dataclass(frozen=True, eq=False)
class Fluctuations:
    """The space of w, with the data that its preconditioner needs."""

    elements: VoxelElements
    boundary: AbstractBoundary
    reference: Reference
    dtype: Any
    modes: BoxModes | None

    @property
    def fixed(self) -> bool:
        """Whether w vanishes on the faces."""
        return not self.elements.periodic and not self.boundary.prescribes_flux

    @property
    def projected(self) -> bool:
        """Whether the mean of B w has to be removed."""
        return self.boundary.prescribes_flux

    def restrict(self, forces: Vector) -> Vector:
        """What of nodal forces can do work on an allowed w."""
        return restrict(self.elements, self.fixed, self.projected, forces)

    def precondition(self, forces: Vector) -> Vector:
        """The allowed w of the reference material under these forces."""
        constants = jnp.asarray(self.reference.constants, self.dtype)
        if self.modes is None:
            hats = _forward(forces)
            return _backward(self.elements.shape, _between(self.elements, constants, hats))
        return _box(self.elements, self.projected, constants, self.modes, forces)


def fluctuations(
    elements: VoxelElements, boundary: AbstractBoundary, reference: Reference, dtype: Any = np.float32
) -> Fluctuations:
    """The space of a boundary condition. `dtype`: the precision of the preconditioner."""
    modes = None if elements.periodic else box_modes(elements.linear, boundary, dtype)
    return Fluctuations(elements, boundary, reference, dtype, modes)


_forward = jax.jit(to_frequencies)
_backward = jax.jit(from_frequencies, static_argnums=0)


@functools.partial(jax.jit, static_argnums=0)
def _between(elements: VoxelElements, constants: jax.Array, hats: Vector) -> Vector:
    return solve_frequencies(elements.linear, constants, hats)


@functools.partial(quick_jit, static_argnums=(0, 1))
def _box(
    elements: VoxelElements, projected: bool, constants: jax.Array, modes: BoxModes, r: Vector
) -> Vector:
    w = apply_box(elements.linear, constants, modes, r)
    return remove_mean(elements, w) if projected else w


@functools.partial(quick_jit, static_argnums=(0, 1, 2))
def restrict(elements: VoxelElements, fixed: bool, projected: bool, r: Vector) -> Vector:
    """Forces on the allowed fluctuations: zero on held nodes, or the transpose of the projection."""
    if fixed:
        inner = [np.r_[0.0, np.ones(n - 1), 0.0] for n in elements.shape]
        return tuple(v * _outer(elements, inner, v.dtype) for v in r)
    return _transposed_projection(elements, r) if projected else r


def _outer(elements: VoxelElements, factors: list[np.ndarray], dtype: Any) -> jax.Array:
    out = jnp.ones((1,) * (1 + elements.ndim), dtype)
    for a, f in enumerate(factors):
        shape = (1, *(-1 if b == a else 1 for b in range(elements.ndim)))
        out = out * jnp.asarray(f, dtype).reshape(shape)
    return out


def _lines(elements: VoxelElements) -> tuple[list[np.ndarray], list[np.ndarray], list[np.ndarray]]:
    """Per axis: difference of the ends, trapezoidal sum, coordinate from the middle."""
    ends, sums, places = [], [], []
    for n, h in zip(elements.shape, elements.spacing, strict=True):
        end, total = np.zeros(n + 1), np.full(n + 1, h)
        end[0], end[-1] = -1.0, 1.0
        total[0] = total[-1] = h / 2
        ends.append(end)
        sums.append(total)
        places.append((np.arange(n + 1) - n / 2) * h)
    return ends, sums, places


def _gradient_weights(elements: VoxelElements, a: int, dtype: Any) -> jax.Array:
    """The nodal weights of the integral of d_a over the cell."""
    ends, sums, _ = _lines(elements)
    return _outer(elements, [ends[b] if b == a else sums[b] for b in range(elements.ndim)], dtype)


def _coordinate(elements: VoxelElements, a: int, dtype: Any) -> jax.Array:
    _, _, places = _lines(elements)
    ones = [np.ones(n + 1) for n in elements.shape]
    return _outer(elements, [places[b] if b == a else ones[b] for b in range(elements.ndim)], dtype)


def remove_mean(elements: VoxelElements, w: Vector) -> Vector:
    """P w = w - X <B w>."""
    return _exchange(elements, w, _gradient_weights, _coordinate)


def _transposed_projection(elements: VoxelElements, r: Vector) -> Vector:
    """P^T r = r minus the forces of the uniform traction S.n, S = X^T r / V."""
    return _exchange(elements, r, _coordinate, _gradient_weights)


def _exchange(
    elements: VoxelElements,
    v: Vector,
    measure: Callable[[VoxelElements, int, Any], jax.Array],
    subtract: Callable[[VoxelElements, int, Any], jax.Array],
) -> Vector:
    """v_i - sum_a M_ia subtract_a with M_ia = (sum over nodes of v_i measure_a) / V.

    M is made symmetric for small strains: a rotation of the whole does no work and is left alone.
    """
    axes, ndim, dtype = tuple(range(1, 1 + elements.ndim)), elements.ndim, v[0].dtype
    mean = {
        (i, a): jnp.sum(u * measure(elements, a, dtype), axis=axes, dtype=jnp.float64) / elements.volume
        for i, u in enumerate(v)
        for a in range(ndim)
    }
    if elements.kinematics.symmetric:
        mean = {(i, a): (m + mean[a, i]) / 2 for (i, a), m in mean.items()}
    out = []
    for i, u in enumerate(v):
        for a in range(ndim):
            u = u - mean[i, a].astype(dtype).reshape(-1, *(1,) * ndim) * subtract(elements, a, dtype)
        out.append(u)
    return tuple(out)


def macro_gradient(elements: VoxelElements, macro: Num[np.ndarray, "B m"]) -> Float[np.ndarray, "B c d"]:
    """The gradient (B, c, ndim) of E.x for macroscopic drives (B, m): strain, F - 1, or gradient."""
    ndim = elements.ndim
    if not elements.kinematics.vector:
        return macro[:, None, :]
    if not elements.kinematics.symmetric:
        return (macro - np.eye(ndim).reshape(-1)).reshape(-1, ndim, ndim)
    out = np.zeros((len(macro), ndim, ndim))
    for n, (i, j) in enumerate(PAIRS[ndim]):
        out[:, i, j] = out[:, j, i] = macro[:, n] / (1.0 if i == j else SQRT2)
    return out
