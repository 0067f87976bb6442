r"""One verb: solve a cell for all its unit loads.

float32 conjugate gradients do the work; when more than about six digits are asked for, the residual is evaluated in
float64 and corrected in float32 until it is small (iterative refinement), so that the answer is a float64 one.
"""

from __future__ import annotations

import abc
import functools
import time
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from scalebridge.cell.coefficients import coefficient_field, coefficient_field_from_voxels
from scalebridge.cell.loads import edge_mask, mean_energy, scale_of, uniform_flux_forces
from scalebridge.cell.operator import Coefficients, Discretization, nodal_forces
from scalebridge.cell.preconditioner import (
    BoxModes,
    apply_box,
    apply_green,
    box_modes,
    reference_of,
)
from scalebridge.cell.problem import CellProblem, CellSolution, LoadRecord, PreconditionedConjugateGradients
from scalebridge.cell.small import solve_small
from scalebridge.core.progress import AbstractProgress, SilentProgress
from scalebridge.core.status import Status
from scalebridge.numerics.conjugate_gradients import (
    HISTORY,
    CGState,
    Targets,
    advance,
    batch_dot,
    energy_error,
    fresh_state,
)

# Up to this many unknowns (all loads together) NumPy in float64 is done before a compiler would be.
SMALL_UNKNOWNS = 250_000
# From this relative residual on, float32 alone is not trusted and the float64 residual decides.
SINGLE_PRECISION_FLOOR = 2e-6
# A float32 residual below this is round-off: steps along it lead anywhere, so the iteration stops there at the latest.
ROUND_OFF = 2 * float(np.finfo(np.float32).eps)
# Pieces of the iteration between two looks at the clock, and a rough speed to plan the first one.
CHUNK_SECONDS = 3.0
SECONDS_PER_UNKNOWN = 1.2e-8
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


def slab_budget() -> float:
    """Bytes of mode fields per slab: the second-level cache of two cores, or a good part of a GPU's memory."""
    return 8e6 if jax.default_backend() == "cpu" else 4e9


def _precondition(
    disc: Discretization, reference: jax.Array, modes: BoxModes | None, r: jax.Array
) -> jax.Array:
    if modes is None:
        return apply_green(disc, reference, r)
    return apply_box(disc, reference, modes, r)


def _iterate(
    disc: Discretization,
    budget: float,
    reference: jax.Array,
    coefficients: Coefficients,
    modes: BoxModes | None,
    macro: jax.Array,
    targets: Targets,
    guessed: jax.Array,
    last: jax.Array,
    state: CGState,
) -> CGState:
    def apply(p: jax.Array, keep: jax.Array, load: jax.Array) -> jax.Array:
        small = p.dtype
        return nodal_forces(
            disc, coefficients, p, macro * load.astype(small), budget, factor=keep.astype(small)
        )

    precondition = functools.partial(_precondition, disc, reference, modes)
    return advance(state, apply, precondition, targets, guessed, last)


_compiled: dict[Any, Any] = {}


class _Compiler:
    """Compiles ahead of time, once per shape, and remembers how long that took."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(
        self, function: Any, static: tuple[Any, ...], donate: tuple[int, ...], *arguments: Any
    ) -> Any:
        shapes = jax.tree.map(lambda a: (a.shape, str(a.dtype)), arguments)
        key = (function, static, jax.default_backend(), str(shapes))
        if key not in _compiled:
            begin = time.perf_counter()
            count = len(static)
            jitted = jax.jit(
                function, static_argnums=tuple(range(count)), donate_argnums=tuple(count + d for d in donate)
            )
            _compiled[key] = jitted.lower(*static, *arguments).compile()
            self.seconds += time.perf_counter() - begin
        return _compiled[key](*arguments)


class _Session:
    """The device-side data of one problem, shared by its load cases."""

    def __init__(self, problem: CellProblem, method: PreconditionedConjugateGradients) -> None:
        self.problem, self.method = problem, method
        self.disc = problem.discretization
        self.compiler = _Compiler()
        self.scale = scale_of(problem)
        fractions = (
            np.bincount(problem.index.reshape(-1), minlength=len(problem.matrices)) / problem.index.size
        )
        reference = reference_of(problem.matrices / self.scale, fractions, problem.vector, problem.grid.ndim)
        self.reference = jnp.asarray(reference, jnp.float32)
        self.coefficients = self._coefficients(np.float32)
        self.modes = None if self.disc.periodic else box_modes(self.disc, problem.boundary, jnp.float32)

    def _coefficients(self, dtype: type) -> Coefficients:
        problem = self.problem
        if problem.packed is not None:
            field = coefficient_field_from_voxels(
                self.disc.form, problem.packed / self.scale, self.disc.periodic, dtype
            )
        else:
            field = coefficient_field(
                self.disc.form, problem.index, problem.matrices / self.scale, self.disc.periodic, dtype
            )
        return field.arrays()

    def run(self, state: CGState, macro: np.ndarray, targets: Targets, guessed: bool, last: int) -> CGState:
        static = (self.disc, slab_budget())
        arguments = (
            self.reference, self.coefficients, self.modes, jnp.asarray(macro, jnp.float32), targets,
            jnp.asarray(guessed), jnp.int32(last), state,
        )  # fmt: skip
        return self.compiler(_iterate, static, (7,), *arguments)


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
    session: _Session | None = None
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
                session = session or _Session(problem, method)
                records = _solve_batch(session, loads[chosen], guess, batch, progress, first, len(loads))
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
    session: _Session,
    loads: np.ndarray,
    guess: list[Any] | None,
    batch: int,
    progress: AbstractProgress,
    first: int,
    total: int,
) -> list[LoadRecord]:
    problem, method, disc = session.problem, session.method, session.disc
    count = len(loads)
    if count < batch:  # Keep one compiled shape: the padding loads are zero and stop at once.
        loads = np.concatenate([loads, np.zeros((batch - count, loads.shape[1]))])
    shape = (batch, disc.components, *disc.nodes)
    volume = disc.voxel_volume * float(np.prod(disc.shape))
    static = problem.boundary.prescribes_flux
    # The coefficients were divided by the scale, so the forces are too: the displacements stay the true ones.
    exact_right = uniform_flux_forces(disc, loads) / session.scale if static else None
    if exact_right is not None:
        macro = np.zeros_like(loads)
        energy0 = np.zeros(batch)
    else:
        macro = loads
        energy0 = mean_energy(problem, loads) / session.scale * volume

    right = jnp.zeros(shape, jnp.float32) if exact_right is None else jnp.asarray(exact_right, jnp.float32)
    start: jax.Array | None = None
    if guess is not None and any(g is not None for g in guess):
        filled = np.zeros(shape, np.float32)
        for n, g in enumerate(guess):
            if g is not None:
                filled[n] = g
        start = jnp.asarray(filled)
        del filled
    rtol = method.residual if method.residual is not None else 0.0
    etol = method.energy if method.energy is not None else 0.0
    exact = 0.0 < rtol < SINGLE_PRECISION_FLOOR
    inner = max(0.75 * rtol, SINGLE_PRECISION_FLOOR / 2.5) if exact else rtol
    # Round-off of a load that is balanced everywhere (a homogeneous cell) must not be iterated upon.
    negligible = np.finfo(np.float32).eps ** 2 * 16 * np.abs(energy0)
    targets = _targets(max(inner, ROUND_OFF), 0.0, etol, negligible)
    state = fresh_state(right, start, energy0, None)
    del right
    state = _run_chunks(
        session, state, macro, targets, start is not None, method.max_steps, progress, first, total
    )
    scale = np.asarray(state.scale)
    trivial = np.asarray(state.steps == 0) & np.asarray(state.rz <= targets.negligible)
    steps = np.asarray(state.steps)
    history = _history(state, batch)
    residual = np.sqrt(np.maximum(np.asarray(state.rz), 0) / scale)
    error = np.asarray(energy_error(state.drops) / jnp.abs(jnp.where(state.energy == 0, 1, state.energy)))
    error = np.where(np.isfinite(error), error, residual**2)
    w: Any = state.w
    if exact:
        w, steps, residual, history = _refine(
            session, state, exact_right, macro, rtol, steps, history, progress, first, total
        )
        error = np.minimum(error, residual**2)
    residual = np.where(trivial, 0.0, residual)
    error = np.where(trivial, 0.0, error)
    out = np.asarray(w)
    return [
        LoadRecord(out[n], int(steps[n]), float(residual[n]), float(error[n]), history[n])
        for n in range(count)
    ]


def _targets(residual: float, gain: float, energy: float, negligible: np.ndarray) -> Targets:
    return Targets(
        jnp.float64(residual**2),
        jnp.float64(gain**2),
        jnp.float64(energy),
        jnp.asarray(negligible, jnp.float64),
    )


def _run_chunks(
    session: _Session, state: CGState, macro: np.ndarray, targets: Targets, guessed: bool, max_steps: int,
    progress: AbstractProgress, first: int, total: int,
) -> CGState:  # fmt: skip
    """Run in pieces of a few seconds, so that progress is seen and Ctrl-C is heard; fewer pieces are faster."""
    rtol = float(targets.residual) ** 0.5
    chunk = int(np.clip(CHUNK_SECONDS / (state.w.size * SECONDS_PER_UNKNOWN), 2, 1000))
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
    session: _Session, state: CGState, exact_right: np.ndarray | None, macro: np.ndarray, rtol: float,
    steps: np.ndarray, history: list[tuple[float, ...]], progress: AbstractProgress, first: int, total: int,
) -> tuple[jax.Array, np.ndarray, np.ndarray, list[tuple[float, ...]]]:  # fmt: skip
    """Iterative refinement: float64 residual, float32 correction, until the float64 residual meets `rtol`.

    The residual is evaluated in float64 but kept in float32: it is small where it matters, not inaccurate. The
    float32 coefficients define the operator in both precisions, so that refinement converges; that they are rounded
    shifts the fluctuation by 1e-7 and the energy, evaluated with the true ones, by the square of that.
    """
    disc = session.disc
    batch = state.w.shape[0]
    mask = edge_mask(session.problem, disc)
    macro64 = jnp.asarray(macro, jnp.float64)
    scale = np.asarray(state.scale)
    claimed = np.sqrt(np.maximum(np.asarray(state.rz), 0) / scale)
    claimed_norm = np.asarray(session.compiler(_norms, (), (), state.r, mask))
    w = state.w  # float32 until the first correction: less to hold while the correction is computed
    del state
    previous = np.full(batch, np.inf)
    zero = np.zeros_like(macro)
    fixed = (disc, slab_budget() * 2)
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
        left = max(session.method.max_steps - int(steps.max(initial=0)), 0)
        state = fresh_state(r, None, np.zeros(batch), scale)
        del r
        targets = _targets(0.8 * rtol, REFINEMENT_GAIN, 0.0, np.zeros(batch))
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
        if np.all(after <= rtol) or left == 0 or steps.max(initial=0) >= session.method.max_steps:
            return w, steps, after, history


def _norms(r: jax.Array, mask: jax.Array | None) -> jax.Array:
    """Plain norm per load of what can move."""
    free = r if mask is None else r * mask.astype(r.dtype)
    return jnp.sqrt(batch_dot(free, free))


def _add(w: jax.Array, correction: jax.Array) -> jax.Array:
    return w.astype(jnp.float64) + correction


def _residual(
    disc: Discretization,
    budget: float,
    coefficients: Coefficients,
    w: jax.Array,
    macro: jax.Array,
    right: jax.Array | None,
    mask: jax.Array | None,
) -> jax.Array:
    """right - forces(w), evaluated in float64 and returned in float32, zero where nodes are held."""
    if right is None:
        r = -nodal_forces(disc, coefficients, w, macro, budget, jnp.float32, precision=jnp.float64)
    else:
        force = nodal_forces(disc, coefficients, w, macro, budget, jnp.float64, precision=jnp.float64)
        r = (right - force).astype(jnp.float32)
    return r if mask is None else r * mask.astype(jnp.float32)


def _history(state: CGState, batch: int) -> list[tuple[float, ...]]:
    rows = np.asarray(state.history)[: min(int(state.iteration), HISTORY)]
    return [tuple(float(v) for v in rows[:, n] if np.isfinite(v)) for n in range(batch)]
