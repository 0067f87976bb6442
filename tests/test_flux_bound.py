"""The guaranteed lower bound: exact cases, ordering, and rigour for fluxes far from converged."""

from __future__ import annotations

import functools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from scalebridge.cell import streamed_bound
from scalebridge.cell.boundary import AbstractBoundary, OppositeFaces, Periodic
from scalebridge.cell.finite_volume import (
    FiniteVolumeProblem,
    MultigridConjugateGradients,
    solve_finite_volume,
)
from scalebridge.cell.flux_bound import FluxBound, flux_lower_bound
from scalebridge.cell.scratch import ScratchFolder
from scalebridge.cell.streamed_bound import streamed_flux_bound
from scalebridge.core.errors import InputError


def bound(
    index: np.ndarray,
    k: list,
    h: tuple[float, ...] | None = None,
    boundary: AbstractBoundary | None = None,
    steps: int = 2,
    method: MultigridConjugateGradients | None = None,
) -> FluxBound:
    table = np.array([np.broadcast_to(row, index.ndim) for row in k], float)
    h = h or (1.0,) * index.ndim
    problem = FiniteVolumeProblem(index.astype(np.uint8), table, h, boundary or Periodic())
    return flux_lower_bound(solve_finite_volume(problem, method), steps)


@functools.lru_cache
def minimal_flux_value(seed: int) -> tuple[np.ndarray, float]:
    """A random 2-D image between two faces and the least Raviart-Thomas energy, by dense linear algebra."""
    rng = np.random.default_rng(seed)
    nx, ny = 4, 5
    index = rng.integers(0, 2, (nx, ny))
    k = np.array([1.0, 20.0])[index]
    xs = np.arange((nx + 1) * ny).reshape(nx + 1, ny)
    ys = xs.size + np.arange(nx * (ny - 1)).reshape(nx, ny - 1)
    size = xs.size + ys.size
    mass, divergence = np.zeros((size, size)), np.zeros((nx * ny, size))
    for cell, (i, j) in enumerate(np.ndindex(nx, ny)):
        sides = [(xs[i, j], xs[i + 1, j])]
        sides.append((ys[i, j - 1] if j > 0 else None, ys[i, j] if j < ny - 1 else None))
        for a, b in sides:
            for p, q, weight in ((a, a, 1 / 3), (b, b, 1 / 3), (a, b, 1 / 6), (b, a, 1 / 6)):
                if p is not None and q is not None:
                    mass[p, q] += weight / k[i, j]
            for p, sign in ((a, -1.0), (b, 1.0)):
                if p is not None:
                    divergence[cell, p] += sign
    load = np.zeros(size)
    load[xs[0]] = load[xs[-1]] = 0.5
    load[xs[1:-1]] = 1.0
    system = np.block([[mass, divergence.T], [divergence, np.zeros((nx * ny,) * 2)]])
    flux = (np.linalg.pinv(system) @ np.r_[load, np.zeros(nx * ny)])[:size]
    return index, float(flux @ load) / (nx * ny)


def test_the_bound_tends_to_the_best_raviart_thomas_flux() -> None:
    for seed in (1, 2):
        index, best = minimal_flux_value(seed)
        values = [
            bound(index, [1.0, 20.0], None, OppositeFaces(0), steps).lower[0, 0] / best - 1
            for steps in (0, 2, 12)
        ]
        assert values[0] < values[1] <= values[2] < 1e-9
        assert values[2] > -1e-5


def test_laminates_and_one_material_are_exact() -> None:
    index = np.zeros((4, 3, 10))
    index[:, :, 3:] = 1
    lower = bound(index, [[1e-2, 1.0, 2.0], [7.0, 7.0, 3.0]], (1e-6, 2e-6, 1e-6)).lower
    exact = [0.3e-2 + 4.9, 0.3 + 4.9, 1 / (0.3 / 2 + 0.7 / 3)]
    assert_allclose(lower, np.diag(exact), atol=1e-9)
    assert_allclose(bound(np.zeros((5, 3)), [0.3]).lower, 0.3 * np.eye(2), rtol=1e-12)


@pytest.mark.parametrize(("n", "published"), [(16, 1.8821), (32, 1.8901)])
def test_the_sphere_of_contrast_ten(n: int, published: float) -> None:
    """Simple cubic spheres, fraction 0.3: the finite-volume flux gives the tabulated bounds."""
    x = (np.arange(n) + 0.5) / n - 0.5
    radius = (0.9 / (4 * np.pi)) ** (1 / 3)
    index = x[:, None, None] ** 2 + x[:, None] ** 2 + x**2 < radius**2
    table = np.repeat([[1.0], [10.0]], 3, axis=1)
    solution = solve_finite_volume(
        FiniteVolumeProblem(index.astype(np.uint8), table, (1 / n,) * 3, Periodic())
    )
    plain, better = flux_lower_bound(solution, 0), flux_lower_bound(solution, 2)
    assert plain.lower[0, 0] == pytest.approx(published, abs=1e-4)
    upper = {16: 1.9598, 32: 1.9255}[n]  # trilinear elements on the same voxels
    assert solution.effective[0, 0] < plain.lower[0, 0] < better.lower[0, 0] < upper
    assert better.defect < 1e-7


@pytest.mark.parametrize(
    ("s", "exact"),
    [((1.0, 10.0, 1.0, 10.0), 3.16228), ((10.0, 1.0, 1.0, 1.0), 1.54422), ((1.0, 2.0, 3.0, 4.0), 2.43975)],
)
def test_checkerboards_are_bounded_from_below(s: tuple[float, ...], exact: float) -> None:
    n = 32
    high = np.arange(n) >= n // 2
    index = np.where(high[:, None], np.where(high, 0, 3), np.where(high, 1, 2))
    result = bound(index, list(s))
    table = np.repeat(np.array(s)[:, None], 2, axis=1)
    problem = FiniteVolumeProblem(index.astype(np.uint8), table, (1.0, 1.0), Periodic())
    finite_volume = solve_finite_volume(problem).effective
    assert finite_volume[0, 0] < result.lower[0, 0] < exact * (1 + 2e-6)
    assert result.lower[0, 0] > 0.93 * exact


@settings(max_examples=10)
@given(st.integers(0, 10**6))
def test_never_above_a_finer_bound_and_never_outside_voigt_and_reuss(seed: int) -> None:
    rng = np.random.default_rng(seed)
    index = rng.integers(0, 2, (5, 6))
    k = [0.0 if seed % 2 else rng.uniform(0.1, 1), rng.uniform(1.0, 10.0)]
    # Far from converged: the bound must hold all the same.
    rough = bound(index, k, steps=1, method=MultigridConjugateGradients(rtol=1e-1)).lower
    # Every voxel split in 4 x 4: the same medium, a larger space of fluxes.
    fine = bound(np.repeat(np.repeat(index, 4, 0), 4, 1), k, steps=6).lower
    voigt = np.mean(np.array(k)[index])
    slack = 1e-9 * voigt
    assert np.linalg.eigvalsh(fine - rough)[0] > -0.02 * voigt
    assert np.linalg.eigvalsh(fine)[-1] < voigt + slack
    assert np.linalg.eigvalsh(rough)[0] > -slack
    assert np.linalg.eigvalsh(rough)[-1] < voigt + slack


def test_voids_and_blocked_axes_give_zero() -> None:
    index = np.ones((4, 6, 5))
    index[:, 2] = 0
    index[1, 4, 3] = 0
    result = bound(index, [0.0, 2.0])
    assert_allclose(result.lower[1], 0, atol=1e-12)
    assert 0 < result.lower[0, 0] <= 2.0 * 5 / 6
    assert np.all(bound(np.zeros((3, 3)), [0.0]).lower == 0)


def test_units_scale_out() -> None:
    index = np.random.default_rng(7).integers(0, 2, (6, 7))
    one = bound(index, [1.0, 5.0], (1.0, 2.0)).lower
    tiny = bound(index, [1e-12, 5e-12], (1e-6, 2e-6)).lower
    assert_allclose(tiny, 1e-12 * one, rtol=1e-7, atol=1e-20)


def streamed(index: np.ndarray, k: list, h: tuple[float, ...]) -> tuple[FluxBound, FluxBound]:
    """The bound without stored fluxes, and the one with (no descent), of the same finite-volume fluxes."""
    table = np.array([np.broadcast_to(row, index.ndim) for row in k], float)
    problem = FiniteVolumeProblem(index.astype(np.uint8), table, h, Periodic())
    return streamed_flux_bound(problem, ScratchFolder()), flux_lower_bound(solve_finite_volume(problem), 0)


@pytest.mark.parametrize("shape", [(11, 6, 5), (2, 9, 4), (1, 4, 7), (13, 8)])
def test_streaming_gives_the_bound_of_the_stored_fluxes(
    shape: tuple[int, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streamed_bound, "_SLAB_VOXELS", 4 * int(np.prod(shape[1:])))  # overlapping slabs
    rng = np.random.default_rng(len(shape))
    index = rng.integers(0, 3, shape)
    k = [rng.uniform(0.1, 1, len(shape)), rng.uniform(1, 30, len(shape)), np.full(len(shape), 2.0)]
    one, other = streamed(index, k, tuple(rng.uniform(1e-6, 2e-6, len(shape))))
    assert_allclose(one.lower, other.lower, atol=1e-6 * np.abs(other.lower).max())
    size = np.abs(other.complementary).max()
    assert_allclose(one.complementary, other.complementary, atol=1e-6 * size)
    assert np.abs(other.complementary - np.diag(np.diag(other.complementary))).max() > 1e-4 * size
    assert 0 < one.defect < 1e-6


def test_streaming_leaves_lost_axes_at_zero_and_takes_periodic_cells_only() -> None:
    index = np.ones((4, 6, 5))
    index[:, 2] = 0
    index[1, 4, 3] = 0
    one, other = streamed(index, [0.0, 2.0], (1.0, 1.0, 1.0))
    assert_allclose(one.lower, other.lower, rtol=1e-6, atol=1e-9)
    assert np.all(one.lower[1] == 0)
    assert np.all(one.lower[:, 1] == 0)
    assert np.all(streamed(np.zeros((3, 3)), [0.0], (1.0, 1.0))[0].lower == 0)
    assert_allclose(streamed(np.zeros((5, 3)), [0.3], (1.0, 1.0))[0].lower, 0.3 * np.eye(2), rtol=1e-9)
    problem = FiniteVolumeProblem(index.astype(np.uint8), np.ones((2, 3)), (1.0,) * 3, OppositeFaces(0))
    with pytest.raises(InputError, match="periodic cells"):
        streamed_flux_bound(problem, ScratchFolder())


@settings(max_examples=10)
@given(st.integers(0, 10**6))
def test_streaming_is_rigorous_however_little_was_iterated(seed: int) -> None:
    rng = np.random.default_rng(seed)
    index = rng.integers(0, 2, (5, 6))
    k = [0.0 if seed % 2 else rng.uniform(1e-3, 1), rng.uniform(1.0, 10.0)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(streamed_bound, "_PASSES", 1 + seed % 3)
        patch.setattr(streamed_bound, "_STEPS", 2)
        cut = streamed(index, k, (1.0, 1.0))[0]
    best, stored = streamed(index, k, (1.0, 1.0))
    voigt = np.mean(np.array(k)[index])
    assert np.linalg.eigvalsh(best.lower - cut.lower)[0] > -1e-6 * voigt
    assert_allclose(best.lower, stored.lower, atol=1e-6 * voigt)
