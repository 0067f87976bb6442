r"""Kinematic hardening: how the centre X of the yield surface moves with the plastic strain.

    X' = 2/3 C epsilon_p' - gamma X alpha',        alpha' = sqrt(2/3) |epsilon_p'|

gamma = 0: Prager's linear rule, X = 2/3 C epsilon_p; otherwise Armstrong and Frederick's, whose uniaxial backstress
saturates at C / gamma [frederick2007]. Both store 3/(4 C) X : X. Backward Euler, with theta = 1/(1 + gamma Delta):
X_1 = theta (X_0 + sqrt(2/3) C Delta n), and n is the direction of s_trial - theta X_0: one scalar equation for Delta.
"""

from __future__ import annotations

import abc
from typing import Any, NamedTuple, final

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from scalebridge.material.laws.deviators import ROOT_THREE_HALVES, ROOT_TWO_THIRDS, contract, require
from scalebridge.material.laws.hardening import AbstractHardening
from scalebridge.material.laws.point import parameter


class TrialStep(NamedTuple):
    """What the elastic trial of one point leaves to the return mapping; excess > 0 (made up where nothing yields).

    relative (6,): trial deviator minus X_0; center (6,): X_0; excess: trial equivalent stress minus yield stress.
    """

    relative: Any
    center: Any
    excess: Any
    accumulated: Any
    shear: Any


class AbstractBackstress(eqx.Module):
    """The moving centre of the yield surface; the defaults are those of a linear rule."""

    @property
    @abc.abstractmethod
    def stiffness(self) -> Any:
        """C in Pa."""

    @property
    def keeps_symmetry(self) -> bool:
        """Whether the consistent tangent stays symmetric."""
        return True

    def virgin_state(self) -> Any:
        """What has to be remembered besides the plastic strain."""
        return ()

    @abc.abstractmethod
    def center(self, remembered: Any, plastic_strain: jax.Array) -> Any:
        """X (6,) in Pa at the start of the step."""

    def increment(self, step: TrialStep, hardening: AbstractHardening) -> tuple[Any, Any]:
        """(Delta, failed): the increment of the accumulated plastic strain."""
        return hardening.increment(step.excess, step.accumulated, 3 * step.shear + self.stiffness)

    def relative(self, step: TrialStep, increment: Any) -> Any:
        """Trial deviator minus theta X_0 (6,): it points along the plastic flow."""
        return step.relative

    @abc.abstractmethod
    def moved(self, step: TrialStep, increment: Any, direction: Any) -> Any:
        """X (6,) at the end of the step."""

    def remember(self, center: Any) -> Any:
        """The state that `virgin_state` began."""
        return ()

    @abc.abstractmethod
    def energy(self, center: Any) -> Any:
        """3/(4 C) X : X, J/m^3."""

    def recovery(self, center: Any) -> Any:
        """What the recall term dissipates per unit of alpha, J/m^3: 3 gamma/(2 C) X : X."""
        return 0.0

    def resistance(self, step: TrialStep, increment: Any, direction: Any) -> Any:
        """What the centre adds to minus the slope of the scalar equation, Pa."""
        return self.stiffness

    def turn(self, step: TrialStep, increment: Any, direction: Any) -> Any | None:
        """d(s_trial - theta X_0)/d Delta across the direction (6,); None where the direction is the trial one."""
        return None


@final
class NoBackstress(AbstractBackstress):
    """The yield surface stays where it is: X = 0."""

    @property
    def stiffness(self) -> Any:
        return 0.0

    def center(self, remembered: Any, plastic_strain: jax.Array) -> Any:
        return 0.0

    def moved(self, step: TrialStep, increment: Any, direction: Any) -> Any:
        return 0.0

    def energy(self, center: Any) -> Any:
        return 0.0


@final
class PragerBackstress(AbstractBackstress):
    """X = 2/3 C epsilon_p: the uniaxial curve hardens with C, and yields again after unloading by 2 sigma_y."""

    modulus: np.ndarray = parameter()

    def __check_init__(self) -> None:
        require(self, "a modulus > 0", self.modulus, self.modulus > 0)

    @property
    def stiffness(self) -> Any:
        return self.modulus

    def center(self, remembered: Any, plastic_strain: jax.Array) -> Any:
        return 2 / 3 * self.modulus * plastic_strain

    def moved(self, step: TrialStep, increment: Any, direction: Any) -> Any:
        return step.center + ROOT_TWO_THIRDS * self.modulus * increment * direction

    def energy(self, center: Any) -> Any:
        return 0.75 / self.modulus * contract(center, center)


_STEPS = 8
_TOLERANCE = 1e-9  # of the excess stress: beyond it the step counts as failed; round-off is far below


@final
class ArmstrongFrederickBackstress(AbstractBackstress):
    r"""X' = 2/3 C epsilon_p' - gamma X alpha', C = modulus > 0 in Pa, gamma = recall >= 0.

    The scalar equation falls and is convex in Delta as long as sqrt(3/2) |X_0| <= C / gamma, which the update keeps:
    Newton's method climbs to the root from the left, from a start with the isotropic hardening solved exactly. Eight
    steps suffice up to C = 100 times 3 G; should they not, the step says `failed`. The consistent tangent is not
    symmetric: the flow direction turns with the increment.
    """

    modulus: np.ndarray = parameter()
    recall: np.ndarray = parameter()

    def __check_init__(self) -> None:
        require(self, "a modulus > 0", self.modulus, self.modulus > 0)
        require(self, "a recall >= 0", self.recall, self.recall >= 0)

    @property
    def stiffness(self) -> Any:
        return self.modulus

    @property
    def keeps_symmetry(self) -> bool:
        return False

    def virgin_state(self) -> Any:
        return np.zeros(6)

    def center(self, remembered: Any, plastic_strain: jax.Array) -> Any:
        return remembered

    def _kept(self, increment: Any) -> Any:
        return 1 / (1 + self.recall * increment)

    def increment(self, step: TrialStep, hardening: AbstractHardening) -> tuple[Any, Any]:
        """Only three products of d = s_trial - X_0 and X_0 enter: the iteration is on scalars."""
        dd = contract(step.relative, step.relative)
        dx = contract(step.relative, step.center)
        xx = contract(step.center, step.center)
        safe_dd = jnp.where(dd > 0, dd, 1.0)
        trial = ROOT_THREE_HALVES * jnp.sqrt(safe_dd)
        yield_stress = trial - step.excess
        before = hardening.stress(step.accumulated)

        def equation(delta: Any) -> tuple[Any, Any]:
            """The overstress left at Delta, and minus its slope."""
            kept = self._kept(delta)
            lost = self.recall * delta * kept
            size = jnp.sqrt(safe_dd + lost * (2 * dx + lost * xx))
            grown = hardening.stress(step.accumulated + delta) - before
            value = (
                ROOT_THREE_HALVES * size
                - (3 * step.shear + self.modulus * kept) * delta
                - yield_stress
                - grown
            )
            turning = ROOT_THREE_HALVES * self.recall * kept**2 * (dx + lost * xx) / size
            slope = 3 * step.shear + self.modulus * kept**2 - turning
            return value, slope + hardening.slope(step.accumulated + delta)

        first = 3 * step.shear + self.modulus - 1.5 * self.recall * dx / trial
        delta, failed = hardening.increment(step.excess, step.accumulated, first)

        def climb(_: Any, delta: Any) -> Any:
            value, slope = equation(delta)
            return delta + value / slope

        # A loop, not unrolled: XLA would fuse the steps into one expression and repeat the earlier in the later ones.
        delta = jax.lax.stop_gradient(jax.lax.fori_loop(0, _STEPS, climb, jax.lax.stop_gradient(delta)))
        value, slope = equation(delta)
        failed = failed | ~(jnp.abs(value) <= _TOLERANCE * (step.excess + yield_stress))
        return delta + value / jax.lax.stop_gradient(slope), failed

    def relative(self, step: TrialStep, increment: Any) -> Any:
        return step.relative + self.recall * increment * self._kept(increment) * step.center

    def moved(self, step: TrialStep, increment: Any, direction: Any) -> Any:
        return self._kept(increment) * (step.center + ROOT_TWO_THIRDS * self.modulus * increment * direction)

    def remember(self, center: Any) -> Any:
        return center

    def energy(self, center: Any) -> Any:
        return 0.75 / self.modulus * contract(center, center)

    def recovery(self, center: Any) -> Any:
        return 1.5 * self.recall / self.modulus * contract(center, center)

    def resistance(self, step: TrialStep, increment: Any, direction: Any) -> Any:
        kept = self._kept(increment)
        return kept**2 * (self.modulus - ROOT_THREE_HALVES * self.recall * contract(direction, step.center))

    def turn(self, step: TrialStep, increment: Any, direction: Any) -> Any | None:
        across = step.center - contract(direction, step.center) * direction
        return self.recall * self._kept(increment) ** 2 * across
