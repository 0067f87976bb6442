"""The fcc crystal: slip systems, Schmid's law, multiple slip, orientation, robustness."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.spatial.transform import Rotation

from law_paths import curved_path, uniaxial_stress, walk
from scalebridge.core.errors import LawError
from scalebridge.material import Elasticity
from scalebridge.material.laws.crystal import CubicCrystal
from scalebridge.material.laws.point import AbstractPointLaw
from scalebridge.material.laws.slip_systems import octahedral_systems, schmid_tensors, turned_mandel
from scalebridge.numerics.mandel import rotate_mandel, rotation_matrix

ELASTIC = {"C11": 168.4, "C12": 121.4, "C44": 75.4}  # copper, GPa
PLASTIC = {
    "resistance": 0.02,
    "saturation": 0.01,
    "hardening_rate": 20.0,
    "rate": 1e-3,
    "exponent": 20.0,
    "latent": 1.2,
}
N = 64


def crystal(**changes):
    return CubicCrystal(**{**ELASTIC, **PLASTIC, **changes})


def orientation_along(direction):
    """A crystal whose `direction` lies along x of the sample."""
    direction = np.asarray(direction, float) / np.linalg.norm(direction)
    return Rotation.align_vectors([[1.0, 0, 0]], [direction])[0].as_matrix()


def schmid_factors(law, axis=(1.0, 0.0, 0.0)):
    normals, lines = octahedral_systems()
    local = np.asarray(law.orientation).T @ np.asarray(axis)
    return np.abs((normals @ local) * (lines @ local))


def test_there_are_twelve_octahedral_systems():
    normals, lines = octahedral_systems()
    assert normals.shape == lines.shape == (12, 3)
    assert_allclose(np.sum(normals * lines, axis=1), 0, atol=1e-15)
    assert_allclose(np.linalg.norm(normals, axis=1), 1)
    assert_allclose(np.linalg.norm(lines, axis=1), 1)
    assert_allclose(np.abs(normals), 1 / np.sqrt(3))
    assert_allclose(
        np.sort(np.abs(lines), axis=1), np.tile([0, np.sqrt(0.5), np.sqrt(0.5)], (12, 1)), atol=1e-15
    )
    tensors = schmid_tensors(normals, lines)
    assert_allclose(tensors[:, :3].sum(axis=1), 0, atol=1e-15)
    assert_allclose(np.sum(tensors**2, axis=1), 0.5)
    distinct = {
        tuple(np.round(np.outer(n, m).ravel() * np.sign((n[0]) * m[np.abs(m).argmax()]), 9))
        for n, m in zip(normals, lines, strict=True)
    }
    assert len(distinct) == 12
    assert np.linalg.matrix_rank(tensors) == 5


def test_rotations_are_those_of_mandel_tensors():
    turn = Rotation.random(random_state=0).as_matrix()
    with jax.enable_x64(True):
        assert_allclose(turned_mandel(turn), rotation_matrix(turn), atol=1e-15)


def test_without_time_the_crystal_is_the_cubic_solid():
    turn = Rotation.random(random_state=1).as_matrix()
    law = crystal(orientation=turn)
    solid = Elasticity.cubic(**ELASTIC, orientation=turn)
    strain = 1e-2 * np.random.default_rng(0).standard_normal((N, 6))
    response = law.respond(law.initial_state(N), strain, 0.0)
    assert_allclose(response.flux, strain @ solid.tensor.T, rtol=1e-11, atol=1e-13)
    assert_allclose(response.tangent, np.broadcast_to(solid.tensor, (N, 6, 6)), rtol=1e-9, atol=1e-9)
    assert np.all(response.dissipated == 0)


@pytest.mark.parametrize("direction", [(1, 2, 3), (0, 0, 1), (1, 1, 1), (0, 1, 1)])
def test_the_yield_stress_is_the_resistance_over_the_schmid_factor(direction):
    law = crystal(saturation=0.0, orientation=orientation_along(direction))
    factors = schmid_factors(law)
    path = uniaxial_stress(law, np.linspace(0, 0.02, 21)[1:], dt=1.0)
    active = np.flatnonzero(factors > factors.max() - 1e-9)
    assert len(active) == {(1, 2, 3): 1, (0, 0, 1): 8, (1, 1, 1): 6, (0, 1, 1): 4}[direction]
    slips = np.asarray(path.states[-1].slips[0])
    # Slip rate of each active system from the plastic strain rate; then the power law, exactly.
    steps = slips - np.asarray(path.states[-2].slips[0])
    assert_allclose(steps[active], steps[active].mean(), rtol=1e-6)
    assert np.delete(steps, active).sum() < 0.05 * steps.sum()
    stress = path.fluxes[-1, 0]
    expected = 0.02 / factors.max() * (steps[active].mean() / 1e-3) ** (1 / 20)
    assert_allclose(stress, expected, rtol=1e-6)
    assert_allclose(stress, 0.02 / factors.max(), rtol=0.1)  # rates are of the order of the reference
    assert_allclose(steps @ factors, 1e-3, rtol=1e-4)  # the axial rate


def test_hardening_follows_voce_on_all_eight_systems_of_a_cube_axis():
    law = crystal()
    path = uniaxial_stress(law, np.linspace(0, 0.2, 41)[1:], dt=5.0)
    slips, before = (np.asarray(path.states[k].slips[0]) for k in (-1, -2))
    active = schmid_factors(law) > 0.1
    assert active.sum() == 8
    assert_allclose(slips[active], slips[active][0], rtol=1e-8)
    grown = -np.expm1(-20.0 * slips[active][0])
    resistance = 0.02 + 0.01 * grown * (1 + 7 * 1.2)
    rate = (slips - before)[active][0] / 5.0
    assert_allclose(path.fluxes[-1, 0] / np.sqrt(6), resistance * (rate / 1e-3) ** (1 / 20), rtol=1e-8)


def test_turning_crystal_and_strain_turns_the_stress():
    turn = Rotation.random(random_state=5).as_matrix()
    strain = 5e-3 * np.random.default_rng(1).standard_normal((N, 6))
    law, turned = crystal(), crystal(orientation=turn)
    one = law.respond(law.initial_state(N), strain, 1.0)
    other = turned.respond(turned.initial_state(N), rotate_mandel(strain, turn), 1.0)
    assert_allclose(other.flux, rotate_mandel(one.flux, turn), rtol=1e-7, atol=1e-10)
    assert_allclose(other.state.slips, one.state.slips, rtol=1e-6, atol=1e-12)
    assert_allclose(
        other.state.plastic_strain, rotate_mandel(np.asarray(one.state.plastic_strain), turn), atol=1e-12
    )
    assert np.abs(one.flux - law.respond(one.state, 0 * strain, 1.0).flux).max() > 1e-3


def test_the_tangent_is_the_derivative():
    law, rng = crystal(), np.random.default_rng(2)
    state = law.respond(
        law.initial_state(N), 3e-3 * rng.standard_normal((N, 6)), 1.0, ("flux", "tangent")
    ).state
    strain, direction, h = 5e-3 * rng.standard_normal((N, 6)), rng.standard_normal((N, 6)), 1e-8
    tangent = law.respond(state, strain, 1.0).tangent
    ahead, behind = (law.respond(state, strain + s * h * direction, 1.0).flux for s in (1, -1))
    expected = np.einsum("nij,nj->ni", tangent, direction)
    assert_allclose((ahead - behind) / (2 * h), expected, rtol=1e-4, atol=1e-4 * np.abs(expected).max())
    with jax.enable_x64(True):
        plain = jax.jit(
            jax.vmap(lambda s, e: AbstractPointLaw.update_with_tangent(law, s, e, jnp.asarray(1.0)))
        )
        assert_allclose(plain(state, strain)[1], tangent, atol=1e-8 * ELASTIC["C11"])


@pytest.mark.parametrize(("exponent", "latent"), [(1.0, 1.0), (5.0, 0.0), (20.0, 1.4), (50.0, 1.0)])
def test_random_orientations_and_steps_are_solved(exponent, latent):
    rng = np.random.default_rng(3)
    for turn in Rotation.random(2, random_state=7).as_matrix():
        law = crystal(exponent=exponent, latent=latent, orientation=turn)
        state = law.initial_state(N)
        for size, dt in (
            (0.0, 1.0),
            (1e-12, 1.0),
            (1e-4, 1e-6),
            (3e-3, 1.0),
            (2e-2, 1e-3),
            (2e-2, 1e8),
            (0.0, 1.0),
        ):
            response = law.respond(state, size * rng.standard_normal((N, 6)), dt)
            state = response.state
            assert np.all(response.status == 0)
            assert np.all(np.isfinite(response.tangent))
            assert np.all(response.dissipated >= 0)


def test_the_energy_gap_of_a_step_is_of_second_order():
    worst = []
    law = crystal(exponent=3.0, resistance=0.2, saturation=0.1)  # relaxes within what the steps resolve
    for steps in (40, 160):
        path = walk(law, curved_path(steps, 4e-3), dt=10.0 / steps)
        gaps = path.gaps()
        assert gaps.min() > -1e-13
        assert path.dissipated.sum() > 0.1 * path.stored.max()
        worst.append(gaps.max())
    assert np.log(worst[0] / worst[1]) / np.log(4) == pytest.approx(2, abs=0.3)


def test_grains_can_be_stacked():
    turns = Rotation.random(N, random_state=9).as_matrix()
    grains = [crystal(orientation=turn) for turn in turns[:3]]
    with jax.enable_x64(True):
        stacked = jax.tree.map(lambda *leaves: np.stack(leaves), *grains)
        strain, state = np.array([3e-3, -1e-3, -1e-3, 1e-3, 0, 0]), grains[0].initial_state(3)
        new = jax.jit(jax.vmap(lambda law, s: law.update(s, jnp.asarray(strain), jnp.asarray(1.0))))(
            stacked, state
        )
    for k, law in enumerate(grains):
        alone = law.respond(law.initial_state(N), np.tile(strain, (N, 1)), 1.0)
        assert_allclose(new.flux[k], alone.flux[0], rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize(
    "changes",
    [
        {"C12": 200.0},
        {"resistance": 0.0},
        {"exponent": 0.5},
        {"latent": 2.0},
        {"orientation": np.diag([1.0, 1.0, -1.0])},
        {"orientation": np.eye(3) * 2},
        {"orientation": np.eye(2)},
    ],
)
def test_impossible_crystals_are_refused(changes):
    with pytest.raises(LawError, match="CubicCrystal needs"):
        crystal(**changes)
