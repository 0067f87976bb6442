r"""Stabilized biconjugate gradients [vandervorst1992] for linearized cells whose tangent is not symmetric.

Preconditioned from the right by the reference material, several cells and loads at once, each with its own end. The
residual is measured as in krylov.py, in the norm of the preconditioner.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np

from scalebridge.cell.nonlinear.linearization import KrylovResult, Linearization
from scalebridge.numerics.compiling import quick_jit
from scalebridge.numerics.conjugate_gradients import Vector, batch_dot, combine

if TYPE_CHECKING:
    from jaxtyping import Bool, Float

# A step whose scalars are smaller than this share of what they were made of has lost its digits: start afresh.
LOST = 1e-12


def biconjugate_gradients(
    linear: Linearization,
    right: Vector,
    right_macro: Float[jax.Array, "K m"],
    free: Bool[np.ndarray, "K m"],
    tolerance: Float[np.ndarray, " K"],
    max_steps: int,
) -> KrylovResult:
    """Solve A (w, E) = (right, right_macro) to relative residuals `tolerance` (K,). Arguments as in
    `conjugate_gradients`; a step costs two applications of A and of the preconditioner."""
    space = linear.space
    inverse = jnp.asarray(space.reference.inverse / space.elements.volume)
    free_on_device = jnp.asarray(free, jnp.float64)
    mixed = bool(np.any(free))

    def precondition(r: Vector, r_macro: jax.Array) -> tuple[Vector, jax.Array]:
        return space.precondition(r), ((r_macro * free_on_device) @ inverse) * free_on_device

    def apply(w: Vector, macro: jax.Array) -> tuple[Vector, jax.Array]:
        q, s = linear.apply(w, macro, mixed)
        return q, s * free_on_device

    r, r_macro = right, right_macro * free_on_device
    x, x_macro = tuple(jnp.zeros_like(v) for v in r), jnp.zeros_like(r_macro)
    z, z_macro = precondition(r, r_macro)
    start = np.asarray(_inner(r, r_macro, z, z_macro))
    goal = np.asarray(tolerance) ** 2 * start
    shadow, shadow_macro = z, z_macro
    p, p_macro = r, r_macro
    rho = _inner(shadow, shadow_macro, r, r_macro)
    measure = start.copy()
    active = start > 0
    steps = np.zeros(len(start), int)
    for _ in range(max_steps):
        if not active.any():
            break
        steps += active
        on = jnp.asarray(active)
        y, y_macro = precondition(p, p_macro)
        v, v_macro = apply(y, y_macro)
        x, x_macro, r, r_macro, alpha = _half(
            x, x_macro, r, r_macro, y, y_macro, v, v_macro, shadow, shadow_macro, rho, on
        )
        z, z_macro = precondition(r, r_macro)
        t, t_macro = apply(z, z_macro)
        x, x_macro, r, r_macro, p, p_macro, rho, lost = _rest(
            x,
            x_macro,
            r,
            r_macro,
            z,
            z_macro,
            t,
            t_macro,
            p,
            p_macro,
            v,
            v_macro,
            shadow,
            shadow_macro,
            rho,
            alpha,
            on,
        )
        h, h_macro = precondition(r, r_macro)
        new = np.asarray(_inner(r, r_macro, h, h_macro))
        measure = np.where(active, new, measure)
        afresh = np.asarray(lost) & active
        if afresh.any():
            shadow, shadow_macro, p, p_macro, rho = _restart(
                jnp.asarray(afresh), h, h_macro, r, r_macro, shadow, shadow_macro, p, p_macro, rho
            )
        active = active & (measure > goal)
    with np.errstate(invalid="ignore", divide="ignore"):
        residual = np.where(start > 0, np.sqrt(np.maximum(measure, 0) / np.where(start > 0, start, 1)), 0.0)
    return KrylovResult(x, x_macro, steps, residual, np.zeros(len(start), bool))


@quick_jit
def _inner(a: Vector, a_macro: jax.Array, b: Vector, b_macro: jax.Array) -> jax.Array:
    return batch_dot(a, b) + jnp.sum(a_macro * b_macro, axis=1)


@quick_jit
def _half(
    x: Vector, x_macro: jax.Array, r: Vector, r_macro: jax.Array, y: Vector, y_macro: jax.Array, v: Vector,
    v_macro: jax.Array, shadow: Vector, shadow_macro: jax.Array, rho: jax.Array, active: jax.Array,
) -> tuple[Any, ...]:  # fmt: skip
    below = _inner(shadow, shadow_macro, v, v_macro)
    alpha = jnp.where(active & (below != 0), rho / jnp.where(below != 0, below, 1), 0.0)
    return (
        combine(x, alpha, y), x_macro + alpha[:, None] * y_macro, combine(r, -alpha, v),
        r_macro - alpha[:, None] * v_macro, alpha,
    )  # fmt: skip


@functools.partial(quick_jit)
def _rest(
    x: Vector, x_macro: jax.Array, r: Vector, r_macro: jax.Array, z: Vector, z_macro: jax.Array, t: Vector,
    t_macro: jax.Array, p: Vector, p_macro: jax.Array, v: Vector, v_macro: jax.Array, shadow: Vector,
    shadow_macro: jax.Array, rho: jax.Array, alpha: jax.Array, active: jax.Array,
) -> tuple[Any, ...]:  # fmt: skip
    tt = _inner(t, t_macro, t, t_macro)
    omega = jnp.where(active & (tt > 0), _inner(t, t_macro, r, r_macro) / jnp.where(tt > 0, tt, 1), 0.0)
    x, x_macro = combine(x, omega, z), x_macro + omega[:, None] * z_macro
    r, r_macro = combine(r, -omega, t), r_macro - omega[:, None] * t_macro
    new = _inner(shadow, shadow_macro, r, r_macro)
    below = rho * omega
    beta = jnp.where(active & (below != 0), new * alpha / jnp.where(below != 0, below, 1), 0.0)
    p = combine(r, beta, combine(p, -omega, v))
    p_macro = r_macro + beta[:, None] * (p_macro - omega[:, None] * v_macro)
    size = jnp.sqrt(_inner(shadow, shadow_macro, shadow, shadow_macro) * _inner(r, r_macro, r, r_macro))
    lost = (jnp.abs(new) <= LOST * size) | (omega == 0)
    return x, x_macro, r, r_macro, p, p_macro, jnp.where(active, new, rho), lost


@quick_jit
def _restart(
    afresh: jax.Array, h: Vector, h_macro: jax.Array, r: Vector, r_macro: jax.Array, shadow: Vector,
    shadow_macro: jax.Array, p: Vector, p_macro: jax.Array, rho: jax.Array,
) -> tuple[Any, ...]:  # fmt: skip
    def pick(new: Vector, old: Vector) -> Vector:
        return tuple(
            jnp.where(afresh.reshape(-1, *(1,) * (a.ndim - 1)), a, b) for a, b in zip(new, old, strict=True)
        )

    shadow, p = pick(h, shadow), pick(r, p)
    shadow_macro = jnp.where(afresh[:, None], h_macro, shadow_macro)
    p_macro = jnp.where(afresh[:, None], r_macro, p_macro)
    return shadow, shadow_macro, p, p_macro, jnp.where(afresh, _inner(shadow, shadow_macro, r, r_macro), rho)
