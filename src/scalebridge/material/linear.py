"""What linear, history-free laws share: flux = tangent : drive, no state, no error of their own.

A law that is one tensor joins with `AbstractTensorLaw`; one of several tensors with `AbstractLinearLaw`.
"""

from __future__ import annotations

import abc
from collections.abc import Mapping
from typing import Any

import numpy as np

from scalebridge.core.errors import LawError
from scalebridge.core.units import Uncertain
from scalebridge.material.law import AbstractLaw, Response
from scalebridge.material.oriented_tensor import OrientedTensor


class AbstractLinearLaw(AbstractLaw):
    """A law without history whose flux is a fixed matrix times its drive."""

    @property
    @abc.abstractmethod
    def tangents(self) -> Mapping[int, np.ndarray]:
        """d flux / d drive (m, components), by the number of components a drive may have."""

    @property
    @abc.abstractmethod
    def isotropic_parameters(self) -> Mapping[str, float] | None:
        """The properties by name; None where there is a preferred direction."""

    @property
    def is_isotropic(self) -> bool:
        """Whether there is no preferred direction, however the law was given."""
        return self.isotropic_parameters is not None

    def initial_state(self, n: int) -> Any:
        return ()

    def respond(
        self,
        state: Any,
        drive: Any,
        dt: float = 0.0,
        want: tuple[str, ...] = ("flux", "tangent"),
        tolerance: float = 0.0,
    ) -> Response:
        """flux[n] = tangent drive[n] for n gradients or Mandel strains (n, components).

        The tangent is one matrix seen n times, without a copy. Fails when: the drive has another number of
        components (LawError).
        """
        drive, tangents = np.asarray(drive, float), self.tangents
        if drive.ndim != 2 or drive.shape[1] not in tangents:
            expected = " or ".join(f"(n, {components})" for components in tangents)
            raise LawError(f"Expected gradients or Mandel strains of shape {expected}, got {drive.shape}.")
        n, tangent = len(drive), tangents[drive.shape[1]]
        return Response(
            flux=drive @ tangent.T if "flux" in want else None,
            tangent=np.broadcast_to(tangent, (n, *tangent.shape)) if "tangent" in want else None,
            state=state,
            status=np.zeros(n, int),
            error=np.zeros(n),
            cost=np.ones(n),
        )


class AbstractTensorLaw(AbstractLinearLaw):
    """A linear law that is one oriented tensor."""

    @property
    @abc.abstractmethod
    def oriented_tensor(self) -> OrientedTensor:
        """The tensor with its symmetry class, values and orientation."""

    @property
    def tensor(self) -> np.ndarray:
        """The tensor in global axes: (d, d), or Mandel (m, m)."""
        return self.oriented_tensor.tensor

    @property
    def tangents(self) -> Mapping[int, np.ndarray]:
        return {len(self.tensor): self.tensor}

    @property
    def parameters(self) -> Mapping[str, Uncertain]:
        """Values with deviations by name."""
        return self.oriented_tensor.parameters

    def derivative(self, name: str) -> np.ndarray:
        """d tensor / d parameter, of the tensor's shape, to round-off."""
        return self.oriented_tensor.derivative(name)

    @property
    def is_void(self) -> bool:
        """Whether the tensor is exactly zero."""
        return self.oriented_tensor.is_zero

    @property
    def name(self) -> str:
        """The law in words."""
        return "void" if self.is_void else self.oriented_tensor.words
