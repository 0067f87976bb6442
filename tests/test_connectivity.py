"""Connectivity: exact on hand-made images, equal to published values, invariant where it must be."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.testing import assert_array_equal

from scalebridge.core.errors import ImageError
from scalebridge.grid import GreyImage, PhaseImage, VoxelGrid
from scalebridge.microstructure import (
    Connectivity,
    aligned_fibres,
    floating_mask,
    isolated_mask,
    label_components,
    percolates,
    percolation,
    read_grey,
    read_image,
    specific_surface,
    sphere_array,
    structure_tensor_orientation,
    through_connected_fraction,
    voronoi_polycrystal,
)

masks = arrays(bool, st.sampled_from([(4, 5), (4, 3, 5), (1, 4, 2)]))


def phases(labels: np.ndarray, spacing: tuple[float, ...] | None = None) -> PhaseImage:
    return PhaseImage(labels, VoxelGrid(labels.shape, spacing))


def test_face_edge_and_corner_neighbours() -> None:
    mask = np.zeros((2, 2, 3), bool)
    mask[0, 0, 0] = mask[0, 1, 1] = mask[1, 0, 2] = True  # an edge, then a corner apart
    counts = [label_components(mask, connectivity=c).count for c in Connectivity]
    assert counts == [3, 2, 1]


def test_crossing_the_border_is_not_winding() -> None:
    mask = np.zeros((6, 5), bool)
    mask[[0, 5], 1] = True  # one piece across the border
    mask[:, 3] = True  # a bar from face to face
    open_box = label_components(mask)
    assert open_box.count == 3
    assert sorted(open_box.sizes) == [1, 1, 6]
    assert open_box.spans[:, 0].sum() == 1
    torus = label_components(mask, periodic=True)
    assert torus.count == 2
    assert torus.spans[:, 0].all()  # the small piece does touch both faces ...
    assert torus.winds[:, 0].sum() == 1  # ... and yet carries nothing through
    assert not torus.winds[:, 1].any()


def test_a_spiral_winds_although_no_straight_path_does() -> None:
    n = 6
    mask = np.zeros((n, n), bool)
    for i in range(n):  # a staircase along the diagonal of the torus
        mask[i, i] = mask[i, (i + 1) % n] = True
    torus = label_components(mask, periodic=True)
    assert torus.count == 1
    assert torus.winds.tolist() == [[True, True]]


def test_the_diagonal_stair_with_one_step_missing_does_not_wind() -> None:
    n = 6
    mask = np.zeros((n, n), bool)
    for i in range(n):
        mask[i, i] = mask[i, (i + 1) % n] = True
    mask[3, 3] = mask[3, 4] = False
    assert not label_components(mask, periodic=True).winds.any()


@given(masks, st.integers(0, 4), st.integers(0, 4))
def test_a_shifted_periodic_image_has_the_same_pieces(mask: np.ndarray, a: int, b: int) -> None:
    first = label_components(mask, periodic=True)
    second = label_components(np.roll(mask, (a, b), axis=(0, 1)), periodic=True)
    assert sorted(first.sizes) == sorted(second.sizes)
    assert sorted(first.winds.tolist()) == sorted(second.winds.tolist())


@given(masks)
def test_components_partition_the_mask(mask: np.ndarray) -> None:
    for periodic in (False, True):
        components = label_components(mask, periodic=periodic)
        assert_array_equal(components.labels > 0, mask)
        assert components.sizes.sum() == mask.sum()
        assert_array_equal(np.unique(components.labels[mask]), np.arange(1, components.count + 1))


@given(masks)
def test_a_piece_that_meets_its_copy_winds(mask: np.ndarray) -> None:
    """Independent of the walk over pieces: repeat the cell, see whether it hangs together with the next."""
    components = label_components(mask, periodic=True)
    for axis in range(mask.ndim):
        tiled = label_components(np.tile(mask, (5,) * mask.ndim)).labels
        middle = [2 * n for n in mask.shape]
        here = tiled[tuple(slice(m, m + n) for m, n in zip(middle, mask.shape, strict=True))]
        middle[axis] += mask.shape[axis]
        there = tiled[tuple(slice(m, m + n) for m, n in zip(middle, mask.shape, strict=True))]
        for piece in np.unique(components.labels[(here == there) & mask]):
            assert components.winds[piece - 1, axis]


def test_percolation_of_bars_and_absent_labels() -> None:
    labels = np.zeros((4, 5, 6), np.uint8)
    labels[:, 2, 3] = 1
    labels[1, 1, 1] = 7
    image = phases(labels)
    assert percolation(image) == {0: (True,) * 3, 1: (True, False, False), 7: (False,) * 3}
    assert percolation(image, periodic=True)[1] == (True, False, False)
    assert percolates(image, 1, 0)
    assert not percolates(image, 1, 1)
    assert not percolates(image, 99, 0)
    assert through_connected_fraction(image, 1, 0) == 1.0
    assert through_connected_fraction(image, 7, 0) == 0.0
    assert through_connected_fraction(image, 99, 0) == 0.0


@given(arrays(np.uint8, (4, 5, 3), elements=st.integers(0, 7)), st.booleans())
def test_bounding_boxes_change_nothing(labels: np.ndarray, periodic: bool) -> None:
    image = phases(labels)
    for label, through in percolation(image, periodic=periodic).items():
        assert through == tuple(percolates(image, label, axis, periodic=periodic) for axis in range(3))


def test_percolation_of_many_grains_is_quick() -> None:
    crystal = voronoi_polycrystal((40, 40, 40), 900, seed=2)
    assert not any(any(through) for through in percolation(crystal.image).values())


def test_what_nothing_holds_floats() -> None:
    labels = np.zeros((6, 6, 6), np.uint8)
    labels[:, 2:4, 2:4] = 1  # a bar along x
    labels[0, 0, 0] = labels[5, 0, 0] = 2  # an island across the border
    labels[3, 5, 5] = 2  # an island on the faces y and z
    image = phases(labels)
    assert_array_equal(floating_mask(image, [0]), labels == 2)
    assert floating_mask(image, [0], periodic=False).sum() == 0
    assert_array_equal(np.argwhere(floating_mask(image, [0], axis=0)), [[3, 5, 5]])
    assert_array_equal(floating_mask(image, [0], axis=2), labels == 1)
    assert not floating_mask(image, []).any()
    assert not floating_mask(image, [0, 1, 2]).any()
    assert_array_equal(np.argwhere(isolated_mask(image, 2, 0)), [[3, 5, 5]])


def test_periodic_must_fit_the_axes() -> None:
    with pytest.raises(ImageError, match="each of the 2 axes"):
        label_components(np.ones((2, 2), bool), periodic=[True])


def test_specific_surface_of_a_brick() -> None:
    labels = np.zeros((6, 5, 4), np.uint8)
    labels[2:4, 1:4, 1:3] = 1
    hx, hy, hz = spacing = (1e-6, 2e-6, 3e-6)
    area = 2 * (2 * 3 * hx * hy + 2 * 2 * hx * hz + 3 * 2 * hy * hz)
    found = specific_surface(phases(labels, spacing))
    assert found[1] == pytest.approx(area / (120 * hx * hy * hz))
    assert found[0] == pytest.approx(found[1])
    assert specific_surface(phases(labels))[1] == pytest.approx(2 * (6 + 4 + 6) / 120)


def test_faces_on_the_border_count_only_when_periodic() -> None:
    labels = np.zeros((4, 4), np.uint8)
    labels[0] = 1
    assert specific_surface(phases(labels))[1] == pytest.approx(4 / 16)
    assert specific_surface(phases(labels), periodic=True)[1] == pytest.approx(8 / 16)


def test_stairs_make_a_sphere_half_as_large_again() -> None:
    radius = 0.3
    found = specific_surface(sphere_array(64, radius=radius))[1] * 64
    assert found == pytest.approx(1.5 * 4 * np.pi * radius**2, rel=0.02)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_orientation_of_fibres(axis: int) -> None:
    fibres = aligned_fibres((30, 32, 34), 0.2, radius=3, axis=axis, seed=3)
    grey = GreyImage((fibres.labels * 200).astype(np.uint8), fibres.grid)
    direction = structure_tensor_orientation(grey)
    assert direction.shape == (3, 30, 32, 34)
    near_surface = np.abs(np.linalg.norm(direction, axis=0) - 1)
    assert near_surface.max() < 1e-12
    assert np.mean(direction[axis][fibres.labels == 1] > 0.999) > 0.8


def test_orientation_of_a_tilted_wave() -> None:
    normal = np.array([1.0, 2.0, 0.0]) / np.sqrt(5)
    x, y, z = np.meshgrid(*[np.arange(24.0)] * 3, indexing="ij")
    field = np.sin(0.8 * (normal[0] * x + normal[1] * y)) + 0.1 * np.sin(0.3 * z)
    direction = structure_tensor_orientation(GreyImage(field, VoxelGrid(field.shape)), 1.0, 3.0)
    inside = direction[:, 6:-6, 6:-6, 6:-6]
    assert np.abs(np.tensordot(normal, inside, axes=1)).max() < 0.05


def test_orientation_needs_cubes() -> None:
    with pytest.raises(ImageError, match="cubic"):
        structure_tensor_orientation(GreyImage(np.ones((4, 4, 4)), VoxelGrid((4, 4, 4), (1.0, 1.0, 2.0))))
    with pytest.raises(ImageError, match="3-D"):
        structure_tensor_orientation(GreyImage(np.ones((4, 4)), VoxelGrid((4, 4))))
    with pytest.raises(ImageError, match="positive"):
        structure_tensor_orientation(GreyImage(np.ones((4, 4, 4)), VoxelGrid((4, 4, 4))), 0.0)


@pytest.mark.data
def test_published_values_of_the_electrode(data_dir: Path) -> None:
    image = read_image(data_dir / "battery" / "taufactor_electrode_256.tif", spacing=100e-6 / 256)
    surface = specific_surface(image)
    assert surface == pytest.approx({0: 785502.47, 85: 374027.56, 170: 876099.55}, rel=1e-7)
    published = {0: (0.9989, 0.9995, 0.9996), 85: (0.9611, 0.9612, 0.9612), 170: (0.9740, 0.9915, 0.9936)}
    for label, values in published.items():
        found = [through_connected_fraction(image, label, 2, connectivity=c) for c in Connectivity]
        assert found == pytest.approx(values, abs=5.1e-5)


@pytest.mark.data
def test_fibres_of_the_reference_felt_lie_in_plane(data_dir: Path) -> None:
    """The published conductivities order the axes y > x > z; so must the mean squared directions."""
    grey = read_grey(data_dir / "fibre" / "puma_fiberform_100_grey.tif")
    direction = structure_tensor_orientation(grey, 0.7, 0.7)
    solid = grey.values >= 90
    second = np.mean(direction[:, solid] ** 2, axis=1)
    assert second.sum() == pytest.approx(1.0)
    assert second[1] > second[0] > second[2]
