r"""Plane states of three-dimensional laws: the third direction does not extend, or carries no stress (no flux).

In-plane components p stay the drive, out-of-plane components o are held or solved for:

| | drive (2-D) | p of the 3-D drive | o |
|---|---|---|---|
| small strain | (3,) xx, yy, xy Mandel | xx, yy, xy | zz, yz, xz |
| finite strain | (4,) F_xx, F_xy, F_yx, F_yy | the same | F_xz, F_yz, F_zz; conjugate: the traction on the z face |
| transport | (2,) x, y | x, y | z |

F_zx = F_zy = 0: the displacement along z does not depend on x and y.
"""

from __future__ import annotations

from typing import Any, NamedTuple, final

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from scalebridge.core.errors import LawError
from scalebridge.material.kinematics import GRADIENT, SMALL_STRAIN, Kinematics
from scalebridge.material.laws.point import AbstractPointLaw, Entries, PointUpdate, whole
from scalebridge.numerics.dense_elimination import solve_dense
from scalebridge.numerics.local_newton import find_local_root

_SLIGHTLY = 1e-6


class _Split(NamedTuple):
    """Places of the in-plane and the free out-of-plane components within a 3-D drive."""

    plane: np.ndarray
    out: np.ndarray


def _split(kinematics: Kinematics) -> _Split:
    if kinematics is SMALL_STRAIN:
        return _Split(np.array([0, 1, 5]), np.array([2, 3, 4]))
    if kinematics is GRADIENT:
        return _Split(np.array([0, 1]), np.array([2]))
    return _Split(np.array([0, 1, 3, 4]), np.array([2, 5, 8]))


class AbstractPlaneLaw(AbstractPointLaw):
    """A three-dimensional law seen in the xy plane: everything but what happens along z is the law's own."""

    law: eqx.AbstractVar[AbstractPointLaw]

    def __check_init__(self) -> None:
        if self.law.dimensions != 3:
            raise LawError(
                f"{type(self).__name__} reduces a three-dimensional law, but {self.law.name} is plane already."
            )

    @property
    def kinematics(self) -> Kinematics:
        return self.law.kinematics

    @property
    def dimensions(self) -> int:
        return 2

    @property
    def symmetric_tangent(self) -> bool:
        return self.law.symmetric_tangent

    @property
    def says_energies(self) -> bool:
        return self.law.says_energies

    @property
    def warnings(self) -> tuple[str, ...]:
        return self.law.warnings


@final
class PlaneStrain(AbstractPlaneLaw):
    """The plane drive of `law` with nothing happening along z (in transport: no gradient along z)."""

    law: AbstractPointLaw

    @property
    def name(self) -> str:
        return f"{self.law.name} in plane strain"

    def virgin_state(self) -> Any:
        return self.law.virgin_state()

    def update(self, state: Any, drive: jax.Array, dt: jax.Array) -> PointUpdate:
        new = self.law.update(state, self._whole_drive(drive), dt)
        return new._replace(flux=new.flux[_split(self.kinematics).plane])

    def update_with_tangent(
        self, state: Any, drive: jax.Array, dt: jax.Array
    ) -> tuple[PointUpdate, jax.Array]:
        plane = _split(self.kinematics).plane
        new, tangent = self.law.update_with_tangent(state, self._whole_drive(drive), dt)
        return new._replace(flux=new.flux[plane]), tangent[plane[:, None], plane]

    def update_with_entries(
        self, state: Any, drive: jax.Array, dt: jax.Array, entries: Entries
    ) -> tuple[PointUpdate, list[Any]]:
        plane = _split(self.kinematics).plane
        places = [(int(plane[row]), int(plane[column])) for row, column in entries]
        new, found = self.law.update_with_entries(state, self._whole_drive(drive), dt, places)
        return new._replace(flux=new.flux[plane]), found

    def _whole_drive(self, drive: jax.Array) -> jax.Array:
        return jnp.asarray(self.kinematics.virgin(3)).at[_split(self.kinematics).plane].set(drive)


class PlaneStressState(NamedTuple):
    """inner: the state of the three-dimensional law; out (k,): the out-of-plane components of the drive."""

    inner: Any
    out: Any


@final
class PlaneStress(AbstractPlaneLaw):
    r"""The plane drive of `law` with the out-of-plane components solved for, so that flux_o(drive_p, drive_o) = 0.

    Newton's method in each point from where the step before ended (the state carries it), to 1e-13 of the
    stiffness of the virgin point. The tangent is condensed, T = T_pp - T_po T_oo^-1 T_op: the exact
    consistent tangent, which differentiating `update` gives, too (implicit differentiation). In transport: nothing
    flows along z. Fails when: the law fails, or no such drive is found (`failed`).
    """

    law: AbstractPointLaw

    @property
    def name(self) -> str:
        return f"{self.law.name} in plane stress"

    def virgin_state(self) -> PlaneStressState:
        return PlaneStressState(
            self.law.virgin_state(), self.kinematics.virgin(3)[_split(self.kinematics).out]
        )

    def update(self, state: Any, drive: jax.Array, dt: jax.Array) -> PointUpdate:
        places = _split(self.kinematics)
        out, converged = self._solve(state, drive, dt)
        new = self.law.update(state.inner, self._whole_drive(drive, out), dt)
        return PointUpdate(
            new.flux[places.plane],
            PlaneStressState(new.state, out),
            new.stored,
            new.dissipated,
            jnp.asarray(new.failed) | ~converged,
        )

    def update_with_tangent(
        self, state: Any, drive: jax.Array, dt: jax.Array
    ) -> tuple[PointUpdate, jax.Array]:
        plane, out_places = _split(self.kinematics)
        out, converged = self._solve(state, drive, dt)
        new, tangent = self.law.update_with_tangent(state.inner, self._whole_drive(drive, out), dt)
        new = whole(new)
        coupling = tangent[plane[:, None], out_places]
        pull = solve_dense(tangent[out_places[:, None], out_places], tangent[out_places[:, None], plane])
        update = PointUpdate(
            new.flux[plane],
            PlaneStressState(new.state, out),
            new.stored,
            new.dissipated,
            new.failed | ~converged,
        )
        return update, tangent[plane[:, None], plane] - coupling @ pull

    def _solve(self, state: Any, drive: jax.Array, dt: jax.Array) -> tuple[jax.Array, jax.Array]:
        places = _split(self.kinematics).out
        # How stiff the virgin point is along o: a measure for fluxes. It does not depend on the point and is evaluated
        # once for a batch; a difference, because nothing but its magnitude matters.
        slightly = self.kinematics.virgin(3).copy()
        slightly[places] += _SLIGHTLY
        virgin = self.law.update(
            jax.tree.map(jnp.asarray, self.law.virgin_state()), jnp.asarray(slightly), dt
        )
        stiffness = jax.lax.stop_gradient(jnp.max(jnp.abs(virgin.flux))) / _SLIGHTLY
        stiffness = jnp.where(stiffness > 0, stiffness, 1.0)

        def residual(out: jax.Array) -> jax.Array:
            new = whole(self.law.update(state.inner, self._whole_drive(drive, out), dt))
            # Where the law fails its flux means nothing: not a place to step to.
            return jnp.where(new.failed, jnp.nan, new.flux[places] / stiffness)

        root = find_local_root(residual, state.out, tolerance=1e-13)
        return root.value, root.converged

    def _whole_drive(self, drive: jax.Array, out: jax.Array) -> jax.Array:
        plane, out_places = _split(self.kinematics)
        return jnp.asarray(self.kinematics.virgin(3)).at[plane].set(drive).at[out_places].set(out)
