r"""The compressible neo-Hookean solid."""

from __future__ import annotations

from typing import Any, ClassVar, final

import jax
import jax.numpy as jnp
import numpy as np

from scalebridge.material.laws.energy import require_positive
from scalebridge.material.laws.invariants import FIRST, VOLUME, AbstractInvariantEnergy
from scalebridge.material.laws.point import parameter


@final
class NeoHooke(AbstractInvariantEnergy):
    r"""W = G/2 (I1 - 3) - G ln J + L/2 (ln J)^2,  L = K - 2G/3;   P = G (F - F^-T) + L ln J F^-T [bonet2008].

    Parameters: bulk modulus K > 0 and shear modulus G > 0 of the undeformed solid, Pa. Energy and pressure grow without
    bound as J -> 0. Limits: (ln J)^2 is not convex for J > e, so that a body pulled to more than 2.7 times its volume
    softens; nearly incompressible solids (K > 50 G) lock in low-order elements: MooneyRivlin with c01 = 0 has the
    volume split off and converges better there. Fails when: det F <= 0.
    """

    depends: ClassVar[tuple[int, ...]] = (FIRST, VOLUME)
    bulk: np.ndarray = parameter()
    shear: np.ndarray = parameter()

    def __check_init__(self) -> None:
        require_positive(self, bulk=self.bulk, shear=self.shear)

    def energy_of(self, first: jax.Array, second: jax.Array, volume: jax.Array) -> Any:
        log_volume = jnp.log1p(volume)
        lame = self.bulk - 2 * self.shear / 3
        return self.shear * (first / 2 - log_volume) + lame / 2 * log_volume**2
