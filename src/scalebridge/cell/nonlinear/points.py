r"""The points of a cell and their laws: who is asked what, and where the answers go.

Voxels are grouped by law; laws that differ in the values of their parameters only (grains of one crystal) form one
group, so that each kind of law is compiled once, whatever the image. The integration points of a group are batched over
all cells of a batch. A state is a tuple over the groups; its leaves are (B, points * n, ...): cells first, so that a
cell can leave or enter a batch by indexing.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np

from scalebridge.cell.nonlinear.elements import VoxelElements
from scalebridge.cell.nonlinear.fields import tangent_entries
from scalebridge.core.errors import LawError
from scalebridge.material.laws.point import AbstractPointLaw, PointUpdate, whole
from scalebridge.numerics.compiling import quick_jit
from scalebridge.numerics.staging import always, stage

if TYPE_CHECKING:
    from jaxtyping import Float, Integer

# Points evaluated together: what a law keeps in between stays near the processor.
CHUNK = 8192


@dataclasses.dataclass(frozen=True, eq=False)
class PointGroup:
    """Voxels of one kind of law. law: leaves stacked (G, ...) over its members where G > 1.

    members (B, n): voxel numbers, filled up with the number of voxels; which (B, n): the law of each.
    """

    law: AbstractPointLaw
    count: int
    members: np.ndarray
    which: np.ndarray
    names: tuple[str, ...]


@dataclasses.dataclass(frozen=True, eq=False)
class Points:
    """All points of a batch of cells of `voxels` voxels each. padded (B, *padded): column of each voxel around every
    node among the groups' voxels; the last column is the void, which answers nothing."""

    groups: tuple[PointGroup, ...]
    voxels: int
    padded: np.ndarray
    per_voxel: int
    size: int
    symmetric: bool

    @property
    def columns(self) -> int:
        """The number of the last column of `padded`: that of the void."""
        return sum(group.members.shape[1] for group in self.groups)

    @property
    def cells(self) -> int:
        return len(self.padded)

    def initial_state(self) -> tuple[Any, ...]:
        """The state of virgin cells, leaves (B, points * n, ...)."""
        return tuple(_virgin(group, self.per_voxel) for group in self.groups)

    def only(self, kept: Sequence[int] | np.ndarray) -> Points:
        """The same for some of the cells."""
        rows = np.asarray(kept, int)
        groups = tuple(
            dataclasses.replace(g, members=g.members[rows], which=g.which[rows]) for g in self.groups
        )
        return dataclasses.replace(self, groups=groups, padded=self.padded[rows])


def collect_points(
    indices: Integer[np.ndarray, "B *shape"],
    laws: Mapping[int, AbstractPointLaw | None],
    elements: VoxelElements,
) -> Points:
    """Groups of the voxels of images (B, *shape) of labels. A label whose law is None is a void.

    Fails when: a label has no law, a law takes other drives than the cell gives, or all is void (LawError).
    """
    kinematics, ndim = elements.kinematics, elements.ndim
    flat = indices.reshape(len(indices), -1)
    labels = [int(v) for v in np.unique(flat)]
    kinds: dict[Any, list[int]] = {}
    for label in labels:
        if label not in laws:
            raise LawError(f"No law for label {label}. Laws were given for {sorted(laws)}.")
        law = laws[label]
        if law is None:
            continue
        if law.kinematics is not kinematics or law.dimensions != ndim:
            raise LawError(
                f"The law of label {label} ({law.name}) is for {law.kinematics.name} in {law.dimensions}-D; this cell "
                f"is {kinematics.name} in {ndim}-D. Laws of one cell share their kinematics; a 2-D cell needs "
                "PlaneStrain(law) or PlaneStress(law)."
            )
        leaves, tree = jax.tree.flatten(law)
        kinds.setdefault((tree, tuple(np.shape(v) for v in leaves)), []).append(label)
    if not kinds:
        raise LawError("Every voxel of this cell is void: nothing carries a load.")
    groups, position, offset = [], np.full(flat.shape, -1, np.int32), 0
    for members in kinds.values():
        chosen: list[AbstractPointLaw] = [law for label in members if (law := laws[label]) is not None]
        found = [np.flatnonzero(np.isin(row, members)) for row in flat]
        n = max(len(f) for f in found)
        table = np.full((len(flat), n), flat.shape[1], np.int32)
        which = np.zeros((len(flat), n), np.int32)
        order = np.array(sorted(members))
        for row, (labels_of_cell, f) in enumerate(zip(flat, found, strict=True)):
            table[row, : len(f)] = f
            position[row, f] = offset + np.arange(len(f), dtype=np.int32)
            which[row, : len(f)] = np.argsort(members)[np.searchsorted(order, labels_of_cell[f])]
        stacked = jax.tree.map(lambda *leaves: np.stack(leaves), *chosen) if len(chosen) > 1 else chosen[0]
        groups.append(PointGroup(stacked, len(chosen), table, which, tuple(law.name for law in chosen)))
        offset += n
    position[position < 0] = offset
    symmetric = all(group.law.symmetric_tangent for group in groups)
    image = position.reshape(len(position), *elements.shape)
    widths = [(0, 0), *[(1, 0) if elements.periodic else (1, 1)] * ndim]
    padded = (
        np.pad(image, widths, mode="wrap")
        if elements.periodic
        else np.pad(image, widths, constant_values=offset)
    )
    return Points(tuple(groups), flat.shape[1], padded, elements.points, elements.size, symmetric)


def _virgin(group: PointGroup, per_voxel: int) -> Any:
    cells, n = group.members.shape
    if group.count == 1:
        state = group.law.initial_state(cells * per_voxel * n)
    else:
        with jax.enable_x64(True):
            each = jax.vmap(lambda law: jax.tree.map(jnp.asarray, law.virgin_state()), axis_size=group.count)(
                group.law
            )  # axis_size: a law may have no parameters
        kind = np.broadcast_to(group.which[:, None], (cells, per_voxel, n)).reshape(-1)
        state = jax.tree.map(lambda a: np.asarray(a)[kind], each)
    return jax.tree.map(lambda a: a.reshape(cells, per_voxel * n, *a.shape[1:]), state)


@dataclasses.dataclass(frozen=True, eq=False)
class Answer:
    """What all points said. flux (points, m, B, *padded) float64 and tangent (points, entries, B, *padded) or None, on
    the voxels around every node (fields.py); state: tuple over groups. Means over the points of a cell: mean_flux
    (B, m), size (B,) of flux . metric flux, stored, dissipated (B,). failed (B,): how many points had no answer.
    """

    flux: jax.Array
    tangent: jax.Array | None
    state: tuple[Any, ...]
    mean_flux: np.ndarray
    size: np.ndarray
    stored: np.ndarray
    dissipated: np.ndarray
    failed: np.ndarray
    first_failed: tuple[int, ...]


def ask(
    points: Points,
    state: tuple[Any, ...],
    drive: Float[jax.Array, "points m B N"],
    dt: float,
    *,
    tangent: bool,
    scale: float = 1.0,
    metric: Float[np.ndarray, "m m"] | None = None,
    dtype: Any = np.float32,
) -> Answer:
    """Every point at `drive` (points, m, B, N), reached `dt` after `state`; pure: nothing is changed in place.

    Fluxes, tangents and their means are divided by `scale`, the tangents kept as `dtype`. metric (m, m): what measures
    the size of a flux (the unit matrix by default).
    """
    cells, m = points.cells, points.size
    entries = tangent_entries(m, points.symmetric) if tangent else ()
    metric = np.eye(m) if metric is None else metric
    fluxes, tangents, states = [], [], []
    totals, failed, first = np.zeros((cells, m + 3)), np.zeros(cells, int), np.full(cells, -1)
    for group, before in zip(points.groups, state, strict=True):
        flux, rows, new, sums, wrong, where = _ask_group(
            group.law, group.members, group.which if group.count > 1 else None, before, drive, np.float64(dt),
            np.float64(scale), metric, entries, np.dtype(dtype),
        )  # fmt: skip
        fluxes.append(flux)
        tangents.append(rows)
        states.append(new)
        totals += np.asarray(sums)
        failed += np.asarray(wrong)
        first = np.where(first < 0, np.asarray(where), first)
    means = totals / (points.per_voxel * points.voxels)
    counts = tuple(group.members.shape[1] for group in points.groups)
    place = (points.padded, cells, points.per_voxel, counts)
    return Answer(
        _in_place(tuple(fluxes), *place), _in_place(tuple(tangents), *place) if tangent else None, tuple(states),
        means[:, :m], means[:, m], means[:, m + 1] * scale, means[:, m + 2] * scale, failed,
        tuple(int(v) for v in first),
    )  # fmt: skip


@functools.partial(quick_jit, static_argnums=(8, 9))
def _ask_group(
    law: AbstractPointLaw,
    members: jax.Array,
    which: jax.Array | None,
    state: Any,
    drive: jax.Array,
    dt: jax.Array,
    scale: jax.Array,
    metric: jax.Array,
    entries: tuple[tuple[int, int], ...],
    dtype: Any,
) -> tuple[jax.Array, jax.Array | None, Any, jax.Array, jax.Array, jax.Array]:
    """One group: flux (pieces, m, chunk) and tangent entries alike, in the order (B, points, n) of its points; state;
    sums over its points (B, m + 3) of flux, its size, stored, dissipated; failed points (B,), first failed voxel (B,).
    """
    per_voxel, size, cells, voxels = drive.shape
    n = members.shape[1]
    total = cells * per_voxel * n
    gathered = jnp.take_along_axis(drive, members[None, None], axis=3, mode="clip")
    rows = jnp.transpose(gathered, (1, 2, 0, 3)).reshape(size, total)
    flat_state = jax.tree.map(lambda a: a.reshape(total, *a.shape[2:]), state)
    kind = None if which is None else jnp.broadcast_to(which[:, None], (cells, per_voxel, n)).reshape(total)
    chunk = min(CHUNK, total)
    pieces = -(-total // chunk)
    extra = pieces * chunk - total  # the last point so many times more, and forgotten

    def cut(a: jax.Array) -> jax.Array:
        if extra:
            a = jnp.concatenate([a, jnp.broadcast_to(a[-1:], (extra, *a.shape[1:]))])
        return a.reshape(pieces, chunk, *a.shape[1:])

    def one(law: AbstractPointLaw, s: Any, e: jax.Array) -> tuple[PointUpdate, Any]:
        if not entries:
            return whole(law.update(s, e, dt)), None
        new, t = law.update_with_entries(s, e, dt, entries)
        return whole(new), t

    if extra:
        rows = jnp.concatenate([rows, jnp.broadcast_to(rows[:, -1:], (size, extra))], axis=1)
    rows = jnp.moveaxis(rows.reshape(size, pieces, chunk), 1, 0)

    # States stay point by point; drives, fluxes and tangents are stored entry by entry, as the sweeps over the grid
    # want them, and so that a law reads and writes long vectors.
    out = (PointUpdate(-1, 0, 0, 0, 0), 0 if entries else None)

    def several(piece: tuple[Any, jax.Array, Any]) -> tuple[Any, ...]:
        s, e, k = piece
        if k is None:
            new, t = jax.vmap(lambda s, e: one(law, s, e), in_axes=(0, 1), out_axes=out)(s, e)
        else:
            each = jax.tree.map(lambda leaf: jnp.asarray(leaf)[k], law)
            new, t = jax.vmap(one, in_axes=(0, 0, 1), out_axes=out)(each, s, e)
        flux = new.flux / scale
        # Row by row: a reduction over rows reads across the vectors, one number at a time.
        bad, measured, length = new.failed, metric @ flux, jnp.zeros_like(flux[0])
        for k in range(size):
            bad = bad | ~jnp.isfinite(flux[k])
            length = length + flux[k] * measured[k]
        for row in t or ():
            bad = bad | ~jnp.isfinite(row)
        if t is not None:
            t = jnp.stack([(row / scale).astype(dtype) for row in t])
        return flux, t, new.state, jnp.stack([length, new.stored / scale, new.dissipated / scale]), bad

    pieces_in = (jax.tree.map(cut, flat_state), rows, None if kind is None else cut(kind))
    flux, tangent, new, scalars, bad = jax.lax.map(several, pieces_in)

    def state_back(a: jax.Array) -> jax.Array:
        return a.reshape(pieces * chunk, *a.shape[2:])[:total].reshape(cells, per_voxel * n, *a.shape[2:])

    def per_cell(a: jax.Array) -> jax.Array:
        return a.reshape(pieces * chunk)[:total].reshape(cells, per_voxel, n)

    real = (members < voxels)[:, None, :]
    wrong = per_cell(bad) & real
    columns = [*(flux[:, k] for k in range(size)), *(scalars[:, k] for k in range(3))]
    sums = jnp.stack([jnp.sum(jnp.where(real, per_cell(c), 0.0), axis=(1, 2)) for c in columns], axis=1)
    any_point = wrong.any(axis=1)
    first = jnp.where(
        any_point.any(axis=1),
        jnp.take_along_axis(members, jnp.argmax(any_point, axis=1)[:, None], axis=1)[:, 0],
        -1,
    )
    return flux, tangent, jax.tree.map(state_back, new), sums, jnp.sum(wrong, axis=(1, 2)), first


@functools.partial(quick_jit, static_argnums=(2, 3, 4))
def _in_place(
    groups: tuple[jax.Array, ...], position: jax.Array, cells: int, per_voxel: int, counts: tuple[int, ...]
) -> jax.Array:
    """Answers (pieces, rows, chunk) of the groups' points, brought to the padded image in one pass over the memory.

    position (B, *padded): column of a voxel among the groups' voxels, beyond the last for voids and outside
    -> (points, rows, B, *padded).
    """
    rows = groups[0].shape[1]
    number = jnp.int32 if max(g.size for g in groups) < 2**31 else jnp.int64

    def first_rows(position: jax.Array) -> list[jax.Array]:
        """Where in each group the first row of every point is, or -1: (points, 1, B, *padded)."""
        column = position.astype(number)[None, None]
        cell = jnp.arange(cells, dtype=number).reshape(1, 1, cells, *(1,) * (position.ndim - 1))
        point = jnp.arange(per_voxel, dtype=number).reshape(per_voxel, *(1,) * (column.ndim - 1))
        found, first = [], 0
        for group, n in zip(groups, counts, strict=True):
            chunk = group.shape[2]
            place = (cell * per_voxel + point) * n + (column - first)
            where = (place // chunk) * (rows * chunk) + place % chunk
            found.append(jnp.where((column >= first) & (column < first + n), where, -1))
            first += n
        return found

    def bring(groups: tuple[jax.Array, ...], places: list[jax.Array]) -> jax.Array:
        def bring_row(row: jax.Array, out: jax.Array) -> jax.Array:
            found = jnp.zeros(places[0].shape, out.dtype)
            for group, where in zip(groups, places, strict=True):
                mine = where >= 0
                place = jnp.where(mine, where + row.astype(number) * group.shape[2], 0)
                found = jnp.where(mine, group.reshape(-1).at[place].get(mode="promise_in_bounds"), found)
            return jax.lax.dynamic_update_slice_in_dim(out, found, row, axis=1)

        shape = (per_voxel, rows, *places[0].shape[2:])
        return jax.lax.fori_loop(0, rows, bring_row, jnp.zeros(shape, groups[0].dtype))

    # Two stages: merged into one, every row would find the places again.
    condition = always(groups[0])
    return stage(condition, bring, groups, stage(condition, first_rows, position))
