r"""Mooney-Rivlin rubber with a volumetric energy of its own; neo-Hookean rubber for c01 = 0."""

from __future__ import annotations

from typing import Any, final

import jax
import jax.numpy as jnp
import numpy as np

from scalebridge.core.errors import LawError
from scalebridge.material.laws.energy import require_positive, volumetric_energy
from scalebridge.material.laws.invariants import AbstractInvariantEnergy
from scalebridge.material.laws.point import parameter


@final
class MooneyRivlin(AbstractInvariantEnergy):
    r"""W = c10 (J^(-2/3) I1 - 3) + c01 (J^(-4/3) I2 - 3) + K/4 (J^2 - 1 - 2 ln J) [mooney1940; rivlin1948; simo1998].

    Parameters: c10, c01 in Pa with c10 + c01 > 0, bulk modulus K > 0. Shear modulus of the undeformed solid:
    G = 2 (c10 + c01). Shape and volume are separate, so that K >> G is near incompressibility. Limits: fits rubber up
    to stretches of about 2; a negative constant makes it unstable at some stretch. Fails when: det F <= 0.
    """

    c10: np.ndarray = parameter()
    c01: np.ndarray = parameter()
    bulk: np.ndarray = parameter()

    def __check_init__(self) -> None:
        require_positive(self, bulk=self.bulk)
        if not np.all(self.c10 + self.c01 > 0):
            raise LawError(
                f"MooneyRivlin needs c10 + c01 > 0 (half the shear modulus), got {self.c10.tolist()} + "
                f"{self.c01.tolist()}."
            )

    @property
    def shear(self) -> np.ndarray:
        """The shear modulus of the undeformed solid."""
        return 2 * (self.c10 + self.c01)

    def energy_of(self, first: jax.Array, second: jax.Array, volume: jax.Array) -> Any:
        log_volume = jnp.log1p(volume)
        shape = self.c10 * _isochoric(first, -2 / 3 * log_volume)
        shape = shape + self.c01 * _isochoric(second, -4 / 3 * log_volume)
        return shape + volumetric_energy(self.bulk, volume)


def _isochoric(difference: jax.Array, exponent: jax.Array) -> jax.Array:
    """exp(x) I - 3 of I - 3 and x, without the difference of large numbers."""
    return jnp.exp(exponent) * difference + 3 * jnp.expm1(exponent)
