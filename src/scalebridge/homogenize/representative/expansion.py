r"""The thermal expansion of samples of thermoelastic phases, alpha* = -C*^-1 Gamma, beside their stiffness.

The scalar that is followed is the isotropic part tr(alpha)/d. In the plane d = 2: what is seen within it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from scalebridge.homogenize.cells import SolvedCell
from scalebridge.homogenize.phases import Phases
from scalebridge.homogenize.thermal import thermal_expansion, uniform_strain
from scalebridge.material.law import AbstractLaw
from scalebridge.material.plane import PlaneState, plane_expansion
from scalebridge.material.thermoelasticity import Thermoelasticity
from scalebridge.numerics.mandel import dimension_of_components, identity2

if TYPE_CHECKING:
    from jaxtyping import Float, Num

EXPANSION = "thermal expansion"


def phase_expansions(
    laws: Mapping[int, AbstractLaw], ndim: int, plane: PlaneState | None
) -> dict[int, Float[np.ndarray, " m"]] | None:
    """Free strain per kelvin (m,) Mandel of every phase that is no void, as the cell sees it; None in other physics."""
    found = {}
    for label, law in laws.items():
        if not isinstance(law, Thermoelasticity):
            return None
        if law.is_void:
            continue
        if ndim == 3 or len(law.expansion) == 3:
            found[label] = np.asarray(law.expansion, float)
        else:
            found[label] = plane_expansion(law.tensor, law.expansion, plane or PlaneState.STRAIN)
    return found or None


def expands_unevenly(laws: Mapping[int, AbstractLaw], ndim: int, plane: PlaneState | None) -> bool:
    """Whether samples can differ: phases that expand alike make every sample expand like them."""
    given = phase_expansions(laws, ndim, plane)
    if given is None:
        return False
    rows = np.stack(list(given.values()))
    return float(np.abs(rows - rows[0]).max()) > 1e-9 * float(np.abs(rows).max())


def isotropic_expansion(expansions: Num[np.ndarray, "N m"]) -> Float[np.ndarray, " N"]:
    """tr(alpha)/d (N,) of the expansions (N, m) Mandel of samples."""
    d = dimension_of_components(expansions.shape[-1])
    return np.asarray(expansions @ identity2(d) / d)


def cell_energy(phases: Phases, energy: float) -> float:
    """To what relative energy error a cell must be solved for its expansion to be as good as its stiffness.

    Where no uniform strain stresses all phases alike, the expansion comes from the elastic fields by reciprocity, and
    errs like these fields: like the root of their energy error.
    """
    expansions = phases.expansions
    if (
        expansions is None
        or uniform_strain(phases.matrices, np.einsum("pab,pb->pa", phases.matrices, expansions)) is not None
    ):
        return energy
    return energy**2


def cell_expansion(phases: Phases, solved: SolvedCell) -> Float[np.ndarray, " m"] | None:
    """(m,) Mandel; None in other physics, and where the stiffness is singular."""
    expansions = phases.expansions
    if expansions is None:
        return None
    found = thermal_expansion(solved.moments, solved.effective, phases.matrices, expansions)
    return None if found is None else found.expansion
