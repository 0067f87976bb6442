"""Bounds from volume fractions alone: Voigt and Reuss for any phases, Hashin-Shtrikman for isotropic ones.

Voigt: sum f C          Reuss: (sum f C^-1)^-1
Hashin-Shtrikman (Walpole's form, comparison material 0, dimension d):
    k = (sum f / (k_i + (d-1) k_0))^-1 - (d-1) k_0
    K = (sum f / (K_i + a_0))^-1 - a_0,  a_0 = 2 (d-1) G_0 / d
    G = (sum f / (G_i + b_0))^-1 - b_0,  b_0 = G_0 (9 K_0 + 8 G_0) / (6 (K_0 + 2 G_0)) in 3-D,
                                               G_0 K_0 / (K_0 + 2 G_0) in 2-D (K the plane bulk modulus)
with the smallest moduli as comparison for the lower and the largest for the upper bound.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from scalebridge.core.errors import PhaseError
from scalebridge.homogenize.result import TensorBounds
from scalebridge.material.conduction import Conduction
from scalebridge.material.elasticity import Elasticity
from scalebridge.material.plane import PlaneState, plane_tensor
from scalebridge.material.thermoelasticity import Thermoelasticity
from scalebridge.numerics.mandel import deviatoric_projector, isotropic_stiffness, spherical_projector
from scalebridge.numerics.orientation import mean_rotated2, mean_rotated4

if TYPE_CHECKING:
    from jaxtyping import Float, Num

LinearLaw = Conduction | Elasticity | Thermoelasticity
NULL_TOLERANCE = 1e-12
ISOTROPY_TOLERANCE = 1e-10


def tensor_bounds(
    laws: Mapping[int, LinearLaw],
    fractions: Mapping[int, float],
    *,
    ndim: int = 3,
    plane: PlaneState | None = None,
    orientations: Mapping[int, np.ndarray] | None = None,
) -> TensorBounds:
    """Voigt, Reuss and Hashin-Shtrikman bounds of the effective tensor of an image of `ndim` dimensions.

    laws, fractions: by label; labels without a fraction, or with zero, do not count. plane: 2-D elasticity
    only.
    orientations: by label the rotations (d, d, ...) of all its voxels, for phases whose axes turn.
    Shapes: as the effective tensor, (d, d) for conduction, Mandel (m, m) for elasticity.
    Hashin-Shtrikman also assumes a macroscopically isotropic arrangement, which only the image can tell.
    Fails when: a label with a fraction has no law, or fractions do not add up to one (PhaseError).
    References: [hill1952], [hashin1962], [hashin1963], [walpole1966]
    """
    present = [label for label, fraction in fractions.items() if fraction > 0]
    kinds = {type(laws[label]).__name__ for label in present if label in laws}
    if len(kinds) > 1:
        raise PhaseError(f"All phases must have one physics, got {' and '.join(sorted(kinds))}.")
    missing = [label for label in present if label not in laws]
    if missing:
        raise PhaseError(f"No law for label {missing[0]} (fraction {fractions[missing[0]]:.1%}).")
    weights = np.array([fractions[label] for label in present], float)
    if not present or abs(weights.sum() - 1) > 1e-6:
        raise PhaseError(f"The volume fractions add up to {weights.sum():g}, not to one.")
    weights = weights / weights.sum()
    tensors = np.stack([cell_tensor(laws[label], ndim, plane) for label in present])
    conduction = all(isinstance(laws[label], Conduction) for label in present)
    hashin_shtrikman, note = hashin_shtrikman_bounds(tensors, weights, conduction=conduction)
    turned = [(orientations or {}).get(label) for label in present]
    voigt, reuss = oriented_averages(tensors, weights, turned, conduction=conduction)
    return TensorBounds(
        voigt=voigt,
        reuss=reuss,
        hashin_shtrikman=hashin_shtrikman,
        note=note,
    )


def cell_tensor(law: LinearLaw, ndim: int, plane: PlaneState | None = None) -> Num[np.ndarray, "m m"]:
    """The tensor a cell of `ndim` dimensions sees: in 2-D the in-plane part (elasticity: under `plane`)."""
    tensor = law.tensor
    if isinstance(law, Conduction):
        return np.array(tensor[:ndim, :ndim])
    if ndim == 3 or len(tensor) == 3:
        return np.array(tensor)
    return plane_tensor(tensor, plane if plane is not None else PlaneState.STRAIN)


def voigt_average(
    tensors: Num[np.ndarray, "P m m"], fractions: Num[np.ndarray, " P"]
) -> Float[np.ndarray, "m m"]:
    """sum f C: the stiffest a mixture can be. tensors (p, m, m), fractions (p,)."""
    return np.einsum("p,pij->ij", fractions, tensors)


def reuss_average(
    tensors: Num[np.ndarray, "P m m"], fractions: Num[np.ndarray, " P"]
) -> Float[np.ndarray, "m m"]:
    """(sum f C^-1)^-1: the softest a mixture can be; zero wherever some phase carries nothing.

    Singular phases are the limit of soft ones: a uniform flux must vanish where any phase cannot carry it.
    """
    split = [_compliance_and_null(tensor) for tensor in tensors]
    compliance = np.einsum("p,pij->ij", fractions, np.stack([part[0] for part in split]))
    return _reuss(compliance, sum((part[1] for part in split), np.zeros_like(tensors[0])))


def oriented_averages(
    tensors: Num[np.ndarray, "P m m"],
    fractions: Num[np.ndarray, " P"],
    rotations: Sequence[np.ndarray | None],
    *,
    conduction: bool,
) -> tuple[Float[np.ndarray, "m m"], Float[np.ndarray, "m m"]]:
    """Voigt and Reuss averages of phases (p, m, m) whose axes turn: rotations (d, d, ...) or None."""
    voigt, compliance, null = (np.zeros_like(tensors[0]) for _ in range(3))
    for tensor, fraction, turned in zip(tensors, fractions, rotations, strict=True):
        parts = np.stack([tensor, *_compliance_and_null(tensor)])
        if turned is not None and conduction:
            parts = np.stack([mean_rotated2(part, turned) for part in parts])
        elif turned is not None:
            parts = mean_rotated4(parts, turned)
        voigt += fraction * parts[0]
        compliance += fraction * parts[1]
        null += parts[2]
    return _symmetric(voigt), _reuss(compliance, null)


def _compliance_and_null(
    tensor: Num[np.ndarray, "m m"],
) -> tuple[Float[np.ndarray, "m m"], Float[np.ndarray, "m m"]]:
    """The inverse on what a tensor carries, and the projector on what it does not."""
    values, vectors = np.linalg.eigh(tensor)
    carries = values > NULL_TOLERANCE * max(float(np.abs(values).max()), np.finfo(float).tiny)
    kept, lost = vectors[:, carries], vectors[:, ~carries]
    return (kept / values[carries]) @ kept.T, lost @ lost.T


def _reuss(compliance: Float[np.ndarray, "m m"], null: Float[np.ndarray, "m m"]) -> Float[np.ndarray, "m m"]:
    """The inverse of the mean compliance on the fluxes that every phase carries (no part in `null`)."""
    values, vectors = np.linalg.eigh(null)
    free = vectors[:, values < 1e-8]
    if free.shape[1] == 0:
        return np.zeros_like(compliance)
    return _symmetric(free @ np.linalg.inv(free.T @ compliance @ free) @ free.T)


def hashin_shtrikman_bounds(
    tensors: Num[np.ndarray, "P m m"], fractions: Num[np.ndarray, " P"], *, conduction: bool
) -> tuple[Mapping[str, Mapping[str, float]] | None, str]:
    """({"lower": {...}, "upper": {...}}, note); None and the reason where a phase is anisotropic."""
    if conduction:
        d = tensors.shape[-1]
        k = np.array([np.trace(tensor) / d for tensor in tensors])
        if any(_differs(t, ki * np.eye(d)) for t, ki in zip(tensors, k, strict=True)):
            return None, "Hashin-Shtrikman bounds need isotropic phases; at least one is anisotropic here."
        bounds = {
            side: {"k": hashin_shtrikman_conductivity(k, fractions, float(pick(k)), d)}
            for side, pick in (("lower", np.min), ("upper", np.max))
        }
        return bounds, _arrangement(d)
    d = {3: 2, 6: 3}[tensors.shape[-1]]
    bulk = np.array([np.sum(spherical_projector(d) * tensor) / d for tensor in tensors])
    deviators = tensors.shape[-1] - 1
    shear = np.array([np.sum(deviatoric_projector(d) * tensor) / (2 * deviators) for tensor in tensors])
    if any(_differs(t, isotropic_stiffness(K, G, d)) for t, K, G in zip(tensors, bulk, shear, strict=True)):
        return None, "Hashin-Shtrikman bounds need isotropic phases; at least one is anisotropic here."
    elastic: dict[str, dict[str, float]] = {}
    for side, pick in (("lower", np.min), ("upper", np.max)):
        K, G = hashin_shtrikman_moduli(bulk, shear, fractions, float(pick(bulk)), float(pick(shear)), d)
        elastic[side] = {"K": K, "G": G}
    note = _arrangement(d)
    order = np.argsort(bulk, kind="stable")
    if np.any(np.diff(shear[order]) < -1e-12 * shear.max(initial=0.0)):
        note += " The phases are not well ordered (larger K, smaller G): Walpole's wider form is used."
    if d == 2:
        note += " K is the plane bulk modulus."
    return elastic, note


def hashin_shtrikman_conductivity(
    k: Num[np.ndarray, " P"], fractions: Num[np.ndarray, " P"], comparison: float, d: int = 3
) -> float:
    """The bound of the conductivity of phases k (p,) with the given comparison conductivity.

    References: [hashin1962]
    """
    return _polarized(k, fractions, (d - 1) * comparison)


def hashin_shtrikman_moduli(
    bulk: Num[np.ndarray, " P"],
    shear: Num[np.ndarray, " P"],
    fractions: Num[np.ndarray, " P"],
    comparison_bulk: float,
    comparison_shear: float,
    d: int = 3,
) -> tuple[float, float]:
    """The bounds (K, G) of phases with moduli (p,) and the given comparison moduli; in 2-D K is the plane
    one.

    References: [hashin1963], [walpole1966]
    """
    K, G = comparison_bulk, comparison_shear
    if G == 0:
        shift = 0.0
    elif d == 3:
        shift = G * (9 * K + 8 * G) / (6 * (K + 2 * G))
    else:
        shift = G * K / (K + 2 * G)
    return _polarized(bulk, fractions, 2 * (d - 1) * G / d), _polarized(shear, fractions, shift)


def _polarized(moduli: Num[np.ndarray, " P"], fractions: Num[np.ndarray, " P"], shift: float) -> float:
    """(sum f / (m + shift))^-1 - shift as a weighted mean, in which nothing cancels; zero if m + shift is."""
    shifted = np.asarray(moduli, float) + shift
    if np.any(shifted == 0):
        return 0.0
    weights = np.asarray(fractions, float) / shifted
    return float(np.dot(weights, moduli) / weights.sum())


def _differs(tensor: np.ndarray, other: np.ndarray) -> bool:
    return bool(np.abs(tensor - other).max() > ISOTROPY_TOLERANCE * np.abs(tensor).max())


def _symmetric(tensor: np.ndarray) -> np.ndarray:
    return (tensor + tensor.T) / 2


def _arrangement(d: int) -> str:
    where = "" if d == 3 else " in the plane"
    return f"Hashin-Shtrikman bounds hold where the arrangement is macroscopically isotropic{where}."
