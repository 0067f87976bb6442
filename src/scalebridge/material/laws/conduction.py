r"""Nonlinear conductors: the flux as a power of the gradient, and a conductivity that depends on temperature."""

from __future__ import annotations

from typing import Any, final

import jax
import jax.numpy as jnp
import numpy as np

from scalebridge.core.errors import LawError
from scalebridge.material.kinematics import GRADIENT, Kinematics
from scalebridge.material.laws.energy import AbstractEnergyLaw, require_positive
from scalebridge.material.laws.point import AbstractPointLaw, PointUpdate, parameter


@final
class PowerLawConduction(AbstractEnergyLaw):
    r"""flux = k |g/g0|^(n-1) g, smoothed where g vanishes: |g|^2 stands for |g|^2 + d^2 with d = smoothing g0.

    Parameters: conductivity k > 0 at the gradient g0 = `reference` > 0, exponent n > 0 (1: linear), smoothing > 0, a
    number. Potential W = k g0^2/(n+1) ((|g/g0|^2 + s^2)^((n+1)/2) - s^(n+1)), convex. The smoothing keeps the tangent
    finite and positive at g = 0, where |g|^(n-1) is infinite (n < 1) or zero (n > 1); at |g| = g0 it changes the flux
    by (n-1) s^2/2, relatively. Limits: for n far from 1 the smallest and the largest tangent differ by s^(n-1).
    """

    conductivity: np.ndarray = parameter()
    exponent: np.ndarray = parameter()
    reference: np.ndarray = parameter(default=1.0)
    smoothing: np.ndarray = parameter(default=1e-3)

    def __check_init__(self) -> None:
        require_positive(
            self,
            conductivity=self.conductivity,
            exponent=self.exponent,
            reference=self.reference,
            smoothing=self.smoothing,
        )

    @property
    def kinematics(self) -> Kinematics:
        return GRADIENT

    def energy(self, drive: jax.Array) -> jax.Array:
        power = (self.exponent + 1) / 2
        square, floor = jnp.sum((drive / self.reference) ** 2), self.smoothing**2
        factor = self.conductivity * self.reference**2 / (self.exponent + 1)
        # (x + f)^p - f^p without the difference of close numbers.
        return factor * floor**power * jnp.expm1(power * jnp.log1p(square / floor))


@final
class TemperatureDependentConduction(AbstractPointLaw):
    r"""flux = k(T) g, with k linear between the given temperatures and constant beyond the first and the last.

    Parameters: temperatures (N,), rising, in K; conductivities (N,) > 0 at them; `reference`: the temperature of a
    virgin point. The temperature is not part of the drive: it is the state of a point, given by who knows it and kept
    by the law; `state_at(T)` makes the state of n points. On the fine scale of a cell it is uniform to first order,
    the macro temperature. Whatever else k depends on can stand for T in the same way.
    """

    temperatures: np.ndarray = parameter()
    conductivities: np.ndarray = parameter()
    reference: np.ndarray = parameter(default=293.15)

    def __check_init__(self) -> None:
        require_positive(self, conductivities=self.conductivities)
        if self.temperatures.shape != self.conductivities.shape or self.temperatures.ndim < 1:
            raise LawError(
                f"TemperatureDependentConduction needs one conductivity per temperature, got "
                f"{self.conductivities.shape} for {self.temperatures.shape}."
            )
        if not np.all(np.diff(self.temperatures) > 0):
            raise LawError(f"The temperatures must rise, got {self.temperatures.tolist()}.")

    @property
    def kinematics(self) -> Kinematics:
        return GRADIENT

    def virgin_state(self) -> Any:
        return self.reference

    def state_at(self, temperature: Any) -> np.ndarray:
        """The state of points at the temperatures (n,), in K. Fails when: one of them is not finite (LawError)."""
        state = np.atleast_1d(np.asarray(temperature, np.float64))
        if not np.all(np.isfinite(state)):
            raise LawError(
                f"The temperature of point {int(np.argwhere(~np.isfinite(state))[0][0])} is not finite."
            )
        return state

    def update(self, state: Any, drive: jax.Array, dt: jax.Array) -> PointUpdate:
        flux = jnp.interp(state, self.temperatures, self.conductivities) * drive
        return PointUpdate(flux, state, jnp.sum(drive * flux) / 2, 0.0)
