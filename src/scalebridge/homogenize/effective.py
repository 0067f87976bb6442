r"""From the moments of a cell solution to its effective tensor, with the derivatives that come for nothing.

Prescribed mean gradient: C_ij = <e_i : C : e_j>, stationary in the fluctuations, so its error is the square of theirs
and its derivative by a property p is <e_i : dC/dp : e_j> without another solve. Prescribed flux: the same matrix of the
flux loads gives the compliance, S = U + U^T - E with U = <drive>, and C = S^-1 on the loads that can be carried.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from scalebridge.cell.moments import Moments
from scalebridge.homogenize.bounds import LinearLaw
from scalebridge.homogenize.result import Sensitivity
from scalebridge.material.conduction import Conduction
from scalebridge.material.plane import PlaneState, plane_derivative

if TYPE_CHECKING:
    from jaxtyping import Num, Shaped


@dataclasses.dataclass(frozen=True, eq=False)
class EffectiveTensor:
    """value (m, m) symmetric; mix (L, m): the combination of the solved loads that makes unit mean drives.

    hill_mandel and symmetry: relative gaps of the two identities every solved cell fulfils.
    """

    value: np.ndarray
    mix: np.ndarray
    hill_mandel: float
    symmetry: float


def effective_tensor(
    moments: Moments, loads: Num[np.ndarray, "L m"], prescribes_flux: bool
) -> EffectiveTensor:
    """The effective tensor of all unit loads; with prescribed flux, loads that cannot be carried are missing."""
    gaps = identity_gaps(moments, loads, prescribes_flux)
    if not prescribes_flux:
        return EffectiveTensor(moments.energy, np.eye(len(loads)), *gaps)
    virtual = moments.drive @ loads.T
    compliance = virtual + virtual.T - moments.energy
    stiffness = np.linalg.inv(compliance) if len(loads) else np.zeros((0, 0))
    m = loads.shape[1]
    embedded = loads.T @ stiffness @ loads if len(loads) else np.zeros((m, m))
    return EffectiveTensor((embedded + embedded.T) / 2, stiffness @ loads, *gaps)


def identity_gaps(
    moments: Moments,
    loads: Num[np.ndarray, "L m"],
    prescribes_flux: bool,
    carried: Shaped[np.ndarray, " L"] | None = None,
) -> tuple[float, float]:
    """Relative gaps of Hill-Mandel (mean energy = macroscopic energy) and of symmetry.

    carried (L,): loads that the cell carries at all; the gap of two zeros says nothing and is left out.
    """
    chosen = np.ones(len(loads), bool) if carried is None else np.asarray(carried, bool)
    if not chosen.any():
        return 0.0, 0.0
    cross = ((moments.drive if prescribes_flux else moments.flux) @ loads.T)[np.ix_(chosen, chosen)]
    energy = moments.energy[np.ix_(chosen, chosen)]
    compliance = cross + cross.T - energy if prescribes_flux else energy
    size = float(np.abs(compliance).max()) or 1.0
    hill = float(np.abs(np.diag(cross) - np.diag(energy)).max()) / size
    return hill, float(np.abs(cross - cross.T).max()) / size


def sensitivities(
    moments: Moments,
    effective: EffectiveTensor,
    laws: Sequence[LinearLaw],
    labels: Sequence[int],
    plane: PlaneState | None,
    ndim: int,
) -> tuple[Sensitivity, ...]:
    """d value / d property for every property of every phase, and the effect of its uncertainty."""
    if moments.moments is None:
        return ()
    norm = float(np.linalg.norm(effective.value)) or 1.0
    found = []
    for p, (label, law) in enumerate(zip(labels, laws, strict=True)):
        if law.is_void:
            continue  # a void has no property to vary: its drive is arbitrary
        local = np.einsum("iakb,im,kn->manb", moments.moments[p], effective.mix, effective.mix)
        for name, parameter in law.parameters.items():
            change = law.derivative(name)
            if isinstance(law, Conduction):
                change = change[:ndim, :ndim]
            elif ndim == 2 and len(change) == 6:
                change = plane_derivative(law.tensor, change, plane or PlaneState.STRAIN)
            derivative = np.einsum("manb,ab->mn", local, change)
            effect = float(np.linalg.norm(derivative)) * parameter.deviation / norm
            found.append(Sensitivity(label, name, parameter.value, derivative, parameter.deviation, effect))
    return tuple(found)


def parameter_error(found: Sequence[Sensitivity]) -> float | None:
    """Relative standard deviation from independent property uncertainties; None if none was given.

    Of the tensor, or of the thermal expansion where that is more uncertain.
    """
    given = [s for s in found if s.uncertainty > 0]
    if not given:
        return None
    tensor, expansion = ([s.effect for s in given], [s.expansion_effect for s in given])
    return float(max(np.linalg.norm(tensor), np.linalg.norm(expansion)))
