"""Bodies that must not overlap do not, at the fractions promised, and the voxels are theirs."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from scalebridge.core.errors import ImageError
from scalebridge.microstructure.generators import (
    CurvedFibres,
    EllipsoidPacking,
    OverlappingSpheres,
    SpherePacking,
    StraightFibres,
)
from scalebridge.microstructure.generators.collective_rearrangement import (
    NeighbourList,
    clearance,
    nearest_image,
    separate_balls,
    shake_balls,
)
from scalebridge.microstructure.generators.curved_fibres import _around
from scalebridge.microstructure.generators.orientation_distribution import draw_axes, match_orientation
from scalebridge.microstructure.generators.rigid_bodies import contact_function
from scalebridge.microstructure.generators.segments import closest_points
from scalebridge.microstructure.generators.voxelization import Ball, Capsule, Ellipsoid, voxelize

TENSOR = np.array([[0.6, 0.15, 0.05], [0.15, 0.3, 0.0], [0.05, 0.0, 0.1]])


def distances(points: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """Of all pairs, by brute force."""
    i, j = np.triu_indices(len(points), 1)
    return np.linalg.norm(nearest_image(points[j] - points[i], edges), axis=1)


@pytest.mark.parametrize(
    ("shape", "fraction", "radius"),
    [((60, 60, 60), 0.6, 5.0), ((120, 120), 0.8, 6.0), ((60, 60, 60), 0.2, 5.0)],
)
def test_equal_spheres_are_packed_without_overlap(
    shape: tuple[int, ...], fraction: float, radius: float
) -> None:
    generator = SpherePacking(shape=shape, fraction=fraction, radius=radius)
    centres, radii = generator.centres(1)
    assert np.min(distances(centres, np.array(shape))) >= 2 * radii[0]
    assert radii[0] == pytest.approx(radius, rel=0.02)
    volume = {2: np.pi, 3: 4 / 3 * np.pi}[len(shape)] * np.sum(radii ** len(shape))
    assert volume / np.prod(shape) == pytest.approx(fraction, abs=1e-9)
    assert generator.realize(1).reached["fraction of label 1"] == pytest.approx(fraction, abs=3e-4)


def test_a_gap_is_kept_and_sizes_have_their_shares() -> None:
    generator = SpherePacking(
        shape=(64, 64, 64), fraction=0.4, radius=(8.0, 4.0), shares=(1.0, 3.0), gap=1.0, match_voxels=False
    )
    centres, radii = generator.centres(2)
    i, j = np.triu_indices(len(radii), 1)
    assert np.min(distances(centres, np.array([64, 64, 64])) - radii[i] - radii[j]) >= 1.0
    large = radii > 6
    assert np.sum(radii[large] ** 3) / np.sum(radii**3) == pytest.approx(0.25, abs=0.02)


def test_what_cannot_be_packed_is_refused_with_what_was_reached() -> None:
    with pytest.raises(ImageError, match=r"without overlap the fraction is 0\.[56]\d\d"):
        SpherePacking(shape=(40, 40, 40), fraction=0.72, radius=6.0).realize(0)
    with pytest.raises(ImageError, match="still overlap by"):
        EllipsoidPacking(shape=(24, 24, 24), fraction=0.85, axes=(5.0, 3.0, 3.0)).realize(0)
    with pytest.raises(ImageError, match="Take a larger shape or smaller spheres"):
        SpherePacking(shape=(30, 30, 30), fraction=0.02, radius=7.0).realize(0)
    with pytest.raises(ImageError, match="fraction lies between"):
        voxelize((8, 8), (8, 8), lambda: [Ball(np.array([4.0, 4.0]), 2.0)], 0.9, "A disc")


def test_shaking_takes_the_contacts_away() -> None:
    random, edges, radii = np.random.default_rng(5), np.full(3, 60.0), np.full(120, 5.0)
    points = separate_balls(random.random((120, 3)) * edges, radii, edges, margin=0.01, most_steps=5000).state
    shaken = shake_balls(points, radii, edges, 3000, random)
    assert clearance(points, radii, edges) >= 1
    assert clearance(shaken, radii, edges) >= 1
    touching = [np.count_nonzero(distances(p, edges) < 10.02) for p in (points, shaken)]
    assert touching[1] < 0.3 * touching[0]  # 17 pairs before, 1 after


def test_neighbours_are_all_found_as_points_move() -> None:
    random, edges = np.random.default_rng(0), np.array([30.0, 20.0])
    points = random.random((80, 2)) * edges
    neighbours = NeighbourList(3.0, edges, 1.0)
    for _ in range(30):
        points = points + random.normal(scale=0.1, size=points.shape)
        listed = {tuple(pair) for pair in neighbours.pairs(points)}
        i, j = np.triu_indices(len(points), 1)
        near = distances(points, edges) < 3
        assert set(zip(i[near].tolist(), j[near].tolist(), strict=True)) <= listed


@pytest.mark.parametrize("periodic", [True, False])
def test_a_voxel_belongs_to_a_body_when_its_centre_does(periodic: bool) -> None:
    shape = (20, 14, 12)
    random = np.random.default_rng(3)
    centres = random.random((9, 3)) * 24 - 2
    voxels = np.stack(np.meshgrid(*[np.arange(n) + 0.5 for n in shape], indexing="ij"), axis=-1)
    frame = np.linalg.qr(random.normal(size=(3, 3)))[0]
    axes, along = np.array([5.0, 2.0, 1.5]), np.array([3.0, -2.0, 4.0])

    def inside(offset: np.ndarray, number: int) -> np.ndarray:
        if number % 3 == 0:
            return np.sum(offset**2, axis=-1) <= 3.3**2
        if number % 3 == 1:
            return np.sum((offset @ frame / axes) ** 2, axis=-1) <= 1
        place = np.clip(offset @ along / (along @ along), -1, 1)
        return np.sum((offset - place[..., None] * along) ** 2, axis=-1) <= 1.7**2

    bodies, expected = [], np.zeros(shape, bool)
    shifts = [
        np.array(s) * shape
        for s in itertools.product((-2, -1, 0, 1, 2), repeat=3)
        if periodic or s == (0, 0, 0)
    ]
    for number, centre in enumerate(centres):
        made = (
            Ball(centre, 3.3),
            Ellipsoid(centre, axes, frame),
            Capsule(centre, along, 1.7),
        )
        bodies.append(made[number % 3])
        for shift in shifts:
            expected |= inside(voxels - centre - shift, number)
    drawn = voxelize(shape, shape if periodic else None, lambda: bodies, None, "Bodies")
    np.testing.assert_array_equal(drawn.labels, expected)
    # The same bodies at the scale that gives three voxels more.
    more = (np.count_nonzero(expected) + 3) / expected.size
    scaled = voxelize(shape, shape if periodic else None, lambda: bodies, more, "Bodies")
    assert abs(np.count_nonzero(scaled.labels) - np.count_nonzero(expected) - 3) <= 2
    assert np.all(scaled.labels[expected] == 1)
    assert 1 <= scaled.scale < 1.02


@pytest.mark.parametrize("dimensions", [2, 3])
def test_ellipsoids_scaled_by_their_contact_function_touch(dimensions: int) -> None:
    random, count = np.random.default_rng(1), 50
    frames = np.linalg.qr(random.normal(size=(2, count, dimensions, dimensions)))[0]
    axes = random.uniform(0.5, 3, (2, count, dimensions))
    apart = random.normal(scale=3, size=(count, dimensions))
    square, _, normal, point = contact_function(apart, frames[0], axes[0], frames[1], axes[1])
    for k in range(count):
        for body, offset, outward in ((0, point[k], normal[k]), (1, point[k] - apart[k], -normal[k])):
            shape = frames[body, k] @ np.diag(axes[body, k] ** -2.0) @ frames[body, k].T
            assert offset @ shape @ offset == pytest.approx(square[k], rel=1e-5)
            gradient = shape @ offset
            cosine = gradient @ outward / np.linalg.norm(gradient) / np.linalg.norm(outward)
            assert cosine == pytest.approx(1, abs=1e-5)


def test_ellipsoids_are_packed_without_overlap() -> None:
    generator = EllipsoidPacking(shape=(40, 40, 40), fraction=0.5, axes=(7.0, 4.0, 3.0))
    centres, frames, axes = generator.bodies(4)
    i, j = np.triu_indices(len(centres), 1)
    apart = nearest_image(centres[j] - centres[i], np.full(3, 40.0))
    assert np.min(contact_function(apart, frames[i], axes[i], frames[j], axes[j])[0]) >= 1 - 1e-9
    np.testing.assert_allclose(
        frames @ np.swapaxes(frames, 1, 2), np.broadcast_to(np.eye(3), frames.shape), atol=1e-9
    )


def test_the_nearest_points_of_segments_are_the_nearest() -> None:
    random = np.random.default_rng(2)
    apart, first, second = random.normal(size=(3, 40, 3)) * np.array([2.0, 1.0, 1.0])[:, None, None]
    second[:5] = 0.7 * first[:5]  # parallel ones too
    s, t, gap = closest_points(apart, first, second)
    grid = np.linspace(-1, 1, 201)
    u, v = (m.reshape(-1, 1) for m in np.meshgrid(grid, grid))
    for k in range(40):
        sampled = np.min(np.linalg.norm(apart[k] + v * second[k] - u * first[k], axis=1))
        assert np.linalg.norm(gap[k]) <= sampled + 1e-12
        assert np.linalg.norm(gap[k]) >= sampled - 0.05
        np.testing.assert_allclose(gap[k], apart[k] + t[k] * second[k] - s[k] * first[k], atol=1e-12)


def axis_distance(
    first: np.ndarray, second: np.ndarray, half: np.ndarray, other: np.ndarray, edges: np.ndarray
) -> float:
    """Smallest distance of two segments over their periodic images."""
    shifts = np.array(list(itertools.product((-1, 0, 1), repeat=len(edges)))) * edges
    apart = nearest_image(second - first, edges) + shifts
    gap = closest_points(apart, np.broadcast_to(half, apart.shape), np.broadcast_to(other, apart.shape))[2]
    return float(np.min(np.linalg.norm(gap, axis=1)))


@pytest.mark.parametrize(
    ("shape", "fraction", "gap"),
    [((60, 60, 60), 0.25, 0.0), ((60, 60, 60), 0.1, 1.0), ((128, 128), 0.2, 0.0)],
)
def test_straight_fibres_keep_apart(shape: tuple[int, ...], fraction: float, gap: float) -> None:
    generator = StraightFibres(shape=shape, fraction=fraction, radius=2.0, length=40.0, gap=gap)
    centres, frames, spans, radius = generator._axes_placed(6)
    half = 0.5 * spans[:, None] * frames[:, :, 0]
    edges = np.array(shape, dtype=float)
    for i, j in itertools.combinations(range(len(centres)), 2):
        assert axis_distance(centres[i], centres[j], half[i], half[j], edges) >= 2 * radius + gap - 1e-9
    np.testing.assert_allclose(
        np.mean(frames[:, :, :1] @ np.swapaxes(frames[:, :, :1], 1, 2), axis=0), np.eye(len(shape)) / len(shape),
        atol=1e-3,
    )  # fmt: skip


@pytest.mark.parametrize("diagonal", [(0.5, 0.5, 0.0), (0.4, 0.3, 0.3), (0.0, 1.0, 0.0)])
def test_fibres_through_the_box_find_their_layers(diagonal: tuple[float, ...]) -> None:
    """Those of two directions cannot change sides: thrown without looking, they jam at half this fraction."""
    shape, edges = (40, 36, 32), np.array([40.0, 36.0, 32.0])
    tensor = tuple(tuple(row) for row in np.diag(diagonal).tolist())
    generator = StraightFibres(shape=shape, fraction=0.3, radius=2.0, length=None, orientation=tensor)
    for seed in range(6):
        centres, frames, spans, radius = generator._axes_placed(seed)
        axes = frames[:, :, 0]
        for i, j in itertools.combinations(range(len(centres)), 2):
            across = (np.abs(axes[i]) < 0.5) & (np.abs(axes[j]) < 0.5)
            apart = nearest_image(centres[j] - centres[i], edges)[across]
            assert np.linalg.norm(apart) >= 2 * radius - 1e-9
        along = np.einsum("n,ni->i", spans, axes**2) / np.sum(spans)
        np.testing.assert_allclose(along, diagonal, atol=0.05)
        assert generator.realize(seed).reached["fraction of label 1"] == pytest.approx(0.3, abs=1e-3)


def test_curved_fibres_keep_apart_and_bend() -> None:
    generator = CurvedFibres(shape=(60, 60, 60), fraction=0.15, radius=2.0, length=80.0, persistence=20.0)
    nodes, radius = generator.fibres(3)
    pieces = [(f, k, fibre[k], fibre[k + 1]) for f, fibre in enumerate(nodes) for k in range(len(fibre) - 1)]
    middles = np.array([0.5 * (a + b) for *_, a, b in pieces])
    edges = np.full(3, 60.0)
    for i, j in zip(*np.triu_indices(len(pieces), 1), strict=True):
        near_along = pieces[i][0] == pieces[j][0] and abs(pieces[i][1] - pieces[j][1]) <= 3
        if near_along or np.linalg.norm(nearest_image(middles[j] - middles[i], edges)) > 10:
            continue
        half, other = (0.5 * (pieces[k][3] - pieces[k][2]) for k in (i, j))
        assert axis_distance(middles[i], middles[j], half, other, edges) >= 2 * radius - 1e-9
    chords = np.linalg.norm(nodes[:, -1] - nodes[:, 0], axis=1)
    lengths = np.sum(np.linalg.norm(np.diff(nodes, axis=1), axis=2), axis=1)
    assert 0.3 < np.mean(chords / lengths) < 0.98
    assert np.mean(lengths) + 2 * radius == pytest.approx(80, rel=0.02)


@pytest.mark.parametrize(
    "tensor",
    [TENSOR, TENSOR[:2, :2] / 0.9, np.diag([0.5, 0.5, 0.0]), np.diag([0.0, 1.0, 0.0]), np.eye(3) / 3],
)
def test_drawn_axes_have_the_orientation_tensor(tensor: np.ndarray) -> None:
    axes = draw_axes(100_000, tensor, np.random.default_rng(0))
    np.testing.assert_allclose(np.linalg.norm(axes, axis=1), 1)
    np.testing.assert_allclose(axes.T @ axes / len(axes), tensor, atol=6e-3)
    few = match_orientation(axes[:40], tensor)
    np.testing.assert_allclose(few.T @ few / len(few), tensor, atol=1e-6)


def test_bending_directions_follow_the_von_mises_fisher_distribution() -> None:
    axis = np.array([0.6, 0.0, 0.8])
    for concentration in (0.5, 4.0, 60.0):
        drawn = _around(np.tile(concentration * axis, (100_000, 1)), np.random.default_rng(1))
        mean = np.mean(drawn, axis=0)
        np.testing.assert_allclose(mean, axis * (1 / np.tanh(concentration) - 1 / concentration), atol=6e-3)


def test_overlapping_spheres_cover_what_the_poisson_process_says() -> None:
    generator = OverlappingSpheres(shape=(48, 48, 48), radius=4.0, fraction=0.5)
    reached = [generator.realize(seed).reached["fraction of label 1"] for seed in range(40)]
    error = np.std(reached) / np.sqrt(len(reached))
    assert abs(np.mean(reached) - 0.5) < 4 * error
    assert 0.005 < np.std(reached) < 0.1
