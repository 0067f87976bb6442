"""Where a cell found no equilibrium, in words."""

from __future__ import annotations

import numpy as np

from scalebridge.cell.nonlinear.elements import VoxelElements
from scalebridge.cell.nonlinear.points import Answer, Points
from scalebridge.numerics.conjugate_gradients import Vector


def where_it_failed(elements: VoxelElements, points: Points, answer: Answer, cell: int) -> str:
    """The first point without an answer, in words."""
    voxel = answer.first_failed[cell]
    place = tuple(int(v) for v in np.unravel_index(voxel, elements.shape))
    law = _law_of(points, cell, voxel)
    return (
        f"{law} had no answer at {int(answer.failed[cell])} of {points.voxels * elements.points} points, first in "
        f"voxel {place}"
    )


def where_it_is_off(elements: VoxelElements, points: Points, residual: Vector, cell: int) -> str:
    """The node with the largest force, in words."""
    squared = sum(np.asarray(v[cell], np.float64) ** 2 for v in residual)
    node = np.unravel_index(int(np.argmax(np.nan_to_num(squared))), elements.nodes)
    place = tuple(min(int(i), n - 1) for i, n in zip(node, elements.shape, strict=True))
    law = _law_of(points, cell, int(np.ravel_multi_index(place, elements.shape)))
    return f"most at voxel {place}, {law}"


def _law_of(points: Points, cell: int, voxel: int) -> str:
    """The name of the law of a voxel."""
    names = [
        group.names[int(group.which[cell, row])]
        for group in points.groups
        for row in np.flatnonzero(group.members[cell] == voxel)[:1]
    ]
    return names[0] if names else "a void"
