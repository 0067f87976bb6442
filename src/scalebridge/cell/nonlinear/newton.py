r"""Equilibrium of nonlinear cells under macroscopic drives, mean fluxes, or some of each: inexact Newton.

Find w and the free components of E with B^T s(E + B w) = 0 on the allowed fluctuations and <s> = S where S is given.
Each step solves the linearized cell by conjugate gradients (krylov.py) to a relative residual that falls with the
nonlinear one [eisenstat1996], evaluates every point in float64, and halves the step of those cells whose residual grew
or whose laws had no answer. Cells of a batch converge, or fail, each by itself.
"""

from __future__ import annotations

import dataclasses
import functools
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np

from scalebridge.cell.nonlinear.control import Control
from scalebridge.cell.nonlinear.diagnosis import where_it_failed, where_it_is_off
from scalebridge.cell.nonlinear.elements import VoxelElements
from scalebridge.cell.nonlinear.fields import (
    flux_forces,
    inner_voxels,
    point_drives,
    share_dilatation,
    tangent_entries,
    with_dilatation,
)
from scalebridge.cell.nonlinear.linear_solve import solve_linear
from scalebridge.cell.nonlinear.linearization import Linearization
from scalebridge.cell.nonlinear.points import Answer, Points, ask, collect_points
from scalebridge.cell.nonlinear.problem import Equilibrium, NewtonKrylov, NonlinearCell
from scalebridge.cell.nonlinear.space import Fluctuations, Reference, fluctuations, reference_of, remove_mean
from scalebridge.cell.session import slab_budget
from scalebridge.core.status import Status
from scalebridge.numerics.compiling import quick_jit
from scalebridge.numerics.conjugate_gradients import Vector, batch_dot, combine, wide

if TYPE_CHECKING:
    from jaxtyping import Bool, Float, Num

LEAST_FORCING = 1e-6  # single precision solves no better
HALVINGS = 6
ROUNDING = 8 * np.finfo(float).eps  # of a stress, in units of the reference stiffness times the drive


@dataclasses.dataclass(frozen=True, eq=False)
class Batch:
    """The data of cells that are solved together: made once, used for every increment."""

    elements: VoxelElements
    points: Points
    space: Fluctuations

    @property
    def cells(self) -> int:
        return self.points.cells

    @property
    def reference(self) -> Reference:
        return self.space.reference

    def only(self, kept: np.ndarray) -> Batch:
        """The same for some of the cells."""
        return dataclasses.replace(self, points=self.points.only(kept))


def prepare(cell: NonlinearCell) -> Batch:
    """Groups the points, and takes the reference from the virgin tangents of all cells."""
    elements = cell.elements
    labels = cell.labels.reshape(-1, *cell.grid.shape)
    with jax.enable_x64(True):
        points = collect_points(labels, cell.laws, elements)
        virgin = np.broadcast_to(
            elements.kinematics.virgin(elements.ndim)[None, :, None, None],
            (elements.points, elements.size, points.cells, points.voxels),
        )
        answer = ask(points, points.initial_state(), jnp.asarray(virgin), 0.0, tangent=True)
        mean = mean_tangent(elements, points.symmetric, answer.tangent).mean(axis=0)
        reference = reference_of(elements, mean)
        space = fluctuations(elements, cell.boundary, reference)
    return Batch(elements, points, space)


def mean_tangent(
    elements: VoxelElements, symmetric: bool, tangent: Float[jax.Array, "points entries B *padded"] | None
) -> Float[np.ndarray, "B m m"]:
    """<T> per cell (B, m, m), in the units it was asked in."""
    assert tangent is not None
    with jax.enable_x64(True):
        means = np.asarray(_inner_mean(elements, tangent))
    out = np.zeros((means.shape[1], elements.size, elements.size))
    for n, (i, j) in enumerate(tangent_entries(elements.size, symmetric)):
        out[:, i, j] = means[n]
        if symmetric:
            out[:, j, i] = means[n]
    return out


@functools.partial(quick_jit, static_argnums=0)
def _inner_mean(
    elements: VoxelElements, field: Float[jax.Array, "points rows B *padded"]
) -> Float[jax.Array, "rows B"]:
    """Mean over the voxels of a padded point field: (rows, B)."""
    inner = inner_voxels(field, elements)
    return jnp.mean(inner, axis=(0, *range(3, inner.ndim)), dtype=jnp.float64)


@dataclasses.dataclass(frozen=True, eq=False)
class Start:
    """Where an increment starts: the state of its points, and the first guess of w and E."""

    state: tuple[Any, ...]
    w: Vector
    drive: np.ndarray


def virgin_start(batch: Batch) -> Start:
    """Undeformed cells."""
    elements = batch.elements
    with jax.enable_x64(True):
        zero = tuple(
            jnp.zeros((batch.cells, *elements.nodes), jnp.float64) for _ in range(elements.components)
        )
    virgin = np.tile(elements.kinematics.virgin(elements.ndim), (batch.cells, 1))
    return Start(batch.points.initial_state(), zero, virgin)


def solve_equilibrium(
    batch: Batch,
    start: Start,
    target: Num[np.ndarray, "B m"],
    flux_given: np.ndarray | Control,
    dt: float,
    method: NewtonKrylov,
) -> Equilibrium:
    """Balance at the end of an increment of length `dt`.

    Shapes: target (B, m), the drive where `flux_given` (m,) is False, the mean flux where it is True; a `Control` also
    says where that is a Cauchy stress. Never raises for a cell that fails: its status and reason say so.
    """
    with jax.enable_x64(True):
        return solve_until(batch, start, target, Control.of(flux_given), dt, method)[0]


def answer_at(
    batch: Batch,
    state: tuple[Any, ...],
    w: Vector,
    drive: Num[np.ndarray, "B m"],
    dt: float,
    *,
    tangent: bool,
) -> Answer:
    """What the points of cells say at (w, E), reached `dt` after `state`; divided by the scale of the reference."""
    elements, points = batch.elements, batch.points
    drives = point_drives(elements, w, jnp.asarray(drive), slab_budget())
    asked = share_dilatation(drives) if elements.shares_dilatation else drives
    answer = ask(
        points, state, asked.reshape(*drives.shape[:3], -1), dt, tangent=tangent,
        scale=batch.reference.scale, metric=batch.reference.inverse,
    )  # fmt: skip
    if elements.shares_dilatation:
        void = points.padded == points.columns
        flux, mean, rows = with_dilatation(elements, drives, void, answer.flux, answer.tangent)
        answer = dataclasses.replace(answer, flux=flux, mean_flux=np.asarray(mean), tangent=rows)
    return answer


@dataclasses.dataclass(frozen=True, eq=False)
class _Trial:
    """One evaluation of everything at (w, E)."""

    w: Vector
    drive: np.ndarray
    answer: Answer
    residual: Vector
    residual_macro: np.ndarray
    flux: np.ndarray
    norm: np.ndarray


def _evaluate(
    batch: Batch, start: Start, w: Vector, drive: np.ndarray, target: np.ndarray, control: Control, dt: float
) -> _Trial:
    elements, reference = batch.elements, batch.reference
    if batch.space.projected:
        # Steps come in single precision: what they leave of <B w> would spoil the Hill-Mandel identity.
        w = _without_mean(elements, w)
    answer = answer_at(batch, start.state, w, drive, dt, tangent=True)
    residual = batch.space.restrict(_unbalanced(elements, answer.flux, slab_budget()))
    mean = answer.mean_flux * reference.scale
    macro = control.gap(mean, drive, target) / reference.scale * elements.volume
    free = control.flux
    single = tuple(v.astype(batch.space.dtype) for v in residual)
    z = batch.space.precondition(single)
    squared = (
        np.asarray(batch_dot(single, z))
        + np.einsum("bi,ij,bj->b", macro, np.where(free[:, None] & free[None], reference.inverse, 0.0), macro)
        / elements.volume
    )
    size = answer.size * elements.volume
    with np.errstate(invalid="ignore", divide="ignore"):
        norm = np.where(squared > 0, np.sqrt(np.maximum(squared, 0) / np.where(size > 0, size, 1)), 0.0)
    # Where stresses have all but gone, what is out of balance is the rounding of the drives: nothing to be solved for.
    # Drives without bound, as beyond a limit load, have no excuse.
    reached = np.minimum(np.maximum(np.linalg.norm(drive, axis=1), np.linalg.norm(start.drive, axis=1)), 10.0)
    norm = np.where(np.sqrt(np.maximum(squared, 0) / elements.volume) <= ROUNDING * reached, 0.0, norm)
    # A prescribed flux that nothing carries yet is out of balance whatever the stress.
    norm = np.where((size <= 0) & (squared > 0), np.inf, norm)
    norm = np.where((answer.failed > 0) | ~np.isfinite(norm), np.inf, norm)
    return _Trial(w, drive, answer, single, macro, mean, norm)


@functools.partial(quick_jit, static_argnums=0)
def _without_mean(elements: VoxelElements, w: Vector) -> Vector:
    return remove_mean(elements, w)


@functools.partial(quick_jit, static_argnums=(0, 2))
def _unbalanced(elements: VoxelElements, flux: jax.Array, budget: float) -> Vector:
    """Minus the nodal forces of a point flux on padded voxels."""
    return tuple(-v for v in flux_forces(elements, flux, budget))


def solve_until(
    batch: Batch,
    start: Start,
    target: Num[np.ndarray, "B m"],
    control: Control,
    dt: float,
    method: NewtonKrylov,
    few: int = 0,
    taken: int = 0,
) -> tuple[Equilibrium, Bool[np.ndarray, " B"]]:
    """`solve_equilibrium` in double precision, left as soon as at most `few` cells are still under way; which (B,).

    taken: Newton iterations that led to `start` already, of those that the method allows.
    """
    elements = batch.elements
    drive = np.where(control.flux, start.drive, target)
    now = _evaluate(batch, start, start.w, drive, target, control, dt)
    history, linear_steps = [now.norm], []
    forcing = np.full(batch.cells, method.forcing)
    reason = [""] * batch.cells
    given_up = now.answer.failed > 0
    for step in range(taken, method.steps):
        active = (now.norm > method.tolerance) & ~given_up
        if not active.any() or (step > taken and active.sum() <= few):
            break
        linear = linearize(batch, now.answer.tangent, control.rows(now.flux, now.drive, target))
        enough = np.where(now.norm > 0, 0.2 * method.tolerance / np.maximum(now.norm, 1e-300), 1.0)
        tolerance = np.clip(np.maximum(forcing, enough), LEAST_FORCING, 0.5)
        right = tuple(v * wide(jnp.asarray(active), v) for v in now.residual)
        step_taken = solve_linear(
            linear, right, jnp.asarray(now.residual_macro * active[:, None]),
            np.broadcast_to(control.flux, now.residual_macro.shape), tolerance, method.krylov,
        )  # fmt: skip
        linear_steps.append(step_taken.steps)
        before = now
        now = _line_search(
            batch, start, before, step_taken.w, np.asarray(step_taken.macro), target, control, dt,
            active, step > 0,
        )  # fmt: skip
        history.append(now.norm)
        with np.errstate(invalid="ignore", divide="ignore"):
            ratio = np.where(np.isfinite(before.norm) & (before.norm > 0), now.norm / before.norm, 1.0)
        forcing = np.clip(0.5 * np.minimum(ratio, 1.0) ** 2, LEAST_FORCING, method.forcing)
        given_up |= active & ~np.isfinite(now.norm)
    assert now.answer.tangent is not None
    status = []
    for b in range(batch.cells):
        if now.norm[b] <= method.tolerance:
            status.append(Status.CONVERGED)
            continue
        failed = int(now.answer.failed[b])
        if failed:
            reason[b] = where_it_failed(elements, batch.points, now.answer, b)
            status.append(Status.BREAKDOWN)
        else:
            reason[b] = (
                f"no equilibrium after {taken + len(linear_steps)} Newton iterations (out-of-balance stress "
                f"{now.norm[b]:.1e} of the stress, wanted {method.tolerance:.0e}; "
                f"{where_it_is_off(elements, batch.points, now.residual, b)})"
            )
            status.append(Status.MAX_STEPS)
    under_way = (now.norm > method.tolerance) & ~given_up & (taken + len(linear_steps) < method.steps)
    found = Equilibrium(
        now.w, now.drive, now.flux, now.answer.state, now.answer.stored,
        now.answer.dissipated, np.array(history),
        np.array(linear_steps).reshape(-1, batch.cells), tuple(status), tuple(reason),
        _point_flux(elements, now.answer.flux, jnp.asarray(batch.reference.scale)), now.answer.tangent,
    )  # fmt: skip
    return found, under_way


def _line_search(
    batch: Batch, start: Start, before: _Trial, w: Vector, macro: np.ndarray, target: np.ndarray,
    control: Control, dt: float, active: np.ndarray, must_fall: bool,
) -> _Trial:  # fmt: skip
    """The whole step, or for the cells that it does not help, a half, a quarter, ... of it.

    The first step of an increment may raise the residual: its start is the balance of another load.
    """
    length = np.ones(batch.cells)
    trial = before
    for _ in range(HALVINGS):
        new = combine(before.w, jnp.asarray(length), w)
        trial = _evaluate(batch, start, new, before.drive + length[:, None] * macro, target, control, dt)
        worse = active & (~np.isfinite(trial.norm) | (must_fall & (trial.norm > 2 * before.norm)))
        if not worse.any():
            break
        length = np.where(worse, length / 2, length)
    return trial


def linearize(
    batch: Batch, tangent: jax.Array | None, rows: tuple[np.ndarray, np.ndarray] | None = None
) -> Linearization:
    """The linearized cells for tangents on padded voxels, divided by the scale of the reference.

    rows: what `Control.rows` says of prescribed fluxes, in their own unit.
    """
    assert tangent is not None
    scaled = None if rows is None else (jnp.asarray(rows[0]), jnp.asarray(rows[1] / batch.reference.scale))
    return Linearization(batch.space, tangent, batch.points.symmetric, slab_budget(), scaled)


@functools.partial(quick_jit, static_argnums=0)
def _point_flux(
    elements: VoxelElements, flux: Float[jax.Array, "points m B *padded"], scale: jax.Array
) -> Float[jax.Array, "points m B N"]:
    """Fluxes on padded voxels, divided by the scale -> (points, m, B, N) in their own unit."""
    inner = inner_voxels(flux, elements)
    return inner.reshape(*inner.shape[:3], -1) * scale
