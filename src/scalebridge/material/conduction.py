"""Conduction in all its readings: flux = k gradient (the sign of the potential is the solver's choice)."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np

from scalebridge.material import anisotropic, isotropic, orthotropic, transversely_isotropic
from scalebridge.material.kinematics import GRADIENT, Kinematics
from scalebridge.material.linear import AbstractTensorLaw
from scalebridge.material.oriented_tensor import ArrayLike, OrientedTensor
from scalebridge.material.physics import CONDUCTION, Physics, Transport, transport_of_dimension
from scalebridge.material.symmetry import Number
from scalebridge.numerics.mandel import rotation_to

ISOTROPY_TOLERANCE = 1e-10


@dataclasses.dataclass(frozen=True, eq=False)
class Conduction(AbstractTensorLaw):
    """q = k g: conductivity k (3, 3), or (2, 2) for an effective law of a 2-D cell.

    Units: any consistent ones, SI by convention. Zero conductivity is a true void.
    Fails when: a conductivity is negative, not finite, not symmetric or indefinite (LawError).
    """

    conductivity: OrientedTensor
    transport: Transport = CONDUCTION

    def __post_init__(self) -> None:
        # A unit says which conduction is meant; nobody has to say it twice.
        found = {entry.dimension for entry in self.conductivity.parameters.values()} - {None}
        if self.transport is CONDUCTION and len(found) == 1:
            object.__setattr__(self, "transport", transport_of_dimension(found.pop()))

    @staticmethod
    def isotropic(k: Number, *, transport: Transport = CONDUCTION) -> Conduction:
        """The same conductivity in every direction."""
        return Conduction(OrientedTensor.of(isotropic.CONDUCTIVITY, {"k": k}), transport)

    @staticmethod
    def void(*, transport: Transport = CONDUCTION) -> Conduction:
        """Nothing: conducts nothing, exactly, and has no parameters."""
        return Conduction(OrientedTensor.of(isotropic.VOID_CONDUCTIVITY, {}), transport)

    @staticmethod
    def transversely_isotropic(
        k_axial: Number,
        k_radial: Number,
        *,
        axis: ArrayLike = (0.0, 0.0, 1.0),
        orientation: ArrayLike | None = None,
        transport: Transport = CONDUCTION,
    ) -> Conduction:
        """Along and across `axis` (given in local axes, turned by `orientation`)."""
        given = {"k_axial": k_axial, "k_radial": k_radial}
        tensor = OrientedTensor.of(transversely_isotropic.CONDUCTIVITY, given, along(axis))
        return Conduction(tensor if orientation is None else tensor.oriented(orientation), transport)

    @staticmethod
    def orthotropic(
        kx: Number,
        ky: Number,
        kz: Number,
        *,
        orientation: ArrayLike | None = None,
        transport: Transport = CONDUCTION,
    ) -> Conduction:
        """Three principal conductivities along the local x, y, z."""
        given = {"kx": kx, "ky": ky, "kz": kz}
        return Conduction(OrientedTensor.of(orthotropic.CONDUCTIVITY, given, orientation), transport)

    @staticmethod
    def anisotropic(
        k: ArrayLike,
        *,
        deviation: np.ndarray | None = None,
        orientation: ArrayLike | None = None,
        transport: Transport = CONDUCTION,
    ) -> Conduction:
        """A full symmetric tensor (3, 3) or (2, 2), with standard deviations of the same shape if known."""
        tensor = anisotropic.checked_symmetric(np.asarray(k), "conductivity tensor", (3, 2))
        symmetry = anisotropic.CONDUCTIVITY[len(tensor)]
        given = anisotropic.second_order_parameters(symmetry, tensor, deviation)
        return Conduction(OrientedTensor.of(symmetry, given, orientation), transport)

    @property
    def physics(self) -> Physics:
        return Physics.CONDUCTION

    @property
    def kinematics(self) -> Kinematics:
        return GRADIENT

    @property
    def oriented_tensor(self) -> OrientedTensor:
        return self.conductivity

    def oriented(self, rotation: ArrayLike) -> Conduction:
        """The same material turned by a rotation (d, d), local -> global."""
        return dataclasses.replace(self, conductivity=self.conductivity.oriented(rotation))

    @property
    def isotropic_parameters(self) -> Mapping[str, float] | None:
        """{"k": ...}, or None for an anisotropic tensor."""
        k = float(np.trace(self.tensor)) / len(self.tensor)
        if np.abs(self.tensor - k * np.eye(len(self.tensor))).max() > ISOTROPY_TOLERANCE * abs(k):
            return None
        return {"k": k}

    def record(self) -> dict[str, Any]:
        """Everything needed to build it again, in plain numbers and words."""
        return {"physics": str(self.physics), "transport": self.transport.name, **self.conductivity.record()}


def along(axis: ArrayLike) -> np.ndarray | None:
    """The rotation that takes the local z axis to `axis`; None where they agree."""
    direction = np.asarray(axis, float)
    if direction.shape == (3,) and np.all(direction[:2] == 0) and direction[2] > 0:
        return None
    return rotation_to(direction)
