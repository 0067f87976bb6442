"""Plane strain and plane stress, checked against the 3-D law under the constraint they stand for."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose

from material_examples import FULL_STIFFNESS
from scalebridge.core.errors import LawError
from scalebridge.material import Elasticity, PlaneState, Thermoelasticity
from scalebridge.material.plane import (
    plane_derivative,
    plane_expansion,
    plane_expansion_derivative,
    plane_tensor,
)
from scalebridge.numerics.mandel import stiffness_to_voigt

E, NU, ALPHA = 70.0, 0.33, 2e-5


def monoclinic() -> np.ndarray:
    c = np.array(FULL_STIFFNESS)
    c[:3, 3:5] = c[5:, 3:5] = 0
    c[3:5, :3] = c[3:5, 5:] = 0
    return c


def test_isotropic_textbook_matrices() -> None:
    c = Elasticity.isotropic(E=E, nu=NU).tensor
    stress = stiffness_to_voigt(plane_tensor(c, PlaneState.STRESS))
    expected = E / (1 - NU**2) * np.array([[1, NU, 0], [NU, 1, 0], [0, 0, (1 - NU) / 2]])
    assert_allclose(stress, expected, atol=1e-12)
    strain = stiffness_to_voigt(plane_tensor(c, PlaneState.STRAIN))
    factor = E / ((1 + NU) * (1 - 2 * NU))
    expected = factor * np.array([[1 - NU, NU, 0], [NU, 1 - NU, 0], [0, 0, (1 - 2 * NU) / 2]])
    assert_allclose(strain, expected, atol=1e-12)


def test_isotropic_expansion() -> None:
    law = Thermoelasticity.isotropic(E=E, nu=NU, alpha=ALPHA)
    strain = plane_expansion(law.tensor, law.expansion, PlaneState.STRAIN)
    assert_allclose(strain, [(1 + NU) * ALPHA, (1 + NU) * ALPHA, 0], rtol=1e-12, atol=1e-20)
    stress = plane_expansion(law.tensor, law.expansion, PlaneState.STRESS)
    assert_allclose(stress, [ALPHA, ALPHA, 0], rtol=1e-12, atol=1e-20)


@pytest.mark.parametrize("state", PlaneState)
def test_plane_law_is_the_constrained_law(state: PlaneState) -> None:
    """In-plane stress of the 3-D law when zz does what the state says, for a general monoclinic material."""
    rng = np.random.default_rng(0)
    c, alpha = monoclinic(), rng.normal(size=6)
    alpha[3:5] = 0
    in_plane, rise = rng.normal(size=3), 1.7
    strain = np.zeros(6)
    strain[[0, 1, 5]] = in_plane
    if state is PlaneState.STRESS:
        # Choose the strain zz that makes the stress zz vanish.
        free = c @ (strain - rise * alpha)
        strain[2] = -free[2] / c[2, 2]
        assert abs((c @ (strain - rise * alpha))[2]) < 1e-12
    expected = (c @ (strain - rise * alpha))[[0, 1, 5]]
    plane = plane_tensor(c, state)
    assert_allclose(plane @ (in_plane - rise * plane_expansion(c, alpha, state)), expected, rtol=1e-12)


@pytest.mark.parametrize("state", PlaneState)
def test_derivatives(state: PlaneState) -> None:
    rng = np.random.default_rng(1)
    c, alpha, d_alpha = monoclinic(), rng.normal(size=6), rng.normal(size=6)
    dc = monoclinic() * rng.normal(size=(6, 6))
    dc = dc + dc.T
    h = 1e-6
    fd = (plane_tensor(c + h * dc, state) - plane_tensor(c - h * dc, state)) / (2 * h)
    assert_allclose(plane_derivative(c, dc, state), fd, rtol=1e-6, atol=1e-7)
    plus = plane_expansion(c + h * dc, alpha + h * d_alpha, state)
    minus = plane_expansion(c - h * dc, alpha - h * d_alpha, state)
    exact = plane_expansion_derivative(c, dc, alpha, d_alpha, state)
    assert_allclose(exact, (plus - minus) / (2 * h), rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("state", PlaneState)
def test_batches_and_voids(state: PlaneState) -> None:
    batch = np.stack([monoclinic(), np.zeros((6, 6)), Elasticity.isotropic(E=E, nu=NU).tensor])
    planes = plane_tensor(batch, state)
    assert_allclose(planes[0], plane_tensor(batch[0], state), rtol=1e-14)
    assert not np.any(planes[1])
    alphas = plane_expansion(batch, np.ones((3, 6)), state)
    assert np.all(np.isfinite(alphas))
    assert_allclose(alphas[2], plane_expansion(batch[2], np.ones(6), state), rtol=1e-14)
    assert not np.any(plane_expansion_derivative(batch[1], batch[1], np.ones(6), np.ones(6), state))


def test_antiplane_coupling_is_refused() -> None:
    c = monoclinic()
    c[1, 4] = c[4, 1] = 0.25
    with pytest.raises(LawError, match="C25"):
        plane_tensor(c, PlaneState.STRAIN)
    with pytest.raises(LawError, match=r"6, 6\)"):
        plane_tensor(np.eye(3), PlaneState.STRAIN)
