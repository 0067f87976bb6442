"""Small-strain laws with a history against closed forms: J2 with its hardenings, Maxwell, Norton, damage."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numpy.testing import assert_allclose

from law_paths import curved_path, uniaxial_stress, walk
from scalebridge.core.errors import LawError
from scalebridge.material.laws.backstress import ArmstrongFrederickBackstress, NoBackstress, PragerBackstress
from scalebridge.material.laws.damage import IsotropicDamage
from scalebridge.material.laws.equivalent_strain import EnergyNorm, MazarsStrain
from scalebridge.material.laws.hardening import (
    LinearHardening,
    NoHardening,
    SumOfHardenings,
    VoceHardening,
    wright_omega,
)
from scalebridge.material.laws.j2 import J2Plasticity
from scalebridge.material.laws.maxwell import GeneralizedMaxwell
from scalebridge.material.laws.norton import NortonCreep
from scalebridge.material.laws.point import AbstractPointLaw
from scalebridge.material.laws.power_law import remaining_share

BULK, SHEAR, YIELD = 160.0, 80.0, 0.25  # GPa
YOUNG = 9 * BULK * SHEAR / (3 * BULK + SHEAR)
POISSON = YOUNG / (2 * SHEAR) - 1
DEVIATORIC = np.eye(6) - np.outer([1, 1, 1, 0, 0, 0], [1, 1, 1, 0, 0, 0]) / 3


def metal(hardening=None, backstress=None):
    return J2Plasticity(
        BULK,
        SHEAR,
        YIELD,
        NoHardening() if hardening is None else hardening,
        NoBackstress() if backstress is None else backstress,
    )


METALS = {
    "perfect": metal(),
    "linear": metal(LinearHardening(2.0)),
    "Voce": metal(VoceHardening(0.1, 40.0, 0.5)),
    "Prager": metal(backstress=PragerBackstress(5.0)),
    "Voce and Prager": metal(VoceHardening(0.1, 40.0, 0.5), PragerBackstress(5.0)),
    "two Voce terms": metal(SumOfHardenings((VoceHardening(0.1, 40.0), VoceHardening(0.05, 400.0)))),
    "Armstrong-Frederick": metal(VoceHardening(0.05, 40.0), ArmstrongFrederickBackstress(20.0, 200.0)),
}
RADIAL = [name for name in METALS if name != "Armstrong-Frederick"]
OTHERS = {
    "Maxwell": GeneralizedMaxwell(BULK, 20.0, [40.0, 20.0], [0.1, 3.0], [50.0], [0.5]),
    "Norton": NortonCreep(BULK, SHEAR, 1e-3, 0.2, 8.0),
    "damage by energy": IsotropicDamage(BULK, SHEAR, 1e-3, 4e-3),
    "damage by extension": IsotropicDamage(BULK, SHEAR, 1e-3, 4e-3, MazarsStrain()),
}
ALL = {**METALS, **OTHERS}
N = 40
"""Points of every batch, so that each law is compiled once."""


def hardening_of(law, alpha):
    with jax.enable_x64(True):
        return np.array([float(law.hardening.stress(jnp.asarray(a))) for a in np.ravel(alpha)])


def equivalent(stress):
    return np.sqrt(1.5) * np.linalg.norm(np.asarray(stress) @ DEVIATORIC, axis=-1)


# --- monotone curves -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", RADIAL)
def test_tension_follows_the_uniaxial_curve_in_steps_of_any_size(name):
    law = METALS[name]
    strains = np.array([1e-3, 2e-3, 3e-3, 0.02, 0.021, 0.3])
    if name == "perfect":
        strains = strains[:1]  # beyond, the tangent of a bar with free sides is singular: see the shear curve
    path = uniaxial_stress(law, strains)
    alpha = np.array([state.accumulated[0] for state in path.states])
    stress = path.fluxes[:, 0]
    assert_allclose(strains - stress / YOUNG, alpha, rtol=1e-10, atol=1e-13)
    moved = law.backstress.modulus * alpha if "Prager" in name else 0.0
    limit = YIELD + hardening_of(law, alpha) + moved
    expected = np.where(alpha > 0, limit, YOUNG * strains)
    assert_allclose(stress, expected, rtol=1e-11)
    assert np.all((alpha > 0) == (strains > YIELD / YOUNG))
    # The lateral strains are elastic with Poisson's ratio, and isochoric beyond.
    assert_allclose(path.drives[:, 1], -POISSON * stress / YOUNG - alpha / 2, rtol=1e-9)


@pytest.mark.parametrize("name", RADIAL)
def test_shear_yields_at_the_yield_stress_over_root_three(name):
    law = METALS[name]
    gamma = np.linspace(0, 0.05, 7)  # engineering shear xy
    strains = np.zeros((7, 6))
    strains[:, 5] = gamma / np.sqrt(2)
    path = walk(law, strains)
    shear = path.fluxes[:, 5] / np.sqrt(2)
    alpha = np.array([state.accumulated[0] for state in path.states])
    assert_allclose(alpha, (gamma - shear / SHEAR) / np.sqrt(3), atol=1e-15)
    moved = law.backstress.modulus * alpha if "Prager" in name else 0.0
    expected = np.where(alpha > 0, (YIELD + hardening_of(law, alpha) + moved) / np.sqrt(3), SHEAR * gamma)
    assert_allclose(shear, expected, rtol=1e-12)
    assert alpha[-1] > 0.02
    assert_allclose(np.delete(path.fluxes, 5, axis=1), 0, atol=1e-16)


@pytest.mark.parametrize("name", RADIAL)
def test_a_radial_path_is_exact_in_one_step(name):
    law = METALS[name]
    direction = np.random.default_rng(3).standard_normal(6)
    one = walk(law, 0.03 * direction[None])
    many = walk(law, 0.03 * direction * np.linspace(0, 1, 18)[1:, None])
    assert_allclose(one.fluxes[-1], many.fluxes[-1], rtol=1e-11)
    assert_allclose(one.state.plastic_strain, many.state.plastic_strain, rtol=1e-10, atol=1e-15)
    assert_allclose(one.stored[-1], many.stored[-1], rtol=1e-10)
    assert_allclose(one.dissipated[-1], many.dissipated.sum(), rtol=1e-10)


def test_armstrong_frederick_converges_to_its_exponential_with_order_one():
    law = metal(backstress=ArmstrongFrederickBackstress(20.0, 200.0))
    errors = []
    for steps in (20, 40, 80):
        path = uniaxial_stress(law, np.linspace(0, 0.01, steps + 1)[1:])
        alpha = path.state.accumulated[0]
        exact = YIELD + 20.0 / 200.0 * -np.expm1(-200.0 * alpha)
        errors.append(abs(path.fluxes[-1, 0] - exact))
        assert_allclose(alpha, 0.01 - path.fluxes[-1, 0] / YOUNG, rtol=1e-10)
    orders = np.log2(np.divide(errors[:-1], errors[1:]))
    assert np.all(np.abs(orders - 1) < 0.15)
    assert_allclose(uniaxial_stress(law, [0.05, 0.2]).fluxes[-1, 0], YIELD + 0.1, rtol=3e-2)


# --- cycles ----------------------------------------------------------------------------------------------------------


def turning_points(law, amplitude, cycles, steps):
    up, down = (
        np.linspace(-amplitude, amplitude, steps + 1)[1:],
        np.linspace(amplitude, -amplitude, steps + 1)[1:],
    )
    axial = np.concatenate([np.linspace(0, amplitude, steps // 2 + 1)[1:], *([down, up] * cycles)])
    return axial, uniaxial_stress(law, axial)


def test_prager_yields_again_after_unloading_by_twice_the_yield_stress():
    law = METALS["Prager"]
    axial, path = turning_points(law, 0.01, 1, 100)
    stress = path.fluxes[:, 0]
    alpha = np.array([state.accumulated[0] for state in path.states])
    top = 49
    plastic = np.flatnonzero(np.diff(alpha[top:]) > 0)[0] + top
    span = YOUNG * (axial[1] - axial[0])
    # Bauschinger: plastic flow in reverse begins within one step of the top stress minus two yield stresses.
    assert stress[top] - 2 * YIELD - span <= stress[plastic] <= stress[top] - 2 * YIELD + span
    assert stress[plastic] > -YIELD
    assert_allclose(stress[-1], stress[top], rtol=1e-10)  # a closed loop, at once


def test_armstrong_frederick_cycles_settle_at_the_known_amplitude():
    modulus, recall = 20.0, 200.0
    law = metal(backstress=ArmstrongFrederickBackstress(modulus, recall))
    _, path = turning_points(law, 0.006, 3, 120)
    tops = path.fluxes[[59 + 240 * k for k in range(4)], 0]
    assert abs(tops[3] - tops[2]) < 1e-3 * tops[3]
    plastic = 0.006 - tops[3] / YOUNG  # the amplitude
    # The loop of X' = C eps' - g X |eps'|: amplitude C/g tanh(g times the plastic amplitude).
    assert_allclose(tops[3], YIELD + modulus / recall * np.tanh(recall * plastic), rtol=5e-3)
    size = np.sqrt(1.5) * np.array([np.linalg.norm(state.backstress[0]) for state in path.states])
    assert size.max() < modulus / recall
    assert size.max() > 0.5 * modulus / recall


def test_unloading_is_elastic():
    for law in METALS.values():
        strain = np.array([0.02, -0.01, 0.0, 0.005, 0.0, 0.01])
        back = strain * (1 - 1e-3)
        path = walk(law, np.stack([strain, back]))
        change = path.fluxes[1] - path.fluxes[0]
        elastic = BULK * (back - strain)[:3].sum() * np.array([1, 1, 1, 0, 0, 0])
        elastic = elastic + 2 * SHEAR * DEVIATORIC @ (back - strain)
        assert_allclose(change, elastic, atol=1e-10)  # Newton for two Voce terms stops at 1e-12
        assert path.dissipated[1] == 0
        assert path.dissipated[0] > 0


# --- energy ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ALL)
def test_the_energy_gap_of_a_step_is_of_second_order(name):
    law = ALL[name]
    worst = []
    for steps in (40, 160):
        path = walk(law, curved_path(steps, 4e-3), dt=1.0 / steps)
        gaps = path.gaps()
        assert np.all(path.dissipated >= 0)
        assert path.dissipated.sum() > 0.02 * path.stored.max()
        if name in METALS or name == "Norton":  # backward Euler on convex energies
            assert gaps.min() > -1e-14
        worst.append(np.abs(gaps).max())
    assert np.log(worst[0] / worst[1]) / np.log(4) == pytest.approx(2, abs=0.25)


@pytest.mark.parametrize("name", ALL)
def test_random_walks_dissipate_and_stay_finite(name):
    law, rng, n = ALL[name], np.random.default_rng(5), N
    state, strain, asymmetry = law.initial_state(n), np.zeros((n, 6)), []
    for size in (0.0, 1e-3, 3e-3, 1e-2, 10.0, 1e-2):
        strain = strain + size * rng.standard_normal((n, 6))
        response = law.respond(state, strain, 0.3)
        state = response.state
        assert np.all(response.status == 0)
        assert np.all(np.isfinite(response.tangent))
        assert np.all(response.dissipated >= 0)
        asymmetry.append(np.abs(response.tangent - np.swapaxes(response.tangent, 1, 2)).max() / BULK)
        if name in METALS and size > 1e-3:
            center = np.asarray(state.backstress) if "Frederick" in name else 0.0
            center = 2 / 3 * 5.0 * np.asarray(state.plastic_strain) if "Prager" in name else center
            limit = YIELD + hardening_of(law, state.accumulated)
            assert np.all(equivalent(response.flux - center) < limit * (1 + 1e-9))
    if name in ("Armstrong-Frederick", "damage by extension"):
        assert max(asymmetry) > 1e-4
    else:
        assert max(asymmetry) < 1e-12


@pytest.mark.parametrize("name", ["Voce", "Armstrong-Frederick", "Norton", "damage by extension"])
def test_closed_tangents_are_the_derivatives(name):
    law, rng, n = ALL[name], np.random.default_rng(6), N
    with jax.enable_x64(True):
        plain = jax.jit(
            jax.vmap(
                lambda state, strain: AbstractPointLaw.update_with_tangent(
                    law, state, strain, jnp.asarray(0.3)
                )
            )
        )
        state, strain = law.initial_state(n), np.zeros((n, 6))
        for size in (0.0, 4e-3, 4e-3):
            strain = strain + size * rng.standard_normal((n, 6))
            response = law.respond(state, strain, 0.3)
            assert_allclose(response.tangent, plain(state, strain)[1], atol=1e-10 * BULK)
            state = response.state


# --- extremes --------------------------------------------------------------------------------------------------------


def test_perfect_plasticity_takes_huge_steps():
    strain = 1e5 * np.random.default_rng(1).standard_normal((N, 6))
    response = METALS["perfect"].respond(METALS["perfect"].initial_state(N), strain)
    assert_allclose(equivalent(response.flux), YIELD, rtol=1e-6)  # the mean stress costs nine digits here
    assert_allclose(response.flux[:, :3].mean(axis=1), BULK * strain[:, :3].sum(axis=1), rtol=1e-12)
    assert np.all(np.isfinite(response.tangent))


@pytest.mark.parametrize(("stiffness", "recall"), [(2e4, 1e5), (2e4, 1.0), (1.0, 0.0), (20.0, 1e6)])
def test_armstrong_frederick_takes_any_step(stiffness, recall):
    law = metal(VoceHardening(1.0, 100.0), ArmstrongFrederickBackstress(stiffness, recall))
    rng, state = np.random.default_rng(2), None
    state = law.initial_state(N)
    for size in (1e-3, 1e-1, 1e4, 1e-2, 1e-3):
        response = law.respond(state, size * rng.standard_normal((N, 6)))
        state = response.state
        assert np.all(response.status == 0)
        center = np.asarray(state.backstress)
        limit = YIELD + hardening_of(law, state.accumulated)
        assert np.all(equivalent(response.flux - center) < limit * (1 + 1e-8) + 1e-9 * size)
        assert np.all(equivalent(center) * recall <= stiffness * (1 + 1e-12))


@pytest.mark.parametrize("name", ["Voce and Prager", "Armstrong-Frederick", *OTHERS])
def test_derivatives_at_the_undeformed_state_are_finite(name):
    law = ALL[name]
    with jax.enable_x64(True):
        state = jax.tree.map(jnp.asarray, law.virgin_state())

        def everything(strain, dt):
            new = law.update(state, strain, dt)
            return jnp.concatenate([new.flux, jnp.stack([new.stored, jnp.asarray(new.dissipated)])])

        derivatives = jax.jit(jax.jacfwd(everything, argnums=(0, 1)))
        for dt in (0.0, 1.0):
            rows = derivatives(jnp.zeros(6), jnp.asarray(dt))
            assert all(np.all(np.isfinite(row)) for row in rows)


def test_increments_of_voce_hardening_solve_their_equation_for_any_excess():
    excess, alpha = np.meshgrid(10.0 ** np.arange(-9, 7), [0.0, 1e-3, 1.0])
    with jax.enable_x64(True):
        for saturation, rate, modulus in [
            (0.1, 10.0, 0.0),
            (5.0, 1e3, 0.1),
            (0.1, 1e-6, 0.0),
            (0.0, 10.0, 1.0),
        ]:
            law = VoceHardening(saturation, rate, modulus)
            delta, failed = law.increment(jnp.asarray(excess), jnp.asarray(alpha), 240.0)
            left = (240.0 + modulus) * delta - saturation * np.exp(-rate * alpha) * np.expm1(
                -rate * np.asarray(delta)
            )
            assert_allclose(left, excess, rtol=1e-13)
            assert not failed
            # Newton's method of the base class finds the same.
            other = SumOfHardenings((law,))
            found = [
                other.increment(jnp.asarray(e), jnp.asarray(a), 240.0) for e, a in [(1e-3, 0.0), (2.0, 0.1)]
            ]
            exact = [
                law.increment(jnp.asarray(e), jnp.asarray(a), 240.0) for e, a in [(1e-3, 0.0), (2.0, 0.1)]
            ]
            assert_allclose([f[0] for f in found], [e[0] for e in exact], rtol=1e-9)


def test_the_wright_omega_function_solves_its_equation():
    z = np.concatenate([np.linspace(-39, 40, 2001), 10.0 ** np.arange(2, 9)])
    with jax.enable_x64(True):
        w = np.asarray(wright_omega(jnp.asarray(z)))
    assert_allclose(w * np.exp(w - np.maximum(z, 1)), np.exp(np.minimum(z - 1, 0)), rtol=1e-8)
    assert_allclose((w + np.log(w)), z, rtol=1e-14, atol=1e-14)


@pytest.mark.parametrize("exponent", [1.0, 1.5, 5.0, 20.0, 200.0])
def test_the_power_law_equation_is_solved_for_any_coefficient(exponent):
    log_c = np.linspace(-690, 690, 1381)
    with jax.enable_x64(True):
        r, w = (np.asarray(x) for x in remaining_share(jnp.asarray(log_c), jnp.asarray(exponent)))
    assert_allclose(r + w, 1, rtol=1e-12)
    assert_allclose(np.log(w), log_c + exponent * np.log(r), rtol=1e-12, atol=1e-12)


# --- viscous ---------------------------------------------------------------------------------------------------------


def test_maxwell_relaxes_as_the_sum_of_exponentials_whatever_the_steps():
    law = OTHERS["Maxwell"]
    strain = np.array([1e-2, -2e-3, 3e-3, 1e-3, -4e-3, 2e-3])
    steps = np.array([0.0, 1e-9, 0.03, 0.07, 1.0, 20.0])
    path = walk(law, np.tile(strain, (6, 1)), steps)
    time = np.cumsum(steps)[:, None]
    shear = 20.0 + 40.0 * np.exp(-time / 0.1) + 20.0 * np.exp(-time / 3.0)
    bulk = BULK + 50.0 * np.exp(-time / 0.5)
    exact = 2 * shear * (DEVIATORIC @ strain) + bulk * strain[:3].sum() * np.array([1, 1, 1, 0, 0, 0])
    assert_allclose(path.fluxes, exact, rtol=1e-12)
    # At rest nothing is done: what was stored is dissipated.
    assert_allclose(-np.diff(path.stored), path.dissipated[1:], rtol=1e-6, atol=1e-15)
    assert path.dissipated[0] == 0


@pytest.mark.parametrize("steps", [1, 7])
def test_maxwell_is_exact_at_constant_rate_and_so_is_its_energy(steps):
    law, rate, duration = OTHERS["Maxwell"], 2e-3, 1.7
    strains = np.zeros((steps, 6))
    strains[:, 5] = rate * duration * np.arange(1, steps + 1) / steps
    path = walk(law, strains, duration / steps)
    stress, work = 2 * 20.0 * rate * duration, 20.0 * (rate * duration) ** 2
    for modulus, tau in ((40.0, 0.1), (20.0, 3.0)):
        reached = -np.expm1(-duration / tau)
        stress += 2 * modulus * tau * rate * reached
        work += 2 * modulus * tau * rate**2 * (duration - tau * reached)
    assert_allclose(path.fluxes[-1, 5], stress, rtol=1e-13)
    assert_allclose(path.stored[-1] + path.dissipated.sum(), work, rtol=1e-12)


def test_maxwell_dissipation_is_exact_from_the_shortest_to_the_longest_step():
    law = GeneralizedMaxwell(1.0, 0.0, [1.0], [1.0])
    for x in (1e-12, 1e-6, 1e-3, 0.0299, 0.0301, 1.0, 1e3, 1e9):
        path = walk(law, np.array([[0, 0, 0, 0, 0, 1e-3]]), x)
        # h = 2 (1 - exp(-t)) / x: the integral of h^2/2.
        exact = 2e-6 * (
            x / 3 - x**2 / 4 if x < 1e-5 else (x - 2 * -np.expm1(-x) - np.expm1(-2 * x) / 2) / x**2
        )
        assert_allclose(path.dissipated[0], exact, rtol=1e-6 if x < 0.1 else 1e-12)


@pytest.mark.parametrize("exponent", [1.0, 4.0, 20.0])
def test_norton_reaches_the_steady_stress_of_its_rate(exponent):
    law, rate = NortonCreep(BULK, SHEAR, 1e-3, 0.2, exponent), 2e-3
    path = uniaxial_stress(law, np.linspace(0, 3.0, 31)[1:], dt=0.1 / rate)
    assert_allclose(path.fluxes[-1, 0], 0.2 * (rate / 1e-3) ** (1 / exponent), rtol=1e-8)
    assert_allclose(path.state.accumulated[0], 3.0 - path.fluxes[-1, 0] / YOUNG, rtol=1e-10)


def test_norton_relaxes_along_its_exact_curve_with_order_one():
    exponent, duration = 5.0, 2.0
    law = NortonCreep(BULK, SHEAR, 1e-3, 0.2, exponent)
    strain = np.array([0, 0, 0, 0, 0, 3e-3])
    first = np.sqrt(1.5) * 2 * SHEAR * 3e-3
    decay = (exponent - 1) * 3 * SHEAR * 1e-3 / 0.2**exponent
    exact = (first ** (1 - exponent) + decay * duration) ** (1 / (1 - exponent))
    errors = []
    for steps in (50, 100, 200):
        path = walk(law, np.tile(strain, (steps, 1)), duration / steps)
        errors.append(abs(equivalent(path.fluxes[-1]) - exact))
    assert exact < 0.7 * first
    assert np.all(np.abs(np.log2(np.divide(errors[:-1], errors[1:])) - 1) < 0.1)


@pytest.mark.parametrize("exponent", [1.0, 20.0])
def test_norton_takes_any_step(exponent):
    law = NortonCreep(BULK, SHEAR, 1e-3, 0.2, exponent)
    rng = np.random.default_rng(4)
    for size in (0.0, 1e-200, 1e-6, 1.0, 1e8):
        for dt in (0.0, 1e-12, 1.0, 1e15):
            response = law.respond(law.initial_state(N), size * rng.standard_normal((N, 6)), dt)
            assert np.all(response.status == 0)
            assert np.all(np.isfinite(response.tangent))
            assert np.all(np.linalg.eigvalsh(response.tangent)[:, 0] > -1e-10 * BULK)


# --- damage ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("norm", [EnergyNorm(), MazarsStrain()])
def test_damage_softens_exponentially_in_tension_and_dissipates_its_energy(norm):
    threshold, softening = 1e-3, 4e-3
    law = IsotropicDamage(BULK, SHEAR, threshold, softening, norm)
    axial = np.concatenate([[0.5e-3, 1e-3], np.linspace(1e-3, 9e-3, 9)[1:]])
    strains = np.zeros((len(axial), 6))
    strains[:, 0], strains[:, 1], strains[:, 2] = axial, -POISSON * axial, -POISSON * axial
    path = walk(law, strains)
    exact = np.where(axial > threshold, threshold * np.exp(-(axial - threshold) / softening), axial) * YOUNG
    assert_allclose(path.fluxes[:, 0], exact, rtol=1e-12)
    assert_allclose(path.fluxes[:, 1:], 0, atol=1e-14)
    long = walk(law, strains[-1] * np.array([[1.0], [40.0]]), state=path.state)
    total = path.dissipated.sum() + long.dissipated.sum()
    assert_allclose(total, YOUNG * threshold * (threshold / 2 + softening), rtol=1e-12)
    # Unloading goes to the origin, with nothing dissipated.
    back = walk(law, strains[-1] * np.array([[0.5], [0.0]]), state=path.state)
    assert_allclose(back.fluxes[0], path.fluxes[-1] / 2, rtol=1e-12, atol=1e-15)
    assert np.all(back.dissipated == 0)
    assert "mesh" in law.warnings[0]


def test_compression_damages_by_lateral_extension_only():
    strain = np.array([-1.0, POISSON, POISSON, 0, 0, 0])
    extension = POISSON * np.sqrt(2)
    law = IsotropicDamage(BULK, SHEAR, 1e-3, 4e-3, MazarsStrain())
    path = walk(law, strain * np.array([[0.999e-3 / extension], [1.5e-3 / extension]]))
    assert path.states[0].damage[0] == 0
    assert_allclose(path.states[1].largest[0], 1.5e-3, rtol=1e-12)
    assert_allclose(path.states[1].damage[0], 1 - 1 / 1.5 * np.exp(-0.5 / 4), rtol=1e-12)
    assert walk(law, -np.array([[1.0, 1, 1, 0, 0, 0]])).state.damage[0] == 0


# --- bad input -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "make",
    [
        lambda: J2Plasticity(BULK, SHEAR, 0.0),
        lambda: J2Plasticity(BULK, -1.0, 1.0),
        lambda: J2Plasticity(np.nan, 1.0, 1.0),
        lambda: LinearHardening(-1.0),
        lambda: VoceHardening(1.0, 0.0),
        lambda: PragerBackstress(0.0),
        lambda: ArmstrongFrederickBackstress(1.0, -1.0),
        lambda: GeneralizedMaxwell(1.0, 1.0, [1.0], [1.0, 2.0]),
        lambda: GeneralizedMaxwell(1.0, 1.0, [1.0], [0.0]),
        lambda: NortonCreep(1.0, 1.0, 1.0, 1.0, 0.5),
        lambda: IsotropicDamage(1.0, 1.0, 0.0, 1.0),
        lambda: IsotropicDamage(1.0, 1.0, 1.0, -1.0),
    ],
)
def test_impossible_parameters_are_refused_by_name(make):
    with pytest.raises(LawError, match="needs"):
        make()
