"""Segmenting and editing: labels follow the thresholds, histories tell what was done."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from numpy.testing import assert_allclose, assert_array_equal

from scalebridge.core.errors import ImageError
from scalebridge.grid import GreyImage, PhaseImage, VoxelGrid
from scalebridge.microstructure import (
    coarsen,
    coarsen_fractions,
    crop,
    gaussian_level_cut,
    keep_largest_component,
    mirror,
    otsu_segment,
    otsu_thresholds,
    pad,
    relabel,
    threshold_segment,
    trim,
    voronoi_polycrystal,
)

small_images = arrays(np.uint8, array_shapes(min_dims=2, max_dims=3, max_side=6), elements=st.integers(0, 4))


def grey(values: np.ndarray) -> GreyImage:
    return GreyImage(values, VoxelGrid(values.shape))


def phases(labels: np.ndarray, spacing: tuple[float, ...] | None = None) -> PhaseImage:
    return PhaseImage(labels, VoxelGrid(labels.shape, spacing))


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int32, np.float32, np.float64])
def test_a_threshold_belongs_to_the_upper_phase(dtype: type) -> None:
    image = threshold_segment(grey(np.array([[0, 9, 10], [11, 19, 20]], dtype)), [10, 20])
    assert_array_equal(image.labels, [[0, 0, 1], [1, 1, 2]])


@pytest.mark.parametrize("bad", [[], [2, 1], [1, 1], [float("nan")], [float("inf")]])
def test_impossible_thresholds(bad: list[float]) -> None:
    with pytest.raises(ImageError, match="Thresholds must"):
        threshold_segment(grey(np.ones((2, 2), np.uint8)), bad)


@pytest.mark.parametrize("classes", [2, 3, 4])
def test_otsu_is_the_best_of_all_thresholds(classes: int) -> None:
    values = np.random.default_rng(5).integers(0, 14, (9, 9, 3)).astype(np.uint8) ** 2 // 4

    def between(thresholds: tuple[float, ...]) -> float:
        label = np.searchsorted(thresholds, values.ravel(), side="right")
        return sum(
            np.mean(label == k) * (values.ravel()[label == k].mean() - values.mean()) ** 2
            for k in range(classes)
            if np.any(label == k)
        )

    found = otsu_thresholds(grey(values), classes)
    assert len(found) == classes - 1
    best = max(map(between, itertools.combinations(np.unique(values)[1:] - 0.5, classes - 1)))
    assert between(found) == pytest.approx(best, rel=1e-12)


def test_otsu_splits_two_humps_of_any_type() -> None:
    random = np.random.default_rng(6)
    truth = random.random((20, 20, 20)) < 0.3
    for scale, dtype in ((1, np.uint8), (200, np.uint16), (1e-3, np.float64)):
        values = (np.where(truth, 180, 60) * scale + random.normal(0, 8 * scale, truth.shape)).astype(dtype)
        image = otsu_segment(grey(values))
        assert np.mean(image.labels == truth) == 1.0
        assert "Otsu" in image.history[-1]


@pytest.mark.parametrize(
    ("values", "classes"), [(np.ones((3, 3)), 2), (np.eye(3), 3), (np.eye(3), 1), (np.eye(3), 9)]
)
def test_otsu_needs_enough_values(values: np.ndarray, classes: int) -> None:
    with pytest.raises(ImageError, match="classes"):
        otsu_thresholds(grey(values), classes)


@given(small_images, st.sampled_from([1, 2, 3]))
def test_coarsening_keeps_the_most_frequent_label(labels: np.ndarray, factor: int) -> None:
    fine = np.kron(labels, np.ones((factor,) * labels.ndim, np.uint8))
    assert_array_equal(coarsen(phases(fine), factor).labels, labels)


@given(arrays(np.uint8, (4, 6, 2), elements=st.integers(0, 3)))
def test_coarse_fractions_are_the_means_and_allow_the_majority(labels: np.ndarray) -> None:
    image = phases(labels, (1e-6, 2e-6, 3e-6))
    coarse, exact = coarsen(image, 2), coarsen_fractions(image, 2)
    assert exact.grid.spacing == coarse.grid.spacing == pytest.approx((2e-6, 4e-6, 6e-6))
    assert_allclose(exact.fractions.sum(axis=0), 1)
    assert_allclose(exact.fractions.mean(axis=(1, 2, 3)), [image.fractions[l] for l in image.present])
    winner = np.take_along_axis(exact.fractions, np.searchsorted(exact.labels, coarse.labels)[None], axis=0)[
        0
    ]
    assert_array_equal(winner, exact.fractions.max(axis=0))


@pytest.mark.parametrize("labels", [2, 5, 40])
def test_ties_favour_no_label_and_repeat(labels: int) -> None:
    random = np.random.default_rng(7)
    pairs = random.permuted(np.tile(np.arange(labels, dtype=np.uint8), (20000, 1)), axis=1)[:, :2]
    fine = np.repeat(pairs, 2, axis=1).reshape(20000, 2, 2).transpose(1, 0, 2).reshape(2, 40000)
    first = coarsen(phases(fine), 2)
    assert_array_equal(first.labels, coarsen(phases(fine.copy()), 2).labels)
    upper = first.labels[0] == pairs.max(axis=1)
    assert np.all(upper | (first.labels[0] == pairs.min(axis=1)))
    assert abs(upper.mean() - 0.5) < 4 * 0.5 / np.sqrt(20000)


def test_the_two_ways_of_counting_agree() -> None:
    from scalebridge.microstructure.coarsening import _frequent_by_counting, _frequent_by_sorting

    blocks = np.random.default_rng(8).integers(0, 6, (5000, 8)).astype(np.uint8)
    assert_array_equal(_frequent_by_counting(blocks, 6, 17), _frequent_by_sorting(blocks, 6, 17))


def test_coarsening_needs_a_divisor() -> None:
    image = phases(np.ones((5, 4), np.uint8))
    with pytest.raises(ImageError, match="trim"):
        coarsen(image, 2)
    assert coarsen(trim(image, 2), 2).grid.shape == (2, 2)
    with pytest.raises(ImageError, match="trimmed"):
        trim(image, 7)


def test_coarsening_a_polycrystal_is_one_pass() -> None:
    crystal = voronoi_polycrystal((24, 24, 24), 500, seed=1)
    assert set(coarsen(crystal.image, 2).present) <= set(crystal.image.present)


@given(small_images)
def test_mirror_is_periodic_and_keeps_fractions(labels: np.ndarray) -> None:
    image = mirror(phases(labels))
    assert image.grid.shape == tuple(2 * n for n in labels.shape)
    assert image.fractions == pytest.approx(phases(labels).fractions)
    for axis in range(labels.ndim):
        assert_array_equal(np.take(image.labels, 0, axis), np.take(image.labels, -1, axis))
        assert_array_equal(np.flip(image.labels, axis), image.labels)


def test_crop_pad_and_their_mistakes() -> None:
    image = phases(np.arange(24, dtype=np.uint8).reshape(4, 3, 2), (1e-6, 1e-6, 1e-6))
    assert_array_equal(crop(pad(image, (1, 2, 3), 200), (1, 2, 3), (5, 5, 5)).labels, image.labels)
    assert pad(image, 1, 300).labels.dtype == np.uint16
    assert pad(image, 1, -1).present[0] == -1
    assert crop(image, (1, 0, 0), (3, 3, 2)).history == ("cropped to 1:3 x 0:3 x 0:2",)
    for start, stop in (
        ((0, 0, 0), (5, 3, 2)),
        ((2, 0, 0), (2, 3, 2)),
        ((0, 0), (1, 1)),
        ((-1, 0, 0), (1, 1, 1)),
    ):
        with pytest.raises(ImageError):
            crop(image, start, stop)
    with pytest.raises(ImageError, match="one width"):
        pad(image, (1, 2), 0)
    with pytest.raises(ImageError, match="axes must"):
        mirror(image, [3])


def test_relabel_merges_and_widens() -> None:
    image = phases(np.array([[0, 85], [170, 85]], np.uint8))
    merged = relabel(image, {85: 1, 170: 1})
    assert_array_equal(merged.labels, [[0, 1], [1, 1]])
    assert relabel(image, {0: 1000}).present == (85, 170, 1000)
    assert_array_equal(relabel(image, {0: 85, 85: 0}).labels, [[85, 0], [170, 0]])
    with pytest.raises(ImageError, match=r"\[7\].*\[0, 85, 170\]"):
        relabel(image, {7: 1})


def test_only_the_largest_component_stays() -> None:
    labels = np.zeros((7, 5), np.uint8)
    labels[0, :3] = 1
    labels[3, 0] = 1
    labels[6, 1:3] = 1
    kept = keep_largest_component(phases(labels), 1, 0)
    assert kept.counts == {0: 32, 1: 3}
    assert "3 components" in kept.history[-1]
    assert "other 3 voxels" in kept.history[-1]
    assert keep_largest_component(phases(labels), 1, 0, periodic=True).counts[1] == 5
    with pytest.raises(ImageError, match="Label 9"):
        keep_largest_component(phases(labels), 9, 0)


def test_editing_leaves_the_original_alone() -> None:
    image = gaussian_level_cut((8, 8, 8), 0.3, correlation_length=2, seed=1)
    before = image.sha256
    keep_largest_component(image, 0, 5)
    relabel(image, {0: 9})
    mirror(image)
    assert PhaseImage(np.array(image.labels), image.grid).sha256 == before
