r"""What a set of fluctuations says about the cell: energies, mean fluxes, local moments, local fields.

For loads i, j with total drives e_i = E_i + B w_i (all gradient parts s, exactly integrated):
  energy[i, j]  = <e_i : C : e_j>        (its quadratic form bounds the effective one from above, whatever the w)
  flux[i]       = <C : e_i>,  drive[i] = <e_i>
  moments[p][i,a,j,b] = <1_p e_i,a e_j,b>   from which every derivative by a property of phase p follows at once.
Everything is summed slab by slab, so that solutions may stay on disk, and in float64; where the solution itself is no
better than float32, products of a few thousand voxels are formed in float32 first. Without moments the energies come by
virtual work, from the forces of the operator: three products per node instead of thirty per voxel.
"""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np

from scalebridge.cell.coefficients import PAIRS, pack
from scalebridge.cell.modes import corner_modes, needed_modes, pad_nodes, submode_weight, submodes
from scalebridge.cell.operator import Discretization, gradient_parts, slab_forces
from scalebridge.cell.problem import CellSolution
from scalebridge.cell.scratch import NodeField, planes_of
from scalebridge.numerics.compiling import on_device, quick_jit
from scalebridge.numerics.staging import always, stage

if TYPE_CHECKING:
    from jaxtyping import Float, Num

# Above this many phases the moment matrices (36 x 36 each in 3-D elasticity) are not collected.
MAX_MOMENT_PHASES = 32
# Up to this many mode values the sums are done in NumPy, which needs no compilation.
WITHOUT_COMPILER = 6e7
# Solutions of a larger residual have their products formed in float32, so many voxels at a time: the rounding of a
# block is 1e-7 of it at most and random, 1e-9 of a mean over a large image.
SINGLE_PRECISION_RESIDUAL = 1e-7
BLOCK_VOXELS = 1024
# The same for whole slabs in NumPy, whose rounding is up to 1e-6; images of a few voxels always keep double precision.
SINGLE_PRECISION_PRODUCTS = 1e-3
ALWAYS_DOUBLE = 500_000
# Bytes per slab of what the moments take, all modes of all loads: small enough to stay near the processor. The energies
# go load by load, and fewer slabs are better than small ones.
SLAB_BYTES = 1.6e7
ENERGY_SLAB_BYTES = 3.2e7


@dataclasses.dataclass(frozen=True, eq=False)
class Moments:
    """Means over the cell. Shapes: energy (L, L), flux (L, m), drive (L, m), moments (P, L, m, L, m) or None,
    phase_drive (P, L, m) or None: <1_p e>, from which strain concentration and thermal loads follow.
    """

    energy: np.ndarray
    flux: np.ndarray
    drive: np.ndarray
    moments: np.ndarray | None
    phase_drive: np.ndarray | None = None


def _drives(disc: Discretization, w: Any, macro: Any) -> Iterator[tuple[int, float, list[Any]]]:
    """All gradient parts (s, weight, drive) of w (L, c, planes + 1, ...), NumPy or JAX; drives (L, planes, ...)."""
    wanted = needed_modes(disc.ndim, disc.element)

    def all_modes(w: Any) -> list[dict[int, Any]]:
        return [corner_modes(w[:, i], disc.ndim, wanted) for i in range(disc.components)]

    modes = all_modes(w) if isinstance(w, np.ndarray) else stage(always(w), all_modes, w)
    for s in submodes(disc.ndim, disc.element):
        drive = gradient_parts(disc, modes, s)
        if s == 0 and macro is not None:
            shape = (-1, *(1,) * disc.ndim)
            drive = [e + macro[:, n].reshape(shape) for n, e in enumerate(drive)]
        yield s, submode_weight(s, disc.spacing), drive


def _products(left: list[jax.Array], right: jax.Array) -> list[Float[jax.Array, "rows rows"]]:
    """left_n right^T summed over voxels, in float64. Shapes: (rows, lines, voxels) each -> (rows, rows)."""
    rows, lines, voxels = right.shape
    if right.dtype == jnp.float64:
        flat = right.reshape(rows, -1)
        return [a.reshape(rows, -1) @ flat.T for a in left]
    most = max(BLOCK_VOXELS // voxels, 1)
    together = max(n for n in range(1, min(most, lines) + 1) if lines % n == 0)

    def cut(a: jax.Array, n: Any) -> jax.Array:
        return jax.lax.dynamic_slice_in_dim(a, n * together, together, axis=1).reshape(rows, -1)

    def add(n: Any, sums: list[jax.Array]) -> list[jax.Array]:
        block = cut(right, n)
        return [s + (cut(a, n) @ block.T).astype(jnp.float64) for s, a in zip(sums, left, strict=True)]

    return jax.lax.fori_loop(0, lines // together, add, [jnp.zeros((rows, rows), jnp.float64) for _ in left])


def _rows(values: list[jax.Array]) -> jax.Array:
    """Fields (L, n0, ..., n) as rows, load by load: (L k, lines, n)."""
    stacked = jnp.stack(values, axis=1)
    return stacked.reshape(stacked.shape[0] * stacked.shape[1], -1, stacked.shape[-1])


def _virtual_work(w: Float[jax.Array, "L n"], forces: Float[jax.Array, "L n"]) -> Float[jax.Array, "L L"]:
    """w forces^T in float64, converted block by block. Shapes: (L, n) each -> (L, L)."""

    def block(start: Any, size: int) -> jax.Array:
        a, b = (jax.lax.dynamic_slice_in_dim(v, start, size, axis=1).astype(jnp.float64) for v in (w, forces))
        return a @ b.T

    size = min(BLOCK_VOXELS, w.shape[1])
    blocks, rest = divmod(w.shape[1], size)
    zero = jnp.zeros((len(w), len(w)))
    total = jax.lax.fori_loop(0, blocks, lambda n, sums: sums + block(n * size, size), zero)
    return total + block(blocks * size, rest) if rest else total


@functools.partial(quick_jit, static_argnums=0)
def _slab_sums(
    disc: Discretization, coefficients: jax.Array, index: jax.Array | None, w: jax.Array, macro: jax.Array
) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Sums of e:C:e, C:e and e over one slab. coefficients (count, P) with index (planes, ...), or per voxel.

    Shapes: w (L, c, planes + 1, ...), macro (L, m). The energies by virtual work, with F_j the forces that the voxels
    of the slab exert on all their nodes: e_i:C:e_j = E_i . C:e_j + w_i . F_j. Computed load by load in the precision
    of w, summed in float64.
    """
    ndim, dtype = disc.ndim, w.dtype
    axes = tuple(range(1, 1 + ndim))
    condition = always(w)
    c = [(row[index] if index is not None else row).astype(dtype) for row in coefficients]
    around = [jnp.pad(v, [(0, 0), *[(1, 1)] * (ndim - 1)]) for v in c]
    nothing = (jnp.zeros((1, 1, *w.shape[3:]), dtype),) * disc.components
    linear = tuple(1 << a for a in range(ndim))

    def pad(u: list[jax.Array]) -> list[jax.Array]:
        return [pad_nodes(v, ndim, False, first_axis=1) for v in u]

    def linear_modes(u: list[jax.Array]) -> list[dict[int, Any]]:
        return [corner_modes(v, ndim, linear) for v in u]

    def totals(modes: Any, c: Any, load: jax.Array) -> tuple[jax.Array, jax.Array]:
        e = [v + load[:, n].reshape(-1, *(1,) * ndim) for n, v in enumerate(gradient_parts(disc, modes, 0))]
        sums = [
            jnp.stack([jnp.sum(v, axis=axes, dtype=jnp.float64)[0] for v in parts])
            for parts in (disc.form.flux(c, e), e)
        ]
        return sums[0], sums[1]

    def one(pair: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, jax.Array, jax.Array]:
        field, load = pair
        u, load = [v[None] for v in field], load[None].astype(dtype)
        forces, above = slab_forces(
            disc, tuple(stage(condition, pad, u)), around, 0, load, nothing, condition
        )
        flux, mean = stage(condition, totals, stage(condition, linear_modes, u), c, load)
        ends = [jnp.concatenate([a[0], b[0]]) for a, b in zip(forces, above, strict=True)]
        return jnp.stack(ends), flux, mean

    forces, flux, mean = jax.lax.map(one, (w, macro))
    work = _virtual_work(w.reshape(len(w), -1), forces.reshape(len(w), -1))
    return macro @ flux.T + work, flux, mean


@functools.partial(quick_jit, static_argnums=(0, 1))
def _slab_moments(
    disc: Discretization, phases: int, index: jax.Array, w: jax.Array, macro: jax.Array
) -> tuple[list[jax.Array], jax.Array]:
    """Per gradient part s the sums of 1_p e e^T, (P, k, k) over its k present rows; the sums of 1_p e_0 (P, L, m).

    Computed in the precision of w, summed in float64.
    """
    loads, m = macro.shape[0], disc.form.size
    lines = index.reshape(-1, index.shape[-1])
    grams = []
    means = jnp.zeros((phases, loads, m))
    for _, weight, drive in _drives(disc, w, macro.astype(w.dtype)):
        present = [a for a in range(m) if drive[a] is not None]
        e = _rows([drive[a] for a in present])
        # Every phase by itself: what the others leave of the whole would carry the rounding of the whole.
        parts = [e * (lines == p).astype(e.dtype) for p in range(phases)]
        grams.append(weight * jnp.stack(_products(parts, e)))
        if len(present) == m:
            sums = [jnp.sum(a, axis=(1, 2), dtype=jnp.float64) for a in parts]
            means = jnp.stack(sums).reshape(phases, loads, m)
    return grams, means


def _slab_moments_numpy(
    disc: Discretization, phases: int, index: np.ndarray, w: np.ndarray, macro: np.ndarray
) -> tuple[list[np.ndarray], np.ndarray]:
    """`_slab_moments` without a compiler: for small cells compiling would take longer than the sums.

    Products of a slab in the precision of w; the slabs are added in float64.
    """
    loads, m = macro.shape[0], disc.form.size
    flat_index = index.reshape(-1)
    members = [np.flatnonzero(flat_index == p) for p in range(phases)]
    grams = []
    means = np.zeros((phases, loads, m))
    for s, weight, drive in _drives(disc, w, macro.astype(w.dtype)):
        present = _present(disc, s)
        e = np.stack([drive[a] for a in present], axis=1).reshape(loads * len(present), -1)
        chosen = [e if len(where) == e.shape[1] else e[:, where] for where in members]
        grams.append(weight * np.stack([c @ c.T for c in chosen]).astype(np.float64))
        if s == 0:
            means = np.stack([c.sum(axis=1, dtype=np.float64) for c in chosen]).reshape(phases, loads, m)
    return grams, means


def _slabs(disc: Discretization, loads: int, energies: bool = False) -> list[tuple[int, int]]:
    """Voxel planes first .. last of each slab."""
    fields, budget = len(needed_modes(disc.ndim, disc.element)) * disc.components * max(loads, 1), SLAB_BYTES
    if energies:
        fields, budget = fields // max(loads, 1) + 2 * loads * disc.components, ENERGY_SLAB_BYTES
    plane = math.prod(disc.shape[1:]) * fields * 4
    planes = int(np.clip(budget // plane, 1, disc.shape[0]))
    pieces = -(-disc.shape[0] // planes)
    planes = -(-disc.shape[0] // pieces)
    return [(a, min(a + planes, disc.shape[0])) for a in range(0, disc.shape[0], planes)]


def slab_nodes(
    w: NodeField, first: int, last: int, disc: Discretization
) -> Float[np.ndarray, "c planes *rest"]:
    """Node layers of voxel planes first .. last, periodic images included: (c, last - first + 1, n1 + 1, ...)."""
    if not disc.periodic:
        return planes_of(w, first, last + 1)
    if last < disc.shape[0]:
        cut = planes_of(w, first, last + 1)
    else:
        cut = np.concatenate([planes_of(w, first, last), planes_of(w, 0, 1)], axis=1)
    return np.pad(cut, [(0, 0), (0, 0), *[(0, 1)] * (disc.ndim - 1)], mode="wrap")


def _present(disc: Discretization, s: int) -> list[int]:
    """Components of the drive that part s of the gradient can have."""
    if not disc.form.vector:
        return [a for a in range(disc.ndim) if not s >> a & 1]
    return [n for n, (i, j) in enumerate(PAIRS[disc.ndim]) if not (s >> i & 1 and s >> j & 1)]


def moments_of(solution: CellSolution, derivatives: bool = True) -> Moments:
    """Means over the cell of one solution, in the units of the problem's matrices.

    Without `derivatives` the moments per phase are left out, which cost more than the energies and the mean fluxes.
    """
    problem = solution.problem
    disc = problem.discretization
    loads = solution.loads
    count, m, phases = len(loads), disc.form.size, len(problem.matrices)
    if not count:  # no load can be carried (uniform flux on faces with void): every sum is empty
        empty = np.zeros((0, m))
        return Moments(
            np.zeros((0, 0)), empty, empty, np.zeros((phases, 0, m, 0, m)), np.zeros((phases, 0, m))
        )
    macro = np.zeros_like(loads) if problem.boundary.prescribes_flux else loads
    work = math.prod(disc.shape) * count * disc.components * len(needed_modes(disc.ndim, disc.element))
    small = work < WITHOUT_COMPILER
    collect = problem.packed is None and phases <= MAX_MOMENT_PHASES and (derivatives or small)
    voxels = math.prod(disc.shape)
    floor = SINGLE_PRECISION_RESIDUAL
    if small:
        floor = SINGLE_PRECISION_PRODUCTS if voxels > ALWAYS_DOUBLE else np.inf
    work_type = np.float32 if solution.residual > floor else np.float64
    table = pack(disc.form, problem.matrices)
    moments = np.zeros((phases, count, m, count, m))
    means = np.zeros((phases, count, m))
    energy, flux, mean = np.zeros((count, count)), np.zeros((count, m)), np.zeros((count, m))
    with jax.enable_x64(True):
        for first, last in _slabs(disc, count, energies=not collect):
            nodes = np.stack([slab_nodes(f, first, last, disc) for f in solution.fluctuations]).astype(
                work_type, copy=False
            )
            labels = problem.index[first:last].astype(np.int32)
            if collect and small:
                grams, part = _slab_moments_numpy(disc, phases, labels, nodes, macro)
            elif collect:
                grams, part = _slab_moments(
                    disc, phases, on_device(labels), on_device(nodes), on_device(macro)
                )
            if collect:
                means += np.asarray(part)
                for s, gram in zip(submodes(disc.ndim, disc.element), grams, strict=True):
                    rows = _present(disc, s)
                    shape = (phases, count, len(rows), count, len(rows))
                    block = np.asarray(gram).reshape(shape)
                    for k, a in enumerate(rows):
                        moments[:, :, a][..., rows] += block[:, :, k]
                continue
            if problem.packed is None:
                where, c = on_device(labels), on_device(table)
            else:
                where, c = None, on_device(problem.packed[:, first:last], np.float64)
            sums = _slab_sums(disc, c, where, on_device(nodes), on_device(macro))
            energy, flux, mean = (a + np.asarray(b) for a, b in zip((energy, flux, mean), sums, strict=True))
    if not collect:
        return Moments(_symmetric(energy) / voxels, flux / voxels, mean / voxels, None)
    moments, means = moments / voxels, means / voxels
    energy = np.einsum("pab,piajb->ij", problem.matrices, moments)
    flux = np.einsum("pab,pib->ia", problem.matrices, means)
    return Moments(_symmetric(energy), flux, means.sum(axis=0), moments, means)


def _symmetric(a: np.ndarray) -> np.ndarray:
    return (a + a.T) / 2


def local_fields(
    solution: CellSolution,
    weights: Num[np.ndarray, " L"],
    dtype: type = np.float64,
    allocate: Callable[[tuple[int, ...], type], np.ndarray] = np.empty,
) -> tuple[
    Float[np.ndarray, "c *nodes"],
    Float[np.ndarray, "m *shape"],
    Float[np.ndarray, "m *shape"],
    Float[np.ndarray, "*shape"],
]:
    """Local fields under the load sum_l weights[l] * loads[l]: the way back down.

    Shapes: displacement fluctuation (c, *nodes), drive (m, *shape), flux (m, *shape), energy density (*shape).
    Drives and fluxes are voxel means; the energy density is exactly integrated over each voxel (and halved).
    Computed in float64, slab by slab, returned in `dtype`; `allocate` makes the arrays of the last three.
    """
    problem = solution.problem
    disc = problem.discretization
    combined: np.ndarray = np.zeros((disc.components, *disc.nodes), dtype)
    for weight, field in zip(np.asarray(weights, float), solution.fluctuations, strict=True):
        if weight != 0:
            combined += dtype(weight) * np.asarray(field)
    macro = np.zeros((1, disc.form.size))
    if not problem.boundary.prescribes_flux:
        macro = (np.asarray(weights, float) @ solution.loads)[None]
    m = disc.form.size
    drive, flux = allocate((m, *disc.shape), dtype), allocate((m, *disc.shape), dtype)
    energy = allocate(disc.shape, dtype)
    table = pack(disc.form, problem.matrices)
    with jax.enable_x64(True):
        for first, last in _slabs(disc, 1):
            w = on_device(slab_nodes(combined, first, last, disc)[None], np.float64)
            if problem.packed is None:
                c = on_device(np.take(table, problem.index[first:last], axis=1))
            else:
                c = on_device(problem.packed[:, first:last], np.float64)
            parts = _slab_fields(disc, c, w, on_device(macro))
            drive[:, first:last], flux[:, first:last], energy[first:last] = (np.asarray(v) for v in parts)
    return combined, drive, flux, energy


@functools.partial(quick_jit, static_argnums=0)
def _slab_fields(
    disc: Discretization, c: jax.Array, w: jax.Array, macro: jax.Array
) -> tuple[jax.Array, jax.Array, jax.Array]:
    coefficients = list(c)
    energy = jnp.zeros(c.shape[1:])
    first_drive: list[Any] = []
    first_flux: list[Any] = []
    for _, weight, drive in _drives(disc, w, macro):
        q = disc.form.flux(coefficients, drive)
        energy = energy + 0.5 * weight * sum(
            (a * b)[0] for a, b in zip(drive, q, strict=True) if a is not None and b is not None
        )
        if not first_drive:
            first_drive, first_flux = [e[0] for e in drive], [v[0] for v in q]
    return jnp.stack(first_drive), jnp.stack(first_flux), energy
