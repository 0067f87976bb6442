"""Laws from named properties: every symmetry class can be given, every mistake is answered."""

from __future__ import annotations

import contextlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from material_examples import ALL_SYMMETRIES, FULL_STIFFNESS, SOLID, name_of, values_of
from scalebridge.core.errors import LawError
from scalebridge.core.units import Dimension, Uncertain, parse_uncertain
from scalebridge.material import Conduction, Elasticity, Physics, Thermoelasticity
from scalebridge.material.from_properties import accepted_properties, dimension_of, law_from_properties
from scalebridge.material.physics import ELECTRICAL, THERMAL
from scalebridge.material.symmetry import Symmetry, TensorKind
from scalebridge.numerics.mandel import stiffness_to_voigt

PHYSICS = {
    TensorKind.CONDUCTIVITY: Physics.CONDUCTION,
    TensorKind.STIFFNESS: Physics.ELASTICITY,
    TensorKind.EXPANSION: Physics.THERMOELASTICITY,
}


def is_plane(symmetry: Symmetry) -> bool:
    plane_size = 6 if symmetry.kind is TensorKind.STIFFNESS else 3
    return symmetry.name == "anisotropic" and len(symmetry.keys) == plane_size


GIVABLE = [symmetry for symmetry in ALL_SYMMETRIES if symmetry.keys and not is_plane(symmetry)]


@pytest.mark.parametrize("symmetry", GIVABLE, ids=name_of)
def test_every_symmetry_class_can_be_given(symmetry: Symmetry) -> None:
    values = values_of(symmetry)
    elastic = {"E": 1.0, "nu": 0.3} if symmetry.kind is TensorKind.EXPANSION else {}
    law = law_from_properties(PHYSICS[symmetry.kind], {**elastic, **values})
    assert set(law.parameters) == {*elastic, *symmetry.keys}
    tensor = law.thermal_expansion.tensor if isinstance(law, Thermoelasticity) else law.tensor
    assert_allclose(tensor, symmetry.formula(values), rtol=1e-14)


def test_short_forms() -> None:
    solid = law_from_properties("elasticity", {"E": 70.0, "nu": Uncertain(0.33, 0.01)})
    assert solid.parameters["nu"].deviation == 0.01
    assert_allclose(solid.tensor, Elasticity.isotropic(E=70.0, nu=0.33).tensor)
    lame = {"lambda": SOLID["lambda_"], "mu": SOLID["mu"]}
    assert_allclose(law_from_properties("elasticity", lame).tensor, solid.tensor, rtol=1e-13)
    names = ("Ex", "Ey", "Ez", "nuxy", "nuyz", "nuxz", "Gxy", "Gyz", "Gxz")
    nine = dict(zip(names, (1.0, 2.0, 3.0, 0.1, 0.1, 0.1, 1.0, 1.0, 1.0), strict=True))
    assert law_from_properties("elasticity", nine).parameters["E_y"].value == 2.0
    three = law_from_properties("conduction", {"k_x": 1, "k_y": 2, "k_z": 3})
    assert_allclose(three.tensor, np.diag([1.0, 2, 3]))
    along_y = law_from_properties("conduction", {"k_axial": 5.0, "k_radial": 1.0, "axis": "y"})
    assert_allclose(along_y.tensor, np.diag([1.0, 5.0, 1.0]), atol=1e-15)
    voigt = stiffness_to_voigt(FULL_STIFFNESS)
    full = {f"C{i + 1}{j + 1}": voigt[i, j] for i in range(6) for j in range(i, 6)}
    assert_allclose(law_from_properties("elasticity", full).tensor, FULL_STIFFNESS, rtol=1e-13)


def test_fibre_expansion_turns_with_its_axis() -> None:
    names = ("E_axial", "E_radial", "nu_axial", "nu_radial", "G_axial")
    fibre = dict(zip(names, (230.0, 15.0, 0.2, 0.4, 24.0), strict=True))
    expansion = {"alpha_axial": 1.0, "alpha_radial": 2.0}
    law = law_from_properties("thermoelasticity", {**fibre, **expansion, "axis": "x"})
    assert isinstance(law, Thermoelasticity)
    assert_allclose(law.expansion, [1, 2, 2, 0, 0, 0], atol=1e-14)
    assert stiffness_to_voigt(law.tensor)[0, 0] > 200


def test_voids() -> None:
    assert law_from_properties("conduction", {"k": 0}).is_void
    assert law_from_properties("elasticity", {"E": 0, "nu": 0.3}).is_void
    assert law_from_properties("elasticity", {"K": 0, "G": 0}).is_void
    void = law_from_properties("thermoelasticity", {"E": 0, "nu": 0.3})
    assert isinstance(void, Thermoelasticity)
    assert void.is_void


def test_units_name_the_transport() -> None:
    for text, transport in (("2.5+-0.1 W/(m K)", THERMAL), ("3 S/m", ELECTRICAL)):
        value = parse_uncertain(text, dimension_of("conduction", "k"))
        law = law_from_properties("conduction", {"k": value})
        assert isinstance(law, Conduction)
        assert law.transport is transport
    with pytest.raises(LawError, match="different things"):
        law_from_properties(
            "conduction",
            {k: parse_uncertain(f"1 {u}", None) for k, u in (("kx", "S/m"), ("ky", "W/m/K"), ("kz", "S/m"))},
        )


def test_dimensions_of_properties() -> None:
    assert dimension_of("elasticity", "E") == (Dimension.PRESSURE,)
    assert dimension_of("elasticity", "nu_xy") == (Dimension.DIMENSIONLESS,)
    assert dimension_of("thermoelasticity", "alpha") == (Dimension.EXPANSION,)
    assert Dimension.DIFFUSIVITY in (dimension_of("conduction", "k") or ())
    assert dimension_of("conduction", "axis") is None
    assert "alpha" in accepted_properties("thermoelasticity")


@pytest.mark.parametrize(
    ("physics", "properties", "words"),
    [
        ("conduction", {"kk": 1.0}, "Did you mean 'k'"),
        ("conduction", {"conductivity": 1.0}, "Unknown property 'conductivity'"),
        ("conduction", {}, "No conductivity"),
        ("conduction", {"k": 1.0, "kx": 1.0}, "do not belong together"),
        ("conduction", {"kx": 1.0, "ky": 1.0}, "kz is missing"),
        ("conduction", {"kx": 1.0, "k_x": 1.0}, "given twice"),
        ("conduction", {"k": 1.0, "axis": "x"}, "axis belongs"),
        ("conduction", {"k_axial": 1.0, "k_radial": 1.0, "axis": "w"}, "give x, y or z"),
        ("conduction", {"E": 1.0, "nu": 0.3}, "Unknown property 'E' for conduction"),
        ("elasticity", {"E": 1.0}, "nu is missing"),
        ("elasticity", {"E": 1.0, "nu": 0.3, "K": 1.0}, "do not belong together"),
        ("elasticity", {"E": 1.0, "Nu": 0.3}, "Did you mean 'nu'"),
        ("elasticity", {"C11": 1.0, "C12": 0.3}, "C44 is missing"),
        ("elasticity", {"E": 1.0, "nu": 0.3, "alpha": 1.0}, "Unknown property 'alpha' for elasticity"),
        ("elasticity", {"E": -1.0, "nu": 0.3}, "negative"),
        ("thermoelasticity", {"E": 1.0, "nu": 0.3}, "No thermal expansion"),
        ("thermoelasticity", {"alpha": 1.0}, "No stiffness"),
        ("thermoelasticity", {"E": 1.0, "nu": 0.3, "alfa": 1.0}, "Did you mean 'alpha'"),
        ("elastic", {"E": 1.0}, "Did you mean elasticity"),
    ],
)
def test_mistakes_are_answered(physics: str, properties: dict[str, object], words: str) -> None:
    with pytest.raises(LawError, match=words):
        law_from_properties(physics, properties)


@settings(max_examples=300)
@given(
    st.sampled_from(list(Physics)),
    st.dictionaries(
        st.sampled_from(["k", "kx", "E", "nu", "K", "G", "C11", "C12", "C44", "alpha", "axis", "x", ""])
        | st.text(max_size=6),
        st.floats() | st.just("x"),
        max_size=4,
    ),
)
def test_anything_gives_a_law_or_a_message(physics: Physics, properties: dict[str, object]) -> None:
    with contextlib.suppress(LawError):
        law = law_from_properties(physics, properties)
        assert np.all(np.isfinite(law.tensor))
