"""Two-point functions: equal to counting pairs, and to closed forms on generated media."""

from __future__ import annotations

import math
import sys

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from scalebridge.core.errors import ImageError
from scalebridge.grid import PhaseImage, VoxelGrid
from scalebridge.microstructure import checkerboard, laminate, voronoi_polycrystal
from scalebridge.microstructure.generators.overlapping_spheres import OverlappingSpheres
from scalebridge.microstructure.statistics import (
    Curve,
    average_curves,
    centred_two_point,
    directional,
    two_point,
)
from scalebridge.microstructure.statistics.closed_forms import overlapping_spheres_two_point


def phases(labels: np.ndarray, spacing: tuple[float, ...] | None = None) -> PhaseImage:
    return PhaseImage(labels, VoxelGrid(labels.shape, spacing))


def counted(first: np.ndarray, second: np.ndarray, lag: list[int], periodic: bool) -> float:
    """Share of the pairs x, x + lag with x in the first and x + lag in the second, by looking at all of them."""
    axes = tuple(range(first.ndim))
    if periodic:
        return float(np.mean(first & np.roll(second, [-h for h in lag], axes)))
    here = tuple(slice(max(0, -h), n - max(0, h)) for h, n in zip(lag, first.shape, strict=True))
    there = tuple(slice(max(0, h), n + min(0, h)) for h, n in zip(lag, first.shape, strict=True))
    return float(np.mean(first[here] & second[there]))


@pytest.mark.parametrize("periodic", [True, False])
@pytest.mark.parametrize("second", [1, 2])
@pytest.mark.parametrize("shape", [(5, 6, 4), (7, 4)])
def test_every_lag_is_what_counting_pairs_gives(shape: tuple[int, ...], second: int, periodic: bool) -> None:
    labels = np.random.default_rng(3).integers(0, 3, shape)
    function = two_point(phases(labels), 1, second, periodic=periodic)
    for index in np.ndindex(*function.values.shape):
        lag = [int(function.lags(k)[i]) for k, i in enumerate(index)]
        expected = counted(labels == 1, labels == second, lag, periodic)
        assert function.values[index] == pytest.approx(expected, abs=1e-12), lag


def test_lag_zero_is_the_fraction_and_phases_sum_to_one() -> None:
    image = voronoi_polycrystal((24, 24), 3, seed=1).image
    total = sum(two_point(image, a, b, periodic=False).values for a in image.present for b in image.present)
    assert_allclose(total, 1.0, atol=1e-12)
    function = two_point(image, 1, periodic=False)
    assert function.values[0, 0] == pytest.approx(image.fractions[1])
    assert function.covariance[0, 0] == pytest.approx(function.variance)
    assert two_point(image, 1, 2, periodic=True).variance == pytest.approx(
        -image.fractions[1] * image.fractions[2]
    )


def test_a_checkerboard_alternates_and_a_laminate_is_straight() -> None:
    function = two_point(checkerboard(8), 1, periodic=True)
    assert_allclose(function.along(0).values, [0.5, 0.375, 0.25, 0.125, 0.0], atol=1e-12)
    layers = two_point(laminate((4, 8), 1, [0.5, 0.5]), 0, periodic=False)
    assert_allclose(layers.along(0).values, 0.5, atol=1e-12)


def test_the_padding_takes_any_reach_and_periodic_images_none() -> None:
    image = phases(np.random.default_rng(0).integers(0, 2, (9, 10)))
    short, long = (two_point(image, 1, periodic=False, reach=r) for r in (2, (8, 9)))
    assert short.values.shape == (5, 5)
    assert long.values.shape == (17, 19)
    assert_allclose(short.along(1).values, long.along(1).values[:3], atol=1e-12)
    with pytest.raises(ImageError, match="does not fit"):
        two_point(image, 1, periodic=False, reach=9)
    with pytest.raises(ImageError, match="leave the reach out"):
        two_point(image, 1, periodic=True, reach=2)
    with pytest.raises(ImageError, match="no voxel with the label 7"):
        two_point(image, 7, periodic=True)
    with pytest.raises(ImageError, match="axes 0 to 1"):
        two_point(image, 1, periodic=True).along(2)


def test_one_axis_alone_gives_the_same_line() -> None:
    image = phases(np.random.default_rng(1).integers(0, 2, (6, 7, 9)))
    for periodic in (True, False):
        function = two_point(image, 1, periodic=periodic)
        for axis in range(3):
            line = directional(image, 1, axis, periodic=periodic)
            assert_allclose(line.values, function.along(axis).values, atol=1e-12)
            assert_allclose(line.weights, function.along(axis).weights)


def test_shells_are_of_physical_length() -> None:
    """The same medium on voxels twice as long along z: its radial average is that of the cubic image."""
    medium = OverlappingSpheres((48, 48, 48), 8.0, 0.5).realize(4).image
    flat = phases(medium.labels[:, :, ::2].copy(), (1.0, 1.0, 2.0))
    cubic, stretched = (two_point(one, 1, periodic=True).radial(width=2.0) for one in (medium, flat))
    assert np.all(np.abs(np.diff(stretched.distances) - 2) < 0.7)
    at = np.interp(cubic.distances, stretched.distances, stretched.values)
    assert_allclose(at[:12], cubic.values[:12], atol=0.006)


def test_radial_averages_weigh_lags_with_their_pairs() -> None:
    image = phases(np.random.default_rng(5).integers(0, 2, (6, 5)))
    function = two_point(image, 1, periodic=False)
    radial = function.radial()
    near = [(1, 0), (-1, 0), (0, 1), (0, -1), (1, 1), (1, -1), (-1, 1), (-1, -1)]
    weights = [(6 - abs(i)) * (5 - abs(j)) for i, j in near]
    assert radial.weights[1] == sum(weights)
    assert radial.values[1] == pytest.approx(np.average([function.values[h] for h in near], weights=weights))
    assert radial.distances[1] == pytest.approx(np.average([math.hypot(*h) for h in near], weights=weights))


@pytest.mark.parametrize(("shape", "radius"), [((48, 48, 48), 5.0), ((160, 160), 6.0)])
def test_overlapping_spheres_have_their_closed_form(shape: tuple[int, ...], radius: float) -> None:
    medium = OverlappingSpheres(shape, radius, 0.45)
    curve = average_curves(two_point(medium.realize(s).image, 0, periodic=True).radial() for s in range(5))
    exact = overlapping_spheres_two_point(curve.distances, 0.55, radius, len(shape))
    assert curve.standard_error is not None
    assert_allclose(curve.values, exact, atol=4 * float(curve.standard_error.max()))
    assert float(curve.standard_error.max()) < 0.03
    assert exact[0] == pytest.approx(0.55)
    assert exact[-1] == pytest.approx(0.55**2)


def test_the_standard_error_is_that_of_the_mean() -> None:
    rng = np.random.default_rng(0)
    distances = np.arange(3.0)
    values = rng.normal(2.0, 0.3, (50, 3))
    curve = average_curves(Curve(distances, v, np.ones(3)) for v in values)
    assert_allclose(curve.values, values.mean(axis=0))
    assert curve.standard_error is not None
    assert_allclose(curve.standard_error, values.std(axis=0, ddof=1) / math.sqrt(50))
    assert curve.realizations == 50
    assert_array_equal(curve.weights, 50.0)
    with pytest.raises(ImageError, match="at least two"):
        average_curves([curve])
    with pytest.raises(ImageError, match="same distances"):
        average_curves([curve, Curve(distances + 1, values[0], np.ones(3))])


@pytest.mark.parametrize("periodic", [True, False])
def test_the_centred_function_is_the_covariance_about_the_mean_of_the_image(periodic: bool) -> None:
    labels = np.random.default_rng(2).integers(0, 2, (7, 8))
    image = phases(labels)
    function = centred_two_point(image, 1, periodic=periodic)
    gap = labels - labels.mean()
    for lag in ((0, 0), (2, 1), (3, -2)):
        if periodic:
            expected = np.mean(gap * np.roll(gap, [-h for h in lag], (0, 1)))
        else:
            here = tuple(slice(max(0, -h), n - max(0, h)) for h, n in zip(lag, labels.shape, strict=True))
            there = tuple(slice(max(0, h), n + min(0, h)) for h, n in zip(lag, labels.shape, strict=True))
            expected = np.mean(gap[here] * gap[there])
        assert function.covariance[lag] == pytest.approx(expected, abs=1e-12)
    plain = two_point(image, 1, periodic=periodic)
    assert np.allclose(plain.values, function.values) == periodic


def test_large_images_in_single_precision_agree_with_double(monkeypatch: pytest.MonkeyPatch) -> None:
    image = OverlappingSpheres((48, 40, 56), 5.0, 0.4).realize(2).image
    exact = two_point(image, 1, periodic=False)
    module = sys.modules["scalebridge.microstructure.statistics.two_point"]
    monkeypatch.setattr(module, "_DOUBLE_VOXELS", 1000)
    single = two_point(image, 1, periodic=False)
    assert single.values.dtype == np.float32
    assert_allclose(single.values, exact.values, atol=2e-6)
