"""Thermoelasticity: stress = C : (strain - alpha T), T the temperature rise."""

from __future__ import annotations

import dataclasses
import types
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from scalebridge.core.errors import LawError
from scalebridge.core.units import Uncertain
from scalebridge.material import anisotropic, isotropic
from scalebridge.material.elasticity import Elasticity
from scalebridge.material.kinematics import SMALL_STRAIN, Kinematics
from scalebridge.material.linear import AbstractLinearLaw
from scalebridge.material.oriented_tensor import ArrayLike, OrientedTensor
from scalebridge.material.physics import Physics
from scalebridge.material.symmetry import Number, as_uncertain
from scalebridge.numerics.mandel import from_mandel, to_mandel

if TYPE_CHECKING:
    from jaxtyping import Float


@dataclasses.dataclass(frozen=True, eq=False)
class Thermoelasticity(AbstractLinearLaw):
    """sigma = C : (epsilon - alpha T): an elastic law and its free thermal expansion, both in the same axes.

    Units: stiffness as given (Pa), expansion in 1/K. A void has neither.
    Fails when: the elastic law fails, the expansion is not finite, or the dimensions differ (LawError).
    """

    elasticity: Elasticity
    thermal_expansion: OrientedTensor

    def __post_init__(self) -> None:
        if self.elasticity.stiffness.ndim != self.thermal_expansion.ndim:
            raise LawError(
                f"A {self.elasticity.stiffness.ndim}-D stiffness cannot go with a "
                f"{self.thermal_expansion.ndim}-D "
                "thermal expansion."
            )

    @staticmethod
    def of(elasticity: Elasticity, alpha: Number | ArrayLike) -> Thermoelasticity:
        """From an elastic law and `alpha`: a number (isotropic) or a Mandel vector (m,).

        The expansion is given in the material's own axes and turned with the orientation of the elastic law.
        """
        d, orientation = elasticity.stiffness.ndim, elasticity.stiffness.orientation
        if isinstance(alpha, Uncertain) or np.ndim(alpha) == 0:
            if d == 3:
                return Thermoelasticity(
                    elasticity,
                    OrientedTensor.of(isotropic.EXPANSION, {"alpha": as_uncertain(alpha)}, orientation),
                )
            alpha = to_mandel(as_uncertain(alpha).value * np.eye(2))
        vector = np.asarray(alpha, float)
        if vector.shape != ({2: 3, 3: 6}[d],):
            raise LawError(
                f"A {d}-D thermal expansion is a number or a Mandel vector of {({2: 3, 3: 6})[d]} entries, "
                f"got shape {vector.shape}."
            )
        symmetry = anisotropic.EXPANSION[d]
        given = anisotropic.second_order_parameters(symmetry, from_mandel(vector), None)
        return Thermoelasticity(elasticity, OrientedTensor.of(symmetry, given, orientation))

    @staticmethod
    def isotropic(
        *,
        alpha: Number,
        E: Number | None = None,
        nu: Number | None = None,
        K: Number | None = None,
        G: Number | None = None,
        lambda_: Number | None = None,
        mu: Number | None = None,
    ) -> Thermoelasticity:
        """Two elastic constants and the coefficient of thermal expansion."""
        return Thermoelasticity.of(Elasticity.isotropic(E=E, nu=nu, K=K, G=G, lambda_=lambda_, mu=mu), alpha)

    @staticmethod
    def void() -> Thermoelasticity:
        """Nothing: neither stiffness nor expansion, and no parameters."""
        return Thermoelasticity(Elasticity.void(), OrientedTensor.of(isotropic.VOID_EXPANSION, {}))

    @property
    def physics(self) -> Physics:
        return Physics.THERMOELASTICITY

    @property
    def kinematics(self) -> Kinematics:
        return SMALL_STRAIN

    @property
    def tensor(self) -> np.ndarray:
        """The stiffness in global axes, Mandel (m, m)."""
        return self.elasticity.tensor

    @property
    def expansion(self) -> Float[np.ndarray, " m"]:
        """The free thermal strain per kelvin in global axes, Mandel (m,)."""
        return to_mandel(self.thermal_expansion.tensor)

    @property
    def heat_free_stress(self) -> Float[np.ndarray, " m"]:
        """The stress per kelvin when no strain is allowed, -C : alpha, Mandel (m,)."""
        return -self.tensor @ self.expansion

    @property
    def tangents(self) -> Mapping[int, np.ndarray]:
        """By a Mandel strain (m, m), or by a strain and a temperature rise (m, m + 1).

        The last column of the latter is the heat-free stress.
        """
        m = len(self.tensor)
        return {m: self.tensor, m + 1: np.column_stack([self.tensor, self.heat_free_stress])}

    @property
    def parameters(self) -> Mapping[str, Uncertain]:
        """Those of the elastic law, then those of the expansion."""
        return types.MappingProxyType({**self.elasticity.parameters, **self.thermal_expansion.parameters})

    def derivative(self, name: str) -> Float[np.ndarray, "m m"]:
        """d stiffness / d parameter, Mandel (m, m); zero for the parameters of the expansion."""
        if name in self.thermal_expansion.parameters:
            return np.zeros_like(self.tensor)
        return self.elasticity.derivative(name)

    def expansion_derivative(self, name: str) -> Float[np.ndarray, " m"]:
        """d expansion / d parameter, Mandel (m,); zero for the parameters of the stiffness."""
        if name in self.elasticity.parameters:
            return np.zeros(len(self.tensor))
        return to_mandel(self.thermal_expansion.derivative(name))

    def oriented(self, rotation: ArrayLike) -> Thermoelasticity:
        """The same material turned by a rotation (d, d), local -> global."""
        return Thermoelasticity(self.elasticity.oriented(rotation), self.thermal_expansion.oriented(rotation))

    @property
    def is_void(self) -> bool:
        """Whether the stiffness is exactly zero; the expansion of nothing does not matter."""
        return self.elasticity.is_void

    @property
    def isotropic_parameters(self) -> Mapping[str, float] | None:
        """Those of the elastic law and "alpha"; None where anything is anisotropic."""
        elastic = self.elasticity.isotropic_parameters
        tensor = self.thermal_expansion.tensor
        alpha = float(np.trace(tensor)) / len(tensor)
        if elastic is None or np.abs(tensor - alpha * np.eye(len(tensor))).max() > 1e-10 * abs(alpha):
            return None
        return {**elastic, "alpha": alpha}

    @property
    def name(self) -> str:
        """The law in words."""
        if self.is_void:
            return "void"
        _, _, expansion = self.thermal_expansion.words.partition(", ")
        return f"{self.elasticity.name}, {expansion.removesuffix(', oriented')}"

    def record(self) -> dict[str, Any]:
        """Everything needed to build it again, in plain numbers and words."""
        return {
            **self.elasticity.record(),
            "physics": str(self.physics),
            "expansion": self.thermal_expansion.record(),
        }
