"""Lineal paths and chords: exact on hand-made lines, right on media where they are known, fair at the border."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.testing import assert_allclose

from scalebridge.core.errors import ImageError
from scalebridge.grid import PhaseImage, VoxelGrid
from scalebridge.microstructure import laminate
from scalebridge.microstructure.generators.overlapping_spheres import OverlappingSpheres
from scalebridge.microstructure.statistics import average_curves, chord_lengths, lineal_path
from scalebridge.microstructure.statistics.closed_forms import overlapping_spheres_lineal_path


def phases(labels: np.ndarray, spacing: tuple[float, ...] | None = None) -> PhaseImage:
    return PhaseImage(labels, VoxelGrid(labels.shape, spacing))


def thrown(mask: np.ndarray, edges: int, periodic: bool) -> float:
    """Share of the segments of that many voxel edges along the last axis that lie in the mask, one by one."""
    n = mask.shape[-1]
    starts = range(n if periodic else n - edges)
    held = [np.take(mask, range(s, s + edges + 1), axis=-1, mode="wrap").all(axis=-1) for s in starts]
    return float(np.mean(held))


@given(arrays(bool, st.sampled_from([(3, 6), (2, 2, 5)])), st.booleans())
def test_the_lineal_path_is_what_throwing_all_segments_gives(mask: np.ndarray, periodic: bool) -> None:
    mask[0, 0] = True
    if mask.all():
        return
    curve = lineal_path(phases(mask), 1, mask.ndim - 1, periodic=periodic)
    expected = [thrown(mask, k, periodic) for k in range(mask.shape[-1])]
    assert_allclose(curve.values, expected, atol=1e-12)


def test_axes_and_spacings_are_kept_apart() -> None:
    image = phases(np.zeros((6, 4, 3), np.uint8) + np.array([0, 1, 0], np.uint8), (1.0, 2.0, 5.0))
    assert_allclose(lineal_path(image, 1, 0, periodic=False).values, 1 / 3)
    assert_allclose(lineal_path(image, 1, 2, periodic=False).values, [1 / 3, 0, 0])
    assert_allclose(lineal_path(image, 1, 1, periodic=False).distances, [0, 2, 4, 6])
    assert chord_lengths(image, 1, 2, periodic=True).mean == pytest.approx(5.0)
    with pytest.raises(ImageError, match="axes 0 to 2"):
        lineal_path(image, 1, 3, periodic=False)


@pytest.mark.parametrize(("shape", "radius"), [((48, 48, 48), 5.0), ((160, 160), 6.0)])
@pytest.mark.parametrize("periodic", [True, False])
def test_overlapping_spheres_have_their_closed_form(
    shape: tuple[int, ...], radius: float, periodic: bool
) -> None:
    medium = OverlappingSpheres(shape, radius, 0.4, periodic)
    curve = average_curves(
        lineal_path(medium.realize(s).image, 0, s % len(shape), periodic=periodic) for s in range(6)
    )
    near = curve.distances < 4 * radius
    exact = overlapping_spheres_lineal_path(curve.distances[near], 0.6, radius, len(shape))
    assert curve.standard_error is not None
    assert float(curve.standard_error.max()) < 0.03
    # Voxels miss interruptions shorter than themselves: a little too large, never too small.
    gap = (curve.values[near] - exact) / np.maximum(curve.standard_error[near], 1e-3)
    assert gap.min() > -4
    assert_allclose(curve.values[near], exact, atol=4 * float(curve.standard_error.max()) + 0.01)


def test_chords_of_one_line_are_counted_by_hand() -> None:
    line = phases(np.array([[1, 1, 0, 1, 0, 1, 1, 1, 0, 1]], np.uint8))
    wrapped = chord_lengths(line, 1, 1, periodic=True)
    assert wrapped.observed == 3
    assert wrapped.censored == 0
    assert_allclose(wrapped.probabilities[:4], [1 / 3, 0, 2 / 3, 0])
    assert wrapped.mean == pytest.approx(7 / 3)
    cut = chord_lengths(line, 1, 1, periodic=False)
    assert (cut.observed, cut.censored) == (2, 2)
    # From both ends: lengths 1, 1, 3, 3 seen whole, 2 and 1 cut. S(1) = 1 - 2/6, S(3) = 0.
    assert_allclose(cut.probabilities[:3], [1 / 3, 0, 2 / 3])
    assert cut.unresolved == 0.0


def test_full_lines_have_no_chord_and_say_so() -> None:
    layers = laminate((6, 4), 1, [0.5, 0.5])
    with pytest.raises(ImageError, match="no chord with both ends"):
        chord_lengths(layers, 0, 0, periodic=True)
    assert chord_lengths(layers, 0, 1, periodic=True).mean == pytest.approx(2.0)


def test_chords_cut_by_the_border_are_not_lost() -> None:
    """Chords of a line of random lengths, seen through a window not much longer than they are."""
    rng = np.random.default_rng(7)
    long, short, n = 20, 4, 48
    lengths = np.where(rng.random((4000, 40)) < 0.5, short, long)
    rows = []
    for row in lengths:
        line = np.concatenate([np.repeat([1, 0], [k, 5]) for k in row])
        start = rng.integers(0, len(line) - n)
        rows.append(line[start : start + n])
    window = phases(np.array(rows, np.uint8))
    chords = chord_lengths(window, 1, 1, periodic=False)
    assert chords.probabilities[short - 1] == pytest.approx(0.5, abs=0.02)
    assert chords.probabilities[long - 1] == pytest.approx(0.5, abs=0.02)
    assert chords.mean == pytest.approx((short + long) / 2, rel=0.03)
    assert chords.longer_than[short - 1] == pytest.approx(0.5, abs=0.02)


def test_what_the_image_cannot_tell_is_left_open() -> None:
    line = np.zeros((3, 6), np.uint8)
    line[0, 2:3] = 1
    line[1, 1:] = 1
    chords = chord_lengths(phases(line), 1, 1, periodic=False)
    assert chords.unresolved == pytest.approx(1 / 3)
    assert chords.probabilities.sum() == pytest.approx(2 / 3)


def test_mean_chord_of_overlapping_spheres_is_that_of_an_exponential() -> None:
    """Outside the spheres chords are exponential with the mean 1 / (rho pi R^2)."""
    medium = OverlappingSpheres((72, 72, 72), 10.0, 0.4)
    expected = 4 * 10.0 / (3 * -math.log(0.6))
    means = [
        chord_lengths(image, 0, axis, periodic=True).mean
        for image in (medium.realize(s).image for s in range(2))
        for axis in range(3)
    ]
    assert np.mean(means) == pytest.approx(expected, rel=0.1)
