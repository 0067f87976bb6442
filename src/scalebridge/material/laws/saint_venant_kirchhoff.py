r"""Saint-Venant-Kirchhoff: Hooke's law for large rotations."""

from __future__ import annotations

from typing import final

import jax
import jax.numpy as jnp
import numpy as np

from scalebridge.core.errors import LawError
from scalebridge.material.elasticity import Elasticity
from scalebridge.material.laws.energy import AbstractHyperelastic, deformation
from scalebridge.material.laws.point import parameter
from scalebridge.numerics.mandel import isotropic_stiffness
from scalebridge.numerics.point_tensors import mandel_of


@final
class SaintVenantKirchhoff(AbstractHyperelastic):
    r"""W = E : C E / 2 with the Green-Lagrange strain E = (F^T F - 1)/2; P = F C E [bonet2008].

    stiffness C (6, 6) Mandel in Pa, of any symmetry. For small strains under large rotations. Limits: it softens in
    compression (uniaxial P is largest at a stretch of 1/sqrt 3 and zero at zero volume), so that a cell under strong
    compression may have no solution; take NeoHooke then. Fails when: det F <= 0.
    """

    stiffness: np.ndarray = parameter()

    def __check_init__(self) -> None:
        if self.stiffness.shape[-2:] != (6, 6):
            raise LawError(
                f"A stiffness has the shape (6, 6) (Mandel), got {self.stiffness.shape}. "
                "SaintVenantKirchhoff.isotropic(bulk, shear) makes one of two moduli."
            )

    @staticmethod
    def of(law: Elasticity) -> SaintVenantKirchhoff:
        """The elastic material of a linear law."""
        return SaintVenantKirchhoff(law.tensor)

    @staticmethod
    def isotropic(
        bulk: float | int | np.floating | np.ndarray, shear: float | int | np.floating | np.ndarray
    ) -> SaintVenantKirchhoff:
        """W = (K - 2G/3)/2 (tr E)^2 + G E : E."""
        return SaintVenantKirchhoff(isotropic_stiffness(float(bulk), float(shear)))

    def energy(self, drive: jax.Array) -> jax.Array:
        strain = mandel_of(deformation(drive).strain)
        return jnp.sum(strain * jnp.sum(self.stiffness * strain, axis=-1)) / 2
