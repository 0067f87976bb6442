"""Elastic laws and conductors against closed-form curves: stretching, shearing, swelling, and what is refused."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.optimize import brentq

from law_examples import ALL, BULK, FINITE_STRAIN_ELASTIC, SHEAR
from scalebridge.core.errors import LawError
from scalebridge.material import Elasticity, PlaneState
from scalebridge.material.laws import (
    AbstractPointLaw,
    LinearLaw,
    MooneyRivlin,
    NeoHooke,
    Ogden,
    PowerLawConduction,
    SaintVenantKirchhoff,
    TemperatureDependentConduction,
)
from scalebridge.material.plane import plane_tensor
from scalebridge.numerics.compiling import quick_jit

LAME = BULK - 2 * SHEAR / 3
POINTS = 9  # every test asks for as many, so that each law is compiled once
STRETCHES = np.linspace(0.5, 2.5, POINTS)
SHEARS = np.linspace(-1.2, 1.2, POINTS)


def flux(law: AbstractPointLaw, drives: np.ndarray, state: Any = None) -> np.ndarray:
    response = law.respond(law.initial_state(len(drives)) if state is None else state, drives, want=("flux",))
    assert not response.status.any()
    return response.flux


def diagonal(*stretches: Any) -> np.ndarray:
    drives = np.zeros((POINTS, 9))
    drives[:, [0, 4, 8]] = np.stack([np.broadcast_to(s, POINTS) for s in stretches], axis=1)
    return drives


def sheared() -> np.ndarray:
    drives = diagonal(1.0, 1.0, 1.0)
    drives[:, 1] = SHEARS
    return drives


def cauchy(p: np.ndarray, f: np.ndarray) -> np.ndarray:
    p, f = p.reshape(-1, 3, 3), f.reshape(-1, 3, 3)
    return p @ np.swapaxes(f, 1, 2) / np.linalg.det(f)[:, None, None]


def test_saint_venant_kirchhoff() -> None:
    law, l = ALL["Saint-Venant-Kirchhoff"], STRETCHES
    p = flux(law, diagonal(l, 1.0, 1.0))
    assert_allclose(p[:, 0], (LAME + 2 * SHEAR) / 2 * (l**3 - l), atol=1e-13)
    assert_allclose(p[:, 4], LAME / 2 * (l**2 - 1), atol=1e-13)
    p = flux(law, sheared())
    assert_allclose(p[:, 1], SHEAR * SHEARS + (LAME / 2 + SHEAR) * SHEARS**3, atol=1e-13)


def test_neo_hooke() -> None:
    law, l = ALL["neo-Hooke"], STRETCHES
    p = flux(law, diagonal(l, 1.0, 1.0))
    assert_allclose(p[:, 0], SHEAR * (l - 1 / l) + LAME * np.log(l) / l, atol=1e-13)
    assert_allclose(p[:, 4], LAME * np.log(l), atol=1e-13)
    p = flux(law, sheared())
    assert_allclose(p[:, [1, 3]], SHEAR * SHEARS[:, None].repeat(2, 1), atol=1e-13)
    # Uniaxial stress: the lateral stretch t solves a scalar equation.
    sides = np.array(
        [
            brentq(lambda t, s=s: SHEAR * (t * t - 1) + LAME * np.log(s * t * t), 0.2, 3.0, xtol=1e-15)
            for s in l
        ]
    )
    p = flux(law, diagonal(l, sides, sides))
    assert_allclose(p[:, [4, 8]], 0.0, atol=1e-13)
    assert_allclose(p[:, 0], SHEAR * (l - sides**2 / l), atol=1e-13)


def test_mooney_rivlin() -> None:
    law, l = ALL["Mooney-Rivlin"], STRETCHES
    assert isinstance(law, MooneyRivlin)
    f = diagonal(l, l**-0.5, l**-0.5)
    stress = cauchy(flux(law, f), f)
    assert_allclose(
        stress[:, 0, 0] - stress[:, 1, 1], 2 * (l**2 - 1 / l) * (law.c10 + law.c01 / l), atol=1e-13
    )
    f = sheared()
    assert_allclose(cauchy(flux(law, f), f)[:, 0, 1], 2 * (law.c10 + law.c01) * SHEARS, atol=1e-13)
    check_swelling(law)


def check_swelling(law: AbstractPointLaw) -> None:
    """Under F = l 1 the shape is the undeformed one: only the pressure K/2 (J - 1/J) is left."""
    l = STRETCHES
    f = diagonal(l, l, l)
    stress = cauchy(flux(law, f), f)
    expected = BULK / 2 * (l**3 - l**-3)
    assert_allclose(stress, expected[:, None, None] * np.eye(3), rtol=1e-12, atol=1e-12)


def test_ogden() -> None:
    law, l = ALL["Ogden"], STRETCHES
    assert isinstance(law, Ogden)
    moduli, a = law.moduli, law.exponents
    for power in (-0.5, -2.0):  # uniaxial and equibiaxial, at constant volume
        sides = l**power
        f = diagonal(l, sides, 1 / (l * sides))
        stress = cauchy(flux(law, f), f)
        expected = np.sum(moduli * (l[:, None] ** a - sides[:, None] ** a), axis=1)
        assert_allclose(stress[:, 0, 0] - stress[:, 1, 1], expected, rtol=1e-11, atol=1e-13)
    f = sheared()
    # Simple shear is the pure shear with l - 1/l = gamma, turned: sigma_12 = sum m (l^a - l^-a) / (l + 1/l).
    l = SHEARS / 2 + np.sqrt(1 + SHEARS**2 / 4)
    expected = np.sum(moduli * (l[:, None] ** a - l[:, None] ** -a), axis=1) / (l + 1 / l)
    assert_allclose(cauchy(flux(law, f), f)[:, 0, 1], expected, rtol=1e-11, atol=1e-13)
    check_swelling(law)


def test_ogden_with_plus_and_minus_two_is_mooney_rivlin() -> None:
    ogden, mooney = Ogden([0.8, -0.4], [2.0, -2.0], BULK), ALL["Mooney-Rivlin"]
    drives = np.eye(3).reshape(-1) + 0.3 * np.random.default_rng(0).standard_normal((POINTS, 9))
    drives[0] = np.eye(3).reshape(-1)
    drives[1:4] = diagonal(STRETCHES, 0.8, 0.8)[:3]  # two stretches coincide
    drives = drives[np.linalg.det(drives.reshape(-1, 3, 3)) > 0.1]
    drives = np.concatenate([drives, drives])[:POINTS]
    ours, other = (law.respond((), drives) for law in (ogden, mooney))
    assert_allclose(ours.flux, other.flux, atol=1e-12)
    assert_allclose(ours.tangent, other.tangent, atol=1e-11)
    assert_allclose(ours.stored, other.stored, atol=1e-13)


@pytest.mark.parametrize("name", FINITE_STRAIN_ELASTIC[:-1])
def test_small_strains_keep_their_digits(name: str) -> None:
    strain = np.random.default_rng(2).standard_normal((POINTS, 6))
    small = 1e-7
    full = np.zeros((POINTS, 3, 3))
    rows, columns = np.array([(0, 0), (1, 1), (2, 2), (1, 2), (0, 2), (0, 1)]).T
    full[:, rows, columns] = full[:, columns, rows] = strain * np.array(
        [1, 1, 1, 0.5**0.5, 0.5**0.5, 0.5**0.5]
    )
    response = ALL[name].respond((), (np.eye(3) + small * full).reshape(POINTS, 9), want=("flux",))
    linear = LinearLaw.of(Elasticity.isotropic(K=BULK, G=SHEAR)).respond((), small * strain, want=("flux",))
    # The rest is of second order (1e-14) and the last digits of F, 1e-16.
    assert_allclose(response.stored, linear.stored, rtol=1e-5)
    assert_allclose(response.flux[:, [0, 4, 8]], linear.flux[:, :3], atol=1e-12)


@pytest.mark.parametrize("name", FINITE_STRAIN_ELASTIC)
def test_a_body_turned_inside_out_fails_in_finite_numbers(name: str) -> None:
    drives = diagonal(np.linspace(-1.5, 0.5, POINTS), 1.0, 1.0)
    drives[-2] = 1e200
    drives[-3] = np.eye(3).reshape(-1) * 1e200
    law = ALL[name]
    if name == "own hyperelastic energy":
        with pytest.raises(LawError, match="stretching is not finite at 1 of 9"):
            law.respond((), drives)
        return
    response = law.respond((), drives)
    inside_out = np.linalg.det(drives[:-3].reshape(-1, 3, 3)) <= 0
    assert np.all(response.status[:-3][inside_out] != 0)
    assert np.all(response.status[:-3][~inside_out] == 0)
    assert response.status[-1] == 0
    assert np.all(response.status[-3:-1] != 0)
    for part in (response.flux, response.tangent, response.stored):
        assert np.all(np.isfinite(part))


def test_plane_stress_is_known() -> None:
    strain = 0.1 * np.random.default_rng(4).standard_normal((POINTS, 3))
    solid = Elasticity.isotropic(K=BULK, G=SHEAR)
    law = ALL["plane stress of a linear solid"]
    response = law.respond(law.initial_state(POINTS), strain)
    expected = plane_tensor(solid.tensor, PlaneState.STRESS)
    assert_allclose(response.tangent[0], expected, atol=1e-12)
    assert_allclose(response.flux, strain @ expected, atol=1e-12)
    # A bar of neo-Hookean rubber: free in y, and by the plane state in z.
    law, l = ALL["plane stress of neo-Hooke"], STRETCHES
    sides = np.array(
        [
            brentq(lambda t, s=s: SHEAR * (t * t - 1) + LAME * np.log(s * t * t), 0.2, 3.0, xtol=1e-15)
            for s in l
        ]
    )
    drives = np.zeros((POINTS, 4))
    drives[:, 0], drives[:, 3] = l, sides
    response = law.respond(law.initial_state(POINTS), drives)
    assert not response.status.any()
    assert_allclose(response.flux[:, 0], SHEAR * (l - sides**2 / l), atol=1e-11)
    assert_allclose(response.flux[:, 3], 0.0, atol=1e-11)
    assert_allclose(response.state.out, np.stack([0 * l, 0 * l, sides], axis=1), atol=1e-11)


def test_plane_stress_can_be_differentiated_as_it_is() -> None:
    """The condensed tangent is what implicit differentiation of the update gives, with a history, too."""
    law = ALL["plane stress of J2"]
    drives = 0.2 * np.random.default_rng(5).uniform(-1, 1, (8, 3))
    state = law.respond(law.initial_state(8), drives, 0.5).state
    condensed = law.respond(state, 1.5 * drives, 0.5).tangent
    with jax.enable_x64(True):
        one_by_one = quick_jit(
            jax.vmap(lambda s, e: AbstractPointLaw.update_with_tangent(law, s, e, jnp.asarray(0.5))[1])
        )
        assert_allclose(one_by_one(state, 1.5 * drives), condensed, atol=1e-11)


def test_power_law_conduction() -> None:
    law = ALL["power-law conduction"]
    assert isinstance(law, PowerLawConduction)
    drives = np.random.default_rng(3).standard_normal((POINTS, 3))
    size = np.linalg.norm(drives, axis=1)[:, None] / 0.3
    smooth = np.sqrt(size**2 + 1e-4)
    assert_allclose(flux(law, drives), 1.5 * smooth**1.5 * drives, rtol=1e-12)
    assert_allclose(flux(law, drives), 1.5 * size**1.5 * drives, rtol=1e-2)
    still = law.respond((), np.zeros((POINTS, 3)))
    assert_allclose(still.flux, 0.0)
    assert_allclose(still.tangent[0], 1.5 * 1e-2**1.5 * np.eye(3))
    assert_allclose(still.stored, 0.0)


def test_temperature_dependent_conduction() -> None:
    law = ALL["temperature-dependent conduction"]
    assert isinstance(law, TemperatureDependentConduction)
    state = law.state_at([100.0, 250.0, 275.0, 300.0, 350.0, 380.0, 400.0, 500.0, 1e6])
    drives = np.tile([1.0, 2.0, -1.0], (POINTS, 1))
    expected = np.array([1.0, 1.0, 1.5, 2.0, 1.75, 1.6, 1.5, 1.5, 1.5])
    assert_allclose(flux(law, drives, state), expected[:, None] * drives, rtol=1e-14)
    kept = law.respond(state, drives, want=("flux",)).state
    assert_allclose(kept, state)
    with pytest.raises(LawError, match="temperature of point 1 is not finite"):
        law.state_at([300.0, np.nan])


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: NeoHooke(1.0, -1.0), "NeoHooke needs shear > 0, got -1.0"),
        (lambda: NeoHooke(np.inf, 1.0), "bulk > 0, got inf"),
        (lambda: MooneyRivlin(0.1, -0.2, 1.0), r"c10 \+ c01 > 0"),
        (lambda: Ogden([1.0], [1.0, 2.0], 1.0), "as many exponents"),
        (lambda: Ogden([1.0], [-2.0], 1.0), "shear modulus of -1.0"),
        (lambda: SaintVenantKirchhoff(np.eye(3)), r"shape \(6, 6\)"),
        (lambda: PowerLawConduction(1.0, 0.0), "exponent > 0"),
        (lambda: TemperatureDependentConduction([1.0, 1.0], [1.0, 2.0]), "must rise"),
        (lambda: TemperatureDependentConduction([1.0, 2.0], [1.0]), "one conductivity per temperature"),
    ],
)
def test_impossible_parameters_are_refused_in_words(make: Any, message: str) -> None:
    with pytest.raises(LawError, match=message):
        make()
