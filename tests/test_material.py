"""Every law passes the same suite; formulae are checked by loads against what the constants mean."""

from __future__ import annotations

import copy
import dataclasses
import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from material_examples import (
    ALL_LAWS,
    ALL_SYMMETRIES,
    FULL_CONDUCTIVITY,
    FULL_STIFFNESS,
    ROTATION,
    SOLID,
    name_of,
    values_of,
)
from scalebridge.core.errors import LawError
from scalebridge.core.units import Dimension, Uncertain, quantity
from scalebridge.material import Conduction, Elasticity, Thermoelasticity
from scalebridge.material.isotropic import STIFFNESSES
from scalebridge.material.oriented_tensor import OrientedTensor
from scalebridge.material.physics import CONDUCTION, DIFFUSION, TRANSPORTS, transport_of_dimension
from scalebridge.material.symmetry import Symmetry
from scalebridge.numerics.mandel import (
    from_mandel,
    rotate2,
    rotate_mandel4,
    rotation_matrix,
    stiffness_to_voigt,
    to_mandel,
)

Law = Conduction | Elasticity | Thermoelasticity
law_names = [f"{type(law).__name__}-{law.name}" for law in ALL_LAWS]


# Every symmetry class -------------------------------------------------------------------------------------


@pytest.mark.parametrize("symmetry", ALL_SYMMETRIES, ids=name_of)
def test_derivative_is_exact(symmetry: Symmetry) -> None:
    values = values_of(symmetry)
    tensor = OrientedTensor.of(symmetry, values)
    tensor = tensor.oriented(ROTATION) if tensor.ndim == 3 else tensor
    for name, value in values.items():
        exact = tensor.derivative(name)
        # Richardson-extrapolated central differences: an independent figure, good to about 1e-9.
        step = 1e-3 * abs(value)

        def moved(h: float, key: str = name) -> np.ndarray:
            shifted = {**values, key: values[key] + h}
            return dataclasses.replace(
                tensor, values=tuple((k, Uncertain(v)) for k, v in shifted.items())
            ).tensor

        coarse = (moved(step) - moved(-step)) / (2 * step)
        fine = (moved(step / 2) - moved(-step / 2)) / step
        assert_allclose(exact, (4 * fine - coarse) / 3, rtol=1e-6, atol=1e-8 * np.abs(exact).max())


@pytest.mark.parametrize("symmetry", ALL_SYMMETRIES, ids=name_of)
def test_tensor_is_linear_in_stress_like_parameters(symmetry: Symmetry) -> None:
    """Euler: C is homogeneous of degree one in the moduli, so sum p dC/dp = C. Exact to round-off."""
    tensor = OrientedTensor.of(symmetry, values_of(symmetry))
    dimensional = [name for name in symmetry.keys if not name.startswith("nu")]
    total = sum(
        (tensor.parameters[name].value * tensor.derivative(name) for name in dimensional),
        np.zeros_like(tensor.local),
    )
    assert_allclose(total, tensor.tensor, rtol=1e-12, atol=1e-12 * np.abs(tensor.tensor).max(initial=0))


@pytest.mark.parametrize("symmetry", ALL_SYMMETRIES, ids=name_of)
def test_nothing_but_finite_numbers_is_accepted(symmetry: Symmetry) -> None:
    values = values_of(symmetry)
    for name in values:
        for bad in (np.nan, np.inf, -np.inf):
            with pytest.raises(LawError, match=name):
                OrientedTensor.of(symmetry, {**values, name: bad})
        with pytest.raises(LawError, match="deviation"):
            OrientedTensor.of(symmetry, {**values, name: Uncertain(values[name], -1.0)})
    with pytest.raises(LawError, match="surplus"):
        OrientedTensor.of(symmetry, {**values, "surplus": 1.0})


# Every law ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("law", ALL_LAWS, ids=law_names)
def test_tangent_is_the_derivative_of_the_flux(law: Law) -> None:
    m = len(law.tensor)
    drives = np.random.default_rng(1).normal(size=(5, m))
    state = law.initial_state(5)
    response = law.respond(state, drives)
    assert response.flux.shape == (5, m)
    assert response.tangent.shape == (5, m, m)
    assert response.status.shape == response.error.shape == response.cost.shape == (5,)
    assert_allclose(response.flux, np.einsum("nij,nj->ni", response.tangent, drives), rtol=1e-13, atol=1e-15)
    assert_allclose(response.tangent[3], law.tensor)
    assert law.respond(state, drives, want=("flux",)).tangent is None


@pytest.mark.parametrize("law", ALL_LAWS, ids=law_names)
def test_flux_turns_with_the_body(law: Law) -> None:
    d = {2: 2, 3: 3, 6: 3}[len(law.tensor)]
    if isinstance(law, Elasticity | Thermoelasticity):
        d = {3: 2, 6: 3}[len(law.tensor)]
    r = ROTATION if d == 3 else np.array([[0.6, -0.8], [0.8, 0.6]])
    q = r if isinstance(law, Conduction) else rotation_matrix(r)
    drives = np.random.default_rng(2).normal(size=(4, len(law.tensor)))
    turned = law.oriented(r)
    expected = law.respond((), drives).flux @ q.T
    assert_allclose(
        turned.respond((), drives @ q.T).flux, expected, rtol=1e-11, atol=1e-12 * np.abs(expected).max()
    )
    assert_allclose(turned.oriented(r.T).tensor, law.tensor, atol=1e-12 * np.abs(law.tensor).max())
    if law.is_isotropic:
        assert_allclose(turned.tensor, law.tensor, atol=1e-12 * np.abs(law.tensor).max())


@pytest.mark.parametrize("law", ALL_LAWS, ids=law_names)
def test_laws_are_positive_immutable_values(law: Law) -> None:
    tensor = law.tensor
    assert np.linalg.eigvalsh(tensor)[0] >= -1e-12 * np.abs(tensor).max()
    with pytest.raises(ValueError, match="read-only"):
        tensor[0, 0] = 1.0
    with pytest.raises(TypeError):
        law.parameters["k"] = 1.0  # type: ignore[index]
    for twin in (copy.deepcopy(law), pickle.loads(pickle.dumps(law))):
        assert np.array_equal(twin.tensor, tensor)
        assert twin.record() == law.record()
    assert law.is_void == (not np.any(tensor))
    assert law.name == "void" if law.is_void else law.name
    assert "nan" not in str(law.record()).lower()
    with pytest.raises(LawError, match="no parameter 'zeta'"):
        law.derivative("zeta")
    with pytest.raises(LawError, match="shape"):
        law.respond((), np.zeros((2, 17)))


# What the constants mean ----------------------------------------------------------------------------------


def strain_under(law: Elasticity, component: int) -> np.ndarray:
    """Full strain tensor under a unit uniaxial or shear stress."""
    stress = np.zeros(6)
    stress[component] = 1.0 if component < 3 else np.sqrt(2)
    return from_mandel(np.linalg.solve(law.tensor, stress))


def test_orthotropic_constants_mean_what_they_say() -> None:
    law = Elasticity.orthotropic(11.0, 0.9, 0.5, 0.37, 0.43, 0.46, 0.75, 0.04, 0.7)
    x, y, z = (strain_under(law, i) for i in range(3))
    assert_allclose([1 / x[0, 0], 1 / y[1, 1], 1 / z[2, 2]], [11.0, 0.9, 0.5], rtol=1e-12)
    assert_allclose(
        [-x[1, 1] / x[0, 0], -y[2, 2] / y[1, 1], -x[2, 2] / x[0, 0]], [0.37, 0.43, 0.46], rtol=1e-12
    )
    yz, xz, xy = (strain_under(law, i) for i in (3, 4, 5))
    assert_allclose(
        [1 / (2 * xy[0, 1]), 1 / (2 * yz[1, 2]), 1 / (2 * xz[0, 2])], [0.75, 0.04, 0.7], rtol=1e-12
    )


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_fibre_constants_mean_what_they_say(axis: int) -> None:
    law = Elasticity.transversely_isotropic(230.0, 15.0, 0.2, 0.4, 24.0, axis=np.eye(3)[axis])
    r, s = [i for i in range(3) if i != axis]
    axial, radial = strain_under(law, axis), strain_under(law, r)
    assert 1 / axial[axis, axis] == pytest.approx(230.0)
    assert 1 / radial[r, r] == pytest.approx(15.0)
    assert -axial[r, r] / axial[axis, axis] == pytest.approx(0.2)
    assert -radial[s, s] / radial[r, r] == pytest.approx(0.4)
    component = {(1, 2): 3, (0, 2): 4, (0, 1): 5}
    shear = strain_under(law, component[min(axis, r), max(axis, r)])
    assert 1 / (2 * shear[axis, r]) == pytest.approx(24.0)
    around = rotate_mandel4(law.tensor, np.array(_rotation_about(axis, 0.7)))
    assert_allclose(around, law.tensor, atol=1e-11)
    k = Conduction.transversely_isotropic(10.0, 1.0, axis=np.eye(3)[axis])
    assert_allclose(np.diag(k.tensor), np.where(np.arange(3) == axis, 10.0, 1.0))


def _rotation_about(axis: int, angle: float) -> np.ndarray:
    r = np.eye(3)
    i, j = [i for i in range(3) if i != axis]
    r[i, i] = r[j, j] = np.cos(angle)
    r[i, j], r[j, i] = -np.sin(angle), np.sin(angle)
    return r


def test_cubic_is_isotropic_at_zener_ratio_one() -> None:
    law = Elasticity.cubic(10.0, 4.0, 3.0)
    assert law.is_isotropic
    assert law.isotropic_parameters == pytest.approx({"K": 6.0, "G": 3.0, "E": 54 / 7, "nu": 2 / 7})
    assert not Elasticity.cubic(10.0, 4.0, 3.1).is_isotropic
    assert_allclose(stiffness_to_voigt(Elasticity.cubic(168.4, 121.4, 75.4).tensor)[3, 3], 75.4)


@pytest.mark.parametrize("symmetry", STIFFNESSES, ids=name_of)
def test_any_two_constants_give_the_same_solid(symmetry: Symmetry) -> None:
    law = Elasticity.isotropic(**{key: SOLID[key] for key in symmetry.keys})
    expected = {key: SOLID[key] for key in ("K", "G", "E", "nu")}
    assert law.isotropic_parameters == pytest.approx(expected)
    swapped = Elasticity.isotropic(**{key: SOLID[key] for key in reversed(symmetry.keys)})
    assert_allclose(swapped.tensor, law.tensor, rtol=1e-12)
    axial = strain_under(law, 0)
    assert 1 / axial[0, 0] == pytest.approx(70.0)
    assert -axial[1, 1] / axial[0, 0] == pytest.approx(0.33)


def test_full_tensors_are_kept() -> None:
    assert_allclose(Elasticity.from_mandel(FULL_STIFFNESS).tensor, FULL_STIFFNESS, rtol=1e-14)
    voigt = stiffness_to_voigt(FULL_STIFFNESS)
    law = Elasticity.from_voigt(voigt, deviation=0.1 * np.abs(voigt))
    assert_allclose(law.tensor, FULL_STIFFNESS, rtol=1e-14)
    assert law.parameters["C14"] == Uncertain(voigt[0, 3], 0.1 * abs(voigt[0, 3]))
    assert law.parameters["C56"].value == voigt[4, 5]
    spread = Elasticity.from_mandel(FULL_STIFFNESS, deviation=0.1 * np.abs(FULL_STIFFNESS))
    assert spread.parameters["C45"].deviation == pytest.approx(0.1 * abs(voigt[3, 4]))
    k = Conduction.anisotropic(FULL_CONDUCTIVITY)
    assert_allclose(k.tensor, FULL_CONDUCTIVITY)
    assert k.parameters["k_yz"].value == 0.3


# Thermal expansion ----------------------------------------------------------------------------------------


def test_free_expansion_is_free_of_stress() -> None:
    law = Thermoelasticity.of(
        Elasticity.from_mandel(FULL_STIFFNESS, orientation=ROTATION), np.array([1.0, 2.0, 3.0, 0.1, 0.2, 0.3])
    )
    local = from_mandel(np.array([1.0, 2.0, 3.0, 0.1, 0.2, 0.3]))
    assert_allclose(from_mandel(law.expansion), rotate2(local, ROTATION), atol=1e-13)
    rise = 4.0
    drive = np.append(rise * law.expansion, rise)[None]
    response = law.respond((), drive)
    assert_allclose(response.flux, 0, atol=1e-11)
    assert response.tangent.shape == (1, 6, 7)
    held = law.respond((), np.append(np.zeros(6), 1.0)[None]).flux[0]
    assert_allclose(held, law.heat_free_stress, rtol=1e-13)


def test_isotropic_heat_free_stress() -> None:
    law = Thermoelasticity.isotropic(E=70.0, nu=0.33, alpha=Uncertain(2e-5, 1e-6))
    assert_allclose(law.heat_free_stress[:3], -3 * SOLID["K"] * 2e-5, rtol=1e-13)
    assert_allclose(law.heat_free_stress[3:], 0, atol=1e-18)
    assert list(law.parameters) == ["E", "nu", "alpha"]
    assert law.parameters["alpha"].deviation == 1e-6
    assert_allclose(law.expansion_derivative("alpha"), to_mandel(np.eye(3)))
    assert not np.any(law.expansion_derivative("E"))
    assert not np.any(law.derivative("alpha"))
    assert_allclose(law.derivative("E"), law.tensor / 70.0, rtol=1e-13)
    with pytest.raises(LawError, match="no parameter"):
        law.expansion_derivative("zeta")


def test_dimensions_must_agree() -> None:
    with pytest.raises(LawError, match="2-D"):
        Thermoelasticity.of(Elasticity.from_mandel(np.eye(3)), np.ones(6))
    with pytest.raises(LawError, match=r"cannot go with"):
        Thermoelasticity(Elasticity.from_mandel(np.eye(3)), Thermoelasticity.void().thermal_expansion)
    assert_allclose(Thermoelasticity.of(Elasticity.from_mandel(np.eye(3)), 2.0).expansion, [2.0, 2.0, 0.0])


# What is refused ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("build", "words"),
    [
        (lambda: Conduction.isotropic(-1.0), "k = -1 is negative"),
        (lambda: Conduction.orthotropic(1.0, -2.0, 3.0), "ky = -2"),
        (lambda: Conduction.anisotropic(np.diag([1.0, 1.0, -0.5])), "eigenvalue is -0.5"),
        (lambda: Conduction.anisotropic(np.array([[1.0, 2.0], [0.0, 1.0]])), "not symmetric"),
        (lambda: Conduction.anisotropic(np.ones((2, 3))), "shape"),
        (lambda: Conduction.anisotropic([[1.0, np.nan], [np.nan, 1.0]]), "finite"),
        (lambda: Conduction.anisotropic([["a", "b"], ["c", "d"]]), "real numbers"),
        (lambda: Conduction.transversely_isotropic(1.0, 1.0, axis=(0.0, 0.0, 0.0)), "non-zero direction"),
        (lambda: Elasticity.isotropic(E=1.0, nu=0.5), r"outside \(-1, 0.5\)"),
        (lambda: Elasticity.isotropic(E=1.0, nu=-1.0), r"outside \(-1, 0.5\)"),
        (lambda: Elasticity.isotropic(E=-1.0, nu=0.3), "E = -1 is negative"),
        (lambda: Elasticity.isotropic(K=1e308, G=1e308), "overflows"),
        (lambda: Conduction.isotropic(True), "must be a number"),
        (lambda: Elasticity.isotropic(E=1.0), "two elastic constants, got 1"),
        (lambda: Elasticity.isotropic(G=1.0, mu=1.0), "do not determine"),
        (lambda: Elasticity.isotropic(K=1.0, G=0.0), "both must be positive"),
        (lambda: Elasticity.isotropic(E=0.0, G=0.0), "do not determine"),
        (lambda: Elasticity.isotropic(E=3.0, G=1.0), "do not determine"),
        (lambda: Elasticity.isotropic(E=4.0, G=1.0), "both must be positive"),
        (lambda: Elasticity.isotropic(lambda_=1.0, nu=0.0), "do not determine"),
        (lambda: Elasticity.cubic(1.0, 2.0, 1.0), "C11 - C12"),
        (lambda: Elasticity.cubic(1.0, -0.6, 1.0), r"C11 \+ 2 C12"),
        (lambda: Elasticity.orthotropic(1.0, 1.0, 1.0, 0.9, 0.9, 0.9, 1.0, 1.0, 1.0), "smallest eigenvalue"),
        (lambda: Elasticity.orthotropic(0.0, 1.0, 1.0, 0.1, 0.1, 0.1, 1.0, 1.0, 1.0), "Elasticity.void"),
        (lambda: Elasticity.transversely_isotropic(1.0, 1.0, 0.1, -1.0, 1.0), "1 \\+ nu_radial"),
        (lambda: Elasticity.from_voigt(np.triu(np.ones((6, 6)))), "not symmetric"),
        (lambda: Elasticity.from_mandel(np.diag([1.0, 1, 1, 1, 1, -1e-3])), "eigenvalue is -0.001"),
        (lambda: Conduction.isotropic(1.0).oriented(2 * np.eye(3)), "not a rotation"),
        (lambda: Conduction.isotropic(1.0).oriented(np.diag([1.0, 1.0, -1.0])), "mirrors"),
        (lambda: Conduction.isotropic(1.0).oriented(np.full((3, 3), np.nan)), "not a rotation"),
        (lambda: Conduction.isotropic(1.0).oriented(np.eye(2)), "3-D"),
        (lambda: Conduction.isotropic(1.0).oriented(np.eye(4)), "shape"),
    ],
)
def test_impossible_materials_are_refused(build: object, words: str) -> None:
    from scalebridge.core.errors import InputError

    with pytest.raises(InputError, match=words):
        build()  # type: ignore[operator]


@given(st.floats(1e-3, 1e3), st.floats(-0.99, 0.499))
def test_isotropic_solid_is_stable_in_the_whole_range(E: float, nu: float) -> None:
    law = Elasticity.isotropic(E=E, nu=nu)
    assert np.linalg.eigvalsh(law.tensor)[0] > 0
    found = law.isotropic_parameters
    assert found is not None
    assert found["E"] == pytest.approx(E, rel=1e-9)
    assert found["nu"] == pytest.approx(nu, rel=1e-9, abs=1e-9)


def test_singular_effective_tensors_are_laws() -> None:
    assert Conduction.anisotropic(np.diag([1.0, 1.0, 0.0])).tensor[2, 2] == 0
    assert not Elasticity.from_mandel(np.diag([1.0, 0, 0, 0, 0, 0])).is_void


def test_transport_names() -> None:
    assert Conduction.isotropic(1.0).transport is CONDUCTION
    assert Conduction.isotropic(1.0, transport=DIFFUSION).transport.unit == "m^2/s"
    assert transport_of_dimension(Dimension.PERMITTIVITY).coefficient == "permittivity"
    assert transport_of_dimension(None) is CONDUCTION
    assert len({transport.name for transport in TRANSPORTS}) == len(TRANSPORTS)


def test_units_are_kept_and_say_which_conduction_is_meant() -> None:
    law = Conduction.isotropic(quantity("0.5+-0.1 W/(m K)"))
    assert law.transport.name == "thermal conduction"
    assert law.name == "isotropic, k=0.5±0.1 W/(m K)"
    assert Conduction.orthotropic(*[quantity("2 S/m")] * 3).transport.unit == "S/m"
    assert Conduction.isotropic(0.5).transport is CONDUCTION
    assert Elasticity.isotropic(E=quantity("210 GPa+-5%"), nu=0.3).name == "isotropic, E=210±10.5 GPa, nu=0.3"
    assert Elasticity.isotropic(E=3e9, nu=0.3).name == "isotropic, E=3e+09, nu=0.3"
