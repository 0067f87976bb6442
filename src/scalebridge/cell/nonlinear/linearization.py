"""A linearized cell, and what a Krylov method finds for it."""

from __future__ import annotations

import dataclasses

import jax
import numpy as np

from scalebridge.cell.nonlinear.fields import tangent_forces
from scalebridge.cell.nonlinear.space import Fluctuations
from scalebridge.numerics.conjugate_gradients import Vector


@dataclasses.dataclass(frozen=True, eq=False)
class Linearization:
    """One linearized batch of cells: tangent on padded voxels (points, entries, B, *padded), divided by the scale of
    the reference; symmetric: its upper triangle only. budget: bytes of the fields between two stages."""

    space: Fluctuations
    tangent: jax.Array
    symmetric: bool
    budget: float

    def apply(self, w: Vector, macro: jax.Array, summed: bool = True) -> tuple[Vector, jax.Array]:
        """(B^T T (B w + E) restricted, V <T (B w + E)>)."""
        elements = self.space.elements
        q, s = tangent_forces(elements, self.tangent, w, macro, self.budget, self.symmetric, summed)
        return self.space.restrict(q), s


@dataclasses.dataclass(frozen=True, eq=False)
class KrylovResult:
    """dw c x (K, *nodes), dE (K, m); steps and relative residuals (K,); whether negative curvature was met (K,)."""

    w: Vector
    macro: jax.Array
    steps: np.ndarray
    residual: np.ndarray
    indefinite: np.ndarray
