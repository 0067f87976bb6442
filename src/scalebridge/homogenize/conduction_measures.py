"""What engineers read off an effective conductivity: principal axes, formation factor, tortuosity.

A tortuosity exists only where the conducting phase connects two sides; elsewhere it is None with the reason.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np

from scalebridge.homogenize.bounds import LinearLaw
from scalebridge.homogenize.measures import AXES, SINGULAR_TOLERANCE, Measures, relative_norm
from scalebridge.material.conduction import Conduction


def closest_isotropic_conductivity(conductivity: np.ndarray) -> tuple[np.ndarray, float | None]:
    """The isotropic conductivity closest in the Frobenius norm, tr k / d, and the relative distance."""
    d = len(conductivity)
    closest = float(np.trace(conductivity)) / d * np.eye(d)
    return closest, relative_norm(conductivity - closest, conductivity)


@dataclasses.dataclass(frozen=True, eq=False)
class Principal:
    """values (d,) descending; axes (d, d): column i belongs to value i, right-handed."""

    values: np.ndarray
    axes: np.ndarray


def principal(conductivity: np.ndarray) -> Principal:
    """Principal conductivities and their axes."""
    symmetric = (np.asarray(conductivity, float) + np.asarray(conductivity, float).T) / 2
    values, axes = np.linalg.eigh(symmetric)
    values, axes = values[::-1], axes[:, ::-1]
    largest = axes[np.abs(axes).argmax(axis=0), np.arange(len(values))]
    axes = axes * np.sign(largest)
    if np.linalg.det(axes) < 0:
        axes[:, -1] *= -1
    return Principal(np.array(values), np.array(axes))


def conduction_anisotropy(conductivity: np.ndarray, tolerance: float = SINGULAR_TOLERANCE) -> Measures:
    """ratio: largest by smallest principal value; distance: to the closest isotropic tensor, relative."""
    values = principal(conductivity).values
    _, distance = closest_isotropic_conductivity(np.asarray(conductivity, float))
    reasons: dict[str, str] = {}
    ratio: float | None = None
    if values[-1] > tolerance * values[0]:
        ratio = float(values[0] / values[-1])
    else:
        reasons["ratio"] = "nothing is conducted along one principal axis"
    if distance is None:
        reasons["distance"] = "nothing is conducted"
    return Measures({"ratio": ratio, "distance": distance}, reasons)


@dataclasses.dataclass(frozen=True)
class TransportMeasures:
    """Per axis; None where the conducting phase does not connect the two sides, with the reason by axis."""

    tortuosity: tuple[float | None, ...]
    formation_factor: tuple[float | None, ...]
    reasons: Mapping[str, str]


def transport_measures(
    along_axes: Sequence[float] | np.ndarray,
    laws: Mapping[int, LinearLaw],
    fractions: Mapping[int, float],
    axes: Sequence[str] = AXES,
    tolerance: float = SINGULAR_TOLERANCE,
) -> TransportMeasures | None:
    """Formation factor F = k_0 / k_eff and tortuosity tau = fraction F of the one phase that conducts.

    along_axes: effective conductivities along `axes` (the diagonal of the tensor, or the one of a faces run).
    None when there is not exactly one conducting phase, or it is anisotropic: the words mean nothing then.
    """
    conducting = [label for label, fraction in fractions.items() if fraction > 0 and not laws[label].is_void]
    if len(conducting) != 1:
        return None
    law, fraction = laws[conducting[0]], fractions[conducting[0]]
    own = law.isotropic_parameters if isinstance(law, Conduction) else None
    if own is None:
        return None
    reasons: dict[str, str] = {}
    factors: list[float | None] = []
    for name, effective in zip(axes, along_axes, strict=False):
        if float(effective) > tolerance * own["k"]:
            factors.append(own["k"] / float(effective))
        else:
            factors.append(None)
            reasons[name] = f"the conducting phase does not connect the two sides along {name}"
    tortuosity = tuple(None if factor is None else fraction * factor for factor in factors)
    return TransportMeasures(tortuosity, tuple(factors), reasons)
