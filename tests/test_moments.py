"""Energies and mean fluxes without derivatives: virtual work slab by slab against the products of all local drives."""

from __future__ import annotations

import numpy as np
import pytest

import scalebridge.cell.moments as moments
from cells import isotropic_stiffness
from scalebridge.cell.boundary import (
    AbstractBoundary,
    KinematicUniform,
    OppositeFaces,
    Periodic,
    StaticUniform,
)
from scalebridge.cell.coefficients import CoefficientForm, Symmetry, pack
from scalebridge.cell.modes import Element
from scalebridge.cell.problem import CellProblem, CellSolution
from scalebridge.core.status import Status
from scalebridge.grid import VoxelGrid

# Shape, elasticity, boundary, element; coefficients per voxel; bytes per slab (1: slabs of one plane).
CASES: list[tuple[tuple[tuple[int, ...], bool, AbstractBoundary, Element], bool, float]] = [
    (((5, 4, 3), True, Periodic(), Element.FULL), False, 1.0),
    (((5, 4, 3), True, Periodic(), Element.FULL), True, 1e9),
    (((4, 3, 5), True, Periodic(), Element.REDUCED), False, 2e4),
    (((4, 3, 3), True, StaticUniform(), Element.FULL), False, 1.0),
    (((5, 4), True, KinematicUniform(), Element.FULL), True, 1.0),
    (((5, 3, 2), False, Periodic(), Element.FULL), False, 1.0),
    (((4, 6), False, OppositeFaces(axis=1), Element.FULL), False, 1.0),
]


def any_fluctuations(
    shape: tuple[int, ...], vector: bool, boundary: AbstractBoundary, element: Element, per_voxel: bool
) -> CellSolution:
    """Fluctuations that solve nothing: the sums must not depend on balance."""
    rng = np.random.default_rng(11)
    index = rng.integers(0, 3, shape)
    if vector:
        matrices = np.stack([isotropic_stiffness(e, 0.3, len(shape)) for e in (1.0, 4.0, 0.5)])
        matrices[2, 0, 0] *= 1.3
    else:
        matrices = np.stack([k * np.eye(len(shape)) for k in (1.0, 3.0, 0.0)])
    problem = CellProblem(
        VoxelGrid(shape, (1.0, 0.8, 1.3)[: len(shape)]), index, matrices, vector, boundary, element
    )
    if per_voxel:
        packed = pack(CoefficientForm(len(shape), vector, Symmetry.FULL), matrices)[:, index]
        problem = CellProblem(problem.grid, index, matrices, vector, boundary, element, packed)
    disc, loads = problem.discretization, problem.loads()
    fields = [rng.standard_normal((disc.components, *disc.nodes)) for _ in loads]
    nothing = np.zeros(len(loads))
    return CellSolution(
        problem,
        loads,
        fields,
        (1,) * len(loads),
        0.0,
        nothing,
        ((),) * len(loads),
        Status.CONVERGED,
        0.0,
        0.0,
    )


@pytest.mark.parametrize(("case", "per_voxel", "bytes_per_slab"), CASES, ids=str)
def test_virtual_work_gives_the_energies_of_any_fluctuation(
    case: tuple[tuple[int, ...], bool, AbstractBoundary, Element],
    per_voxel: bool,
    bytes_per_slab: float,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    by_products = moments.moments_of(any_fluctuations(*case, per_voxel=False))
    monkeypatch.setattr(moments, "WITHOUT_COMPILER", 0)
    monkeypatch.setattr(moments, "ENERGY_SLAB_BYTES", bytes_per_slab)
    by_work = moments.moments_of(any_fluctuations(*case, per_voxel=per_voxel), derivatives=False)
    assert by_products.moments is not None
    assert by_work.moments is None
    for name in ("energy", "flux", "drive"):
        expected = getattr(by_products, name)
        np.testing.assert_allclose(getattr(by_work, name), expected, atol=1e-12 * np.abs(expected).max())
