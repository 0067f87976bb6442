"""Reconstruction from two-point statistics."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from scalebridge.core.errors import ConvergenceError, ImageError
from scalebridge.grid import PhaseImage, VoxelGrid
from scalebridge.microstructure.generate import random_spheres
from scalebridge.microstructure.generators.covariances import Exponential
from scalebridge.microstructure.generators.gaussian_field import GaussianLevelCut
from scalebridge.microstructure.generators.reconstruction import TwoPointReconstruction, covariance_map


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


def test_reconstruction_in_space_of_another_label() -> None:
    spheres = random_spheres((32, 32, 32), 0.25, radius=5, seed=1)
    renamed = _image(np.where(spheres.labels == 1, 7, 3))
    generator = TwoPointReconstruction((30, 26, 28), renamed, label=7, reference_periodic=True, reach=9)
    labels = generator.realize(2).image.labels
    assert _error(labels, spheres.labels == 1, True, 9) <= 0.0505
    assert labels.mean() == pytest.approx(spheres.labels.mean(), abs=1e-3)
    # Far better than the level cut it starts from, which has no spheres' covariance.
    assert set(np.unique(labels)) == {0, 1}


def test_a_seed_gives_one_image_and_the_record_names_the_reference() -> None:
    reference = GaussianLevelCut((40, 40), 0.5, Exponential(3.0), of_indicator=True).realize(0).image
    generator = TwoPointReconstruction((40, 40), reference, reference_periodic=True, tolerance=0.1)
    assert_array_equal(generator.realize(1).image.labels, generator.realize(1).image.labels)
    record = generator.record()
    assert record["reference"] == {"sha256": reference.sha256, "shape": [40, 40]}
    assert record["tolerance"] == 0.1
    larger = generator.with_shape((60, 50))
    assert larger.realize(1).image.grid.shape == (60, 50)
    assert_allclose(larger.targets()["fraction of label 1"], reference.fractions[1], atol=1e-6)


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
