r"""Conjugate gradients on (w, E) for the linearized cell, several cells and loads at once, each with its own end.

A (dw, dE) = (B^T T (B dw + dE), <T (B dw + dE)> V) on the allowed fluctuations and the free components of E; the
preconditioner is the exact inverse of the same elements on a homogeneous reference, for w and E alike, so that the
number of steps depends on the contrast of T alone, on any grid, under strain, stress or mixed control.
Every pass is a few compiled programs called in turn, because Fourier transforms use all cores only then (session.py).
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


def conjugate_gradients(
    linear: Linearization,
    right: Vector,
    right_macro: Float[jax.Array, "K m"],
    free: Bool[np.ndarray, "K m"],
    tolerance: Float[np.ndarray, " K"],
    max_steps: int,
) -> KrylovResult:
    """Solve A (w, E) = (right, right_macro) to relative residuals `tolerance` (K,) in the preconditioner's norm.

    Shapes: right c x (K, *nodes), right_macro (K, m), zero where E is given. A member at which negative curvature shows
    stops with what it has (its first direction, if it has nothing): Newton's line search decides what it is worth.
    """
    space = linear.space
    elements = space.elements
    inverse = jnp.asarray(space.reference.inverse / elements.volume)
    mixed = bool(np.any(free))
    free_on_device = jnp.asarray(free, jnp.float64)
    r, r_macro = right, right_macro
    x = tuple(jnp.zeros_like(v) for v in r)
    x_macro = jnp.zeros_like(r_macro)
    z = space.precondition(r)
    p, p_macro, rz = _begin(r, r_macro, z, inverse, free_on_device)
    start = np.asarray(rz)
    goal = jnp.asarray(np.maximum(np.asarray(tolerance) ** 2 * start, 0.0))
    active = jnp.asarray(start > 0) & (rz > goal)
    indefinite = jnp.zeros(len(start), bool)
    steps = np.zeros(len(start), int)
    for _ in range(max_steps):
        going = np.asarray(active)
        if not going.any():
            break
        steps += going
        q, q_macro = linear.apply(p, p_macro, mixed)
        x, x_macro, r, r_macro, active, indefinite = _descend(
            x, x_macro, r, r_macro, p, p_macro, q, q_macro, free_on_device, rz, active, indefinite
        )
        z = space.precondition(r)
        p, p_macro, rz, active = _turn(r, r_macro, z, inverse, free_on_device, p, p_macro, rz, goal, active)
    with np.errstate(invalid="ignore", divide="ignore"):
        residual = np.where(start > 0, np.sqrt(np.asarray(rz) / np.where(start > 0, start, 1)), 0.0)
    return KrylovResult(x, x_macro, steps, residual, np.asarray(indefinite))


@quick_jit
def _begin(
    r: Vector, r_macro: jax.Array, z: Vector, inverse: jax.Array, free: jax.Array
) -> tuple[Vector, jax.Array, jax.Array]:
    z_macro = ((r_macro * free) @ inverse) * free
    return z, z_macro, batch_dot(r, z) + jnp.sum(r_macro * z_macro, axis=1)


@functools.partial(quick_jit, donate_argnums=(0, 2))
def _descend(
    x: Vector, x_macro: jax.Array, r: Vector, r_macro: jax.Array, p: Vector, p_macro: jax.Array, q: Vector,
    q_macro: jax.Array, free: jax.Array, rz: jax.Array, active: jax.Array, indefinite: jax.Array,
) -> tuple[Any, ...]:  # fmt: skip
    q_macro = q_macro * free
    curvature = batch_dot(p, q) + jnp.sum(p_macro * q_macro, axis=1)
    bad = active & ~(curvature > 0)
    first = bad & ~_any(x) & ~jnp.any(x_macro != 0, axis=1)
    alpha = jnp.where(active & ~bad, rz / jnp.where(curvature > 0, curvature, 1), 0.0)
    beta = jnp.where(first, 1.0, alpha)  # nothing better is known than the preconditioned residual
    x = combine(x, beta, p)
    r = combine(r, -alpha, q)
    x_macro = x_macro + beta[:, None] * p_macro
    r_macro = r_macro - alpha[:, None] * q_macro
    return x, x_macro, r, r_macro, active & ~bad, indefinite | bad


def _any(x: Vector) -> jax.Array:
    axes = tuple(range(1, x[0].ndim))
    found = jnp.zeros(x[0].shape[0], bool)
    for v in x:
        found = found | jnp.any(v != 0, axis=axes)
    return found


@functools.partial(quick_jit, donate_argnums=(5,))
def _turn(
    r: Vector, r_macro: jax.Array, z: Vector, inverse: jax.Array, free: jax.Array, p: Vector, p_macro: jax.Array,
    rz: jax.Array, goal: jax.Array, active: jax.Array,
) -> tuple[Any, ...]:  # fmt: skip
    z_macro = ((r_macro * free) @ inverse) * free
    new = batch_dot(r, z) + jnp.sum(r_macro * z_macro, axis=1)
    # Members that are done keep their residual; a rounding that spoils the sign ends a member as well.
    new = jnp.where(active, new, rz)
    beta = jnp.where(active & (rz > 0), new / jnp.where(rz > 0, rz, 1), 0.0)
    p = combine(z, beta, p)
    p_macro = z_macro + beta[:, None] * p_macro
    return p, p_macro, new, active & (new > goal)
