"""Laws asked at rest before a cell is built of them: a path cannot start from an unstable or lifeless material.

Asked are the laws whose parameters do not say it: those of users' functions, and linear ones given by their tensor.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from scalebridge.core.errors import LawError
from scalebridge.material.kinematics import FINITE_STRAIN
from scalebridge.material.laws.linear import LinearLaw
from scalebridge.material.laws.plane import AbstractPlaneLaw
from scalebridge.material.laws.point import AbstractPointLaw
from scalebridge.material.laws.user import AbstractFunctionLaw

_ROUNDING = 1e-7  # relative to the largest entry of the tangent: what differentiation leaves of a zero


def require_sound(laws: Mapping[int, AbstractPointLaw | None], dt: float) -> None:
    """The tangent of every law at rest, over a step `dt`, is positive (semidefinite), and symmetric if it says so.

    A law that softens later is fine. At finite strain a law with stress at rest is not judged: its tangent has the
    stress in it. Fails when: this does not hold, a law has no answer at rest, or none has any stiffness (LawError).
    """
    lifeless = True
    for label, plane in sorted(laws.items()):
        law = plane.law if isinstance(plane, AbstractPlaneLaw) else plane
        if law is None:
            continue
        if not isinstance(law, (AbstractFunctionLaw, LinearLaw)):
            lifeless = False
            continue
        flux, tangent = _at_rest(label, law, dt)
        top = float(np.abs(tangent).max())
        lifeless = lifeless and top == 0.0
        if law.symmetric_tangent and np.abs(tangent - tangent.T).max() > _ROUNDING * top:
            raise LawError(
                f"The law of label {label} ({law.name}) says that its tangent is symmetric, and at rest it is not. "
                "UpdateLaw takes symmetric=False, its default; a linear law needs a symmetric tensor."
            )
        least = float(np.linalg.eigvalsh((tangent + tangent.T) / 2)[0])
        stressed = law.kinematics is FINITE_STRAIN and np.abs(flux).max() > _ROUNDING * top
        if least < -_ROUNDING * top and not stressed:
            raise LawError(
                f"The law of label {label} ({law.name}) is not positive: at rest its tangent has the eigenvalue "
                f"{least:.4g}, so that it pushes where it should pull. Expected none below zero; check the signs of "
                "its parameters."
            )
    if lifeless:
        raise LawError(
            "No law of the cell has any stiffness at rest: nothing carries a load. Give at least one label a law whose "
            "flux changes with its drive; a label without stiffness is a void."
        )


def _at_rest(label: int, law: AbstractPointLaw, dt: float) -> tuple[np.ndarray, np.ndarray]:
    drive = law.kinematics.virgin(law.dimensions)
    response = law.respond(law.initial_state(1), drive[None], dt)
    flux, tangent = np.asarray(response.flux)[0], np.asarray(response.tangent)[0]
    if response.status[0] or not (np.isfinite(flux).all() and np.isfinite(tangent).all()):
        raise LawError(
            f"The law of label {label} ({law.name}) has no answer at rest ({law.kinematics.drive} {drive.tolist()}, a "
            f"step of {dt:g}): its flux or tangent is not finite. Check its parameters."
        )
    return flux, tangent
