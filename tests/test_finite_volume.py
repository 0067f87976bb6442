"""Finite-volume conduction: exact cases, dense solves, voids and islands, the electrode of TauFactor."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from scalebridge.cell.boundary import (
    AbstractBoundary,
    KinematicUniform,
    OppositeFaces,
    Periodic,
    StaticUniform,
)
from scalebridge.cell.finite_volume import (
    FiniteVolumeProblem,
    FiniteVolumeSolution,
    MultigridConjugateGradients,
    solve_finite_volume,
)
from scalebridge.core.errors import InputError, LawError
from scalebridge.core.progress import AbstractProgress
from scalebridge.core.status import Status

BOUNDARIES = [Periodic(), KinematicUniform(), OppositeFaces(0), OppositeFaces(1)]
SHARP = MultigridConjugateGradients(rtol=1e-11)


def direct(index: np.ndarray, k: np.ndarray, h: tuple[float, ...], boundary: AbstractBoundary) -> np.ndarray:
    """The same scheme, written a second time: a resistor network assembled link by link, solved densely."""
    d, size = index.ndim, index.size
    number = np.arange(size).reshape(index.shape)
    edges = [edge.value for edge in boundary.edges(d, None)]
    axes = [a for a in range(d) if edges[a] != "free"]
    matrix, b, start = np.zeros((size, size)), np.zeros((len(axes), size)), np.zeros((len(axes),) * 2)
    for a in range(d):
        area = np.prod(h) / h[a]
        for place in np.ndindex(index.shape):
            i, ki = number[place], k[index[place], a]
            ahead = list(place)
            ahead[a] += 1
            ends = []
            if ahead[a] < index.shape[a] or edges[a] == "periodic":
                ahead[a] %= index.shape[a]
                j, kj = number[tuple(ahead)], k[index[tuple(ahead)], a]
                ends.append((i, j, 2 * ki * kj / (ki + kj) * area / h[a] if ki * kj else 0.0, h[a]))
            elif edges[a] == "fixed":
                ends.append((i, None, 2 * ki * area / h[a], h[a] / 2))
            if place[a] == 0 and edges[a] == "fixed":
                ends.append((None, i, 2 * ki * area / h[a], h[a] / 2))
            for lower, upper, t, step in ends:
                signs = np.zeros(size)
                for node, sign in ((lower, -1.0), (upper, 1.0)):
                    if node is not None:
                        signs[node] += sign
                matrix += t * np.outer(signs, signs)
                if a in axes:
                    b[axes.index(a)] -= t * step * signs
                    start[axes.index(a), axes.index(a)] += t * step**2
    return (start - b @ np.linalg.pinv(matrix, rcond=1e-11, hermitian=True) @ b.T) / (size * np.prod(h))


def solve(
    index: np.ndarray, k: list, h: tuple[float, ...] | None = None, boundary: AbstractBoundary | None = None
) -> FiniteVolumeSolution:
    table = np.array([np.broadcast_to(row, index.ndim) for row in k], float)
    problem = FiniteVolumeProblem(
        index.astype(np.uint8), table, h or (1.0,) * index.ndim, boundary or Periodic()
    )
    return solve_finite_volume(problem, SHARP)


@settings(max_examples=10)
@given(st.integers(0, 10**6), st.sampled_from(range(4)), st.booleans())
def test_random_images_agree_with_a_direct_solve(seed: int, condition: int, voids: bool) -> None:
    rng = np.random.default_rng(seed)
    shape, h = (((7, 6), (0.5, 1.5)), ((4, 5, 3), (1.0, 0.7, 2.0)))[seed % 2]
    index = rng.integers(0, 3, shape).astype(np.uint8)
    k = rng.uniform(0.2, 5.0, (3, len(shape)))
    if voids:
        k[0] = 0.0
    boundary = BOUNDARIES[condition]
    solution = solve_finite_volume(FiniteVolumeProblem(index, k, h, boundary), SHARP)
    expected = direct(index, k, h, boundary)
    assert solution.status is Status.CONVERGED
    assert_allclose(solution.effective, expected, atol=1e-9 * k.max())
    assert_allclose(solution.mean_flux[:, list(solution.axes)], expected, atol=1e-6 * k.max())


@pytest.mark.parametrize("boundary", BOUNDARIES, ids=lambda b: b.name)
def test_one_material_is_itself(boundary: AbstractBoundary) -> None:
    solution = solve(np.zeros((5, 4, 3)), [[0.1, 0.2, 0.3]], (1e-6, 2e-6, 1e-6), boundary)
    assert_allclose(
        solution.effective, np.diag([0.1, 0.2, 0.3])[np.ix_(solution.axes, solution.axes)], rtol=1e-14
    )
    assert max(solution.iterations) == 0


def test_laminates_are_exact() -> None:
    index = np.zeros((4, 6, 10))
    index[:, :, 3:] = 1
    solution = solve(index, [1e-3, 7.0], (1.0, 2.0, 0.5))
    along, across = 0.3 * 1e-3 + 0.7 * 7, 1 / (0.3 / 1e-3 + 0.7 / 7)
    assert_allclose(np.diag(solution.effective), [along, along, across], rtol=1e-10)


def test_checkerboard_quadrants_approach_the_exact_value_from_below() -> None:
    s = np.array([1.0, 2.0, 3.0, 4.0])
    values = []
    for n in (8, 16, 32):
        high = np.arange(n) >= n // 2
        index = np.where(high[:, None], np.where(high, 0, 3), np.where(high, 1, 2))
        values.append(solve(index, list(s)).effective[0, 0])
    exact = 2.43975
    assert values[0] < values[1] < values[2] < exact
    assert values[2] == pytest.approx(exact, rel=2e-3)


def test_a_shifted_periodic_image_gives_the_same_tensor() -> None:
    index = np.random.default_rng(1).integers(0, 2, (6, 8, 5))
    first = solve(index, [0.0, 2.0]).effective
    second = solve(np.roll(index, (2, 3, 1), (0, 1, 2)), [0.0, 2.0]).effective
    assert_allclose(first, second, atol=1e-10)


def test_keller_duality_holds_between_a_medium_and_its_phase_inverse() -> None:
    # On voxels the dual of the finite-volume network lives on the corner lattice: equality only in the limit.
    n = 48
    x = (np.arange(n) + 0.5) / n - 0.5
    index = (x[:, None] ** 2 + x**2 < 0.3 / np.pi).astype(int)
    product = solve(index, [1.0, 10.0]).effective[0, 0] * solve(index, [10.0, 1.0]).effective[1, 1]
    assert product == pytest.approx(10.0, rel=0.03)
    assert product < 10.0


@pytest.mark.parametrize("boundary", BOUNDARIES, ids=lambda b: b.name)
def test_void_only_and_blocked_images_are_exactly_zero(boundary: AbstractBoundary) -> None:
    empty = solve(np.zeros((6, 5, 4)), [0.0], None, boundary)
    assert np.all(empty.effective == 0)
    blocked = np.ones((6, 5, 4))
    blocked[3] = 0
    blocked[:, 2] = 0
    islands = solve(blocked, [0.0, 1.0], None, boundary)
    assert np.all(np.isfinite(islands.effective))
    if boundary.name != "kubc":
        assert islands.effective[0, 0] == 0
        assert not islands.percolates[0]
        assert islands.status is Status.CONVERGED


def test_a_channel_that_only_percolates_across_the_periodic_boundary() -> None:
    # Two channels along x that are each other's continuation: what leaves at y = 1 comes back at y = 3.
    index = np.zeros((4, 5))
    index[:2, 1], index[2:, 3] = 1, 1
    index[1, 1:4] = 1
    index[3, 3], index[3, 2], index[3, 1] = 1, 1, 1
    assert solve(index, [0.0, 1.0]).percolates == (True, False)
    index[3, 2] = 0
    blocked = solve(index, [0.0, 1.0])
    assert blocked.percolates == (False, False)
    assert np.all(blocked.effective == 0)


def test_islands_do_not_disturb_the_rest() -> None:
    rng = np.random.default_rng(2)
    index = (rng.random((16, 16, 16)) < 0.12).astype(int)
    index[:, 5:9, 5:9] = 0
    index[:, 6:8, 6:8] = 1
    channel = np.zeros_like(index)
    channel[:, 6:8, 6:8] = 1
    for boundary in (Periodic(), OppositeFaces(0)):
        both = solve(index, [0.0, 1.0], None, boundary)
        alone = solve(channel, [0.0, 1.0], None, boundary)
        assert both.status is Status.CONVERGED
        assert_allclose(both.effective[0, 0], alone.effective[0, 0], rtol=1e-9)
        assert alone.effective[0, 0] == pytest.approx(4 / 256)


def test_thin_and_tiny_images() -> None:
    assert solve(np.zeros((1, 1)), [3.0]).effective[1, 1] == pytest.approx(3.0)
    assert solve(np.array([[0, 1]]), [1.0, 3.0]).effective[1, 1] == pytest.approx(1.5)
    long = np.arange(400).reshape(2, 200) % 2
    assert solve(long, [1.0, 3.0]).effective[1, 1] == pytest.approx(1.5)


def test_iterations_do_not_grow_with_the_grid_nor_with_the_contrast() -> None:
    steps = []
    for n, contrast in ((16, 10.0), (32, 10.0), (32, 1000.0), (32, 0.0)):
        x = (np.arange(n) + 0.5) / n - 0.5
        index = (x[:, None, None] ** 2 + x[:, None] ** 2 + x**2 < 0.4**2).astype(np.uint8)
        k = np.repeat([[1.0], [contrast]], 3, axis=1)
        problem = FiniteVolumeProblem(index, k, (1.0,) * 3, OppositeFaces(2))
        steps.append(solve_finite_volume(problem).iterations[0])
    assert max(steps) <= 13, steps


def test_the_energy_error_estimate_is_honest() -> None:
    index = np.random.default_rng(3).integers(0, 2, (24, 24, 24)).astype(np.uint8)
    problem = FiniteVolumeProblem(index, np.repeat([[0.0], [1.0]], 3, axis=1), (1.0,) * 3, OppositeFaces(0))
    exact = solve_finite_volume(problem, SHARP).effective[0, 0]
    for rtol in (1e-1, 1e-2, 1e-4):
        rough = solve_finite_volume(problem, MultigridConjugateGradients(rtol=None, value_rtol=rtol))
        error = rough.effective[0, 0] / exact - 1
        assert -1e-12 < error <= rough.energy_error[0] <= rtol
        assert error > rough.energy_error[0] * 1e-3, "the estimate is far too careful"


def test_a_start_close_to_the_solution_saves_steps() -> None:
    index = np.random.default_rng(4).integers(0, 2, (20, 20)).astype(np.uint8)
    problem = FiniteVolumeProblem(index, np.array([[1.0, 1.0], [9.0, 9.0]]), (1.0, 1.0), Periodic())
    first = solve_finite_volume(problem)
    again = solve_finite_volume(problem, initial=first.fluctuation)
    assert max(again.iterations) == 0
    assert_allclose(again.effective, first.effective, rtol=1e-12)


def test_progress_is_told_and_can_stop_the_run() -> None:
    class Stop(AbstractProgress):
        def update(self, stage: str, done: float, total: float, message: str = "") -> None:
            raise KeyboardInterrupt

    index = np.random.default_rng(5).integers(0, 2, (12, 12)).astype(np.uint8)
    problem = FiniteVolumeProblem(index, np.array([[1.0, 1.0], [9.0, 9.0]]), (1.0, 1.0), Periodic())
    with pytest.raises(KeyboardInterrupt):
        solve_finite_volume(problem, progress=Stop())


def test_too_few_steps_are_admitted() -> None:
    index = np.random.default_rng(6).integers(0, 2, (16, 16, 16)).astype(np.uint8)
    problem = FiniteVolumeProblem(index, np.repeat([[0.0], [1.0]], 3, axis=1), (1.0,) * 3, OppositeFaces(0))
    solution = solve_finite_volume(problem, MultigridConjugateGradients(max_steps=2))
    assert solution.status is Status.MAX_STEPS
    assert solution.iterations == (2,)
    assert solution.residual[0] > 1e-6


def test_bad_problems_are_refused() -> None:
    index = np.zeros((3, 3), np.uint8)
    with pytest.raises(LawError, match="not negative"):
        FiniteVolumeProblem(index, np.array([[-1.0, 1.0]]), (1.0, 1.0), Periodic())
    with pytest.raises(InputError, match="cell sizes"):
        FiniteVolumeProblem(index, np.array([[1.0, 1.0]]), (1.0,), Periodic())
    with pytest.raises(InputError, match="only 1 were given"):
        FiniteVolumeProblem(index + np.uint8(1), np.array([[1.0, 1.0]]), (1.0, 1.0), Periodic())
    with pytest.raises(InputError, match="prescribed flux"):
        FiniteVolumeProblem(index, np.array([[1.0, 1.0]]), (1.0, 1.0), StaticUniform())
    with pytest.raises(InputError, match="rtol"):
        MultigridConjugateGradients(rtol=None)


@pytest.mark.data
def test_the_corner_of_the_electrode(data_dir: object) -> None:
    """The 64^3 corner; the whole image (tau = 2.0772) is in benchmarks/tortuosity.py."""
    import tifffile

    image = tifffile.imread(f"{data_dir}/battery/taufactor_electrode_256.tif")[:64, :64, :64]
    index = (image != 0).astype(np.uint8)
    problem = FiniteVolumeProblem(index, np.repeat([[1.0], [0.0]], 3, axis=1), (1.0,) * 3, OppositeFaces(0))
    solution = solve_finite_volume(problem)
    porosity = np.mean(image == 0)
    # TauFactor 1.2.1 run to a flux spread of 1e-4 on the same corner.
    assert porosity / solution.effective[0, 0] == pytest.approx(2.1464, rel=5e-4)
    assert solution.iterations[0] <= 17
