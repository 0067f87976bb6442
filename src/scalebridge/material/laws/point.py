r"""Laws of one point, written once as a pure JAX function: batching, tangents and devices follow from it.

A law gives `virgin_state` and `update(state, drive, dt) -> PointUpdate`, both of a single point, in plain jax.numpy.
The consistent tangent is the derivative of the flux that the update returns with respect to the drive, state and dt
held: forward-mode differentiation, m columns at once. A law that knows it in closed form overrides
`update_with_tangent`. Parameters are leaves of the law (float64 arrays), so that other values compile nothing and laws
that differ in values only can be stacked and batched, too.
"""

from __future__ import annotations

import abc
import dataclasses
from collections.abc import Sequence
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from scalebridge.core.errors import LawError
from scalebridge.material.law import AbstractLaw, Response
from scalebridge.numerics.compiling import quick_jit

FINE, FAILED = 0, 1

Entries = Sequence[tuple[int, int]]  # of a tangent: row, column


class PointUpdate(NamedTuple):
    """One point at the end of a step. flux (m,); state like the one given; the rest are scalars.

    stored: free energy per reference volume (J/m^3); dissipated: energy turned into heat within the step; failed: the
    update could not be solved (the flux is then not to be used). A law in which nothing can fail says False.
    """

    flux: Any
    state: Any
    stored: Any
    dissipated: Any
    failed: Any = False


def parameter(**options: Any) -> Any:
    """A field of a law that holds a number (or an array): kept as float64, whatever it was given as."""
    return eqx.field(converter=lambda value: np.asarray(value, np.float64), **options)


class AbstractPointLaw(eqx.Module, AbstractLaw):
    """A law given by what one point does; the contract of `AbstractLaw` for n points follows.

    Drives are three-dimensional: (6,) Mandel strain, (9,) deformation gradient, (3,) gradient.
    """

    @abc.abstractmethod
    def virgin_state(self) -> Any:
        """The state of one virgin point: a pytree of arrays; () without history."""

    @abc.abstractmethod
    def update(self, state: Any, drive: jax.Array, dt: jax.Array) -> PointUpdate:
        """Where one point is after it was taken from `state` to `drive` within `dt`."""

    def update_with_tangent(
        self, state: Any, drive: jax.Array, dt: jax.Array
    ) -> tuple[PointUpdate, jax.Array]:
        """The update and d flux / d drive (m, m): by forward differentiation unless a law knows better."""

        def flux_of(drive: jax.Array) -> tuple[jax.Array, PointUpdate]:
            new = whole(self.update(state, drive, dt))
            return new.flux, new

        tangent, new = jax.jacfwd(flux_of, has_aux=True)(drive)
        return new, tangent

    def update_with_entries(
        self, state: Any, drive: jax.Array, dt: jax.Array, entries: Entries
    ) -> tuple[PointUpdate, list[Any]]:
        """The update, and those entries (row, column) of the tangent that are asked for, one scalar each.

        What cells ask: many points at once are stored entry by entry, and slices of small matrices cost more than most
        laws. A law that knows its tangent entry by entry overrides this, and `tangent_of_entries` gives the matrix.
        """
        new, tangent = self.update_with_tangent(state, drive, dt)
        return new, [tangent[row, column] for row, column in entries]

    @property
    def dimensions(self) -> int:
        """Of the drives that the law takes: 3, unless it is the plane reduction of another."""
        return 3

    @property
    def symmetric_tangent(self) -> bool:
        """Whether d flux / d drive is symmetric in every state: half the memory, and conjugate gradients apply."""
        return True

    @property
    def says_energies(self) -> bool:
        """Whether `stored` and `dissipated` mean something; where they do not, they are zeros."""
        return True

    @property
    def name(self) -> str:
        """The law in words."""
        return type(self).__name__

    @property
    def warnings(self) -> tuple[str, ...]:
        """What a user of the law should know before trusting a result; empty for most."""
        return ()

    def initial_state(self, n: int) -> Any:
        one = jax.tree.map(np.asarray, self.virgin_state())
        return jax.tree.map(lambda a: np.broadcast_to(a, (n, *a.shape)).copy(), one)

    def respond(
        self,
        state: Any,
        drive: Any,
        dt: float = 0.0,
        want: tuple[str, ...] = ("flux", "tangent"),
        tolerance: float = 0.0,
    ) -> Response:
        """n points at once, in float64. Fails when the drive has another shape or is not finite (LawError).

        A point whose update fails, or whose flux is not finite, has status 1; nothing is raised for it.
        """
        drive = np.asarray(drive, np.float64)
        size = self.kinematics.size(self.dimensions)
        if drive.ndim != 2 or drive.shape[1] != size:
            raise LawError(
                f"{self.name} takes drives ({self.kinematics.drive}) of shape (n, {size}), got {drive.shape}."
            )
        if not np.all(np.isfinite(drive)):
            raise LawError(f"The drive of point {int(np.argwhere(~np.isfinite(drive))[0][0])} is not finite.")
        with jax.enable_x64(True):
            new, tangent = _respond(self, state, drive, np.float64(dt), "tangent" in want)
        n = len(drive)
        flux = np.asarray(new.flux)
        if flux.shape != drive.shape:
            raise LawError(
                f"{self.name} returned fluxes of shape {flux.shape[1:]} for drives of shape {drive.shape[1:]}: a flux "
                "has the shape of its drive."
            )
        bad = np.broadcast_to(np.asarray(new.failed, bool), (n,)) | ~np.isfinite(flux).all(axis=1)
        return Response(
            flux=flux,
            tangent=None if tangent is None else np.asarray(tangent),
            state=new.state,
            status=np.where(bad, FAILED, FINE),
            error=np.zeros(n),
            cost=np.ones(n),
            stored=np.broadcast_to(np.asarray(new.stored, float), (n,)),
            dissipated=np.broadcast_to(np.asarray(new.dissipated, float), (n,)),
        )

    def record(self) -> dict[str, Any]:
        """Everything needed to build it again, in plain numbers and words."""
        values = {field.name: _plain(getattr(self, field.name)) for field in dataclasses.fields(self)}
        return {"law": type(self).__name__, **values}


def _plain(value: Any) -> Any:
    """A field of a law in plain numbers and words; parts of a law, such as a hardening, with their own fields."""
    if isinstance(value, AbstractPointLaw):
        return value.record()
    if isinstance(value, eqx.Module):
        fields = {field.name: _plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
        return {"part": type(value).__name__, **fields}
    if isinstance(value, (np.ndarray, jax.Array)):
        return np.asarray(value).tolist()
    if isinstance(value, tuple):
        return [_plain(one) for one in value]
    return value if isinstance(value, (str, int, float, bool)) else repr(value)


def batched(
    law: AbstractPointLaw, state: Any, drive: jax.Array, dt: jax.Array, tangent: bool
) -> tuple[PointUpdate, jax.Array | None]:
    """n points of one law: the traceable core of `respond`, to be used within other compiled functions."""
    if tangent:
        return jax.vmap(lambda s, e: law.update_with_tangent(s, e, dt))(state, drive)
    return jax.vmap(lambda s, e: whole(law.update(s, e, dt)))(state, drive), None


def tangent_of_entries(
    law: AbstractPointLaw, state: Any, drive: jax.Array, dt: jax.Array
) -> tuple[PointUpdate, jax.Array]:
    """`update_with_tangent` of a law that overrides `update_with_entries`; zeros where the update failed."""
    size = drive.shape[0]
    places = [(i, j) for i in range(size) for j in range(size)]
    asked = [(i, j) for i, j in places if i <= j or not law.symmetric_tangent]
    new, found = law.update_with_entries(state, drive, dt, asked)
    known = dict(zip(asked, found, strict=True))
    whole = [known[place] if place in known else known[place[::-1]] for place in places]
    return new, jnp.where(new.failed, 0.0, jnp.stack(whole).reshape(size, size))


def whole(new: PointUpdate) -> PointUpdate:
    """The same with arrays for what a law may give as plain numbers: vmap returns arrays only."""
    return PointUpdate(
        new.flux, new.state, jnp.asarray(new.stored), jnp.asarray(new.dissipated), jnp.asarray(new.failed)
    )


_respond = quick_jit(batched, static_argnums=4)
