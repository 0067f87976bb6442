r"""A cell taken along a loading path, increment by increment.

Every increment starts from the committed state of the points. Its first guess continues the increments before it; where
the direction changes it is the answer of the linearized cell to the change of load. An increment that fails is cut in
two and repeated, and steps grow back afterwards: nothing of a failed attempt is kept. What was reached is put into a
store after every increment, so that a killed run goes on with the same bits.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from scalebridge.cell.nonlinear.control import Control
from scalebridge.cell.nonlinear.linear_solve import solve_linear
from scalebridge.cell.nonlinear.loading import Leg
from scalebridge.cell.nonlinear.newton import (
    Batch,
    Start,
    answer_at,
    linearize,
    solve_equilibrium,
    virgin_start,
)
from scalebridge.cell.nonlinear.problem import Equilibrium, NewtonKrylov
from scalebridge.core.checkpoint import AbstractStore, NullStore
from scalebridge.core.errors import ConvergenceError, InputError
from scalebridge.core.progress import AbstractProgress, SilentProgress
from scalebridge.material.laws import PlaneStress

CUTS = 10  # an increment is cut in two at most so many times; a run that creeps up to a limit load ends, too
MOST_ORDER = 2  # of the polynomial in time that continues the increments before
PREDICTION = 0.05  # relative residual of the linear answer that starts a new direction


@dataclasses.dataclass(frozen=True, eq=False)
class Increment:
    """One step that was taken: its number, its leg, its end in time and its length, and the balance at its end.

    work (B,): trapezoidal work of the mean flux within the increment, per volume.
    """

    number: int
    leg: int
    time: float
    dt: float
    cuts: int
    work: np.ndarray
    balance: Equilibrium


Earlier = tuple[tuple[Any, ...], np.ndarray, float]


@dataclasses.dataclass(frozen=True, eq=False)
class _Place:
    """Where a run stands: everything that the next increment depends on."""

    leg: int
    time: float  # within the leg
    number: int
    dt: float
    state: tuple[Any, ...]
    w: tuple[Any, ...]
    drive: np.ndarray
    flux: np.ndarray
    begin_drive: np.ndarray  # at the start of the leg
    begin_flux: np.ndarray
    # Where the increments of this direction began: w, drive and length, the latest first. At most MOST_ORDER.
    before: tuple[Earlier, ...] = ()
    order: int = 1  # of the extrapolation that would have met the last increment best


def march(
    batch: Batch,
    legs: Sequence[Leg],
    method: NewtonKrylov | None = None,
    store: AbstractStore | None = None,
    progress: AbstractProgress | None = None,
) -> Iterator[Increment]:
    """The increments of a path, one by one; those that a store knows already are not repeated (nor given again).

    Fails when: an increment finds no equilibrium although it was cut CUTS times (ConvergenceError, with the increment,
    the reason and what to try); what was reached until then stays in the store.
    """
    method, store, progress = method or NewtonKrylov(), store or NullStore(), progress or SilentProgress()
    elements = batch.elements
    ends = [leg.targets(elements.kinematics, elements.ndim)[0] for leg in legs]
    controls = [leg.control(elements.kinematics, elements.ndim) for leg in legs]
    _refuse_thickness(batch, controls)
    total = sum(leg.duration for leg in legs)
    place = _restored(batch, store) or _beginning(batch, legs)
    cuts = 0
    while place.leg < len(legs):
        leg, end, control = legs[place.leg], ends[place.leg], controls[place.leg]
        if leg.duration - place.time <= 1e-12 * leg.duration:
            place = dataclasses.replace(
                place, leg=place.leg + 1, time=0.0, before=(), begin_drive=place.drive, begin_flux=place.flux,
                dt=0.0 if place.leg + 1 == len(legs) else legs[place.leg + 1].duration / legs[place.leg + 1].increments,
            )  # fmt: skip
            continue
        dt = min(place.dt, leg.duration - place.time)
        if leg.duration - place.time - dt < 1e-9 * leg.duration:
            dt = leg.duration - place.time
        share = min((place.time + dt) / leg.duration, 1.0)
        begin = control.prescribed(place.begin_flux, place.begin_drive)
        target = begin + share * (end - begin)
        with jax.enable_x64(True):
            guess = _guess(batch, place, target, control, dt, method)
        found = solve_equilibrium(batch, guess, target, control, dt, method)
        elapsed = sum(one.duration for one in legs[: place.leg]) + place.time
        if not found.converged and place.before and place.order > 1:
            place = dataclasses.replace(place, order=1)  # overshot at a kink: not yet a reason to cut
            continue
        if not found.converged:
            cuts += 1
            # 1.5: between the shortest step and its double, whatever rounding did to dt.
            if dt <= 1.5 * leg.duration / leg.increments / 2**CUTS:
                why = next(r for r in found.reason if r)
                kept = "; everything until here is kept" if place.number else ""
                raise ConvergenceError(
                    f"Increment {place.number + 1} (leg {place.leg + 1}, time {elapsed:g}) found no equilibrium, even "
                    f"when cut to {dt:g}: {why}. Try smaller increments, a drive instead of a flux where the curve "
                    f"falls, or another law in that region{kept}."
                )
            place = dataclasses.replace(place, dt=dt / 2, before=())
            progress.update("path", elapsed, total, f"increment {place.number + 1} cut to {dt / 2:g}")
            continue
        work = np.einsum("bi,bi->b", (found.flux + place.flux) / 2, found.drive - place.drive)
        number = place.number + 1
        normal = leg.duration / leg.increments
        with jax.enable_x64(True):
            order = _best_order(place, dt, found.w)
        place = _Place(
            place.leg, place.time + dt, number, min(2 * dt, normal) if cuts == 0 else dt, found.state, found.w,
            found.drive, found.flux, place.begin_drive, place.begin_flux,
            ((place.w, place.drive, dt), *place.before)[:MOST_ORDER], order,
        )  # fmt: skip
        store.put("place", _packed(place))
        progress.update("path", elapsed + dt, total, f"increment {number}")
        yield Increment(number, place.leg, elapsed + dt, dt, cuts, work, found)
        cuts = 0


def _refuse_thickness(batch: Batch, controls: Sequence[Control]) -> None:
    plane_stress = any(isinstance(group.law, PlaneStress) for group in batch.points.groups)
    if plane_stress and any(control.cauchy.any() for control in controls):
        raise InputError(
            "A Cauchy stress refers to the deformed thickness, which under plane stress differs from point to point: "
            "give the first Piola-Kirchhoff stress as flux."
        )


def _beginning(batch: Batch, legs: Sequence[Leg]) -> _Place:
    start = virgin_start(batch)
    with jax.enable_x64(True):
        answer = answer_at(batch, start.state, start.w, start.drive, 0.0, tangent=False)
        flux = answer.mean_flux * batch.reference.scale
    dt = legs[0].duration / legs[0].increments if legs else 0.0
    return _Place(0, 0.0, 0, dt, start.state, start.w, start.drive, flux, start.drive, flux)


def _guess(
    batch: Batch, place: _Place, target: np.ndarray, control: Control, dt: float, method: NewtonKrylov
) -> Start:
    if place.before:
        return Start(place.state, *_continued(place, dt, place.order))
    return _linear_answer(batch, place, target, control, dt, method)


def _continued(place: _Place, dt: float, order: int) -> tuple[tuple[Any, ...], np.ndarray]:
    """w and E at `dt` from now on the polynomial through this and the last increments, of at most this order."""
    earlier = place.before[:order]
    times = [0.0, *(-float(t) for t in np.cumsum([length for _, _, length in earlier]))]
    weights = [math.prod((dt - other) / (time - other) for other in times if other != time) for time in times]
    fields = [place.w, *(w for w, _, _ in earlier)]
    drives = [place.drive, *(drive for _, drive, _ in earlier)]
    w = tuple(sum(c * v for c, v in zip(weights, same, strict=True)) for same in zip(*fields, strict=True))
    return w, np.sum([c * drive for c, drive in zip(weights, drives, strict=True)], axis=0)


def _best_order(place: _Place, dt: float, w: tuple[Any, ...]) -> int:
    """Which extrapolation would have come nearest: what is smooth deserves a high order, a kink does not."""
    if len(place.before) < MOST_ORDER:
        return 1
    orders = range(1, MOST_ORDER + 1)
    guesses = [_continued(place, dt, order)[0] for order in orders]
    missed = [sum(float(jnp.vdot(a - b, a - b)) for a, b in zip(guess, w, strict=True)) for guess in guesses]
    return orders[int(np.argmin(missed))]


def _linear_answer(
    batch: Batch, place: _Place, target: np.ndarray, control: Control, dt: float, method: NewtonKrylov
) -> Start:
    """w and E after the change of load, for the tangents that the points have now."""
    elements = batch.elements
    unmoved = Start(place.state, place.w, place.drive)
    answer = answer_at(batch, place.state, place.w, place.drive, dt, tangent=True)
    if answer.failed.any():
        return unmoved
    linear = linearize(batch, answer.tangent, control.rows(place.flux, place.drive, target))
    change = np.where(control.flux, 0.0, target - place.drive)
    zero = tuple(jnp.zeros(v.shape, batch.space.dtype) for v in place.w)
    right, sums = linear.apply(zero, jnp.asarray(change, batch.space.dtype))
    gap = control.gap(place.flux, place.drive, target) / batch.reference.scale * elements.volume
    missing = np.where(control.flux, gap - np.asarray(sums), 0.0)
    found = solve_linear(
        linear, tuple(-v for v in right), jnp.asarray(missing), np.broadcast_to(control.flux, change.shape),
        np.full(batch.cells, PREDICTION), method.krylov,
    )  # fmt: skip
    if found.indefinite.any():
        return unmoved
    w = tuple(a + b.astype(a.dtype) for a, b in zip(place.w, found.w, strict=True))
    return Start(place.state, w, place.drive + change + np.asarray(found.macro))


def _packed(place: _Place) -> dict[str, np.ndarray]:
    leaves = jax.tree.leaves(place.state)
    arrays = {f"state{n}": np.asarray(v) for n, v in enumerate(leaves)}
    arrays |= {f"w{n}": np.asarray(v) for n, v in enumerate(place.w)}
    for name in ("drive", "flux", "begin_drive", "begin_flux"):
        arrays[name] = getattr(place, name)
    arrays["position"] = np.array(
        [place.leg, place.number, len(leaves), len(place.w), len(place.before), place.order]
    )
    arrays["times"] = np.array([place.time, place.dt])
    for k, (w, drive, length) in enumerate(place.before):
        arrays |= {f"before{k}_{n}": np.asarray(v) for n, v in enumerate(w)}
        arrays[f"before{k}_drive"], arrays[f"before{k}_length"] = drive, np.array(length)
    return arrays


def _restored(batch: Batch, store: AbstractStore) -> _Place | None:
    arrays = store.get("place")
    if arrays is None:
        return None
    with jax.enable_x64(True):
        leg, number, leaves, components, known, order = (int(v) for v in arrays["position"])
        tree = jax.tree.structure(batch.points.only([0]).initial_state())
        state = jax.tree.unflatten(tree, [jnp.asarray(arrays[f"state{n}"]) for n in range(leaves)])
        w = tuple(jnp.asarray(arrays[f"w{n}"]) for n in range(components))
        before = tuple(
            (
                tuple(jnp.asarray(arrays[f"before{k}_{n}"]) for n in range(components)),
                arrays[f"before{k}_drive"],
                float(arrays[f"before{k}_length"]),
            )
            for k in range(known)
        )
    time, dt = (float(v) for v in arrays["times"])
    return _Place(
        leg, time, number, dt, state, w, arrays["drive"], arrays["flux"], arrays["begin_drive"],
        arrays["begin_flux"], before, order,
    )  # fmt: skip
