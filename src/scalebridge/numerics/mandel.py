"""Symmetric tensors as vectors: full, Mandel and Voigt notation, rotations, isotropic projectors.

Order of components: d = 2: xx, yy, xy;  d = 3: xx, yy, zz, yz, xz, xy. In Mandel notation shears carry
sqrt 2, so that double contractions are plain dot products, norms are plain norms and rotations are orthogonal
matrices. All functions act on the last axes and broadcast over the leading ones. They use arithmetic only, so
that complex numbers pass through (complex-step derivatives).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from scalebridge.core.errors import InputError

if TYPE_CHECKING:
    from jaxtyping import Float, Num

SQRT2 = float(np.sqrt(2.0))
PAIRS: dict[int, tuple[tuple[int, int], ...]] = {
    2: ((0, 0), (1, 1), (0, 1)),
    3: ((0, 0), (1, 1), (2, 2), (1, 2), (0, 2), (0, 1)),
}
COMPONENTS: dict[int, tuple[str, ...]] = {2: ("xx", "yy", "xy"), 3: ("xx", "yy", "zz", "yz", "xz", "xy")}


def dimension_of_components(m: int) -> int:
    """The space dimension d in which a symmetric tensor has m components: 3 -> 2, 6 -> 3."""
    try:
        return {3: 2, 6: 3}[m]
    except KeyError:
        raise InputError(
            f"A symmetric tensor has 3 (2-D) or 6 (3-D) components, got an axis of length {m}."
        ) from None


def weights(d: int) -> Float[np.ndarray, " m"]:
    """The factor of each component in Mandel notation: 1 on normals, sqrt 2 on shears. Shape (m,)."""
    return np.array([1.0 if i == j else SQRT2 for i, j in PAIRS[d]])


def to_mandel(tensor: np.ndarray) -> np.ndarray:
    """The symmetric part of second-order tensors (..., d, d) as Mandel vectors (..., m)."""
    tensor = np.asarray(tensor)
    d = tensor.shape[-1]
    if tensor.shape[-2:] not in ((2, 2), (3, 3)):
        raise InputError(f"Expected tensors of shape (..., d, d) with d = 2 or 3, got {tensor.shape}.")
    rows, columns = np.array(PAIRS[d]).T
    return (tensor[..., rows, columns] + tensor[..., columns, rows]) / 2 * weights(d)


def from_mandel(vector: Num[np.ndarray, "*batch m"]) -> Num[np.ndarray, "*batch d d"]:
    """Mandel vectors (..., m) as full symmetric tensors (..., d, d)."""
    vector = np.asarray(vector)
    d = dimension_of_components(vector.shape[-1])
    rows, columns = np.array(PAIRS[d]).T
    tensor = np.zeros((*vector.shape[:-1], d, d), vector.dtype if vector.dtype.kind == "c" else float)
    tensor[..., rows, columns] = tensor[..., columns, rows] = vector / weights(d)
    return tensor


def to_mandel4(tensor: np.ndarray) -> Num[np.ndarray, "*batch m m"]:
    """The minor-symmetric part of fourth-order tensors (..., d, d, d, d) as Mandel matrices (..., m, m)."""
    tensor = np.asarray(tensor)
    right = to_mandel(tensor)  # (..., d, d, m): the last pair first
    return np.swapaxes(to_mandel(np.moveaxis(right, -1, -3)), -1, -2)


def from_mandel4(matrix: Num[np.ndarray, "*batch m m"]) -> Num[np.ndarray, "*batch d d d d"]:
    """Mandel matrices (..., m, m) as full fourth-order tensors (..., d, d, d, d)."""
    rows = from_mandel(matrix)  # (..., m, d, d)
    return np.moveaxis(from_mandel(np.moveaxis(rows, -3, -1)), (-4, -3), (-2, -1))


def stress_to_voigt(vector: Num[np.ndarray, "*batch m"]) -> Num[np.ndarray, "*batch m"]:
    """Mandel stress (..., m) -> Voigt stress: shears are the tensor's own components."""
    return vector / weights(dimension_of_components(vector.shape[-1]))


def stress_from_voigt(vector: Num[np.ndarray, "*batch m"]) -> Num[np.ndarray, "*batch m"]:
    """Voigt stress (..., m) -> Mandel."""
    vector = np.asarray(vector)
    return vector * weights(dimension_of_components(vector.shape[-1]))


def strain_to_voigt(vector: Num[np.ndarray, "*batch m"]) -> Num[np.ndarray, "*batch m"]:
    """Mandel strain (..., m) -> Voigt strain: shears are engineering shears, gamma = 2 epsilon."""
    return vector * weights(dimension_of_components(vector.shape[-1]))


def strain_from_voigt(vector: Num[np.ndarray, "*batch m"]) -> Num[np.ndarray, "*batch m"]:
    """Voigt strain with engineering shears (..., m) -> Mandel."""
    vector = np.asarray(vector)
    return vector / weights(dimension_of_components(vector.shape[-1]))


def stiffness_to_voigt(matrix: Num[np.ndarray, "*batch m m"]) -> Num[np.ndarray, "*batch m m"]:
    """Mandel stiffness (..., m, m) -> Voigt stiffness, which maps engineering strains to stresses."""
    w = weights(dimension_of_components(matrix.shape[-1]))
    return matrix / np.outer(w, w)


def stiffness_from_voigt(matrix: Num[np.ndarray, "*batch m m"]) -> Num[np.ndarray, "*batch m m"]:
    """Voigt stiffness (..., m, m) -> Mandel."""
    matrix = np.asarray(matrix)
    w = weights(dimension_of_components(matrix.shape[-1]))
    return matrix * np.outer(w, w)


def compliance_to_voigt(matrix: Num[np.ndarray, "*batch m m"]) -> Num[np.ndarray, "*batch m m"]:
    """Mandel compliance (..., m, m) -> Voigt compliance, which maps stresses to engineering strains."""
    w = weights(dimension_of_components(matrix.shape[-1]))
    return matrix * np.outer(w, w)


def compliance_from_voigt(matrix: Num[np.ndarray, "*batch m m"]) -> Num[np.ndarray, "*batch m m"]:
    """Voigt compliance (..., m, m) -> Mandel."""
    matrix = np.asarray(matrix)
    w = weights(dimension_of_components(matrix.shape[-1]))
    return matrix / np.outer(w, w)


def rotation_matrix(rotation: np.ndarray) -> Num[np.ndarray, "*batch m m"]:
    """The orthogonal Mandel matrix Q (..., m, m) of rotations R (..., d, d): mandel(R t R^T) = Q mandel(t).

    For rotations held per voxel as (3, 3, *shape), move the spatial axes to the front first.
    """
    rotation = np.asarray(rotation)
    d = rotation.shape[-1]
    if rotation.shape[-2:] not in ((2, 2), (3, 3)):
        raise InputError(f"Expected rotations of shape (..., d, d) with d = 2 or 3, got {rotation.shape}.")
    rows, columns = np.array(PAIRS[d]).T
    w = weights(d)
    # Column (k, l) is the image of the symmetric unit tensor (e_k e_l + e_l e_k) / 2 times its weight.
    direct = rotation[..., rows[:, None], rows] * rotation[..., columns[:, None], columns]
    crossed = rotation[..., rows[:, None], columns] * rotation[..., columns[:, None], rows]
    return (direct + crossed) / 2 * np.outer(w, w)


def rotate2(
    tensor: Num[np.ndarray, "*#batch d d"], rotation: Num[np.ndarray, "*#batch d d"]
) -> Num[np.ndarray, "... d d"]:
    """R t R^T for full second-order tensors; both (..., d, d), broadcast against each other."""
    return rotation @ tensor @ np.swapaxes(rotation, -1, -2)


def rotate_mandel(vector: Num[np.ndarray, "... m"], rotation: np.ndarray) -> Num[np.ndarray, "... m"]:
    """R t R^T for Mandel vectors (..., m)."""
    return (rotation_matrix(rotation) @ np.asarray(vector)[..., None])[..., 0]


def rotate_mandel4(matrix: Num[np.ndarray, "... m m"], rotation: np.ndarray) -> Num[np.ndarray, "... m m"]:
    """The stiffness (or compliance) of a body turned by R: Q C Q^T for Mandel matrices (..., m, m)."""
    q = rotation_matrix(rotation)
    return q @ matrix @ np.swapaxes(q, -1, -2)


def rotation_to(axis: np.ndarray) -> Float[np.ndarray, "3 3"]:
    """A 3x3 rotation that takes the local z axis to the direction `axis` (3,); the turn about it is free.

    Fails when: the direction is zero or not finite (InputError).
    """
    axis = np.asarray(axis, float)
    length = float(np.linalg.norm(axis)) if axis.shape == (3,) else np.nan
    if not np.isfinite(length) or length == 0.0:
        raise InputError(f"An axis is a non-zero direction of three numbers (x, y, z), got {axis.tolist()}.")
    target = axis / length
    z = np.array([0.0, 0.0, 1.0])
    if target[2] < 0:  # turn over first, so that 1 + cos below never becomes small
        flip = np.diag([1.0, -1.0, -1.0])
        return flip @ rotation_to(flip @ target)
    v = np.cross(z, target)
    cross = np.array([[0.0, -v[2], v[1]], [v[2], 0.0, -v[0]], [-v[1], v[0], 0.0]])
    return np.eye(3) + cross + cross @ cross / (1.0 + target[2])


def identity2(d: int) -> Float[np.ndarray, " m"]:
    """The second-order identity as a Mandel vector (m,)."""
    return to_mandel(np.eye(d))


def spherical_projector(d: int) -> Float[np.ndarray, "m m"]:
    """J = I (x) I / d as a Mandel matrix (m, m): keeps the mean, drops the deviator."""
    one = identity2(d)
    return np.outer(one, one) / d


def deviatoric_projector(d: int) -> Float[np.ndarray, "m m"]:
    """1 - J as a Mandel matrix (m, m). An isotropic stiffness is d K J + 2 G (1 - J)."""
    return np.eye(len(PAIRS[d])) - spherical_projector(d)


def isotropic_stiffness(
    bulk: complex | float | int, shear: complex | float | int, d: int = 3
) -> Num[np.ndarray, "m m"]:
    """d K J + 2 G (1 - J) as a Mandel matrix; in 2-D `bulk` is the plane bulk modulus."""
    return d * bulk * spherical_projector(d) + 2 * shear * deviatoric_projector(d)


def norm(tensor: np.ndarray) -> float:
    """Frobenius norm of a tensor given in full or Mandel (not Voigt) notation."""
    return float(np.linalg.norm(np.asarray(tensor).reshape(-1)))
