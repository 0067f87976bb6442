"""Laws by name: what every entry takes, functions of one's own, and answers to mistakes."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest
from numpy.testing import assert_allclose

from scalebridge.core.errors import LawError, UnitError
from scalebridge.material.laws import LinearLaw, MooneyRivlin, NeoHooke, catalogue
from scalebridge.material.laws.catalogue import CATALOGUE, law_from_words, law_names
from scalebridge.material.laws.crystal import CubicCrystal

OWN = """
import jax.numpy as jnp
from scalebridge.material import SMALL_STRAIN
from scalebridge.material.laws import EnergyLaw


def energy(strain, parameters):
    return parameters["G"] * jnp.sum(strain**2)


def soft(G=1.0):
    return EnergyLaw(energy, {"G": G}, SMALL_STRAIN)


def nothing():
    return 3


fixed = EnergyLaw(energy, {"G": 2.0}, SMALL_STRAIN)
"""


@pytest.mark.parametrize("one", CATALOGUE, ids=lambda one: one.name)
def test_every_entry_is_complete(one: Any) -> None:
    assert one.name == one.name.lower()
    assert len(one.summary) > 10
    with pytest.raises(LawError, match=f"'{one.name}' needs"):
        law_from_words(one.name, {})
    with pytest.raises(LawError, match="has no parameter 'colour'"):
        law_from_words(one.name, {"colour": 1})


def test_names_are_unique() -> None:
    assert len(set(law_names())) == len(law_names())


def test_elastic_constants_with_units() -> None:
    law = law_from_words("Neo_Hooke", {"E": "2 MPa", "nu": 0.25})
    assert isinstance(law, NeoHooke)
    assert_allclose([law.bulk, law.shear], [4e6 / 3, 0.8e6])
    law = law_from_words("neo-hooke", {"lambda": "1 GPa", "mu": "1e9 Pa"})
    assert isinstance(law, NeoHooke)
    assert_allclose([law.bulk, law.shear], [5e9 / 3, 1e9])
    law = law_from_words("linear", {"K": 3.0, "G": 1.0})
    assert isinstance(law, LinearLaw)
    assert_allclose(law.tensor[0, 0], 3 + 4 / 3)


def test_other_parameters_lists_and_short_names() -> None:
    law = law_from_words("mooney-rivlin", {"c10": "0.3 MPa", "c01": "100 kPa", "K": "1 GPa"})
    assert isinstance(law, MooneyRivlin)
    assert_allclose(law.bulk, 1e9)
    record = law_from_words("ogden", {"moduli": "1 MPa, -20 kPa", "exponents": [1.5, -4], "K": 1e9}).record()
    assert record["moduli"] == [1e6, -2e4]
    table = {"temperatures": [300, "400 K"], "conductivities": "1 W/(m K), 2 W/(m K)"}
    assert law_from_words("temperature-dependent-conduction", table).record()["conductivities"] == [1.0, 2.0]
    law = law_from_words("power-law conduction", {"k": "2 S/m", "n": 3, "reference": 5})
    assert law.record()["reference"] == 5.0


@pytest.mark.parametrize(
    ("name", "words", "message"),
    [
        ("neohook", {}, "no law 'neohook'; did you mean 'neo-hooke'.*Known: linear"),
        ("linear", {"E": 1.0}, "needs two elastic constants, got E"),
        ("linear", {"E": 1.0, "poisson": 0.3}, "no parameter 'poisson'"),
        ("linear", {"E": 1.0, "nu": 0.5}, "below 1/2"),
        ("ogden", {"modulii": 1.0}, "no parameter 'modulii'; did you mean 'moduli'"),
        ("neo-hooke", {"K": 1.0, "G": -1.0}, "shear > 0"),
        ("neo-hooke", {"K": None, "G": 1.0}, "K must be a number"),
        ("neo-hooke", {"E": 1e6, "nu": -1}, "E = 1e\\+06 and nu = -1 give .* expected bulk > 0"),
        ("linear", {"E": 9e9, "K": 1e9}, "do not|give a bulk modulus"),
        ("linear", {"K": 1e9, "lambda": 2e9}, "lambda = 2e\\+09 give .* shear modulus of -1.5e\\+09"),
        ("linear", {"E": 0.0, "nu": 0.3}, 'A label without stiffness is the law "void"'),
        ("j2", {"E": 10**400, "nu": 0.3}, "E must be a number"),
        ("norton", {"rat": 1.0}, r"did you mean 'rate'\? It takes two of E"),
        ("nowhere.py:law", {}, "no file nowhere.py"),
        ("no_such_module:law", {}, "cannot be loaded"),
    ],
)
def test_mistakes_are_answered(name: str, words: dict[str, Any], message: str) -> None:
    with pytest.raises(LawError, match=message):
        law_from_words(name, words)


HISTORY = {
    "j2": {"yield_stress": "100 MPa", "hardening": "1 GPa", "kinematic": "2 GPa"},
    "finite-strain-j2": {"yield_stress": 1e8, "saturation": "50 MPa", "saturation_rate": 20},
    "maxwell": {"shear_moduli": "1 GPa, 2 GPa", "shear_times": "1 s, 1 min"},
    "norton": {"rate": "3.6 1/h", "stress": "50 MPa", "n": 5},
    "damage": {"threshold": "0.1 %", "softening": 0.01},
    "mazars-damage": {"threshold": 1e-3, "softening": 0.01},
}


@pytest.mark.parametrize("name", HISTORY)
def test_laws_with_a_history_have_names(name: str) -> None:
    record = law_from_words(name, {"E": "70 GPa", "nu": 0.3, **HISTORY[name]}).record()
    assert_allclose(record["shear"], 70e9 / 2.6)


CRYSTAL = {
    "C11": "170 GPa", "C12": "124 GPa", "C44": "75 GPa", "resistance": "16 MPa", "saturation": 0,
    "hardening_rate": 0, "rate": "1e-3 /s", "n": 10,
}  # fmt: skip


def test_rates_have_a_unit() -> None:
    rates = [
        law_from_words("fcc-crystal", {**CRYSTAL, "rate": r}).record()["rate"] for r in (1e-3, "1e-3 Hz")
    ]
    assert rates == [1e-3, 1e-3]
    assert_allclose(law_from_words("fcc-crystal", {**CRYSTAL, "rate": "6 %/min"}).record()["rate"], 1e-3)
    with pytest.raises(UnitError, match=r"rate: .*unit of a time; expected a rate"):
        law_from_words("fcc-crystal", {**CRYSTAL, "rate": "1 ms"})


def test_crystals_have_an_orientation() -> None:
    """Turned by Euler angles, by the matrix that they mean, and by what is done to each axis, step by step."""
    turned = law_from_words("fcc-crystal", {**CRYSTAL, "orientation": "30deg, 90deg, 0.2"})
    assert isinstance(turned, CubicCrystal)
    axes = np.eye(3)  # columns: the axes of the crystal, turned with each angle about axes of their own
    for angle, (i, j) in ((np.pi / 6, (0, 1)), (np.pi / 2, (1, 2)), (0.2, (0, 1))):
        a, b = axes[:, i].copy(), axes[:, j].copy()
        axes[:, i] = np.cos(angle) * a + np.sin(angle) * b
        axes[:, j] = np.cos(angle) * b - np.sin(angle) * a
    assert_allclose(turned.orientation, axes, atol=1e-15)
    same = law_from_words("fcc-crystal", {**CRYSTAL, "orientation": list(axes.reshape(-1))})
    assert isinstance(same, CubicCrystal)
    assert_allclose(same.orientation, axes, atol=1e-15)
    assert_allclose(law_from_words("fcc-crystal", CRYSTAL).record()["orientation"], np.eye(3))
    for orientation, message in (("1, 2", "three Euler angles.*got 2"), ([1] * 9, "rotation matrix")):
        with pytest.raises(LawError, match=message):
            law_from_words("fcc-crystal", {**CRYSTAL, "orientation": orientation})


def test_a_file_is_loaded_once_until_it_changes(tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    path.write_text(OWN)
    first, second = (law_from_words(f"{path}:soft", {"G": g}) for g in (1.0, 2.0))
    assert jax.tree.structure(first) == jax.tree.structure(second), (
        "two kinds of law, each compiled for itself"
    )
    path.write_text(OWN.replace("G=1.0", "G=7.0"))
    os.utime(path, ns=(1, 1))
    assert law_from_words(f"{path}:soft", {}).record()["parameters"] == {"G": 7.0}


def test_a_file_that_ends_the_program_is_a_mistake(tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    path.write_text("import sys\nsys.exit(0)\n")
    with pytest.raises(LawError, match="cannot be loaded: SystemExit"):
        law_from_words(f"{path}:soft", {})


def test_an_uncertainty_is_refused() -> None:
    with pytest.raises(UnitError, match="E: an uncertainty is not carried along"):
        law_from_words("linear", {"E": "70+-3 GPa", "nu": 0.3})


def test_a_wrong_unit_names_the_parameter() -> None:
    with pytest.raises(UnitError, match=r"G: .*length"):
        law_from_words("neo-hooke", {"K": 1.0, "G": "1 mm"})


def test_a_function_in_a_file(tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    path.write_text(OWN)
    law = law_from_words(f"{path}:soft", {"G": "3 MPa"})
    assert_allclose(law.respond((), np.ones((1, 6)), want=("flux",)).flux, 6e6)
    assert law_from_words(f"{path}:fixed", {}).name == "energy"
    for words, message in (
        (("sof", {}), "has no 'sof'; did you mean 'soft'"),
        (("soft", {"E": 1}), "cannot be called with E"),
        (("nothing", {}), "returned a int; expected a law"),
        (("fixed", {"G": 1}), "takes no parameters"),
    ):
        with pytest.raises(LawError, match=message):
            law_from_words(f"{path}:{words[0]}", words[1])


def test_laws_of_installed_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    point = catalogue.importlib.metadata.EntryPoint(
        "spring", "scalebridge.material.laws.catalogue:linear_solid", "scalebridge.laws"
    )
    monkeypatch.setattr(catalogue, "_offered", lambda: (point,))
    assert "spring" in law_names()
    assert isinstance(law_from_words("spring", {"bulk": 1.0, "shear": "1 Pa"}), LinearLaw)
