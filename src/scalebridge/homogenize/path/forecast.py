"""What a path will take before it is followed: memory and time, from the sizes of its arrays. Rough."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence

import jax
import numpy as np

from scalebridge.cell.boundary import AbstractBoundary
from scalebridge.cell.nonlinear.elements import Integration
from scalebridge.cell.nonlinear.fields import tangent_entries
from scalebridge.cell.nonlinear.loading import Leg
from scalebridge.cell.nonlinear.problem import NonlinearCell
from scalebridge.core.memory import format_bytes
from scalebridge.grid import PhaseImage
from scalebridge.material.laws.point import AbstractPointLaw

BASE_BYTES = 9e8
START_SECONDS = 20.0  # compilation, the first time
NEWTON, KRYLOV = 4, 15  # iterations of an increment, and of each of its linear solves
SECONDS_POINT, SECONDS_PRODUCT = (
    1.5e-6,
    1e-7,
)  # per voxel and point: of a law, and of a product with the tangent


@dataclasses.dataclass(frozen=True)
class PathEstimate:
    """Rough figures: within a factor of two or three on two cores."""

    bytes: int
    seconds: float
    increments: int

    @property
    def words(self) -> str:
        time = f"{self.seconds:.0f} s" if self.seconds < 120 else f"{self.seconds / 60:.0f} min"
        return (
            f"{self.increments} increments of about {NEWTON} Newton iterations, {format_bytes(self.bytes)} of memory, "
            f"about {time} on two cores"
        )


def estimate_path(
    image: PhaseImage,
    laws: Mapping[int, AbstractPointLaw | None],
    legs: Sequence[Leg],
    boundary: AbstractBoundary,
    integration: Integration | None = None,
) -> PathEstimate:
    """Memory and time of `follow_path`; the laws already of the dimension of the image."""
    elements = NonlinearCell(image.grid, image.labels, laws, boundary, integration).elements
    symmetric = all(law.symmetric_tangent for law in laws.values() if law is not None)
    points, size = elements.points, elements.size
    entries = len(tangent_entries(size, symmetric))
    state = sum(
        image.fractions.get(label, 0.0)
        * sum(8 * np.size(leaf) for leaf in jax.tree.leaves(law.virgin_state()))
        for label, law in laws.items()
        if law is not None
    )
    # Drive, flux and their copies; tangents on voxels and padded; the state before, after and on its way.
    per_point = 8 * 4 * size + 4 * 3 * entries + 3 * state
    per_node = elements.components * (8 * 6 + 4 * 12)
    memory = image.grid.size * points * per_point + math.prod(elements.nodes) * per_node
    increments = sum(leg.increments for leg in legs)
    each = SECONDS_POINT + KRYLOV * SECONDS_PRODUCT * (1 if symmetric else 2)
    seconds = START_SECONDS + increments * NEWTON * image.grid.size * points * each
    return PathEstimate(int(BASE_BYTES + memory), seconds, increments)
