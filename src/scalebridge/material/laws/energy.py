r"""Laws that are the gradient of an energy: write W(drive) only; the flux is grad W and the tangent its Hessian.

Hyperelastic energies W(F) depend on F through C = F^T F, so that they are objective, and are finite for det F > 0 only.
"""

from __future__ import annotations

import abc
from typing import TYPE_CHECKING, Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from scalebridge.core.errors import LawError
from scalebridge.material.kinematics import FINITE_STRAIN, Kinematics
from scalebridge.material.laws.point import AbstractPointLaw, PointUpdate
from scalebridge.numerics.point_tensors import determinant

if TYPE_CHECKING:
    from jaxtyping import Float


class AbstractEnergyLaw(AbstractPointLaw):
    """flux = dW/d drive, tangent = d2W/d drive^2 (symmetric), stored = W, dissipated = 0; no history.

    Where a drive is not admissible, or W or its gradient are beyond floating point, the update has failed and its
    numbers are zeros.
    """

    @abc.abstractmethod
    def energy(self, drive: jax.Array) -> Any:
        """W of one point (a scalar, J/m^3) for an admissible drive; zero for the virgin one."""

    def admissible(self, drive: jax.Array) -> jax.Array:
        """Whether W is defined there: det F > 0 where the drive is a deformation gradient."""
        if self.kinematics is FINITE_STRAIN:
            return determinant(drive.reshape(3, 3)) > 0
        return jnp.asarray(True)

    def virgin_state(self) -> Any:
        return ()

    def update(self, state: Any, drive: jax.Array, dt: jax.Array) -> PointUpdate:
        fine = self.admissible(drive)
        # Another drive is put in before W is evaluated: a NaN that is only masked afterwards lives on in derivatives.
        safe = jnp.where(fine, drive, self.kinematics.virgin(3))
        stored, flux = jax.value_and_grad(self.energy)(safe)
        fine = fine & jnp.isfinite(stored) & jnp.all(jnp.isfinite(flux))
        return PointUpdate(jnp.where(fine, flux, 0.0), state, jnp.where(fine, stored, 0.0), 0.0, ~fine)


class AbstractHyperelastic(AbstractEnergyLaw):
    """An energy W(F) of the deformation gradient, F (9,) rows first; flux = first Piola-Kirchhoff stress P."""

    @property
    def kinematics(self) -> Kinematics:
        return FINITE_STRAIN


class Deformation(NamedTuple):
    """What energies are made of, exact also for small strains: differences from the undeformed body.

    strain (3, 3): Green-Lagrange E = (F^T F - 1)/2; first: I1 - 3, second: I2 - 3 of C = 1 + 2 E; volume: J - 1.
    """

    strain: jax.Array
    first: jax.Array
    second: jax.Array
    volume: jax.Array


def deformation(drive: Float[jax.Array, " 9"]) -> Deformation:
    """The measures of F = 1 + H (9,), from H: forming C - 1 or J - 1 by subtraction would lose their digits."""
    h = drive.reshape(3, 3) - jnp.eye(3)
    stretch = h + h.T + jnp.sum(h[:, :, None] * h[:, None, :], axis=0)
    trace = jnp.trace(stretch)
    second = 2 * trace + (trace**2 - jnp.sum(stretch**2)) / 2
    volume = jnp.trace(h) + (jnp.trace(h) ** 2 - jnp.sum(h * h.T)) / 2 + determinant(h)
    return Deformation(stretch / 2, trace, second, volume)


def volumetric_energy(bulk: Any, volume: jax.Array) -> jax.Array:
    r"""U = K/4 (J^2 - 1 - 2 ln J) of J - 1: convex, infinite at J = 0 and at infinity [simo1998]."""
    return bulk / 4 * (volume**2 + 2 * volume - 2 * jnp.log1p(volume))


def require_positive(law: AbstractPointLaw, **values: Any) -> None:
    """Fails when: one of the named numbers is not positive and finite (LawError)."""
    for name, value in values.items():
        if not np.all((np.asarray(value) > 0) & np.isfinite(value)):
            raise LawError(
                f"{type(law).__name__} needs {name.replace('_', ' ')} > 0, got {np.asarray(value).tolist()}."
            )
