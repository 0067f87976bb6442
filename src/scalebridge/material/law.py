"""The joint between scales: what a macro solver (or a voxel) asks of a material.

Batched over points (leading axis n), pure, nothing mutated: rollback and restart are "keep the old arrays".
"""

from __future__ import annotations

import abc
import dataclasses
from typing import Any

import numpy as np

from scalebridge.material.kinematics import Kinematics


@dataclasses.dataclass(frozen=True, eq=False)
class Response:
    """flux (n, m), tangent (n, m, m) or None, state (pytree, leading axis n); status, error, cost: (n,).

    status: 0 where the point answered, anything else where it could not. stored (n,): free energy per reference volume
    at the end of the step; dissipated (n,): what the step turned into heat (both None where the law does not say).
    """

    flux: Any
    tangent: Any
    state: Any
    status: Any
    error: Any
    cost: Any
    stored: Any = None
    dissipated: Any = None


class AbstractLaw(abc.ABC):
    """A constitutive law: drive (gradient, Mandel strain or F) -> flux (Mandel stress or P)."""

    @property
    @abc.abstractmethod
    def kinematics(self) -> Kinematics:
        """What the law is driven by."""

    @abc.abstractmethod
    def initial_state(self, n: int) -> Any:
        """State of `n` virgin points: a pytree of arrays with leading axis n (() for history-free laws)."""

    @abc.abstractmethod
    def respond(
        self,
        state: Any,
        drive: Any,
        dt: float = 0.0,
        want: tuple[str, ...] = ("flux", "tangent"),
        tolerance: float = 0.0,
    ) -> Response:
        """The flux, tangent and new state of n points under `drive` (n, m), reached `dt` after `state`."""

    def localize(self, state: Any, drive: np.ndarray) -> Any:
        """The way back down, where there is one."""
        raise NotImplementedError(f"{type(self).__name__} has no finer scale to return to.")
