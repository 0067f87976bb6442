r"""J2 plasticity at small strain: von Mises yield, isotropic and kinematic hardening, radial return."""

from __future__ import annotations

from typing import Any, NamedTuple, final

import jax
import jax.numpy as jnp
import numpy as np

from scalebridge.material.kinematics import SMALL_STRAIN, Kinematics
from scalebridge.material.laws.backstress import AbstractBackstress, NoBackstress, TrialStep
from scalebridge.material.laws.deviators import (
    ROOT_THREE_HALVES,
    ROOT_TWO_THIRDS,
    contract,
    isotropic_tangent,
    length,
    require,
    require_elastic,
    split,
)
from scalebridge.material.laws.hardening import AbstractHardening, NoHardening
from scalebridge.material.laws.point import AbstractPointLaw, PointUpdate, parameter


class J2State(NamedTuple):
    """plastic_strain (6,) Mandel, accumulated: alpha, backstress: what the kinematic rule remembers."""

    plastic_strain: Any
    accumulated: Any
    backstress: Any


class _Return(NamedTuple):
    """One return mapping: where it ended and what its tangent needs."""

    update: PointUpdate
    step: TrialStep
    yields: Any
    increment: Any
    direction: Any
    size: Any


@final
class J2Plasticity(AbstractPointLaw):
    r"""sigma = K tr(eps) 1 + 2 G dev(eps - eps_p), |sigma|: sqrt(3/2) |s - X| <= sigma_y + R(alpha), associated flow.

    Parameters: bulk K, shear G, yield_stress sigma_y > 0 in Pa; hardening R(alpha); backstress X (none, Prager,
    Armstrong-Frederick). State: plastic strain (6,), alpha, X where it is not a function of the plastic strain.
    Backward Euler with the exact root of its scalar equation [simo1998], for a step of any size; without kinematic
    hardening or with Prager's the root has a closed form for perfect plasticity, linear and Voce hardening.

    stored = K tr^2/2 + s : s/(4 G) + integral of R + 3/(4 C) X : X, with all hardening counted as stored;
    dissipated = (sigma_y + 3 gamma/(2 C) X : X) Delta alpha >= 0, at the end of the step. Then
    sigma_1 : Delta eps >= Delta stored + dissipated, and the gap is of second order in the step.

    The consistent tangent is in closed form; symmetric, except with Armstrong-Frederick. It is singular (the direction
    of flow carries nothing more) in perfect plasticity. Independent of time: dt is not used.
    Fails when: a hardening given by the user, or extreme recall, leaves the scalar equation unsolved (`failed`).
    """

    bulk: np.ndarray = parameter()
    shear: np.ndarray = parameter()
    yield_stress: np.ndarray = parameter()
    hardening: AbstractHardening = NoHardening()
    backstress: AbstractBackstress = NoBackstress()

    def __check_init__(self) -> None:
        require_elastic(self, self.bulk, self.shear)
        require(self, "a yield stress > 0", self.yield_stress, self.yield_stress > 0)

    @property
    def kinematics(self) -> Kinematics:
        return SMALL_STRAIN

    @property
    def symmetric_tangent(self) -> bool:
        return self.backstress.keeps_symmetry

    def virgin_state(self) -> J2State:
        return J2State(np.zeros(6), np.zeros(()), self.backstress.virgin_state())

    def update(self, state: Any, drive: jax.Array, dt: jax.Array) -> PointUpdate:
        return self._return(state, drive).update

    def update_with_tangent(
        self, state: Any, drive: jax.Array, dt: jax.Array
    ) -> tuple[PointUpdate, jax.Array]:
        done = self._return(state, drive)
        step, delta, n = done.step, done.increment, done.direction
        alpha = done.update.state.accumulated
        # Minus the slope of the scalar equation: d Delta = sqrt(3/2) n : d s_trial / resistance.
        resistance = 3 * self.shear + self.hardening.slope(alpha) + self.backstress.resistance(step, delta, n)
        shrunk = 2 * self.shear * ROOT_THREE_HALVES * delta / done.size
        along = jnp.where(done.yields, shrunk - 3 * self.shear / resistance, 0.0)
        shrunk, along, n = jax.lax.optimization_barrier((shrunk, along, n))
        tangent = isotropic_tangent(self.bulk, self.shear * (1 - shrunk), 2 * self.shear * along, n)
        turn = self.backstress.turn(step, delta, n)
        if turn is not None:
            tangent -= (2 * self.shear * ROOT_THREE_HALVES * shrunk / resistance) * turn[:, None] * n[None, :]
        return done.update, tangent

    def _return(self, state: J2State, strain: jax.Array) -> _Return:
        trace, deviator = split(strain - state.plastic_strain)
        trial = 2 * self.shear * deviator
        center = self.backstress.center(state.backstress, state.plastic_strain)
        relative = trial - center
        reached = ROOT_THREE_HALVES * length(relative)
        excess = reached - self.yield_stress - self.hardening.stress(state.accumulated)
        yields = excess > 0
        # Where nothing yields the same equations are solved for an excess of no meaning, and left unused.
        step = TrialStep(
            relative, center, jnp.where(yields, excess, self.yield_stress), state.accumulated, self.shear
        )
        increment, failed = self.backstress.increment(step, self.hardening)
        # A barrier: without it XLA evaluates the increment again for every component of what follows.
        delta = jax.lax.optimization_barrier(jnp.where(yields, increment, 0.0))
        ahead = self.backstress.relative(step, delta)
        size = length(ahead)
        size = jnp.where(size > 0, size, 1.0)
        direction = ahead / size
        accumulated = state.accumulated + delta
        moved = self.backstress.moved(step, delta, direction)
        # On the yield surface by construction: the trial minus the plastic part would lose digits in large steps.
        radius = ROOT_TWO_THIRDS * (self.yield_stress + self.hardening.stress(accumulated))
        deviatoric = jnp.where(yields, moved + radius * direction, trial)
        stress = deviatoric + self.bulk * trace * jnp.array([1.0, 1.0, 1.0, 0.0, 0.0, 0.0])
        plastic = state.plastic_strain + ROOT_THREE_HALVES * delta * direction
        stored = (
            self.bulk * trace**2 / 2
            + contract(deviatoric, deviatoric) / (4 * self.shear)
            + self.hardening.energy(accumulated)
            + self.backstress.energy(moved)
        )
        dissipated = (self.yield_stress + self.backstress.recovery(moved)) * delta
        new = J2State(plastic, accumulated, self.backstress.remember(moved))
        update = PointUpdate(stress, new, stored, dissipated, yields & failed)
        return _Return(update, step, yields, delta, direction, size)
