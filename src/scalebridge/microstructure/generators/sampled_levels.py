"""Functions of lattices on voxel grids: which level encloses a volume fraction, and which voxels lie above it.

A lattice repeats, so that its function is evaluated where coordinates differ only. It is kept as whole steps: voxels
that are equivalent by symmetry then stay equal and are cut alike. Four bytes per distinct voxel, slab by slab.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from typing import final

import numpy as np

# From the three coordinates in units of the cell (sparse) to a function that is largest inside the solid.
Level = Callable[[list[np.ndarray]], np.ndarray]

_STEP = 1e-6
_SLAB = 1 << 18
SLAB_BYTES = 60 * _SLAB
_BITS = 16  # of the bins that steps are counted in
_DIFFERENCE = 1e-4  # of the coordinates, for slopes


@final
@dataclasses.dataclass(frozen=True, eq=False)
class SampledLevel:
    """A function in whole steps (int32) over the distinct `coordinates`; `indices` spread these over all voxels."""

    level: Level
    coordinates: list[np.ndarray]
    indices: list[np.ndarray]
    steps: np.ndarray

    def slabs(self) -> Iterator[tuple[slice, np.ndarray]]:
        """Rows of `steps`, and how many voxels each of their entries stands for."""
        counts = [np.bincount(index).astype(float) for index in self.indices]
        layer = counts[1][:, None] * counts[2]
        thick = max(1, _SLAB // layer.size)
        for start in range(0, len(self.steps), thick):
            rows = slice(start, start + thick)
            yield rows, counts[0][rows, None, None] * layer

    def slope(self, places: tuple[np.ndarray, ...]) -> np.ndarray:
        """Norm of the gradient by the coordinates at places (per axis the index of a distinct coordinate)."""
        points = [c.reshape(-1)[place] for c, place in zip(self.coordinates, places, strict=True)]
        square = np.zeros(len(places[0]))
        for axis in range(len(points)):
            ends = [[p + sign * (k == axis) * _DIFFERENCE for k, p in enumerate(points)] for sign in (1, -1)]
            square += ((self.level(ends[0]) - self.level(ends[1])) / (2 * _DIFFERENCE)) ** 2
        return np.sqrt(square)


def _folded(coordinate: np.ndarray, mirrored: bool) -> np.ndarray:
    coordinate = np.mod(coordinate, 1.0)
    return np.minimum(coordinate, 1 - coordinate) if mirrored else coordinate


def sample(level: Level, coordinates: list[np.ndarray], mirrored: bool) -> SampledLevel:
    """`level` on the grid of these coordinates per axis; mirrored: it is even around the middle of the cell."""
    distinct, indices = [], []
    for axis, coordinate in enumerate(coordinates):
        values, index = np.unique(np.round(_folded(coordinate, mirrored), 9), return_inverse=True)
        distinct.append(values.reshape([-1 if k == axis else 1 for k in range(len(coordinates))]))
        indices.append(index)
    steps = np.empty(tuple(values.size for values in distinct), np.int32)
    sampled = SampledLevel(level, distinct, indices, steps)
    for rows, _ in sampled.slabs():
        steps[rows] = np.rint(level([distinct[0][rows], *distinct[1:]]) / _STEP)
    return sampled


def _level_step(sampled: SampledLevel, volume: float) -> tuple[int, float, float]:
    """The highest step that encloses at least so many voxels; how many lie above it, and how many on it."""
    lowest = int(sampled.steps.min())
    shift = max(0, (int(sampled.steps.max()) - lowest).bit_length() - _BITS)
    above = 0.0
    for coarse in (shift, 0):
        weight = np.zeros(1 << (_BITS if coarse == shift else shift))
        for rows, counts in sampled.slabs():
            bins = (sampled.steps[rows] - lowest) >> coarse
            inside = (bins >= 0) & (bins < len(weight))
            weight += np.bincount(bins[inside], weights=counts[inside], minlength=len(weight))
        enclosed = above + np.cumsum(weight[::-1])[::-1]
        found = int(np.flatnonzero(enclosed >= min(volume, enclosed[0]))[-1])
        above = float(enclosed[found] - weight[found])
        lowest += found << coarse
        if coarse == 0:
            break
    return lowest, above, float(weight[found])


def level_of_fraction(sampled: SampledLevel, fraction: float) -> float:
    """The level at or above which the share of voxels is nearest to `fraction`."""
    volume = fraction * float(np.prod([len(index) for index in sampled.indices]))
    step, above, on = _level_step(sampled, volume)
    return _STEP * (step if above + on - volume <= volume - above else step + 1)


def labels_above(sampled: SampledLevel, level: float) -> np.ndarray:
    """1 at or above the level (uint8), for all voxels."""
    inside = (sampled.steps >= round(level / _STEP)).view(np.uint8)
    return inside[np.ix_(*sampled.indices)]


def labels_of_fraction(sampled: SampledLevel, fraction: float) -> tuple[np.ndarray, float]:
    """Labels (uint8) of which the share of ones is nearest to `fraction`, and the level at which they are cut.

    Many voxels may lie on that level, more than symmetry makes equivalent (wherever cos x = -cos y in
    cos x + cos y + cos z): those where the function is steepest, which are nearest to its zero, come first.
    """
    volume = fraction * float(np.prod([len(index) for index in sampled.indices]))
    step, above, _ = _level_step(sampled, volume)
    inside = (sampled.steps > step).view(np.uint8)
    tied = np.nonzero(sampled.steps == step)
    counts = [np.bincount(index) for index in sampled.indices]
    weight = counts[0][tied[0]] * counts[1][tied[1]] * counts[2][tied[2]]
    # Rounded, so that what is equivalent stays together.
    _, orbit = np.unique(-np.round(sampled.slope(tied), 4), return_inverse=True)
    taken = np.concatenate([[0.0], np.cumsum(np.bincount(orbit, weights=weight))])
    inside[tied] = orbit < np.argmin(np.abs(above + taken - volume))
    return inside[np.ix_(*sampled.indices)], step * _STEP
