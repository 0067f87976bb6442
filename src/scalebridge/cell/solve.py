r"""One verb: solve a cell for all its unit loads.

float32 conjugate gradients do the work; when more than about six digits are asked for, they add up their steps in
float64, and the residual is evaluated in float64 and, where still needed, corrected in float32 until it is small
(iterative refinement), so that the answer is a float64 one.
"""

from __future__ import annotations

import abc
import concurrent.futures
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np

from scalebridge.cell.loads import edge_mask, mean_energy, uniform_flux_forces
from scalebridge.cell.operator import Coefficients, Discretization, nodal_forces
from scalebridge.cell.problem import CellProblem, CellSolution, LoadRecord, PreconditionedConjugateGradients
from scalebridge.cell.session import Session, slab_budget
from scalebridge.cell.small import solve_small
from scalebridge.core.progress import AbstractProgress, SilentProgress
from scalebridge.core.status import Status
from scalebridge.numerics.compiling import blank_fields, on_device
from scalebridge.numerics.conjugate_gradients import (
    HISTORY,
    CGState,
    Targets,
    Vector,
    batch_dot,
    energy_error,
    fresh_state,
)

if TYPE_CHECKING:
    from jaxtyping import Num

# Up to this many unknowns (all loads together) NumPy in float64 is done before a compiler would be.
SMALL_UNKNOWNS = 250_000
# From this relative residual on, float32 alone is not trusted and the float64 residual decides.
SINGLE_PRECISION_FLOOR = 2e-6
# A float32 residual below this is round-off: steps along it lead anywhere, so the iteration stops there at the latest.
ROUND_OFF = 2 * float(np.finfo(np.float32).eps)
# Pieces of the iteration between two looks at the clock, and a rough speed to plan the first one.
CHUNK_SECONDS = 3.0
SECONDS_PER_UNKNOWN = 1.2e-8
# With a prescribed flux the unknown holds the affine part too. Its rounding, seen by differences of neighbours and
# times the contrast, spoils float32 residuals the earlier the finer the grid; corrections are small and lack it.
STATIC_FLOOR = 1e-4
STATIC_GAIN = 1e-3
# What one float32 sweep of the refinement is asked to gain at most.
REFINEMENT_GAIN = 1e-5


class AbstractKeeper(abc.ABC):
    """Where finished load cases go: memory, a scratch file, a store that survives an interruption."""

    @abc.abstractmethod
    def find(self, load: int) -> LoadRecord | None:
        """A load finished in an earlier run, or None."""

    @abc.abstractmethod
    def keep(self, load: int, record: LoadRecord) -> LoadRecord:
        """Take a finished load; the record returned may hold its array elsewhere (a file map)."""


class InMemory(AbstractKeeper):
    """Keeps nothing but what it is given."""

    def find(self, load: int) -> LoadRecord | None:
        return None

    def keep(self, load: int, record: LoadRecord) -> LoadRecord:
        return record


def solve_cell(
    problem: CellProblem,
    method: PreconditionedConjugateGradients,
    initial: Sequence[Any] | None = None,
    progress: AbstractProgress | None = None,
    loads: np.ndarray | None = None,
    keeper: AbstractKeeper | None = None,
) -> CellSolution:
    """The fluctuations of all unit loads.

    Shapes: initial, where given, one (c, *nodes) per load (whatever NumPy can read) or None; loads (L, m), the unit
    loads by default.
    `keeper` is shown every finished load (to put it on disk) and asked for loads finished earlier (to resume).
    Fails when: never raises for slow convergence; `status` says MAX_STEPS and `residual` how far it came.
    """
    begin = time.perf_counter()
    progress = progress or SilentProgress()
    loads = problem.loads() if loads is None else np.asarray(loads, float)
    keeper = keeper or InMemory()
    done = {n: record for n in range(len(loads)) if (record := keeper.find(n)) is not None}
    unknowns = float(np.prod(problem.discretization.nodes)) * problem.discretization.components
    small = unknowns * len(loads) <= SMALL_UNKNOWNS
    batch = len(loads) if small else int(np.clip(method.memory // (60.0 * unknowns), 1, max(len(loads), 1)))
    if len(loads):
        batch = -(-len(loads) // -(-len(loads) // batch))
    compile_seconds = 0.0
    session: Session | None = None
    with jax.enable_x64(True):
        for first in range(0, len(loads), max(batch, 1)):
            chosen = list(range(first, min(first + batch, len(loads))))
            # A batch that an interruption left incomplete is solved whole again: its members share round-off.
            if all(n in done for n in chosen):
                continue
            guess = None if initial is None else [initial[n] for n in chosen]
            if small:
                records = solve_small(problem, method, loads, guess)
            else:
                session = session or Session(problem)
                records = _solve_batch(
                    session, method, loads[chosen], guess, batch, progress, first, len(loads)
                )
                compile_seconds = session.compiler.seconds
            for n, record in zip(chosen, records, strict=True):
                done[n] = keeper.keep(n, record)
            del records, record  # what the keeper put elsewhere must not stay while the next loads are solved
    ordered = [done[n] for n in range(len(loads))]
    fluctuations = [r.fluctuation for r in ordered]
    iterations = [r.iterations for r in ordered]
    residuals = [r.residual for r in ordered]
    errors = [r.energy_error for r in ordered]
    history = [r.history for r in ordered]
    target = max(method.residual or 0.0, ROUND_OFF) if method.energy is not None else method.residual or 0.0
    ok = all(
        r <= 1.5 * target or (method.energy is not None and e <= method.energy)
        for r, e in zip(residuals, errors, strict=True)
    )
    if ok:
        status = Status.CONVERGED
    else:
        status = Status.MAX_STEPS if max(iterations) >= method.max_steps else Status.BREAKDOWN
    return CellSolution(
        problem, loads, fluctuations, tuple(iterations), max(residuals, default=0.0), np.asarray(errors),
        tuple(history), status, time.perf_counter() - begin, compile_seconds,
    )  # fmt: skip


def _solve_batch(
    session: Session,
    method: PreconditionedConjugateGradients,
    loads: np.ndarray,
    guess: list[Any] | None,
    batch: int,
    progress: AbstractProgress,
    first: int,
    total: int,
) -> list[LoadRecord]:
    problem, disc = session.problem, session.disc
    count = len(loads)
    if count < batch:  # Keep one compiled shape: the padding loads are zero and stop at once.
        loads = np.concatenate([loads, np.zeros((batch - count, loads.shape[1]))])
    volume = disc.voxel_volume * float(np.prod(disc.shape))
    static = problem.boundary.prescribes_flux
    # The coefficients were divided by the scale, so the forces are too: the displacements stay the true ones.
    exact_right = components(uniform_flux_forces(disc, loads) / session.scale) if static else None
    if exact_right is not None:
        macro = np.zeros_like(loads)
        energy0 = np.zeros(batch)
    else:
        macro = loads
        energy0 = mean_energy(problem, loads) / session.scale * volume

    if exact_right is None:
        right = blank_fields((((batch, *disc.nodes), "float32"),) * disc.components)
    else:
        right = tuple(on_device(v, np.float32) for v in exact_right)
    start: Vector | None = None
    if guess is not None and any(g is not None for g in guess):
        filled = np.zeros((disc.components, batch, *disc.nodes), np.float32)
        for n, g in enumerate(guess):
            if g is not None:
                filled[:, n] = g
        start = tuple(jnp.array(v) for v in filled)
        del filled
    rtol = method.residual if method.residual is not None else 0.0
    etol = method.energy if method.energy is not None else 0.0
    floor = STATIC_FLOOR if static else SINGLE_PRECISION_FLOOR
    exact = 0.0 < rtol < floor
    inner = max(0.75 * rtol, floor / 2.5) if exact else rtol
    # Round-off of a load that is balanced everywhere (a homogeneous cell) must not be iterated upon.
    negligible = np.finfo(np.float32).eps ** 2 * 16 * np.abs(energy0)
    targets = _targets(session, max(inner, ROUND_OFF), 0.0, etol, negligible)
    state = fresh_state(right, start, energy0, None, jnp.float64 if exact else jnp.float32)
    del right
    state = _run_chunks(
        session, state, macro, targets, start is not None, method.max_steps, progress, first, total
    )
    scale = np.asarray(state.scale)
    steps = np.asarray(state.steps)
    trivial = (steps == 0) & (np.asarray(state.rz) <= np.asarray(targets.negligible))
    history = _history(state, batch)
    residual = np.sqrt(np.maximum(np.asarray(state.rz), 0) / scale)
    error = np.asarray(_relative_error(state, targets))
    # What a residual alone says of the energy: after a refinement, or before anything else is known.
    by_residual = scale / (session.smallest * np.maximum(np.abs(np.asarray(state.energy)), 1e-300))
    error = np.where(np.isfinite(error), error, residual**2 * by_residual)
    w: Vector = state.w
    if exact:
        w, steps, residual, history = _refine(
            session, method, state, exact_right, macro, rtol, steps, history, progress, first, total
        )
        error = np.minimum(error, residual**2 * by_residual)
    residual = np.where(trivial, 0.0, residual)
    error = np.where(trivial, 0.0, error)
    del state
    fields = _on_host(w)
    return [
        LoadRecord(fields[n], int(steps[n]), float(residual[n]), float(error[n]), history[n])
        for n in range(count)
    ]


def components(field: Num[np.ndarray, "B c *nodes"]) -> tuple[Num[np.ndarray, "B *nodes"], ...]:
    """(B, c, *nodes) -> c arrays (B, *nodes)."""
    return tuple(np.ascontiguousarray(field[:, i]) for i in range(field.shape[1]))


def _on_host(w: Vector) -> Num[np.ndarray, "B c *nodes"]:
    """(B, c, *nodes) of c arrays (B, *nodes). By several threads: fresh memory costs more than the copy."""
    fields = np.empty((w[0].shape[0], len(w), *w[0].shape[1:]), w[0].dtype)
    with concurrent.futures.ThreadPoolExecutor(len(w)) as pool:
        list(pool.map(lambda i: np.copyto(fields[:, i], np.asarray(w[i])), range(len(w))))
    return fields


@jax.jit  # eagerly, each of its operations would be compiled by itself
def _relative_error(state: CGState, targets: Targets) -> jax.Array:
    return energy_error(state, targets) / jnp.abs(jnp.where(state.energy == 0, 1, state.energy))


def _targets(
    session: Session, residual: float, gain: float, energy: float, negligible: np.ndarray
) -> Targets:
    return Targets(
        on_device(residual**2, np.float64),
        on_device(gain**2, np.float64),
        on_device(energy, np.float64),
        on_device(negligible, np.float64),
        on_device(session.smallest, np.float64),
        on_device(session.guaranteed, bool),
    )


def _run_chunks(
    session: Session, state: CGState, macro: np.ndarray, targets: Targets, guessed: bool, max_steps: int,
    progress: AbstractProgress, first: int, total: int,
) -> CGState:  # fmt: skip
    """Run in pieces of a few seconds, so that progress is seen and Ctrl-C is heard; fewer pieces are faster."""
    rtol = float(targets.residual) ** 0.5
    size = sum(v.size for v in state.w)
    chunk = int(np.clip(CHUNK_SECONDS / (size * SECONDS_PER_UNKNOWN), 2, 1000))
    done = 0
    while True:
        last = min(done + chunk, max_steps)
        state = session.run(state, macro, targets, guessed, last)
        done = int(state.iteration)
        if done < last or done >= max_steps or not bool(jnp.any(state.active)):
            return state
        residual = float(np.sqrt(np.max(np.asarray(state.rz) / np.asarray(state.scale))))
        goal = f" of {rtol:.0e}" if rtol > 0 else ""
        progress.update("solve", first, total, f"iteration {done}, residual {residual:.1e}{goal}")


def _refine(
    session: Session, method: PreconditionedConjugateGradients, state: CGState,
    exact_right: tuple[np.ndarray, ...] | None, macro: np.ndarray, rtol: float, steps: np.ndarray,
    history: list[tuple[float, ...]], progress: AbstractProgress, first: int, total: int,
) -> tuple[Vector, np.ndarray, np.ndarray, list[tuple[float, ...]]]:  # fmt: skip
    """Iterative refinement: float64 residual, float32 correction, until the float64 residual meets `rtol`.

    The residual is evaluated in float64 but kept in float32: it is small where it matters, not inaccurate. The
    float32 coefficients define the operator in both precisions, so that refinement converges; that they are rounded
    shifts the fluctuation by 1e-7 and the energy, evaluated with the true ones, by the square of that.
    """
    disc = session.disc
    batch = state.w[0].shape[0]
    held = edge_mask(session.problem, disc)
    mask = None if held is None else tuple(held)
    macro64 = on_device(macro, np.float64)
    scale = np.asarray(state.scale)
    claimed = np.sqrt(np.maximum(np.asarray(state.rz), 0) / scale)
    claimed_norm = np.asarray(session.compiler(_norms, (), (), state.r, mask))
    w = state.w
    del state
    previous = np.full(batch, np.inf)
    zero = np.zeros_like(macro)
    fixed = (disc, slab_budget())
    while True:
        r = session.compiler(_residual, fixed, (), session.coefficients, w, macro64, exact_right, mask)
        if np.all(np.isinf(previous)):
            # Where float32 kept its residual true, nothing is left to do: one evaluation in float64 confirms it.
            actual = (
                claimed
                * np.asarray(session.compiler(_norms, (), (), r, None))
                / np.maximum(claimed_norm, 1e-300)
            )
            if np.all(actual <= rtol):
                return w, steps, actual, history
        left = max(method.max_steps - int(steps.max(initial=0)), 0)
        state = fresh_state(r, None, np.zeros(batch), scale)
        del r
        gain = REFINEMENT_GAIN if exact_right is None else STATIC_GAIN
        targets = _targets(session, 0.8 * rtol, gain, 0.0, np.zeros(batch))
        state = _run_chunks(session, state, zero, targets, False, left, progress, first, total)
        before = np.sqrt(np.maximum(np.asarray(state.first), 0) / scale)
        if np.any(before > 0.5 * previous):
            # float64 itself is exhausted (or the iteration fails): what is there is the best there is.
            return w, steps, np.minimum(before, previous), history
        # What the correction leaves is known to float32 accuracy relative to the residual it started from.
        after = np.sqrt(np.maximum(np.asarray(state.rz), 0) / scale)
        steps = steps + np.asarray(state.steps)
        history = [h + more for h, more in zip(history, _history(state, batch), strict=True)]
        w = session.compiler(_add, (), (), w, state.w)
        del state
        previous = before
        if np.all(after <= rtol) or left == 0 or steps.max(initial=0) >= method.max_steps:
            return w, steps, after, history


def _free(r: Vector, mask: Vector | None) -> Vector:
    """Zero where nodes are held."""
    if mask is None:
        return r
    return tuple(v * free.astype(v.dtype) for v, free in zip(r, mask, strict=True))


def _norms(r: Vector, mask: Vector | None) -> jax.Array:
    """Plain norm per load of what can move."""
    free = _free(r, mask)
    return jnp.sqrt(batch_dot(free, free))


def _add(w: Vector, correction: Vector) -> Vector:
    return tuple(a.astype(jnp.float64) + b for a, b in zip(w, correction, strict=True))


def _residual(
    disc: Discretization,
    budget: float,
    coefficients: Coefficients,
    w: Vector,
    macro: jax.Array,
    right: Vector | None,
    mask: Vector | None,
) -> Vector:
    """right - forces(w), evaluated in float64 and returned in float32, zero where nodes are held."""
    if right is None:
        force = nodal_forces(disc, coefficients, w, macro, budget, jnp.float32, precision=jnp.float64)
        r = tuple(-f for f in force)
    else:
        force = nodal_forces(disc, coefficients, w, macro, budget, jnp.float64, precision=jnp.float64)
        r = tuple((b - f).astype(jnp.float32) for b, f in zip(right, force, strict=True))
    return _free(r, mask)


def _history(state: CGState, batch: int) -> list[tuple[float, ...]]:
    rows = np.asarray(state.history)[: min(int(state.iteration), HISTORY)]
    return [tuple(float(v) for v in rows[:, n] if np.isfinite(v)) for n in range(batch)]
