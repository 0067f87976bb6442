r"""The scalar equation of a power-law flow within one implicit step: r + c r^n = 1.

r is the part of the elastic trial stress that is left. The left side grows and is convex, and min(1, c^(-1/n)) lies to
the right of the root: Newton's method from there descends to it, for any c >= 0 and n >= 1, and cannot overflow.
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

_STEPS = 10  # enough for a relative error at round-off for n up to 200 and any c (tested)


def remaining_share(log_c: Any, exponent: Any) -> tuple[jax.Array, jax.Array]:
    """(r, w): the root r of r + c r^n = 1 and w = c r^n = 1 - r, each with a small relative error.

    log_c: ln c, -inf not allowed (give ln of a tiny number); derivatives with respect to both arguments are exact.
    """
    log_live, n_live = log_c, exponent
    log_c, n = jax.lax.stop_gradient(log_c), jax.lax.stop_gradient(exponent)
    log_scale = jnp.minimum(0.0, -log_c / n)
    scale = jnp.exp(log_scale)
    largest = jnp.minimum(log_c, 0.0)  # ln of c scale^n

    def descend(_: Any, log_z: jax.Array) -> jax.Array:
        linear, power = jnp.exp(log_scale + log_z), jnp.exp(largest + n * log_z)
        return log_z + jnp.log1p(-(linear + power - 1) / (linear + n * power))

    log_z = jax.lax.fori_loop(0, _STEPS, descend, jnp.zeros_like(log_c + n))
    r = jax.lax.stop_gradient(scale * jnp.exp(log_z))
    power = jnp.exp(log_live + n_live * (log_scale + log_z))
    # Newton's step once more, with the live arguments: it carries their derivatives.
    root = r - (r + power - 1) / (1 + n * jax.lax.stop_gradient(power) / r)
    return root, jnp.exp(log_live + n_live * jnp.log(root))


def safe_log(x: Any) -> jax.Array:
    """ln x for x > 0; ln of the smallest normal number, with derivative zero, where x is zero."""
    return jnp.log(jnp.where(x > 0, x, 2.3e-308))
