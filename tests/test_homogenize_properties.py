"""What holds for any small image, whatever its phases."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from cells import image
from homogenize_cases import ALL_CONDITIONS, FLAT, SOLID, checkered, laws_of, strict_record
from physics_assertions import assert_ordered, assert_positive, assert_symmetric
from scalebridge.cell.boundary import AbstractBoundary, KinematicUniform, Periodic, StaticUniform
from scalebridge.cell.moments import moments_of
from scalebridge.core.status import Status
from scalebridge.homogenize.driver import homogenize
from scalebridge.homogenize.exact_relations import two_phase_expansion
from scalebridge.homogenize.result import HomogenizationResult
from scalebridge.material import Conduction, Elasticity, Thermoelasticity
from scalebridge.material.law import AbstractLaw
from scalebridge.numerics.mandel import rotate_mandel, rotate_mandel4


@given(
    seed=st.integers(0, 10**6),
    phases=st.integers(1, 3),
    elastic=st.booleans(),
    void=st.booleans(),
    condition=st.sampled_from(ALL_CONDITIONS),
)
@settings(max_examples=40)
def test_any_image_gives_a_tensor_within_its_bounds_or_an_exact_zero(
    seed: int, phases: int, elastic: bool, void: bool, condition: AbstractBoundary
) -> None:
    rng = np.random.default_rng(seed)
    labels = checkered(FLAT, phases, seed)
    values = list(10.0 ** rng.uniform(-2, 2, phases))
    if void and phases > 1:
        values[0] = 0.0
    result = homogenize(image(labels), laws_of(elastic, *values), boundary=condition)
    assert np.isfinite(result.value).all()
    assert_symmetric(result.value + 1e-300, 1e-6)
    assert_positive(result.value, 1e-5)
    assert result.status in (Status.CONVERGED, Status.ACCURACY_NOT_MET)
    if result.bounds is not None:
        slack = 10 * (result.error["algebraic"].value or 0.0) + 1e-6
        assert_ordered(result.value, result.bounds.voigt, slack, "above Voigt")
        if not void or phases == 1:
            assert_ordered(result.bounds.reuss, result.value, slack, "below Reuss")
    strict_record(result)


@given(seed=st.integers(0, 10**6), elastic=st.booleans())
@settings(max_examples=12)
def test_conditions_are_ordered_and_shifts_do_not_matter(seed: int, elastic: bool) -> None:
    labels, laws = checkered(FLAT, 2, seed), laws_of(elastic, 1.0, 9.0)
    stiffest, periodic, softest = (
        homogenize(image(labels), laws, boundary=b, residual=1e-6).value
        for b in (KinematicUniform(), Periodic(), StaticUniform())
    )
    assert_ordered(periodic, stiffest, 1e-5, "periodic above kinematic")
    assert_ordered(softest, periodic, 1e-5, "static above periodic")
    shifted = homogenize(image(np.roll(labels, (2, 1), (0, 1))), laws, residual=1e-6).value
    np.testing.assert_allclose(shifted, periodic, rtol=1e-5, atol=1e-5)


# Three dimensions, with thermal expansion


NUMBERS = st.floats(0.05, 20.0)
SOLIDS = settings(max_examples=5)
TIGHT = {"residual": 1e-9}


def cube(seed: int, phases: int = 2) -> np.ndarray:
    return checkered(SOLID, phases, seed)


def hot(seed: int, phases: int, stiffer: float = 1.0, wider: float = 1.0) -> list[AbstractLaw]:
    """Isotropic, cubic and orthotropic phases that all expand differently along their axes."""
    rng = np.random.default_rng(seed + 77)
    found: list[AbstractLaw] = []
    for number in range(phases):
        young, ratio = stiffer * 10.0 ** rng.uniform(-1, 1), rng.uniform(0.0, 0.4)
        elastic = Elasticity.isotropic(E=young, nu=ratio)
        if number == 1:
            c12 = rng.uniform(0.2, 0.6) * young
            elastic = Elasticity.cubic(young, c12, rng.uniform(0.2, 1.0) * young)
        expansion = wider * rng.uniform(-1.0, 3.0, 6) * [1, 1, 1, 0.2, 0.2, 0.2]
        found.append(Thermoelasticity.of(elastic, expansion))
    return found


def solved(
    labels: np.ndarray, phases: list[AbstractLaw], spacing: tuple[float, ...] | None = None
) -> HomogenizationResult:
    return homogenize(image(labels, spacing), dict(enumerate(phases)), **TIGHT)


@given(seed=st.integers(0, 10**6), phases=st.integers(2, 3))
@SOLIDS
def test_any_solid_is_symmetric_between_its_bounds_and_keeps_its_energy(seed: int, phases: int) -> None:
    result = solved(cube(seed, phases), hot(seed, phases))
    assert result.bounds is not None
    assert_symmetric(result.value, 1e-12)
    assert_positive(result.value, 1e-12)
    assert_ordered(result.value, result.bounds.voigt, 1e-8, "above Voigt")
    assert_ordered(result.bounds.reuss, result.value, 1e-8, "below Reuss")
    assert result.checks["hill_mandel"] < 1e-8
    assert result.checks["symmetry"] < 1e-8
    held = -result.value @ result.extra["expansion"]
    np.testing.assert_allclose(result.extra["heat_free_stress"], held, atol=1e-9 * np.abs(held).max())
    strict_record(result)


@given(seed=st.integers(0, 10**6))
@SOLIDS
def test_levin_follows_from_the_mean_strains_of_any_two_phases(seed: int) -> None:
    """The formula (tensor alone) against Hill's reciprocity (mean strains of the phases alone)."""
    laws = hot(seed, 2)
    result = solved(cube(seed), laws)
    assert result.solution is not None
    means = moments_of(result.solution).phase_drive
    assert means is not None
    stress = np.stack([law.tensor @ law.expansion for law in laws])  # type: ignore[attr-defined]
    held = -np.einsum("pa,pja->j", stress, means)
    np.testing.assert_allclose(result.extra["heat_free_stress"], held, atol=1e-7 * np.abs(held).max())
    first, second = ((law.tensor, law.expansion) for law in laws)  # type: ignore[attr-defined]
    expected = two_phase_expansion(first, second, result.value)
    np.testing.assert_allclose(result.extra["expansion"], expected, atol=1e-8 * np.abs(expected).max())


@given(seed=st.integers(0, 10**6), shift=st.tuples(*[st.integers(0, 4)] * 3))
@SOLIDS
def test_a_shifted_and_relabelled_cell_is_the_same_material(seed: int, shift: tuple[int, ...]) -> None:
    labels, laws = cube(seed, 3), hot(seed, 3)
    one = solved(labels, laws)
    order = np.random.default_rng(seed).permutation(3)
    renamed = np.argsort(order)[labels].astype(np.uint8)
    other = solved(np.roll(renamed, shift, (0, 1, 2)), [laws[n] for n in order])
    size = np.abs(one.value).max()
    np.testing.assert_allclose(other.value, one.value, atol=1e-8 * size)
    reach = np.abs(one.extra["expansion"]).max()
    np.testing.assert_allclose(other.extra["expansion"], one.extra["expansion"], atol=1e-6 * reach)


@given(seed=st.integers(0, 10**6), axes=st.permutations(range(3)))
@SOLIDS
def test_exchanged_axes_exchange_the_components(seed: int, axes: list[int]) -> None:
    labels, laws, edges = cube(seed), hot(seed, 2), (1e-6, 2e-6, 3e-6)
    rotation = np.eye(3)[axes]  # axis i of the new image is axis axes[i] of the old one
    one = solved(labels, laws, edges)
    exchanged = [
        Thermoelasticity.of(
            Elasticity.from_mandel(rotate_mandel4(law.tensor, rotation)),  # type: ignore[attr-defined]
            rotate_mandel(law.expansion, rotation),  # type: ignore[attr-defined]
        )
        for law in laws
    ]
    other = solved(np.ascontiguousarray(labels.transpose(axes)), exchanged, tuple(edges[a] for a in axes))
    size = np.abs(one.value).max()
    np.testing.assert_allclose(other.value, rotate_mandel4(one.value, rotation), atol=1e-8 * size)
    expected = rotate_mandel(one.extra["expansion"], rotation)
    np.testing.assert_allclose(other.extra["expansion"], expected, atol=1e-7 * np.abs(expected).max())


@given(seed=st.integers(0, 10**6), stiffer=NUMBERS, wider=NUMBERS)
@SOLIDS
def test_stiffness_and_expansion_scale_with_their_properties(seed: int, stiffer: float, wider: float) -> None:
    labels = cube(seed)
    one, other = solved(labels, hot(seed, 2)), solved(labels, hot(seed, 2, stiffer, wider))
    size = stiffer * np.abs(one.value).max()
    np.testing.assert_allclose(other.value, stiffer * one.value, atol=1e-8 * size)
    expected = wider * one.extra["expansion"]
    np.testing.assert_allclose(other.extra["expansion"], expected, atol=1e-7 * np.abs(expected).max())
    assert other.extra["heat_free_stress"] @ one.extra["heat_free_stress"] > 0


@given(seed=st.integers(0, 10**6), axes=st.permutations(range(3)))
@settings(max_examples=4)
def test_a_conductor_in_space_is_bracketed_and_follows_its_axes(seed: int, axes: list[int]) -> None:
    labels = checkered((4, 4, 4), 2, seed)
    rng = np.random.default_rng(seed)
    diagonals = 10.0 ** rng.uniform(-1, 1, (2, 3))
    laws = [Conduction.anisotropic(np.diag(d)) for d in diagonals]
    one = solved(labels, laws)  # type: ignore[arg-type]
    assert one.bracket is not None
    assert one.bounds is not None
    assert_ordered(one.bracket.lower, one.bracket.upper, 1e-9)
    assert_ordered(one.value, one.bounds.voigt, 1e-9)
    assert_ordered(one.bounds.reuss, one.value, 1e-9)
    exchanged = [Conduction.anisotropic(np.diag(d[list(axes)])) for d in diagonals]
    other = solved(np.ascontiguousarray(labels.transpose(axes)), exchanged)  # type: ignore[arg-type]
    np.testing.assert_allclose(
        other.value, one.value[np.ix_(axes, axes)], atol=1e-7 * np.abs(one.value).max()
    )
