"""A linearized cell, and what a Krylov method finds for it."""

from __future__ import annotations

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np

from scalebridge.cell.nonlinear.fields import tangent_forces
from scalebridge.cell.nonlinear.space import Fluctuations
from scalebridge.numerics.compiling import quick_jit
from scalebridge.numerics.conjugate_gradients import Vector


@dataclasses.dataclass(frozen=True, eq=False)
class Linearization:
    """One linearized batch of cells: tangent on padded voxels (points, entries, B, *padded), divided by the scale of
    the reference; symmetric: its upper triangle only. budget: bytes of the fields between two stages. rows: what is
    prescribed instead of mean fluxes (control.py), for one load per cell: M (B, m, m) and N (B, m, m)."""

    space: Fluctuations
    tangent: jax.Array
    symmetric: bool
    budget: float
    rows: tuple[jax.Array, jax.Array] | None = None

    @property
    def self_adjoint(self) -> bool:
        """Whether conjugate gradients may be used."""
        return self.symmetric and self.rows is None

    def apply(self, w: Vector, macro: jax.Array, summed: bool = True) -> tuple[Vector, jax.Array]:
        """(B^T T (B w + E) restricted, V <T (B w + E)>, or V (M <T (B w + E)> + N E))."""
        elements = self.space.elements
        q, s = tangent_forces(elements, self.tangent, w, macro, self.budget, self.symmetric, summed)
        if self.rows is not None:
            s = _prescribed(self.rows, s, macro, elements.volume)
        return self.space.restrict(q), s


@quick_jit
def _prescribed(
    rows: tuple[jax.Array, jax.Array], flux: jax.Array, drive: jax.Array, volume: jax.Array
) -> jax.Array:
    return jnp.einsum("bij,bj->bi", rows[0], flux) + volume * jnp.einsum("bij,bj->bi", rows[1], drive)


@dataclasses.dataclass(frozen=True, eq=False)
class KrylovResult:
    """dw c x (K, *nodes), dE (K, m); steps and relative residuals (K,); whether negative curvature was met (K,)."""

    w: Vector
    macro: jax.Array
    steps: np.ndarray
    residual: np.ndarray
    indefinite: np.ndarray
