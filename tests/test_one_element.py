"""A homogeneous cell answers what its law answers: every law, integration and boundary condition, any loading."""

from __future__ import annotations

import jax
import numpy as np
import pytest
from numpy.testing import assert_allclose

from law_examples import ALL, SCALES
from nonlinear_cells import BOUNDARIES, VOCE, next_start
from scalebridge.cell.boundary import AbstractBoundary, Periodic
from scalebridge.cell.nonlinear import (
    Integration,
    NewtonKrylov,
    NonlinearCell,
    prepare,
    solve_equilibrium,
    virgin_start,
)
from scalebridge.cell.nonlinear.tangent import macroscopic_tangent
from scalebridge.grid import VoxelGrid
from scalebridge.material.kinematics import ALL_KINEMATICS, Kinematics
from scalebridge.material.laws import AbstractPointLaw

CELLS = 3  # with different loadings, of every law
SHARES, DT = (0.4, 1.0, 0.3), 0.4


def compare(
    laws: list[AbstractPointLaw],
    scales: list[float],
    edge: int,
    boundary: AbstractBoundary,
    integration: Integration,
) -> None:
    """Homogeneous cells of every law through random drives, there and halfway back, beside points of the law."""
    ndim, kinematics = laws[0].dimensions, laws[0].kinematics
    grid = VoxelGrid((edge,) * ndim, (1.0, 1.2, 0.9)[:ndim])
    labels = np.repeat(np.arange(len(laws), dtype=np.uint8), CELLS).reshape(-1, *(1,) * ndim)
    labels = np.ascontiguousarray(np.broadcast_to(labels, (len(labels), *grid.shape)))
    batch = prepare(NonlinearCell(grid, labels, dict(enumerate(laws)), boundary, integration))
    random, m = np.random.default_rng(7), kinematics.size(ndim)
    start, states = virgin_start(batch), [law.initial_state(CELLS) for law in laws]
    size = np.repeat(scales, CELLS)[:, None]
    for share in SHARES:
        drive = kinematics.virgin(ndim) + share * size * random.uniform(-1, 1, (len(labels), m))
        held = solve_equilibrium(batch, start, drive, np.zeros(m, bool), DT, NewtonKrylov())
        assert held.converged, held.reason
        tangents = macroscopic_tangent(batch, held)
        for n, law in enumerate(laws):
            rows = slice(n * CELLS, (n + 1) * CELLS)
            wanted = law.respond(states[n], drive[rows], DT)
            assert np.all(wanted.status == 0), law.name
            states[n] = wanted.state
            told = f"{law.name} at {share}"
            largest, energy = np.abs(wanted.flux).max(), np.abs(wanted.stored).max()
            assert_allclose(held.flux[rows], wanted.flux, rtol=0, atol=1e-12 * largest, err_msg=told)
            assert_allclose(held.stored[rows], wanted.stored, rtol=0, atol=1e-12 * energy, err_msg=told)
            assert_allclose(
                held.dissipated[rows], wanted.dissipated, rtol=0, atol=1e-12 * energy, err_msg=told
            )
            # Tangents are kept in single precision.
            stiff = np.abs(wanted.tangent).max()
            assert_allclose(tangents[rows], wanted.tangent, rtol=0, atol=3e-6 * stiff, err_msg=told)
        start = next_start(held)
    if len(laws) == 1:
        for mine, theirs in zip(jax.tree.leaves(held.state[0]), jax.tree.leaves(states[0]), strict=True):
            whole = np.broadcast_to(np.asarray(theirs)[:, None], mine.shape)
            assert_allclose(mine, whole, rtol=1e-9, atol=1e-12 * max(np.abs(theirs).max(initial=0), 1e-300))


@pytest.mark.parametrize("kinematics", ALL_KINEMATICS, ids=lambda k: k.name)
@pytest.mark.parametrize("ndim", [2, 3])
def test_one_voxel_is_its_law(kinematics: Kinematics, ndim: int) -> None:
    names = [n for n, law in ALL.items() if law.kinematics is kinematics and law.dimensions == ndim]
    if not names:
        assert ndim == 2, "there are laws of all kinematics in three dimensions"
        return
    laws, scales = [ALL[name] for name in names], [SCALES.get(name, 0.2) for name in names]
    compare(laws, scales, 1, Periodic(), Integration.ONE_POINT)


def elements_of(kinematics: Kinematics) -> list[tuple[AbstractBoundary, Integration]]:
    """Every boundary condition and every integration; boxes with one each: every pair compiles its own programs."""
    periodic, kinematic, static = BOUNDARIES
    whole = [i for i in Integration if kinematics.vector or i is not Integration.MEAN_DILATATION]
    return [*((periodic, i) for i in whole), (kinematic, whole[-1]), (static, Integration.EIGHT_POINTS)]


EXAMPLES = {
    "J2": (VOCE, 0.01),
    "neo-Hooke": (ALL["neo-Hooke"], 0.2),
    "conductor": (ALL["power-law conduction"], 0.2),
}
EVERY = [
    pytest.param(name, boundary, integration, id=f"{name}-{type(boundary).__name__}-{integration.name}")
    for name, (law, _) in EXAMPLES.items()
    for boundary, integration in elements_of(law.kinematics)
]


@pytest.mark.parametrize(("name", "boundary", "integration"), EVERY)
def test_homogeneous_cells_are_their_law(
    name: str, boundary: AbstractBoundary, integration: Integration
) -> None:
    law, scale = EXAMPLES[name]
    compare([law], [scale], 2, boundary, integration)
