"""The error of the energy that conjugate gradients claim: above the true one, and not far above it."""

import numpy as np
import pytest

from cells import ball, image, isotropic_stiffness
from scalebridge import Conduction, homogenize
from scalebridge.cell import solve as solver
from scalebridge.cell.boundary import AbstractBoundary, KinematicUniform, Periodic, StaticUniform
from scalebridge.cell.moments import moments_of
from scalebridge.cell.problem import CellProblem, PreconditionedConjugateGradients
from scalebridge.cell.solve import solve_cell
from scalebridge.grid.voxel_grid import VoxelGrid
from scalebridge.microstructure import generate

BOUNDARIES = (Periodic(), KinematicUniform(), StaticUniform())
EXACT = PreconditionedConjugateGradients(residual=1e-9)


def noise(n: int) -> np.ndarray:
    return np.random.default_rng(5).integers(0, 2, (n, n, n)).astype(np.uint8)


def problem_of(name: str, contrast: float, boundary: AbstractBoundary, elastic: bool) -> CellProblem:
    n = 10 if elastic else 16
    index = {"ball": lambda: ball(n, 0.35), "random": lambda: noise(n)}[name]()
    if elastic:
        matrices = np.stack([isotropic_stiffness(1.0, 0.3), contrast * isotropic_stiffness(1.0, 0.3)])
    else:
        matrices = np.array([1.0, contrast])[:, None, None] * np.eye(3)
    return CellProblem(VoxelGrid(index.shape), index, matrices, elastic, boundary)


def energies(problem: CellProblem, method: PreconditionedConjugateGradients) -> tuple[np.ndarray, np.ndarray]:
    solution = solve_cell(problem, method)
    return np.diag(moments_of(solution).energy), solution.energy_error


@pytest.mark.parametrize(
    ("boundary", "elastic", "compiled"),
    [
        *((boundary, elastic, False) for boundary in BOUNDARIES for elastic in (False, True)),
        (Periodic(), False, True),
        (Periodic(), True, True),
        (StaticUniform(), False, True),
    ],
)
def test_the_claimed_error_is_an_upper_bound(
    boundary: AbstractBoundary, elastic: bool, compiled: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, contrast in (("ball", 1e-2), ("ball", 300.0), ("random", 10.0)):
        problem = problem_of(name, contrast, boundary, elastic)
        exact = energies(problem, EXACT)[0]
        with monkeypatch.context() as patch:
            if compiled:
                patch.setattr(solver, "SMALL_UNKNOWNS", 0)
            for tolerance in (3e-2, 1e-3):
                method = PreconditionedConjugateGradients(residual=None, energy=tolerance)
                found, claimed = energies(problem, method)
                true = np.abs(found / exact - 1)
                assert np.all(claimed <= tolerance)
                assert np.all(true <= claimed + 1e-7), (name, contrast, tolerance)


def test_the_bound_costs_three_iterations_at_most() -> None:
    for contrast, tolerance in ((3.0, 1e-4), (100.0, 1e-4)):
        problem = problem_of("ball", contrast, Periodic(), False)
        exact = energies(problem, EXACT)[0]
        taken = max(solve_cell(problem, PreconditionedConjugateGradients(None, tolerance)).iterations)
        earlier = PreconditionedConjugateGradients(residual=1e-9, max_steps=max(taken - 3, 1))
        assert np.max(np.abs(energies(problem, earlier)[0] / exact - 1)) > tolerance


def test_voids_are_judged_with_care() -> None:
    """Nothing is guaranteed there; the estimate stays within three times of the truth."""
    index = noise(16) * (1 - ball(16, 0.2)) + ball(16, 0.2)
    problem = CellProblem(
        VoxelGrid(index.shape), index, np.array([1.0, 0.0])[:, None, None] * np.eye(3), False
    )
    exact = energies(problem, EXACT)[0]
    for tolerance in (1e-2, 1e-3):
        found, claimed = energies(problem, PreconditionedConjugateGradients(None, tolerance))
        assert np.all(found / exact - 1 <= 3 * claimed)


def test_a_start_from_a_coarse_image_does_not_pass_for_convergence() -> None:
    """A disc looks the same along x and y: so do the numbers, to the accuracy that the iteration claims."""
    laws = {0: Conduction.isotropic(k=1.0), 1: Conduction.isotropic(k=100.0)}
    result = homogenize(image(generate.disc_array(32, 0.3).labels), laws, throw=False)
    algebraic = next(term.value for term in result.error.terms if term.name == "algebraic")
    assert algebraic is not None
    assert abs(result.value[0, 0] / result.value[1, 1] - 1) <= 2 * algebraic
