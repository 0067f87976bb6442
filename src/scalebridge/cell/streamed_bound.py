r"""The guaranteed lower bound of flux_bound for images whose face fluxes would not fit: no flux is ever stored.

The finite-volume flux of load i, q_i = t (grad w_i + e_i), follows from one number per voxel. So the potentials are
solved one after the other, in double precision, until what divergence is left costs the bound next to nothing, and
wait in scratch files; the energies C_ij and means Q_i are then summed slab by slab from all of them. The result is
that of `flux_lower_bound` without descent steps, up to the round-off that is subtracted.
"""

from __future__ import annotations

import functools
import math
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np

from scalebridge.cell.boundary import Edge
from scalebridge.cell.faces import lookup, one_axis, one_increment
from scalebridge.cell.finite_volume import (
    Discretization,
    FiniteVolumeProblem,
    discretize,
    evaluate,
    insulating,
)
from scalebridge.cell.flux_bound import SMALLEST_EIGENVALUE, FluxBound, bound_of, divergence_loss
from scalebridge.cell.scratch import ScratchArray, ScratchFolder
from scalebridge.core.errors import InputError
from scalebridge.core.heap import release_freed_memory
from scalebridge.core.progress import AbstractProgress, SilentProgress
from scalebridge.numerics import multigrid
from scalebridge.numerics.compiling import quick_jit

if TYPE_CHECKING:
    from jaxtyping import Float

_LOSS = 2e-7  # of the load's energy that the divergence left may cost
_NOTHING = 1e-14  # of the energy of the bare load: nothing conducts
_PASSES = 7
_PASS_REDUCTION = 1e-5  # of the residual in one single-precision pass
_STEPS = 60
_SLAB_VOXELS = 2**19


def streamed_flux_bound(
    problem: FiniteVolumeProblem, folder: ScratchFolder, progress: AbstractProgress | None = None
) -> FluxBound:
    r"""Rigorous lower bound of the effective conductivity of a periodic voxel image, potentials kept in `folder`.

    lower = Q C^-1 Q^T of the finite-volume fluxes; shapes and units as in `flux_lower_bound`, whose bound without
    descent steps it is.
    Fails when: the boundary condition is not periodic (InputError). References: [raviart1977].
    """
    if any(edge is not Edge.PERIODIC for edge in problem.edges):
        raise InputError(f"The streamed bound takes periodic cells, got {problem.boundary.name!r}.")
    progress = progress or SilentProgress()
    axes = problem.axes
    rest, voigt = np.zeros(len(axes)), np.zeros(len(axes))
    kept: list[ScratchArray] = []
    conducting: list[int] = []
    with jax.enable_x64(True):
        disc = discretize(problem)
        release_freed_memory()
        for i, axis in enumerate(axes):
            progress.update("guaranteed lower bound", i, len(axes))
            found = _balance(disc, axis, folder, progress)
            if found is not None:
                stored, rest[i], voigt[i] = found
                kept.append(stored)
                conducting.append(i)
        index, table, steps, edges, scale = disc.index, disc.table, disc.steps, disc.edges, disc.scale
        del disc  # the hierarchy is the largest part, and the sums do not need it
        energy, integral = np.zeros((len(axes),) * 2), np.zeros((len(axes),) * 2)
        if kept:
            chosen = tuple(axes[i] for i in conducting)
            parts = _sums(index, table, kept, steps, chosen, edges)
            energy[np.ix_(conducting, conducting)] = parts[0]
            integral[conducting] = parts[1][:, list(axes)]
        progress.update("guaranteed lower bound", len(axes), len(axes))
    loss = max((divergence_loss(len(axes), rest[i], voigt[i], energy[i, i]) for i in conducting), default=0.0)
    mask = np.isin(np.arange(len(axes)), conducting)
    return bound_of(integral, energy, loss, mask, scale / problem.volume)


def _balance(
    disc: Discretization, axis: int, folder: ScratchFolder, progress: AbstractProgress
) -> tuple[ScratchArray, float, float] | None:
    """The potential of one load, iterated on until the divergence of its fluxes is negligible; None: no path conducts.

    Also returns the bound of the energy (r, A^-1 r) of the correction that would still be missing, and the energy of
    the bare load. The first step of a pass gives (r, B r) with the preconditioner B, and A^-1 <= B / (smallest
    eigenvalue of B A). While a pass iterates, the potential stays in its file.
    """
    stored = ScratchArray(folder, f"potential{axis}.raw", np.zeros((1, *disc.index.shape)))
    rest, voigt, energy = math.inf, 0.0, 0.0

    def listen(step: int, squared: float) -> None:
        progress.update(
            "guaranteed lower bound", axis, len(disc.edges), f"divergence {math.sqrt(squared):.1e}"
        )

    for number in range(_PASSES):
        w = jnp.asarray(np.asarray(stored)[0])
        residual, square, energy, _ = evaluate(disc, w, axis)
        del w
        voigt = energy if number == 0 else voigt
        norm = math.sqrt(square)
        if norm == 0:
            rest = 0.0
            break
        # Scaled, for single precision has a short range of exponents.
        state = multigrid.start(residual / np.float32(norm))
        del residual
        if number == 0:  # steps nowhere, but compiles, which takes memory of its own
            state = multigrid.iterate(disc.tree, state, 0.0, 0.0, 1.0, 0, listen)
            release_freed_memory()
        state = multigrid.iterate(disc.tree, state, 0.0, 0.0, 1.0, 1, listen)
        # At round-off the product may come out on either side of zero; its size is what counts.
        before, rest = rest, abs(float(state.product)) * square / SMALLEST_EIGENVALUE
        loss = divergence_loss(len(disc.edges), rest, voigt, energy)
        done = loss <= _LOSS * energy or energy <= _NOTHING * voigt or rest > 0.25 * before
        if done or number == _PASSES - 1:
            break
        goal = max(0.3 * _LOSS * energy / loss, _PASS_REDUCTION)
        state = multigrid.iterate(disc.tree, state, goal**2, 0.0, 1.0, _STEPS, listen)
        correction = np.asarray(state.solution)
        del state
        _add(stored, correction, norm)
        del correction
    if energy <= 1e-5 * voigt and insulating(disc.problem, axis):
        return None
    return stored, rest, voigt


def _add(stored: ScratchArray, correction: np.ndarray, factor: float) -> None:
    for first, last in _slabs(correction.shape):
        part = stored.planes(first, last)
        part[0] += factor * correction[first:last].astype(np.float64)
        stored.write_planes(first, part)


def _slabs(shape: tuple[int, ...]) -> list[tuple[int, int]]:
    planes = int(np.clip(_SLAB_VOXELS // math.prod(shape[1:]), 1, shape[0]))
    return [(first, min(first + planes, shape[0])) for first in range(0, shape[0], planes)]


def _sums(
    index: Any,
    table: Any,
    fields: list[ScratchArray],
    steps: tuple[Any, ...],
    axes: tuple[int, ...],
    edges: tuple[Edge, ...],
) -> tuple[Float[np.ndarray, "L L"], Float[np.ndarray, "L d"]]:
    """C_ij times the volume (L, L) and the flux integrals (L, d) of all loads."""
    shape = index.shape
    energy, integral = np.zeros((len(axes),) * 2), np.zeros((len(axes), len(shape)))
    slabs = _slabs(shape)
    planes = slabs[0][1]
    for nominal, last in slabs:
        first = last - planes  # one shape for all slabs: the last one may overlap
        rows = np.arange(first - 1, first + planes + 1) % shape[0]
        values = np.stack([_rows(field, rows) for field in fields])
        own = rows[1:-1] >= nominal
        parts = _slab_sums(index[rows], table, values, own, steps, axes, edges)
        energy += np.asarray(parts[0])
        integral += np.asarray(parts[1])
    return energy, integral


def _rows(field: ScratchArray, rows: np.ndarray) -> np.ndarray:
    """Layers `rows` (consecutive up to wrapping around) in double precision."""
    n = field.shape[1]
    first, count = int(rows[0]), len(rows)
    parts = []
    while count > 0:
        last = min(first + count, n)
        parts.append(field.planes(first, last)[0])
        first, count = 0, count - len(parts[-1])
    return np.concatenate(parts).astype(np.float64)


@functools.partial(quick_jit, static_argnames=("axes", "edges"))
def _slab_sums(
    index: Any,
    table: Any,
    values: Any,
    own: Any,
    steps: tuple[Any, ...],
    axes: tuple[int, ...],
    edges: tuple[Edge, ...],
) -> tuple[Any, Any]:
    """The share of the planes `own` of a slab; index and values (L, ...) have one plane more on either side.

    With fluxes a and b through the two faces of a voxel, 2 a a' + a b' + b a' + 2 b b' = a a' + b b' +
    (a + b) (a' + b').
    """
    loads, ndim = len(axes), index.ndim
    inside = index[1:-1]
    mine = own.reshape(-1, *[1] * (ndim - 1))
    energy = jnp.zeros((loads, loads))
    integral = []
    for a, edge in enumerate(edges):
        if a == 0:
            r = lookup(table[:, 0], index)
            t = 1 / (r[:-1] + r[1:])
            drops = values[:, 1:] - values[:, :-1]
        else:
            t = one_axis(lookup(table[:, a], inside), edge, a)
            drops = jnp.stack([one_increment(w[1:-1], edge, a) for w in values])
        step = steps[a].reshape(-1)[0]  # all the same in a periodic cell
        gradient = jnp.asarray([1.0 if axis == a else 0.0 for axis in axes]).reshape(-1, *[1] * ndim)
        q = t * (drops + step * gradient)
        below, above = multigrid.lower_faces(q, a + 1), multigrid.upper_faces(q, a + 1)
        # Voids at zero: no flux passes there, and 0 * inf must not become NaN.
        finite = jnp.where(jnp.isfinite(table), table, 0)
        weight = jnp.where(mine, lookup(finite[:, a], inside), 0) / 3
        for part in (below, above, below + above):
            rows = part.reshape(loads, -1)
            energy = energy + (rows * weight.reshape(-1)) @ rows.T
        integral.append(step * jnp.where(mine, below, 0).reshape(loads, -1).sum(-1))
    return energy, jnp.stack(integral, axis=1)
