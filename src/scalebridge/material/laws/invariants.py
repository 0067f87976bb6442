r"""Isotropic energies of the invariants of C = F^T F, with stress and tangent in closed form.

W(I1 - 3, I2 - 3, J - 1): P = sum_a W_a dI_a/dF and dP/dF = sum_ab W_ab dI_a/dF (x) dI_b/dF + sum_a W_a d2I_a/dF2. Only
the three-variable function W is differentiated by machine: many times faster than the Hessian of W(F), same numbers.
"""

from __future__ import annotations

import abc
from collections.abc import Sequence
from typing import Any, ClassVar

import jax
import jax.numpy as jnp

from scalebridge.material.laws.energy import AbstractHyperelastic, deformation
from scalebridge.material.laws.point import Entries, PointUpdate, tangent_of_entries
from scalebridge.numerics.components import cofactor, determinant
from scalebridge.numerics.staging import always, stage

# The sign of the permutation (i, j, k).
_SIGN = {(0, 1, 2): 1.0, (1, 2, 0): 1.0, (2, 0, 1): 1.0, (0, 2, 1): -1.0, (2, 1, 0): -1.0, (1, 0, 2): -1.0}
_AXES = range(3)
# The arguments of an energy.
FIRST, SECOND, VOLUME = range(3)

Matrix = Sequence[Sequence[Any]]


def _invariants(drive: jax.Array) -> tuple[jax.Array, jax.Array, jax.Array]:
    """I1 - 3, I2 - 3, J - 1 from H = F - 1, as `deformation` has them, in components."""
    h = [[drive[3 * i + j] - (1.0 if i == j else 0.0) for j in _AXES] for i in _AXES]
    s = [[h[i][j] + h[j][i] + sum(h[m][i] * h[m][j] for m in _AXES) for j in _AXES] for i in _AXES]
    trace = s[0][0] + s[1][1] + s[2][2]
    second = 2 * trace + (trace**2 - sum(s[i][j] ** 2 for i in _AXES for j in _AXES)) / 2
    slope = h[0][0] + h[1][1] + h[2][2]
    minors = (slope**2 - sum(h[i][j] * h[j][i] for i in _AXES for j in _AXES)) / 2
    return trace, second, slope + minors + determinant([v for row in h for v in row])


class AbstractInvariantEnergy(AbstractHyperelastic):
    """A hyperelastic law that is a function of three invariants, or of those in `depends`."""

    depends: ClassVar[tuple[int, ...]] = (FIRST, SECOND, VOLUME)

    @abc.abstractmethod
    def energy_of(self, first: jax.Array, second: jax.Array, volume: jax.Array) -> Any:
        """W (a scalar, J/m^3) of I1 - 3, I2 - 3 and J - 1 of one point, for J > 0; zero for zeros."""

    def energy(self, drive: jax.Array) -> jax.Array:
        measures = deformation(drive)
        return self.energy_of(measures.first, measures.second, measures.volume)

    def update(self, state: Any, drive: jax.Array, dt: jax.Array) -> PointUpdate:
        return self.update_with_entries(state, drive, dt, ())[0]

    def update_with_tangent(
        self, state: Any, drive: jax.Array, dt: jax.Array
    ) -> tuple[PointUpdate, jax.Array]:
        return tangent_of_entries(self, state, drive, dt)

    def update_with_entries(
        self, state: Any, drive: jax.Array, dt: jax.Array, entries: Entries
    ) -> tuple[PointUpdate, list[Any]]:
        # Component by component: for many points at once each component is a long vector, which no small matrix
        # product can match. In stages: merged into one, every component would compute all of this again.
        witness = always(jnp.reshape(jnp.asarray(dt, jnp.float64), 1))  # dt: the same for all points
        measures = stage(witness, lambda f: self._measure(f), drive)
        new, curvature = stage(witness, lambda m: self._flux(m, tangent=bool(entries)), measures)
        fine = new.pop("fine")
        answer = PointUpdate(state=state, dissipated=0.0, failed=~fine, **new)
        if not entries:
            return answer, []
        return answer, stage(witness, lambda m, c: self._tangent(m, c, entries), measures, curvature)

    def _measure(self, drive: jax.Array) -> dict[str, Any]:
        """Invariants and their gradients at F, or at the undeformed point where det F <= 0."""
        f = [[drive[3 * i + j] for j in _AXES] for i in _AXES]
        fine = determinant([v for row in f for v in row]) > 0
        safe = jnp.where(fine, drive, self.kinematics.virgin(3))
        f = [[safe[3 * i + j] for j in _AXES] for i in _AXES]
        # C = F^T F and b = F F^T, which only the second invariant needs.
        bends = SECOND in self.depends
        right = [[sum(f[m][i] * f[m][j] for m in _AXES) for j in _AXES] for i in _AXES] if bends else []
        left = [[sum(f[i][m] * f[k][m] for m in _AXES) for k in _AXES] for i in _AXES] if bends else []
        gradients = _gradients(f, right, self.depends)
        return {
            "fine": fine, "f": f, "right": right, "left": left, "gradients": gradients,
            "invariants": _invariants(safe),
        }  # fmt: skip

    def _flux(self, measures: dict[str, Any], *, tangent: bool) -> tuple[dict[str, Any], Any]:
        """Energy and flux; and, for the tangent, W_a and sum_b W_ab dI_b/dF."""
        invariants, gradients = measures["invariants"], measures["gradients"]
        stored, slope = jax.value_and_grad(self.energy_of, argnums=self.depends)(*invariants)
        flux = jnp.stack(
            [sum(s * gradients[a][n] for a, s in zip(self.depends, slope, strict=True)) for n in range(9)]
        )
        fine = measures["fine"] & jnp.isfinite(stored) & jnp.all(jnp.isfinite(flux))
        new = {"flux": jnp.where(fine, flux, 0.0), "stored": jnp.where(fine, stored, 0.0), "fine": fine}
        if not tangent:
            return new, None
        curvature = jax.hessian(self.energy_of, argnums=self.depends)(*invariants)
        along = {
            a: [sum(h * gradients[b][n] for h, b in zip(row, self.depends, strict=True)) for n in range(9)]
            for a, row in zip(self.depends, curvature, strict=True)
        }
        return new, (dict(zip(self.depends, slope, strict=True)), along)

    def _tangent(self, measures: dict[str, Any], curvature: Any, entries: Entries) -> list[Any]:
        """Entries of dP/dF; not to be used where the flux is not fine."""
        f, gradients = measures["f"], measures["gradients"]
        right, left = measures["right"], measures["left"]
        slope, along = curvature
        found = []
        for row, column in entries:
            (i, j), (k, n) = divmod(row, 3), divmod(column, 3)
            value = sum(gradients[a][row] * along[a][column] for a in self.depends)
            if FIRST in slope and i == k and j == n:
                value = value + 2 * slope[FIRST]
            if VOLUME in slope and i != k and j != n:
                m, q = 3 - i - k, 3 - j - n
                value = value + slope[VOLUME] * (_SIGN[i, k, m] * _SIGN[j, n, q]) * f[m][q]
            if SECOND in slope:
                bend = 4 * f[k][n] * f[i][j] - 2 * f[i][n] * f[k][j]
                bend = bend - 2 * right[n][j] if i == k else bend
                bend = bend - 2 * left[i][k] if j == n else bend
                bend = bend + 2 * sum(right[m][m] for m in _AXES) if i == k and j == n else bend
                value = value + slope[SECOND] * bend
            found.append(value)
        return found


def _gradients(f: Matrix, right: Matrix, depends: tuple[int, ...]) -> dict[int, list[Any]]:
    """dI/dF, nine components, of the invariants that are asked for; right: C = F^T F."""
    found: dict[int, list[Any]] = {}
    for which in depends:
        if which == FIRST:
            rows = [[2 * f[i][j] for j in _AXES] for i in _AXES]
        elif which == SECOND:
            trace = sum(right[m][m] for m in _AXES)
            rows = [
                [2 * (trace * f[i][j] - sum(f[i][m] * right[m][j] for m in _AXES)) for j in _AXES]
                for i in _AXES
            ]
        else:
            rows = [cofactor([v for row in f for v in row])]
        found[which] = [v for row in rows for v in row]
    return found
