"""Minkowski functionals: balls, cylinders, tori and Boolean models have them in closed form."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import scipy.ndimage
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.testing import assert_array_equal

from scalebridge.core.errors import ImageError
from scalebridge.grid import PhaseImage, VoxelGrid
from scalebridge.microstructure import specific_surface
from scalebridge.microstructure.generators.overlapping_spheres import OverlappingSpheres
from scalebridge.microstructure.statistics import minkowski_functionals
from scalebridge.microstructure.statistics.closed_forms import overlapping_spheres_minkowski
from scalebridge.microstructure.statistics.minkowski import configurations, direction_shares


def phases(labels: np.ndarray, spacing: tuple[float, ...] | None = None) -> PhaseImage:
    return PhaseImage(labels, VoxelGrid(labels.shape, spacing))


def centres(shape: tuple[int, ...], size: tuple[float, ...]) -> list[np.ndarray]:
    axes = [(np.arange(n) + 0.5) * h for n, h in zip(shape, size, strict=True)]
    return list(np.meshgrid(*axes, indexing="ij"))


@pytest.mark.parametrize(("radius", "size"), [(8.3, (1.0, 1.0, 1.0)), (12.3, (1.0, 1.0, 2.0))])
def test_a_ball(radius: float, size: tuple[float, float, float]) -> None:
    edge = 2 * radius + 5
    shape = tuple(math.ceil(edge / h) for h in size)
    x, y, z = centres(shape, size)
    inside = (x - edge / 2) ** 2 + (y - edge / 2 - 0.2) ** 2 + (z - edge / 2 - 0.1) ** 2 <= radius**2
    found = minkowski_functionals(phases(inside, size), 1, periodic=False)
    assert found.surface * found.volume == pytest.approx(4 * math.pi * radius**2, rel=0.02)
    assert found.mean_curvature is not None
    assert found.mean_curvature * found.volume == pytest.approx(4 * math.pi * radius, rel=0.03)
    assert found.euler_face * found.volume == pytest.approx(1.0)
    assert found.euler_corner * found.volume == pytest.approx(1.0)
    assert found.fraction == pytest.approx(inside.mean())
    if len(set(size)) == 1:  # voxel stairs are wrong by a half
        stairs = specific_surface(phases(inside))[1] * inside.size
        assert stairs == pytest.approx(6 * math.pi * radius**2, rel=0.05)


def test_a_torus_has_the_euler_number_0() -> None:
    x, y, z = centres((50, 50, 20), (1.0, 1.0, 1.0))
    ring = np.sqrt((x - 25) ** 2 + (y - 25.3) ** 2) - 16
    found = minkowski_functionals(phases(ring**2 + (z - 10) ** 2 <= 36), 1, periodic=False)
    assert found.surface * found.volume == pytest.approx(4 * math.pi**2 * 16 * 6, rel=0.03)
    assert found.mean_curvature is not None
    assert found.mean_curvature * found.volume == pytest.approx(2 * math.pi**2 * 16, rel=0.04)
    assert found.euler * found.volume == pytest.approx(0.0, abs=1e-9)


def test_an_endless_cylinder_oblique_to_the_voxels() -> None:
    """Axis along (1, 1, 0) in a periodic box: closed, so that only the mantle counts."""
    n, radius = 40, 8.0
    x, y, z = centres((n, n, 24), (1.0, 1.0, 1.0))
    away = (x - y + n / 2) % n - n / 2
    found = minkowski_functionals(phases(away**2 / 2 + (z - 12) ** 2 <= radius**2), 1, periodic=True)
    length = n * math.sqrt(2)
    assert found.surface * found.volume == pytest.approx(2 * math.pi * radius * length, rel=0.03)
    assert found.mean_curvature is not None
    assert found.mean_curvature * found.volume == pytest.approx(
        math.pi * length, rel=0.08
    )  # one direction only
    assert found.euler * found.volume == pytest.approx(0.0, abs=1e-9)


def test_a_disc_and_a_ring() -> None:
    x, y = centres((40, 40), (1.0, 1.0))
    square = (x - 20) ** 2 + (y - 20.3) ** 2
    disc = minkowski_functionals(phases(square <= 15.2**2), 1, periodic=False)
    assert disc.surface * disc.volume == pytest.approx(2 * math.pi * 15.2, rel=0.02)
    assert disc.mean_curvature is None
    assert disc.euler_face * disc.volume == pytest.approx(1.0)
    ring = minkowski_functionals(phases((square <= 15.2**2) & (square > 49)), 1, periodic=False)
    assert ring.euler_corner * ring.volume == pytest.approx(0.0, abs=1e-12)


@pytest.mark.parametrize(("shape", "radius"), [((72, 72, 72), 9.0), ((200, 200), 10.0)])
def test_overlapping_spheres(shape: tuple[int, ...], radius: float) -> None:
    """Surface follows the closed form; curvature of a dilute model too, where few inward edges disturb it."""
    medium = OverlappingSpheres(shape, radius, 0.1)
    found = [minkowski_functionals(medium.realize(s).image, 1, periodic=True) for s in range(6)]
    fraction, surface, _, curvature = overlapping_spheres_minkowski(0.9, radius, len(shape))
    share = np.mean([f.fraction for f in found])
    assert np.mean([f.surface for f in found]) / share == pytest.approx(surface / fraction, rel=0.04)
    if curvature is not None:
        mean = np.mean([f.mean_curvature for f in found])
        assert mean / share == pytest.approx(curvature / fraction, rel=0.12)


def test_planes_are_wrong_by_no_more_than_was_said() -> None:
    for ndim, low, high in ((2, 0.948, 1.027), (3, 0.926, 1.03)):
        steps = np.array([s for s in itertools.product((-1, 0, 1), repeat=ndim) if s > (0,) * ndim])
        directions = steps / np.linalg.norm(steps, axis=1)[:, None]
        shares = direction_shares(directions)
        assert shares.sum() == pytest.approx(1.0)
        normal = np.random.default_rng(0).standard_normal((20000, ndim))
        normal /= np.linalg.norm(normal, axis=1)[:, None]
        ratio = np.abs(normal @ directions.T) @ shares * (2.0 if ndim == 3 else math.pi / 2)
        assert low < ratio.min()
        assert ratio.max() < high
        assert ratio.mean() == pytest.approx(1.0, abs=2e-3)
    slab = np.zeros((8, 8, 8), np.uint8)
    slab[:4] = 1
    found = minkowski_functionals(phases(slab), 1, periodic=True)
    assert found.surface * found.volume == pytest.approx(0.927 * 128, rel=1e-3)


@given(arrays(bool, st.sampled_from([(4, 5), (3, 4, 5)])))
def test_a_phase_and_its_complement_share_their_border(mask: np.ndarray) -> None:
    mask[(0,) * mask.ndim], mask[(1,) * mask.ndim] = True, False
    one, other = (minkowski_functionals(phases(mask), label, periodic=True) for label in (1, 0))
    assert one.surface == pytest.approx(other.surface)
    if mask.ndim == 3:
        assert one.mean_curvature is not None
        assert other.mean_curvature is not None
        assert one.mean_curvature == pytest.approx(-other.mean_curvature, abs=1e-12)
    sign = 1 if mask.ndim == 3 else -1
    assert one.euler_face == pytest.approx(sign * other.euler_corner, abs=1e-12)
    assert one.euler_corner == pytest.approx(sign * other.euler_face, abs=1e-12)


@given(arrays(bool, (6, 7)))
def test_in_the_plane_the_euler_number_is_pieces_minus_holes(mask: np.ndarray) -> None:
    mask[[0, -1]], mask[:, [0, -1]] = False, False
    mask[3, 3] = True
    found = minkowski_functionals(phases(mask), 1, periodic=False)
    for structure, background, euler in (
        (None, np.ones((3, 3)), found.euler_face),
        (np.ones((3, 3)), None, found.euler_corner),
    ):
        pieces = scipy.ndimage.label(mask, structure)[1]
        holes = scipy.ndimage.label(~mask, background)[1] - 1
        assert euler * found.volume == pytest.approx(pieces - holes, abs=1e-9)


def test_cavities_count_for_and_tunnels_against() -> None:
    block = np.zeros((7, 7, 7), bool)
    block[1:6, 1:6, 1:6] = True
    hollow, drilled = block.copy(), block.copy()
    hollow[3, 3, 3] = False
    drilled[:, 3, 3] = False
    for mask, euler in ((block, 1), (hollow, 2), (drilled, 0)):
        found = minkowski_functionals(phases(mask), 1, periodic=False)
        assert found.euler_face * found.volume == pytest.approx(euler)
        assert found.euler_corner * found.volume == pytest.approx(euler)
    touching = np.zeros((4, 4, 4), bool)
    touching[1, 1, 1] = touching[2, 2, 2] = True
    found = minkowski_functionals(phases(touching), 1, periodic=False)
    assert found.euler_face * found.volume == pytest.approx(2)
    assert found.euler_corner * found.volume == pytest.approx(1)


@given(arrays(bool, st.sampled_from([(3, 4), (2, 3, 4)])), st.booleans())
def test_configurations_are_those_at_every_place(mask: np.ndarray, periodic: bool) -> None:
    expected = np.zeros(1 << (1 << mask.ndim), int)
    for place in np.ndindex(*[n - (0 if periodic else 1) for n in mask.shape]):
        code = 0
        for bit, step in enumerate(itertools.product((0, 1), repeat=mask.ndim)):
            index = tuple((p + s) % n for p, s, n in zip(place, step, mask.shape, strict=True))
            code |= int(mask[index]) << bit
        expected[code] += 1
    assert_array_equal(configurations(mask, periodic=periodic), expected)


def test_a_single_layer_has_no_configurations() -> None:
    with pytest.raises(ImageError, match="two voxels per axis"):
        minkowski_functionals(phases(np.ones((4, 1), np.uint8)), 1, periodic=False)
