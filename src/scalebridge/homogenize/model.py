"""The effective tensor as a law: it goes wherever a phase law goes, so that scales can be stacked."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from scalebridge.core.errors import LawError
from scalebridge.homogenize.phases import Phases
from scalebridge.material.conduction import Conduction
from scalebridge.material.elasticity import Elasticity
from scalebridge.material.law import AbstractLaw
from scalebridge.material.thermoelasticity import Thermoelasticity

if TYPE_CHECKING:
    from jaxtyping import Float


def effective_law(
    phases: Phases, value: Float[np.ndarray, "m m"], expansion: Float[np.ndarray, " m"] | None
) -> AbstractLaw | None:
    """The law of the homogenized material, of the same kind as its phases; None where the tensor is no law.

    Eigenvalues that are negative by round-off (a direction that carries nothing) are set to zero.
    """
    values, vectors = np.linalg.eigh(value)
    if values.min(initial=0.0) < -1e-6 * np.abs(values).max(initial=0.0):
        return None
    clean = (vectors * np.maximum(values, 0.0)) @ vectors.T
    first = phases.laws[0]
    try:
        if isinstance(first, Conduction):
            if not clean.any():
                return Conduction.void(transport=first.transport)
            return Conduction.anisotropic(clean, transport=first.transport)
        elastic = Elasticity.void() if not clean.any() else Elasticity.from_mandel(clean)
        if phases.expansions is None:
            return elastic
        return None if expansion is None else Thermoelasticity.of(elastic, expansion)
    except LawError:
        return None
