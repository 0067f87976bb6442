"""J2 plasticity at finite strain: closed-form curves, objectivity, incompressible flow, the small-strain limit."""

from __future__ import annotations

import jax
import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.spatial.transform import Rotation

from law_paths import curved_path, walk
from scalebridge.core.errors import LawError
from scalebridge.material.laws.finite_j2 import FiniteJ2Plasticity
from scalebridge.material.laws.hardening import VoceHardening
from scalebridge.material.laws.j2 import J2Plasticity
from scalebridge.numerics.mandel import to_mandel

BULK, SHEAR, YIELD = 160.0, 80.0, 0.25
LAW = FiniteJ2Plasticity(BULK, SHEAR, YIELD, VoceHardening(0.1, 12.0, 0.5))
N = 16
"""Points of every batch, so that the law is compiled once."""


def respond(state, gradients, want=("flux", "tangent")):
    filled = np.tile(np.eye(3).reshape(9), (N, 1))
    filled[: len(gradients)] = np.reshape(gradients, (-1, 9))
    return LAW.respond(state, filled, 0.0, want)


def voce(alpha):
    return YIELD - 0.1 * np.expm1(-12.0 * alpha) + 0.5 * alpha


def random_gradients(rng, size):
    return np.eye(3) + size * rng.standard_normal((N, 3, 3))


def test_isochoric_stretch_follows_the_curve_of_logarithmic_strain():
    # F = diag(s, 1/sqrt s, 1/sqrt s): the logarithmic strain is a deviator that keeps its direction.
    stretches = np.array([1.0005, 1.01, 1.5, 4.0])
    gradients = np.array([np.diag([s, s**-0.5, s**-0.5]) for s in stretches])
    response = respond(LAW.initial_state(N), gradients)
    alpha = np.asarray(response.state.accumulated)[:4]
    equivalent = 3 * SHEAR * (np.log(stretches) - alpha)  # sqrt(3/2) |tau|
    assert_allclose(equivalent, np.where(alpha > 0, voce(alpha), 3 * SHEAR * np.log(stretches)), rtol=1e-11)
    first_piola = response.flux[:4].reshape(-1, 3, 3)
    kirchhoff = np.diagonal(first_piola @ np.swapaxes(gradients, 1, 2), axis1=1, axis2=2)
    assert_allclose(kirchhoff[:, 0], 2 / 3 * equivalent, rtol=1e-11)
    assert_allclose(kirchhoff[:, 1:], -equivalent[:, None] / 3 * np.ones(2), rtol=1e-10)
    assert np.all((alpha > 0) == [False, True, True, True])
    assert_allclose(np.asarray(response.dissipated)[:4], YIELD * alpha, rtol=1e-12)


def test_a_step_of_the_frame_changes_nothing_but_the_frame():
    rng = np.random.default_rng(1)
    state = respond(LAW.initial_state(N), random_gradients(rng, 0.1), ("flux",)).state
    gradients, turn = random_gradients(rng, 0.2), Rotation.random(random_state=3).as_matrix()
    one, other = respond(state, gradients), respond(state, turn @ gradients)
    assert np.asarray(one.dissipated).min() > 0
    assert_allclose(other.flux.reshape(N, 3, 3), turn @ one.flux.reshape(N, 3, 3), rtol=1e-9, atol=1e-11)
    for a, b in zip(jax.tree.leaves(one.state), jax.tree.leaves(other.state), strict=True):
        assert_allclose(a, b, rtol=1e-9, atol=1e-11)
    kirchhoff = one.flux.reshape(N, 3, 3) @ np.swapaxes(gradients, 1, 2)
    assert_allclose(kirchhoff, np.swapaxes(kirchhoff, 1, 2), atol=1e-12)


def test_plastic_flow_keeps_the_volume_to_round_off():
    rng, state = np.random.default_rng(2), LAW.initial_state(N)
    gradients = np.tile(np.eye(3), (N, 1, 1))
    for _ in range(60):
        gradients = (np.eye(3) + 0.1 * rng.standard_normal((N, 3, 3))) @ gradients
        gradients /= np.cbrt(np.linalg.det(gradients))[:, None, None]
        response = respond(state, gradients)
        state = response.state
        assert np.all(response.status == 0)
        assert np.all(response.dissipated >= 0)
    metric = np.asarray(state.inverse_plastic_metric)
    assert_allclose(np.linalg.det(metric), 1.0, rtol=1e-11)  # of entries up to a hundred
    assert np.asarray(state.accumulated).min() > 2
    kirchhoff = response.flux.reshape(N, 3, 3) @ np.swapaxes(gradients, 1, 2)
    deviator = kirchhoff - np.trace(kirchhoff, axis1=1, axis2=2)[:, None, None] / 3 * np.eye(3)
    size = np.sqrt(1.5) * np.linalg.norm(deviator, axis=(1, 2))
    assert np.all(size <= voce(np.asarray(state.accumulated)) * (1 + 1e-7))


def test_the_tangent_is_the_derivative_and_has_the_major_symmetry():
    rng = np.random.default_rng(4)
    state = respond(LAW.initial_state(N), random_gradients(rng, 0.1), ("flux",)).state
    gradients = random_gradients(rng, 0.1)
    # All principal stretches the same, two the same, and F = 1 on a virgin point.
    gradients[:3] = [np.eye(3) * 1.02, np.diag([1.3, 0.9, 0.9]), np.eye(3)]
    fresh = jax.tree.map(lambda a, b: np.concatenate([b[:3], a[3:]]), state, LAW.initial_state(N))
    tangent = respond(fresh, gradients).tangent
    assert_allclose(tangent, np.swapaxes(tangent, 1, 2), atol=1e-11 * BULK)
    direction, h = rng.standard_normal((N, 3, 3)), 1e-6
    ahead, behind = (respond(fresh, gradients + s * h * direction).flux for s in (1, -1))
    expected = np.einsum("nij,nj->ni", tangent, direction.reshape(N, 9))
    assert_allclose((ahead - behind) / (2 * h), expected, rtol=2e-6, atol=1e-6 * BULK)


def test_small_strains_give_the_law_of_small_strain():
    small = J2Plasticity(BULK, SHEAR, YIELD / 1e4, VoceHardening(0.1 / 1e4, 12.0e4, 0.5))
    large = FiniteJ2Plasticity(BULK, SHEAR, YIELD / 1e4, VoceHardening(0.1 / 1e4, 12.0e4, 0.5))
    gradients = 1e-6 * np.random.default_rng(5).standard_normal((N, 3, 3))
    one = small.respond(small.initial_state(N), to_mandel(gradients))
    other = large.respond(large.initial_state(N), (np.eye(3) + gradients).reshape(N, 9))
    assert np.asarray(one.dissipated).min() > 0
    scale = np.abs(one.flux).max()
    assert_allclose(to_mandel(other.flux.reshape(N, 3, 3)), one.flux, atol=1e-4 * scale)
    assert_allclose(other.dissipated, one.dissipated, rtol=1e-4)


def test_the_energy_gap_of_a_step_is_of_second_order():
    worst = []
    for steps in (32, 128):
        path = walk(LAW, np.eye(3).reshape(9) + curved_path(steps, 0.05, 9))
        assert path.dissipated.sum() > 0.1 * path.stored.max()
        worst.append(np.abs(path.gaps()).max())
    assert np.log(worst[0] / worst[1]) / np.log(4) == pytest.approx(2, abs=0.3)


def test_an_inverted_gradient_fails_and_a_huge_stretch_does_not():
    gradients = np.array([np.diag([1.0, 1.0, -0.5]), np.diag([1e3, 1e-2, 0.3]), np.zeros((3, 3))])
    response = respond(LAW.initial_state(N), gradients)
    assert response.status[:4].tolist() == [1, 0, 1, 0]
    assert np.all(np.isfinite(response.flux))
    assert np.all(np.isfinite(response.tangent))
    with pytest.raises(LawError, match="yield stress"):
        FiniteJ2Plasticity(BULK, SHEAR, -1.0)
