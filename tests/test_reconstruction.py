"""Reconstruction from two-point statistics."""

from __future__ import annotations

import itertools
import json

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from scalebridge.core.errors import ConvergenceError, ImageError
from scalebridge.grid import PhaseImage, VoxelGrid
from scalebridge.microstructure.generate import random_spheres
from scalebridge.microstructure.generators import (
    Exponential,
    GaussianLevelCut,
    TwoPointReconstruction,
    VoronoiMosaic,
    generator_from_record,
)
from scalebridge.microstructure.generators.covariance_targets import covariance_map


def _image(labels: np.ndarray) -> PhaseImage:
    return PhaseImage(labels, VoxelGrid(labels.shape))


@pytest.mark.parametrize("periodic", [True, False])
@pytest.mark.parametrize("shape", [(7, 10), (4, 6, 5)])
def test_covariance_maps_are_means_over_pairs(shape: tuple[int, ...], periodic: bool) -> None:
    indicator = np.random.default_rng(1).random(shape) < 0.4
    found = covariance_map(indicator, periodic)
    centred = indicator - indicator.mean()
    for lag in np.ndindex(*[min(3, n) for n in shape]):
        signed = tuple(-step if k % 2 else step for k, step in enumerate(lag))
        if periodic:
            expected = np.mean(centred * np.roll(centred, signed, tuple(range(len(shape)))))
        else:
            here = tuple(slice(max(0, s), n + min(0, s)) for s, n in zip(signed, shape, strict=True))
            there = tuple(slice(max(0, -s), n + min(0, -s)) for s, n in zip(signed, shape, strict=True))
            expected = np.mean(centred[here] * centred[there])
        assert found[signed] == pytest.approx(expected, abs=1e-6)


def _error(labels: np.ndarray, reference: np.ndarray, periodic: bool, reach: int) -> float:
    """Relative L2 error of the covariance over the lags within `reach`, computed lag by lag."""
    reached, aimed = covariance_map(labels == 1, True), covariance_map(reference, periodic)
    lags = np.stack(np.meshgrid(*[np.arange(-reach, reach + 1)] * labels.ndim, indexing="ij"), axis=-1)
    lags = lags[np.sum(lags**2, axis=-1) <= reach**2]
    a = np.array([reached[tuple(lag)] for lag in lags])
    b = np.array([aimed[tuple(lag)] for lag in lags])
    return float(np.linalg.norm(a - b) / np.linalg.norm(b))


@pytest.mark.parametrize("periodic", [True, False])
@pytest.mark.parametrize(
    ("shape", "window", "reach"), [((96, 96), (90, 100), 20), ((40, 36, 44), (36, 40, 32), 9)]
)
def test_reconstructions_have_the_covariance_in_all_directions(
    shape: tuple[int, ...], window: tuple[int, ...], reach: int, periodic: bool
) -> None:
    """Of an anisotropic medium: within 4 % over all lags, and along each direction of neighbours by itself."""
    stretch = (2.5, 1.0, 1.5)[: len(shape)]
    medium = GaussianLevelCut(shape, 0.4, Exponential(3.0), stretch=stretch, periodic=periodic)
    reference = medium.realize(1).image
    generator = TwoPointReconstruction(window, reference, reference_periodic=periodic, reach=reach)
    labels = generator.realize(2).image.labels
    assert _error(labels, reference.labels == 1, periodic, reach) <= 0.04
    reached, aimed = covariance_map(labels == 1, True), covariance_map(reference.labels == 1, periodic)
    for direction in itertools.product((-1, 0, 1), repeat=len(shape)):
        if direction > (0,) * len(shape):
            steps = range(int(reach / np.linalg.norm(direction)) + 1)
            a, b = (np.array([c[tuple(n * k for k in direction)] for n in steps]) for c in (reached, aimed))
            assert np.linalg.norm(a - b) <= 0.04 * np.linalg.norm(b), direction


def test_few_voxels_are_brought_out_of_a_local_minimum() -> None:
    # A descent alone stops at 5 %: 2304 voxels, of which no two can be exchanged to be better off.
    reference = VoronoiMosaic((40, 40), 30.0, 0.4).realize(7).image
    generator = TwoPointReconstruction((48, 48), reference, reference_periodic=True, reach=16)
    for seed in range(3):
        assert _error(generator.realize(seed).image.labels, reference.labels == 1, True, 16) <= 0.04


def test_reconstruction_in_space_of_another_label() -> None:
    spheres = random_spheres((32, 32, 32), 0.25, radius=5, seed=1)
    renamed = _image(np.where(spheres.labels == 1, 7, 3))
    generator = TwoPointReconstruction((30, 26, 28), renamed, label=7, reference_periodic=True, reach=9)
    labels = generator.realize(2).image.labels
    assert _error(labels, spheres.labels == 1, True, 9) <= 0.0405
    assert labels.mean() == pytest.approx(spheres.labels.mean(), abs=1e-3)
    # Far better than the level cut it starts from, which has no spheres' covariance.
    assert set(np.unique(labels)) == {0, 1}


def test_a_seed_gives_one_image_in_any_shape() -> None:
    reference = GaussianLevelCut((40, 40), 0.5, Exponential(3.0), of_indicator=True).realize(0).image
    generator = TwoPointReconstruction((40, 40), reference, reference_periodic=True, tolerance=0.1)
    assert_array_equal(generator.realize(1).image.labels, generator.realize(1).image.labels)
    larger = generator.with_shape((60, 50))
    assert larger.realize(1).image.grid.shape == (60, 50)
    assert_allclose(larger.targets()["fraction of label 1"], reference.fractions[1], atol=1e-6)


@pytest.mark.parametrize("names", [(0, 1), (3, 900), (-2, 1, 5)])
def test_a_record_holds_the_reference(names: tuple[int, ...]) -> None:
    index = np.random.default_rng(3).integers(len(names), size=(13, 11))
    reference = PhaseImage(np.array(names)[index], VoxelGrid((13, 11), (1e-6, 2e-6)))
    generator = TwoPointReconstruction((13, 11), reference, label=names[1], reach=2, tolerance=0.2)
    record = json.loads(json.dumps(generator.record()))
    rebuilt = generator_from_record(record)
    assert rebuilt == generator
    assert hash(rebuilt) == hash(generator)
    assert rebuilt.record() == record
    assert_array_equal(rebuilt.reference.labels, reference.labels)
    assert rebuilt.reference.grid == reference.grid
    assert rebuilt != TwoPointReconstruction(
        (13, 11), _image(reference.labels), label=names[1], reach=2, tolerance=0.2
    )


def test_damaged_records_of_images_are_refused() -> None:
    reference = VoronoiMosaic((20, 20), 9.0, 0.4).realize(1).image
    record = TwoPointReconstruction((20, 20), reference).record()
    other = TwoPointReconstruction((20, 20), VoronoiMosaic((20, 20), 9.0, 0.4).realize(2).image).record()
    for changed, words in (
        ({"voxels": other["reference"]["voxels"]}, "not the one whose hash"),
        ({"voxels": record["reference"]["voxels"][:-9]}, "cannot be read"),
        ({"shape": [20, 21]}, "cannot be read|hash"),
    ):
        with pytest.raises(ImageError, match=words):
            generator_from_record({**record, "reference": {**record["reference"], **changed}})
    cut = {key: value for key, value in record["reference"].items() if key != "voxels"}
    with pytest.raises(ImageError, match="needs the entry 'voxels'"):
        generator_from_record({**record, "reference": cut})


def test_what_cannot_be_reconstructed() -> None:
    reference = GaussianLevelCut((30, 30), 0.5, Exponential(3.0)).realize(0).image
    with pytest.raises(ConvergenceError, match=r"is reached to .* % only"):
        TwoPointReconstruction((30, 30), reference, tolerance=1e-4, most_steps=3).realize(0)
    with pytest.raises(ImageError, match="label 5"):
        TwoPointReconstruction((30, 30), reference, label=5)
    with pytest.raises(ImageError, match="label 2 must be one of several"):
        TwoPointReconstruction((4, 4), _image(np.full((4, 4), 2)), label=2)
    with pytest.raises(ImageError, match="dimensions"):
        TwoPointReconstruction((8, 8, 8), reference)
    with pytest.raises(ImageError, match="reach must lie between 1 and 10"):
        TwoPointReconstruction((30, 30), reference, reach=11)
    with pytest.raises(ImageError, match="tolerance"):
        TwoPointReconstruction((30, 30), reference, tolerance=0.0)
