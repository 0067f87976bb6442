"""The cell solver against exact solutions, tabulated values and the inequalities that every cell obeys."""

from __future__ import annotations

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cells import ball, isotropic_stiffness, layers, radius_of
from physics_assertions import backus_laminate
from scalebridge.cell.boundary import (
    AbstractBoundary,
    KinematicUniform,
    OppositeFaces,
    Periodic,
    Platens,
    Sides,
    StaticUniform,
)
from scalebridge.cell.modes import Element
from scalebridge.cell.moments import local_fields, moments_of
from scalebridge.cell.problem import CellProblem, PreconditionedConjugateGradients
from scalebridge.cell.session import Session
from scalebridge.cell.solve import solve_cell
from scalebridge.core.errors import InputError
from scalebridge.core.status import Status
from scalebridge.grid import PhaseImage, VoxelGrid
from scalebridge.homogenize.effective import effective_tensor
from scalebridge.numerics.conjugate_gradients import Targets, fresh_state

TIGHT = PreconditionedConjugateGradients(residual=1e-9)
FINE = PreconditionedConjugateGradients(residual=1e-6)


def solve(
    index: np.ndarray,
    matrices: np.ndarray,
    boundary: AbstractBoundary | None = None,
    *,
    method: PreconditionedConjugateGradients = TIGHT,
    element: Element = Element.FULL,
    spacing: tuple[float, ...] | None = None,
    packed: np.ndarray | None = None,
) -> np.ndarray:
    boundary = boundary or Periodic()
    vector = matrices.shape[-1] != index.ndim
    problem = CellProblem(VoxelGrid(index.shape, spacing), index, matrices, vector, boundary, element, packed)
    solution = solve_cell(problem, method)
    assert solution.status is Status.CONVERGED
    return effective_tensor(moments_of(solution), solution.loads, boundary.prescribes_flux).value


def backus(pairs: list[tuple[float, float]], fractions: np.ndarray, axis: int) -> np.ndarray:
    """Stiffness of layers with Lame constants (l, m), normal along `axis`."""
    l, m = np.asarray(pairs, float).T
    along_z = backus_laminate(l + 2 * m / 3, m, fractions)
    swap = {0: [2, 1, 0, 5, 4, 3], 1: [0, 2, 1, 3, 5, 4], 2: [0, 1, 2, 3, 4, 5]}[axis]
    return along_z[np.ix_(swap, swap)]


@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize("element", list(Element))
def test_laminates_are_exact_in_every_direction(axis: int, element: Element) -> None:
    index = layers((6, 5, 7), axis, [0, 1, 1, 0, 2, 2, 1][: (6, 5, 7)[axis]])
    k = np.array([1.0, 10.0, 0.3])
    fractions = np.bincount(index.reshape(-1), minlength=3) / index.size
    value = solve(index, k[:, None, None] * np.eye(3), element=element)
    expected = np.full(3, np.sum(fractions * k))
    expected[axis] = 1 / np.sum(fractions / k)
    np.testing.assert_allclose(value, np.diag(expected), atol=1e-12 * k.max())


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_elastic_laminates_are_exact(axis: int) -> None:
    index = layers((4, 6, 8), axis, [0, 1, 1, 0, 1, 1, 0, 0][: (4, 6, 8)[axis]])
    pairs = [(1.2, 0.8), (3.0, 7.0)]
    matrices = np.stack([isotropic_stiffness(*_engineering(*p)) for p in pairs])
    fractions = np.bincount(index.reshape(-1), minlength=2) / index.size
    value = solve(index, matrices)
    np.testing.assert_allclose(value, backus(pairs, fractions, axis), atol=1e-11)


def _engineering(l: float, m: float) -> tuple[float, float]:
    return m * (3 * l + 2 * m) / (l + m), l / (2 * (l + m))


def test_stretched_voxels_give_the_same_laminate_and_a_stretched_sphere_differs() -> None:
    index = layers((4, 4, 4), 1, [0, 0, 0, 1])
    matrices = np.array([1.0, 5.0])[:, None, None] * np.eye(3)
    stretched = solve(index, matrices, spacing=(1.0, 3.0, 0.2))
    np.testing.assert_allclose(stretched, solve(index, matrices), atol=1e-12)
    # An ellipsoid sampled with anisotropic voxels equals the same ellipsoid drawn with cubic ones, to resolution.
    coarse = ball(16, 0.4)[:, :, ::2]
    assert solve(coarse, matrices, spacing=(1.0, 1.0, 2.0))[2, 2] == pytest.approx(
        solve(coarse, matrices, spacing=(1.0, 1.0, 2.0))[0, 0], rel=0.02
    )
    assert solve(coarse, matrices)[2, 2] < 0.97 * solve(coarse, matrices)[0, 0]


@pytest.mark.parametrize(
    ("n", "expected"), [(16, 1.9598), (32, 1.9255), (64, 1.9084)]
)  # references.md section 2: trilinear elements on plain voxels
def test_sphere_array_matches_the_table_of_trilinear_elements(n: int, expected: float) -> None:
    index = ball(n, radius_of(0.3, 3))
    value = solve(index, np.array([1.0, 10.0])[:, None, None] * np.eye(3), method=FINE)
    np.testing.assert_allclose(np.diag(value), expected, atol=6e-5)


def test_elastic_sphere_matches_two_independent_codes() -> None:
    index = ball(64, 0.25)
    matrices = np.stack([isotropic_stiffness(1.0, 0.3), isotropic_stiffness(10.0, 0.3)])
    value = solve(index, matrices, method=FINE, element=Element.REDUCED)
    assert value[0, 0] == pytest.approx(1.493596, abs=2e-6)
    assert value[0, 1] == pytest.approx(0.623713, abs=2e-6)


def craster_obnosov(s: tuple[float, float, float, float]) -> float:
    s1, s2, s3, s4 = s
    first = (s1 + s4) * (s2 + s3) / ((s1 + s2) * (s3 + s4))
    return float(np.sqrt(first * np.prod(s) * np.sum(1 / np.asarray(s)) / np.sum(s)))


def test_checkerboards_converge_to_the_exact_value_from_above() -> None:
    for s in ((1.0, 10.0, 1.0, 10.0), (10.0, 1.0, 1.0, 1.0), (1.0, 2.0, 3.0, 4.0)):
        errors = []
        for n in (16, 32, 64):
            half = n // 2
            index = np.zeros((n, n), np.uint8)
            index[half:, half:], index[:half, half:], index[:half, :half], index[half:, :half] = 0, 1, 2, 3
            value = solve(index, np.asarray(s)[:, None, None] * np.eye(2), method=FINE)
            errors.append(value[0, 0] / craster_obnosov(s) - 1)
        assert errors[0] > errors[1] > errors[2] > 0, s
        assert errors[2] < 0.06


def random_image(seed: int, shape: tuple[int, ...], phases: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, phases, shape).astype(np.uint8)


@given(seed=st.integers(0, 10**6), flat=st.booleans(), elastic=st.booleans())
@settings(max_examples=15)
def test_conditions_and_bounds_are_ordered(seed: int, flat: bool, elastic: bool) -> None:
    shape = (6, 6) if flat else (4, 4, 4)
    index = random_image(seed, shape, 3)
    rng = np.random.default_rng(seed)
    if elastic:
        matrices = np.stack(
            [
                isotropic_stiffness(e, n, len(shape))
                for e, n in zip(rng.uniform(0.1, 5, 3), rng.uniform(0, 0.4, 3), strict=True)
            ]
        )
    else:
        matrices = rng.uniform(0.1, 5, 3)[:, None, None] * np.eye(len(shape))
    fractions = np.bincount(index.reshape(-1), minlength=3) / index.size
    voigt = np.einsum("p,pij->ij", fractions, matrices)
    reuss = np.linalg.inv(np.einsum("p,pij->ij", fractions, np.linalg.inv(matrices)))
    chain = [
        reuss,
        solve(index, matrices, StaticUniform()),
        solve(index, matrices),
        solve(index, matrices, KinematicUniform()),
        voigt,
    ]
    for low, high in itertools.pairwise(chain):
        assert np.linalg.eigvalsh(high - low)[0] > -1e-8 * np.linalg.norm(voigt)


@given(seed=st.integers(0, 10**6))
@settings(max_examples=8)
def test_a_shifted_periodic_cell_is_the_same_material(seed: int) -> None:
    index = random_image(seed, (5, 4, 6), 2)
    matrices = np.array([1.0, 20.0])[:, None, None] * np.eye(3)
    moved = np.roll(index, (2, 1, 3), (0, 1, 2))
    np.testing.assert_allclose(solve(moved, matrices), solve(index, matrices), rtol=1e-9, atol=1e-9)


@given(seed=st.integers(0, 10**6))
@settings(max_examples=8)
def test_keller_duality_brackets_in_the_plane(seed: int) -> None:
    """k_x(k1, k2) k_y(k2, k1) = k1 k2 for the exact solution; elements overestimate both factors."""
    index = random_image(seed, (8, 8), 2)
    a = solve(index, np.array([1.0, 4.0])[:, None, None] * np.eye(2))
    b = solve(index, np.array([4.0, 1.0])[:, None, None] * np.eye(2))
    assert np.linalg.det(a) ** 0.5 * np.linalg.det(b) ** 0.5 >= 4.0 * (1 - 1e-9)


def test_equal_shear_moduli_keep_any_image_isotropic() -> None:
    """Hill: the effective medium is isotropic with that shear modulus; on voxels this holds at any resolution."""
    index = random_image(3, (6, 5, 4), 2)
    m = 1.3
    value = solve(index, np.stack([_from_moduli(k, m) for k in (1.0, 9.0)]))
    bulk = value[:3, :3].sum() / 9
    assert 1.0 < bulk < 9.0
    np.testing.assert_allclose(value, _from_moduli(bulk, m), atol=1e-8)


def _from_moduli(bulk: float, shear: float) -> np.ndarray:
    stiffness = 2 * shear * np.eye(6)
    stiffness[:3, :3] += bulk - 2 * shear / 3
    return stiffness


@pytest.mark.parametrize(
    "boundary", [Periodic(), KinematicUniform(), StaticUniform(), OppositeFaces(1)], ids=str
)
@pytest.mark.parametrize("contrast", [0.0, 1000.0])
def test_iterations_do_not_grow_with_the_grid(boundary: AbstractBoundary, contrast: float) -> None:
    counts = []
    for n in (16, 32):
        index = ball(n, 0.35)
        matrices = np.array([1.0, contrast])[:, None, None] * np.eye(3)
        problem = CellProblem(VoxelGrid(index.shape), index, matrices, False, boundary)
        solution = solve_cell(problem, FINE)
        assert solution.status is Status.CONVERGED
        counts.append(max(solution.iterations))
    assert counts[1] <= 1.3 * counts[0] + 3
    assert counts[1] <= 50


def test_the_energy_error_estimate_is_the_error_of_the_energy() -> None:
    index = ball(32, 0.35)
    matrices = np.array([1.0, 100.0])[:, None, None] * np.eye(3)
    problem = CellProblem(VoxelGrid(index.shape), index, matrices, False)
    exact = moments_of(solve_cell(problem, TIGHT)).energy[0, 0]
    for tolerance in (1e-2, 1e-3, 1e-4):
        solution = solve_cell(problem, PreconditionedConjugateGradients(residual=None, energy=tolerance))
        error = moments_of(solution).energy[0, 0] / exact - 1
        assert 0 <= error < 2 * tolerance
        assert error < 3 * solution.energy_error[0]


def test_true_voids_are_exact_and_islands_do_not_matter() -> None:
    index = ball(12, 0.4)
    with_island = index.copy()
    with_island[5:7, 5:7, 5:7] = 0  # solid in the middle of the void, touching nothing
    matrices = np.array([1.0, 0.0])[:, None, None] * np.eye(3)
    np.testing.assert_allclose(solve(with_island, matrices), solve(index, matrices), atol=1e-8)
    elastic = np.stack([isotropic_stiffness(1.0, 0.3), np.zeros((6, 6))])
    np.testing.assert_allclose(solve(with_island, elastic), solve(index, elastic), rtol=1e-7, atol=1e-8)


def test_one_voxel_and_flat_images_are_exact() -> None:
    matrices = np.stack([isotropic_stiffness(2.0, 0.2)])
    for boundary in (Periodic(), KinematicUniform(), StaticUniform()):
        for shape in ((1, 1, 1), (1, 3, 2)):
            value = solve(np.zeros(shape, np.uint8), matrices, boundary)
            np.testing.assert_allclose(value, matrices[0], rtol=1e-6, atol=1e-7)
    strip = np.array([[0, 0, 1, 0], [0, 0, 1, 0]], np.uint8)  # 2 x N
    value = solve(strip, np.array([1.0, 3.0])[:, None, None] * np.eye(2))
    np.testing.assert_allclose(value, np.diag([1.5, 1 / (0.75 + 0.25 / 3)]), rtol=1e-9, atol=1e-12)


def test_platens_reproduce_a_homogeneous_bar_and_an_oedometer() -> None:
    stiffness = isotropic_stiffness(3.0, 0.25)
    bar = np.zeros((4, 3, 3), np.uint8)
    smooth = OppositeFaces(0, Platens.SMOOTH)
    assert solve(bar, stiffness[None], smooth)[0, 0] == pytest.approx(3.0, rel=1e-6)
    clamped = solve(bar, stiffness[None], OppositeFaces(0))[0, 0]
    oedometer = solve(bar, stiffness[None], OppositeFaces(0, Platens.SMOOTH, Sides.SYMMETRIC))[0, 0]
    assert oedometer == pytest.approx(stiffness[0, 0], rel=1e-6)
    assert 3.0 < clamped < oedometer


def test_coefficients_per_voxel_equal_a_table_of_phases() -> None:
    from scalebridge.cell.coefficients import CoefficientForm, Symmetry, pack

    rng = np.random.default_rng(0)
    matrices = []
    for _ in range(3):
        a = rng.normal(size=(6, 6))
        matrices.append(a @ a.T + np.eye(6))
    table = np.stack(matrices)
    index = random_image(1, (4, 5, 3), 3)
    packed = pack(CoefficientForm(3, True, Symmetry.FULL), table)[:, index]
    for boundary in (Periodic(), KinematicUniform()):
        by_phase = solve(index, table, boundary)
        by_voxel = solve(index, table, boundary, packed=packed)
        np.testing.assert_allclose(by_voxel, by_phase, rtol=1e-8)


def test_local_fields_average_to_the_load_and_carry_the_energy() -> None:
    index = ball(12, 0.35)
    matrices = np.stack([isotropic_stiffness(1.0, 0.3), isotropic_stiffness(7.0, 0.2)])
    problem = CellProblem(VoxelGrid(index.shape), index, matrices, True)
    solution = solve_cell(problem, TIGHT)
    weights = np.array([0.3, -0.2, 0.5, 0.1, 0.7, -0.4])
    _, drive, flux, energy = local_fields(solution, weights)
    np.testing.assert_allclose(drive.mean(axis=(1, 2, 3)), weights, atol=1e-9)
    value = moments_of(solution).energy
    np.testing.assert_allclose(flux.mean(axis=(1, 2, 3)), value @ weights, rtol=1e-7, atol=1e-8)
    assert 2 * energy.mean() == pytest.approx(weights @ value @ weights, rel=1e-8)


def test_large_cells_use_the_same_sums_as_small_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    import scalebridge.cell.moments as moments

    index = random_image(5, (5, 4, 3), 3)
    matrices = np.stack([isotropic_stiffness(e, 0.3) for e in (1.0, 2.0, 5.0)])
    solution = solve_cell(CellProblem(VoxelGrid(index.shape), index, matrices, True), TIGHT)
    small = moments_of(solution)
    monkeypatch.setattr(moments, "WITHOUT_COMPILER", 0)
    large = moments_of(solution)
    for name in ("energy", "flux", "drive", "moments", "phase_drive"):
        np.testing.assert_allclose(getattr(large, name), getattr(small, name), rtol=1e-11, atol=1e-12)


def test_moments_in_single_precision_are_good_to_eight_digits(monkeypatch: pytest.MonkeyPatch) -> None:
    import scalebridge.cell.moments as moments

    index = ball(24, 0.3)
    matrices = np.stack([isotropic_stiffness(e, 0.3) for e in (1.0, 10.0)])
    solution = solve_cell(CellProblem(VoxelGrid(index.shape), index, matrices, True), FINE)
    exact = moments_of(solution)
    monkeypatch.setattr(moments, "WITHOUT_COMPILER", 0)
    monkeypatch.setattr(moments, "SINGLE_PRECISION_RESIDUAL", 0.0)
    single, plain = moments_of(solution), moments_of(solution, derivatives=False)
    assert plain.moments is None
    assert single.moments is not None
    for name in ("energy", "flux", "drive", "moments"):
        scale = np.abs(getattr(exact, name)).max()
        np.testing.assert_allclose(getattr(single, name), getattr(exact, name), atol=3e-8 * scale)
    for name in ("energy", "flux", "drive"):
        scale = np.abs(getattr(exact, name)).max()
        np.testing.assert_allclose(getattr(plain, name), getattr(exact, name), atol=3e-8 * scale)


def test_slow_convergence_is_said() -> None:
    index = ball(12, 0.3)
    problem = CellProblem(
        VoxelGrid(index.shape), index, np.array([1.0, 1e3])[:, None, None] * np.eye(3), False
    )
    solution = solve_cell(problem, PreconditionedConjugateGradients(residual=1e-6, max_steps=3))
    assert solution.status is Status.MAX_STEPS
    assert solution.residual > 1e-6


def test_impossible_problems_are_refused() -> None:
    index = np.zeros((4, 4, 4), np.uint8)
    with pytest.raises(InputError, match="periodic cells only"):
        CellProblem(VoxelGrid((4, 4, 4)), index, np.eye(3)[None], False, KinematicUniform(), Element.REDUCED)
    with pytest.raises(InputError, match="6 x 6"):
        CellProblem(VoxelGrid((4, 4, 4)), index, np.eye(3)[None], True)
    with pytest.raises(InputError, match="residual"):
        PreconditionedConjugateGradients(residual=2.0)
    with pytest.raises(InputError, match="has no axis z"):
        OppositeFaces(2).edges(2, None)


def test_loads_on_disk_give_the_same_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    import scalebridge.homogenize.cells as cells
    from scalebridge.cell.scratch import ScratchArray
    from scalebridge.homogenize import homogenize, localize
    from scalebridge.material.elasticity import Elasticity

    labels = ball(12, 0.35)
    laws = {0: Elasticity.isotropic(E=1.0, nu=0.3), 1: Elasticity.isotropic(E=9.0, nu=0.2)}
    kept = homogenize(PhaseImage(labels, VoxelGrid(labels.shape)), laws, residual=1e-6)
    monkeypatch.setattr(cells, "SPILL_BYTES", 0)
    spilled = homogenize(PhaseImage(labels, VoxelGrid(labels.shape)), laws, residual=1e-6)
    assert spilled.solution is not None
    assert isinstance(spilled.solution.fluctuations[0], ScratchArray)
    np.testing.assert_array_equal(spilled.value, kept.value)
    load = np.array([1.0, 0, 0, 0.5, 0, 0])
    np.testing.assert_array_equal(localize(spilled, load).flux.values, localize(kept, load).flux.values)


@pytest.mark.parametrize(
    "boundary", [Periodic(), KinematicUniform(), StaticUniform(), OppositeFaces(1)], ids=str
)
@pytest.mark.parametrize("elastic", [False, True])
def test_small_cells_and_compiled_ones_agree(
    boundary: AbstractBoundary, elastic: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    import scalebridge.cell.solve as compiled

    index = random_image(7, (6, 5, 7), 3)
    if elastic:
        matrices = np.stack([isotropic_stiffness(e, 0.3) for e in (1.0, 3.0, 9.0)])
    else:
        matrices = np.array([1.0, 3.0, 20.0])[:, None, None] * np.eye(3)
    small = solve(index, matrices, boundary, spacing=(1.0, 1.5, 0.8))
    monkeypatch.setattr(compiled, "SMALL_UNKNOWNS", 0)
    np.testing.assert_allclose(
        solve(index, matrices, boundary, spacing=(1.0, 1.5, 0.8)), small, rtol=1e-9, atol=1e-10
    )


@pytest.mark.parametrize("element", list(Element))
def test_compiled_laminates_are_exact_and_guesses_do_not_matter(
    element: Element, monkeypatch: pytest.MonkeyPatch
) -> None:
    import scalebridge.cell.solve as compiled

    monkeypatch.setattr(compiled, "SMALL_UNKNOWNS", 0)
    index = layers((6, 5, 7), 0, [0, 1, 1, 0, 2, 2])
    matrices = np.array([1.0, 10.0, 0.3])[:, None, None] * np.eye(3)
    value = solve(index, matrices, element=element)
    assert value[0, 0] == pytest.approx(6 / (2 / 1 + 2 / 10 + 2 / 0.3), rel=1e-12)
    problem = CellProblem(VoxelGrid(index.shape), index, matrices, False, Periodic(), element)
    guess = [np.random.default_rng(0).normal(size=(1, *index.shape)) for _ in range(3)]
    for method in (TIGHT, PreconditionedConjugateGradients(residual=None, energy=1e-10)):
        solution = solve_cell(problem, method, guess)
        np.testing.assert_allclose(moments_of(solution).energy, value, rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize("elastic", [False, True])
def test_an_iteration_in_pieces_is_the_one_in_a_loop(elastic: bool) -> None:
    index = random_image(3, (6, 5, 8), 2)
    if elastic:
        matrices = np.stack([isotropic_stiffness(e, 0.3) for e in (1.0, 7.0)])
    else:
        matrices = np.array([1.0, 7.0])[:, None, None] * np.eye(3)
    problem = CellProblem(VoxelGrid(index.shape), index, matrices, elastic)
    loads = problem.loads()[:2]
    with jax.enable_x64(True):
        session = Session(problem)
        numbers = (jnp.asarray(v, jnp.float64) for v in (1e-10, 0.0, 0.0))
        targets = Targets(*numbers, jnp.zeros(2), jnp.asarray(session.smallest), jnp.asarray(True))
        results = []
        for run in (session.run_in_one, session.run_in_pieces):
            right = tuple(jnp.zeros((2, *index.shape), jnp.float32) for _ in range(session.disc.components))
            state = fresh_state(right, None, np.ones(2), None, jnp.float64)
            load = jnp.asarray(loads, jnp.float32)
            results.append(run(state, load, targets, jnp.asarray(False), 100))
    one, pieces = results
    assert np.all(np.asarray(one.steps) > 3)
    np.testing.assert_array_equal(one.steps, pieces.steps)
    np.testing.assert_allclose(one.energy, pieces.energy, rtol=1e-7)
    for a, b in zip(one.w, pieces.w, strict=True):
        assert b.dtype == np.float64
        np.testing.assert_allclose(a, b, atol=1e-5 * np.abs(a).max())
