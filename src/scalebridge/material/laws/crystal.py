r"""Viscoplastic slip of a single fcc crystal at small strain."""

from __future__ import annotations

from typing import Any, NamedTuple, final

import jax
import jax.numpy as jnp
import numpy as np

from scalebridge.material.kinematics import SMALL_STRAIN, Kinematics
from scalebridge.material.laws.deviators import UNIT, contract, require
from scalebridge.material.laws.point import AbstractPointLaw, PointUpdate, parameter
from scalebridge.material.laws.power_law import remaining_share, safe_log
from scalebridge.material.laws.slip_systems import (
    CUBIC_DEVIATORS,
    octahedral_systems,
    schmid_tensors,
    turned_mandel,
)
from scalebridge.numerics.dense_elimination import solve_dense

_SCHMID = schmid_tensors(*octahedral_systems()) @ CUBIC_DEVIATORS.T  # (12, 5)
_TOLERANCE = 1e-11  # of the elastic trial strain; the last Newton step brings it to round-off
_MOST_STEPS = 150
_PASSES = 2
_GROWTH = 3.0
_SHORTEST = 2.0**-30


class CrystalState(NamedTuple):
    """plastic_strain (6,) Mandel, in the axes of the sample; slips (12,): accumulated |gamma| of each system."""

    plastic_strain: Any
    slips: Any


class _Point(NamedTuple):
    """The two residuals at a stress (5,) and resistances (12,), and what Newton's step needs of their slopes."""

    strain: Any  # (5,) residual: elastic + plastic - trial strain
    resistance: Any  # (12,) residual, Pa
    slip: Any  # (12,) increments, signed
    stress_slope: Any  # (12,) d slip / d resolved stress
    resistance_slope: Any  # (12,) -d |slip| / d resistance
    hardening_slope: Any  # (12,) Q b exp(-b nu)


@final
class CubicCrystal(AbstractPointLaw):
    r"""gamma_a' = rate |tau_a/g_a|^n sgn tau_a,   g_a = g0 + Q sum_b h_ab (1 - exp(-b nu_b)),   nu_a' = |gamma_a'|.

    Twelve systems {111}<110>, tau_a = sigma : sym(m_a (x) n_a), eps_p' = sum of gamma_a' sym(m_a (x) n_a); cubic
    elasticity. h_aa = 1, h_ab = latent: Voce hardening of each system by itself and by the others, as in [meric1991],
    with the power law of slip of [peirce1983], which has no threshold.
    Parameters: C11, C12, C44, resistance g0 > 0, saturation Q >= 0 in Pa; hardening_rate b >= 0; latent 0 to 1.4;
    rate in 1/s; exponent n, 1 to 100; orientation (3, 3), which takes crystal axes to those of the sample: a parameter,
    so that grains can be stacked. State: plastic strain (sample axes), accumulated slip of each system.

    Backward Euler; unknown are the five deviatoric stresses and the twelve resistances, eliminated in each Newton step;
    the start is the energetically best point on the ray of the trial stress, steps that do not help are halved. The
    tangent is in closed form; it is symmetric only where nothing hardens.
    stored: elastic; dissipated = sum of tau_a Delta gamma_a >= 0: hardening counts as heat. Then sigma_1 : Delta eps >=
    Delta stored + dissipated, with a gap of second order. dt = 0 is elastic. Small strain: lattice rotation is ignored.
    Fails when: Newton's method does not converge within 150 evaluations (`failed`; cut the step).
    """

    C11: np.ndarray = parameter()
    C12: np.ndarray = parameter()
    C44: np.ndarray = parameter()
    resistance: np.ndarray = parameter()
    saturation: np.ndarray = parameter()
    hardening_rate: np.ndarray = parameter()
    rate: np.ndarray = parameter()
    exponent: np.ndarray = parameter()
    latent: np.ndarray = parameter(default=1.0)
    orientation: np.ndarray = parameter(default=((1, 0, 0), (0, 1, 0), (0, 0, 1)))

    def __check_init__(self) -> None:
        stable = (np.abs(self.C12) < self.C11) & (self.C11 + 2 * self.C12 > 0) & (self.C44 > 0)
        elastic = [self.C11, self.C12, self.C44]
        require(self, "a stable cubic stiffness C11, C12, C44", np.broadcast_arrays(*elastic), stable)
        require(self, "a resistance > 0", self.resistance, self.resistance > 0)
        require(self, "a saturation >= 0", self.saturation, self.saturation >= 0)
        require(self, "a hardening rate >= 0", self.hardening_rate, self.hardening_rate >= 0)
        require(self, "a slip rate > 0", self.rate, self.rate > 0)
        require(
            self, "an exponent from 1 to 100", self.exponent, (self.exponent >= 1) & (self.exponent <= 100)
        )
        require(
            self, "a latent hardening from 0 to 1.4", self.latent, (self.latent >= 0) & (self.latent <= 1.4)
        )
        turned = self.orientation
        proper = turned.shape[-2:] == (3, 3)
        proper = proper and np.allclose(turned @ np.swapaxes(turned, -1, -2), np.eye(3), atol=1e-8)
        proper = proper and bool(np.all(np.linalg.det(turned) > 0))
        require(self, "a rotation matrix (3, 3) as orientation", turned, proper)

    @property
    def kinematics(self) -> Kinematics:
        return SMALL_STRAIN

    @property
    def symmetric_tangent(self) -> bool:
        return False

    def virgin_state(self) -> CrystalState:
        return CrystalState(np.zeros(6), np.zeros(len(_SCHMID)))

    def update(self, state: Any, drive: jax.Array, dt: jax.Array) -> PointUpdate:
        return self._update(state, drive, dt)[0]

    def update_with_tangent(
        self, state: Any, drive: jax.Array, dt: jax.Array
    ) -> tuple[PointUpdate, jax.Array]:
        update, point, basis = self._update(state, drive, dt)
        inverse = solve_dense(self._matrix(point), jnp.eye(5))
        bulk = (self.C11 + 2 * self.C12) / 3
        return update, basis.T @ inverse @ basis + bulk * np.outer(UNIT, UNIT)

    def _update(
        self, state: CrystalState, strain: jax.Array, dt: Any
    ) -> tuple[PointUpdate, _Point, jax.Array]:
        """The update, the converged point and the basis (5, 6) of deviators in sample axes."""
        basis = jnp.asarray(CUBIC_DEVIATORS) @ turned_mandel(self.orientation).T
        trial = basis @ (strain - state.plastic_strain)
        trace = strain[0] + strain[1] + strain[2]
        frozen, slips, fixed_trial, fixed_dt = jax.lax.stop_gradient((self, state.slips, trial, dt))
        stress, resistance, converged = frozen._solve(slips, fixed_trial, fixed_dt)
        stress, resistance = jax.lax.stop_gradient((stress, resistance))
        # One more Newton step, residuals with live arguments and a fixed matrix: it carries all derivatives.
        live = self._evaluate(state.slips, trial, dt, stress, resistance)
        fixed = jax.lax.stop_gradient(live)
        step, resistance_step = frozen._newton_step(fixed, live.strain, live.resistance)
        stress = stress + jnp.where(converged, step, 0.0)
        resistance = resistance + jnp.where(converged, resistance_step, 0.0)
        point = self._evaluate(state.slips, trial, dt, stress, resistance)
        plastic = trial - self._compliance() * stress
        bulk = (self.C11 + 2 * self.C12) / 3
        stored = contract(self._compliance() * stress, stress) / 2 + bulk * trace**2 / 2
        dissipated = contract(_SCHMID @ stress, point.slip)
        new = CrystalState(state.plastic_strain + basis.T @ plastic, state.slips + jnp.abs(point.slip))
        flux = basis.T @ stress + bulk * trace * UNIT
        return PointUpdate(flux, new, stored, dissipated, ~converged), point, basis

    def _compliance(self) -> jax.Array:
        """Of the five deviators (5,)."""
        shear = 1 / (2 * self.C44)
        tetragonal = 1 / (self.C11 - self.C12)
        return jnp.stack([tetragonal, tetragonal, shear, shear, shear])

    def _resistances(self, slips: Any) -> Any:
        grown = -jnp.expm1(-self.hardening_rate * slips)
        return self.resistance + self.saturation * ((1 - self.latent) * grown + self.latent * jnp.sum(grown))

    def _evaluate(self, slips: Any, trial: Any, dt: Any, stress: Any, resistance: Any) -> _Point:
        resolved = _SCHMID @ stress
        ratio = resolved / resistance
        # |ratio|^(n - 1), a zero ratio included.
        power = self.rate * dt * jnp.exp((self.exponent - 1) * safe_log(jnp.abs(ratio)))
        slip = power * ratio
        slope = self.exponent * power / resistance
        after = slips + jnp.abs(slip)
        return _Point(
            strain=self._compliance() * stress + slip @ _SCHMID - trial,
            resistance=resistance - self._resistances(after),
            slip=slip,
            stress_slope=slope,
            resistance_slope=slope * jnp.abs(ratio),
            hardening_slope=self.saturation * self.hardening_rate * jnp.exp(-self.hardening_rate * after),
        )

    def _eliminated(self, point: _Point) -> tuple[Any, Any, Any]:
        r"""How d|slip| follows from d stress once the resistances are eliminated: with z = sgn(slip) a d tau + k rho
        (rho the residual of the resistances), d|slip| = m (z - k latent f . z): the vectors m, m k latent and f."""
        own = 1 + (1 - self.latent) * point.resistance_slope * point.hardening_slope
        m = 1 / jnp.where(own == 0, 1.0, own)
        weighted = point.hardening_slope * m
        return (
            m,
            m * point.resistance_slope * self.latent,
            weighted / (1 + self.latent * contract(weighted, point.resistance_slope)),
        )

    def _matrix(self, point: _Point) -> jax.Array:
        """d strain residual / d stress (5, 5), the resistances following."""
        m, coupled, follows = self._eliminated(point)
        sign = jnp.sign(point.slip)
        own = (m * point.stress_slope)[:, None] * _SCHMID
        mixed = jnp.outer((sign * coupled) @ _SCHMID, (follows * sign * point.stress_slope) @ _SCHMID)
        return jnp.diag(self._compliance()) + _SCHMID.T @ own - mixed

    def _newton_step(self, point: _Point, strain: Any, resistance: Any) -> tuple[Any, Any]:
        """Newton's step (5,), (12,) for these residuals: linear in them."""
        m, coupled, follows = self._eliminated(point)
        sign = jnp.sign(point.slip)
        driven = point.resistance_slope * resistance
        right = strain + (sign * (m * driven - coupled * contract(follows, driven))) @ _SCHMID
        step = -solve_dense(self._matrix(point), right)
        z = sign * point.stress_slope * (_SCHMID @ step) + driven
        common = contract(follows, z)
        slips = m * z - coupled * common
        hardened = (1 - self.latent) * point.hardening_slope * slips + self.latent * common
        return step, hardened - resistance

    def _solve(self, slips: Any, trial: Any, dt: Any) -> tuple[Any, Any, Any]:
        """(stress (5,), resistances (12,), converged): Newton's method with halving."""
        compliance = self._compliance()
        scale = jnp.sqrt(contract(trial, trial))
        elastic = trial / compliance
        energy = contract(trial, elastic)
        driven = jnp.abs(_SCHMID @ elastic)
        largest = jnp.max(driven)
        relative = driven / jnp.where(largest > 0, largest, 1.0)

        def best_on_ray(resistance: Any) -> Any:
            """The s at which s times the elastic trial has the least incremental energy: 1 - s = c s^n."""
            lowest = jnp.min(resistance)
            power = jnp.sum(lowest * (relative * (lowest / resistance)) ** self.exponent * relative)
            log_c = (
                safe_log(self.rate * dt)
                + safe_log(power)
                + (self.exponent + 1) * safe_log(largest / lowest)
                - safe_log(energy / lowest)
            )
            return remaining_share(jnp.where(energy > 0, log_c, 0.0), self.exponent)[0]

        def harden(_: Any, resistance: Any) -> Any:
            start = elastic * best_on_ray(resistance)
            slip = self._evaluate(slips, trial, dt, start, resistance).slip
            return self._resistances(slips + jnp.abs(slip))

        resistance = jax.lax.fori_loop(0, _PASSES, harden, self._resistances(slips))
        start = elastic * best_on_ray(resistance)
        # Beyond this ratio of stress and resistance slip would be far faster than the step asks for.
        usual = jnp.max(jnp.abs(_SCHMID @ start) / resistance)

        def measure(stress: Any, resistance: Any) -> tuple[Any, Any, Any, Any]:
            """How far from a solution (a strain), the step towards it, and how much of it to try."""
            point = self._evaluate(slips, trial, dt, stress, resistance)
            step, resistance_step = self._newton_step(point, point.strain, point.resistance)
            off = jnp.sqrt(
                contract(point.strain, point.strain)
                + contract(point.resistance, point.resistance) * compliance[2] ** 2
            )
            defined = jnp.isfinite(off) & jnp.all(jnp.isfinite(step)) & jnp.all(jnp.isfinite(resistance_step))
            off = jnp.where(defined & jnp.all(resistance > 0), off, jnp.inf)
            before = jnp.abs(_SCHMID @ stress) / resistance
            after = jnp.abs(_SCHMID @ (stress + step)) / jnp.maximum(
                resistance + resistance_step, resistance / 4
            )
            limit = jnp.maximum(before, usual) * (1 + _GROWTH / self.exponent)
            beyond = after > limit
            part = jnp.min(jnp.where(beyond, (limit - before) / jnp.where(beyond, after - before, 1.0), 1.0))
            return off, step, resistance_step, part

        def unfinished(carry: Any) -> Any:
            _, _, off, _, _, part, steps = carry
            return (off > _TOLERANCE * scale) & (part > _SHORTEST) & (steps < _MOST_STEPS) & (off < jnp.inf)

        def advance(carry: Any) -> Any:
            *now, steps = carry
            stress, resistance, off, step, resistance_step, part = now
            tried, tried_resistance = stress + part * step, resistance + part * resistance_step
            new = (tried, tried_resistance, *measure(tried, tried_resistance))
            better = new[2] < (1 - 1e-4 * part) * off
            kept = (*now[:5], part / 2)
            return (*(jnp.where(better, a, b) for a, b in zip(new, kept, strict=True)), steps + 1)

        first = (start, resistance, *measure(start, resistance), jnp.zeros((), int))
        stress, resistance, off, *_ = jax.lax.while_loop(unfinished, advance, first)
        return stress, resistance, off <= _TOLERANCE * scale
