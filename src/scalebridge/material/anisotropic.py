"""Fully anisotropic materials, in 3-D and 2-D: every independent entry of the tensor is a parameter.

Conductivity: k_xx, ..., k_xy. Stiffness: the upper triangle C11, C12, ... of the Voigt matrix. These classes
also carry effective tensors, so a tensor may be singular (a phase that does not percolate in one direction).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from scalebridge.core.errors import LawError
from scalebridge.core.units import Uncertain
from scalebridge.material.symmetry import Symmetry, TensorKind, Values
from scalebridge.numerics.mandel import COMPONENTS, PAIRS, stiffness_from_voigt

if TYPE_CHECKING:
    from jaxtyping import Num

SYMMETRY_TOLERANCE = 1e-8


def _second_order(kind: TensorKind, symbol: str, d: int) -> Symmetry:
    keys = tuple(f"{symbol}_{component}" for component in COMPONENTS[d])

    def formula(values: Values) -> np.ndarray:
        entries = np.array([values[key] for key in keys])
        tensor = np.zeros((d, d), entries.dtype)
        for (i, j), entry in zip(PAIRS[d], entries, strict=True):
            tensor[i, j] = tensor[j, i] = entry
        return tensor

    return Symmetry("anisotropic", kind, keys, formula)


def _upper_triangle(m: int) -> list[tuple[int, int]]:
    return [(i, j) for i in range(m) for j in range(i, m)]


def _fourth_order(d: int) -> Symmetry:
    m = len(PAIRS[d])
    numbers = (1, 2, 6) if d == 2 else (1, 2, 3, 4, 5, 6)  # 2-D keeps the Voigt number 6 of xy
    keys = tuple(f"C{numbers[i]}{numbers[j]}" for i, j in _upper_triangle(m))

    def formula(values: Values) -> np.ndarray:
        entries = np.array([values[key] for key in keys])
        voigt = np.zeros((m, m), entries.dtype)
        for (i, j), entry in zip(_upper_triangle(m), entries, strict=True):
            voigt[i, j] = voigt[j, i] = entry
        return stiffness_from_voigt(voigt)

    return Symmetry("anisotropic", TensorKind.STIFFNESS, keys, formula)


CONDUCTIVITY = {d: _second_order(TensorKind.CONDUCTIVITY, "k", d) for d in (2, 3)}
EXPANSION = {d: _second_order(TensorKind.EXPANSION, "alpha", d) for d in (2, 3)}
STIFFNESS = {d: _fourth_order(d) for d in (2, 3)}


def checked_symmetric(matrix: np.ndarray, what: str, sizes: tuple[int, ...]) -> np.ndarray:
    """The matrix, exactly symmetric; differences within round-off of a solver are averaged away.

    Fails when: the shape does not fit, an entry is not a finite real number, or two entries differ
    (LawError).
    """
    try:
        matrix = np.asarray(matrix, float)
    except (TypeError, ValueError):
        raise LawError(f"The {what} must be a matrix of real numbers.") from None
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1] or len(matrix) not in sizes:
        expected = " or ".join(f"{n}x{n}" for n in sizes)
        raise LawError(f"The {what} has shape {matrix.shape}; expected {expected}.")
    if not np.all(np.isfinite(matrix)):
        i, j = np.argwhere(~np.isfinite(matrix))[0]
        raise LawError(
            f"The {what} has {matrix[i, j]} in row {i + 1}, column {j + 1}; every entry must be finite."
        )
    gap = np.abs(matrix - matrix.T)
    if gap.max() > SYMMETRY_TOLERANCE * np.abs(matrix).max():
        i, j = np.unravel_index(int(gap.argmax()), gap.shape)
        raise LawError(
            f"The {what} is not symmetric: entry ({i + 1}, {j + 1}) is {matrix[i, j]:g}, entry ({j + 1}, "
            f"{i + 1}) "
            f"is {matrix[j, i]:g}. Check the input, or symmetrize it on purpose."
        )
    return (matrix + matrix.T) / 2


def second_order_parameters(
    symmetry: Symmetry, tensor: Num[np.ndarray, "d d"], deviation: np.ndarray | None
) -> Mapping[str, Uncertain]:
    """The parameters of a symmetric (d, d) tensor, with deviations of the same shape if given."""
    spread = np.zeros_like(tensor) if deviation is None else np.asarray(deviation, float)
    pairs = PAIRS[len(tensor)]
    return {
        key: Uncertain(float(tensor[pair]), float(spread[pair]))
        for key, pair in zip(symmetry.keys, pairs, strict=True)
    }


def fourth_order_parameters(
    symmetry: Symmetry, voigt: Num[np.ndarray, "m m"], deviation: np.ndarray | None
) -> Mapping[str, Uncertain]:
    """The parameters of a symmetric Voigt matrix (m, m), with deviations of the same shape if given."""
    spread = np.zeros_like(voigt) if deviation is None else np.asarray(deviation, float)
    pairs = _upper_triangle(len(voigt))
    return {
        key: Uncertain(float(voigt[pair]), float(spread[pair]))
        for key, pair in zip(symmetry.keys, pairs, strict=True)
    }
