r"""From nodal unknowns to drives at points and back to nodal forces, in slabs; and the tangent operator.

Node fields are tuples of components (K, *nodes); K counts cells times loads. Point fields are (points, rows, B,
*voxels): rows are the m entries of a drive or flux, or the stored entries of a tangent. The sweeps go in slabs of
planes, so that the modes live near the processor, as in cell/operator.py.
"""

from __future__ import annotations

import functools
import itertools
import math
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp

from scalebridge.cell.modes import Modes, pad_nodes, scatter_modes, split_axes
from scalebridge.cell.nonlinear.dilatation import flux_on_gradient, shared_gradient, shared_tangent
from scalebridge.cell.nonlinear.elements import VoxelElements, drives_of, forces_of
from scalebridge.cell.operator import even_slabs
from scalebridge.numerics.compiling import quick_jit
from scalebridge.numerics.conjugate_gradients import Vector
from scalebridge.numerics.staging import always, stage

if TYPE_CHECKING:
    from jaxtyping import Bool, Float


def slab_planes(elements: VoxelElements, batch: int, itemsize: int, budget: float, count: int) -> int:
    """How many of `count` planes go together: those whose mode fields fit in `budget` bytes."""
    values = len(elements.modes) * elements.components + elements.points * elements.size
    plane = math.prod(elements.nodes[1:]) * values * batch * itemsize
    return even_slabs(count, budget / plane)


def _voxel_nodes(v: jax.Array, start: Any, planes: int, elements: VoxelElements) -> jax.Array:
    """Node planes start .. start + planes around as many voxel planes, the last axes closed: (K, planes + 1, ...)."""
    ndim = elements.ndim
    if not elements.periodic:
        return jax.lax.dynamic_slice_in_dim(v, start, planes + 1, axis=1)
    middle = jax.lax.dynamic_slice_in_dim(v, start, planes, axis=1)
    after = jax.lax.dynamic_slice_in_dim(v, (start + planes) % v.shape[1], 1, axis=1)
    cut = jnp.concatenate([middle, after], axis=1)
    for axis in range(2, 1 + ndim):
        cut = jnp.concatenate([cut, jax.lax.slice_in_dim(cut, 0, 1, axis=axis)], axis=axis)
    return cut


def _tall_slab(v: jax.Array, start: Any, planes: int, elements: VoxelElements) -> jax.Array:
    """Node planes start - 1 .. start + planes and one more node on every other side: periodic images, or zeros."""
    count = v.shape[1]
    start = jnp.asarray(start, jnp.int32)
    before = jax.lax.dynamic_slice_in_dim(v, (start - 1) % count, 1, axis=1)
    middle = jax.lax.dynamic_slice_in_dim(v, start, planes, axis=1)
    after = jax.lax.dynamic_slice_in_dim(v, (start + planes) % count, 1, axis=1)
    if not elements.periodic:
        before = before * (start > 0).astype(v.dtype)
        after = after * (start + planes < count).astype(v.dtype)
    cut = jnp.concatenate([before, middle, after], axis=1)
    return pad_nodes(cut, elements.ndim, elements.periodic, first_axis=1)


@functools.partial(quick_jit, static_argnums=(0, 3))
def point_drives(
    elements: VoxelElements, w: Vector, macro: Float[jax.Array, "B m"], budget: float
) -> Float[jax.Array, "points m B *shape"]:
    """macro + B w at every point. Shapes: w c x (B, *nodes), macro (B, m) -> (points, m, B, *shape)."""
    ndim, count = elements.ndim, elements.shape[0]
    batch = w[0].shape[0]
    planes = slab_planes(elements, batch, w[0].dtype.itemsize, budget, count)
    condition = always(w[0])

    def slab(start: Any) -> jax.Array:
        def cut(w: Vector, start: Any) -> Vector:
            return tuple(_voxel_nodes(v, start, planes, elements) for v in w)

        def evaluate(u: Vector, macro: jax.Array) -> jax.Array:
            modes = [split_axes({0: v}, ndim, range(ndim), elements.modes) for v in u]
            shape = (-1, *(1,) * ndim)
            drive = drives_of(elements, modes)
            return jnp.stack([e + macro[:, n].reshape(shape) for n, e in enumerate(drive)], axis=1)

        return stage(condition, evaluate, stage(condition, cut, w, start), macro)

    if planes >= count:
        return slab(0)
    out = jnp.zeros((elements.points, elements.size, batch, *elements.shape), w[0].dtype)

    def step(n: Any, out: jax.Array) -> jax.Array:
        start = jnp.minimum(n * planes, count - planes)
        return jax.lax.dynamic_update_slice_in_dim(out, slab(start), start, axis=3)

    return jax.lax.fori_loop(0, -(-count // planes), step, out)


def padded_voxels(field: jax.Array, elements: VoxelElements) -> jax.Array:
    """A point field on the voxels around every node: wrapped low side, or a layer of zeros around a box."""
    widths = [(0, 0)] * 3 + ([(1, 0)] if elements.periodic else [(1, 1)]) * elements.ndim
    return jnp.pad(field, widths, mode="wrap") if elements.periodic else jnp.pad(field, widths)


def inner_voxels(field: jax.Array, elements: VoxelElements) -> jax.Array:
    """What `padded_voxels` was made of."""
    cut = slice(1, None) if elements.periodic else slice(1, -1)
    return field[(slice(None),) * 3 + (cut,) * elements.ndim]


@quick_jit
def share_dilatation(drives: Float[jax.Array, "points m B *shape"]) -> Float[jax.Array, "points m B *shape"]:
    """Deformation gradients (points, m, B, *shape) with the volume change of their voxel."""
    return jnp.stack(shared_gradient([drives[:, n] for n in range(drives.shape[1])]), axis=1)


@functools.partial(quick_jit, static_argnums=0)
def with_dilatation(
    elements: VoxelElements,
    drives: Float[jax.Array, "points m B *shape"],
    void: Bool[jax.Array, "B *padded"],
    flux: Float[jax.Array, "points m B *padded"],
    tangent: Float[jax.Array, "points entries B *padded"] | None,
) -> tuple[
    Float[jax.Array, "points m B *padded"],
    Float[jax.Array, "B m"],
    Float[jax.Array, "points rows B *padded"] | None,
]:
    """What laws asked at `share_dilatation(drives)` said, as it acts on the drives: the flux, its mean over a cell
    (B, m), and the tangents followed by the rows that `tangent_forces` needs, F and the flux of the laws.

    Shapes: drives (points, m, B, *shape); void (B, *padded): where there is nothing, so that any F will do; flux and
    tangent on padded voxels.
    """
    m, ndim = elements.size, elements.ndim
    unit = jnp.eye(ndim).reshape(-1, 1, *(1,) * ndim)
    f = jnp.where(void, unit, padded_voxels(drives, elements))
    stress = flux_on_gradient([f[:, n] for n in range(m)], [flux[:, n] for n in range(m)])
    moved = jnp.stack(stress, axis=1)
    mean = jnp.mean(inner_voxels(moved, elements), axis=(0, *range(3, 3 + ndim))).T
    if tangent is None:
        return moved, mean, None
    rows = [tangent, f.astype(tangent.dtype), flux.astype(tangent.dtype)]
    return moved, mean, jnp.concatenate(rows, axis=1)


@functools.partial(quick_jit, static_argnums=(0, 2, 3))
def flux_forces(
    elements: VoxelElements,
    flux: Float[jax.Array, "points m B *padded"],
    budget: float,
    out_dtype: Any = None,
) -> Vector:
    """B^T flux, integrated. Shapes: flux on padded voxels (points, m, B, *padded) -> c x (B, *nodes)."""
    ndim, count = elements.ndim, elements.nodes[0]
    kept = jnp.dtype(out_dtype or flux.dtype)
    planes = slab_planes(elements, flux.shape[2], flux.dtype.itemsize, budget, count)
    condition = always(flux)

    def slab(start: Any) -> Vector:
        def cut(flux: jax.Array, start: Any) -> list[Modes]:
            q = jax.lax.dynamic_slice_in_dim(flux, start, planes + 1, axis=3)
            return forces_of(elements, [q[:, n] for n in range(elements.size)])

        def merge(forces: list[Modes]) -> Vector:
            return tuple(scatter_modes(f, ndim).astype(kept) for f in forces)

        return stage(condition, merge, stage(condition, cut, flux, start))

    return _sweep(slab, count, planes, (flux.shape[2], *elements.nodes), elements.components, kept)


def _sweep(slab: Any, count: int, planes: int, shape: tuple[int, ...], components: int, dtype: Any) -> Vector:
    if planes >= count:
        return tuple(slab(0))
    out = tuple(jnp.zeros(shape, dtype) for _ in range(components))

    def step(n: Any, out: Vector) -> Vector:
        start = jnp.minimum(n * planes, count - planes)
        return tuple(
            jax.lax.dynamic_update_slice_in_dim(o, v, start, axis=1)
            for o, v in zip(out, slab(start), strict=True)
        )

    return jax.lax.fori_loop(0, -(-count // planes), step, out)


def tangent_entries(size: int, symmetric: bool) -> tuple[tuple[int, int], ...]:
    """Row and column of the stored entries of a tangent (m, m): the upper triangle where it is symmetric."""
    if symmetric:
        return tuple(itertools.combinations_with_replacement(range(size), 2))
    return tuple((i, j) for i in range(size) for j in range(size))


def apply_tangent(entries: tuple[tuple[int, int], ...], tangent: Any, drive: list[Any]) -> list[Any]:
    """T e at all points: `tangent` holds the entries, `drive` the m arrays."""
    size = len(drive)
    symmetric = len(entries) < size * size or size == 1
    out: list[Any] = [None] * size
    for n, (i, j) in enumerate(entries):
        for row, column in {(i, j), (j, i)} if symmetric else {(i, j)}:
            term = tangent[n] * drive[column]
            out[row] = term if out[row] is None else out[row] + term
    return out


@functools.partial(quick_jit, static_argnums=(0, 4, 5, 6))
def tangent_forces(
    elements: VoxelElements,
    tangent: Float[jax.Array, "points entries B *padded"],
    w: Vector,
    macro: Float[jax.Array, "K m"],
    budget: float,
    symmetric: bool,
    summed: bool,
) -> tuple[Vector, Float[jax.Array, "K m"]]:
    """B^T T (macro + B w), and the integral of the flux T (macro + B w) where it is asked for (zeros otherwise).

    Shapes: tangent on padded voxels (points, entries, B, *padded), followed by the rows of `with_dilatation` where the
    elements share their dilatation; w c x (K, *nodes) and macro (K, m) with K = B L,
    the loads of one cell together -> c x (K, *nodes), (K, m).
    """
    ndim, count = elements.ndim, elements.nodes[0]
    cells, many = tangent.shape[2], w[0].shape[0]
    loads = many // cells
    entries = tangent_entries(elements.size, symmetric)
    planes = slab_planes(elements, many, w[0].dtype.itemsize, budget, count)
    condition = always(w[0])
    macro = macro.astype(w[0].dtype)
    nothing = jnp.zeros((many, elements.size), jnp.float64)

    def slab(start: Any, counted: Any) -> tuple[Vector, jax.Array]:
        def gather(w: Vector, start: Any) -> Vector:
            return tuple(_tall_slab(v, start, planes, elements) for v in w)

        def split(u: Vector) -> list[Modes]:
            return [split_axes({0: v}, ndim, range(ndim - 1), elements.modes) for v in u]

        # Three stages: merged into one, every force would compute all drives and fluxes again.
        def strain(partial: list[Modes], macro: jax.Array) -> list[jax.Array]:
            modes = [split_axes(v, ndim, (ndim - 1,), elements.modes) for v in partial]
            shape = (-1, *(1,) * ndim)
            return [e + macro[:, n].reshape(shape) for n, e in enumerate(drives_of(elements, modes))]

        def law(drive: list[jax.Array], tangent: jax.Array, start: Any) -> list[jax.Array]:
            t = jax.lax.dynamic_slice_in_dim(tangent, start, planes + 1, axis=3)
            apart = [e.reshape(elements.points, cells, loads, *e.shape[2:]) for e in drive]
            rows = [t[:, n][:, :, None] for n in range(t.shape[1])]
            answer = functools.partial(apply_tangent, entries, rows)
            if elements.shares_dilatation:
                f, p = rows[len(entries) :][: elements.size], rows[len(entries) + elements.size :]
                flux = shared_tangent(f, p, apart, answer)
            else:
                flux = answer(apart)
            return [q.reshape(elements.points, many, *q.shape[3:]) for q in flux]

        def gathered(flux: list[jax.Array], start: Any, counted: Any) -> tuple[list[Modes], jax.Array]:
            sums = _integral(elements, flux, start, counted, planes) if summed else nothing
            return forces_of(elements, flux), sums

        def merge(forces: list[Modes]) -> Vector:
            return tuple(scatter_modes(f, ndim) for f in forces)

        partial = stage(condition, split, stage(condition, gather, w, start))
        flux = stage(condition, law, stage(condition, strain, partial, macro), tangent, start)
        forces, sums = stage(condition, gathered, flux, start, counted)
        return stage(condition, merge, forces), sums

    if planes >= count:
        return slab(0, 0)

    def step(n: Any, carry: tuple[Vector, jax.Array]) -> tuple[Vector, jax.Array]:
        out, total = carry
        start = jnp.minimum(n * planes, count - planes)
        part, sums = slab(start, n * planes)
        out = tuple(
            jax.lax.dynamic_update_slice_in_dim(o, v, start, axis=1) for o, v in zip(out, part, strict=True)
        )
        return out, total + sums

    return jax.lax.fori_loop(0, -(-count // planes), step, (tuple(jnp.zeros_like(v) for v in w), nothing))


def _integral(
    elements: VoxelElements, flux: list[Any], start: Any, counted: Any, planes: int
) -> Float[jax.Array, "K m"]:
    """The integral of the flux of one slab over the voxels that no slab before it counted: (K, m).

    The first layer along every axis is a neighbour's (or nothing), and a slab that starts early repeats some planes.
    """
    inner = (slice(None), slice(None), *[slice(1, None)] * elements.ndim)
    new = (start + jnp.arange(planes) >= counted).reshape(1, 1, -1, *(1,) * (elements.ndim - 1))
    axes = (0, *range(2, 2 + elements.ndim))
    totals = [jnp.sum(jnp.where(new, q[inner], 0), axis=axes, dtype=jnp.float64) for q in flux]
    return jnp.stack(totals, axis=1) * (elements.voxel_volume / elements.points)
