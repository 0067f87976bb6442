r"""Many cells at once: in chunks that fit in memory, and without those that are done.

A batch shares every compiled program and every pass over the memory of its code, which is what small cells wait for.
Cells converge at different times: as soon as only half of a chunk is under way, that half goes on alone (with as many
of the others as keep the number of different sizes, and so of compiled programs, small).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from scalebridge.cell.nonlinear.control import Control
from scalebridge.cell.nonlinear.fields import tangent_entries
from scalebridge.cell.nonlinear.newton import Batch, Start, solve_until
from scalebridge.cell.nonlinear.problem import Equilibrium, NewtonKrylov
from scalebridge.core.status import Status

SMALLEST = 4  # cells: below, a smaller batch saves nothing


def bytes_per_cell(batch: Batch) -> int:
    """Peak memory of one cell in `solve_many`: points (drives, fluxes, tangents, states, twice) and nodal vectors."""
    elements = batch.elements
    voxels = batch.points.voxels
    rows = len(tangent_entries(elements.size, batch.points.symmetric))
    if elements.shares_dilatation:
        rows += 2 * elements.size  # drive and flux beside the tangent: `dilatation.shared_tangent` needs them
    states = sum(leaf.nbytes for leaf in jax.tree.leaves(batch.points.only([0]).initial_state()))
    per_point = 3 * elements.size * 8 + 3 * rows * np.dtype(batch.space.dtype).itemsize
    vectors = elements.components * (3 * 8 + 8 * np.dtype(batch.space.dtype).itemsize)
    return int(voxels * (elements.points * per_point + vectors) + 3 * states)


def solve_many(
    batch: Batch,
    start: Start,
    target: np.ndarray,
    flux_given: np.ndarray | Control,
    dt: float,
    method: NewtonKrylov,
) -> Equilibrium:
    """`solve_equilibrium` for any number of cells within `method.memory` bytes. Arguments and result as there.

    Every cell gets the same numbers, to the tolerance, as alone.
    """
    control = Control.of(flux_given)
    most = int(max(1, method.memory // max(bytes_per_cell(batch), 1)))
    parts: list[tuple[np.ndarray, Equilibrium]] = []
    with jax.enable_x64(True):
        for first in range(0, batch.cells, most):
            rows = np.arange(first, min(first + most, batch.cells))
            parts += _solve_chunk(batch, start, target, control, dt, method, rows)
        order = np.argsort(np.concatenate([rows for rows, _ in parts]))
        joined = _joined([found for _, found in parts])
        return joined if (np.diff(order) == 1).all() else equilibrium_of(joined, order)


def _solve_chunk(
    batch: Batch, start: Start, target: np.ndarray, control: Control, dt: float, method: NewtonKrylov,
    rows: np.ndarray,
) -> list[tuple[np.ndarray, Equilibrium]]:  # fmt: skip
    """The cells of a chunk in the order in which they were done: their numbers, and what was found for them."""
    parts: list[tuple[np.ndarray, Equilibrium]] = []
    waiting, part, taken = rows, start_of(start, rows), 0
    extra = np.zeros(len(rows), bool)  # fills up a batch: not asked for
    earlier: Equilibrium | None = None
    while True:
        few = len(waiting) // 2 if len(waiting) > SMALLEST else 0
        found, under_way = solve_until(
            batch.only(waiting), part, target[waiting], control, dt, method, few, taken
        )
        taken += len(found.krylov)
        if earlier is not None:
            found = _after(earlier, found)
        done = np.flatnonzero(~under_way & ~extra)
        if len(done):
            parts.append((waiting[done], equilibrium_of(found, done)))
        left = np.flatnonzero(under_way & ~extra)
        if not len(left):
            return parts
        # Batches of half, a quarter, ... of the cells only: each size compiles once. Filled up with cells in balance,
        # which cost no iteration, or, where these are too few, with some of those under way again.
        size = len(waiting)
        while size // 2 >= len(left):
            size //= 2
        balanced = [n for n, status in enumerate(found.status) if status is Status.CONVERGED]
        kept = np.concatenate([left, balanced, np.resize(left, size)])[:size].astype(int)
        extra = np.arange(size) >= len(left)
        part = dataclasses.replace(
            start_of(start, waiting[kept]), w=tuple(v[kept] for v in found.w), drive=found.drive[kept]
        )
        earlier, waiting = equilibrium_of(found, kept), waiting[kept]


def start_of(start: Start, rows: Sequence[int] | np.ndarray) -> Start:
    """Some cells of a start."""
    kept = np.asarray(rows, int)
    state = jax.tree.map(lambda a: a[kept], start.state)
    return Start(state, tuple(v[kept] for v in start.w), start.drive[kept])


def equilibrium_of(found: Equilibrium, rows: Sequence[int] | np.ndarray) -> Equilibrium:
    """Some cells of an equilibrium."""
    kept = np.asarray(rows, int)
    return dataclasses.replace(
        found,
        w=tuple(v[kept] for v in found.w),
        drive=found.drive[kept],
        flux=found.flux[kept],
        state=jax.tree.map(lambda a: a[kept], found.state),
        stored=found.stored[kept],
        dissipated=found.dissipated[kept],
        residuals=found.residuals[:, kept],
        krylov=found.krylov[:, kept],
        status=tuple(found.status[n] for n in kept),
        reason=tuple(found.reason[n] for n in kept),
        point_flux=found.point_flux[:, :, kept],
        tangent=found.tangent[:, :, kept],
    )


def _after(earlier: Equilibrium, later: Equilibrium) -> Equilibrium:
    """Cells that were carried on: their iterations are those of both parts (the first residual again is the last)."""
    return dataclasses.replace(
        later,
        residuals=np.concatenate([earlier.residuals, later.residuals[1:]]),
        krylov=np.concatenate([earlier.krylov, later.krylov]),
    )


def _joined(found: list[Equilibrium]) -> Equilibrium:
    """Cells side by side again; a cell that needed fewer iterations keeps its last residual, without Krylov steps."""

    def rows(name: str) -> Any:
        return np.concatenate([getattr(f, name) for f in found])

    deepest = max(len(f.residuals) for f in found)
    longest = max(len(f.krylov) for f in found)
    return Equilibrium(
        w=tuple(jnp.concatenate(v) for v in zip(*(f.w for f in found), strict=True)),
        drive=rows("drive"),
        flux=rows("flux"),
        state=jax.tree.map(lambda *leaves: jnp.concatenate(leaves), *(f.state for f in found)),
        stored=rows("stored"),
        dissipated=rows("dissipated"),
        residuals=np.concatenate(
            [np.pad(f.residuals, [(0, deepest - len(f.residuals)), (0, 0)], mode="edge") for f in found],
            axis=1,
        ),
        krylov=np.concatenate(
            [np.pad(f.krylov, [(0, longest - len(f.krylov)), (0, 0)]) for f in found], axis=1
        ),
        status=tuple(s for f in found for s in f.status),
        reason=tuple(r for f in found for r in f.reason),
        point_flux=jnp.concatenate([f.point_flux for f in found], axis=2),
        tangent=jnp.concatenate([f.tangent for f in found], axis=2),
    )
