r"""The operator of a cell problem: nodal fluctuation -> nodal forces, without assembling anything.

forces(w, E) = B^T C (E + B w), B = gradients of multilinear elements in modes (modes.py), C per voxel. The grid is
swept in slabs of planes along x so that the mode fields live in the cache, not in memory: peak memory stays at the
vectors plus one slab. A slab tells the next one what its last voxels do to the nodes above them, so that no voxel is
visited twice. A node field is a tuple of its components, (B, *nodes) each: so the transforms of the preconditioner take
them as they lie, without a copy.
"""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from scalebridge.cell.coefficients import PAIRS, CoefficientForm
from scalebridge.cell.modes import (
    Element,
    Modes,
    merge_axes,
    mode_scale,
    needed_modes,
    pad_nodes,
    split_axes,
    submode_weight,
    submodes,
)
from scalebridge.numerics.conjugate_gradients import Vector
from scalebridge.numerics.staging import always, stage

Coefficients = tuple[jax.Array | None, jax.Array | None, jax.Array | None]


def normalized_spacing(cell_size: Sequence[float]) -> tuple[float, ...]:
    """Voxel edges over their geometric mean: displacements are then of the order of one voxel, whatever the unit."""
    h = np.asarray(cell_size, float)
    return tuple(float(v) for v in h / np.exp(np.log(h).mean()))


@dataclasses.dataclass(frozen=True)
class Discretization:
    """Everything static about a cell: compiled code is shared by all cells that agree on it.

    shape: voxels; spacing: voxel edges divided by their geometric mean, so that displacements are of order one voxel.
    Nodes: shape for periodic cells (the last layer is the first), shape + 1 otherwise.
    """

    shape: tuple[int, ...]
    spacing: tuple[float, ...]
    form: CoefficientForm
    element: Element
    periodic: bool

    @property
    def ndim(self) -> int:
        return len(self.shape)

    @property
    def components(self) -> int:
        return self.ndim if self.form.vector else 1

    @property
    def nodes(self) -> tuple[int, ...]:
        return self.shape if self.periodic else tuple(n + 1 for n in self.shape)

    @property
    def voxel_volume(self) -> float:
        return math.prod(self.spacing)


def gradient_parts(disc: Discretization, modes: list[dict[int, Any]], s: int) -> list[Any]:
    """Part s of the gradient (conduction) or Mandel strain (elasticity) from the modes of each component."""
    sqrt2 = math.sqrt(2.0)

    def g(i: int, a: int) -> Any:
        m = s | 1 << a
        return None if s >> a & 1 else modes[i][m] * mode_scale(m, disc.spacing)

    if not disc.form.vector:
        return [g(0, a) for a in range(disc.ndim)]
    parts: list[Any] = []
    for i, j in PAIRS[disc.ndim]:
        if i == j:
            parts.append(g(i, i))
            continue
        terms = [t for t in (g(i, j), g(j, i)) if t is not None]
        parts.append(sum(terms[1:], terms[0]) / sqrt2 if terms else None)
    return parts


def _add_flux(disc: Discretization, forces: list[dict[int, Any]], s: int, flux: list[Any]) -> None:
    """Distribute part s of the flux (stress) on the modes of each component: the transpose of `gradient_parts`."""
    weight = submode_weight(s, disc.spacing) * disc.voxel_volume

    def add(i: int, a: int, value: Any, factor: float) -> None:
        m = s | 1 << a
        if not s >> a & 1:
            term = value * (factor * weight * mode_scale(m, disc.spacing))
            forces[i][m] = term if m not in forces[i] else forces[i][m] + term

    if not disc.form.vector:
        for a, q in enumerate(flux):
            if q is not None:
                add(0, a, q, 1.0)
        return
    for (i, j), t in zip(PAIRS[disc.ndim], flux, strict=True):
        if t is None:
            continue
        if i == j:
            add(i, i, t, 1.0)
        else:
            add(i, j, t, 1 / math.sqrt(2.0))
            add(j, i, t, 1 / math.sqrt(2.0))


def slab_coefficients(coefficients: Coefficients, start: Any, planes: int, dtype: Any) -> list[jax.Array]:
    """Coefficients of voxel planes start .. start + planes of the padded grid."""
    values, table, index = coefficients
    if values is not None:
        cut = jax.lax.dynamic_slice_in_dim(values, start, planes, axis=1).astype(dtype)
        return list(cut)
    assert table is not None
    assert index is not None
    labels = jax.lax.dynamic_slice_in_dim(index, start, planes, axis=0).astype(jnp.int32)
    return [row.astype(dtype)[labels] for row in table]


def mode_forces(disc: Discretization, modes: Any, coefficients: Any, macro: Any) -> list[dict[int, Any]]:
    """Forces on the modes of every component: the constitutive law between gradients and fluxes. NumPy or JAX."""
    forces: list[dict[int, Any]] = [{} for _ in range(disc.components)]
    for s in submodes(disc.ndim, disc.element):
        drive = gradient_parts(disc, modes, s)
        if s == 0 and macro is not None:
            shape = (-1, *(1,) * disc.ndim)
            drive = [e + macro[:, n].reshape(shape) for n, e in enumerate(drive)]
        _add_flux(disc, forces, s, disc.form.flux(coefficients, drive))
    return forces


def slab_forces(
    disc: Discretization,
    u: Vector,
    coefficients: Coefficients | list[jax.Array],
    start: Any,
    macro: jax.Array | None,
    below: Vector,
    condition: jax.Array,
) -> tuple[Vector, Vector]:
    """Forces of the voxels of one slab on the nodes below each of its planes, and of its last plane on those above it.

    Shapes per component: u (B, planes + 1, ...), `below` (B, 1, *nodes) what the slab before does to the first nodes
    -> (B, planes, *nodes), (B, 1, *nodes). The last axis is split and merged within the constitutive stage: its sums
    and differences are cheaper to repeat than to store.
    """
    ndim, planes, dtype = disc.ndim, u[0].shape[1] - 1, u[0].dtype
    wanted = needed_modes(ndim, disc.element)

    def split_first(u: Vector) -> list[Modes]:
        return [split_axes({0: v}, ndim, range(ndim - 1), wanted) for v in u]

    def constitutive(partial: list[Modes], coefficients: Any, macro: Any, start: Any) -> list[Modes]:
        modes = [split_axes(v, ndim, (ndim - 1,), wanted) for v in partial]
        c = coefficients
        if not isinstance(c, list):
            c = slab_coefficients(c, start, planes, dtype)
        return [merge_axes(v, ndim, (ndim - 1,)) for v in mode_forces(disc, modes, c, macro)]

    def merge(forces: list[Modes], below: Vector) -> tuple[Vector, Vector]:
        out, above = [], []
        for v, before in zip(forces, below, strict=True):
            left = merge_axes(v, ndim, range(1, ndim - 1)[::-1])
            up = left[0] + left[1]
            out.append(jnp.concatenate([before, up[:, :-1]], axis=1) + (left[0] - left[1]))
            above.append(up[:, -1:])
        return tuple(out), tuple(above)

    partial = stage(condition, split_first, u)
    forces = stage(condition, constitutive, partial, coefficients, macro, start)
    return stage(condition, merge, forces, below)


def slab_planes(disc: Discretization, batch: int, itemsize: int, budget: float) -> int:
    """How many planes of voxels fit in `budget` bytes of fields between two stages."""
    fields = len({m & ~(1 << disc.ndim - 1) for m in needed_modes(disc.ndim, disc.element)}) * disc.components
    plane = math.prod(disc.nodes[1:]) * fields * batch * itemsize
    return even_slabs(disc.nodes[0], budget / plane)


def even_slabs(count: int, most: float) -> int:
    """Planes per slab, at most `most` (but one): `count` of them in slabs of one size, or nearly.

    A last slab that overlaps the one before costs more than slabs that are somewhat smaller.
    """
    most = int(max(1, min(count, most)))
    even = [n for n in range(most // 2 + 1, most + 1) if count % n == 0]
    return even[-1] if even else -(-count // -(-count // most))


@functools.partial(jax.jit, static_argnums=(0, 4, 5), static_argnames=("precision",))
def nodal_forces(
    disc: Discretization,
    coefficients: Coefficients,
    w: Vector,
    macro: jax.Array | None,
    budget: float,
    out_dtype: Any = None,
    factor: jax.Array | None = None,
    precision: Any = None,
    into: Vector | None = None,
) -> Vector:
    """B^T C (E + B w), integrated over voxels of volume `disc.voxel_volume`.

    Shapes: w a tuple of c components (B, *nodes), macro (B, m) or None -> c components (B, *nodes). Computed in
    `precision` and returned in `out_dtype` (both that of w by default): a residual evaluated in float64 may be kept in
    float32. `factor`, a scalar, multiplies w on the way. `into` is memory that the result may take.
    """
    ndim, count = disc.ndim, disc.nodes[0]
    work, kept = jnp.dtype(precision or w[0].dtype), jnp.dtype(out_dtype or w[0].dtype)
    planes = slab_planes(disc, w[0].shape[0], work.itemsize, budget)
    slabs = -(-count // planes)
    condition = always(w[0])

    def gather(w: Vector, start: Any, factor: Any) -> Vector:
        u = [_slab_nodes(v, start, planes).astype(work) for v in w]
        if factor is not None:
            u = [v * factor for v in u]
        return tuple(pad_nodes(v, ndim, disc.periodic, first_axis=1) for v in u)

    def slab(start: Any, below: Vector) -> tuple[Vector, Vector]:
        u = stage(condition, gather, w, start, factor)
        # Numbers per voxel are cut where they are used; what is looked up is looked up once.
        c = (
            coefficients
            if coefficients[1] is None
            else slab_coefficients(coefficients, start + 1, planes, work)
        )
        return slab_forces(disc, u, c, start + 1, macro, below, condition)

    def close(out: Vector, first: Vector, above: Vector) -> Vector:
        """The voxels above the last nodes are those below the first ones, or (in a box) carry nothing."""
        return tuple(
            jax.lax.dynamic_update_slice_in_dim(o, (a + b).astype(kept), 0, axis=1)
            for o, a, b in zip(out, first, above, strict=True)
        )

    nothing = tuple(jnp.zeros((v.shape[0], 1, *v.shape[2:]), work) for v in w)
    if slabs == 1:
        forces, above = slab(0, nothing)
        return close(tuple(v.astype(kept) for v in forces), tuple(v[:, :1] for v in forces), above)

    def step(n: Any, state: tuple[Vector, Vector, Vector]) -> tuple[Vector, Vector, Vector]:
        out, below, first = state
        # The last slab starts early rather than being short: its overlap writes the same numbers again, but for its
        # first plane, which lacks the voxels below.
        start = jnp.minimum(n * planes, count - planes)
        forces, above = slab(start, below)
        if first:
            first = tuple(jnp.where(n == 0, v[:, :1], f) for v, f in zip(forces, first, strict=True))
        forces = tuple(v.astype(kept) for v in forces)
        if slabs * planes != count:
            again = n * planes > start
            forces = tuple(
                jnp.concatenate(
                    [
                        jnp.where(again, jax.lax.dynamic_slice_in_dim(o, start, 1, axis=1), v[:, :1]),
                        v[:, 1:],
                    ],
                    axis=1,
                )
                for o, v in zip(out, forces, strict=True)
            )
        out = tuple(
            jax.lax.dynamic_update_slice_in_dim(o, v, start, axis=1) for o, v in zip(out, forces, strict=True)
        )
        return out, above, first

    into = tuple(jnp.zeros(v.shape, kept) for v in w) if into is None else into
    # The first plane waits for the last slab in the working precision: the two may cancel.
    exact_first = nothing if kept != work else ()
    out, above, first = jax.lax.fori_loop(0, slabs, step, (into, nothing, exact_first))
    return close(out, first or tuple(o[:, :1] for o in out), above)


def _slab_nodes(w: jax.Array, start: Any, planes: int) -> jax.Array:
    """Node planes start .. start + planes, the first one again after the last: in a box the voxels between these
    two carry nothing.

    Only the slab is copied; padding the whole field first would cost a pass through memory and its size again.
    """
    start = jnp.asarray(start, jnp.int32)
    middle = jax.lax.dynamic_slice_in_dim(w, start, planes, axis=1)
    after = jax.lax.dynamic_slice_in_dim(w, (start + planes) % w.shape[1], 1, axis=1)
    return jnp.concatenate([middle, after], axis=1)
