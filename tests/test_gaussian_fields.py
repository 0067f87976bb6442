"""Gaussian fields and their level cuts: correlations, two-point functions, Debye's medium, power laws."""

from __future__ import annotations

import math

import numpy as np
import pytest
import scipy.integrate
import scipy.stats
from numpy.testing import assert_allclose, assert_array_equal

from scalebridge.core.errors import ImageError, ResourceError
from scalebridge.microstructure.generators import level_cut
from scalebridge.microstructure.generators.circulant_embedding import embed, even_transform, octant_distance
from scalebridge.microstructure.generators.covariances import (
    AbstractCovariance,
    DampedCosine,
    Exponential,
    Gaussian,
    Oscillating,
    PowerLaw,
)
from scalebridge.microstructure.generators.gaussian_field import GaussianLevelCut, coincidence, exceedance

COVARIANCES = [
    Exponential(3.0),
    Gaussian(2.5),
    Oscillating(12.0, 4.0),
    DampedCosine(25.0, 2.2),
    PowerLaw(2.0, 1.0),
    PowerLaw(2.0, 4.5),
]


def _names(value: object) -> str:
    return str(value)


@pytest.mark.parametrize("dimensions", [2, 3])
@pytest.mark.parametrize("covariance", COVARIANCES, ids=_names)
def test_covariances_are_positive_definite_and_their_integrals_right(
    covariance: AbstractCovariance, dimensions: int
) -> None:
    covariance.check(dimensions)
    assert float(covariance.value(np.zeros(()))) == 1.0
    torus = (240, 240) if dimensions == 2 else (90, 90, 90)
    spectrum = even_transform(covariance.value(octant_distance(torus)), torus)
    # What is negative comes from the torus: a correlation that has not decayed at half of it is cut there.
    assert spectrum.min() > -2e-3 * spectrum.max()

    def shell(r: float) -> float:
        return 2 * (dimensions - 1) * math.pi * r ** (dimensions - 1) * float(covariance.value(np.array(r)))

    if math.isinf(covariance.integral(dimensions)):
        near, far = (scipy.integrate.quad(shell, 0, r, limit=500)[0] for r in (100, 1000))
        assert far > 5 * near
    else:
        total = scipy.integrate.quad(shell, 0, 60, limit=500)[0]
        total += scipy.integrate.quad(shell, 60, np.inf, limit=500)[0] if "Law" in str(covariance) else 0.0
        assert covariance.integral(dimensions) == pytest.approx(total, rel=1e-4)


def test_a_damped_cosine_is_refused_where_it_is_not_positive_definite() -> None:
    for dimensions, ratio in ((2, 1.0), (3, math.tan(math.pi / 6))):
        longest = ratio * 20 / (2 * math.pi)
        DampedCosine(20.0, longest).check(dimensions)
        with pytest.raises(ImageError, match="decay_length"):
            DampedCosine(20.0, 1.01 * longest).check(dimensions)
        torus = (256,) * 2 if dimensions == 2 else (96,) * 3
        values = DampedCosine(20.0, 1.5 * longest).value(octant_distance(torus))
        assert even_transform(values, torus).min() < -1.0


@pytest.mark.parametrize("wrong", [0.0, -1.0, math.nan, math.inf])
def test_lengths_of_covariances_must_be_positive(wrong: float) -> None:
    for make in (Exponential, Gaussian, lambda x: Oscillating(x, 1.0), lambda x: PowerLaw(1.0, x)):
        with pytest.raises(ImageError, match="must be a positive number"):
            make(wrong)


@pytest.mark.parametrize("fraction", [0.5, 0.3, 0.07, 0.9])
def test_two_point_function_of_a_cut_is_the_bivariate_normal_probability(fraction: float) -> None:
    level = level_cut.threshold(fraction)
    correlations = np.array([-0.95, -0.4, 0.0, 0.1, 0.5, 0.9, 0.999])
    expected = [
        scipy.stats.multivariate_normal([0, 0], [[1, r], [r, 1]]).cdf([-level, -level]) for r in correlations
    ]
    assert_allclose(level_cut.cut_two_point(fraction, correlations), expected, atol=2e-9)
    assert level_cut.cut_two_point(fraction, np.array(1.0)) == pytest.approx(fraction)
    covariance = level_cut.cut_covariance(fraction, correlations)
    back, excess = level_cut.field_correlation(fraction, covariance)
    assert_allclose(level_cut.cut_covariance(fraction, back), covariance, atol=1e-9)
    assert_allclose(back[2:], correlations[2:], atol=1e-6)
    assert excess == 0


def test_arcsine_law_and_infeasible_covariances() -> None:
    correlations = np.linspace(-1, 1, 11)
    assert_allclose(
        level_cut.cut_covariance(0.5, correlations), np.arcsin(correlations) / (2 * np.pi), atol=1e-12
    )
    # No two-point probability is negative: a covariance below -p^2 cannot be.
    back, excess = level_cut.field_correlation(0.2, np.array([0.16, -0.06]))
    assert excess == pytest.approx(0.02, abs=1e-6)
    assert_allclose(back[0], 1.0)


@pytest.mark.parametrize("torus", [(12, 7), (5, 6, 8), (1, 9), (4, 1, 5)])
def test_even_transform_is_the_fourier_transform(torus: tuple[int, ...]) -> None:
    distance = octant_distance(torus, (1.0, 2.0, 0.5)[: len(torus)])
    octant = np.exp(-distance) + np.cos(distance)
    full = octant[np.ix_(*[np.minimum(np.arange(n), n - np.arange(n)) for n in torus])]
    expected = np.fft.fftn(full)[tuple(slice(n // 2 + 1) for n in torus)]
    assert_allclose(expected.imag, 0, atol=1e-10)
    assert_allclose(even_transform(octant, torus), expected.real, atol=1e-10)
    assert_allclose(even_transform(even_transform(octant, torus), torus), octant * math.prod(torus))


@pytest.mark.parametrize("torus", [(32, 27), (12, 10, 9)])
def test_fields_have_the_correlation_they_were_made_for(torus: tuple[int, ...]) -> None:
    aimed = Gaussian(1.5).value(octant_distance(torus))
    embedding = embed(aimed, torus, "a test")
    assert embedding.clipped_share < 1e-3
    assert_allclose(embedding.correlation(), aimed, atol=2e-3)
    random, total = np.random.default_rng(5), np.zeros(embedding.amplitude.shape)
    octant = tuple(slice(n // 2 + 1) for n in torus)
    for _ in range(300):
        field = embedding.sample(random)
        assert field.dtype == np.float32
        assert field.shape == torus
        power = np.abs(np.fft.fftn(field)) ** 2
        total += np.fft.ifftn(power).real[octant] / math.prod(torus) / 300
    assert_allclose(total, aimed, atol=0.03)


def test_fields_do_not_depend_on_the_number_of_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    embedding = embed(Exponential(3.0).value(octant_distance((30, 32, 18))), (30, 32, 18), "a test")
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    one = embedding.sample(np.random.default_rng(3))
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    two = embedding.sample(np.random.default_rng(3))
    assert_array_equal(one, two)


def _sampled(generator: GaussianLevelCut, seeds: int, pairs: list[tuple[int, int]]) -> np.ndarray:
    """(seeds, pairs) coincidences of label 1 at (axis, lag)."""
    drawn = [generator.realize(seed).image.labels for seed in range(seeds)]
    return np.array([[coincidence(x, axis, lag, generator.periodic) for axis, lag in pairs] for x in drawn])


@pytest.mark.parametrize("periodic", [True, False])
@pytest.mark.parametrize("covariance", COVARIANCES, ids=_names)
def test_two_point_functions_of_level_cuts_are_the_analytic_ones(
    covariance: AbstractCovariance, periodic: bool
) -> None:
    generator = GaussianLevelCut((60, 48), 0.3, covariance, periodic=periodic)
    pairs = [(0, 1), (1, 2), (0, 4), (1, 6), (0, 9), (1, 15)]
    found = _sampled(generator, 300, pairs)
    error = found.std(axis=0, ddof=1) / math.sqrt(len(found))
    expected = generator.two_point(np.array([lag for _, lag in pairs]))
    assert np.all(np.abs(found.mean(axis=0) - expected) < 4 * error)
    assert np.all(error < 0.01)


def test_two_point_function_in_space() -> None:
    generator = GaussianLevelCut((24, 20, 22), 0.6, Gaussian(2.0))
    found = _sampled(generator, 100, [(0, 1), (1, 2), (2, 4)])
    error = found.std(axis=0, ddof=1) / 10
    assert np.all(np.abs(found.mean(axis=0) - generator.two_point(np.array([1, 2, 4]))) < 4 * error)


@pytest.mark.parametrize(("shape", "fraction"), [((64, 64), 0.5), ((64, 64), 0.25), ((24, 24, 24), 0.4)])
def test_debye_medium_has_an_exponential_correlation(shape: tuple[int, ...], fraction: float) -> None:
    generator = GaussianLevelCut(shape, fraction, Exponential(3.0), of_indicator=True)
    embedding, excess = generator.embedding()
    assert excess < 1e-9
    assert embedding.clipped_share < 4e-3
    # What the field's correlation gives for the indicator, at every lag: diagonal ones too.
    reached = level_cut.cut_covariance(fraction, embedding.correlation())
    aimed = fraction * (1 - fraction) * np.exp(-octant_distance(shape) / 3.0)
    assert_allclose(reached, aimed, atol=5e-3 * fraction * (1 - fraction))
    lags = np.array([1, 2, 3, 6, 9])
    found = _sampled(generator, 200, [(0, int(lag)) for lag in lags])
    expected = fraction**2 + fraction * (1 - fraction) * np.exp(-lags / 3.0)
    assert_allclose(generator.two_point(lags), expected)
    error = found.std(axis=0, ddof=1) / math.sqrt(len(found))
    assert np.all(np.abs(found.mean(axis=0) - expected) < 4 * error)


def test_a_smooth_indicator_covariance_is_refused() -> None:
    # Every two-phase image has a surface: its covariance falls linearly at first, a Gaussian does not.
    with pytest.raises(ImageError, match=r"indicator has no Gaussian field .* would be negative"):
        GaussianLevelCut((64, 64), 0.5, Gaussian(5.0), of_indicator=True).realize(0)


def test_fractions_fluctuate_as_the_covariance_says() -> None:
    """The variance of the fraction of a window is the mean of C over its pairs of voxels: V^(-beta/d), not 1/V."""
    covariance, variances = PowerLaw(1.5, 0.8), []
    for n in (16, 64):
        generator = GaussianLevelCut((n, n), 0.3, covariance, periodic=False)
        lag = np.arange(-n + 1, n)
        pairs = (n - np.abs(lag))[:, None] * (n - np.abs(lag))[None, :]
        distance = np.hypot(lag[:, None], lag[None, :])
        expected = np.sum(pairs * (generator.two_point(distance) - 0.09)) / n**4
        fractions = [generator.realize(seed).image.fractions.get(1, 0.0) for seed in range(400)]
        # The variance of 400 draws scatters by about 7 % (the fractions are not far from normal).
        assert np.var(fractions) == pytest.approx(expected, rel=0.25)
        assert abs(np.mean(fractions) - 0.3) < 4 * math.sqrt(expected / 400)
        variances.append(np.var(fractions))
    assert variances[0] / variances[1] < 5  # sixteen times the area; 16^0.4 = 3.03 in the limit


def test_power_law_tails_are_there() -> None:
    generator = GaussianLevelCut((128, 128), 0.5, PowerLaw(2.0, 0.6))
    lags = np.array([15, 30, 60])
    found = _sampled(generator, 200, [(0, 0), *((0, int(lag)) for lag in lags)])
    # Centred with the ensemble's fraction: <(I - p) (I' - p)> = S2 - 2 p f + p^2, f being S2 at lag zero.
    covariance = found[:, 1:] - found[:, :1] + 0.25
    error = covariance.std(axis=0, ddof=1) / math.sqrt(len(found))
    expected = np.arcsin((lags / 2.0) ** -0.6) / (2 * np.pi)  # 1 + r^2 / l^2 differs by 1.8 % at 15 voxels
    assert np.all(np.abs(covariance.mean(axis=0) - expected) < 4 * error)
    assert np.all(covariance.mean(axis=0) > 5 * error)


def test_exact_fractions_and_ties() -> None:
    generator = GaussianLevelCut((30, 31), 0.4, Gaussian(3.0), exact_fraction=True)
    assert int(generator.realize(1).image.labels.sum()) == round(0.4 * 930)
    flat = np.array([[1.0, 2.0, 2.0], [2.0, 2.0, 0.0]], np.float32)
    assert_array_equal(exceedance(flat, 0.5), [[0, 1, 1], [1, 0, 0]])
    assert exceedance(flat, 0.0).sum() == 0
    assert exceedance(flat, 1.0).sum() == 6


def test_stretched_media_are_anisotropic() -> None:
    generator = GaussianLevelCut((96, 96), 0.5, Exponential(3.0), stretch=(3.0, 1.0))
    found = _sampled(generator, 100, [(0, 9), (1, 3), (1, 9)]).mean(axis=0)
    assert found[0] == pytest.approx(found[1], abs=0.01)
    assert found[0] == pytest.approx(float(generator.two_point(np.array(3.0))), abs=0.01)
    assert found[2] < found[0] - 0.03


def test_impossible_level_cuts() -> None:
    for fraction in (0.0, 1.0, -0.1, math.nan):
        with pytest.raises(ImageError, match="fraction"):
            GaussianLevelCut((8, 8), fraction, Gaussian(2.0))
    with pytest.raises(ImageError, match="stretch"):
        GaussianLevelCut((8, 8), 0.5, Gaussian(2.0), stretch=(1.0, 2.0, 3.0))
    with pytest.raises(ImageError, match="decay_length"):
        GaussianLevelCut((8, 8, 8), 0.5, DampedCosine(10.0, 10.0))
    with pytest.raises(ResourceError, match="Gaussian field"):
        GaussianLevelCut((6000, 6000, 6000), 0.5, Gaussian(2.0)).realize(0)
