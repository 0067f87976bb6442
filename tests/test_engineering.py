"""Engineering measures against the constants they must give back, and in the singular cases."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.testing import assert_allclose

from material_examples import FULL_CONDUCTIVITY, FULL_STIFFNESS, ROTATION
from scalebridge.homogenize.conduction_measures import (
    closest_isotropic_conductivity,
    conduction_anisotropy,
    principal,
    transport_measures,
)
from scalebridge.homogenize.engineering import (
    closest_isotropic_stiffness,
    derived_quantities,
    elastic_anisotropy,
    elastic_averages,
    engineering_constants,
)
from scalebridge.material import Conduction, Elasticity, PlaneState
from scalebridge.material.orthotropic import CONSTANTS
from scalebridge.material.plane import plane_tensor
from scalebridge.numerics.mandel import isotropic_stiffness, rotate_mandel4

KINDS = ("voigt", "reuss", "hill")


def test_orthotropic_constants_come_back() -> None:
    given_values = (11.0, 0.9, 0.5, 0.37, 0.43, 0.46, 0.75, 0.04, 0.7)
    found = engineering_constants(Elasticity.orthotropic(*given_values).tensor)
    assert [found[name] for name in CONSTANTS] == pytest.approx(given_values)
    assert found["nu_yx"] == pytest.approx(0.37 * 0.9 / 11.0)
    assert not found.reasons


@given(st.floats(0.1, 10), st.floats(-0.9, 0.49))
def test_isotropic_constants_and_measures(E: float, nu: float) -> None:
    c = Elasticity.isotropic(E=E, nu=nu).tensor
    found = engineering_constants(c).values
    K, G = E / (3 * (1 - 2 * nu)), E / (2 * (1 + nu))
    for name, expected in (("E_x", E), ("E_z", E), ("nu_xy", nu), ("nu_zy", nu), ("G_yz", G), ("G_xy", G)):
        assert found[name] == pytest.approx(expected, rel=1e-9, abs=1e-9)
    averages = elastic_averages(c).values
    for name, expected in (("K", K), ("G", G)):
        for kind in KINDS:
            assert averages[f"{name}_{kind}"] == pytest.approx(expected, rel=1e-9)
    assert averages["E_hill"] == pytest.approx(E, rel=1e-9)
    anisotropy = elastic_anisotropy(c).values
    assert anisotropy["universal"] == pytest.approx(0, abs=1e-6)
    assert anisotropy["zener"] == pytest.approx(1)
    assert anisotropy["distance"] == pytest.approx(0, abs=1e-12)


def test_plane_constants() -> None:
    c = Elasticity.isotropic(E=70.0, nu=0.33).tensor
    stress = engineering_constants(plane_tensor(c, PlaneState.STRESS)).values
    assert stress == pytest.approx(
        {"E_x": 70.0, "E_y": 70.0, "nu_xy": 0.33, "nu_yx": 0.33, "G_xy": 70 / 2.66}
    )
    strain = engineering_constants(plane_tensor(c, PlaneState.STRAIN)).values
    assert strain["E_x"] == pytest.approx(70 / (1 - 0.33**2))
    assert strain["nu_xy"] == pytest.approx(0.33 / 0.67)
    plane = elastic_anisotropy(plane_tensor(c, PlaneState.STRAIN)).values
    assert plane == pytest.approx({"universal": 0.0, "zener": 1.0, "distance": 0.0}, abs=1e-12)
    averages = elastic_averages(isotropic_stiffness(3.0, 2.0, 2)).values
    assert averages == pytest.approx({f"{n}_{k}": v for n, v in (("K", 3.0), ("G", 2.0)) for k in KINDS})


def test_cubic_averages_and_zener() -> None:
    """Copper-like constants: textbook single-crystal averages."""
    c11, c12, c44 = 168.4, 121.4, 75.4
    c = Elasticity.cubic(c11, c12, c44).tensor
    averages = elastic_averages(c).values
    g_reuss = 5 * (c11 - c12) * c44 / (4 * c44 + 3 * (c11 - c12))
    g_voigt = (c11 - c12 + 3 * c44) / 5
    for kind in KINDS:
        assert averages[f"K_{kind}"] == pytest.approx((c11 + 2 * c12) / 3)
    assert averages["G_voigt"] == pytest.approx(g_voigt)
    assert averages["G_reuss"] == pytest.approx(g_reuss)
    measures = elastic_anisotropy(c).values
    assert measures["zener"] == pytest.approx(2 * c44 / (c11 - c12))
    assert measures["universal"] == pytest.approx(5 * g_voigt / g_reuss - 5)
    turned = elastic_anisotropy(rotate_mandel4(c, ROTATION)).values
    assert turned["universal"] == pytest.approx(measures["universal"])
    assert turned["distance"] == pytest.approx(measures["distance"])


def test_closest_isotropic_tensor_is_the_closest() -> None:
    closest, distance = closest_isotropic_stiffness(FULL_STIFFNESS)
    size = np.linalg.norm(FULL_STIFFNESS)
    assert distance == pytest.approx(np.linalg.norm(FULL_STIFFNESS - closest) / size)
    for dK, dG in ((0.1, 0), (-0.1, 0), (0, 0.1), (0, -0.1)):
        moved = closest + isotropic_stiffness(dK, dG)
        assert np.linalg.norm(FULL_STIFFNESS - moved) > distance * size
    k, distance = closest_isotropic_conductivity(FULL_CONDUCTIVITY)
    assert_allclose(k, 2 * np.eye(3))
    assert distance == pytest.approx(
        np.linalg.norm(FULL_CONDUCTIVITY - k) / np.linalg.norm(FULL_CONDUCTIVITY)
    )


# Singular tensors -----------------------------------------------------------------------------------------


def test_nothing_carries_anything() -> None:
    for m in (3, 6):
        zero = np.zeros((m, m))
        for measures in (engineering_constants(zero), elastic_averages(zero), elastic_anisotropy(zero)):
            for name, value in measures.values.items():
                assert value == 0.0 or (value is None and measures.reasons[name])
    assert engineering_constants(np.zeros((6, 6)))["E_x"] == 0.0
    assert engineering_constants(np.zeros((6, 6)))["nu_xy"] is None


def test_layers_with_gaps() -> None:
    """Sheets in the xy plane separated by voids along z: plane stress inside, nothing across."""
    c = np.zeros((6, 6))
    inside = plane_tensor(Elasticity.isotropic(E=2.0, nu=0.25).tensor, PlaneState.STRESS)
    c[np.ix_([0, 1, 5], [0, 1, 5])] = 0.5 * inside
    found = engineering_constants(c)
    assert found["E_x"] == pytest.approx(1.0)
    assert found["nu_xy"] == pytest.approx(0.25)
    assert found["E_z"] == found["G_yz"] == found["G_xz"] == 0.0
    assert found["G_xy"] == pytest.approx(0.5 * 0.8)
    assert found["nu_zx"] is None
    assert "along z" in found.reasons["nu_zx"]
    averages = elastic_averages(c)
    assert averages["K_reuss"] == averages["G_reuss"] == 0.0
    assert averages["K_voigt"] == pytest.approx(float(c[:3, :3].sum()) / 9)
    assert elastic_anisotropy(c)["universal"] is None
    turned = engineering_constants(rotate_mandel4(c, ROTATION))
    assert turned["E_x"] == 0.0
    assert all(value is None or np.isfinite(value) for value in turned.values.values())


@given(arrays(float, (6, 6), elements=st.floats(-1, 1)), st.integers(0, 6))
def test_any_positive_tensor_gives_numbers_or_reasons(root: np.ndarray, rank: int) -> None:
    c = root[:, :rank] @ root[:, :rank].T
    for measures in (engineering_constants(c), elastic_averages(c), elastic_anisotropy(c)):
        for name, value in measures.values.items():
            assert name in measures.reasons if value is None else np.isfinite(value)


# Conduction -----------------------------------------------------------------------------------------------


@given(arrays(float, (3, 3), elements=st.floats(-1, 1)))
def test_principal_values_and_axes(root: np.ndarray) -> None:
    k = root @ root.T
    found = principal(k)
    assert_allclose(found.axes @ np.diag(found.values) @ found.axes.T, k, atol=1e-13)
    assert np.all(np.diff(found.values) <= 0)
    assert np.linalg.det(found.axes) == pytest.approx(1.0)


def test_conduction_anisotropy() -> None:
    assert conduction_anisotropy(np.diag([1.0, 4.0, 2.0]))["ratio"] == pytest.approx(4.0)
    blocked = conduction_anisotropy(np.diag([1.0, 0.0]))
    assert blocked["ratio"] is None
    assert "principal axis" in blocked.reasons["ratio"]
    assert conduction_anisotropy(np.zeros((3, 3))).values == {"ratio": None, "distance": None}


def test_tortuosity_of_a_slit() -> None:
    """Straight channels with fraction 0.4: tortuosity one, formation factor 1 / 0.4; blocked along z."""
    laws = {0: Conduction.isotropic(2.0), 1: Conduction.void()}
    fractions = {0: 0.4, 1: 0.6}
    found = transport_measures([0.8, 0.8, 0.0], laws, fractions)
    assert found is not None
    assert found.tortuosity == pytest.approx((1.0, 1.0, None))
    assert found.formation_factor == pytest.approx((2.5, 2.5, None))
    assert list(found.reasons) == ["z"]
    assert transport_measures([0.8], {0: laws[0], 1: Conduction.isotropic(0.1)}, fractions) is None
    assert transport_measures([0.0], {0: laws[1], 1: laws[1]}, fractions) is None
    fibre = Conduction.orthotropic(1.0, 2.0, 3.0)
    assert transport_measures([0.8], {0: fibre, 1: laws[1]}, fractions) is None


def test_taufactor_convention() -> None:
    """D_eff/D0 = 0.2166 at tau = 2.0772 means a fraction of 0.44992: tau = fraction D0 / D_eff."""
    laws = {0: Conduction.isotropic(1.0), 1: Conduction.void()}
    found = transport_measures([0.2166], laws, {0: 0.44992, 1: 0.55008}, ("x",))
    assert found is not None
    assert found.tortuosity[0] == pytest.approx(2.0772, rel=1e-4)


def test_derived_quantities() -> None:
    laws = {0: Conduction.isotropic(2.0), 1: Conduction.void()}
    fractions = {0: 0.4, 1: 0.6}
    extra = derived_quantities(np.diag([0.8, 0.4, 0.0]), laws, fractions)
    assert extra["tortuosity"] == pytest.approx((1.0, 2.0, None))
    assert set(extra["reasons"]) == {"anisotropy.ratio", "tortuosity.z"}
    assert_allclose(extra["anisotropy"]["principal_values"], [0.8, 0.4, 0.0])
    faces = derived_quantities(np.array([[0.4]]), laws, fractions, axis=1)
    assert faces == {"tortuosity": pytest.approx(2.0), "formation_factor": pytest.approx(5.0)}
    solid = derived_quantities(
        Elasticity.isotropic(E=1.0, nu=0.3).tensor, {0: Elasticity.isotropic(E=1.0, nu=0.3)}, {0: 1.0}
    )
    assert set(solid) == {"engineering", "averages", "anisotropy"}
    assert solid["engineering"]["E_y"] == pytest.approx(1.0)
    assert derived_quantities(np.ones((1, 1)), {0: Elasticity.void()}, {0: 1.0}, axis=0) == {}
