"""Relations that hold exactly for every image: what a correct solver returns, whatever the microstructure.

They rest on uniform fields, so a conforming discretization fulfils them to the tolerance of its solver, not
only in the limit of fine voxels. Used as self-tests on the user's own image when the phases happen to
qualify.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping

import numpy as np

from scalebridge.core.errors import LawError
from scalebridge.homogenize.bounds import LinearLaw, cell_tensor
from scalebridge.material.conduction import Conduction
from scalebridge.material.plane import PlaneState, plane_expansion
from scalebridge.material.thermoelasticity import Thermoelasticity
from scalebridge.numerics.mandel import identity2, isotropic_stiffness

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
    """The relations that these phases fulfil exactly in any arrangement; empty where there is none.

    Without orientations per voxel: a phase that turns from voxel to voxel is several phases.
    References: [hill1963], [rosen1970]
    """
    present = [label for label in sorted(fractions) if fractions[label] > 0]
    weights = np.array([fractions[label] for label in present])
    chosen = [laws[label] for label in present]
    tensors = np.stack([cell_tensor(law, ndim, plane) for law in chosen])
    relations: list[ExactRelation] = []
    if _all_equal(tensors):
        relations.append(
            ExactRelation(
                "homogeneous",
                "All phases have the same tensor, so the effective one is the same.",
                "tensor",
                lambda effective, tensor=tensors[0]: tensor,  # type: ignore[misc]
            )
        )
    elif not isinstance(chosen[0], Conduction):
        moduli = [_bulk_and_shear(tensor) for tensor in tensors]
        if all(m is not None for m in moduli) and _all_equal(np.array([m[1] for m in moduli if m])):
            bulk = np.array([m[0] for m in moduli if m])
            shear = float(moduli[0][1]) if moduli[0] else 0.0
            predicted = equal_shear_stiffness(bulk, shear, weights, ndim)
            relations.append(
                ExactRelation(
                    "equal shear moduli",
                    "All phases have the same shear modulus, so the effective bulk modulus is known exactly "
                    "(Hill).",
                    "tensor",
                    lambda effective, tensor=predicted: tensor,  # type: ignore[misc]
                )
            )
    if all(isinstance(law, Thermoelasticity) for law in chosen):
        relations += _expansion_relations(
            [law for law in chosen if isinstance(law, Thermoelasticity)], tensors, ndim, plane
        )
    return tuple(relations)


def equal_shear_stiffness(bulk: np.ndarray, shear: float, fractions: np.ndarray, d: int = 3) -> np.ndarray:
    """The effective stiffness of isotropic phases with one shear modulus G, Mandel (m, m): isotropic, with

        1 / (K + a) = sum f_i / (K_i + a),  a = 2 (d-1) G / d     (4 G / 3 in 3-D, G in 2-D with plane
        moduli).

    References: [hill1963]
    """
    shift = 2 * (d - 1) * shear / d
    shifted = np.asarray(bulk, float) + shift
    weights = np.asarray(fractions, float) / shifted
    return isotropic_stiffness(float(np.dot(weights, bulk) / weights.sum()), shear, d)


def two_phase_expansion(
    first: tuple[np.ndarray, np.ndarray], second: tuple[np.ndarray, np.ndarray], effective: np.ndarray
) -> np.ndarray:
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


def keller_product(first: np.ndarray, swapped: np.ndarray) -> np.ndarray:
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


def _bulk_and_shear(tensor: np.ndarray) -> tuple[float, float] | None:
    """(K, G) of an isotropic Mandel stiffness; None for a void or an anisotropic one."""
    d = {3: 2, 6: 3}[len(tensor)]
    one = identity2(d)
    K = float(one @ tensor @ one) / d**2
    G = float(np.trace(tensor) - d * K) / (2 * (len(tensor) - 1))
    if (
        G <= 0
        or np.abs(tensor - isotropic_stiffness(K, G, d)).max() > EQUALITY_TOLERANCE * np.abs(tensor).max()
    ):
        return None
    return K, G


def _all_equal(values: np.ndarray) -> bool:
    return bool(np.all(np.abs(values - values[0]) <= EQUALITY_TOLERANCE * np.abs(values).max()))
