r"""Preconditioned conjugate gradients on a batch of systems, in resumable chunks.

A w = b with A symmetric positive semi-definite and b in its range. A vector is a tuple of arrays (B, ...), one per
component of a field; scalars carry the batch axis; a converged member stands still (step length zero) while the
others go on. One pass is `descend` (operator, step, residual), the preconditioner, and `turn` (the next direction):
they may be compiled together (`advance`) or apart. The error of the energy comes from the algorithm's own
coefficients; unlike a residual it is the error of the effective tensor itself. With mu at most the smallest eigenvalue
of the preconditioned operator, the Gauss-Radau quadrature bounds it from above, |w* - w_k|_A^2 <= gamma_k (r_k . z_k),
    gamma_0 = 1 / mu,  gamma_{k+1} = (gamma_k - alpha_k) / (mu (gamma_k - alpha_k) + beta_{k+1})  [meurant2023],
sharp from the first steps. Where mu is only a guess (voids), the decrements alpha_j (r_j . z_j) have their say too.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from scalebridge.numerics.compiling import blank_fields, on_device

if TYPE_CHECKING:
    from jaxtyping import Float, Num, Shaped

DELAY = 4
HISTORY = 512


Vector = tuple[jax.Array, ...]


class CGState(NamedTuple):
    """w, r, p: vectors; most others (B,).

    drops: the last DELAY energy decrements, newest first; radau: gamma_k. scale: what r.z is relative to; first: r.z at
    the start of this run. phase: 2 before the load is evaluated, 1 before an initial guess is, 0 when iterating.
    """

    w: Vector
    r: Vector
    p: Vector
    rz: jax.Array
    scale: jax.Array
    first: jax.Array
    energy: jax.Array
    drops: jax.Array
    radau: jax.Array
    steps: jax.Array
    active: jax.Array
    history: jax.Array
    iteration: jax.Array
    phase: jax.Array


class Targets(NamedTuple):
    """When a member is done. residual: r.z relative to `scale` (squared tolerance); gain: r.z relative to `first`
    (squared; 0 to ignore); energy: relative energy error; negligible (B,): r.z that counts as zero; smallest: mu, and
    whether it is `guaranteed` to be below all eigenvalues."""

    residual: jax.Array
    gain: jax.Array
    energy: jax.Array
    negligible: jax.Array
    smallest: jax.Array
    guaranteed: jax.Array


class Step(NamedTuple):
    """What the first half of a pass tells the second, (B,) each: the step length, p.Ap, r.p where a guess is evaluated,
    and whether a step was made."""

    length: jax.Array
    curvature: jax.Array
    work: jax.Array
    made: jax.Array


def batch_dot(a: Vector, b: Vector) -> jax.Array:
    """Dot products per batch member, accumulated in float64."""
    parts = [
        jnp.sum(x * y, axis=tuple(range(1, x.ndim)), dtype=jnp.float64) for x, y in zip(a, b, strict=True)
    ]
    return sum(parts[1:], parts[0])


def energy_error(s: CGState, targets: Targets) -> jax.Array:
    """|w* - w|_A^2 of every member: its upper bound, or, where that is no guarantee, the larger of it and `_tail`."""
    bound = s.radau * jnp.maximum(s.rz, 0.0)
    return jnp.where(targets.guaranteed, bound, jnp.maximum(bound, _tail(s.drops)))


# A difference of two gammas below this share of them is round-off of float32 products.
_RADAU_FLOOR = 1e-5


def next_radau(radau: Any, length: Any, ratio: Any, smallest: Any) -> Any:
    """gamma_{k+1} from gamma_k, alpha_k = length and beta_{k+1} = ratio; 1 / mu, always a bound, where round-off is all
    that is left of the difference. NumPy or JAX arrays."""
    left = radau - length
    ok = left > _RADAU_FLOOR * radau
    safe = ok * left + (1 - ok) * 1.0
    return ok * (safe / (smallest * safe + ratio)) + (1 - ok) / smallest


def _tail(drops: Float[jax.Array, "delay B"]) -> Float[jax.Array, " B"]:
    """Estimate of |w* - w|_A^2 after the newest step from the last DELAY energy decrements (DELAY, B) [strakos2002].

    With decrements falling like q^j the tail after the newest is newest * q / (1 - q); q comes from the delay window
    and is kept below 0.95. Until the window is full the estimate is infinite. Too low on a plateau, where the modes of
    small eigenvalues are still to come.
    """
    newest, oldest = drops[0], drops[-1]
    full = jnp.isfinite(oldest)
    ratio = jnp.where(oldest > 0, newest / jnp.where(oldest > 0, oldest, 1), 0.0)
    q = jnp.clip(ratio, 0.0, None) ** (1.0 / (DELAY - 1))
    q = jnp.clip(q, 0.0, 0.95)
    tail = jnp.maximum(newest, 0.0) * q / (1 - q)
    return jnp.where(full, tail, jnp.where(jnp.isfinite(newest) & (newest <= 0), 0.0, jnp.inf))


Operator = Callable[[Vector, jax.Array, jax.Array], Vector]


def descend(s: CGState, apply: Operator, guessed: jax.Array) -> tuple[CGState, Step, Vector]:
    """The first half of a pass: the step along p, the residual after it, and A p.

    apply(p, keep, load) is A (keep p) - load b for scalars keep and load. The first passes of a fresh state are not
    steps but go through the same code, so that operator and preconditioner are compiled once: phase 2 adds the load to
    the residual and sets the scale (unless one is given); phase 1, if `guessed`, moves to the guess waiting in p.
    """
    loading, guessing, iterating = s.phase == 2, s.phase == 1, s.phase == 0
    one, zero = jnp.float64(1), jnp.float64(0)
    q = apply(s.p, jnp.where(loading, zero, one), jnp.where(loading, one, zero))
    pq = batch_dot(s.p, q)
    made = s.active & (pq > 0) & iterating
    length = jnp.where(made, s.rz / jnp.where(made, pq, 1), 0)
    work = jax.lax.cond(guessing, batch_dot, lambda a, b: jnp.zeros(a[0].shape[0], jnp.float64), s.r, s.p)
    w = combine(s.w, jnp.where(iterating, length, jnp.where(loading, zero, one)), s.p)
    r = combine(s.r, -jnp.where(iterating, length, one), q)
    return s._replace(w=w, r=r), Step(length, pq, work, made), q


def turn(s: CGState, step: Step, z: Vector, targets: Targets, guessed: jax.Array) -> CGState:
    """The second half of a pass: who is done, and the next direction from the preconditioned residual z."""
    loading, guessing, iterating = s.phase == 2, s.phase == 1, s.phase == 0
    to_guess = loading & guessed
    one, zero = jnp.float64(1), jnp.float64(0)
    rz = batch_dot(s.r, z)
    drop = step.length * s.rz
    energy = jnp.where(
        step.made,
        s.energy - drop,
        jnp.where(guessing, s.energy - 2 * step.work + step.curvature, s.energy),
    )
    drops = jnp.where(step.made[None], jnp.concatenate([drop[None], s.drops[:-1]]), s.drops)
    trivial = loading & (rz <= targets.negligible)
    scale = jnp.where(loading & (s.scale <= 0), jnp.where(trivial, 1.0, rz), s.scale)
    first = jnp.where(iterating, s.first, rz)
    met = (rz <= targets.residual * scale) | (rz <= targets.gain * first) | (rz <= 0)
    radau = jnp.where(
        step.made,
        next_radau(s.radau, step.length, rz / jnp.where(s.rz > 0, s.rz, 1), targets.smallest),
        jnp.where(iterating, s.radau, 1 / targets.smallest),
    )
    left = energy_error(s._replace(rz=rz, radau=radau, drops=drops), targets)
    met = met | (left <= targets.energy * jnp.abs(energy))
    broken = iterating & ~(step.curvature > 0)
    active = s.active & ~trivial & ~(met & ~to_guess) & ~broken
    # A load that is balanced already (b = 0) has no use for a guess.
    start = jnp.where(trivial, zero, one)
    beta = jnp.where(to_guess, start, jnp.where(active & iterating, rz / jnp.where(s.rz > 0, s.rz, 1), 0))
    fresh = jnp.where(to_guess, zero, one) + 0 * beta
    p = tuple(wide(fresh, a) * a + wide(beta, b) * b for a, b in zip(z, s.p, strict=True))
    rel = jnp.sqrt(jnp.maximum(rz, 0) / scale).astype(jnp.float32)
    slot = s.iteration % HISTORY
    history = s.history.at[slot].set(jnp.where(step.made, rel, s.history[slot]))
    return CGState(
        s.w, s.r, p, jnp.where(step.made | ~iterating, rz, s.rz), scale, first, energy, drops,
        radau, s.steps + step.made.astype(jnp.int32), active, history, s.iteration + iterating.astype(jnp.int32),
        jnp.where(to_guess, 1, 0).astype(jnp.int32),
    )  # fmt: skip


def going(s: CGState, last: Any) -> Any:
    """Whether another pass is due: some member is active and iteration `last` is not reached."""
    return jnp.any(s.active) & ((s.iteration < last) | (s.phase > 0))


def advance(
    state: CGState,
    apply: Operator,
    precondition: Callable[[Vector], Vector],
    targets: Targets,
    guessed: jax.Array,
    last: jax.Array,
) -> CGState:
    """Iterate until every member meets one of the targets, or iteration `last`, in one compiled loop."""

    def body(s: CGState) -> CGState:
        s, step, _ = descend(s, apply, guessed)
        return turn(s, step, precondition(s.r), targets, guessed)

    return jax.lax.while_loop(lambda s: going(s, last), body, state)


def combine(a: Vector, factor: Num[jax.Array, " B"], b: Vector) -> Vector:
    """a + factor b, with one factor (B,) per member."""
    return tuple(x + wide(factor, x) * y for x, y in zip(a, b, strict=True))


def wide(factor: Shaped[jax.Array, " B"], like: Num[jax.Array, "B ..."]) -> Num[jax.Array, "B ..."]:
    """Per-member factors (B,) ready to multiply fields (B, ...)."""
    return factor.astype(like.dtype).reshape(-1, *(1,) * (like.ndim - 1))


def fresh_state(
    right: Vector,
    guess: Vector | None,
    energy: Num[np.ndarray, " B"],
    scale: Num[np.ndarray, " B"] | None,
    precision: Any = jnp.float32,
) -> CGState:
    """The state before anything is evaluated: w = 0, r = right, the guess (or zero) waiting in p.

    energy (B,): total energy of w = 0. scale (B,): what residuals are relative to; None takes |b|_M^2. `precision` is
    that of w alone: rounding w at every step is what separates the residual of w from r first. Every entry is an array
    of its own, so that a solver may take over the memory of the whole state.
    """
    batch = right[0].shape[0]
    given = np.zeros(batch) if scale is None else np.asarray(scale, float)
    steps = () if guess is not None else tuple((v.shape, str(v.dtype)) for v in right)
    fresh = blank_fields((*((v.shape, str(jnp.dtype(precision))) for v in right), *steps))
    return CGState(
        w=fresh[: len(right)],
        r=right,
        p=fresh[len(right) :] if guess is None else guess,
        **_fresh_numbers(given, np.asarray(energy, float)),
    )


def _fresh_numbers(scale: np.ndarray, energy: np.ndarray) -> dict[str, jax.Array]:
    """Made by the host: every kind of array would cost a compilation."""
    batch = len(scale)
    return {
        "rz": on_device(np.zeros(batch)),
        "scale": on_device(scale.copy()),
        "first": on_device(np.zeros(batch)),
        "energy": on_device(energy.copy()),
        "drops": on_device(np.full((DELAY, batch), np.inf)),
        "radau": on_device(np.zeros(batch)),
        "steps": on_device(np.zeros(batch, np.int32)),
        "active": on_device(np.ones(batch, bool)),
        "history": on_device(np.full((HISTORY, batch), np.nan, np.float32)),
        "iteration": on_device(np.int32(0)),
        "phase": on_device(np.int32(2)),
    }
