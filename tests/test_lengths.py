"""Correlation lengths, integral ranges and long-range correlation on media where they are known."""

from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.testing import assert_allclose

from scalebridge.core.errors import ImageError
from scalebridge.grid import PhaseImage, VoxelGrid
from scalebridge.microstructure.generators.covariances import Exponential, PowerLaw
from scalebridge.microstructure.generators.gaussian_field import GaussianLevelCut
from scalebridge.microstructure.generators.generator import AbstractGenerator
from scalebridge.microstructure.generators.voronoi_mosaic import VoronoiMosaic
from scalebridge.microstructure.statistics import (
    IntegralRange,
    average_curves,
    block_variances,
    correlation_length,
    integral_range,
    long_range,
    two_point,
)
from scalebridge.microstructure.statistics.block_variance import block_means
from scalebridge.microstructure.statistics.closed_forms import (
    POISSON_VORONOI_INTEGRAL_RANGE,
    debye_integral_range,
    debye_two_point,
)
from scalebridge.microstructure.statistics.lengths import covariance_window
from scalebridge.microstructure.statistics.two_point import centred_two_point


def phases(labels: np.ndarray, spacing: tuple[float, ...] | None = None) -> PhaseImage:
    return PhaseImage(labels, VoxelGrid(labels.shape, spacing))


def debye(shape: tuple[int, ...], length: float, *, periodic: bool = True) -> GaussianLevelCut:
    return GaussianLevelCut(shape, 0.5, Exponential(length), periodic=periodic, of_indicator=True)


def ranges(medium: AbstractGenerator, count: int) -> list[IntegralRange]:
    return [integral_range(medium.realize(seed).image, 1, periodic=medium.periodic) for seed in range(count)]


def check_against(found: list[IntegralRange], exact: float, precision: float) -> None:
    """Both ways agree with the exact value within their scatter, and with each other; the scatter is as they say."""
    for values, said in (
        ([f.value for f in found], [f.standard_error for f in found]),
        ([f.from_blocks for f in found], [f.from_blocks_error for f in found]),
    ):
        error = float(np.std(values, ddof=1)) / math.sqrt(len(found))
        assert error < precision * exact
        assert float(np.mean(values)) == pytest.approx(exact, abs=3.5 * error)
        assert 0.4 < np.std(values, ddof=1) / np.mean(said) < 1.7
    assert np.mean([f.agree for f in found]) > 0.9


@pytest.mark.parametrize(
    ("shape", "cell", "count", "periodic"),
    [((192, 192), 144.0, 24, True), ((160, 160), 144.0, 24, False), ((48, 48, 48), 216.0, 10, True)],
)
def test_a_poisson_voronoi_mosaic(shape: tuple[int, ...], cell: float, count: int, periodic: bool) -> None:
    """1.280 (2-D) and 1.179 (3-D) mean cell volumes."""
    medium = VoronoiMosaic(shape, cell, periodic=periodic)
    check_against(ranges(medium, count), POISSON_VORONOI_INTEGRAL_RANGE[len(shape)] * cell, 0.1)


def test_debyes_two_point_function_is_reproduced() -> None:
    medium = debye((256, 256), 6.0)
    curve = average_curves(two_point(medium.realize(s).image, 1, periodic=True).radial() for s in range(8))
    exact = debye_two_point(curve.distances, 0.5, 6.0)
    assert curve.standard_error is not None
    near = curve.distances < 30
    assert np.all(np.abs(curve.values - exact)[near] < 4 * curve.standard_error[near] + 2e-3)


@pytest.mark.parametrize(
    ("shape", "length", "count", "periodic"),
    [((256, 256), 4.0, 24, True), ((192, 192), 3.0, 24, False), ((64, 64, 64), 2.5, 10, True)],
)
def test_debyes_medium(shape: tuple[int, ...], length: float, count: int, periodic: bool) -> None:
    medium = debye(shape, length, periodic=periodic)
    check_against(ranges(medium, count), debye_integral_range(length, len(shape)), 0.1)


def test_independent_voxels_are_their_own_integral_range() -> None:
    image = phases(np.random.default_rng(0).integers(0, 2, (128, 128)), (2.0, 3.0))
    found = integral_range(image, 1, periodic=True)
    assert found.value == pytest.approx(6.0, rel=0.1)
    assert found.samples == pytest.approx(128 * 128, rel=0.1)
    assert found.fraction_error == pytest.approx(0.5 / 128, rel=0.1)


def test_the_fraction_error_is_the_scatter_of_realizations() -> None:
    medium = debye((128, 128), 3.0)
    found = ranges(medium, 30)
    scatter = np.std([medium.realize(s).image.fractions[1] for s in range(30)], ddof=1)
    said = math.sqrt(np.mean([f.fraction_error**2 for f in found]))
    assert scatter == pytest.approx(said, rel=0.35)


def test_correlation_lengths_follow_axes_and_spacing() -> None:
    image = debye((256, 256), 6.0).realize(1).image
    plain = correlation_length(two_point(image, 1, periodic=True))
    assert plain.e_folding == pytest.approx(6.0, rel=0.15)
    assert plain.integral_scale == pytest.approx(6.0, rel=0.2)
    assert plain.decayed == (True, True)
    scaled = correlation_length(two_point(phases(image.labels, (2e-6, 2e-6)), 1, periodic=True))
    assert scaled.e_folding == pytest.approx(2e-6 * plain.e_folding)
    medium = GaussianLevelCut((256, 256), 0.5, Exponential(4.0), of_indicator=True, stretch=(3.0, 1.0))
    axes = correlation_length(two_point(medium.realize(0).image, 1, periodic=True)).axes
    assert axes[0] / axes[1] == pytest.approx(3.0, rel=0.25)


def test_stretched_media_have_the_range_of_their_stretched_cells() -> None:
    medium = GaussianLevelCut((288, 192), 0.5, Exponential(3.0), of_indicator=True, stretch=(2.5, 1.0))
    found = [integral_range(medium.realize(s).image, 1, periodic=True).value for s in range(16)]
    exact = 2.5 * debye_integral_range(3.0, 2)
    assert np.mean(found) == pytest.approx(exact, abs=3.5 * np.std(found, ddof=1) / 4)
    assert np.std(found, ddof=1) < 0.4 * exact


def test_block_means_and_their_variance_by_hand() -> None:
    labels = np.arange(30).reshape(5, 6) % 4 == 0
    means = block_means(labels, (2, 3))
    assert_allclose(means, [[labels[a : a + 2, b : b + 2].mean() for b in (0, 2, 4)] for a in (0, 2)])
    blocks = block_variances(phases(np.kron(labels, np.ones((2, 2))).astype(int)), 1, smallest=(2, 2))
    assert blocks.counts.tolist() == [4, 9, 16]
    assert blocks.edges.tolist() == [[5, 6], [3, 4], [2, 3]]
    assert blocks.variances[0] == pytest.approx(
        block_means(np.kron(labels, np.ones((2, 2), bool)), (2, 2)).var(ddof=1)
    )


def test_the_block_factor_tends_to_one() -> None:
    window = covariance_window(centred_two_point(debye((128, 128), 3.0).realize(0).image, 1, periodic=True))
    factors = [window.block_factor((b, b)) for b in (4, 16, 64, 100_000)]
    assert np.all(np.diff(factors) > 0)
    assert factors[-1] == pytest.approx(1.0 - window.tail, abs=0.1)
    # All blocks of a periodic row together hold the whole integral.
    shares = sum(window.block_factor((32, 100_000), (k, 0)) for k in range(-3, 4))
    assert shares == pytest.approx(factors[-1], rel=1e-3)


@pytest.mark.parametrize("periodic", [True, False])
def test_power_law_media_have_no_representative_volume(periodic: bool) -> None:
    medium = GaussianLevelCut((256, 256), 0.5, PowerLaw(2.0, 0.8), periodic=periodic)
    found = [long_range(medium.realize(s).image, 1, periodic=periodic) for s in range(6)]
    assert sum(bool(f.found) for f in found) >= 4
    assert all(f.found is not False or f.exponent < 1 for f in found)
    assert all("No representative volume exists at this size" in f.words for f in found if f.found)
    assert np.mean([f.exponent for f in found]) < 0.85
    in_space = GaussianLevelCut((64, 64, 64), 0.5, PowerLaw(1.5, 1.0)).realize(0).image
    assert long_range(in_space, 1, periodic=True).found


@pytest.mark.parametrize(
    "medium",
    [
        debye((256, 256), 3.0),
        debye((192, 192), 4.0, periodic=False),
        debye((64, 64, 64), 2.0),
        VoronoiMosaic((192, 192), 100.0),
    ],
    ids=["debye", "debye window", "debye 3-D", "mosaic"],
)
def test_short_range_media_are_not_accused(medium: AbstractGenerator) -> None:
    found = [long_range(medium.realize(s).image, 1, periodic=medium.periodic) for s in range(12)]
    assert not any(f.found for f in found)
    exponents = [f.exponent for f in found]
    assert np.mean(exponents) == pytest.approx(1.0, abs=0.25 if isinstance(medium, VoronoiMosaic) else 0.1)
    assert np.std(exponents, ddof=1) < 1.5 * np.mean([f.standard_error for f in found])
    assert "No long-range correlation is seen" in found[0].words


def test_rough_interfaces_are_no_long_correlations_and_weak_ones_are_left_open() -> None:
    rough = GaussianLevelCut((256, 256), 0.4, Exponential(3.0), periodic=False)
    found = [long_range(rough.realize(s).image, 1, periodic=False).found for s in range(16)]
    assert found.count(True) <= 1
    assert found.count(False) >= 12
    far = GaussianLevelCut((128, 128), 0.4, PowerLaw(3.0, 0.5), periodic=False)
    seen = [long_range(far.realize(s).image, 1, periodic=False) for s in range(16)]
    assert sum(f.found is False for f in seen) <= 8, "one image is no evidence that correlations end"
    assert any("one image cannot tell that from 1 / V" in f.words for f in seen if f.found is None)


def test_structures_as_long_as_the_image_are_seen() -> None:
    columns = np.broadcast_to(np.random.default_rng(0).integers(0, 2, (1, 64)), (64, 64))
    found = long_range(phases(columns), 1, periodic=False)
    assert found.found
    assert "has not fallen to 1/e within half" in found.words
    assert correlation_length(two_point(phases(columns), 1, periodic=False)).decayed == (False, True)


def test_too_small_images_are_left_undecided() -> None:
    found = long_range(debye((24, 24), 3.0).realize(3).image, 1, periodic=True)
    assert found.found is None
    assert "cannot be told" in found.words


def test_a_phase_without_fluctuation_is_refused() -> None:
    with pytest.raises(ImageError, match="fills the image"):
        integral_range(phases(np.ones((8, 8), np.uint8)), 1, periodic=True)
    image = phases(np.random.default_rng(0).integers(0, 2, (8, 8)))
    with pytest.raises(ImageError, match="of one phase"):
        correlation_length(two_point(image, 0, 1, periodic=True))
