"""Faces of a voxel grid: transmissibilities, increments and fluxes of the finite-volume scheme.

faces[a] always has one entry more than there are voxels along axis a: the two outer faces are included, and
along a periodic axis both are the same face.
"""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import lax

from scalebridge.cell.boundary import Edge
from scalebridge.numerics import multigrid


def lookup(table: Any, index: Any) -> Any:
    """table[index]; for few phases by selection, which vectorizes where a gather does not."""
    if len(table) > 8:
        return table.at[index].get(mode="promise_in_bounds")
    values = jnp.full(index.shape, table[0])
    for phase in range(1, len(table)):
        values = jnp.where(index == phase, table[phase], values)
    return values


def _with_ends(values: Any, edge: Edge, axis: int, outside: float) -> Any:
    n = values.shape[axis]
    first = lax.slice_in_dim(values, 0, 1, axis=axis)
    last = lax.slice_in_dim(values, n - 1, n, axis=axis)
    if edge is not Edge.PERIODIC:
        first = last = jnp.full_like(first, outside)
    return lax.optimization_barrier(jnp.concatenate([last, values, first], axis))


def one_axis(resistance: Any, edge: Edge, axis: int) -> Any:
    """t = 1 / (R + R') on the faces normal to `axis`, from the half resistance R of every voxel.

    Beyond a face R' is zero where the potential is prescribed (half a voxel is left), infinite where
    insulated, the opposite voxel's where periodic.
    """
    r = _with_ends(resistance, edge, axis, 0.0 if edge is Edge.FIXED else jnp.inf)
    return 1 / (multigrid.lower_faces(r, axis) + multigrid.upper_faces(r, axis))


def transmissibilities(index: Any, table: Any, edges: tuple[Edge, ...]) -> tuple[Any, ...]:
    """t on all faces; table (P, d) half resistances of the phases."""
    return tuple(one_axis(lookup(table[:, a], index), edge, a) for a, edge in enumerate(edges))


def steps_of_load(
    shape: tuple[int, ...], cell_size: tuple[float, ...], edges: tuple[Edge, ...], axis: int
) -> np.ndarray:
    """Increase of x_a across each face normal to a: h inside, h / 2 at a face with prescribed potential.

    Shape (n_a + 1) along axis a, 1 along the others.
    """
    steps = np.full(shape[axis] + 1, float(cell_size[axis]))
    if edges[axis] is not Edge.PERIODIC:
        steps[[0, -1]] /= 2
    form = [1] * len(shape)
    form[axis] = -1
    return steps.reshape(form)


def outflow(fluxes: tuple[Any, ...]) -> Any:
    """Sum over the faces of each voxel of the flux leaving along +a minus that entering."""
    return sum(multigrid.upper_faces(q, a) - multigrid.lower_faces(q, a) for a, q in enumerate(fluxes))


def one_increment(values: Any, edge: Edge, axis: int) -> Any:
    """w_above - w_below on the faces normal to `axis`, w = 0 beyond the outer ones (or the opposite
    voxel's)."""
    padded = _with_ends(values, edge, axis, 0.0)
    return multigrid.upper_faces(padded, axis) - multigrid.lower_faces(padded, axis)


def increments(values: Any, edges: tuple[Edge, ...]) -> tuple[Any, ...]:
    """The increments along every axis."""
    return tuple(one_increment(values, edge, axis) for axis, edge in enumerate(edges))


def own_faces(faces: Any, axis: int, edge: Edge) -> Any:
    """Every face once: the two outer faces of a periodic axis are the same one."""
    return multigrid.lower_faces(faces, axis) if edge is Edge.PERIODIC else faces
