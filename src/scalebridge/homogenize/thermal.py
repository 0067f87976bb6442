r"""Effective thermal expansion and its derivatives, from the elastic solutions and one thermal field.

With e_j the strain under unit macroscopic strain j, the stress that a unit temperature rise causes in a held cell is
  Gamma_j = -< alpha : C : e_j >,     alpha* = -C*^-1 Gamma
(Hill's reciprocity; for two isotropic phases it is Levin's formula). Let t be the strain of the held cell itself, of
zero mean, under the temperature rise. Since < e_j : C : t > = 0,
  Gamma_j = < e_j : C : (t - alpha) >,      dGamma_j = < e_j : dC : (t - alpha) > - < e_j : C : dalpha >:
stationary in both fields, so the error of Gamma is a product of two small ones, and its derivatives need no solve.
Where some uniform strain s stresses all phases alike, C_p (s - alpha_p) = const (any two phases with different
compliances; equal expansions), t = s - sum_k s_k e_k and is known already; otherwise it is one more load.
With prescribed stresses on the boundary the same holds for the combinations e_j of unit mean strain.
References: [levin1967], [rosen1970].
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from scalebridge.cell.moments import Moments
from scalebridge.homogenize.bounds import LinearLaw
from scalebridge.homogenize.effective import EffectiveTensor
from scalebridge.homogenize.result import Sensitivity
from scalebridge.material.plane import (
    PlaneState,
    plane_derivative,
    plane_expansion,
    plane_expansion_derivative,
    plane_tensor,
)
from scalebridge.material.thermoelasticity import Thermoelasticity

if TYPE_CHECKING:
    from jaxtyping import Float, Num

UNIFORM_TOLERANCE = 1e-10
SINGULAR = 1e-9  # eigenvalues of the stiffness below this, relative to the largest, are zero


@dataclasses.dataclass(frozen=True, eq=False)
class ThermalExpansion:
    """expansion (m,) Mandel per kelvin, or None where the stiffness is singular; heat_free_stress (m,) per kelvin.

    reciprocal (m,): the expansion by Hill's reciprocity alone, without the thermal field: less accurate, but an
    independent check of it. cross (P, m, m, m): <1_p e_j,a t_b>, None where the thermal field is not known.
    """

    expansion: np.ndarray | None
    heat_free_stress: np.ndarray
    note: str = ""
    reciprocal: np.ndarray | None = None
    cross: np.ndarray | None = None


def thermal_expansion(
    moments: Moments,
    effective: EffectiveTensor,
    matrices: Num[np.ndarray, "P m m"],
    expansions: Num[np.ndarray, "P m"],
    solve: Callable[[np.ndarray], np.ndarray] | None = None,
) -> ThermalExpansion | None:
    """Shapes: matrices (P, m, m), expansions (P, m). None when phase means were not collected.

    solve: phase stresses (P, m) -> <1_p e_l,a t_b> (P, L, m, m) of the solved loads l, asked where superposition does
    not give the thermal field.
    """
    if moments.phase_drive is None or moments.moments is None:
        return None
    mix, stress = effective.mix, np.einsum("pab,pb->pa", matrices, expansions)
    size = len(effective.value)
    if not mix.size:
        return ThermalExpansion(
            None, np.zeros(size), "The effective stiffness is zero: expansion is not defined."
        )
    means = np.einsum("pla,lj->pja", moments.phase_drive, mix)
    reciprocal = -np.einsum("pa,pja->j", stress, means)
    uniform = uniform_strain(matrices, stress)
    cross: np.ndarray | None = None
    gamma = reciprocal
    if uniform is not None:
        local = np.einsum("plakb,lj,kn,n->pjab", moments.moments, mix, mix, uniform, optimize=True)
        cross = np.einsum("pja,b->pjab", means, uniform) - local
        gamma = matrices[0] @ uniform - stress[0] - effective.value @ uniform
    elif solve is not None:
        cross = np.einsum("plab,lj->pjab", solve(stress), mix)
        gamma = reciprocal + np.einsum("pjab,pab->j", cross, matrices)
    gamma = np.where(effective.value.any(axis=1), gamma, 0.0)
    values, vectors = np.linalg.eigh(effective.value)
    alive = values > SINGULAR * max(values.max(initial=0.0), 1e-300)
    if not alive.all():
        return ThermalExpansion(
            None, gamma, "The effective stiffness is singular: expansion is not defined.", cross=cross
        )

    def relaxed(held: np.ndarray) -> np.ndarray:
        return np.asarray(-(vectors / values) @ (vectors.T @ held))

    return ThermalExpansion(relaxed(gamma), gamma, "", relaxed(reciprocal), cross)


def uniform_strain(
    matrices: Num[np.ndarray, "P m m"], stress: Num[np.ndarray, "P m"]
) -> Float[np.ndarray, " m"] | None:
    """The strain s (m,) with C_p s - C_p alpha_p the same in all phases; None where there is none.

    Shapes: matrices (P, m, m), stress (P, m) = C_p alpha_p. A homogeneous cell has s = alpha.
    """
    if len(matrices) == 1:
        found, *_ = np.linalg.lstsq(matrices[0], stress[0], rcond=UNIFORM_TOLERANCE)
        return np.asarray(found)
    jump = (matrices[1:] - matrices[0]).reshape(-1, matrices.shape[1])
    wanted = (stress[1:] - stress[0]).reshape(-1)
    found, *_ = np.linalg.lstsq(jump, wanted, rcond=UNIFORM_TOLERANCE)
    missed = float(np.linalg.norm(jump @ found - wanted))
    return np.asarray(found) if missed <= 1e2 * UNIFORM_TOLERANCE * float(np.linalg.norm(stress)) else None


def with_expansion(
    found: Sequence[Sensitivity],
    thermal: ThermalExpansion,
    moments: Moments,
    effective: EffectiveTensor,
    laws: Sequence[LinearLaw],
    labels: Sequence[int],
    plane: PlaneState | None,
    ndim: int,
) -> tuple[Sensitivity, ...]:
    """The sensitivities with the derivatives of expansion and heat-free stress beside those of the stiffness.

    d alpha* = -C*^-1 (dGamma + dC* alpha*). Where the thermal field is not known, those by the stiffness of a phase
    are left out (None); those by its expansion do not need it.
    """
    if moments.phase_drive is None:
        return tuple(found)
    means = np.einsum("pla,lj->pja", moments.phase_drive, effective.mix)
    by_label = dict(zip(labels, laws, strict=True))
    size = 0.0 if thermal.expansion is None else float(np.linalg.norm(thermal.expansion))
    complete = []
    for one in found:
        law, p = by_label[one.label], labels.index(one.label)
        assert isinstance(law, Thermoelasticity)
        stiffness, expansion, change, swelling = _as_in_cell(law, one.parameter, plane, ndim)
        if thermal.cross is None and change.any():
            complete.append(one)
            continue
        drift = np.zeros(len(effective.value))
        if thermal.cross is not None:
            drift += np.einsum("jab,ab->j", thermal.cross[p], change)
        drift -= means[p] @ (change @ expansion + stiffness @ swelling)
        drift = np.where(effective.value.any(axis=1), drift, 0.0)
        free: np.ndarray | None = None
        effect = 0.0
        if thermal.expansion is not None:
            free = -np.linalg.solve(effective.value, drift + one.derivative @ thermal.expansion)
            effect = float(np.linalg.norm(free)) * one.uncertainty / size if size > 0 else 0.0
        complete.append(
            dataclasses.replace(one, expansion=free, heat_free_stress=drift, expansion_effect=effect)
        )
    return tuple(complete)


def unknown_effects(found: Sequence[Sensitivity]) -> str:
    """What the parameters term leaves out, as a sentence; "" where nothing is left out."""
    missing = [s for s in found if s.uncertainty > 0 and s.heat_free_stress is None]
    if not missing:
        return ""
    names = ", ".join(f"{s.parameter} of phase {s.label}" for s in missing)
    return (
        f"What the uncertainty of {names} does to the thermal expansion is not in the parameters term: with more than "
        "two different phases it takes a thermal load case, which is not solved."
    )


def _as_in_cell(
    law: Thermoelasticity, name: str, plane: PlaneState | None, ndim: int
) -> tuple[
    Float[np.ndarray, "m m"], Float[np.ndarray, " m"], Float[np.ndarray, "m m"], Float[np.ndarray, " m"]
]:
    """C, alpha, dC and dalpha of one phase by one parameter, in the components of the cell."""
    stiffness, expansion = law.tensor, law.expansion
    change, swelling = law.derivative(name), law.expansion_derivative(name)
    if ndim == 3 or len(stiffness) == 3:
        return stiffness, expansion, change, swelling
    state = plane or PlaneState.STRAIN
    return (
        plane_tensor(stiffness, state),
        plane_expansion(stiffness, expansion, state),
        plane_derivative(stiffness, change, state),
        plane_expansion_derivative(stiffness, change, expansion, swelling, state),
    )
