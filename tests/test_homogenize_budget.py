"""A result judges itself: derivatives, uncertainties, error budget and status."""

from __future__ import annotations

import numpy as np
import pytest

from cells import image
from homogenize_cases import FLAT, SOLID, TENSORS, both, checkered, k, laws_of, name_of, solid, strict_record
from physics_assertions import assert_ordered
from scalebridge.cell.boundary import AbstractBoundary, KinematicUniform
from scalebridge.core.status import Status
from scalebridge.core.units import Uncertain
from scalebridge.homogenize.driver import homogenize
from scalebridge.homogenize.result import BUDGET_TERMS, HomogenizationResult
from scalebridge.material import Thermoelasticity


@pytest.mark.parametrize("boundary", TENSORS, ids=name_of)
def test_sensitivities_are_the_derivatives_of_the_result(boundary: AbstractBoundary) -> None:
    labels = image(checkered(FLAT))

    def value(e: float, nu: float) -> HomogenizationResult:
        return homogenize(labels, {0: solid(e, nu), 1: solid(1.0)}, boundary=boundary, residual=1e-9)

    found = {(s.label, s.parameter): s for s in value(5.0, 0.2).sensitivities}
    step = 1e-3
    by_modulus = (value(5 + step, 0.2).value - value(5 - step, 0.2).value) / (2 * step)
    np.testing.assert_allclose(found[0, "E"].derivative, by_modulus, rtol=1e-4, atol=1e-6)
    by_ratio = (value(5.0, 0.2 + step).value - value(5.0, 0.2 - step).value) / (2 * step)
    np.testing.assert_allclose(found[0, "nu"].derivative, by_ratio, rtol=1e-4, atol=1e-4)


def test_uncertain_properties_enter_the_budget() -> None:
    labels = image(checkered(FLAT))
    sharp = homogenize(labels, laws_of(False, 1.0, 10.0))
    assert sharp.error["parameters"].value is None
    vague = homogenize(labels, {0: k(Uncertain(1.0, 0.1)), 1: k(Uncertain(10.0, 2.0))})
    effects = [s.effect for s in vague.sensitivities]
    assert vague.error["parameters"].value == pytest.approx(float(np.hypot(*effects)))
    # k is homogeneous of degree one in the properties (Euler).
    total = sum(s.value * s.derivative for s in vague.sensitivities)
    np.testing.assert_allclose(total, vague.value, rtol=1e-3, atol=1e-3)
    alone = homogenize(image(np.zeros(FLAT, np.uint8)), {0: k(Uncertain(2.5, 0.1))})
    assert alone.error["parameters"].value == pytest.approx(0.04)


def test_thermal_expansion_of_two_phases_obeys_the_formula_of_levin() -> None:
    labels = checkered(SOLID)
    hot = Thermoelasticity.isotropic(E=70.0, nu=0.33, alpha=2.3e-5)
    cold = Thermoelasticity.isotropic(E=400.0, nu=0.2, alpha=4e-6)
    result = homogenize(image(labels), {0: hot, 1: cold}, residual=1e-8)
    share = np.array([np.mean(labels == 0), np.mean(labels == 1)])
    compliances = np.stack([np.linalg.inv(law.tensor) for law in (hot, cold)])
    expansions = np.stack([np.asarray(law.expansion) for law in (hot, cold)])
    mean = np.einsum("p,pij->ij", share, compliances)
    jump = np.linalg.solve(compliances[1] - compliances[0], expansions[1] - expansions[0])
    expected = share @ expansions + (np.linalg.inv(result.value) - mean) @ jump
    np.testing.assert_allclose(result.extra["expansion"], expected, rtol=1e-5, atol=1e-11)
    held = -result.value @ result.extra["expansion"]
    np.testing.assert_allclose(result.extra["heat_free_stress"], held, rtol=1e-6, atol=1e-10)


# Budget and status


def test_the_budget_has_all_terms_and_adds_up() -> None:
    result = homogenize(
        image(checkered((16, 16))), laws_of(False, 1.0, 10.0), conditions=(KinematicUniform(),)
    )
    assert tuple(term.name for term in result.error.terms) == BUDGET_TERMS
    known = [term.value for term in result.error.terms if term.value is not None]
    assert result.error.total == pytest.approx(sum(known))
    assert all(np.isfinite(known))
    assert all(term.how for term in result.error.terms)
    assert result.error["boundary"].value is not None
    assert result.error["boundary"].value > 0
    assert result.error["statistical"].value is None
    assert result.error.next_step
    assert result.resolution is not None
    assert result.resolution.voxels == (4, 8, 16)
    assert result.bracket is not None
    assert_ordered(result.bracket.lower, result.bracket.upper)


def test_accuracy_decides_the_status() -> None:
    labels = image(checkered((16, 16)))
    laws = laws_of(False, 1.0, 1.2)
    loose = homogenize(labels, laws, accuracy=0.5)
    assert (loose.status, loose.status.exit_code, loose.error.met) == (Status.CONVERGED, 0, True)
    strict = homogenize(labels, laws, accuracy=1e-6)
    assert (strict.status, strict.status.exit_code, strict.error.met) == (Status.ACCURACY_NOT_MET, 3, False)
    assert strict.error.largest is not None
    assert strict.error.largest.name == "discretization"
    fixed = homogenize(labels, laws, residual=1e-4)
    assert (fixed.status, fixed.error.accuracy, fixed.error.met) == (Status.CONVERGED, None, None)


@both
def test_a_fixed_residual_is_reached_far_below_single_precision(elastic: bool) -> None:
    labels = image(checkered(FLAT))
    tight = homogenize(labels, laws_of(elastic, 1.0, 10.0), residual=1e-10)
    assert tight.solver.residual <= 1.5e-10
    assert tight.checks["symmetry"] < 1e-8
    loose = homogenize(labels, laws_of(elastic, 1.0, 10.0), residual=1e-3)
    assert loose.solver.residual > 1e-8
    gap = np.linalg.norm(loose.value - tight.value) / np.linalg.norm(tight.value)
    assert 0 < gap <= 1e-4
    assert max(loose.solver.iterations) < max(tight.solver.iterations)


def test_an_accuracy_is_not_vouched_for_without_the_essential_terms() -> None:
    """An elastic image too small to be coarsened: nothing says what its voxels miss."""
    labels, laws = image(checkered(FLAT)), laws_of(True, 1.0, 2.0)
    result = homogenize(labels, laws, accuracy=0.5)
    assert result.error["discretization"].value is None
    assert result.error.total < 0.5
    assert (result.error.met, result.status, result.status.exit_code) == (False, Status.ACCURACY_NOT_MET, 3)
    assert result.error.largest is result.error["discretization"]
    assert "8 voxels" in result.error.next_step
    record = strict_record(result)
    assert record["status"] == "accuracy_not_met"
    assert record["error"]["discretization"] is None  # type: ignore[index]
    assert any("discretization error was not assessed" in words for words in record["warnings"])  # type: ignore[attr-defined]
    assert "without the discretization error" in str(result)
    assert "not confirmed" in str(result)
    fixed = homogenize(labels, laws, residual=1e-4)
    assert (fixed.status, fixed.error.met, fixed.error.reservation) == (Status.CONVERGED, None, "")
    assert not any("accuracy" in words for words in fixed.warnings)


def test_zero_by_connection_is_exact_and_met() -> None:
    labels = np.ones(FLAT, np.uint8)
    labels[2:4, 1:3] = 0
    result = homogenize(image(labels), laws_of(True, 2.0, 0.0))
    assert (result.status, result.error.met, result.error["discretization"].value) == (
        Status.CONVERGED,
        True,
        0.0,
    )
