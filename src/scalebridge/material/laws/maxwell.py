r"""Linear viscoelasticity: an elastic solid in parallel with Maxwell branches, integrated exactly."""

from __future__ import annotations

from typing import Any, NamedTuple, final

import jax
import jax.numpy as jnp
import numpy as np

from scalebridge.material.kinematics import SMALL_STRAIN, Kinematics
from scalebridge.material.laws.deviators import UNIT, contract, isotropic_tangent, require, split
from scalebridge.material.laws.point import AbstractPointLaw, PointUpdate, parameter


class MaxwellState(NamedTuple):
    """strain (6,) at the end of the last step; stresses of the shear branches (n, 6), deviatoric, and of the bulk
    branches (m,), their mean stress."""

    strain: Any
    shear_stresses: Any
    bulk_stresses: Any


class _Step(NamedTuple):
    """Of branches with relaxation times tau within dt, x = dt / tau: all of shape (n,).

    kept: exp(-x); share: (1 - exp(-x)) / x, the part of a jump at constant rate that is left; own, mixed, new: what is
    dissipated, times twice the modulus, per h^2, h u and u^2 with h the stress before and u modulus times strain step.
    """

    kept: Any
    share: Any
    own: Any
    mixed: Any
    new: Any


def _step(times: Any, dt: Any) -> _Step:
    x = dt / times
    gone = -jnp.expm1(-x)
    tiny = x < 1e-8
    safe = jnp.where(tiny, 1.0, x)
    share = jnp.where(tiny, 1 - x / 2, gone / safe)
    # (x - gone - gone^2/2) / x^2 cancels at small x; its series is the sum of (2^(k-1) - 2)/k! (-1)^(k+1) x^(k-2).
    small = jnp.where(x < 0.03, x, 0.0)
    series = small * (1 / 3 - small * (1 / 4 - small * (7 / 60 - small * (1 / 24 - small * 31 / 2520))))
    safe = jnp.where(x < 0.03, 1.0, x)
    new = jnp.where(x < 0.03, series, (1 - (gone + gone**2 / 2) / safe) / safe)
    return _Step(jnp.exp(-x), share, gone - gone**2 / 2, gone * share, new)


@final
class GeneralizedMaxwell(AbstractPointLaw):
    r"""s = 2 G e + sum h_i,   h_i' = 2 G_i e' - h_i / tau_i,   likewise the mean stress with K, K_j: a Prony series.

    Parameters: bulk K > 0 and shear G >= 0, the moduli after a long time (G = 0: a fluid); shear_moduli G_i > 0 with
    shear_times tau_i > 0 (n,), bulk_moduli and bulk_times (m,); Pa and s. At once the solid answers with K + sum K_j
    and G + sum G_i. State: the strain, and one stress per branch.
    The step is exact for a strain rate that is constant within it, for any dt: h_1 = exp(-x) h_0 + 2 G_i (1 -
    exp(-x))/x Delta e, x = dt/tau_i [simo1998]. dt = 0 is a jump, and answers elastically.

    stored = K tr^2/2 + G e : e + sum h_i : h_i/(4 G_i) + sum p_j^2/(2 K_j); dissipated = integral over the step of
    h_i : h_i/(2 G_i tau_i) and of p_j^2/(K_j tau_j), exact, >= 0. Their sum is the integral of sigma : eps' exactly;
    sigma_1 : Delta eps differs from that by a term of second order, of either sign. The tangent is symmetric,
    positive, and depends on dt only. Nothing can fail.
    """

    bulk: np.ndarray = parameter()
    shear: np.ndarray = parameter()
    shear_moduli: np.ndarray = parameter(default=())
    shear_times: np.ndarray = parameter(default=())
    bulk_moduli: np.ndarray = parameter(default=())
    bulk_times: np.ndarray = parameter(default=())

    def __check_init__(self) -> None:
        require(self, "a bulk modulus > 0", self.bulk, self.bulk > 0)
        require(self, "a shear modulus >= 0", self.shear, self.shear >= 0)
        for kind in ("shear", "bulk"):
            moduli, times = getattr(self, f"{kind}_moduli"), getattr(self, f"{kind}_times")
            require(self, f"{kind} moduli > 0", moduli, moduli > 0)
            require(self, f"relaxation times > 0 ({kind})", times, times > 0)
            same = moduli.shape == times.shape and moduli.ndim > 0
            require(self, f"as many {kind} times as {kind} moduli, in lists", [len(np.ravel(moduli))], same)

    @property
    def kinematics(self) -> Kinematics:
        return SMALL_STRAIN

    def virgin_state(self) -> MaxwellState:
        n, m = self.shear_moduli.shape[-1], self.bulk_moduli.shape[-1]
        return MaxwellState(np.zeros(6), np.zeros((n, 6)), np.zeros(m))

    def update(self, state: Any, drive: jax.Array, dt: jax.Array) -> PointUpdate:
        return self._update(state, drive, _step(self.shear_times, dt), _step(self.bulk_times, dt))

    def update_with_tangent(
        self, state: Any, drive: jax.Array, dt: jax.Array
    ) -> tuple[PointUpdate, jax.Array]:
        in_shear, in_bulk = _step(self.shear_times, dt), _step(self.bulk_times, dt)
        bulk = self.bulk + jnp.sum(self.bulk_moduli * in_bulk.share)
        shear = self.shear + jnp.sum(self.shear_moduli * in_shear.share)
        return self._update(state, drive, in_shear, in_bulk), isotropic_tangent(bulk, shear)

    def _update(self, state: MaxwellState, strain: jax.Array, in_shear: _Step, in_bulk: _Step) -> PointUpdate:
        trace, deviator = split(strain)
        trace_step, deviator_step = split(strain - state.strain)
        h, u = state.shear_stresses, 2 * self.shear_moduli[:, None] * deviator_step
        p, v = state.bulk_stresses, self.bulk_moduli * trace_step
        shear_stresses = in_shear.kept[:, None] * h + in_shear.share[:, None] * u
        bulk_stresses = in_bulk.kept * p + in_bulk.share * v
        stress = (
            2 * self.shear * deviator
            + jnp.sum(shear_stresses, axis=0)
            + (self.bulk * trace + jnp.sum(bulk_stresses)) * UNIT
        )
        stored = (
            self.bulk * trace**2 / 2
            + self.shear * contract(deviator, deviator)
            + jnp.sum(shear_stresses**2 / (4 * self.shear_moduli[:, None]))
            + jnp.sum(bulk_stresses**2 / (2 * self.bulk_moduli))
        )
        lost_in_shear = (
            in_shear.own * jnp.sum(h * h, axis=1)
            + in_shear.mixed * jnp.sum(h * u, axis=1)
            + in_shear.new * jnp.sum(u * u, axis=1)
        )
        lost_in_bulk = in_bulk.own * p * p + in_bulk.mixed * p * v + in_bulk.new * v * v
        # Each is an integral of a square; round-off may leave it a hair below zero.
        dissipated = jnp.sum(jnp.maximum(lost_in_shear, 0.0) / (2 * self.shear_moduli)) + jnp.sum(
            jnp.maximum(lost_in_bulk, 0.0) / self.bulk_moduli
        )
        return PointUpdate(stress, MaxwellState(strain, shear_stresses, bulk_stresses), stored, dissipated)
