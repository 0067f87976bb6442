r"""What isotropic laws with a history share: splitting a Mandel vector (6,), its length, an isotropic tangent.

Written for one point and `jax.vmap`. Lengths have derivatives everywhere: zero at the zero vector, never NaN.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np

from scalebridge.core.errors import LawError
from scalebridge.numerics.mandel import deviatoric_projector, identity2

if TYPE_CHECKING:
    from jaxtyping import Float

ROOT_THREE_HALVES = float(np.sqrt(1.5))
ROOT_TWO_THIRDS = float(np.sqrt(2 / 3))
UNIT = identity2(3)
DEVIATORIC = deviatoric_projector(3)


def split(strain: Float[jax.Array, " 6"]) -> tuple[Float[jax.Array, ""], Float[jax.Array, " 6"]]:
    """The trace and the deviator (6,) of a strain (6,)."""
    trace = strain[0] + strain[1] + strain[2]
    return trace, strain - trace / 3 * UNIT


def contract(a: Any, b: Any) -> jax.Array:
    """a : b of two Mandel vectors: a sum that fuses with what is around it, where a dot product would not."""
    return jnp.sum(a * b)


def length(vector: jax.Array) -> jax.Array:
    """|v|, with derivative zero at v = 0."""
    square = contract(vector, vector)
    positive = square > 0
    return jnp.where(positive, jnp.sqrt(jnp.where(positive, square, 1.0)), 0.0)


def isotropic_tangent(
    bulk: Any, shear: Any, along: Any = 0.0, direction: Any = None
) -> Float[jax.Array, "6 6"]:
    """bulk 1 (x) 1 + 2 shear dev + along n (x) n as a Mandel matrix (6, 6), n = `direction` (6,)."""
    tangent = bulk * np.outer(UNIT, UNIT) + 2 * shear * DEVIATORIC
    if direction is None:
        return jnp.asarray(tangent)
    return tangent + along * direction[:, None] * direction[None, :]


def require(law: Any, what: str, values: Any, holds: Any) -> None:
    """Fails when: a parameter is out of range or not finite (LawError, naming the law and what was expected)."""
    if not (np.all(holds) and np.all(np.isfinite(values))):
        raise LawError(f"{type(law).__name__} needs {what}, got {np.asarray(values).tolist()}.")


def require_elastic(law: Any, bulk: Any, shear: Any) -> None:
    """Fails when: one of the two moduli of an isotropic solid is not positive (LawError)."""
    require(law, "a positive bulk modulus", bulk, np.asarray(bulk) > 0)
    require(law, "a positive shear modulus", shear, np.asarray(shear) > 0)
