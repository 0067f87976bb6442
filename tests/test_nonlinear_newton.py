"""Newton on nonlinear cells: its order, the consistent macroscopic tangent, and batches of cells beside single ones."""

from __future__ import annotations

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numpy.testing import assert_allclose

from nonlinear_cells import (
    BOUNDARIES,
    HARD_RUBBER,
    LINEAR,
    NORTON,
    SOFT_RUBBER,
    STIFF,
    VOCE,
    cell_of,
    corner,
    next_start,
    scattered,
    under_every_boundary,
)
from scalebridge.cell.boundary import AbstractBoundary
from scalebridge.cell.nonlinear import (
    Equilibrium,
    NewtonKrylov,
    NonlinearCell,
    prepare,
    solve_equilibrium,
    virgin_start,
)
from scalebridge.cell.nonlinear.newton import Batch, Start, mean_tangent
from scalebridge.cell.nonlinear.tangent import macroscopic_tangent
from scalebridge.core.status import Status
from scalebridge.material import SMALL_STRAIN
from scalebridge.material.laws import AbstractPointLaw, UpdateLaw

STRAIN = np.array([0.010, -0.004, -0.003, 0.002, 0.004, -0.006])
STRAIN_STEP = np.array([0.004, -0.001, 0.000, 0.003, -0.002, 0.002])
FORM = np.array([1.15, 0.1, -0.05, 0.0, 0.92, 0.1, 0.05, 0.0, 1.04])
FORM_STEP = np.array([0.10, -0.05, 0.03, 0.02, -0.04, 0.0, 0.0, 0.06, 0.03])
COMPOSITES: dict[str, tuple[tuple[AbstractPointLaw, AbstractPointLaw], np.ndarray, np.ndarray]] = {
    "J2": ((VOCE, STIFF), STRAIN, STRAIN_STEP),
    "creep": ((NORTON, STIFF), STRAIN, STRAIN_STEP),
    "rubber": ((SOFT_RUBBER, HARD_RUBBER), FORM, FORM_STEP),
}
SHARES = np.array([0.0, 0.2, 0.1, 0.05, 0.025, 0.0125])


@functools.cache
def batch_of(name: str, boundary: AbstractBoundary) -> Batch:
    """The same composite as many times as there are shares."""
    labels = np.broadcast_to(corner(4), (len(SHARES), 4, 4, 4))
    return prepare(cell_of(np.ascontiguousarray(labels), COMPOSITES[name][0], boundary))


@pytest.mark.parametrize(("name", "boundary"), under_every_boundary(COMPOSITES, ["J2"]))
def test_taylor_remainder_of_the_macroscopic_tangent_is_of_second_order(
    name: str, boundary: AbstractBoundary
) -> None:
    batch = batch_of(name, boundary)
    _, first, step = COMPOSITES[name]
    method, held = NewtonKrylov(tolerance=1e-10), np.zeros(len(first), bool)
    before = solve_equilibrium(
        batch, virgin_start(batch), np.tile(first, (len(SHARES), 1)), held, 0.5, method
    )
    drives = first + (0.3 + SHARES[:, None]) * step
    after = solve_equilibrium(batch, next_start(before), drives, held, 0.5, method)
    assert before.converged
    assert after.converged
    tangents = macroscopic_tangent(batch, after)
    tangent, stiff = tangents[0], np.abs(tangents[0]).max()
    assert_allclose(tangent, tangent.T, rtol=0, atol=1e-6 * stiff)
    remainder = np.linalg.norm(after.flux - after.flux[0] - SHARES[:, None] * (tangent @ step), axis=1)[1:]
    assert remainder[0] > 3e-4 * np.linalg.norm(tangent @ step), "the example is too linear to tell"
    slopes = np.log2(remainder[:-1] / remainder[1:])
    assert slopes[-1] >= 1.9, slopes
    # The same against a tangent that leaves out how the microstructure rearranges: it would not do.
    mean = mean_tangent(batch.elements, batch.points.symmetric, after.tangent)[0] * batch.reference.scale
    frozen = np.linalg.norm(after.flux - after.flux[0] - SHARES[:, None] * (mean @ step), axis=1)
    assert frozen[-1] > 3 * remainder[-1]


@pytest.mark.parametrize("name", COMPOSITES)
def test_newton_is_of_second_order(name: str) -> None:
    """Started at balances of neighbouring loads, one step leaves a residual like the square of the first one."""
    batch = batch_of(name, BOUNDARIES[0])
    _, first, step = COMPOSITES[name]
    method, held = NewtonKrylov(tolerance=1e-10, forcing=1e-6), np.zeros(len(first), bool)
    virgin = virgin_start(batch)
    drives = first + (0.3 + SHARES[:, None]) * step
    around = solve_equilibrium(batch, virgin, drives, held, 0.5, method)
    start = Start(virgin.state, around.w, around.drive)
    found = solve_equilibrium(batch, start, np.tile(drives[0], (len(SHARES), 1)), held, 0.5, method)
    assert around.converged
    assert found.converged
    initial, after_one = found.residuals[0, 1:], found.residuals[1, 1:]
    orders = np.log(after_one[:-1] / after_one[1:]) / np.log(initial[:-1] / initial[1:])
    assert orders[-1] >= 1.9, (orders, found.residuals)


MEMBERS = 4


def path_of(batch: Batch, drives: np.ndarray, method: NewtonKrylov) -> list[Equilibrium]:
    """Two increments: to a half of `drives`, and to all of them."""
    start, found = virgin_start(batch), []
    for share in (0.5, 1.0):
        held = solve_equilibrium(batch, start, share * drives, np.zeros(drives.shape[1], bool), 1.0, method)
        found.append(held)
        start = next_start(held)
    return found


@pytest.mark.parametrize("alike", [True, False], ids=["same microstructure", "different microstructures"])
def test_a_batch_is_its_members_one_by_one(alike: bool) -> None:
    labels = scattered(MEMBERS)
    if alike:
        labels = np.broadcast_to(labels[:1], labels.shape).copy()
    drives = 0.01 * np.random.default_rng(3).uniform(-1, 1, (MEMBERS, 6))
    method = NewtonKrylov(tolerance=2e-13)
    together = path_of(prepare(cell_of(labels, (VOCE, STIFF))), drives, method)
    assert together[-1].converged
    for member in range(MEMBERS):
        alone = path_of(
            prepare(cell_of(labels[member : member + 1], (VOCE, STIFF))), drives[member : member + 1], method
        )
        for a, b in zip(alone, together, strict=True):
            assert a.converged
            assert_allclose(b.flux[member], a.flux[0], rtol=0, atol=1e-12 * np.abs(a.flux).max())
            assert_allclose(b.stored[member], a.stored[0], rtol=1e-12)
            assert_allclose(b.dissipated[member], a.dissipated[0], rtol=1e-12, atol=1e-12 * a.stored[0])


def tearing(state, strain, dt, parameters):
    """Linear, and no number any more beyond a strain."""
    size = jnp.sqrt(jnp.sum(strain**2))
    flux = parameters["modulus"] * strain * jnp.where(size > parameters["limit"], jnp.nan, 1.0)
    return flux, state


@pytest.mark.parametrize("broken", ["law", "steps"])
def test_a_member_that_fails_does_not_touch_the_others(broken: str) -> None:
    """One member is pulled too far for its law, or needs more Newton steps than are given."""
    drives = np.zeros((MEMBERS, 6))
    drives[:, 0] = 0.002, 0.003, 0.004, 0.001
    if broken == "law":
        laws = (UpdateLaw(tearing, {"modulus": 100e9, "limit": 0.008}, SMALL_STRAIN, symmetric=True), STIFF)
        method, reason = NewtonKrylov(tolerance=2e-13), "tearing had no answer"
    else:
        laws = (LINEAR, STIFF)
        drives[:] = 1e-4 * drives / drives.max()
        method, reason = NewtonKrylov(tolerance=2e-13, steps=2, forcing=1e-6), "no equilibrium after 2 Newton"
    drives[2] = 0.02, 0.0, 0.0, 0.005, 0.0, 0.0
    batch, held = prepare(cell_of(scattered(MEMBERS), laws)), np.zeros(6, bool)
    found = solve_equilibrium(batch, virgin_start(batch), drives, held, 1.0, method)
    assert found.status[2] is (Status.BREAKDOWN if broken == "law" else Status.MAX_STEPS)
    assert reason in found.reason[2]
    others = np.array([0, 1, 3])
    assert all(found.status[n] is Status.CONVERGED for n in others)
    few = batch.only(others)
    alone = solve_equilibrium(few, virgin_start(few), drives[others], held, 1.0, method)
    assert alone.converged
    assert_allclose(found.flux[others], alone.flux, rtol=0, atol=1e-12 * np.abs(alone.flux).max())


def test_an_equilibrium_does_not_depend_on_where_newton_starts() -> None:
    batch = prepare(cell_of(corner(4), (VOCE, STIFF)))
    held, method, drive = np.zeros(6, bool), NewtonKrylov(tolerance=1e-11), STRAIN[None]
    virgin = virgin_start(batch)
    found = solve_equilibrium(batch, virgin, drive, held, 1.0, method)
    random = np.random.default_rng(0)
    with jax.enable_x64(True):
        elsewhere = tuple(jnp.asarray(0.001 * random.standard_normal(v.shape)) for v in virgin.w)
    again = solve_equilibrium(batch, Start(virgin.state, elsewhere, virgin.drive), drive, held, 1.0, method)
    assert found.converged
    assert again.converged
    assert_allclose(again.flux, found.flux, rtol=1e-9, atol=1e-9 * np.abs(found.flux).max())


def test_cells_of_one_kind_share_their_reference() -> None:
    one = prepare(cell_of(corner(4), (VOCE, STIFF)))
    many: NonlinearCell = cell_of(np.stack([corner(4)] * 3), (VOCE, STIFF))
    assert_allclose(prepare(many).reference.matrix, one.reference.matrix, rtol=1e-12)
