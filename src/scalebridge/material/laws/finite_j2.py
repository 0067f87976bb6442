r"""J2 plasticity at finite strain: F = F_e F_p, and the small-strain return mapping on logarithmic strains."""

from __future__ import annotations

from typing import Any, NamedTuple, final

import jax
import jax.numpy as jnp
import numpy as np

from scalebridge.material.kinematics import FINITE_STRAIN, Kinematics
from scalebridge.material.laws.deviators import ROOT_THREE_HALVES, ROOT_TWO_THIRDS, require, require_elastic
from scalebridge.material.laws.hardening import AbstractHardening, NoHardening
from scalebridge.material.laws.point import AbstractPointLaw, PointUpdate, parameter
from scalebridge.numerics.isotropic_functions import symmetric_exp, symmetric_log
from scalebridge.numerics.point_tensors import determinant, inverse, product


class FiniteJ2State(NamedTuple):
    """inverse_plastic_metric (3, 3): C_p^-1 = F_p^-1 F_p^-T, of determinant 1; accumulated: alpha."""

    inverse_plastic_metric: Any
    accumulated: Any


@final
class FiniteJ2Plasticity(AbstractPointLaw):
    r"""psi = K (ln J)^2/2 + G |dev eps_e|^2 + integral of R, eps_e = ln(F C_p^-1 F^T)/2, |tau|: sigma_y + R(alpha).

    Parameters: bulk K, shear G, yield_stress sigma_y > 0 in Pa (of the Kirchhoff stress tau); isotropic hardening R.
    State: C_p^-1 (3, 3), alpha: nothing in it turns when the body is turned, so that the law is objective.
    The trial b_e = F C_p^-1 F^T has the eigenvectors of the result; on its logarithmic strain the return mapping is
    that of small strain, and the exponential map keeps det F_p = 1 [simo1992]. Flux: P = tau F^-T.

    stored: psi; dissipated = sigma_y Delta alpha >= 0, per reference volume. P : Delta F differs from their sum by a
    term of second order, of either sign. The tangent is the exact derivative, through the logarithm, also where
    principal stretches coincide; it has the major symmetry, which perfect plasticity and any of the hardenings keep
    (dtau/deps_e is symmetric, and P is the derivative of the incremental potential). Elasticity is Hencky's: not
    polyconvex, meant for moderate elastic strains (metals); plastic strains may be of any size. No kinematic hardening.
    Fails when: det F <= 0, or stretches beyond what floats hold (`failed`).
    """

    bulk: np.ndarray = parameter()
    shear: np.ndarray = parameter()
    yield_stress: np.ndarray = parameter()
    hardening: AbstractHardening = NoHardening()

    def __check_init__(self) -> None:
        require_elastic(self, self.bulk, self.shear)
        require(self, "a yield stress > 0", self.yield_stress, self.yield_stress > 0)

    @property
    def kinematics(self) -> Kinematics:
        return FINITE_STRAIN

    def virgin_state(self) -> FiniteJ2State:
        return FiniteJ2State(np.eye(3), np.zeros(()))

    def update(self, state: Any, drive: jax.Array, dt: jax.Array) -> PointUpdate:
        gradient = drive.reshape(3, 3)
        possible = determinant(gradient) > 0
        gradient = jnp.where(possible, gradient, jnp.eye(3))
        inverse_gradient = inverse(gradient)
        trial = symmetric_log(product(product(gradient, state.inverse_plastic_metric), gradient.T)) / 2
        trace = jnp.log(determinant(gradient))
        deviator = trial - jnp.trace(trial) / 3 * jnp.eye(3)
        square = jnp.sum(deviator * deviator)
        moving = square > 0
        size = jnp.where(moving, jnp.sqrt(jnp.where(moving, square, 1.0)), 0.0)
        excess = (
            2 * ROOT_THREE_HALVES * self.shear * size
            - self.yield_stress
            - self.hardening.stress(state.accumulated)
        )
        yields = excess > 0
        increment, failed = self.hardening.increment(
            jnp.where(yields, excess, self.yield_stress), state.accumulated, 3 * self.shear
        )
        delta = jnp.where(yields, increment, 0.0)
        accumulated = state.accumulated + delta
        radius = ROOT_TWO_THIRDS * (self.yield_stress + self.hardening.stress(accumulated)) / (2 * self.shear)
        # What is left of the deviator, written so that it lies on the yield surface whatever the size of the step.
        elastic = deviator * jnp.where(yields, radius / jnp.where(yields, size, 1.0), 1.0)
        kirchhoff = self.bulk * trace * jnp.eye(3) + 2 * self.shear * elastic
        metric = product(
            product(inverse_gradient, symmetric_exp(2 * (elastic + trace / 3 * jnp.eye(3)))),
            inverse_gradient.T,
        )
        metric = metric / jnp.cbrt(determinant(metric))  # round-off would add up over many steps
        usable = jnp.all(jnp.isfinite(metric))
        metric = jnp.where(yields & usable, metric, state.inverse_plastic_metric)
        stored = (
            self.bulk * trace**2 / 2
            + self.shear * jnp.sum(elastic * elastic)
            + self.hardening.energy(accumulated)
        )
        flux = product(kirchhoff, inverse_gradient.T).reshape(9)
        new = FiniteJ2State(metric, accumulated)
        return PointUpdate(
            flux, new, stored, self.yield_stress * delta, ~possible | (yields & (failed | ~usable))
        )
