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

from scalebridge.cell.nonlinear.fields import tangent_entries
from scalebridge.cell.nonlinear.newton import Batch, Start, solve_until
from scalebridge.cell.nonlinear.problem import Equilibrium, NewtonKrylov
from scalebridge.core.status import Status

SMALLEST = 4  # cells: below, a smaller batch saves nothing


def bytes_per_cell(batch: Batch) -> int:
    """Peak memory of one cell in `solve_many`: points (drives, fluxes, tangents, states, twice) and nodal vectors."""
    elements = batch.elements
    voxels = batch.points.voxels
    entries = len(tangent_entries(elements.size, batch.points.symmetric))
    states = sum(leaf.nbytes for leaf in jax.tree.leaves(batch.points.initial_state())) / batch.cells
    per_point = 3 * elements.size * 8 + 3 * entries * np.dtype(batch.space.dtype).itemsize
    vectors = elements.components * (3 * 8 + 8 * np.dtype(batch.space.dtype).itemsize)
    return int(voxels * (elements.points * per_point + vectors) + 3 * states)


def solve_many(
    batch: Batch, start: Start, target: np.ndarray, flux_given: np.ndarray, dt: float, method: NewtonKrylov
) -> Equilibrium:
    """`solve_equilibrium` for any number of cells within `method.memory` bytes. Arguments and result as there.

    Every cell gets the same numbers, to the tolerance, as alone.
    """
    given = np.asarray(flux_given, bool)
    most = int(max(1, method.memory // max(bytes_per_cell(batch), 1)))
    pieces: dict[int, Equilibrium] = {}
    with jax.enable_x64(True):
        for first in range(0, batch.cells, most):
            _solve_chunk(
                batch,
                start,
                target,
                given,
                dt,
                method,
                np.arange(first, min(first + most, batch.cells)),
                pieces,
            )
        return _joined([pieces[n] for n in range(batch.cells)])


def _solve_chunk(
    batch: Batch, start: Start, target: np.ndarray, given: np.ndarray, dt: float, method: NewtonKrylov,
    rows: np.ndarray, pieces: dict[int, Equilibrium],
) -> None:  # fmt: skip
    waiting, guess, steps = rows, None, method.steps
    while len(waiting):
        part = start_of(start, waiting)
        if guess is not None:
            part = dataclasses.replace(part, w=guess[0], drive=guess[1])
        few = len(waiting) // 2 if len(waiting) > SMALLEST else 0
        found, under_way = solve_until(
            batch.only(waiting),
            part,
            target[waiting],
            given,
            dt,
            dataclasses.replace(method, steps=steps),
            few,
        )
        steps -= len(found.krylov)
        for n, row in enumerate(waiting):
            earlier = pieces.get(int(row))
            if earlier is None or earlier.status[0] is not Status.CONVERGED:
                pieces[int(row)] = _after(earlier, equilibrium_of(found, [n]))
        if steps < 1 or not under_way.any():
            return
        # Batches of half, a quarter, ... of the cells only, filled up with some that are done: each size compiles once.
        left = np.flatnonzero(under_way)
        size = len(waiting)
        while size // 2 >= max(len(left), 1):
            size //= 2
        kept = np.sort(np.concatenate([left, np.flatnonzero(~under_way)[: size - len(left)]]))
        guess = (tuple(v[kept] for v in found.w), found.drive[kept])
        waiting = waiting[kept]


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
        mean_tangent=found.mean_tangent[kept],
    )


def _after(earlier: Equilibrium | None, later: Equilibrium) -> Equilibrium:
    """One cell that was carried on: its iterations are those of both parts (the first residual again is the last)."""
    if earlier is None:
        return later
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
        mean_tangent=rows("mean_tangent"),
    )
