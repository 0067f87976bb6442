r"""Isotropic damage with exponential softening."""

from __future__ import annotations

from typing import Any, NamedTuple, final

import jax
import jax.numpy as jnp
import numpy as np

from scalebridge.material.kinematics import SMALL_STRAIN, Kinematics
from scalebridge.material.laws.deviators import (
    UNIT,
    contract,
    isotropic_tangent,
    require,
    require_elastic,
    split,
)
from scalebridge.material.laws.equivalent_strain import AbstractEquivalentStrain, EnergyNorm
from scalebridge.material.laws.point import AbstractPointLaw, PointUpdate, parameter


class DamageState(NamedTuple):
    """largest: the largest equivalent strain so far (0 before any loading); damage: d, from 0 to 1."""

    largest: Any
    damage: Any


@final
class IsotropicDamage(AbstractPointLaw):
    r"""sigma = (1 - d) C : eps,   d = 1 - k0/k exp(-(k - k0)/w),   k = max(k0, largest equivalent strain so far).

    Parameters: bulk, shear in Pa; threshold k0 > 0, the strain at which damage begins; softening w > 0, the strain over
    which the stress then falls: uniaxial tension gives sigma = E k0 exp(-(eps - k0)/w), and dissipates E k0 (k0/2 + w)
    per volume in all; equivalent: how a strain becomes a number. State: k and d. The step is exact: nothing is
    integrated, nothing can fail [peerlings1996].

    stored = (1 - d) eps : C : eps/2; dissipated = k0/2 ((k_0 + 2 w) x_0 - (k_1 + 2 w) x_1) eps : C : eps/e^2, with
    x = exp(-(k - k0)/w) and e the equivalent strain at the end of the step: >= 0, and the exact integral of
    eps : C : eps/2 d' for the energy norm, and for any norm when eps keeps its direction. sigma_1 : Delta eps differs
    from stored plus dissipated by a term of second order, of either sign, because the law softens.

    The tangent, in closed form, is (1 - d) C - d' (C : eps) (x) de/deps: symmetric for the energy norm only, and not
    positive while damage grows.
    """

    bulk: np.ndarray = parameter()
    shear: np.ndarray = parameter()
    threshold: np.ndarray = parameter()
    softening: np.ndarray = parameter()
    equivalent: AbstractEquivalentStrain = EnergyNorm()

    def __check_init__(self) -> None:
        require_elastic(self, self.bulk, self.shear)
        require(self, "a threshold strain > 0", self.threshold, self.threshold > 0)
        require(self, "a softening strain > 0", self.softening, self.softening > 0)

    @property
    def kinematics(self) -> Kinematics:
        return SMALL_STRAIN

    @property
    def symmetric_tangent(self) -> bool:
        return self.equivalent.keeps_symmetry

    @property
    def warnings(self) -> tuple[str, ...]:
        return (
            "Damage softens without a length of its own: it localizes in one layer of voxels, and what is dissipated "
            "goes to zero with the voxel size. Results after the peak depend on the mesh.",
        )

    def virgin_state(self) -> DamageState:
        return DamageState(np.zeros(()), np.zeros(()))

    def update(self, state: Any, drive: jax.Array, dt: jax.Array) -> PointUpdate:
        return self._update(state, drive)[0]

    def update_with_tangent(
        self, state: Any, drive: jax.Array, dt: jax.Array
    ) -> tuple[PointUpdate, jax.Array]:
        update, elastic_stress, weakening = self._update(state, drive)
        tangent = (1 - update.state.damage) * isotropic_tangent(self.bulk, self.shear)
        return update, tangent - elastic_stress[:, None] * weakening[None, :]

    def _update(self, state: DamageState, strain: jax.Array) -> tuple[PointUpdate, Any, Any]:
        """The update, C : eps and the derivative of d with respect to the strain (6,)."""
        trace, deviator = split(strain)
        elastic_stress = self.bulk * trace * UNIT + 2 * self.shear * deviator
        young = 9 * self.bulk * self.shear / (3 * self.bulk + self.shear)
        e, slope = self.equivalent.of(strain, elastic_stress, young)
        before = jnp.maximum(state.largest, self.threshold)
        grows = e > before
        largest = jnp.where(grows, e, before)
        left_before, left = (jnp.exp(-(k - self.threshold) / self.softening) for k in (before, largest))
        damage = jnp.where(grows, 1 - self.threshold / largest * left, state.damage)
        weakening = jnp.where(
            grows, self.threshold / largest * left * (1 / largest + 1 / self.softening), 0.0
        )
        energy = contract(strain, elastic_stress) / 2
        released = (before + 2 * self.softening) * left_before - (largest + 2 * self.softening) * left
        dissipated = jnp.where(grows, energy / jnp.where(grows, e, 1.0) ** 2 * self.threshold * released, 0.0)
        update = PointUpdate(
            (1 - damage) * elastic_stress, DamageState(largest, damage), (1 - damage) * energy, dissipated
        )
        return update, elastic_stress, weakening * slope
