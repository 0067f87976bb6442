r"""What a law is driven by: a small strain, a deformation gradient, or the gradient of a potential.

| | drive | flux | stored as (3-D; 2-D) |
|---|---|---|---|
| SMALL_STRAIN | strain epsilon | Cauchy stress sigma | Mandel, 6; 3 |
| FINITE_STRAIN | deformation gradient F = d x / d X | first Piola-Kirchhoff stress P | rows first, 9; 4 |
| GRADIENT | grad of the potential | flux k grad (the sign is the solver's) | 3; 2 |

flux : d drive is always the work per reference volume, so that the same means and the same Hill-Mandel identity hold.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, final

import numpy as np

from scalebridge.core.errors import InputError
from scalebridge.numerics.mandel import COMPONENTS

if TYPE_CHECKING:
    from jaxtyping import Float

AXES = "xyz"


@final
@dataclasses.dataclass(frozen=True)
class Kinematics:
    """vector: the unknown is a displacement, not a scalar potential. symmetric: drives are Mandel vectors."""

    name: str
    drive: str
    flux: str
    vector: bool
    symmetric: bool

    def components(self, ndim: int) -> tuple[str, ...]:
        """The names of the components of a drive, in order: ("xx", ...) or ("x", ...)."""
        if not self.vector:
            return tuple(AXES[:ndim])
        if self.symmetric:
            return COMPONENTS[ndim]
        return tuple(a + b for a in AXES[:ndim] for b in AXES[:ndim])

    def size(self, ndim: int) -> int:
        """Length m of a drive."""
        return len(self.components(ndim))

    def ndim_of(self, size: int) -> int:
        """The space dimension in which a drive has `size` components (InputError where there is none)."""
        for ndim in (2, 3):
            if self.size(ndim) == size:
                return ndim
        raise InputError(
            f"A {self.drive} has {self.size(3)} components in 3-D and {self.size(2)} in 2-D, got {size}."
        )

    def virgin(self, ndim: int) -> Float[np.ndarray, " m"]:
        """The drive of the undeformed body (m,): zero, or the identity."""
        if self.vector and not self.symmetric:
            return np.eye(ndim).reshape(-1)
        return np.zeros(self.size(ndim))


SMALL_STRAIN = Kinematics("small strain", "strain", "stress", vector=True, symmetric=True)
FINITE_STRAIN = Kinematics(
    "finite strain", "deformation gradient", "first Piola-Kirchhoff stress", vector=True, symmetric=False
)
GRADIENT = Kinematics("transport", "gradient", "flux", vector=False, symmetric=False)
ALL_KINEMATICS = (SMALL_STRAIN, FINITE_STRAIN, GRADIENT)
