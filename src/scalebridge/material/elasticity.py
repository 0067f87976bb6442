"""Linear elasticity: stress = C : strain in Mandel notation (xx, yy, zz, yz, xz, xy; sqrt 2 on shears)."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np

from scalebridge.core.errors import LawError
from scalebridge.material import anisotropic, cubic, isotropic, orthotropic, transversely_isotropic
from scalebridge.material.conduction import ISOTROPY_TOLERANCE, along
from scalebridge.material.kinematics import SMALL_STRAIN, Kinematics
from scalebridge.material.linear import AbstractTensorLaw
from scalebridge.material.oriented_tensor import ArrayLike, OrientedTensor
from scalebridge.material.physics import Physics
from scalebridge.material.symmetry import Number
from scalebridge.numerics.mandel import (
    deviatoric_projector,
    dimension_of_components,
    isotropic_stiffness,
    spherical_projector,
    stiffness_to_voigt,
)


@dataclasses.dataclass(frozen=True, eq=False)
class Elasticity(AbstractTensorLaw):
    """sigma = C : epsilon, C (6, 6) Mandel, or (3, 3) (xx, yy, xy) for an effective law of a 2-D cell.

    Units: any consistent ones, SI by convention. Zero stiffness is a true void.
    Fails when: the solid is unstable, not symmetric or not finite (LawError).
    """

    stiffness: OrientedTensor

    @staticmethod
    def isotropic(
        *,
        E: Number | None = None,
        nu: Number | None = None,
        K: Number | None = None,
        G: Number | None = None,
        lambda_: Number | None = None,
        mu: Number | None = None,
    ) -> Elasticity:
        """Any two of Young's modulus, Poisson's ratio, bulk and shear modulus and the Lame constants."""
        named = {"E": E, "nu": nu, "K": K, "G": G, "lambda_": lambda_, "mu": mu}
        given = {key: value for key, value in named.items() if value is not None}
        if len(given) != 2:
            raise LawError(
                f"An isotropic solid has two elastic constants, got {len(given)} "
                f"({', '.join(given) or 'none'}). "
                f"Give two of {', '.join(isotropic.ELASTIC_CONSTANTS)}, usually E and nu."
            )
        first, second = given
        return Elasticity(OrientedTensor.of(isotropic.stiffness_from(first, second), given))

    @staticmethod
    def void() -> Elasticity:
        """Nothing: carries no stress, exactly, and has no parameters."""
        return Elasticity(OrientedTensor.of(isotropic.VOID_STIFFNESS, {}))

    @staticmethod
    def cubic(C11: Number, C12: Number, C44: Number, *, orientation: ArrayLike | None = None) -> Elasticity:
        """A cubic crystal, Voigt constants along the cube axes."""
        return Elasticity(
            OrientedTensor.of(cubic.STIFFNESS, {"C11": C11, "C12": C12, "C44": C44}, orientation)
        )

    @staticmethod
    def transversely_isotropic(
        E_axial: Number,
        E_radial: Number,
        nu_axial: Number,
        nu_radial: Number,
        G_axial: Number,
        *,
        axis: ArrayLike = (0.0, 0.0, 1.0),
        orientation: ArrayLike | None = None,
    ) -> Elasticity:
        """A fibre along `axis` (given in local axes, turned by `orientation`).

        nu_axial: radial contraction per axial extension under axial stress; nu_radial: between radial
        directions.
        """
        values = (E_axial, E_radial, nu_axial, nu_radial, G_axial)
        symmetry = transversely_isotropic.STIFFNESS
        tensor = OrientedTensor.of(symmetry, dict(zip(symmetry.keys, values, strict=True)), along(axis))
        return Elasticity(tensor if orientation is None else tensor.oriented(orientation))

    @staticmethod
    def orthotropic(
        E_x: Number,
        E_y: Number,
        E_z: Number,
        nu_xy: Number,
        nu_yz: Number,
        nu_xz: Number,
        G_xy: Number,
        G_yz: Number,
        G_xz: Number,
        *,
        orientation: ArrayLike | None = None,
    ) -> Elasticity:
        """Nine engineering constants in local axes; nu_xy = -(strain yy)/(strain xx) under a stress xx."""
        values = (E_x, E_y, E_z, nu_xy, nu_yz, nu_xz, G_xy, G_yz, G_xz)
        symmetry = orthotropic.STIFFNESS
        return Elasticity(
            OrientedTensor.of(symmetry, dict(zip(symmetry.keys, values, strict=True)), orientation)
        )

    @staticmethod
    def from_voigt(
        C: ArrayLike, *, deviation: np.ndarray | None = None, orientation: ArrayLike | None = None
    ) -> Elasticity:
        """A full stiffness in Voigt notation with engineering shears, (6, 6) or (3, 3) in 2-D."""
        voigt = anisotropic.checked_symmetric(np.asarray(C), "Voigt stiffness", (6, 3))
        symmetry = anisotropic.STIFFNESS[dimension_of_components(len(voigt))]
        given = anisotropic.fourth_order_parameters(symmetry, voigt, deviation)
        return Elasticity(OrientedTensor.of(symmetry, given, orientation))

    @staticmethod
    def from_mandel(
        C: ArrayLike, *, deviation: np.ndarray | None = None, orientation: ArrayLike | None = None
    ) -> Elasticity:
        """A full stiffness in Mandel notation, (6, 6) or (3, 3) in 2-D; the parameters are Voigt entries."""
        mandel = anisotropic.checked_symmetric(np.asarray(C), "Mandel stiffness", (6, 3))
        spread = None if deviation is None else stiffness_to_voigt(np.asarray(deviation, float))
        return Elasticity.from_voigt(stiffness_to_voigt(mandel), deviation=spread, orientation=orientation)

    @property
    def physics(self) -> Physics:
        return Physics.ELASTICITY

    @property
    def kinematics(self) -> Kinematics:
        return SMALL_STRAIN

    @property
    def oriented_tensor(self) -> OrientedTensor:
        return self.stiffness

    def oriented(self, rotation: ArrayLike) -> Elasticity:
        """The same material turned by a rotation (d, d), local -> global."""
        return dataclasses.replace(self, stiffness=self.stiffness.oriented(rotation))

    @property
    def isotropic_parameters(self) -> Mapping[str, float] | None:
        """{"K", "G", "E", "nu"} (3-D) or the plane {"K", "G"} (2-D); None for an anisotropic tensor.

        A void has K = G = E = 0 and no nu.
        """
        d = self.stiffness.ndim
        spherical, deviatoric = spherical_projector(d), deviatoric_projector(d)
        K = float(np.sum(spherical * self.tensor)) / d
        G = float(np.sum(deviatoric * self.tensor)) / (2 * (len(self.tensor) - 1))
        gap = np.abs(self.tensor - isotropic_stiffness(K, G, d)).max()
        if gap > ISOTROPY_TOLERANCE * np.abs(self.tensor).max():
            return None
        if d == 2:
            return {"K": K, "G": G}
        if K == 0 and G == 0:
            return {"K": 0.0, "G": 0.0, "E": 0.0}
        return {"K": K, "G": G, "E": 9 * K * G / (3 * K + G), "nu": (3 * K - 2 * G) / (6 * K + 2 * G)}

    def record(self) -> dict[str, Any]:
        """Everything needed to build it again, in plain numbers and words."""
        return {"physics": str(self.physics), **self.stiffness.record()}
