"""Nonlinear cells along loading paths, with what the verification wants to know of Newton's method."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp
import numpy as np

from scalebridge.cell.nonlinear import (
    NewtonKrylov,
    NonlinearCell,
    Start,
    prepare,
    solve_equilibrium,
    virgin_start,
)
from scalebridge.cell.nonlinear.loading import Leg
from scalebridge.cell.nonlinear.march import Increment, march
from scalebridge.cell.nonlinear.newton import Batch

# Linear solves as exact as single precision allows.
EXACT = NewtonKrylov(tolerance=1e-12, forcing=1e-6, steps=8, krylov=400)
SHORT = (0.04, 0.02)  # of the increment: where Newton's method starts when its order is measured
NEWTON_HEADER = ("Path", "Newton iterations of the increments", "Residuals of one increment", "Order")
NEWTON_WORDS = (
    " The second table: Newton iterations of every increment, inexact as they are used. Then one increment, the "
    "last unless said otherwise, once more, started at 96 % of it with linear solves as exact as single precision "
    "allows: its residuals, and the order p of r1 = C r0^p from the first steps of two such starts, at 96 and at "
    "98 %."
)


@dataclasses.dataclass(frozen=True, eq=False)
class Curve:
    """Of the first cell of a batch: drive, flux (N, m), stored, dissipated (summed up), work (N,) and the Newton
    iterations (N,) of every increment; the last increment; residuals of one increment solved exactly, and the order."""

    batch: Batch
    drive: np.ndarray
    flux: np.ndarray
    stored: np.ndarray
    dissipated: np.ndarray
    work: np.ndarray
    newton: tuple[int, ...]
    time: np.ndarray
    last: Increment
    residuals: np.ndarray
    order: float | None

    def newton_cells(self, name: str, *, smooth: bool = True) -> tuple[str, ...]:
        """A row of the table of Newton's method; without an order where the law is not smooth."""
        order = f"{self.order:.2f}" if smooth and self.order is not None else ""
        return (name, run_lengths(self.newton), " ".join(f"{r:.0e}" for r in self.residuals), order)


def follow(
    cell: NonlinearCell,
    legs: Sequence[Leg],
    method: NewtonKrylov | None = None,
    *,
    batch: Batch | None = None,
    order_at: int = 0,
    each: Callable[[Increment], None] | None = None,
) -> Curve:
    """A cell along a path; Newton's order is measured in increment `order_at` (0: the last); `each` sees them all.

    Fails when: an increment finds no equilibrium (ConvergenceError).
    """
    batch = prepare(cell) if batch is None else batch
    steps: list[Increment] = []
    before: Increment | None = None
    number = order_at or sum(leg.increments for leg in legs)
    residuals, order = np.zeros(0), None
    for increment in march(batch, legs, method):
        if increment.number == number:
            residuals, order = exact_residuals(batch, before, increment, legs[increment.leg])
        if each is not None:
            each(increment)
        if before is not None:  # fields of all increments would fill the memory
            steps[-1] = dataclasses.replace(before, balance=_light(before))
        steps.append(increment)
        before = increment
    last = steps[-1]
    balances = [step.balance for step in steps]
    return Curve(
        batch,
        np.stack([b.drive[0] for b in balances]), np.stack([b.flux[0] for b in balances]),
        np.array([b.stored[0] for b in balances]), np.cumsum([b.dissipated[0] for b in balances]),
        np.cumsum([step.work[0] for step in steps]), tuple(len(b.krylov) for b in balances),
        np.array([step.time for step in steps]), last, residuals, order,
    )  # fmt: skip


def _light(increment: Increment) -> object:
    """A balance without its fields."""
    empty = jnp.zeros(0)
    return dataclasses.replace(increment.balance, w=(), state=(), point_flux=empty, tangent=empty)


def exact_residuals(
    batch: Batch, before: Increment | None, last: Increment, leg: Leg
) -> tuple[np.ndarray, float | None]:
    """Residuals of the last increment solved again from SHORT of its end, and the order; None where it is linear."""
    elements = batch.elements
    start = virgin_start(batch)
    if before is not None:
        start = Start(before.balance.state, before.balance.w, before.balance.drive)
    _, given = leg.targets(elements.kinematics, elements.ndim)
    target = np.where(given, last.balance.flux, last.balance.drive)
    histories = []
    for short, method in zip(SHORT, (EXACT, dataclasses.replace(EXACT, steps=1)), strict=True):
        with jax.enable_x64(True):
            w = tuple(short * a + (1 - short) * b for a, b in zip(start.w, last.balance.w, strict=True))
        drive = short * start.drive + (1 - short) * last.balance.drive
        found = solve_equilibrium(batch, Start(start.state, w, drive), target, given, last.dt, method)
        histories.append(found.residuals[:, 0])
    residuals = histories[0]
    (a0, a1), (b0, b1) = histories[0][:2], histories[1][:2]
    # A linear solve in single precision leaves 1e-6: below that one step says nothing of the order.
    known = min(a1 / a0, b1 / b0) > 3 * EXACT.forcing and a0 > b0
    order = float(np.log(a1 / b1) / np.log(a0 / b0)) if known else None
    return residuals[: int(np.argmin(residuals)) + 1], order


def run_lengths(counts: Sequence[int]) -> str:
    """3 3 3 4 as 3 x3, 4."""
    parts: list[list[int]] = []
    for n in counts:
        if parts and parts[-1][0] == n:
            parts[-1][1] += 1
        else:
            parts.append([n, 1])
    return ", ".join(f"{n} x{many}" if many > 1 else f"{n}" for n, many in parts)


def von_mises(stress: np.ndarray) -> np.ndarray:
    """Of Mandel stresses (..., 6)."""
    mean = stress[..., :3].mean(axis=-1)
    deviator = stress - mean[..., None] * np.array([1.0, 1.0, 1.0, 0.0, 0.0, 0.0])
    return np.sqrt(1.5 * np.sum(deviator**2, axis=-1))


def packed(values: np.ndarray) -> list[str]:
    """A plane of numbers as a line of text per row: records stay readable."""
    return [" ".join("-" if np.isnan(v) else f"{v:.4g}" for v in row) for row in np.asarray(values, float)]
