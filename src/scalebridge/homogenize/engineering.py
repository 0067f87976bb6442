"""What engineers read off an effective stiffness: constants, averages, anisotropy; and a summary of it all.

Effective tensors may be singular (voids, phases that do not percolate). A modulus in a direction that carries
nothing is exactly zero; a number that has no meaning there is None, with the reason in words. Never NaN,
never a made-up value.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from scalebridge.homogenize.bounds import LinearLaw
from scalebridge.homogenize.conduction_measures import conduction_anisotropy, principal, transport_measures
from scalebridge.homogenize.measures import AXES, SINGULAR_TOLERANCE, Measures, relative_norm
from scalebridge.material.conduction import Conduction
from scalebridge.numerics.mandel import (
    COMPONENTS,
    deviatoric_projector,
    dimension_of_components,
    identity2,
    isotropic_stiffness,
    stiffness_to_voigt,
    weights,
)

if TYPE_CHECKING:
    from jaxtyping import Bool, Float, Num


@dataclasses.dataclass(frozen=True, eq=False)
class _Compliance:
    """The inverse of a stiffness on the stresses it can carry."""

    matrix: np.ndarray
    null: np.ndarray

    @staticmethod
    def of(stiffness: np.ndarray, tolerance: float) -> _Compliance:
        values, vectors = np.linalg.eigh((stiffness + stiffness.T) / 2)
        carries = values > tolerance * max(float(np.abs(values).max()), np.finfo(float).tiny)
        kept = vectors[:, carries]
        return _Compliance((kept / values[carries]) @ kept.T, vectors[:, ~carries])

    def carries(self, stress: np.ndarray) -> bool:
        """Whether a stress meets no direction without stiffness."""
        return float(np.linalg.norm(self.null.T @ stress)) <= 1e-5 * float(np.linalg.norm(stress))


def engineering_constants(
    stiffness: Num[np.ndarray, "m m"], tolerance: float = SINGULAR_TOLERANCE
) -> Measures:
    """E_x, ..., nu_xy, ..., G_yz, ... of a Mandel stiffness (6, 6), or of a plane one (3, 3).

    nu_xy = - (strain yy) / (strain xx) under a stress xx. In 2-D they describe the plane law: under plane
    strain E_x is the modulus of the plane problem, not of a free bar.
    """
    d = dimension_of_components(len(stiffness))
    names, size = COMPONENTS[d], weights(d)
    compliance = _Compliance.of(np.asarray(stiffness, float), tolerance)
    unit = np.eye(len(stiffness))
    values: dict[str, float | None] = {}
    reasons: dict[str, str] = {}
    for i in range(d):
        carried = compliance.carries(unit[i])
        values[f"E_{AXES[i]}"] = 1 / float(compliance.matrix[i, i]) if carried else 0.0
    for i in range(d):
        for j in range(d):
            if i == j:
                continue
            name = f"nu_{AXES[i]}{AXES[j]}"
            if compliance.carries(unit[i]):
                values[name] = -float(compliance.matrix[j, i] / compliance.matrix[i, i])
            else:
                values[name] = None
                reasons[name] = f"no stress can be carried along {AXES[i]}"
    for i in range(d, len(stiffness)):
        carried = compliance.carries(unit[i])
        # Mandel compliance of a shear is 1 / (2 G).
        values[f"G_{names[i]}"] = 1 / (size[i] ** 2 * float(compliance.matrix[i, i])) if carried else 0.0
    return Measures(values, reasons)


def elastic_averages(stiffness: Num[np.ndarray, "m m"], tolerance: float = SINGULAR_TOLERANCE) -> Measures:
    """K, G (and in 3-D E, nu) of a random aggregate of this material: Voigt, Reuss and Hill averages.

        K_V = I:C:I / d^2,    d K_V + 2 (m - 1) G_V = tr C
        1/K_R = I:S:I,        1/(d K_R) + (m - 1)/(2 G_R) = tr S
    In 2-D K is the plane bulk modulus. References: [hill1952]
    """
    stiffness = np.asarray(stiffness, float)
    m = len(stiffness)
    d = dimension_of_components(m)
    one = identity2(d)
    compliance = _Compliance.of(stiffness, tolerance)
    k_voigt = float(one @ stiffness @ one) / d**2
    g_voigt = (float(np.trace(stiffness)) - d * k_voigt) / (2 * (m - 1))
    k_reuss = 1 / float(one @ compliance.matrix @ one) if compliance.carries(one) else 0.0
    g_reuss = 0.0
    if np.linalg.norm(deviatoric_projector(d) @ compliance.null) <= 1e-5:
        mean = float(one @ compliance.matrix @ one)
        g_reuss = (m - 1) / (2 * (float(np.trace(compliance.matrix)) - mean / d))
    k, g = (k_voigt + k_reuss) / 2, (g_voigt + g_reuss) / 2
    values: dict[str, float | None] = {
        "K_voigt": k_voigt,
        "K_reuss": k_reuss,
        "K_hill": k,
        "G_voigt": g_voigt,
        "G_reuss": g_reuss,
        "G_hill": g,
    }
    reasons: dict[str, str] = {}
    if d == 3:
        stiff = 3 * k + g > 0
        values["E_hill"] = 9 * k * g / (3 * k + g) if stiff else 0.0
        values["nu_hill"] = (3 * k - 2 * g) / (6 * k + 2 * g) if stiff else None
        if not stiff:
            reasons["nu_hill"] = "nothing carries stress"
    return Measures(values, reasons)


def elastic_anisotropy(stiffness: Num[np.ndarray, "m m"], tolerance: float = SINGULAR_TOLERANCE) -> Measures:
    """How far a stiffness is from isotropy, three ways.

    universal: 5 G_V/G_R + K_V/K_R - 6 (2-D: 2 G_V/G_R + K_V/K_R - 3), zero when isotropic.
    zener: 2 (C44 + C55 + C66) / (C11 + C22 + C33 - C12 - C13 - C23), one when isotropic; for axes of
    symmetry. distance: Frobenius distance to the closest isotropic tensor, relative to the norm.
    References: [ranganathan2008]
    """
    stiffness = np.asarray(stiffness, float)
    d = dimension_of_components(len(stiffness))
    averages = elastic_averages(stiffness, tolerance).values
    values: dict[str, float | None] = {"universal": None, "zener": None, "distance": None}
    reasons: dict[str, str] = {}
    k_voigt, k_reuss = averages["K_voigt"], averages["K_reuss"]
    g_voigt, g_reuss = averages["G_voigt"], averages["G_reuss"]
    if k_voigt and k_reuss and g_voigt and g_reuss:
        deviators = 5 if d == 3 else 2
        values["universal"] = deviators * g_voigt / g_reuss + k_voigt / k_reuss - (deviators + 1)
    else:
        reasons["universal"] = "the stiffness is singular: some stress cannot be carried"
    voigt = stiffness_to_voigt(stiffness)
    shear = 2 * float(np.trace(voigt[d:, d:])) * (d - 1) / len(voigt[d:])
    normal = ((d - 1) * float(np.trace(voigt[:d, :d])) - 2 * float(np.sum(np.triu(voigt[:d, :d], 1)))) / d
    if normal > tolerance * float(np.abs(voigt).max()):
        values["zener"] = shear / normal
    else:
        reasons["zener"] = "there is no resistance to shear along the diagonals of the axes"
    _, distance = closest_isotropic_stiffness(stiffness)
    values["distance"] = distance
    if distance is None:
        reasons["distance"] = "the stiffness is zero"
    return Measures(values, reasons)


def closest_isotropic_stiffness(
    stiffness: Num[np.ndarray, "m m"],
) -> tuple[Float[np.ndarray, "m m"], float | None]:
    """The isotropic stiffness closest in the Frobenius norm (K_V, G_V), and the relative distance to it."""
    m = len(stiffness)
    d = dimension_of_components(m)
    one = identity2(d)
    bulk = float(one @ stiffness @ one) / d**2
    shear = (float(np.trace(stiffness)) - d * bulk) / (2 * (m - 1))
    closest = isotropic_stiffness(bulk, shear, d)
    return closest, relative_norm(stiffness - closest, stiffness)


def derived_quantities(
    value: Num[np.ndarray, "m m"],
    laws: Mapping[int, LinearLaw],
    fractions: Mapping[int, float],
    *,
    axis: int | None = None,
    connected: Bool[np.ndarray, " d"] | None = None,
) -> dict[str, Any]:
    """Everything above that applies to an effective tensor, as plain entries for
    `HomogenizationResult.extra`.

    axis: for a faces set-up, whose value is (1, 1). connected: per axis of `value`, whether the conducting phase
    joins the two sides (else no tortuosity, whatever a boundary condition makes pass). "reasons" tells why an entry
    is None.
    """
    present = next(laws[label] for label, fraction in fractions.items() if fraction > 0)
    value = np.asarray(value, float)
    if isinstance(present, Conduction):
        return _derived_conduction(value, laws, fractions, axis, connected)
    if value.shape == (1, 1):
        return {}
    parts = {
        "engineering": engineering_constants(value),
        "averages": elastic_averages(value),
        "anisotropy": elastic_anisotropy(value),
    }
    extra: dict[str, Any] = {name: dict(part.values) for name, part in parts.items()}
    reasons = {f"{name}.{key}": why for name, part in parts.items() for key, why in part.reasons.items()}
    return {**extra, "reasons": reasons} if reasons else extra


def _derived_conduction(
    value: np.ndarray,
    laws: Mapping[int, LinearLaw],
    fractions: Mapping[int, float],
    axis: int | None,
    connected: np.ndarray | None,
) -> dict[str, Any]:
    extra: dict[str, Any] = {}
    reasons: dict[str, str] = {}
    if axis is None:
        found = principal(value)
        measures = conduction_anisotropy(value)
        extra["anisotropy"] = {
            "principal_values": found.values,
            "principal_axes": found.axes,
            **measures.values,
        }
        reasons |= {f"anisotropy.{key}": why for key, why in measures.reasons.items()}
    axes = AXES[: len(value)] if axis is None else (AXES[axis],)
    along = np.diag(value) if connected is None else np.where(connected, np.diag(value), 0.0)
    transport = transport_measures(along, laws, fractions, axes)
    if transport is not None:
        pairs = (("tortuosity", transport.tortuosity), ("formation_factor", transport.formation_factor))
        for name, per_axis in pairs:
            extra[name] = per_axis if axis is None else per_axis[0]
        reasons |= {f"tortuosity.{key}": why for key, why in transport.reasons.items()}
    return {**extra, "reasons": reasons} if reasons else extra
