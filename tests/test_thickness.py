"""Local thickness: exact against trying every ball, right on plates, balls and rods."""

from __future__ import annotations

import sys

import numpy as np
import pytest
import scipy.ndimage
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.testing import assert_allclose

from scalebridge.core.errors import ImageError
from scalebridge.grid import PhaseImage, VoxelGrid
from scalebridge.microstructure.statistics import local_thickness


def phases(labels: np.ndarray, spacing: tuple[float, ...] | None = None) -> PhaseImage:
    return PhaseImage(labels, VoxelGrid(labels.shape, spacing))


def by_every_ball(mask: np.ndarray, size: tuple[float, ...], periodic: bool) -> np.ndarray:
    """All pairs of voxels. Periodic: centres in the 3 nearest copies per axis, stopped by what lies in 5."""
    tiles = [(2 * n, 2 * n) if periodic else (0, 0) for n in mask.shape]
    whole = np.pad(mask, tiles, mode="wrap")
    near = np.zeros(whole.shape, bool)
    near[tuple(slice(t // 2, m - t // 2) for (t, _), m in zip(tiles, whole.shape, strict=True))] = True
    points = np.argwhere(whole & near) * np.array(size)
    outside = np.argwhere(~whole) * np.array(size)
    here = np.argwhere(mask) * np.array(size) + np.array([t for t, _ in tiles]) * np.array(size)
    # Squares of distances between lattice points: compared without a root there is nothing to round.
    radius = ((points[:, None] - outside[None]) ** 2).sum(axis=-1).min(axis=1)
    apart = ((here[:, None] - points[None]) ** 2).sum(axis=-1)
    result = np.zeros(mask.shape)
    result[mask] = 2 * np.sqrt(np.where(apart < radius[None] - 1e-9, radius[None], 0.0).max(axis=1))
    return result


@settings(max_examples=25)
@given(
    arrays(bool, st.sampled_from([(5, 6), (3, 3, 4)]), elements=st.sampled_from([True, True, True, False])),
    st.booleans(),
    st.sampled_from([1.0, 1.5]),
)
def test_it_is_what_trying_every_ball_gives(mask: np.ndarray, periodic: bool, last: float) -> None:
    mask[(0,) * mask.ndim], mask[(1,) * mask.ndim] = False, True
    size = (1.0,) * (mask.ndim - 1) + (last,)
    found = local_thickness(phases(mask, size), 1, periodic=periodic).values
    assert_allclose(found, by_every_ball(mask, size, periodic), atol=1e-5)


def test_smooth_shapes_agree_with_every_ball() -> None:
    noise = np.random.default_rng(4).standard_normal((18, 16))
    mask = scipy.ndimage.gaussian_filter(noise, 2.0, mode="wrap") > -0.03
    for periodic in (True, False):
        found = local_thickness(phases(mask), 1, periodic=periodic)
        assert_allclose(found.values, by_every_ball(mask, (1.0, 1.0), periodic), atol=1e-5)
        assert found.largest > 4


def test_plates_balls_and_rods() -> None:
    plate = np.zeros((20, 12, 12), bool)
    plate[4:12] = True  # eight voxels
    found = local_thickness(phases(plate, (2.0, 2.0, 2.0)), 1, periodic=False)
    assert found.mean == pytest.approx(16.0)
    assert found.standard_deviation == pytest.approx(0.0, abs=1e-6)
    x, y, z = np.meshgrid(*[np.arange(31)] * 3, indexing="ij")
    ball = (x - 15) ** 2 + (y - 15) ** 2 + (z - 15) ** 2 <= 144
    assert local_thickness(phases(ball), 1, periodic=False).mean == pytest.approx(24.0, abs=0.5)
    rod = (x - 15) ** 2 + (y - 15) ** 2 <= 36
    assert local_thickness(phases(rod), 1, periodic=True).mean == pytest.approx(12.0, abs=0.5)
    both = ball & (x < 15) | (rod & (x >= 15) & (y >= 0))
    edges, density = local_thickness(phases(both), 1, periodic=False).histogram(8)
    assert len(edges) == 9
    assert float(density @ np.diff(edges)) == pytest.approx(1.0)


def test_a_phase_across_the_border_is_one_when_periodic() -> None:
    mask = np.zeros((16, 8), bool)
    mask[[0, 1, 14, 15]] = True
    assert local_thickness(phases(mask), 1, periodic=True).mean == pytest.approx(4.0)
    mask = np.ones((9, 9), bool)
    mask[4, 4] = False  # holes nine voxels apart: the largest ball lies between four of them
    assert local_thickness(phases(mask), 1, periodic=True).largest == pytest.approx(2 * np.sqrt(32.0))


def test_the_coarse_way_for_huge_balls_is_close(monkeypatch: pytest.MonkeyPatch) -> None:
    noise = np.random.default_rng(1).standard_normal((40, 40))
    image = phases(scipy.ndimage.gaussian_filter(noise, 3.0) > -0.02)
    exact = local_thickness(image, 1, periodic=False)
    monkeypatch.setattr(sys.modules["scalebridge.microstructure.statistics.thickness"], "_PAINT", 0)
    coarse = local_thickness(image, 1, periodic=False)
    assert not np.array_equal(coarse.values, exact.values)
    assert coarse.mean == pytest.approx(exact.mean, rel=0.04)


def test_a_single_phase_has_no_thickness() -> None:
    with pytest.raises(ImageError, match="fills the image"):
        local_thickness(phases(np.ones((4, 4), np.uint8)), 1, periodic=True)
