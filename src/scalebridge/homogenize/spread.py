r"""How far other boundary conditions on the same image are away: the boundary term of the budget.

Two tensors are compared as they are. A laboratory set-up gives one number, so a tensor is asked what a homogeneous
specimen of it would show in the same set-up, i.e. the energy left when the components that the set-up does not
prescribe relax (a Schur complement, of the prescribed component a and the free ones f):
    v = C_aa - C_af C_ff^+ C_fa.
Insulated sides and traction-free sides leave all other components free (v = 1 / (C^-1)_aa: the conductivity with
nothing flowing sideways, Young's modulus); symmetric sides hold them (v = C_aa, the oedometric modulus). The ends that
the specimen adds (clamped platens, isopotential faces) are then part of the spread, as they should be.
References: [huet1990], [miehe2002].
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from scalebridge.cell.boundary import AbstractBoundary, OppositeFaces, Sides
from scalebridge.cell.problem import PreconditionedConjugateGradients
from scalebridge.core.checkpoint import AbstractStore
from scalebridge.core.errors import InputError
from scalebridge.core.progress import AbstractProgress
from scalebridge.homogenize.budget import relative_gap
from scalebridge.homogenize.cells import solve_phases
from scalebridge.homogenize.phases import Phases
from scalebridge.homogenize.validity import transport, without_lost_loads

if TYPE_CHECKING:
    from jaxtyping import Float, Num

SINGULAR = 1e-9  # eigenvalues below this, relative to the largest, relax without any energy


def shown_between_faces(tensor: Num[np.ndarray, "m m"], boundary: OppositeFaces, vector: bool) -> float:
    """The number that a homogeneous specimen of `tensor` (m, m) shows in the set-up of `boundary`.

    Same unit as the tensor. A singular tensor is no failure: what carries nothing relaxes.
    """
    a = boundary.axis
    if vector and boundary.sides is Sides.SYMMETRIC:
        return float(tensor[a, a])
    free = [n for n in range(len(tensor)) if n != a]
    inverse = np.linalg.pinv(tensor[np.ix_(free, free)], rcond=SINGULAR, hermitian=True)
    return float(tensor[a, a] - tensor[a, free] @ inverse @ tensor[free, a])


def check_conditions(own: AbstractBoundary, others: Sequence[AbstractBoundary]) -> None:
    """Fails when two laboratory set-ups load different axes (InputError): their numbers are different components."""
    if not isinstance(own, OppositeFaces):
        return
    for other in others:
        if isinstance(other, OppositeFaces) and other.axis != own.axis:
            raise InputError(
                f"Faces along {'xyz'[own.axis]} and along {'xyz'[other.axis]} measure different components: their "
                "difference is the anisotropy, not an error. Compare set-ups along the same axis, or run both."
            )


def spread_of_conditions(
    phases: Phases,
    own: AbstractBoundary,
    value: Float[np.ndarray, "m m"],
    conditions: Sequence[AbstractBoundary],
    method: PreconditionedConjugateGradients,
    progress: AbstractProgress,
    store: AbstractStore,
) -> list[tuple[str, float]]:
    """Name and relative distance from `value`, (m, m) or (1, 1) between faces, of every other condition."""
    found: list[tuple[str, float]] = []
    for number, other in enumerate(conditions):
        if other == own or other in conditions[:number]:
            continue
        progress.update("solve", 0, 0, f"{other.name}, to compare with {own.name}")
        cell = solve_phases(phases, other, method, progress, store, f"{other!r} compared")
        theirs = cell.effective.value
        carried = transport(phases, other)
        if isinstance(other, OppositeFaces):
            theirs = theirs if carried.carries[other.axis] else np.zeros_like(theirs)
        else:
            theirs = without_lost_loads(phases, other, carried, theirs)
        found.append((_words(other, phases.vector), _distance(theirs, value, other, own, phases.vector)))
    return found


def _words(boundary: AbstractBoundary, vector: bool) -> str:
    if not isinstance(boundary, OppositeFaces):
        return boundary.name
    detail = f", {boundary.platens.value} platens, {boundary.sides.value} sides" if vector else ""
    return f"{boundary.name} along {'xyz'[boundary.axis]}{detail}"


def _distance(
    theirs: Float[np.ndarray, "m m"],
    ours: Float[np.ndarray, "k k"],
    other: AbstractBoundary,
    own: AbstractBoundary,
    vector: bool,
) -> float:
    setup = own if isinstance(own, OppositeFaces) else other
    if not isinstance(setup, OppositeFaces):
        return relative_gap(theirs, ours)
    numbers = [
        float(v[0, 0]) if isinstance(b, OppositeFaces) else shown_between_faces(v, setup, vector)
        for v, b in ((theirs, other), (ours, own))
    ]
    return relative_gap(np.array(numbers[0]), np.array(numbers[1]))
