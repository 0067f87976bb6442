"""SUBC <= PBC <= KUBC between Reuss and Voigt, over a thousand random images and every linear physics.

    python tests/ordering_of_conditions.py FAMILY [SWAP]

Run by test_ordering.py in a process of its own: with every array of every call checked it takes ten times as long.
"""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Callable

import numpy as np

from scalebridge import Conduction, Elasticity, PlaneState, Thermoelasticity
from scalebridge.cell.boundary import AbstractBoundary, KinematicUniform, Periodic, StaticUniform
from scalebridge.core.status import Status
from scalebridge.grid import PhaseImage, VoxelGrid
from scalebridge.homogenize.bounds import tensor_bounds
from scalebridge.homogenize.representative import ImageWindows
from scalebridge.homogenize.representative.apparent import CellTask, Material, solve_task
from scalebridge.material.law import AbstractLaw

IMAGES = 170  # of each of the six families: over a thousand
CONDITIONS: tuple[AbstractBoundary, ...] = (StaticUniform(), Periodic(), KinematicUniform())
ENERGY = 1e-8
TOLERANCE = 1e-6

Draw = Callable[[np.random.Generator, float], AbstractLaw]


def conduction(rng: np.random.Generator, scale: float) -> AbstractLaw:
    return Conduction.isotropic(k=scale)


def elasticity(rng: np.random.Generator, scale: float) -> AbstractLaw:
    return Elasticity.isotropic(E=scale, nu=rng.uniform(-0.4, 0.45))


def thermoelasticity(rng: np.random.Generator, scale: float) -> AbstractLaw:
    return Thermoelasticity.isotropic(E=scale, nu=rng.uniform(-0.4, 0.45), alpha=rng.uniform(-1.0, 1.0))


@dataclasses.dataclass(frozen=True)
class Family:
    law: Draw
    shape: tuple[int, ...]
    plane: PlaneState | None = None


FAMILIES = {
    "conduction 2-D": Family(conduction, (6, 6)),
    "conduction 3-D": Family(conduction, (4, 4, 4)),
    "elasticity, plane strain": Family(elasticity, (5, 5), PlaneState.STRAIN),
    "elasticity, plane stress": Family(elasticity, (5, 5), PlaneState.STRESS),
    "elasticity 3-D": Family(elasticity, (3, 3, 3)),
    "thermoelasticity 3-D": Family(thermoelasticity, (3, 3, 3)),
}


def below(softer: np.ndarray, stiffer: np.ndarray, allowed: float) -> bool:
    """As quadratic forms, up to a part of the stiffer one."""
    return float(np.linalg.eigvalsh(stiffer - softer)[0]) >= -allowed * float(np.linalg.norm(stiffer))


def check(name: str, conditions: tuple[AbstractBoundary, ...] = CONDITIONS) -> int:
    """How many images told the conditions apart; fails at the first whose tensors are out of order or of bounds."""
    family = FAMILIES[name]
    rng = np.random.default_rng(list(FAMILIES).index(name))
    apart = 0
    for number in range(IMAGES):
        labels = rng.integers(0, rng.integers(2, 4), family.shape).astype(np.uint8)
        image = PhaseImage(labels, VoxelGrid(family.shape))
        scales = 10.0 ** rng.uniform(-1.5, 1.5, 3)
        laws = {label: family.law(rng, float(scales[label])) for label in image.present}
        (maker,) = ImageWindows(image).makers(family.shape[0], None)
        cells = solve_task(CellTask(maker, Material(laws, None, family.plane), conditions, ENERGY))
        words = f"{name}, image {number}"
        assert all(cell.status is Status.CONVERGED for cell in cells), words
        soft, middle, stiff = (cell.value for cell in cells)
        assert below(soft, middle, TOLERANCE), f"{words}: not in order"
        assert below(middle, stiff, TOLERANCE), f"{words}: not in order"
        bounds = tensor_bounds(laws, image.fractions, ndim=len(family.shape), plane=family.plane)
        assert below(stiff, bounds.voigt, TOLERANCE), f"{words}: above the bound of Voigt"
        assert below(bounds.reuss, soft, TOLERANCE), f"{words}: below the bound of Reuss"
        apart += int(np.linalg.norm(stiff - soft) > 1e-3 * np.linalg.norm(stiff))
    return apart


if __name__ == "__main__":
    told = check(sys.argv[1], CONDITIONS[::-1] if "SWAP" in sys.argv else CONDITIONS)
    print(told)
