r"""Laws of your own: an energy, or an update of the flux, written as a plain JAX function.

    def energy(strain, parameters):
        return parameters["G"] * jnp.sum(strain**2)

    law = EnergyLaw(energy, {"G": 80e9}, SMALL_STRAIN)

Tangent, batching, devices and the use in a cell follow from the function. It describes one point, and uses jax.numpy
and no `if` on values (`jnp.where` instead). Functions defined at the top of a module can be pickled.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any, final

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from scalebridge.core.errors import LawError
from scalebridge.material.kinematics import FINITE_STRAIN, Kinematics
from scalebridge.material.law import Response
from scalebridge.material.laws.energy import AbstractEnergyLaw
from scalebridge.material.laws.point import FAILED, AbstractPointLaw, PointUpdate

_HINTS = (
    "Usual causes: a square root, power, logarithm or division at the undeformed state, or its derivative there "
    "(sqrt(x) at 0: add a small number, or take jnp.where around x itself, not around the result)."
)


def _floats(values: Any) -> Any:
    """Every number of a pytree as float64, so that other values compile nothing."""
    return jax.tree.map(lambda value: np.asarray(value, np.float64), values)


def _mapping(values: Mapping[str, Any] | None) -> dict[str, Any]:
    return _floats(dict(values or {}))


class AbstractFunctionLaw(AbstractPointLaw):
    """What laws made of a user's function share: the function, its parameters, what it is driven by, their record.

    The virgin point is asked when the law is made, so that a mistake is told before a cell is built.
    """

    function: Callable[..., Any] = eqx.field(static=True)
    parameters: dict[str, Any] = eqx.field(converter=_mapping)
    driven_by: Kinematics = eqx.field(static=True)

    def __check_init__(self) -> None:
        # Not asked again when JAX rebuilds the law from traced leaves.
        if any(isinstance(leaf, jax.core.Tracer) for leaf in jax.tree.leaves((self.parameters,))):
            return
        self.respond(self.initial_state(1), self.kinematics.virgin(3)[None], 1.0)

    @property
    def kinematics(self) -> Kinematics:
        return self.driven_by

    @property
    def name(self) -> str:
        return _name(self.function)

    def record(self) -> dict[str, Any]:
        function = self.function
        return {
            "law": type(self).__name__,
            "function": f"{getattr(function, '__module__', '')}:{getattr(function, '__qualname__', repr(function))}",
            "parameters": jax.tree.map(lambda value: np.asarray(value).tolist(), self.parameters),
            "kinematics": self.driven_by.name,
        }


@final
class EnergyLaw(AbstractFunctionLaw, AbstractEnergyLaw):
    """flux = gradient, tangent = Hessian of `function(drive, parameters)`, the energy density of one point (a scalar).

    The drive is a Mandel strain (6,), F (9,) rows first, or a gradient (3,), by `driven_by` (SMALL_STRAIN, ...).
    Fails when: on the undeformed point the energy is no scalar, or it, its gradient or its Hessian is not finite
    (LawError); det F <= 0 counts as failed without asking the function.
    """

    def energy(self, drive: jax.Array) -> jax.Array:
        value = jnp.asarray(_called(self.function, drive, self.parameters))
        if value.shape != ():
            raise LawError(
                f"The energy {self.name} returned an array of shape {value.shape} for a drive of shape {drive.shape}; "
                "expected one number, the energy density of one point. Add its entries up (jnp.sum)."
            )
        return value.astype(drive.dtype)

    def respond(
        self,
        state: Any,
        drive: Any,
        dt: float | int = 0.0,
        want: tuple[str, ...] = ("flux", "tangent"),
        tolerance: float | int = 0.0,
    ) -> Response:
        response = super().respond(state, drive, dt, want, tolerance)
        admissible = np.ones(len(response.status), bool)
        if self.kinematics is FINITE_STRAIN:
            with np.errstate(all="ignore"):
                admissible = np.linalg.det(np.asarray(drive, float).reshape(-1, 3, 3)) > 0
        _require_finite(self, drive, response, (response.status == FAILED) & admissible)
        return response


@final
class UpdateLaw(AbstractFunctionLaw):
    """The law of `function(state, drive, dt, parameters)`, which returns one of

        flux, new state            or            flux, new state, stored energy, dissipated energy

    for one point. `virgin`: the state of a virgin point, a pytree of numbers or arrays; () without history; the new
    state has the same form. Without energies `Response.stored` and `.dissipated` are None, and a cell has no energy
    balance to check. `symmetric`: whether you know the tangent to be symmetric (if in doubt, no).
    Fails when: on the virgin point the function raises, or something it returns has another shape than expected or is
    not finite (LawError).
    """

    virgin: Any = eqx.field(default=(), converter=_floats)
    symmetric: bool = eqx.field(default=False, static=True)

    @property
    def symmetric_tangent(self) -> bool:
        return self.symmetric

    @property
    def says_energies(self) -> bool:
        """Whether the function returns what is stored and dissipated."""
        with jax.enable_x64(True):
            drive = jnp.asarray(self.kinematics.virgin(3))
            return len(jax.eval_shape(lambda: self._answer(self.virgin, drive, jnp.ones(())))) == 4

    def virgin_state(self) -> Any:
        return self.virgin

    def update(self, state: Any, drive: jax.Array, dt: jax.Array) -> PointUpdate:
        flux, new, *energies = self._answer(state, drive, dt)
        if jnp.shape(flux) != drive.shape:
            raise LawError(
                f"The update {self.name} returned a flux of shape {jnp.shape(flux)} for a drive of shape "
                f"{drive.shape}; expected the shape of the drive ({self.kinematics.flux} of one point)."
            )
        _require_same_form(self, state, new)
        stored, dissipated = energies or (0.0, 0.0)
        return PointUpdate(flux, new, stored, dissipated)

    def _answer(self, state: Any, drive: jax.Array, dt: jax.Array) -> tuple[Any, ...]:
        answer = _called(self.function, state, drive, dt, self.parameters)
        if not isinstance(answer, tuple) or len(answer) not in (2, 4):
            got = f"{len(answer)} values" if isinstance(answer, tuple) else f"a {type(answer).__name__}"
            raise LawError(
                f"The update {self.name} returned {got}; expected (flux, state) or (flux, state, stored, dissipated). "
                "A law without history returns the state it was given."
            )
        return answer

    def respond(
        self,
        state: Any,
        drive: Any,
        dt: float | int = 0.0,
        want: tuple[str, ...] = ("flux", "tangent"),
        tolerance: float | int = 0.0,
    ) -> Response:
        response = super().respond(state, drive, dt, want, tolerance)
        _require_finite(self, drive, response, response.status == FAILED)
        if not self.says_energies:
            return dataclasses.replace(response, stored=None, dissipated=None)
        return response


def _name(function: Any) -> str:
    return str(getattr(function, "__name__", repr(function)))


def _called(function: Callable[..., Any], *arguments: Any) -> Any:
    try:
        return function(*arguments)
    except LawError:
        raise
    except Exception as error:  # whatever a user's function may raise
        raise LawError(
            f"{_name(function)} cannot be evaluated: {type(error).__name__}: {str(error).splitlines()[0][:300]} "
            "Use jax.numpy, and jnp.where instead of `if` on values; parameters come as a dictionary."
        ) from error


def _require_finite(law: AbstractPointLaw, drive: Any, response: Response, flux_is_bad: np.ndarray) -> None:
    bad = {law.kinematics.flux: flux_is_bad}
    if response.tangent is not None:
        bad["tangent"] = ~np.isfinite(response.tangent).all(axis=(1, 2)) & ~(response.status == FAILED)
    for index, leaf in enumerate(jax.tree.leaves(response.state)):
        flat = np.asarray(leaf).reshape(len(flux_is_bad), -1)
        bad[f"new state (part {index})"] = ~np.isfinite(flat).all(axis=1)
    for what, where in bad.items():
        if np.any(where):
            first = int(np.argmax(where))
            raise LawError(
                f"The {what} of {law.name} is not finite at {int(np.sum(where))} of {len(where)} points; the first is "
                f"point {first} with the {law.kinematics.drive} {np.asarray(drive)[first].tolist()}. Expected finite "
                f"numbers. {_HINTS}"
            )


def _require_same_form(law: UpdateLaw, state: Any, new: Any) -> None:
    before, after = str(jax.tree.structure(state)), str(jax.tree.structure(new))
    if before != after:
        raise LawError(
            f"The update {law.name} was given a state of the form {before} and returned one of the form {after}; "
            "expected the same form. Return the state as it came where nothing changes."
        )
    for old, changed in zip(jax.tree.leaves(state), jax.tree.leaves(new), strict=True):
        if jnp.shape(old) != jnp.shape(changed):
            raise LawError(
                f"A part of the state of {law.name} had the shape {jnp.shape(old)} and came back with the shape "
                f"{jnp.shape(changed)}; expected no change of shape."
            )
