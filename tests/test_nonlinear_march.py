"""Cells along loading paths: balances of energy, order of the bounds, cut increments, resumed runs, bad input."""

from __future__ import annotations

import dataclasses
import itertools
import re
from pathlib import Path
from typing import Any

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
    drives_at_points,
    scattered,
    under_every_boundary,
)
from scalebridge.cell.boundary import AbstractBoundary
from scalebridge.cell.nonlinear import Integration, NewtonKrylov, prepare, virgin_start
from scalebridge.cell.nonlinear.loading import Leg, leg_of
from scalebridge.cell.nonlinear.march import Increment, march
from scalebridge.cell.nonlinear.march import _best_order as best_order
from scalebridge.cell.nonlinear.march import _continued as continued
from scalebridge.cell.nonlinear.march import _Place as Place
from scalebridge.cell.nonlinear.newton import Batch
from scalebridge.core.checkpoint import DirectoryStore
from scalebridge.core.errors import ConvergenceError
from scalebridge.material import FINITE_STRAIN, SMALL_STRAIN
from scalebridge.material.laws import AbstractPointLaw, UpdateLaw

STRAIN = {"xx": 0.008, "yy": -0.003, "zz": -0.002, "yz": 0.002, "xz": 0.003, "xy": -0.004}
BACK = {"xx": 0.001, "yy": 0.002, "zz": 0.0, "yz": 0.0, "xz": 0.001, "xy": 0.003}
TENSION = [
    leg_of(SMALL_STRAIN, 3, {"xx": 0.008}, rest_free=True, increments=4),
    leg_of(SMALL_STRAIN, 3, {"xx": 0.004}, rest_free=True, increments=2),
]


def bits_of(increment: Increment) -> list[Any]:
    """Everything that an increment gives, as arrays."""
    balance = increment.balance
    return jax.tree.leaves(
        [balance.w, balance.drive, balance.flux, balance.state, balance.stored, balance.dissipated, increment.work,
         np.array([increment.number, increment.leg, increment.time, increment.dt])]
    )  # fmt: skip


@pytest.mark.parametrize("killed_after", [1, 3, 4, 5])
def test_a_killed_run_goes_on_with_the_same_bits(killed_after: int, tmp_path: Path) -> None:
    """Killed within a leg, at its end, and right after a direction changed; uniaxial stress."""
    batch = prepare(cell_of(corner(4), (VOCE, STIFF)))
    whole = [bits_of(one) for one in march(batch, TENSION)]
    assert len(whole) == 6
    running = march(batch, TENSION, store=DirectoryStore(tmp_path))
    for _ in range(killed_after):
        next(running)
    running.close()
    rest = [bits_of(one) for one in march(batch, TENSION, store=DirectoryStore(tmp_path))]
    assert len(rest) == 6 - killed_after
    for mine, theirs in zip(rest, whole[killed_after:], strict=True):
        for a, b in zip(mine, theirs, strict=True):
            assert np.array_equal(np.asarray(a), np.asarray(b))
    assert not list(march(batch, TENSION, store=DirectoryStore(tmp_path)))


def brittle(state, strain, dt, parameters):
    """Linear, but without an answer to a step of strain that is too long."""
    step = jnp.sqrt(jnp.sum((strain - state) ** 2))
    flux = parameters["modulus"] * strain * jnp.where(step > parameters["longest"], jnp.nan, 1.0)
    return flux, strain, parameters["modulus"] * jnp.sum(strain**2) / 2, 0.0


def tearing(state, strain, dt, parameters):
    """Linear, and not a number beyond a strain, however short the step."""
    flux = parameters["modulus"] * strain * jnp.where(strain[0] > parameters["limit"], jnp.nan, 1.0)
    return flux, state


def test_an_increment_that_fails_is_cut_and_the_run_recovers() -> None:
    law = UpdateLaw(brittle, {"modulus": 100e9, "longest": 0.0015}, SMALL_STRAIN, np.zeros(6), symmetric=True)
    batch = prepare(cell_of(np.zeros((2, 2, 2), np.uint8), (law,)))
    legs = [
        leg_of(SMALL_STRAIN, 3, {"xx": 0.008}, increments=2),
        leg_of(SMALL_STRAIN, 3, {"xx": 0.0085}, increments=1),
    ]
    taken = list(march(batch, legs))
    # 0.004 is cut to 0.001 (two cuts); steps grow back to 0.002, which is too long again.
    assert taken[0].cuts == 2
    assert_allclose(taken[0].dt, 0.125)
    steps = np.diff([0.0, *(one.balance.drive[0, 0] for one in taken)])
    assert np.all(steps <= 0.0015)
    assert np.all(steps > 0)
    assert_allclose(taken[-1].balance.drive[0], [0.0085, 0, 0, 0, 0, 0], atol=1e-15)
    assert_allclose(taken[-1].balance.flux[0, 0], 100e9 * 0.0085, rtol=1e-12)
    assert_allclose([one.time for one in taken], np.cumsum([one.dt for one in taken]), rtol=1e-12)
    assert taken[-1].dt == 1.0
    assert taken[-1].cuts == 0


def test_a_cell_without_any_stress_left_converges() -> None:
    """All of it yields alike: unloaded, nothing but the round-off of its strains is left to be in balance."""
    batch = prepare(cell_of(np.zeros((2, 2, 2), np.uint8), (VOCE,)))
    legs = [leg_of(SMALL_STRAIN, 3, flux={"xx": f}, rest_free=True, increments=2) for f in (150e6, 0.0)]
    last = list(march(batch, legs))[-1]
    assert last.number == 4
    assert last.balance.drive[0, 0] > 1e-3
    assert np.abs(last.balance.flux).max() < 1e-6 * 150e6


@pytest.mark.parametrize("given", ["strain", "stress"])
def test_a_law_without_an_answer_is_named_with_its_voxel_and_increment(given: str, tmp_path: Path) -> None:
    labels = np.zeros((4, 4, 4), np.uint8)
    labels[1, 2, 0] = 1
    torn = UpdateLaw(tearing, {"modulus": 100e9, "limit": 0.0055}, SMALL_STRAIN, symmetric=True)
    whole = UpdateLaw(tearing, {"modulus": 100e9, "limit": 1.0}, SMALL_STRAIN, symmetric=True)
    batch = prepare(cell_of(labels, (whole, torn)))
    if given == "strain":
        leg = leg_of(SMALL_STRAIN, 3, {"xx": 0.01}, increments=5)
    else:
        leg = leg_of(SMALL_STRAIN, 3, flux={"xx": 1e9}, rest_free=True, increments=5)
    store = DirectoryStore(tmp_path)
    taken = []
    with pytest.raises(ConvergenceError) as caught:
        taken.extend(march(batch, [leg], store=store))
    message = str(caught.value)
    assert "tearing had no answer at 1 of 64 points, first in voxel (1, 2, 0)" in message
    number = int(message.split()[1])
    assert number >= 3
    assert "Try smaller increments" in message
    assert "everything until here is kept" in message
    # What was reached is kept: it lies just below the limit.
    with pytest.raises(ConvergenceError):
        list(march(batch, [leg], store=DirectoryStore(tmp_path)))
    kept = store.get("place")
    assert kept is not None
    assert int(kept["position"][1]) == number - 1
    assert 0.0054 < kept["drive"][0, 0] <= 0.0055


def test_an_increment_that_never_converges_is_an_error_in_words() -> None:
    batch = prepare(cell_of(scattered(1), (LINEAR, STIFF)))
    with pytest.raises(
        ConvergenceError, match=r"Increment 1 \(leg 1, time 0\).*after 1 Newton iterations"
    ) as caught:
        list(march(batch, [Leg(STRAIN, increments=1)], NewtonKrylov(tolerance=1e-12, steps=1)))
    # The region that is out of balance is named; nothing was reached that could be kept.
    assert re.search(r"most at voxel \(\d, \d, \d\), (J2Plasticity|LinearLaw)\)", str(caught.value))
    assert "kept" not in str(caught.value)


@pytest.mark.parametrize("given", [1e6, 0.0])
def test_a_stress_across_a_gap_is_refused(given: float) -> None:
    """A layer of voids carries nothing along x: no strain gives a stress, and none is needed for no stress."""
    labels = np.zeros((4, 4, 4), np.uint8)
    labels[2] = 1
    batch = prepare(cell_of(labels, (STIFF, None)))
    leg = leg_of(SMALL_STRAIN, 3, {"yy": 0.001}, {"xx": given, "xy": 0.0, "xz": 0.0}, increments=2)
    if given:
        with pytest.raises(ConvergenceError, match="Increment 1"):
            list(march(batch, [leg], NewtonKrylov(krylov=60)))
    else:
        last = list(march(batch, [leg]))[-1]
        assert last.balance.converged
        assert_allclose(last.balance.flux[0, 0], 0.0, atol=1e-6 * np.abs(last.balance.flux).max())


@pytest.fixture(scope="module")
def three_boundaries() -> dict[str, list[Increment]]:
    """A J2 matrix with elastic inclusions under the three boundary conditions, the same elements in all of them."""
    legs = [Leg(STRAIN, increments=6)]
    taken = {}
    for boundary in BOUNDARIES:
        cell = cell_of(
            scattered(1, share=0.125, seed=2), (VOCE, STIFF), boundary, Integration.MEAN_DILATATION
        )
        taken[type(boundary).__name__] = list(march(prepare(cell), legs, NewtonKrylov(tolerance=1e-10)))
    return taken


def test_static_periodic_and_kinematic_cells_are_in_order(
    three_boundaries: dict[str, list[Increment]],
) -> None:
    direction = np.array([STRAIN[n] * (1 if n[0] == n[1] else np.sqrt(2)) for n in STRAIN])
    order = [three_boundaries[n] for n in ("StaticUniform", "Periodic", "KinematicUniform")]
    assert all(len(taken) == 6 for taken in order)
    for below, above in itertools.pairwise(order):
        work, more = np.cumsum([b.work[0] for b in below]), np.cumsum([a.work[0] for a in above])
        assert np.all(more > 1.001 * work)
        for b, a in zip(below, above, strict=True):
            assert a.balance.flux[0] @ direction > 1.001 * (b.balance.flux[0] @ direction)


def hill_mandel_gaps(batch: Batch, taken: list[Increment]) -> np.ndarray:
    """(<s : de> - <s> : d<e>) / <|s : de|> of every increment, all from the fields at the points."""
    virgin = virgin_start(batch)
    before, mean_before, gaps = drives_at_points(batch, virgin.w, virgin.drive), virgin.drive, []
    for one in taken:
        drives = drives_at_points(batch, one.balance.w, one.balance.drive)
        local = np.sum(np.asarray(one.balance.point_flux) * (drives - before), axis=1)
        mean = np.einsum("bi,bi->b", one.balance.flux, one.balance.drive - mean_before)
        gaps.append((local.mean(axis=(0, 2)) - mean) / np.abs(local).mean(axis=(0, 2)))
        before, mean_before = drives, one.balance.drive
    return np.abs(np.array(gaps))


HILL_MANDEL: dict[str, tuple[tuple[AbstractPointLaw, AbstractPointLaw], list[Leg]]] = {
    "J2, six strains and back": ((VOCE, STIFF), [Leg(STRAIN, increments=3), Leg(BACK, increments=3)]),
    "J2, uniaxial stress": ((VOCE, STIFF), TENSION),
    "creep at constant stress": (
        (NORTON, STIFF),
        [
            leg_of(SMALL_STRAIN, 3, flux={"xx": 120e6}, rest_free=True, duration=0.01, increments=2),
            leg_of(SMALL_STRAIN, 3, flux={"xx": 120e6}, rest_free=True, duration=2.0, increments=4),
        ],
    ),
    "rubber": (
        (SOFT_RUBBER, HARD_RUBBER),
        [leg_of(FINITE_STRAIN, 3, {"xx": 1.3, "xy": 0.3, "yx": 0.1}, increments=3)],
    ),
}  # fmt: skip


@pytest.mark.parametrize(("name", "boundary"), under_every_boundary(HILL_MANDEL, ["J2, uniaxial stress"]))
def test_the_work_of_the_means_is_the_mean_work(name: str, boundary: AbstractBoundary) -> None:
    laws, legs = HILL_MANDEL[name]
    batch = prepare(cell_of(corner(4), laws, boundary))
    taken = list(march(batch, legs, NewtonKrylov(tolerance=1e-10)))
    assert len(taken) == sum(leg.increments for leg in legs)
    assert hill_mandel_gaps(batch, taken).max() < 1e-8


# Increments of the order of the time in which stresses settle (5 ms): where they are much longer, halving them does not
# yet halve the error.
CREEP = (
    (NORTON, STIFF),
    [
        leg_of(SMALL_STRAIN, 3, flux={"xx": 120e6}, rest_free=True, duration=0.01),
        leg_of(SMALL_STRAIN, 3, flux={"xx": 120e6}, rest_free=True, duration=0.02),
    ],
)


@pytest.mark.parametrize(
    ("name", "least"), [("J2, six strains and back", 0.9), ("rubber", 1.9), ("creep", 0.9)]
)
def test_energy_balance_closes_with_the_increment(name: str, least: float) -> None:
    """Work is what is stored plus what is lost, up to an error that falls with the increment."""
    laws, legs = {**HILL_MANDEL, "creep": CREEP}[name]
    batch, gaps = prepare(cell_of(corner(4), laws)), []
    for finer in (4, 8, 16):
        path = [dataclasses.replace(leg, increments=finer) for leg in legs]
        work = np.zeros(1)
        unbalanced, stored, lost = 0.0, 0.0, 0.0
        for one in march(batch, path, NewtonKrylov(tolerance=1e-8)):
            work = work + one.work
            gained = one.balance.stored[0] - stored
            unbalanced += abs(one.work[0] - gained - one.balance.dissipated[0])
            stored, lost = one.balance.stored[0], lost + one.balance.dissipated[0]
        gaps.append(unbalanced / work[0])
        if name != "rubber":
            assert lost > 0.3 * work[0]
    slopes = np.log2(np.array(gaps[:-1]) / gaps[1:])
    assert slopes[-1] >= least, (gaps, slopes)
    assert gaps[-1] < 0.02


def nothing_to_adjust(state, strain, dt, parameters):
    return 1e9 * strain, state


def test_two_labels_may_share_a_law_without_parameters() -> None:
    law = UpdateLaw(nothing_to_adjust, {}, SMALL_STRAIN, symmetric=True)
    labels = np.zeros((2, 2, 2), np.uint8)
    labels[1] = 1
    batch = prepare(cell_of(labels, (law, law)))
    found = list(march(batch, [Leg(STRAIN, increments=1)]))[-1].balance
    assert_allclose(found.flux, 1e9 * found.drive, rtol=1e-12)


def test_unloading_to_all_but_nothing_converges() -> None:
    """What is left out of balance there is the rounding of F."""
    labels = np.zeros((4, 4, 4), np.uint8)
    labels[2:] = 1
    batch = prepare(cell_of(labels, (SOFT_RUBBER, HARD_RUBBER)))
    there = leg_of(FINITE_STRAIN, 3, {"xx": 1.1, "xy": 0.1}, increments=2)
    back = leg_of(FINITE_STRAIN, 3, {"xx": 1 + 2.3e-16, "xy": 1e-17, "yz": -3e-17}, increments=2)
    last = list(march(batch, [there, back]))[-1]
    assert last.cuts == 0
    assert np.abs(last.balance.flux).max() < 1e-6


def test_what_is_a_parabola_in_time_is_met_by_its_continuation() -> None:
    """Steps of different lengths; a straight line and a parabola tell the orders apart."""

    def at(t: float, bend: float) -> tuple[tuple[jax.Array, ...], np.ndarray]:
        shape = np.linspace(-1.0, 2.0, 24).reshape(1, 2, 3, 4)
        return (jnp.asarray(shape * t + bend * t**2), jnp.asarray(3 * shape * t)), np.array(
            [[t, bend * t**2]]
        )

    def reached(bend: float) -> tuple[Place, float]:
        (w0, e0), (w1, e1), (w2, e2) = (at(t, bend) for t in (0.0, 0.4, 0.5))
        start = Place(0, 0.5, 2, 0.3, (), w2, e2, e2, e0, e0, ((w1, e1, 0.1), (w0, e0, 0.4)))
        return start, 0.3

    with jax.enable_x64(True):
        place, dt = reached(0.7)
        w, drive = continued(place, dt, 2)
        exact, end = at(0.8, 0.7)
        for found, expected in zip(w, exact, strict=True):
            assert_allclose(found, expected, rtol=1e-13, atol=1e-14)
        assert_allclose(drive, end, rtol=1e-13)
        assert np.abs(continued(place, dt, 1)[0][0] - exact[0]).max() > 0.05
        assert best_order(place, dt, exact) == 2
        kink = at(0.5, 0.7)[0]  # nothing moves any more: the line overshoots less than the parabola
        assert best_order(place, dt, kink) == 1


def test_continuing_a_smooth_path_saves_linear_iterations(monkeypatch: pytest.MonkeyPatch) -> None:
    batch = prepare(cell_of(corner(4), (SOFT_RUBBER, HARD_RUBBER)))
    leg = leg_of(FINITE_STRAIN, 3, {"xx": 1.15}, rest_free=True, increments=8)
    method = NewtonKrylov(tolerance=1e-9)
    smooth = list(march(batch, [leg], method))
    monkeypatch.setattr("scalebridge.cell.nonlinear.march.MOST_ORDER", 1)
    straight = list(march(batch, [leg], method))
    assert_allclose(smooth[-1].balance.flux, straight[-1].balance.flux, atol=1e-2)  # of 5e5 Pa
    first, second = (sum(t.balance.residuals[0].max() for t in run[3:]) for run in (smooth, straight))
    assert first < 0.5 * second
