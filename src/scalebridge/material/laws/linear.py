r"""Linear laws as laws of a point: what an elastic or conducting phase is among nonlinear ones."""

from __future__ import annotations

from typing import Any, final

import jax
import numpy as np

from scalebridge.core.errors import LawError
from scalebridge.material.conduction import Conduction
from scalebridge.material.elasticity import Elasticity
from scalebridge.material.kinematics import GRADIENT, SMALL_STRAIN, Kinematics
from scalebridge.material.laws.point import AbstractPointLaw, PointUpdate, parameter


@final
class LinearLaw(AbstractPointLaw):
    r"""flux = C drive, psi = drive . C drive / 2, with C (6, 6) Mandel for a solid, (3, 3) for a conductor.

    Units: those of C. Nothing dissipates in a solid; a conductor's psi is half its dissipation rate, a potential.
    """

    tensor: np.ndarray = parameter()

    def __check_init__(self) -> None:
        if self.tensor.shape[-2:] not in ((6, 6), (3, 3)):
            raise LawError(
                f"A linear law needs a stiffness (6, 6) or a conductivity (3, 3), got {self.tensor.shape}."
            )

    @staticmethod
    def of(law: Elasticity | Conduction) -> LinearLaw:
        """The same material as a law of a point."""
        return LinearLaw(law.tensor)

    @property
    def kinematics(self) -> Kinematics:
        return SMALL_STRAIN if self.tensor.shape[-1] == 6 else GRADIENT

    def virgin_state(self) -> Any:
        return ()

    def update(self, state: Any, drive: jax.Array, dt: jax.Array) -> PointUpdate:
        flux = self.tensor @ drive
        return PointUpdate(flux, state, drive @ flux / 2, 0.0)
