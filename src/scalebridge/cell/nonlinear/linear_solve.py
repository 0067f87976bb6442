"""The Krylov method that the symmetry of a linearized cell allows."""

from __future__ import annotations

import jax
import numpy as np

from scalebridge.cell.nonlinear.biconjugate import biconjugate_gradients
from scalebridge.cell.nonlinear.krylov import conjugate_gradients
from scalebridge.cell.nonlinear.linearization import KrylovResult, Linearization
from scalebridge.numerics.conjugate_gradients import Vector


def solve_linear(
    linear: Linearization,
    right: Vector,
    right_macro: jax.Array,
    free: np.ndarray,
    tolerance: np.ndarray,
    max_steps: int,
) -> KrylovResult:
    """Conjugate gradients where the system is symmetric, stabilized biconjugate gradients where it is not."""
    method = conjugate_gradients if linear.self_adjoint else biconjugate_gradients
    return method(linear, right, right_macro, free, tolerance, max_steps)
