r"""Preconditioned conjugate gradients on a batch of systems, in resumable chunks.

A w = b with A symmetric positive semi-definite and b in its range. All scalars carry the batch axis; a converged
member stands still (step length zero) while the others go on. The error of the energy is estimated from the algorithm's
own coefficients: |w* - w_k|_A^2 >= sum_{j=k}^{k+d-1} alpha_j (r_j . z_j), sharp once d steps reduce the error
[hestenes1952; strakos2002]; unlike a residual it is the error of the effective tensor itself.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

DELAY = 4
HISTORY = 512


class CGState(NamedTuple):
    """w, r, p: (B, ...) ; the rest (B,). `drops` are the last DELAY energy decrements, newest first."""

    w: jax.Array
    r: jax.Array
    p: jax.Array
    rz: jax.Array
    energy: jax.Array
    drops: jax.Array
    steps: jax.Array
    active: jax.Array
    history: jax.Array
    iteration: jax.Array
    starting: jax.Array


def batch_dot(a: jax.Array, b: jax.Array) -> jax.Array:
    """Dot products per batch member, accumulated in float64."""
    return jnp.sum(a * b, axis=tuple(range(1, a.ndim)), dtype=jnp.float64)


def energy_error(drops: jax.Array) -> jax.Array:
    """Estimate of |w* - w|_A^2 after the newest step from the last DELAY energy decrements (DELAY, B).

    With decrements falling like q^j the tail after the newest is newest * q / (1 - q); q comes from the delay window
    and is kept below 0.95. Until the window is full the estimate is infinite.
    """
    newest, oldest = drops[0], drops[-1]
    full = jnp.isfinite(oldest)
    ratio = jnp.where(oldest > 0, newest / jnp.where(oldest > 0, oldest, 1), 0.0)
    q = jnp.clip(ratio, 0.0, None) ** (1.0 / (DELAY - 1))
    q = jnp.clip(q, 0.0, 0.95)
    tail = jnp.maximum(newest, 0.0) * q / (1 - q)
    return jnp.where(full, tail, jnp.where(jnp.isfinite(newest) & (newest <= 0), 0.0, jnp.inf))


def advance(
    state: CGState,
    apply: Callable[[jax.Array, jax.Array], jax.Array],
    precondition: Callable[[jax.Array], jax.Array],
    residual_target: jax.Array,
    energy_target: jax.Array,
    residual_scale: jax.Array,
    last: jax.Array,
) -> CGState:
    """Iterate until every member meets `r.z <= residual_target` or the relative energy error `energy_target`,
    or iteration `last`.

    residual_target, residual_scale (B,) absolute, in r.z; energy_target scalar, relative to `energy`.
    The first pass of a fresh state (`starting`) is not a step: it replaces (w, r) by (w + p, r - apply(p)) and makes
    the first direction, so that the operator and the preconditioner are compiled once. `apply(p, starting)` may add
    the load when `starting` is 1.
    """

    def body(s: CGState) -> CGState:
        q = apply(s.p, s.starting)
        pq = batch_dot(s.p, q)
        fresh = s.starting > 0
        ok = s.active & (pq > 0) & ~fresh
        alpha = jnp.where(fresh, 1.0, jnp.where(ok, s.rz / jnp.where(ok, pq, 1), 0))
        shape = (-1, *(1,) * (s.w.ndim - 1))
        step = alpha.astype(s.w.dtype).reshape(shape)
        w = s.w + step * s.p
        r = s.r - step * q
        z = precondition(r)
        rz = batch_dot(r, z)
        drop = alpha * s.rz
        energy = jnp.where(ok, s.energy - drop, s.energy)
        drops = jnp.where(ok[None], jnp.concatenate([drop[None], s.drops[:-1]]), s.drops)
        met = (rz <= residual_target) | (energy_error(drops) <= energy_target * jnp.abs(energy))
        broken = ~fresh & ~(pq > 0)
        active = s.active & ~met & ~broken
        beta = jnp.where(active & ~fresh, rz / jnp.where(s.rz > 0, s.rz, 1), 0)
        p = z + beta.astype(s.w.dtype).reshape(shape) * s.p
        rel = jnp.sqrt(jnp.maximum(rz, 0) / residual_scale).astype(jnp.float32)
        slot = s.iteration % HISTORY
        history = s.history.at[slot].set(jnp.where(ok, rel, s.history[slot]))
        return CGState(
            w, r, p, jnp.where(ok | fresh, rz, s.rz), energy, drops, s.steps + ok.astype(jnp.int32), active,
            history, s.iteration + jnp.where(fresh, 0, 1).astype(jnp.int32), jnp.zeros_like(s.starting),
        )  # fmt: skip

    def going(s: CGState) -> Any:
        return jnp.any(s.active) & ((s.iteration < last) | (s.starting > 0))

    return jax.lax.while_loop(going, body, state)


def fresh_state(w: jax.Array, r: jax.Array, p: jax.Array, energy: jax.Array) -> CGState:
    """A state whose first pass evaluates the residual r - apply(p) at w + p; `energy` (B,) belongs to that point."""
    batch = w.shape[0]
    return CGState(
        w, r, p, jnp.zeros(batch, jnp.float64), energy, jnp.full((DELAY, batch), jnp.inf), jnp.zeros(batch, jnp.int32),
        jnp.ones(batch, bool), jnp.full((HISTORY, batch), jnp.nan, jnp.float32), jnp.zeros((), jnp.int32),
        jnp.ones((), w.dtype),
    )  # fmt: skip
