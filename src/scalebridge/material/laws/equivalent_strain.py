r"""Which number of a strain tensor drives damage."""

from __future__ import annotations

import abc
from typing import Any, final

import equinox as eqx
import jax
import jax.numpy as jnp

from scalebridge.material.laws.deviators import contract
from scalebridge.numerics.isotropic_functions import symmetric_eigen
from scalebridge.numerics.point_tensors import mandel_of, matrix_of, product


class AbstractEquivalentStrain(eqx.Module):
    """A function of the strain, of degree one, that equals the axial strain in uniaxial tension."""

    @property
    def keeps_symmetry(self) -> bool:
        """Whether the tangent of damage is symmetric."""
        return False

    @abc.abstractmethod
    def of(self, strain: jax.Array, elastic_stress: jax.Array, young: Any) -> tuple[Any, Any]:
        """(e, de/d strain (6,)) of a strain (6,) with C : strain = elastic_stress; the derivative is zero at e = 0."""


@final
class EnergyNorm(AbstractEquivalentStrain):
    """e = sqrt(eps : C : eps / E). Tension and compression damage alike; the tangent of damage stays symmetric."""

    @property
    def keeps_symmetry(self) -> bool:
        return True

    def of(self, strain: jax.Array, elastic_stress: jax.Array, young: Any) -> tuple[Any, Any]:
        square = contract(strain, elastic_stress) / young
        positive = square > 0
        e = jnp.where(positive, jnp.sqrt(jnp.where(positive, square, 1.0)), 0.0)
        return e, elastic_stress / (young * jnp.where(positive, e, 1.0)) * jnp.where(positive, 1.0, 0.0)


@final
class MazarsStrain(AbstractEquivalentStrain):
    """e = sqrt(sum <eps_i>^2) of the principal strains, <x> the positive part [mazars1986]: compression damages only
    through the lateral extension that goes with it. The tangent of damage is not symmetric."""

    def of(self, strain: jax.Array, elastic_stress: jax.Array, young: Any) -> tuple[Any, Any]:
        fixed = jax.lax.stop_gradient(strain)
        values, vectors = symmetric_eigen(matrix_of(fixed))
        positive_part = mandel_of(product(vectors * jnp.maximum(values, 0.0), vectors.T))
        square = contract(positive_part, positive_part)
        positive = square > 0
        e = jnp.where(positive, jnp.sqrt(jnp.where(positive, square, 1.0)), 0.0)
        slope = positive_part / jnp.where(positive, e, 1.0)
        # The first derivative exists also where principal strains coincide, unlike that of the directions.
        return e + contract(slope, strain - fixed), slope
