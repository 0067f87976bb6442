"""Concentration of local fields: exact laminates, hot spots that are where they were put."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from example_results import ball_image, conduction_fields
from scalebridge.core.errors import InputError
from scalebridge.grid import Field, Location, PhaseImage, VoxelGrid
from scalebridge.homogenize.concentration import energy_concentration, flux_concentration
from scalebridge.homogenize.result import LocalFields


def fields_of(flux: np.ndarray, grid: VoxelGrid) -> LocalFields:
    nodes = np.zeros(tuple(n + 1 for n in grid.shape))
    energy = (flux**2).sum(axis=0)
    return LocalFields(
        "unit gradient along x",
        Field("potential", nodes, grid, Location.NODE),
        Field("gradient", flux, grid),
        Field("flux", flux, grid, unit="W/m^2"),
        Field("energy", energy, grid),
    )


def test_a_laminate_has_exact_factors() -> None:
    """Gradient along the layers: the flux is k_i e, so the factors are k_i / <k>."""
    grid = VoxelGrid((8, 4, 4))
    labels = np.zeros(grid.shape, np.uint8)
    labels[:, 2:] = 7
    k = np.where(labels == 7, 5.0, 1.0)
    flux = np.zeros((3, *grid.shape))
    flux[0] = k
    fields = fields_of(flux, grid)
    found = flux_concentration(fields, PhaseImage(labels, grid))
    assert [p.label for p in found.phases] == [0, 7]
    assert_allclose([p.mean for p in found.phases], [1 / 3, 5 / 3], rtol=1e-14)
    assert_allclose([p.quantiles[0.5] for p in found.phases], [1 / 3, 5 / 3], rtol=1e-14)
    assert found.reference == pytest.approx(3.0)
    energy = energy_concentration(fields, PhaseImage(labels, grid))
    assert_allclose([p.mean for p in energy.phases], [1 / 13, 25 / 13], rtol=1e-14)


def test_hot_spots_are_where_they_were_put() -> None:
    grid = VoxelGrid((20, 16, 12), (1e-6, 2e-6, 3e-6))
    image = ball_image(grid.shape, None)
    image = PhaseImage(image.labels, grid)
    flux = np.ones((3, *grid.shape)) * np.array([1.0, 0, 0])[:, None, None, None]
    flux[0, 3, 14, 5] = 9.0
    flux[1, 15, 2, 10] = 6.0
    flux[0, 4, 14, 5] = 8.0  # too close to the first
    found = flux_concentration(fields_of(flux, grid), image, spots=2).hot_spots
    assert [s.voxel for s in found] == [(3, 14, 5), (15, 2, 10)]
    assert_allclose(found[0].position, (3.5e-6, 29e-6, 16.5e-6), rtol=1e-14)
    assert found[0].label == image.labels[3, 14, 5]
    assert found[0].factor > found[1].factor


def test_a_spot_on_a_periodic_face_is_listed_once() -> None:
    grid = VoxelGrid((16, 8))
    flux = np.ones((2, 16, 8))
    flux[:, 0, 3] = 9.0
    flux[:, 15, 3] = 8.0
    image = PhaseImage(np.zeros(grid.shape, np.uint8), grid)
    wrapped = flux_concentration(fields_of(flux, grid), image, spots=2, separation=3.0)
    open_ = flux_concentration(fields_of(flux, grid), image, spots=2, separation=3.0, periodic=False)
    assert wrapped.hot_spots[1].factor < 2.0
    assert open_.hot_spots[1].voxel == (15, 3)


@given(st.integers(0, 2**31), st.floats(1.0, 6.0), st.integers(5, 40))
def test_densities_integrate_to_one_and_spots_keep_their_distance(
    seed: int, separation: float, bins: int
) -> None:
    rng = np.random.default_rng(seed)
    grid = VoxelGrid((11, 7, 9))
    image = PhaseImage(rng.integers(0, 3, grid.shape).astype(np.uint8), grid)
    fields = fields_of(rng.lognormal(size=(3, *grid.shape)), grid)
    found = flux_concentration(fields, image, bins=bins, separation=separation)
    for phase in found.phases:
        assert (phase.density * np.diff(phase.edges)).sum() == pytest.approx(1.0)
        assert phase.quantiles[0.01] <= phase.quantiles[0.5] <= phase.maximum
    factors = [s.factor for s in found.hot_spots]
    assert factors == sorted(factors, reverse=True)
    for n, a in enumerate(found.hot_spots):
        for b in found.hot_spots[:n]:
            step = np.abs(np.subtract(a.voxel, b.voxel))
            step = np.minimum(step, np.array(grid.shape) - step)
            assert np.linalg.norm(step) >= separation - 1e-12


def test_the_mean_energy_factor_is_one() -> None:
    image = ball_image((16, 12, 10))
    fields = conduction_fields(image, np.where(image.labels == 1, 10.0, 1.0), 1)
    found = energy_concentration(fields, image)
    mean = sum(image.fractions[p.label] * p.mean for p in found.phases)
    assert mean == pytest.approx(1.0, rel=1e-12)


def test_nothing_flows() -> None:
    grid = VoxelGrid((4, 5))
    found = flux_concentration(
        fields_of(np.zeros((2, 4, 5)), grid), PhaseImage(np.zeros((4, 5), np.uint8), grid)
    )
    assert found.hot_spots == ()
    assert found.phases[0].maximum == 0.0
    assert np.isfinite(found.phases[0].density).all()


def test_a_flux_without_mean_is_measured_by_its_spread() -> None:
    grid = VoxelGrid((4, 2))
    flux = np.zeros((2, 4, 2))
    flux[0, ::2], flux[0, 1::2] = 1.0, -1.0
    found = flux_concentration(fields_of(flux, grid), PhaseImage(np.zeros((4, 2), np.uint8), grid))
    assert found.reference == pytest.approx(1.0)


def test_what_cannot_be_ranked_is_refused() -> None:
    grid = VoxelGrid((4, 2))
    flux = np.full((2, 4, 2), np.nan)
    image = PhaseImage(np.zeros((4, 2), np.uint8), grid)
    with pytest.raises(InputError, match="not finite"):
        flux_concentration(fields_of(flux, grid), image)
    other = PhaseImage(np.zeros((2, 4), np.uint8), VoxelGrid((2, 4)))
    with pytest.raises(InputError, match="the image"):
        flux_concentration(fields_of(np.ones((2, 4, 2)), grid), other)
