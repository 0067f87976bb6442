"""One example of every symmetry class; joining this list is part of adding a class (a test insists)."""

from __future__ import annotations

import numpy as np
from scipy.spatial.transform import Rotation

from scalebridge.material import Conduction, Elasticity, Thermoelasticity
from scalebridge.material.symmetries import SYMMETRIES
from scalebridge.material.symmetry import Symmetry, TensorKind

SOLID = {"E": 70.0, "nu": 0.33, "K": 70.0 / (3 * 0.34), "G": 70.0 / 2.66, "mu": 70.0 / 2.66}
SOLID["lambda_"] = SOLID["K"] - 2 * SOLID["G"] / 3
_full = np.random.default_rng(5).normal(size=(6, 6))
FULL_STIFFNESS = _full @ _full.T + 3 * np.eye(6)
FULL_CONDUCTIVITY = np.array([[3.0, 0.4, -0.2], [0.4, 2.0, 0.3], [-0.2, 0.3, 1.0]])

_VALUES: dict[str, float] = {
    **SOLID,
    **{"k": 2.5, "k_axial": 10.0, "k_radial": 1.5, "kx": 1.0, "ky": 2.0, "kz": 3.0},
    **{"C11": 168.4, "C12": 121.4, "C44": 75.4},
    **{"E_axial": 230.0, "E_radial": 15.0, "nu_axial": 0.2, "nu_radial": 0.4, "G_axial": 24.0},
    **{"E_x": 11.0, "E_y": 0.9, "E_z": 0.5, "nu_xy": 0.37, "nu_yz": 0.43, "nu_xz": 0.46},
    **{"G_xy": 0.75, "G_yz": 0.04, "G_xz": 0.7},
    **{"alpha": 1e-5, "alpha_axial": -1e-6, "alpha_radial": 2e-5},
    **{"alpha_x": 1e-5, "alpha_y": 2e-5, "alpha_z": 3e-5},
}


def values_of(symmetry: Symmetry) -> dict[str, float]:
    """Stable parameters for a symmetry class."""
    if symmetry.name != "anisotropic":
        return {key: _VALUES[key] for key in symmetry.keys}
    if symmetry.kind is TensorKind.STIFFNESS:
        at = {1: 0, 2: 1, 3: 2, 4: 3, 5: 4, 6: 5}
        return {key: float(FULL_STIFFNESS[at[int(key[1])], at[int(key[2])]]) for key in symmetry.keys}
    at_axis = {"x": 0, "y": 1, "z": 2}
    return {key: float(FULL_CONDUCTIVITY[at_axis[key[-2]], at_axis[key[-1]]]) for key in symmetry.keys}


def name_of(symmetry: Symmetry) -> str:
    """For test identifiers."""
    keys = "-".join(symmetry.keys[:3])
    return f"{symmetry.kind.name.lower()}-{symmetry.name.replace(' ', '_')}-{keys}"


ALL_SYMMETRIES = SYMMETRIES
ROTATION = Rotation.from_rotvec([0.3, -0.8, 1.1]).as_matrix()

CONDUCTIONS = (
    Conduction.isotropic(2.5),
    Conduction.void(),
    Conduction.isotropic(0.0),
    Conduction.transversely_isotropic(10.0, 1.5, axis=(1.0, 1.0, 0.0)),
    Conduction.orthotropic(1.0, 2.0, 3.0, orientation=ROTATION),
    Conduction.anisotropic(FULL_CONDUCTIVITY),
    Conduction.anisotropic(FULL_CONDUCTIVITY[:2, :2]),
)
ELASTICITIES = (
    Elasticity.isotropic(E=70.0, nu=0.33),
    Elasticity.void(),
    Elasticity.isotropic(E=0.0, nu=0.2),
    Elasticity.cubic(168.4, 121.4, 75.4, orientation=ROTATION),
    Elasticity.transversely_isotropic(230.0, 15.0, 0.2, 0.4, 24.0, axis=(1.0, 0.0, 0.0)),
    Elasticity.orthotropic(11.0, 0.9, 0.5, 0.37, 0.43, 0.46, 0.75, 0.04, 0.7, orientation=ROTATION),
    Elasticity.from_mandel(FULL_STIFFNESS),
    Elasticity.from_mandel(FULL_STIFFNESS[:3, :3]),
)
THERMOELASTICITIES = (
    Thermoelasticity.isotropic(E=70.0, nu=0.33, alpha=2.3e-5),
    Thermoelasticity.void(),
    Thermoelasticity.of(ELASTICITIES[5], np.array([1.0, 2.0, 3.0, 0.1, 0.2, 0.3]) * 1e-5),
    Thermoelasticity.of(ELASTICITIES[7], np.array([1.0, 2.0, 0.3]) * 1e-5),
)
ALL_LAWS = (*CONDUCTIONS, *ELASTICITIES, *THERMOELASTICITIES)
