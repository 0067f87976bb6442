r"""Effective thermal expansion from the elastic solutions alone.

With e_j the strain under unit macroscopic strain j, the stress that a temperature rise causes in a held cell is
  Gamma_j = -< alpha : C : e_j > = -sum_p (C_p alpha_p) : <1_p e_j>,     alpha* = -C*^-1 Gamma
(Hill's reciprocity; for two isotropic phases it is Levin's formula). No thermal problem is solved.
References: [levin1967], [rosen1970].
"""

from __future__ import annotations

import dataclasses

import numpy as np

from scalebridge.cell.moments import Moments
from scalebridge.homogenize.effective import EffectiveTensor


@dataclasses.dataclass(frozen=True, eq=False)
class ThermalExpansion:
    """expansion (m,) Mandel per kelvin, or None where the stiffness is singular; heat_free_stress (m,) per kelvin."""

    expansion: np.ndarray | None
    heat_free_stress: np.ndarray
    note: str = ""


def thermal_expansion(
    moments: Moments, effective: EffectiveTensor, matrices: np.ndarray, expansions: np.ndarray
) -> ThermalExpansion | None:
    """Shapes: matrices (P, m, m), expansions (P, m). None when phase means were not collected."""
    if moments.phase_drive is None:
        return None
    phase_stress = np.einsum("pab,pb->pa", matrices, expansions)
    per_load = -np.einsum("pa,pla->l", phase_stress, moments.phase_drive)
    gamma = effective.mix.T @ per_load if effective.mix.size else np.zeros(len(effective.value))
    values, vectors = np.linalg.eigh(effective.value)
    alive = values > 1e-9 * max(values.max(initial=0.0), 1e-300)
    if not alive.all():
        return ThermalExpansion(None, gamma, "The effective stiffness is singular: expansion is not defined.")
    return ThermalExpansion(-(vectors / values) @ (vectors.T @ gamma), gamma)
