"""Second-order tensors as lists of their components, rows first: what is fast for many points at once.

Each component is an array over the points, so that every product is one of long vectors. `point_tensors.py` does the
same for one point as a matrix.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


def cofactor(components: Sequence[Any]) -> list[Any]:
    """det(A) A^-T of a 2x2 or 3x3 tensor (4 or 9 components): exists for singular tensors, too."""
    if len(components) == 4:
        return [components[3], -components[2], -components[1], components[0]]
    a = components

    def minor(i: int, j: int) -> Any:
        m, n = (i + 1) % 3, (i + 2) % 3
        p, q = (j + 1) % 3, (j + 2) % 3
        return a[3 * m + p] * a[3 * n + q] - a[3 * m + q] * a[3 * n + p]

    return [minor(i, j) for i in range(3) for j in range(3)]


def determinant(components: Sequence[Any]) -> Any:
    """det(A), along the first row."""
    size = 2 if len(components) == 4 else 3
    minors = cofactor(components)
    return sum((components[j] * minors[j] for j in range(1, size)), components[0] * minors[0])
