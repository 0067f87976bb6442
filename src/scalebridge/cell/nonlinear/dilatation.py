r"""Elements of shared dilatation at finite strain: every point of a voxel has the volume change of the voxel mean.

    F' = a F,  a = (J* / J)^(1/d),  J* = <J> over the points of the voxel,  J = det F

is what the laws are asked at. Nearly incompressible phases do not lock: only one dilatation per voxel is resisted. The
fluxes P' that they answer act on F' through the chain rule, so that elastic phases keep an energy and every tangent its
symmetry [simo1985]:

    P = a P' + (1/d) cof F (<p> / J* - p / J),  p = P' : F',  cof F = J F^-T.

The tangent is the derivative of that, with dP' = T dF'. All functions take and give lists of the d^2 components, rows
first, each (points, ...): the axis of the points is the first.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp

from scalebridge.numerics.components import cofactor, determinant

List = Sequence[Any]


def shared_gradient(f: List) -> list[jax.Array]:
    """F' of F; not a number where the voxel or the point is turned inside out."""
    a = _factor(f)[0]
    return [a * v for v in f]


def flux_on_gradient(f: List, flux: List) -> list[jax.Array]:
    """P, the flux that does its work on F, from P' at F'."""
    a, volume, mean = _factor(f)
    p = a * sum((s * v for s, v in zip(flux, f, strict=True)), jnp.zeros_like(f[0]))
    pressure = (jnp.mean(p, axis=0, keepdims=True) / mean - p / volume) / _dimension(f)
    return [a * s + c * pressure for s, c in zip(flux, cofactor(f), strict=True)]


def shared_tangent(
    f: List, flux: List, change: List, laws: Callable[[list[jax.Array]], list[jax.Array]]
) -> list[jax.Array]:
    """dP of a change dF, where `laws` gives the change of the fluxes P' for a change of F'."""
    like = [jnp.broadcast_to(v, change[0].shape) for v in f]
    stress = [jnp.broadcast_to(v, change[0].shape) for v in flux]
    _, moved = jax.jvp(shared_gradient, (like,), (list(change),))
    return jax.jvp(flux_on_gradient, (like, stress), (list(change), laws(moved)))[1]


def _factor(f: List) -> tuple[jax.Array, jax.Array, jax.Array]:
    """(a, J, J*)."""
    volume = determinant(f)
    mean = jnp.mean(volume, axis=0, keepdims=True)
    return jnp.exp(jnp.log(mean / volume) / _dimension(f)), volume, mean


def _dimension(f: List) -> int:
    return 2 if len(f) == 4 else 3
