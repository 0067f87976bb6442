"""Second-order tensors as lists of their components, rows first: what is fast for many points at once.

Each component is an array over the points, so that every product is one of long vectors. `point_tensors.py` does the
same for one point as a matrix.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


def cofactor(components: Sequence[Any]) -> list[Any]:
    """det(A) A^-T of a 2x2 or 3x3 tensor (4 or 9 components): exists for singular tensors, too."""
    size = _size(components)
    return [_minor(components, i, j) for i in range(size) for j in range(size)]


def determinant(components: Sequence[Any]) -> Any:
    """det(A), along the first row."""
    terms = [components[j] * _minor(components, 0, j) for j in range(_size(components))]
    return sum(terms[1:], terms[0])


def _size(components: Sequence[Any]) -> int:
    return 2 if len(components) == 4 else 3


def _minor(a: Sequence[Any], i: int, j: int) -> Any:
    """With its sign."""
    if len(a) == 4:
        opposite = a[3 - 2 * i - j]
        return opposite if i == j else -opposite
    m, n = (i + 1) % 3, (i + 2) % 3
    p, q = (j + 1) % 3, (j + 2) % 3
    return a[3 * m + p] * a[3 * n + q] - a[3 * m + q] * a[3 * n + p]
