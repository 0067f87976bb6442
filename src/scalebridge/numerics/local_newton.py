r"""Newton's method for a few unknowns at one point, with exact derivatives of the root.

The root x(a) of r(x, a) = 0 has dx/da = -(dr/dx)^-1 dr/da: derivatives come from this, not from the iteration, and
hold to any order (forward mode). Made for `jax.vmap`: points that are done wait, unchanged, for the others.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from scalebridge.numerics.dense_elimination import solve_dense

_SHORTEST = 2.0**-20  # of a Newton step that is still tried
_STALLED = 1e3  # times the tolerance: what round-off may leave of a residual that cannot be lowered any more
_ROUND_OFF = 8 * float(np.finfo(np.float64).eps)


class LocalRoot(NamedTuple):
    """value (k,): the root; converged: whether it is one; steps: evaluations of the residual (an integer)."""

    value: Any
    converged: Any
    steps: Any


def find_local_root(
    residual: Callable[[jax.Array], jax.Array],
    start: jax.Array,
    tolerance: float | int = 1e-12,
    max_steps: int = 60,
) -> LocalRoot:
    """x with residual(x) = 0 for one point: x (k,) float64, residual(x) (k,), k up to about 20.

    Write the residual without dimension, of the order of one: it counts as solved when its largest entry is below
    `tolerance`, or when the next correction of x is round-off. It may use any traced value around it, and derivatives
    with respect to those are exact; `start` has none. A step that does not lower the residual, or leads where it is not
    finite (a negative logarithm), is halved. Never NaN: where no root was found `converged` is False, `value` is the
    best x seen, and its derivatives are zero.
    """
    start = jax.lax.stop_gradient(start)

    def iterate(function: Callable[[jax.Array], jax.Array], x: jax.Array) -> tuple[jax.Array, Any]:
        return _newton(function, x, tolerance, max_steps)

    value, (converged, steps) = jax.lax.custom_root(residual, start, iterate, _solve_linear, has_aux=True)
    converged = jax.lax.stop_gradient(converged) > 0
    value = jnp.where(converged, value, jax.lax.stop_gradient(value))
    return LocalRoot(value, converged, jax.lax.stop_gradient(steps).astype(int))


def _solve_linear(function: Callable[[jax.Array], jax.Array], right: jax.Array) -> jax.Array:
    """The root of a linear function minus `right`: what the implicit derivative asks for."""
    matrix = _finite_or(jax.jacfwd(function)(jnp.zeros_like(right)), 0.0)
    # The inverse, because one is enough for all columns of a tangent: only `right` differs among them.
    inverse = solve_dense(matrix, jnp.eye(len(right), dtype=right.dtype))
    return _finite_or(inverse, 0.0) @ right


def _finite_or(values: jax.Array, otherwise: float) -> jax.Array:
    return jnp.where(jnp.isfinite(values), values, otherwise)


def _newton(
    function: Callable[[jax.Array], jax.Array], start: jax.Array, tolerance: float, max_steps: int
) -> tuple[jax.Array, Any]:
    """(x, (converged, steps)); steps that do not help are halved within the same loop, so that a batch of points costs
    one evaluation per turn, whatever each of them is doing."""

    def evaluate(x: jax.Array) -> tuple[jax.Array, jax.Array]:
        """The largest entry of the residual (infinite where it is undefined) and the Newton step."""

        def twice(x: jax.Array) -> tuple[jax.Array, jax.Array]:
            value = function(x)
            return value, value

        matrix, value = jax.jacfwd(twice, has_aux=True)(x)
        step = -solve_dense(matrix, value)
        defined = jnp.all(jnp.isfinite(value)) & jnp.all(jnp.isfinite(step))
        norm = jnp.where(defined, jnp.max(jnp.abs(value)), jnp.inf)
        return norm, jnp.where(defined, step, 0.0)

    def solved(x: jax.Array, norm: jax.Array, step: jax.Array) -> jax.Array:
        tiny = jnp.max(jnp.abs(step)) <= _ROUND_OFF * jnp.max(jnp.abs(x))
        return (norm <= tolerance) | (tiny & (norm < jnp.inf))

    def unfinished(carry: Any) -> jax.Array:
        x, norm, step, length, steps = carry
        searching = (length >= _SHORTEST) & ((norm < jnp.inf) | (steps == 0)) & (steps < max_steps)
        return searching & ~solved(x, norm, step)

    def advance(carry: Any) -> Any:
        x, norm, step, length, steps = carry
        tried = x + length * step
        new_norm, new_step = evaluate(tried)
        better = new_norm < (1 - 1e-4 * length) * norm
        return (
            jnp.where(better, tried, x),
            jnp.where(better, new_norm, norm),
            jnp.where(better, new_step, step),
            jnp.where(better, 1.0, length / 2),
            steps + 1,
        )

    # The start is evaluated within the loop as a step of no length, so that the residual is compiled once.
    one = jnp.ones((), start.dtype)
    x, norm, step, length, steps = jax.lax.while_loop(
        unfinished, advance, (start, jnp.inf * one, jnp.zeros_like(start), one, jnp.zeros((), int))
    )
    stalled = (length < _SHORTEST) & (norm <= _STALLED * tolerance)
    converged = solved(x, norm, step) | stalled
    # As floats: the derivative rule around gives whole numbers a tangent that JAX refuses.
    return x, (converged.astype(x.dtype), steps.astype(x.dtype))
