r"""Fast diagonalization: the exact inverse of a separable operator on a box, by one dense transform per axis.

For L = sum_a c_a K_a (x) prod_{b != a} M_b with 1-D pencils K V = M V diag(lambda), V^T M V = 1, the inverse is
V diag(1 / sum_a c_a lambda_a) V^T per axis [lynch1964]. Any mixture of fixed and free ends is only another 1-D pencil,
which is why no sine or cosine transform is needed; the matrices are small (n x n) and the products run at the speed
of dense linear algebra.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

import numpy as np
import scipy.linalg

if TYPE_CHECKING:
    from jaxtyping import Float


@functools.lru_cache(maxsize=64)
def linear_element_modes(
    cells: int, spacing: float, fixed: bool
) -> tuple[Float[np.ndarray, " m"], Float[np.ndarray, "{cells}+1 m"]]:
    """Eigenpairs of the 1-D linear-element pencil (stiffness, mass) on `cells` elements.

    Shapes: eigenvalues (m,), modes (cells + 1, m); m = cells + 1 with free ends, cells - 1 with fixed ends (the modes
    then vanish at both ends). Free ends have exactly one zero eigenvalue, the constant.
    """
    n = cells + 1
    stiffness = np.zeros((n, n))
    mass = np.zeros((n, n))
    for i in range(cells):
        stiffness[i : i + 2, i : i + 2] += np.array([[1.0, -1.0], [-1.0, 1.0]]) / spacing
        mass[i : i + 2, i : i + 2] += np.array([[2.0, 1.0], [1.0, 2.0]]) * spacing / 6
    if fixed:
        if cells < 2:
            return np.zeros(0), np.zeros((n, 0))
        values, inner = scipy.linalg.eigh(stiffness[1:-1, 1:-1], mass[1:-1, 1:-1])
        modes = np.zeros((n, n - 2))
        modes[1:-1] = inner
    else:
        values, modes = scipy.linalg.eigh(stiffness, mass)
        values[0] = 0.0
        modes[:, 0] = 1.0 / np.sqrt(cells * spacing)
    values.flags.writeable = False
    modes.flags.writeable = False
    return values, modes
