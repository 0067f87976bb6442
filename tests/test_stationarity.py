"""Stationarity and ergodicity: silent where nothing is wrong, loud where something was put in."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.ndimage

from scalebridge.core.errors import ImageError
from scalebridge.grid import PhaseImage, VoxelGrid
from scalebridge.microstructure.generators.covariances import Exponential, Gaussian
from scalebridge.microstructure.generators.gaussian_field import GaussianLevelCut
from scalebridge.microstructure.statistics import ergodicity, stationarity
from scalebridge.microstructure.statistics.detrending import detrended_two_point, share_lost


def phases(labels: np.ndarray) -> PhaseImage:
    return PhaseImage(labels, VoxelGrid(labels.shape))


def debye(shape: tuple[int, ...], length: float, *, periodic: bool = True) -> GaussianLevelCut:
    return GaussianLevelCut(shape, 0.5, Exponential(length), periodic=periodic, of_indicator=True)


def graded(seed: int, slope: float, axis: int = 0, shape: tuple[int, int] = (256, 256)) -> PhaseImage:
    """A level cut whose level rises along one axis by `slope` standard deviations of the field."""
    field = scipy.ndimage.gaussian_filter(np.random.default_rng(seed).standard_normal(shape), 2.5)
    place = np.linspace(-0.5, 0.5, shape[axis]).reshape([-1 if k == axis else 1 for k in range(2)])
    return phases(field / field.std() < slope * place)


@pytest.mark.parametrize("periodic", [True, False])
def test_stationary_media_pass_as_often_as_the_level_says(periodic: bool) -> None:
    medium = debye((192, 192), 4.0, periodic=periodic)
    found = [stationarity(medium.realize(s).image, 1, periodic=periodic) for s in range(40)]
    assert sum(bool(f.drifts) for f in found) <= 2
    p_values = np.array([f.p_value for f in found])
    assert np.mean(p_values < 0.1) < 0.25
    assert 0.25 < np.median(p_values) < 0.85
    trends = np.array([[t.p_value for t in f.trends] for f in found])
    assert np.mean(trends < 0.1) < 0.22
    assert "No drift" in found[int(np.argmax(p_values))].words


def test_the_scatter_of_blocks_is_predicted() -> None:
    medium = debye((64, 64, 64), 2.0)
    found = [stationarity(medium.realize(s).image, 1, periodic=True) for s in range(6)]
    measured = np.sqrt(np.mean([f.means.var(ddof=1) for f in found]))
    assert measured == pytest.approx(np.mean([f.predicted for f in found]), rel=0.15)
    assert found[0].degrees == found[0].means.size - 1


def test_a_gradient_is_found_with_its_axis_and_size() -> None:
    for axis in (0, 1):
        found = [stationarity(graded(seed, 1.0, axis), 1, periodic=False) for seed in range(4)]
        drifting = [f for f in found if f.drifts]
        assert len(drifting) >= 3
        for one in found:
            # The level runs over -1/2 to 1/2 standard deviations: Phi(0.5) - Phi(-0.5) = 0.383.
            assert abs(one.trends[axis].change - 0.383) < 4 * one.trends[axis].standard_error
        assert drifting[0].words.startswith("The mean drifts across the volume")
        assert f"along {'xy'[axis]}" in drifting[0].words
    assert not stationarity(graded(0, 0.0), 1, periodic=False).drifts


def detected(slope: float, shape: tuple[int, int] = (256, 256)) -> list[bool | None]:
    return [stationarity(graded(seed, slope, shape=shape), 1, periodic=False).drifts for seed in range(12)]


@pytest.mark.parametrize(("slope", "least"), [(0.5, 9), (1.0, 12), (2.0, 12), (4.0, 12), (8.0, 12)])
def test_drifts_are_found_from_weak_to_so_strong_that_the_covariance_is_made_of_them(
    slope: float, least: int
) -> None:
    assert sum(found is True for found in detected(slope)) >= least


def test_strong_drifts_are_found_in_three_dimensions_and_along_the_right_axis() -> None:
    for axis in range(3):
        field = scipy.ndimage.gaussian_filter(np.random.default_rng(axis).standard_normal((48, 48, 48)), 1.0)
        place = np.linspace(-0.5, 0.5, 48).reshape([-1 if k == axis else 1 for k in range(3)])
        found = stationarity(phases(field / field.std() < 3.0 * place), 1, periodic=False)
        assert found.drifts
        assert min(found.trends, key=lambda t: t.p_value).axis == axis


@pytest.mark.parametrize("periodic", [True, False])
def test_false_alarms_come_as_often_as_the_level_says(periodic: bool) -> None:
    """Level 0.01: two alarms expected in 200; more than seven have the probability 0.001."""
    medium = debye((96, 96), 3.0, periodic=periodic)
    found = [stationarity(medium.realize(s).image, 1, periodic=periodic) for s in range(200)]
    assert all(f.drifts is not None for f in found)
    assert sum(bool(f.drifts) for f in found) <= 7
    trends = np.array([[t.p_value for t in f.trends] for f in found])
    assert 0.03 < np.mean(trends < 0.1) < 0.18


@pytest.mark.parametrize("periodic", [True, False])
def test_the_covariance_is_that_of_what_the_slopes_leave_and_what_they_take_is_known(periodic: bool) -> None:
    """White noise has the covariance 1: its residual has 1 - P, P the projection on constant and slopes."""
    shape = (9, 7)
    labels = (np.random.default_rng(3).random(shape) < 0.5 + 0.04 * np.arange(9)[:, None]).astype(np.uint8)
    left = detrended_two_point(phases(labels), 1, periodic=periodic)
    x, y = np.meshgrid(*map(np.arange, shape), indexing="ij")
    design = np.stack([np.ones(63), x.ravel(), y.ravel()], axis=1)
    fitted, *_ = np.linalg.lstsq(design, labels.ravel().astype(float), rcond=None)
    np.testing.assert_allclose(left.changes, fitted[1:] * shape, rtol=1e-10)
    residual = (labels.ravel() - design @ fitted).reshape(shape)
    projection = (design @ np.linalg.pinv(design)).reshape(*shape, *shape)
    for lag in ((1, 0), (0, 2), (2, 3), (4, 1)):
        pairs = [
            (here, there)
            for here in np.ndindex(*shape)
            if (there := tuple((a + b) % n if periodic else a + b for a, b, n in zip(here, lag, shape, strict=True)))
            and all(t < n for t, n in zip(there, shape, strict=True))
        ]  # fmt: skip
        measured = left.function.values[lag] - left.function.fraction**2
        assert measured == pytest.approx(np.mean([residual[a] * residual[b] for a, b in pairs]), abs=1e-12)
        took = share_lost([np.array([n]) for n in lag], left.lost)[0, 0]
        assert took / 63 == pytest.approx(np.mean([projection[a + b] for a, b in pairs]), abs=1e-12)


def test_one_bad_region_is_found_without_a_trend() -> None:
    labels = np.array(graded(5, 0.0).labels)
    centre = labels[86:170, 86:170]
    centre |= np.random.default_rng(0).random(centre.shape) < 0.5
    found = stationarity(phases(labels), 1, periodic=False)
    assert found.drifts
    assert found.p_value is not None
    assert found.p_value < 1e-3


def test_small_images_are_left_undecided() -> None:
    found = stationarity(graded(1, 0.0, shape=(20, 20)), 1, periodic=False)
    assert found.drifts is None
    assert "cannot be told" in found.words


def test_realizations_of_one_medium_agree() -> None:
    medium = debye((128, 128), 3.0)
    found = ergodicity((medium.realize(s).image for s in range(12)), 1, periodic=True)
    assert found.agrees
    assert found.means.shape == found.z_scores.shape == (12,)
    assert np.max(np.abs(found.z_scores)) < 4
    assert found.words.startswith("Spatial and ensemble averages agree")


def test_a_mixture_of_materials_is_not_ergodic() -> None:
    fractions = np.linspace(0.35, 0.65, 8)
    images = [
        GaussianLevelCut((96, 96), float(f), Gaussian(3.0)).realize(s).image for s, f in enumerate(fractions)
    ]
    found = ergodicity(images, 1, periodic=True)
    assert not found.agrees
    assert found.variance_ratio > 4
    assert found.words.startswith("One volume does not tell what the ensemble does")


def test_a_prescribed_fraction_is_recognized() -> None:
    medium = GaussianLevelCut((96, 96), 0.5, Gaussian(3.0), exact_fraction=True)
    found = ergodicity((medium.realize(s).image for s in range(6)), 1, periodic=True)
    assert found.agrees
    assert "better than chance" in found.words


def test_two_realizations_are_too_few() -> None:
    images = [debye((64, 64), 2.0).realize(s).image for s in range(2)]
    with pytest.raises(ImageError, match="at least three"):
        ergodicity(images, 1, periodic=True)
