r"""Isotropic hardening: by how much the yield stress has grown after an accumulated plastic strain alpha.

R(alpha) >= 0 with R(0) = 0, never falling and concave (it hardens, and ever less), in Pa. What is stored is the
integral of R. The return mapping asks each of them for the root Delta >= 0 of

    excess = stiffness Delta + R(alpha + Delta) - R(alpha),

which is unique, because the right side grows. Source of the functions and of the return mapping: [simo1998].
"""

from __future__ import annotations

import abc
from typing import Any, final

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from scalebridge.material.laws.deviators import require
from scalebridge.material.laws.point import parameter
from scalebridge.numerics.local_newton import find_local_root


class AbstractHardening(eqx.Module):
    """R(alpha), its slope and its integral; `increment` works for any R as above and can be overridden."""

    @abc.abstractmethod
    def stress(self, accumulated: Any) -> Any:
        """R(alpha) in Pa."""

    @abc.abstractmethod
    def slope(self, accumulated: Any) -> Any:
        """R'(alpha) in Pa."""

    @abc.abstractmethod
    def energy(self, accumulated: Any) -> Any:
        """The integral of R from 0 to alpha, J/m^3."""

    def increment(self, excess: Any, accumulated: Any, stiffness: Any) -> tuple[Any, Any]:
        """(Delta, failed) for excess > 0; by Newton's method from the left, where it climbs to the root."""
        before = self.stress(accumulated)

        def residual(share: jax.Array) -> jax.Array:
            grown = self.stress(accumulated + share * (excess / stiffness)) - before
            # Measured against all of the stress: a point that hardly yields could not do better than its round-off.
            return (grown + share * excess - excess) / (excess + before)

        start = jnp.reshape(stiffness / (stiffness + self.slope(accumulated)), (1,))
        root = find_local_root(residual, start)
        return root.value[0] * (excess / stiffness), ~root.converged


@final
class NoHardening(AbstractHardening):
    """Perfect plasticity: R = 0."""

    def stress(self, accumulated: Any) -> Any:
        return 0.0

    def slope(self, accumulated: Any) -> Any:
        return 0.0

    def energy(self, accumulated: Any) -> Any:
        return 0.0

    def increment(self, excess: Any, accumulated: Any, stiffness: Any) -> tuple[Any, Any]:
        return excess / stiffness, False


@final
class LinearHardening(AbstractHardening):
    """R = H alpha. modulus H >= 0, Pa."""

    modulus: np.ndarray = parameter()

    def __check_init__(self) -> None:
        require(self, "a modulus >= 0", self.modulus, self.modulus >= 0)

    def stress(self, accumulated: Any) -> Any:
        return self.modulus * accumulated

    def slope(self, accumulated: Any) -> Any:
        return self.modulus

    def energy(self, accumulated: Any) -> Any:
        return self.modulus * accumulated**2 / 2

    def increment(self, excess: Any, accumulated: Any, stiffness: Any) -> tuple[Any, Any]:
        return excess / (stiffness + self.modulus), False


@final
class VoceHardening(AbstractHardening):
    r"""R = Q (1 - exp(-b alpha)) + H alpha. saturation Q >= 0 and modulus H >= 0 in Pa, rate b > 0.

    The increment has a closed form in the Wright omega function, w + ln w = z: no iteration that could fail, for any
    step. With c = stiffness + H, p = Q b exp(-b alpha) / c, e = b excess / c: b Delta = e - p + w(ln p - e + p).
    """

    saturation: np.ndarray = parameter()
    rate: np.ndarray = parameter()
    modulus: np.ndarray = parameter(default=0.0)

    def __check_init__(self) -> None:
        require(self, "a saturation >= 0", self.saturation, self.saturation >= 0)
        require(self, "a rate > 0", self.rate, self.rate > 0)
        require(self, "a modulus >= 0", self.modulus, self.modulus >= 0)

    def stress(self, accumulated: Any) -> Any:
        return self.modulus * accumulated - self.saturation * jnp.expm1(-self.rate * accumulated)

    def slope(self, accumulated: Any) -> Any:
        return self.modulus + self.saturation * self.rate * jnp.exp(-self.rate * accumulated)

    def energy(self, accumulated: Any) -> Any:
        x = self.rate * accumulated
        return self.modulus * accumulated**2 / 2 + self.saturation / self.rate * (x + jnp.expm1(-x))

    def increment(self, excess: Any, accumulated: Any, stiffness: Any) -> tuple[Any, Any]:
        c = stiffness + self.modulus
        p = self.saturation * self.rate * jnp.exp(-self.rate * accumulated) / c
        e = self.rate * excess / c
        x = jax.lax.stop_gradient(e - p + wright_omega(jnp.log(p) - e + p))
        # Newton's step on e = x + p (1 - exp(-x)) takes away the cancellation in e - p + w at small steps, and carries
        # the derivatives with respect to everything: the root itself need have none.
        x = x + (e - x + p * jnp.expm1(-x)) / (1 + p * jnp.exp(-jax.lax.stop_gradient(x)))
        return x / self.rate, False


@final
class SumOfHardenings(AbstractHardening):
    """R = R1 + R2 + ...: two Voce terms, say. The increment takes Newton's method unless there is a single term."""

    terms: tuple[AbstractHardening, ...]

    def stress(self, accumulated: Any) -> Any:
        return sum(term.stress(accumulated) for term in self.terms)

    def slope(self, accumulated: Any) -> Any:
        return sum(term.slope(accumulated) for term in self.terms)

    def energy(self, accumulated: Any) -> Any:
        return sum(term.energy(accumulated) for term in self.terms)


_LOWEST = -40.0  # below, w = exp(z) is smaller than the round-off of what it is added to


def wright_omega(z: Any) -> jax.Array:
    """w > 0 with w + ln w = z, relative error below 1e-13 for z > -40, and w(-40) below that [lawrence2012].

    Two steps of the fourth-order iteration of the source; no derivative is meant to be taken through it.
    """
    z = jnp.maximum(z, _LOWEST)
    large = z > 1.5
    beyond = jnp.log(jnp.where(large, z, 1.5))
    w = jnp.where(large, z - beyond + beyond / jnp.where(large, z, 1.5), jnp.exp(jnp.minimum(z, 1.5)))
    w = jnp.where((z > -2) & ~large, jnp.exp(2 * (z - 1) / 3), w)
    for _ in range(2):
        r = z - w - jnp.log(w)
        q = 2 * (1 + w) * (1 + w + 2 * r / 3)
        w = w * (1 + r / (1 + w) * (q - r) / (q - 2 * r))
    return w
