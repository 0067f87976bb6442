"""Relations that hold exactly for every image: what a correct solver returns, whatever the microstructure.

Those that rest on uniform fields hold on any voxels too: a conforming discretization misses them by the
tolerance of its solver only, so they are self-tests on the user's own image. The others are met as voxels
become fine: they measure the true discretization error.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import numpy as np

from scalebridge.core.errors import LawError
from scalebridge.homogenize.bounds import LinearLaw, cell_tensor
from scalebridge.material.conduction import Conduction
from scalebridge.material.plane import PlaneState, plane_expansion
from scalebridge.material.thermoelasticity import Thermoelasticity
from scalebridge.numerics.mandel import identity2, isotropic_stiffness

if TYPE_CHECKING:
    from jaxtyping import Float, Num

EQUALITY_TOLERANCE = 1e-10


@dataclasses.dataclass(frozen=True, eq=False)
class ExactRelation:
    """A relation that applies to given phases.

    predict: effective tensor (d, d) or Mandel (m, m) as solved -> what `measured` must be; relations about
    the tensor itself ignore their argument. `quantity` says what is predicted: "tensor" or "expansion"
    (Mandel (m,)).
    """

    name: str
    words: str
    quantity: str
    predict: Callable[[np.ndarray], np.ndarray]

    def deviation(self, effective: np.ndarray, measured: np.ndarray) -> float:
        """Relative difference between the measured and the predicted quantity."""
        predicted = self.predict(effective)
        size = float(np.linalg.norm(predicted))
        gap = float(np.linalg.norm(np.asarray(measured) - predicted))
        return gap / size if size > 0 else gap


def applicable_relations(
    laws: Mapping[int, LinearLaw],
    fractions: Mapping[int, float],
    *,
    ndim: int = 3,
    plane: PlaneState | None = None,
) -> tuple[ExactRelation, ...]:
    """The relations that these phases fulfil exactly in any arrangement and on any voxels; empty if none
    does.

    A solution misses them by no more than its solver's tolerance. Without orientations per voxel: a phase
    that turns from voxel to voxel is several phases.
    References: [rosen1970]
    """
    chosen, tensors, _ = _present(laws, fractions, ndim, plane)
    relations: list[ExactRelation] = []
    shear = _common_shear(chosen, tensors)
    if _all_equal(tensors):
        same = tensors[0]
        relations.append(
            ExactRelation(
                "homogeneous",
                "All phases have the same tensor, so the effective one is the same.",
                "tensor",
                lambda effective: same,
            )
        )
    elif shear is not None:
        relations.append(
            ExactRelation(
                "isotropy",
                "All phases have the same shear modulus, so the effective law is isotropic and has it too.",
                "tensor",
                lambda effective: _with_shear(effective, shear),
            )
        )
    if all(isinstance(law, Thermoelasticity) for law in chosen):
        relations += _expansion_relations(
            [law for law in chosen if isinstance(law, Thermoelasticity)], tensors, ndim, plane
        )
    return tuple(relations)


def resolution_relations(
    laws: Mapping[int, LinearLaw],
    fractions: Mapping[int, float],
    *,
    ndim: int = 3,
    plane: PlaneState | None = None,
) -> tuple[ExactRelation, ...]:
    """Relations exact for the image, but met on voxels only as they become fine: the gap is the resolution
    error.

    Equal shear moduli: the effective stiffness is known, so the true discretization error of the user's
    image is. References: [hill1963]
    """
    chosen, tensors, weights = _present(laws, fractions, ndim, plane)
    shear = _common_shear(chosen, tensors)
    if shear is None or _all_equal(tensors):
        return ()
    bulk = np.array([_bulk(tensor) for tensor in tensors])
    predicted = equal_shear_stiffness(bulk, shear, weights, ndim)
    return (
        ExactRelation(
            "equal shear moduli",
            "All phases have the same shear modulus, so the effective bulk modulus is known exactly (Hill).",
            "tensor",
            lambda effective: predicted,
        ),
    )


def equal_shear_stiffness(
    bulk: Num[np.ndarray, " P"], shear: float, fractions: Num[np.ndarray, " P"], d: int = 3
) -> Float[np.ndarray, "m m"]:
    """The effective stiffness of isotropic phases with one shear modulus G, Mandel (m, m): isotropic, with

        1 / (K + a) = sum f_i / (K_i + a),  a = 2 (d-1) G / d     (4 G / 3 in 3-D; G in 2-D, plane moduli).

    References: [hill1963]
    """
    shift = 2 * (d - 1) * shear / d
    shifted = np.asarray(bulk, float) + shift
    weights = np.asarray(fractions, float) / shifted
    return isotropic_stiffness(float(np.dot(weights, bulk) / weights.sum()), shear, d)


def two_phase_expansion(
    first: tuple[Num[np.ndarray, "m m"], Num[np.ndarray, " m"]],
    second: tuple[Num[np.ndarray, "m m"], Num[np.ndarray, " m"]],
    effective: Num[np.ndarray, "m m"],
) -> Float[np.ndarray, " m"]:
    """Levin's and Rosen and Hashin's expansion of two phases (C, alpha), Mandel, from the effective
    stiffness:

        alpha* = alpha_1 + (S* - S_1) (S_2 - S_1)^-1 (alpha_2 - alpha_1),     S = C^-1.

    A void as one phase leaves the expansion of the other. Isotropic phases need no invertible S_2 - S_1:
    only its bulk part enters.
    Fails when: the expansions differ where the compliances do not (LawError): no relation exists then.
    References: [rosen1970]
    """
    (c1, a1), (c2, a2) = first, second
    if not np.any(c1):
        return np.array(a2)
    if not np.any(c2):
        return np.array(a1)
    s1, s2, s = np.linalg.inv(c1), np.linalg.inv(c2), np.linalg.inv(effective)
    difference = a2 - a1
    stress, *_ = np.linalg.lstsq(s2 - s1, difference, rcond=1e-10)
    if np.linalg.norm((s2 - s1) @ stress - difference) > 1e-8 * np.linalg.norm(difference):
        raise LawError(
            "The two phases expand differently where they are equally compliant: no exact expansion exists. "
            "Solve the thermal load case instead."
        )
    return np.asarray(a1 + (s - s1) @ stress)


def keller_product(first: Num[np.ndarray, "2 2"], swapped: Num[np.ndarray, "2 2"]) -> Num[np.ndarray, "2 2"]:
    """K(k1, k2) R K(k2, k1) R^T with R a quarter turn: k1 k2 times the identity for every two-phase 2-D
    image.

    Two solves are needed, the second with the conductivities swapped; on voxels it holds in the limit only.
    """
    r = np.array([[0.0, -1.0], [1.0, 0.0]])
    return first @ r @ swapped @ r.T


def _expansion_relations(
    laws: list[Thermoelasticity], tensors: np.ndarray, ndim: int, plane: PlaneState | None
) -> list[ExactRelation]:
    solid = [i for i, law in enumerate(laws) if not law.is_void]
    if not solid:
        return []
    alphas = np.stack([_cell_expansion(law, ndim, plane) for law in laws])
    if _all_equal(alphas[solid]):
        uniform = alphas[solid[0]]
        return [
            ExactRelation(
                "equal expansions",
                "All phases expand alike, so the whole does the same without stress.",
                "expansion",
                lambda effective: uniform,
            )
        ]
    if len(laws) != 2:
        return []
    first, second = ((tensors[i], alphas[i]) for i in (0, 1))
    try:
        two_phase_expansion(first, second, tensors[0])
    except LawError:
        return []
    return [
        ExactRelation(
            "two-phase expansion",
            "With two phases the effective expansion follows from the effective stiffness (Levin, "
            "Rosen-Hashin).",
            "expansion",
            lambda effective: two_phase_expansion(first, second, effective),
        )
    ]


def _cell_expansion(law: Thermoelasticity, ndim: int, plane: PlaneState | None) -> np.ndarray:
    if ndim == 3 or len(law.tensor) == 3:
        return law.expansion
    return plane_expansion(law.tensor, law.expansion, plane if plane is not None else PlaneState.STRAIN)


def _present(
    laws: Mapping[int, LinearLaw], fractions: Mapping[int, float], ndim: int, plane: PlaneState | None
) -> tuple[list[LinearLaw], np.ndarray, np.ndarray]:
    """Laws, tensors as the cell sees them, and fractions of the phases that occur."""
    labels = [label for label in sorted(fractions) if fractions[label] > 0]
    chosen = [laws[label] for label in labels]
    tensors = np.stack([cell_tensor(law, ndim, plane) for law in chosen])
    return chosen, tensors, np.array([fractions[label] for label in labels])


def _common_shear(laws: list[LinearLaw], tensors: np.ndarray) -> float | None:
    """The shear modulus that all phases share; None for voids, anisotropic phases and conduction."""
    if isinstance(laws[0], Conduction):
        return None
    shears = np.array([_shear(tensor) for tensor in tensors])
    isotropic = [_with_shear(tensor, shear) for tensor, shear in zip(tensors, shears, strict=True)]
    if not shears.min() > 0 or not _all_equal(shears):
        return None
    if np.abs(tensors - np.stack(isotropic)).max() > EQUALITY_TOLERANCE * np.abs(tensors).max():
        return None
    return float(shears[0])


def _bulk(tensor: np.ndarray) -> float:
    one = identity2({3: 2, 6: 3}[len(tensor)])
    return float(one @ tensor @ one) / float(one @ one) ** 2


def _shear(tensor: np.ndarray) -> float:
    d = {3: 2, 6: 3}[len(tensor)]
    return float(np.trace(tensor) - d * _bulk(tensor)) / (2 * (len(tensor) - 1))


def _with_shear(tensor: np.ndarray, shear: float) -> np.ndarray:
    """The isotropic tensor with the bulk modulus of `tensor` and the given shear modulus."""
    return isotropic_stiffness(_bulk(tensor), shear, {3: 2, 6: 3}[len(tensor)])


def _all_equal(values: np.ndarray) -> bool:
    return bool(np.all(np.abs(values - values[0]) <= EQUALITY_TOLERANCE * np.abs(values).max()))
