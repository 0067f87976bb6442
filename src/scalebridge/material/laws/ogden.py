r"""Ogden's rubber: powers of the principal stretches."""

from __future__ import annotations

from typing import Any, final

import jax
import jax.numpy as jnp
import numpy as np

from scalebridge.core.errors import LawError
from scalebridge.material.laws.energy import (
    AbstractHyperelastic,
    deformation,
    require_positive,
    volumetric_energy,
)
from scalebridge.material.laws.point import parameter
from scalebridge.numerics.isotropic_functions import isotropic_function, power_sum


@final
class Ogden(AbstractHyperelastic):
    r"""W = sum_n m_n/a_n (l1^a_n + l2^a_n + l3^a_n - 3) + K/4 (J^2 - 1 - 2 ln J), l_i: stretches / J^(1/3) [ogden1972].

    Parameters: moduli m_n (N,) in Pa and exponents a_n (N,), not zero, with sum m_n a_n = 2 G > 0; bulk modulus K > 0.
    Derivatives are exact where stretches coincide (`numerics.isotropic_functions`), as they do in the undeformed body.
    One term with a = 2 is neo-Hookean, a = 2 with a = -2 Mooney-Rivlin. Limits: stable for all stretches if every
    m_n a_n > 0; sums of fitted terms of both signs may not be. Fails when: det F <= 0, or a power is beyond floating
    point.
    """

    moduli: np.ndarray = parameter()
    exponents: np.ndarray = parameter()
    bulk: np.ndarray = parameter()

    def __check_init__(self) -> None:
        require_positive(self, bulk=self.bulk)
        if self.moduli.shape != self.exponents.shape or not self.moduli.ndim or not np.all(self.exponents):
            raise LawError(
                "Ogden needs as many exponents, none of them zero, as moduli, got "
                f"{self.exponents.tolist()} for {self.moduli.tolist()}."
            )
        if not np.all(self.shear > 0):
            raise LawError(
                f"The moduli and exponents of Ogden give a shear modulus of {np.asarray(self.shear).tolist()} Pa (half "
                "the sum of their products); it must be positive."
            )

    @property
    def shear(self) -> Any:
        """The shear modulus of the undeformed solid."""
        return np.sum(self.moduli * self.exponents, axis=-1) / 2

    def energy(self, drive: jax.Array) -> jax.Array:
        measures = deformation(drive)
        # C / J^(2/3) - 1, so that small strains keep their digits.
        exponent = -2 / 3 * jnp.log1p(measures.volume)
        isochoric = jnp.exp(exponent) * 2 * measures.strain + jnp.expm1(exponent) * jnp.eye(3)
        stretches = isotropic_function(power_sum(self.moduli / self.exponents, self.exponents / 2), isochoric)
        return jnp.trace(stretches) + volumetric_energy(self.bulk, measures.volume)
