r"""Multilinear elements on voxels, written in modes instead of Gauss points.

Inside a voxel a trilinear function is sum_m g_m prod_{a in m} xi_a over subsets m of the axes, with xi measured from
the voxel centre. Its gradient splits into orthogonal parts s (products of xi over a subset s):
  (grad u)_s,a = g_{s + a} for a not in s,   energy = sum_s w_s grad_s : C : grad_s,   w_s = prod_{b in s} h_b^2 / 12.
Keeping all s integrates exactly (fully integrated elements); keeping only s = {} is the reduced ("rotated grid")
scheme. Modes come from averages and differences along one axis at a time, so nothing is ever assembled or gathered.
References: [flanagan1981], [willot2015].
"""

from __future__ import annotations

import enum
import itertools
import math
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp


class Element(enum.Enum):
    """FULL: fully integrated multilinear elements, energies are upper bounds. REDUCED: one point per voxel."""

    FULL = "full"
    REDUCED = "reduced"


def submodes(ndim: int, element: Element) -> tuple[int, ...]:
    """The subsets s (bit masks over axes) whose gradient part does not vanish; s = 0 is the voxel mean."""
    if element is Element.REDUCED:
        return (0,)
    every = (1 << ndim) - 1
    return tuple(s for s in range(1 << ndim) if s != every)


def submode_weight(s: int, spacing: Sequence[float]) -> float:
    """w_s = prod over the axes in s of h^2 / 12, the mean of xi^2 over the voxel."""
    return math.prod((spacing[a] ** 2 / 12 for a in range(len(spacing)) if s >> a & 1), start=1.0)


def mode_scale(m: int, spacing: Sequence[float]) -> float:
    """Factor between sums/differences of corner values and the coefficient g_m."""
    return math.prod((1 / spacing[a] if m >> a & 1 else 0.5 for a in range(len(spacing))), start=1.0)


def needed_modes(ndim: int, element: Element) -> tuple[int, ...]:
    """The modes m = s + a that some gradient part uses."""
    return tuple(
        sorted(
            {s | 1 << a for s, a in itertools.product(submodes(ndim, element), range(ndim)) if not s >> a & 1}
        )
    )


def _cut(v: Any, axis: int, part: slice) -> Any:
    return v[(*(slice(None),) * axis, part)]


def _low(v: Any, axis: int) -> Any:
    return _cut(v, axis, slice(0, v.shape[axis] - 1))


def _high(v: Any, axis: int) -> Any:
    return _cut(v, axis, slice(1, v.shape[axis]))


Modes = dict[int, Any]


def split_axes(level: Modes, ndim: int, axes: Sequence[int], wanted: Sequence[int]) -> Modes:
    """One sum and one difference of neighbours along each of `axes`; what no mode in `wanted` needs is left out.

    Shapes: values (..., n0, n1, ...) along the last `ndim` axes -> one shorter along `axes`. NumPy or JAX arrays.
    """
    for a in axes:
        later = (1 << (a + 1)) - 1
        prefixes = {m & later for m in wanted}
        split: Modes = {}
        for m, v in level.items():
            axis = v.ndim - ndim + a
            low, high = _low(v, axis), _high(v, axis)
            if m in prefixes:
                split[m] = low + high
            if m | 1 << a in prefixes:
                split[m | 1 << a] = high - low
        level = split
    return level


def merge_axes(level: Modes, ndim: int, axes: Sequence[int]) -> Modes:
    """The transpose of `split_axes` on the inner points."""
    for a in axes:
        merged: Modes = {}
        for m in {m & ~(1 << a) for m in level}:
            parts = []
            if m in level:
                v = level[m]
                axis = v.ndim - ndim + a
                parts.append(_low(v, axis) + _high(v, axis))
            if m | 1 << a in level:
                v = level[m | 1 << a]
                axis = v.ndim - ndim + a
                parts.append(_low(v, axis) - _high(v, axis))
            merged[m] = parts[0] if len(parts) == 1 else parts[0] + parts[1]
        level = merged
    return level


def corner_modes(u: Any, ndim: int, wanted: Sequence[int]) -> Modes:
    """Unscaled modes of all voxels: sums and differences of the corner values of `u` along its last `ndim` axes.

    Shapes: u (..., n0 + 1, n1 + 1, ...) node values -> each mode (..., n0, n1, ...). NumPy or JAX arrays.
    """
    return split_axes({0: u}, ndim, range(ndim), wanted)


def scatter_modes(forces: Modes, ndim: int) -> Any:
    """The transpose of `corner_modes`: forces on modes -> forces on the interior nodes.

    Shapes: each force (..., n0 + 1, n1 + 1, ...) on voxels that surround the nodes -> (..., n0, n1, ...) nodes.
    """
    return merge_axes(forces, ndim, range(ndim)[::-1])[0]


def pad_nodes(u: jax.Array, ndim: int, periodic: bool, first_axis: int = 0) -> jax.Array:
    """One more layer of nodes on every side: the periodic images, or zeros (whose voxels carry no coefficient)."""
    for a in range(first_axis, ndim):
        axis = u.ndim - ndim + a
        n = u.shape[axis]
        if periodic:
            before, after = (
                jax.lax.slice_in_dim(u, n - 1, n, axis=axis),
                jax.lax.slice_in_dim(u, 0, 1, axis=axis),
            )
            u = jnp.concatenate([before, u, after], axis=axis)
        else:
            widths = [(0, 0)] * u.ndim
            widths[axis] = (1, 1)
            u = jnp.pad(u, widths)
    return u
