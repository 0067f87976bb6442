r"""Norton's power-law creep of an isotropic solid at small strain."""

from __future__ import annotations

from typing import Any, NamedTuple, final

import jax
import numpy as np

from scalebridge.material.kinematics import SMALL_STRAIN, Kinematics
from scalebridge.material.laws.deviators import (
    ROOT_THREE_HALVES,
    UNIT,
    contract,
    isotropic_tangent,
    length,
    require,
    require_elastic,
    split,
)
from scalebridge.material.laws.point import AbstractPointLaw, PointUpdate, parameter
from scalebridge.material.laws.power_law import remaining_share, safe_log


class CreepState(NamedTuple):
    """creep_strain (6,) Mandel, accumulated: the integral of the equivalent creep rate."""

    creep_strain: Any
    accumulated: Any


class _Relaxation(NamedTuple):
    """left: of the trial deviator; lost = 1 - left; size: |trial|; direction (6,): of the trial."""

    update: PointUpdate
    left: Any
    lost: Any
    direction: Any


@final
class NortonCreep(AbstractPointLaw):
    r"""sigma = K tr(eps) 1 + 2 G dev(eps - eps_c),   eps_c' = 3/2 rate (q/stress)^n s/q,   q = sqrt(3/2) |s|.

    Parameters: bulk, shear, stress in Pa; rate in 1/s, the equivalent creep rate at q = stress; exponent n, 1 to 200.
    State: creep strain (6,), accumulated creep. Backward Euler [simo1998]: q_trial shrinks to r q_trial, r + c r^n = 1,
    c = 3 G dt rate/stress (q_trial/stress)^(n-1), solved in logarithms, so that neither a large exponent nor a large
    dt can overflow or fail. First order in dt: under constant strain, steps should be shorter than stress/(3 G rate n).

    stored = K tr^2/2 + s : s/(4 G); dissipated = q Delta eps_eq = s_1 : Delta eps_c >= 0; then sigma_1 : Delta eps >=
    Delta stored + dissipated, with a gap of second order. The tangent, in closed form, is symmetric and positive.
    dt = 0 is elastic. Secondary creep only: no primary stage, no damage, no threshold.
    """

    bulk: np.ndarray = parameter()
    shear: np.ndarray = parameter()
    rate: np.ndarray = parameter()
    stress: np.ndarray = parameter()
    exponent: np.ndarray = parameter()

    def __check_init__(self) -> None:
        require_elastic(self, self.bulk, self.shear)
        require(self, "a rate > 0", self.rate, self.rate > 0)
        require(self, "a reference stress > 0", self.stress, self.stress > 0)
        require(
            self, "an exponent from 1 to 200", self.exponent, (self.exponent >= 1) & (self.exponent <= 200)
        )

    @property
    def kinematics(self) -> Kinematics:
        return SMALL_STRAIN

    def virgin_state(self) -> CreepState:
        return CreepState(np.zeros(6), np.zeros(()))

    def update(self, state: Any, drive: jax.Array, dt: jax.Array) -> PointUpdate:
        return self._relax(state, drive, dt).update

    def update_with_tangent(
        self, state: Any, drive: jax.Array, dt: jax.Array
    ) -> tuple[PointUpdate, jax.Array]:
        done = self._relax(state, drive, dt)
        # d(r q)/dq = r / (r + n (1 - r)) along the stress, r across it.
        along = done.left / (done.left + self.exponent * done.lost) - done.left
        tangent = isotropic_tangent(self.bulk, self.shear * done.left, 2 * self.shear * along, done.direction)
        return done.update, tangent

    def _relax(self, state: CreepState, strain: jax.Array, dt: Any) -> _Relaxation:
        trace, deviator = split(strain - state.creep_strain)
        size = length(deviator)
        log_trial = safe_log(2 * ROOT_THREE_HALVES * self.shear * size / self.stress)
        log_c = safe_log(3 * self.shear * self.rate / self.stress * dt) + (self.exponent - 1) * log_trial
        left, lost = remaining_share(log_c, self.exponent)
        kept = left * deviator
        stress = 2 * self.shear * kept + self.bulk * trace * UNIT
        creep = state.creep_strain + lost * deviator
        accumulated = state.accumulated + lost * size / ROOT_THREE_HALVES
        stored = self.bulk * trace**2 / 2 + self.shear * contract(kept, kept)
        dissipated = 2 * self.shear * left * lost * size**2
        update = PointUpdate(stress, CreepState(creep, accumulated), stored, dissipated)
        return _Relaxation(update, left, lost, deviator / jax.numpy.where(size > 0, size, 1.0))
