"""Voronoi and Laguerre polycrystals: cells, volumes, orientations."""

from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from scalebridge.core.errors import ConvergenceError, ImageError
from scalebridge.microstructure.generators import tessellation
from scalebridge.microstructure.generators.crystal_orientations import draw_rotations
from scalebridge.microstructure.generators.power_diagram import Box, WeightFit, _jacobian, power_labels
from scalebridge.microstructure.generators.tessellation import (
    LaguerrePolycrystal,
    VoronoiPolycrystal,
    hard_core_points,
    mean_cell_volume,
)

QUARTER = ((0.0, -1.0, 0.0), (1.0, 0.0, 0.0), (0.0, 0.0, 1.0))
IDENTITY = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("periodic", [True, False])
@pytest.mark.parametrize("shape", [(24, 17), (12, 9, 10)])
def test_each_voxel_belongs_to_the_cell_of_least_power(
    shape: tuple[int, ...], periodic: bool, weighted: bool
) -> None:
    random = np.random.default_rng(2)
    box = Box(tuple(map(float, shape)), periodic)
    seeds = random.random((15, len(shape))) * shape
    weights = random.random(15) * 8 if weighted else None
    centres = np.stack(np.meshgrid(*[np.arange(n) + 0.5 for n in shape], indexing="ij"), axis=-1)
    square = np.sum(box.nearest_image(centres[..., None, :] - seeds) ** 2, axis=-1)
    expected = np.argmin(square - (0.0 if weights is None else weights), axis=-1)
    assert_array_equal(power_labels(shape, box, seeds, weights), expected)


@pytest.mark.parametrize("periodic", [True, False])
@pytest.mark.parametrize(
    ("shape", "cells"), [((50, 43, 37), 20), ((90, 1), 6), ((40, 3, 5), 12), ((64, 50), 1), ((40, 64), 2)]
)
def test_blocks_inside_of_cells_are_filled_as_if_every_voxel_were_asked(
    shape: tuple[int, ...], cells: int, periodic: bool
) -> None:
    """Also where few cells meet their own images, and where a block is wider than the shape."""
    for number in range(4):
        random, box = np.random.default_rng(number), Box(tuple(map(float, shape)), periodic)
        seeds, weights = random.random((cells, len(shape))) * shape, 90 * random.random(cells)
        square = np.full(shape, np.inf)
        expected = np.zeros(shape, int)
        for cell in range(cells):
            parts = [np.arange(n) + 0.5 - s for n, s in zip(shape, seeds[cell], strict=True)]
            apart = box.nearest_image(np.stack(np.meshgrid(*parts, indexing="ij"), axis=-1))
            power = np.sum(apart**2, axis=-1) - weights[cell]
            expected[power < square] = cell
            square = np.minimum(square, power)
        assert_array_equal(power_labels(shape, box, seeds, weights), expected)
        colours = random.integers(2, size=cells).astype(np.uint8)
        coloured = power_labels(shape, box, seeds, weights, colours)
        assert coloured.dtype == np.uint8
        assert_array_equal(coloured, colours[expected])


@pytest.mark.parametrize("periodic", [True, False])
@pytest.mark.parametrize(
    ("edges", "points", "cells"),
    [
        ((12.0, 10.0), (480, 400), 6),
        ((12.0, 10.0, 11.0), (72, 60, 66), 6),
        ((12.0, 10.0, 11.0), (72, 60, 66), 3),
    ],
)
def test_jacobian_of_the_volumes_is_their_derivative(
    edges: tuple[float, ...], points: tuple[int, ...], cells: int, periodic: bool
) -> None:
    """Few cells: on a torus they meet images of each other that are not the nearest."""
    random, box, step = np.random.default_rng(11), Box(edges, periodic), 0.5
    seeds, weights = random.random((cells, len(edges))) * edges, 2 * random.random(cells)

    def volumes(weights: np.ndarray) -> np.ndarray:
        counts = np.bincount(power_labels(points, box, seeds, weights).ravel(), minlength=cells)
        return counts * math.prod(edges) / math.prod(points)

    jacobian = _jacobian(power_labels(points, box, seeds, weights), box, seeds).toarray()
    shifts = step * np.eye(cells)
    derivative = np.stack([volumes(weights + e) - volumes(weights - e) for e in shifts], axis=1) / (2 * step)
    # Voxels are counted: some 3 % of the largest entry are their graininess.
    assert_allclose(jacobian, derivative, atol=0.03 * np.diag(derivative).max())
    assert_allclose(jacobian.sum(axis=0), 0, atol=1e-9)


@pytest.mark.parametrize(
    ("shape", "grain_volume", "variance"), [((640, 640), 200.0, 0.280), ((72, 72, 72), 250.0, 0.179)]
)
def test_cells_of_the_poisson_process_vary_as_known(
    shape: tuple[int, ...], grain_volume: float, variance: float
) -> None:
    image = VoronoiPolycrystal(shape, grain_volume, fixed_count=True).realize(4).image
    volumes = np.array(list(image.counts.values()))
    assert len(volumes) == pytest.approx(math.prod(shape) / grain_volume, rel=2e-3)
    # About 1500 to 2000 cells: the variance is uncertain by some 5 %.
    assert np.var(volumes) / np.mean(volumes) ** 2 == pytest.approx(variance, rel=0.15)


def test_numbers_of_poisson_grains_fluctuate_unless_fixed() -> None:
    counts = [len(VoronoiPolycrystal((40, 40), 32.0).realize(s).image.present) for s in range(200)]
    assert np.mean(counts) == pytest.approx(50, abs=4 * math.sqrt(50 / 200))
    assert np.var(counts) == pytest.approx(50, rel=0.4)
    fixed = {
        len(VoronoiPolycrystal((40, 40), 32.0, fixed_count=True).realize(s).image.present) for s in range(9)
    }
    assert fixed == {50}


@pytest.mark.parametrize("shape", [(30, 24), (18, 20, 16)])
@pytest.mark.parametrize("hard_core", [0.0, 0.6])
def test_windows_count_their_cells_without_bias(shape: tuple[int, ...], hard_core: float) -> None:
    """Counts of windows a few grains wide, over the volume they speak for: on average those of the medium."""
    grain = 60.0 if len(shape) == 2 else 300.0
    generator = VoronoiPolycrystal(shape, grain, periodic=False, hard_core=hard_core)
    drawn = generator.stream(range(80 if hard_core else 300))  # even grains scatter less
    density = [1 / mean_cell_volume(realization.image.labels, periodic=False) for realization in drawn]
    error = np.std(density, ddof=1) / math.sqrt(len(density))
    assert error < 0.025 / grain
    assert abs(np.mean(density) - 1 / grain) < 3 * error


def test_a_hard_core_evens_the_grains_out() -> None:
    spread = []
    for hard_core in (0.0, 0.7):
        image = VoronoiPolycrystal((48, 48, 48), 300.0, hard_core=hard_core).realize(5).image
        volumes = np.array(list(image.counts.values()))
        spread.append(np.std(volumes) / np.mean(volumes))
    assert spread[1] < 0.6 * spread[0]


@pytest.mark.parametrize("periodic", [True, False])
def test_balls_with_a_hard_core_do_not_overlap(periodic: bool) -> None:
    radii = np.array([4.0, 1.0, 2.0, 3.0, 1.5] * 8)
    box = Box((30.0, 30.0, 25.0), periodic)
    points = hard_core_points(radii, box, np.random.default_rng(6), "a test", "")
    distance = np.linalg.norm(box.nearest_image(points[:, None] - points[None]), axis=-1)
    np.fill_diagonal(distance, np.inf)
    assert np.all(distance >= radii[:, None] + radii[None])
    with pytest.raises(ImageError, match=r"no room left after .* Take fewer"):
        hard_core_points(np.full(60, 4.5), box, np.random.default_rng(6), "a test", "Take fewer.")


@pytest.mark.parametrize("periodic", [True, False])
@pytest.mark.parametrize("variation", [0.2, 1.0])
def test_laguerre_grains_have_the_volumes_asked_for(variation: float, periodic: bool) -> None:
    generator = LaguerrePolycrystal((40, 44, 36), 800.0, variation=variation, periodic=periodic)
    realization = generator.realize(7)
    target = generator.target_volumes(7)
    reached = np.bincount(realization.image.labels.ravel(), minlength=len(target))
    assert target.sum() == pytest.approx(reached.sum())
    assert np.all(np.abs(reached - target) <= np.maximum(0.01 * target, 2))
    assert realization.reached["largest relative error of a grain's volume"] < 0.1
    assert realization.reached["variation of grain volumes"] == pytest.approx(variation, rel=0.5)


def test_lognormal_volumes_are_drawn_anew_and_given_ones_kept() -> None:
    generator = LaguerrePolycrystal((200, 200), 100.0, variation=0.5)
    drawn = np.concatenate([generator.target_volumes(seed) for seed in range(10)])
    assert np.mean(drawn) == pytest.approx(100)
    assert np.std(drawn) / 100 == pytest.approx(0.5, rel=0.1)
    assert np.std(np.log(drawn)) == pytest.approx(math.sqrt(math.log(1.25)), rel=0.04)
    assert not np.allclose(generator.target_volumes(0), generator.target_volumes(1))
    given = LaguerrePolycrystal((30, 40), volumes=(1.0, 2.0, 3.0, 6.0), tolerance=0.02).realize(1).image
    assert_allclose([given.counts[k] for k in range(4)], [100, 200, 300, 600], atol=6)


def test_orientations_are_uniform_or_from_the_texture() -> None:
    turns = draw_rotations(20_000, 2, None, np.random.default_rng(8))
    assert_allclose(turns @ np.swapaxes(turns, 1, 2), np.broadcast_to(np.eye(2), turns.shape), atol=1e-12)
    assert_allclose(np.linalg.det(turns), 1)
    assert_allclose(turns.mean(axis=0), 0, atol=0.03)
    assert_allclose((turns**2).mean(axis=0), 0.5, atol=0.02)
    space = draw_rotations(20_000, 3, None, np.random.default_rng(8))
    assert_allclose((space**2).mean(axis=0), 1 / 3, atol=0.01)
    generator = VoronoiPolycrystal((24, 24, 24), 200.0, texture=(QUARTER, IDENTITY))
    drawn, free = generator.realize(3), VoronoiPolycrystal((24, 24, 24), 200.0).realize(3)
    assert_array_equal(drawn.image.labels, free.image.labels)  # a texture does not change the grains
    kinds = {str(np.asarray(turn).tolist()) for turn in drawn.orientations.values()}
    assert len(kinds) == 2
    assert set(drawn.orientations) == set(drawn.image.present)
    assert drawn.targets["crystal axis 1 along x"] == 0.5
    turned = sum(drawn.image.fractions[k] for k, t in drawn.orientations.items() if t[1, 0] == 1)
    assert drawn.reached["crystal axis 1 along y"] == pytest.approx(turned)


@pytest.mark.parametrize(
    ("parameters", "named"),
    [
        ({"grain_volume": 0.5}, "grain_volume"),
        ({"grain_volume": 2.0}, "4096 labels"),
        ({"hard_core": 0.9}, "hard_core"),
        ({"hard_core": -0.1}, "hard_core"),
        ({"texture": (((1.0, 0.0), (0.0, 1.0)),)}, "texture"),
        ({"texture": (((2.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)),)}, "texture"),
    ],
)
def test_impossible_voronoi_polycrystals(parameters: dict, named: str) -> None:
    with pytest.raises(ImageError, match=named):
        VoronoiPolycrystal((32, 32, 32), **{"grain_volume": 100.0, **parameters})


@pytest.mark.parametrize(
    ("parameters", "named"),
    [
        ({"volumes": ()}, "volumes"),
        ({"volumes": (1.0, -1.0)}, "volumes"),
        ({"volumes": (1.0,) * 5000}, "labels"),
        ({"variation": -0.5}, "variation"),
        ({"tolerance": 0.0}, "tolerance"),
        ({"grain_volume": 1.5}, "labels"),
    ],
)
def test_impossible_laguerre_polycrystals(parameters: dict, named: str) -> None:
    with pytest.raises(ImageError, match=named):
        LaguerrePolycrystal((32, 32, 32), **parameters)


def test_volumes_that_are_not_reached_are_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def unfitted(shape, box, seeds, weights, target, tolerance):  # type: ignore[no-untyped-def]
        labels = power_labels(shape, box, seeds)
        volumes = np.bincount(labels.ravel(), minlength=len(target)).astype(float)
        return WeightFit(weights, labels, volumes, 0)

    monkeypatch.setattr(tessellation, "fit_weights", unfitted)
    with pytest.raises(
        ConvergenceError, match=r"grains miss their volume by more than 1 %, the worst reaches"
    ):
        LaguerrePolycrystal((60, 60), 100.0).realize(0)
