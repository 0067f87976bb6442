r"""Isotropic energies of the invariants of C = F^T F, with stress and tangent in closed form.

W(I1 - 3, I2 - 3, J - 1): P = sum_a W_a dI_a/dF and dP/dF = sum_ab W_ab dI_a/dF (x) dI_b/dF + sum_a W_a d2I_a/dF2. Only
the three-variable function W is differentiated by machine: many times faster than the Hessian of W(F), same numbers.
"""

from __future__ import annotations

import abc
import itertools
from typing import Any

import jax
import jax.numpy as jnp

from scalebridge.material.laws.energy import AbstractHyperelastic, deformation
from scalebridge.material.laws.point import PointUpdate
from scalebridge.numerics.point_tensors import determinant

# The sign of the permutation (i, j, k).
_SIGN = {(0, 1, 2): 1.0, (1, 2, 0): 1.0, (2, 0, 1): 1.0, (0, 2, 1): -1.0, (2, 1, 0): -1.0, (1, 0, 2): -1.0}
_AXES = range(3)


def _invariants(drive: jax.Array) -> tuple[jax.Array, jax.Array, jax.Array]:
    """I1 - 3, I2 - 3, J - 1 from H = F - 1, as `deformation` has them, in components."""
    h = [[drive[3 * i + j] - (1.0 if i == j else 0.0) for j in _AXES] for i in _AXES]
    s = [[h[i][j] + h[j][i] + sum(h[m][i] * h[m][j] for m in _AXES) for j in _AXES] for i in _AXES]
    trace = s[0][0] + s[1][1] + s[2][2]
    second = 2 * trace + (trace**2 - sum(s[i][j] ** 2 for i in _AXES for j in _AXES)) / 2
    slope = h[0][0] + h[1][1] + h[2][2]
    minors = (slope**2 - sum(h[i][j] * h[j][i] for i in _AXES for j in _AXES)) / 2
    last = sum(
        h[0][j] * (h[1][(j + 1) % 3] * h[2][(j + 2) % 3] - h[1][(j + 2) % 3] * h[2][(j + 1) % 3])
        for j in _AXES
    )
    return trace, second, slope + minors + last


class AbstractInvariantEnergy(AbstractHyperelastic):
    """A hyperelastic law that is a function of three invariants."""

    @abc.abstractmethod
    def energy_of(self, first: jax.Array, second: jax.Array, volume: jax.Array) -> Any:
        """W (a scalar, J/m^3) of I1 - 3, I2 - 3 and J - 1 of one point, for J > 0; zero for zeros."""

    def energy(self, drive: jax.Array) -> jax.Array:
        measures = deformation(drive)
        return self.energy_of(measures.first, measures.second, measures.volume)

    def update(self, state: Any, drive: jax.Array, dt: jax.Array) -> PointUpdate:
        return self._answer(state, drive, tangent=False)[0]

    def update_with_tangent(
        self, state: Any, drive: jax.Array, dt: jax.Array
    ) -> tuple[PointUpdate, jax.Array]:
        new, tangent = self._answer(state, drive, tangent=True)
        assert tangent is not None
        return new, tangent

    def _answer(self, state: Any, drive: jax.Array, *, tangent: bool) -> tuple[PointUpdate, jax.Array | None]:
        # Component by component: for many points at once each component is a long vector, which no small matrix
        # product can match (ten times faster on a processor with wide registers).
        fine = determinant(drive.reshape(3, 3)) > 0
        safe = jnp.where(fine, drive, self.kinematics.virgin(3))
        invariants = jax.lax.optimization_barrier(_invariants(safe))
        stored, slope = jax.value_and_grad(self.energy_of, argnums=(0, 1, 2))(*invariants)
        f = [[safe[3 * i + j] for j in _AXES] for i in _AXES]
        right = [[sum(f[m][i] * f[m][j] for m in _AXES) for j in _AXES] for i in _AXES]  # C = F^T F
        trace = right[0][0] + right[1][1] + right[2][2]
        gradients = (
            [2 * f[i][j] for i in _AXES for j in _AXES],
            [2 * (trace * f[i][j] - sum(f[i][m] * right[m][j] for m in _AXES)) for i in _AXES for j in _AXES],
            [
                f[(i + 1) % 3][(j + 1) % 3] * f[(i + 2) % 3][(j + 2) % 3]
                - f[(i + 1) % 3][(j + 2) % 3] * f[(i + 2) % 3][(j + 1) % 3]
                for i in _AXES
                for j in _AXES
            ],
        )
        flux = jnp.stack([sum(s * g[n] for s, g in zip(slope, gradients, strict=True)) for n in range(9)])
        fine = fine & jnp.isfinite(stored) & jnp.all(jnp.isfinite(flux))
        new = PointUpdate(jnp.where(fine, flux, 0.0), state, jnp.where(fine, stored, 0.0), 0.0, ~fine)
        if not tangent:
            return new, None
        curvature = jax.hessian(self.energy_of, argnums=(0, 1, 2))(*invariants)
        # A barrier: without it XLA computes all of this again for each of the 45 entries.
        slope, curvature, trace = jax.lax.optimization_barrier((slope, curvature, trace))
        left = [[sum(f[i][m] * f[k][m] for m in _AXES) for k in _AXES] for i in _AXES]  # b = F F^T
        # curvature : gradients, one list of nine for each invariant
        along = [
            [sum(curvature[a][b] * gradients[b][n] for b in range(3)) for n in range(9)] for a in range(3)
        ]
        entries: dict[tuple[int, int], jax.Array] = {}
        for row, column in itertools.combinations_with_replacement(range(9), 2):
            (i, j), (k, n) = divmod(row, 3), divmod(column, 3)
            value = sum(gradients[a][row] * along[a][column] for a in range(3))
            value = value + slope[1] * (4 * f[k][n] * f[i][j] - 2 * f[i][n] * f[k][j])
            if i == k:
                value = value - 2 * slope[1] * right[n][j]
            if j == n:
                value = value - 2 * slope[1] * left[i][k]
            if i == k and j == n:
                value = value + 2 * slope[0] + 2 * slope[1] * trace
            if i != k and j != n:
                m, q = 3 - i - k, 3 - j - n
                value = value + slope[2] * (_SIGN[i, k, m] * _SIGN[j, n, q]) * f[m][q]
            entries[row, column] = entries[column, row] = value
        whole = jnp.stack([entries[row, column] for row in range(9) for column in range(9)])
        return new, jnp.where(fine, whole.reshape(9, 9), 0.0)
