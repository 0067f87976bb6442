"""Many nonlinear cells at once: chunks, compaction, and the numbers of each cell alone."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose

from scalebridge import Elasticity
from scalebridge.cell.boundary import Periodic
from scalebridge.cell.nonlinear import (
    Integration,
    NewtonKrylov,
    NonlinearCell,
    prepare,
    solve_equilibrium,
    solve_many,
    virgin_start,
)
from scalebridge.cell.nonlinear.many import bytes_per_cell
from scalebridge.cell.nonlinear.tangent import macroscopic_tangent
from scalebridge.core.errors import ConvergenceError
from scalebridge.core.status import Status
from scalebridge.grid import VoxelGrid
from scalebridge.material.laws import LinearLaw
from scalebridge.material.laws.hardening import LinearHardening
from scalebridge.material.laws.j2 import J2Plasticity

CELLS = 12
FREE = np.zeros(6, bool)


def cells() -> tuple[NonlinearCell, np.ndarray]:
    """Random checkerboards of an elastic and a plastic phase; some stay elastic, some yield."""
    random = np.random.default_rng(3)
    labels = random.integers(0, 2, (CELLS, 4, 4, 4)).astype(np.uint8)
    laws = {
        0: J2Plasticity(60.0, 28.0, 0.1, LinearHardening(1.0)),
        1: LinearLaw.of(Elasticity.isotropic(K=200.0, G=150.0)),
    }
    cell = NonlinearCell(VoxelGrid((4, 4, 4)), labels, laws, Periodic(), Integration.ONE_POINT)
    strains = np.zeros((CELLS, 6))
    strains[:, 3] = 1e-4 + 0.004 * (np.arange(CELLS) % 3 == 2) * random.random(CELLS)
    return cell, strains


@pytest.mark.parametrize("share", [1.0, 0.45], ids=["one chunk", "chunks"])
def test_many_cells_have_the_numbers_of_each_alone(share: float) -> None:
    cell, strains = cells()
    batch = prepare(cell)
    method = NewtonKrylov(tolerance=1e-10, memory=share * CELLS * bytes_per_cell(batch))
    together = solve_many(batch, virgin_start(batch), strains, FREE, 1.0, method)
    assert together.converged
    assert len(set(together.krylov.astype(bool).sum(axis=0))) > 1, (
        "all cells took the same number of iterations"
    )
    for n in (0, 2, 5, 11):
        alone = batch.only(np.array([n]))
        single = solve_equilibrium(alone, virgin_start(alone), strains[n : n + 1], FREE, 1.0, method)
        assert_allclose(together.flux[n], single.flux[0], rtol=0, atol=1e-9 * np.abs(single.flux).max())
        assert_allclose(together.stored[n], single.stored[0], rtol=1e-9)
        assert_allclose(together.dissipated[n], single.dissipated[0], rtol=1e-7, atol=1e-15)


def test_a_cell_that_fails_leaves_the_others_alone() -> None:
    cell, strains = cells()
    batch = prepare(cell)
    method = NewtonKrylov(tolerance=1e-8, steps=3)
    found = solve_many(batch, virgin_start(batch), strains, FREE, 1.0, method)
    assert found.status[0] is Status.CONVERGED
    assert Status.MAX_STEPS in found.status, "three Newton iterations cannot be enough for all of these"
    bad = found.status.index(Status.MAX_STEPS)
    assert "no equilibrium after 3 Newton iterations" in found.reason[bad]
    assert all(not r for r, s in zip(found.reason, found.status, strict=True) if s is Status.CONVERGED)


def test_there_is_no_tangent_without_equilibrium() -> None:
    cell, strains = cells()
    batch = prepare(cell)
    found = solve_many(batch, virgin_start(batch), strains, FREE, 1.0, NewtonKrylov(tolerance=1e-8, steps=3))
    with pytest.raises(ConvergenceError, match=r"no tangent without equilibrium.*after 3 Newton iterations"):
        macroscopic_tangent(batch, found)
