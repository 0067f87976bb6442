"""Thermal expansion of a cell: exact relations, derivatives against independent solves, given uncertainties."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from cells import image
from scalebridge.cell.boundary import AbstractBoundary, KinematicUniform, Periodic, StaticUniform
from scalebridge.core.units import Uncertain
from scalebridge.grid import PhaseImage
from scalebridge.homogenize.driver import homogenize
from scalebridge.homogenize.exact_relations import two_phase_expansion
from scalebridge.homogenize.json_record import to_json
from scalebridge.homogenize.result import HomogenizationResult, Sensitivity
from scalebridge.homogenize.thermal import uniform_strain
from scalebridge.material import Thermoelasticity
from scalebridge.material.plane import PlaneState

SOLID, FLAT = (4, 5, 3), (6, 5)
TENSORS = (Periodic(), KinematicUniform(), StaticUniform())
ALUMINIUM = {"E": 70.0, "nu": 0.33, "alpha": 2.3e-5}
ALUMINA = {"E": 400.0, "nu": 0.2, "alpha": 4e-6}
STEP = 3e-4  # of the property, to either side
POLYMER = {"E": 3.0, "nu": 0.4, "alpha": 7e-5}

by_condition = pytest.mark.parametrize("boundary", TENSORS, ids=lambda b: b.name)


def speckled(shape: tuple[int, ...], phases: int = 2) -> PhaseImage:
    labels = np.random.default_rng(7).integers(0, phases, shape).astype(np.uint8)
    labels.reshape(-1)[:phases] = np.arange(phases)
    return image(labels)


def solved(labels: PhaseImage, *phases: dict[str, float], **options) -> HomogenizationResult:
    laws = {
        n: Thermoelasticity.isotropic(**p) if p else Thermoelasticity.void() for n, p in enumerate(phases)
    }
    return homogenize(labels, laws, **{"residual": 1e-10} | options)


def by_name(result: HomogenizationResult) -> dict[tuple[int, str], Sensitivity]:
    return {(s.label, s.parameter): s for s in result.sensitivities}


def assert_derivatives(
    labels: PhaseImage, phases: list[dict[str, float]], *, only: int | None = None, **options
) -> None:
    """Every derivative against the central difference of two independent solves, to 1e-5 of the largest entry."""
    found = by_name(solved(labels, *phases, **options))
    for number, phase in enumerate(phases):
        if only is not None and number != only:
            continue
        for name, value in phase.items():
            ends = []
            for sign in (1, -1):
                moved = [dict(p) for p in phases]
                moved[number][name] = value * (1 + sign * STEP)
                ends.append(solved(labels, *moved, **options))
            mine = found[number, name]
            for key, derivative in (
                ("expansion", mine.expansion),
                ("heat_free_stress", mine.heat_free_stress),
            ):
                difference = (ends[0].extra[key] - ends[1].extra[key]) / (2 * STEP * value)
                assert derivative is not None
                # Relative to what a relative change of the property can do at all.
                size = max(np.abs(difference).max(), 1e-3 * np.abs(ends[0].extra[key]).max() / value)
                np.testing.assert_allclose(
                    derivative, difference, rtol=0, atol=1e-5 * size, err_msg=f"{name} {key}"
                )


@by_condition
def test_two_phases_obey_the_formula_of_levin_to_round_off(boundary: AbstractBoundary) -> None:
    """Even a rough solve does: the error of the expansion is a product of two small ones."""
    rough = solved(speckled(SOLID), ALUMINIUM, ALUMINA, residual=1e-2, boundary=boundary)
    first, second = (Thermoelasticity.isotropic(**p) for p in (ALUMINIUM, ALUMINA))
    expected = two_phase_expansion(
        (first.tensor, first.expansion), (second.tensor, second.expansion), rough.value
    )
    np.testing.assert_allclose(rough.extra["expansion"], expected, rtol=1e-9, atol=1e-15)
    np.testing.assert_allclose(
        rough.extra["heat_free_stress"], -rough.value @ rough.extra["expansion"], rtol=1e-9
    )


def test_the_self_test_of_levin_still_sees_a_rough_solve() -> None:
    def gap(residual: float) -> float:
        found = solved(speckled(SOLID), ALUMINIUM, ALUMINA, residual=residual)
        words = next(v.message for v in found.validity if v.assumption == "self-test")
        return float(words.rsplit("to ", 1)[1].rstrip("."))

    assert gap(1e-10) < 1e-8 < gap(1e-2)


@by_condition
def test_derivatives_of_the_expansion_with_two_phases(boundary: AbstractBoundary) -> None:
    assert_derivatives(speckled(FLAT), [ALUMINIUM, ALUMINA], boundary=boundary)


@pytest.mark.parametrize("plane", PlaneState)
def test_derivatives_of_the_expansion_in_the_plane(plane: PlaneState) -> None:
    assert_derivatives(speckled(FLAT), [POLYMER, ALUMINA], plane=plane, only=0)


def test_derivatives_of_the_expansion_in_space() -> None:
    assert_derivatives(speckled(SOLID), [ALUMINIUM, ALUMINA], only=1)


def test_derivatives_of_the_expansion_beside_a_void() -> None:
    labels = np.zeros(FLAT, np.uint8)
    labels[2:4, 1:3] = 1
    assert_derivatives(image(labels), [ALUMINIUM, {}], only=0)


def test_of_three_phases_the_expansions_have_derivatives_and_the_rest_is_said_to_be_missing() -> None:
    labels, phases = speckled(FLAT, 3), [ALUMINIUM, ALUMINA, POLYMER]
    up, down = (
        solved(labels, ALUMINIUM, ALUMINA, POLYMER | {"alpha": a}).extra["expansion"] for a in (8e-5, 6e-5)
    )
    known = by_name(solved(labels, *phases))
    np.testing.assert_allclose(known[2, "alpha"].expansion, (up - down) / 2e-5, atol=1e-6)
    assert known[2, "E"].expansion is None
    vague = {n: Thermoelasticity.isotropic(**p) for n, p in enumerate(phases)}
    vague[2] = Thermoelasticity.isotropic(**(POLYMER | {"E": Uncertain(3.0, 0.1)}))
    result = homogenize(labels, vague, residual=1e-8)
    assert any("uncertainty of E of phase 2" in words for words in result.warnings)
    assert "uncertainty of E of phase 2" in result.error["parameters"].how, (
        "the budget claims what it leaves out"
    )
    entries = {(s["label"], s["parameter"]): s for s in to_json(result)["sensitivities"]}
    assert entries[2, "E"]["expansion_derivative"] is entries[2, "E"]["expansion_effect"] is None
    assert entries[2, "alpha"]["expansion_derivative"] is not None
    assert not any("uncertainty of" in words for words in solved(labels, *phases).warnings)


def test_a_uniform_strain_exists_for_two_phases_and_for_equal_expansions() -> None:
    laws = [Thermoelasticity.isotropic(**p) for p in (ALUMINIUM, ALUMINA, POLYMER)]
    stiffness = np.stack([law.tensor for law in laws])
    stress = np.stack([law.tensor @ law.expansion for law in laws])
    found = uniform_strain(stiffness[:2], stress[:2])
    assert found is not None
    np.testing.assert_allclose(stiffness[0] @ found - stress[0], stiffness[1] @ found - stress[1], rtol=1e-9)
    assert uniform_strain(stiffness, stress) is None
    alike = np.einsum("pab,b->pa", stiffness, laws[0].expansion)
    np.testing.assert_allclose(uniform_strain(stiffness, alike), laws[0].expansion, rtol=1e-8, atol=1e-18)
    softer = Thermoelasticity.isotropic(K=70.0, G=20.0, alpha=1e-5)  # equal bulk moduli: no such strain
    harder = Thermoelasticity.isotropic(K=70.0, G=50.0, alpha=2e-5)
    pair = np.stack([softer.tensor, harder.tensor])
    assert uniform_strain(pair, np.stack([law.tensor @ law.expansion for law in (softer, harder)])) is None


def test_given_uncertainties_reach_the_expansion() -> None:
    labels = speckled(FLAT)
    sharp = {n: Thermoelasticity.isotropic(**p) for n, p in enumerate((ALUMINIUM, ALUMINA))}
    vague = {**sharp, 0: Thermoelasticity.isotropic(**(ALUMINIUM | {"alpha": Uncertain(2.3e-5, 1e-6)}))}
    result = homogenize(labels, vague, residual=1e-8)
    one = by_name(result)[0, "alpha"]
    assert one.effect == 0.0
    assert one.expansion_effect > 0.01
    assert result.error["parameters"].value == pytest.approx(one.expansion_effect)
    stiff = {**sharp, 1: Thermoelasticity.isotropic(**(ALUMINA | {"E": Uncertain(400.0, 20.0)}))}
    both = homogenize(labels, stiff, residual=1e-8)
    moved = by_name(both)[1, "E"]
    up, down = (
        solved(labels, ALUMINIUM, ALUMINA | {"E": e}).extra["expansion"] for e in (400.0 + 0.4, 400.0 - 0.4)
    )
    change = np.linalg.norm(up - down) / 0.8 * 20.0 / np.linalg.norm(both.extra["expansion"])
    assert moved.expansion_effect == pytest.approx(change, rel=1e-4)
    assert both.error["parameters"].value == pytest.approx(max(moved.effect, moved.expansion_effect))


def test_the_record_holds_the_derivatives_in_its_own_components() -> None:
    result = solved(speckled(FLAT), ALUMINIUM, ALUMINA)
    entry = next(s for s in to_json(result)["sensitivities"] if (s["label"], s["parameter"]) == (0, "E"))
    mine = by_name(result)[0, "E"]
    root = np.sqrt(2.0)
    np.testing.assert_allclose(entry["expansion_derivative"], mine.expansion * [1, 1, root])
    np.testing.assert_allclose(entry["heat_free_stress_derivative"], mine.heat_free_stress / [1, 1, root])
    plain = dataclasses.replace(mine, expansion=None, heat_free_stress=None)
    assert (
        "expansion_derivative"
        not in to_json(dataclasses.replace(result, sensitivities=(plain,)))["sensitivities"][0]
    )
