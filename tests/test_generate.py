"""Generated microstructures: exact fractions, known geometry, the same for the same seed."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from scalebridge.core.errors import ImageError
from scalebridge.grid import PhaseImage
from scalebridge.microstructure import (
    aligned_fibres,
    checkerboard,
    disc_array,
    four_phase_checkerboard,
    gaussian_level_cut,
    label_components,
    laminate,
    random_spheres,
    sphere_array,
    voronoi_polycrystal,
)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_laminate(axis: int) -> None:
    image = laminate((4, 8, 12), axis, [0.25, 0.5, 0.25], spacing="1 um")
    assert image.fractions == pytest.approx({0: 0.25, 1: 0.5, 2: 0.25})
    others = tuple(k for k in range(3) if k != axis)
    assert_array_equal(image.labels.min(axis=others), image.labels.max(axis=others))
    assert np.all(np.diff(image.labels.max(axis=others).astype(int)) >= 0)
    assert image.grid.spacing == (1e-6,) * 3
    assert "laminate along" in image.history[0]


@pytest.mark.parametrize(
    ("shape", "axis", "fractions"),
    [
        ((4, 4), 2, [0.5, 0.5]),
        ((4, 4), 0, [0.3, 0.7]),
        ((4, 4), 0, [0.5, 0.25]),
        ((4,), 0, [1.0]),
        ((4, 4), 0, [1.5, -0.5]),
    ],
)
def test_impossible_laminates(shape: tuple, axis: int, fractions: list) -> None:
    with pytest.raises(ImageError):
        laminate(shape, axis, fractions)


def test_checkerboards() -> None:
    four = four_phase_checkerboard(6)
    assert [int(four.labels[i, j]) for i, j in ((5, 5), (0, 5), (0, 0), (5, 0))] == [0, 1, 2, 3]
    assert set(four.fractions.values()) == {0.25}
    two = checkerboard(6).labels
    assert_array_equal(two, 1 - two[::-1])
    assert_array_equal(two, two[::-1, ::-1])
    with pytest.raises(ImageError, match="even"):
        checkerboard(5)


@pytest.mark.parametrize("n", [16, 33, 64])
def test_discs_and_spheres_approach_their_fraction(n: int) -> None:
    assert disc_array(n, 0.3).fractions[1] == pytest.approx(0.3, abs=1.5 / n**1.5)
    assert sphere_array(n, 0.3).fractions[1] == pytest.approx(0.3, abs=1.5 / n**1.5)
    sphere = sphere_array(n, radius=0.25).labels
    assert_array_equal(sphere, sphere[::-1].transpose(1, 2, 0))
    assert sphere_array(n, radius=0.25).fractions[1] == pytest.approx(4 / 3 * np.pi / 64, abs=1.5 / n**1.5)


def test_impossible_arrays() -> None:
    for call in (
        lambda: disc_array(8, 0.9),
        lambda: disc_array(8, 0.0),
        lambda: sphere_array(8, 0.6),
        lambda: sphere_array(8),
        lambda: sphere_array(8, 0.1, radius=0.1),
        lambda: sphere_array(8, radius=-0.1),
    ):
        with pytest.raises(ImageError):
            call()


@given(st.floats(0, 1), st.integers(0, 1000), st.sampled_from([(12, 10), (7, 8, 9)]))
def test_porosity_is_exact(porosity: float, seed: int, shape: tuple) -> None:
    image = gaussian_level_cut(shape, porosity, correlation_length=2.0, seed=seed)
    assert np.count_nonzero(image.labels == 0) == round(porosity * image.grid.size)


def test_the_sandstone_has_its_correlation_and_is_periodic() -> None:
    length = 4.0
    image = gaussian_level_cut((64, 64, 64), 0.5, correlation_length=length, seed=11)
    sign = 2.0 * image.labels - 1
    for axis in range(3):
        for lag in (2, 4, 8):
            found = np.mean(sign * np.roll(sign, lag, axis))  # rolled: across the border too
            gauss = np.exp(-((lag / length) ** 2) / 2)
            assert found == pytest.approx(
                2 / np.pi * np.arcsin(gauss), abs=0.06
            )  # arcsine law of clipped fields
    jump = np.mean(image.labels[0] != image.labels[-1])
    inside = np.mean(image.labels[1:] != image.labels[:-1])
    assert jump == pytest.approx(inside, rel=0.3)


def test_seeds_decide() -> None:
    def makers(seed: int) -> list[PhaseImage]:
        return [
            gaussian_level_cut((12, 12, 12), 0.3, seed=seed),
            voronoi_polycrystal((12, 12, 12), 9, seed=seed).image,
            aligned_fibres((12, 30, 30), 0.3, radius=3, seed=seed),
        ]

    for first, same, other in zip(makers(1), makers(1), makers(2), strict=True):
        assert first.sha256 == same.sha256 != other.sha256


def test_polycrystal() -> None:
    crystal = voronoi_polycrystal((20, 21, 22), 8, seed=3)
    assert crystal.image.present == tuple(range(8))
    turns = crystal.orientations
    assert_allclose(turns @ turns.transpose(0, 2, 1), np.broadcast_to(np.eye(3), (8, 3, 3)), atol=1e-14)
    assert_allclose(np.linalg.det(turns), 1)
    for grain in range(8):  # convex cells on a torus hang together, but for voxels at sharp corners
        sizes = label_components(crystal.image.labels == grain, periodic=True).sizes
        assert sizes.max() > 0.99 * sizes.sum()
    assert voronoi_polycrystal((9, 9), 300 // 10, seed=1).image.grid.ndim == 2
    with pytest.raises(ImageError, match="grains"):
        voronoi_polycrystal((4, 4), 17, seed=1)


def test_random_rotations_are_uniform() -> None:
    from scalebridge.microstructure.generate import random_rotations

    turns = random_rotations(20000, np.random.default_rng(4))
    assert_allclose(turns.mean(axis=0), 0, atol=0.02)
    assert_allclose((turns**2).mean(axis=0), 1 / 3, atol=0.01)
    # Characters are orthonormal: the mean squared trace of uniform rotations is one.
    assert np.mean(np.trace(turns, axis1=1, axis2=2) ** 2) == pytest.approx(1.0, abs=0.05)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_fibres_are_straight_round_and_apart(axis: int) -> None:
    image = aligned_fibres((40, 42, 44), 0.3, radius=4, axis=axis, seed=5)
    assert image.fractions[1] == pytest.approx(0.3, abs=0.02)
    assert_array_equal(image.labels.min(axis=axis), image.labels.max(axis=axis))
    section = label_components(image.labels.max(axis=axis) == 1, periodic=True)
    assert_allclose(section.sizes, np.pi * 16, rtol=0.15)


def test_fibres_that_do_not_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ImageError, match="do not fit"):
        aligned_fibres((10, 10, 10), 0.3, radius=6, seed=1)
    monkeypatch.setattr("scalebridge.microstructure.generate._MAX_TRIES", 2000)
    with pytest.raises(ImageError, match="jam"):
        aligned_fibres((4, 30, 30), 0.8, radius=3, seed=1)


def test_spheres_are_round_apart_and_cross_the_faces() -> None:
    image = random_spheres((40, 44, 48), 0.2, radius=6, seed=2)
    one = 4 / 3 * np.pi * 6**3
    assert image.fractions[1] == pytest.approx(0.2, abs=0.5 * one / image.grid.size)
    balls = label_components(image.labels == 1, periodic=True)
    assert_allclose(balls.sizes, one, rtol=0.05)
    assert len(label_components(image.labels == 1, periodic=False).sizes) > len(balls.sizes)
    again = random_spheres((40, 44, 48), 0.2, radius=6, seed=2)
    assert_array_equal(image.labels, again.labels)


def test_spheres_that_do_not_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ImageError, match="do not fit"):
        random_spheres((10, 10, 10), 0.3, radius=6, seed=1)
    monkeypatch.setattr("scalebridge.microstructure.generate._MAX_TRIES", 2000)
    with pytest.raises(ImageError, match="jam"):
        random_spheres((24, 24, 24), 0.6, radius=4, seed=1)
