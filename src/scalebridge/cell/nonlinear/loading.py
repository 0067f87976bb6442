"""Loading paths: which components of the macroscopic drive, and which of the mean flux, go where and when."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from scalebridge.cell.nonlinear.control import Control
from scalebridge.core.errors import InputError
from scalebridge.material.kinematics import FINITE_STRAIN, Kinematics

if TYPE_CHECKING:
    from jaxtyping import Bool, Float


@dataclasses.dataclass(frozen=True)
class Leg:
    """One straight piece of a path: drives and mean fluxes change linearly in time from where they are to these ends.

    drive, flux: values by component ("xx": 0.01); together they name every component once (`leg_of` fills up what is
    left: held drives keep the undeformed value, free ones are without flux). duration: in the time unit of the laws.
    increments: into how many steps the leg is cut; a step that fails is cut further. cauchy: at finite strain, fluxes
    that are given as Cauchy stresses <P> <F>^T / det <F>.
    """

    drive: Mapping[str, float]
    flux: Mapping[str, float] = dataclasses.field(default_factory=dict)
    duration: float = 1.0
    increments: int = 10
    cauchy: Mapping[str, float] = dataclasses.field(default_factory=dict)

    def __post_init__(self) -> None:
        if not (math.isfinite(self.duration) and self.duration > 0):
            raise InputError(f"The duration of a leg must be positive, got {self.duration!r}.")
        if self.increments < 1:
            raise InputError(f"A leg needs at least one increment, got {self.increments!r}.")
        stresses = {**self.flux, **self.cauchy}
        both = sorted(set(self.drive) & set(stresses))
        if both:
            raise InputError(
                f"Component {both[0]!r} is given as a drive and as a flux: one of them follows from the other."
            )
        twice = sorted(set(self.flux) & set(self.cauchy))
        if twice:
            raise InputError(
                f"Component {twice[0]!r} is given as a flux and as a Cauchy stress: give one of them."
            )
        for what, values in (("drive", self.drive), ("flux", stresses)):
            for name, value in values.items():
                if not math.isfinite(value):
                    raise InputError(f"The {what} {name!r} of a leg must be a finite number, got {value!r}.")

    def targets(
        self, kinematics: Kinematics, ndim: int
    ) -> tuple[Float[np.ndarray, " m"], Bool[np.ndarray, " m"]]:
        """The ends (m,), and where they are fluxes (m,); fails unless every component is named once (InputError)."""
        names = kinematics.components(ndim)
        stresses = {**self.flux, **self.cauchy}
        if self.cauchy and kinematics is not FINITE_STRAIN:
            raise InputError(
                f"Cauchy stresses are given apart at finite strain only; here the flux is the {kinematics.flux}."
            )
        unknown = sorted((set(self.drive) | set(stresses)) - set(names))
        if unknown:
            raise InputError(
                f"There is no component {unknown[0]!r} of the {kinematics.drive} in {ndim}-D: expected some of "
                f"{', '.join(names)}."
            )
        missing = [n for n in names if n not in self.drive and n not in stresses]
        if missing:
            raise InputError(
                f"Nothing is said about component {missing[0]!r}: give its {kinematics.drive}, or its "
                f"{kinematics.flux} (0 leaves it free)."
            )
        given = np.array([n in stresses for n in names])
        ends = np.array([stresses[n] if n in stresses else self.drive[n] for n in names], float)
        if kinematics.symmetric:
            ends = ends * np.array([1.0 if n[0] == n[1] else math.sqrt(2.0) for n in names])
        return ends, given

    def control(self, kinematics: Kinematics, ndim: int) -> Control:
        """Which components are drives, fluxes and Cauchy stresses; fails like `targets`."""
        names = kinematics.components(ndim)
        return Control.of(self.targets(kinematics, ndim)[1], np.array([n in self.cauchy for n in names]))


def leg_of(
    kinematics: Kinematics,
    ndim: int,
    drive: Mapping[str, float] | None = None,
    flux: Mapping[str, float] | None = None,
    *,
    rest_free: bool = False,
    duration: float = 1.0,
    increments: int = 10,
) -> Leg:
    """A leg whose unnamed components are held at the undeformed value, or left free of flux."""
    names = kinematics.components(ndim)
    given, pulled = dict(drive or {}), dict(flux or {})
    virgin = kinematics.virgin(ndim)
    for name, value in zip(names, virgin, strict=True):
        if name not in given and name not in pulled:
            if rest_free:
                pulled[name] = 0.0
            else:
                given[name] = float(value)
    return Leg(given, pulled, duration, increments)
