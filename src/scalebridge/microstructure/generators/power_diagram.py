"""Power diagrams on voxel grids, and the weights for which their cells have prescribed volumes.

Cell i holds the points x with |x - s_i|^2 - w_i smallest; equal weights give Voronoi cells. The volumes are the
gradient of a concave function of the weights, so that a damped Newton method finds the weights [bourne2020].
Lengths are in voxels.
"""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, final

import numpy as np
import scipy.sparse
import scipy.sparse.linalg
import scipy.spatial

from scalebridge.core.threads import thread_count
from scalebridge.grid.image import count_labels

if TYPE_CHECKING:
    from jaxtyping import Num, Shaped

_SLAB = 1 << 18
SLAB_BYTES = 100 * _SLAB
_STRIDES = (8, 4, 2, 1)  # edges of the blocks of points, from those asked for first


@final
@dataclasses.dataclass(frozen=True, eq=False)
class Box:
    """Where the seeds are: edges in voxels, periodic or with walls."""

    edges: tuple[float, ...]
    periodic: bool

    def nearest_image(self, difference: np.ndarray) -> np.ndarray:
        """Difference vectors (..., d) to the nearest periodic image."""
        return difference - np.round(difference / self.edges) * self.edges if self.periodic else difference


def power_labels(
    points: Sequence[int],
    box: Box,
    seeds: Num[np.ndarray, "n d"],
    weights: Num[np.ndarray, " n"] | None = None,
    values: Shaped[np.ndarray, " n"] | None = None,
) -> np.ndarray:
    """The cell of each point of a regular grid, points[k] of them along axis k of the box.

    seeds (n, d) may lie outside a box with walls; weights (n,) in voxels^2. values (n,): what to write instead of
    the number of the cell. A power diagram is the section of a Voronoi diagram one dimension up: the seeds are
    lifted by sqrt(max w - w).
    Cells are convex: a block of points with all corners in one cell lies in it. Blocks are halved until they do, so
    that the tree is asked for points near faces only; slab by slab, in 1.2 bytes per point besides the labels.
    """
    nearest = _Nearest(box, seeds, weights)
    axes = [(np.arange(n) + 0.5) * (edge / n) for n, edge in zip(points, box.edges, strict=True)]
    ladder = [_every(stride, points) for stride in _STRIDES]
    found = nearest(np.stack(np.meshgrid(*_at(axes, ladder[0]), indexing="ij"), axis=-1))
    for coarse, fine in itertools.pairwise(ladder[:-1]):
        found = _refined(nearest, axes, coarse, fine, found, np.arange(len(seeds), dtype=np.int32))
    if values is None:
        values = np.arange(len(seeds), dtype=np.min_scalar_type(len(seeds) - 1))
    return _refined(nearest, axes, ladder[-2], ladder[-1], found, values)


@final
class _Nearest:
    """Which cell do points belong to, and to which periodic image of its seed?"""

    def __init__(self, box: Box, seeds: np.ndarray, weights: np.ndarray | None) -> None:
        self._box = box
        self._seeds = np.mod(seeds, box.edges) if box.periodic else seeds
        period: list[float] = list(box.edges) if box.periodic else [0.0] * len(box.edges)
        self._lifted, lifted = weights is not None, self._seeds
        if weights is not None:
            lifted = np.column_stack([lifted, np.sqrt(np.max(weights) - weights)])
            period.append(0.0)
        self._tree = scipy.spatial.cKDTree(lifted, boxsize=period if box.periodic else None)

    def __call__(self, points: np.ndarray) -> np.ndarray:
        """The cells (...) of points (..., d)."""
        if self._lifted:
            points = np.concatenate([points, np.zeros((*points.shape[:-1], 1))], axis=-1)
        return self._tree.query(points, workers=thread_count())[1].astype(np.int32)

    def image(self, points: np.ndarray, cells: np.ndarray) -> np.ndarray:
        """Different for different images of the same cell."""
        turns = np.round((points - self._seeds[cells]) / self._box.edges).astype(int) + 1
        return cells.astype(np.int64) * 3 ** points.shape[-1] + turns @ 3 ** np.arange(points.shape[-1])


def _every(stride: int, points: Sequence[int]) -> list[np.ndarray]:
    """Per axis every so many indices and the last one; two at least, as ends of a block."""
    found = [np.unique(np.append(np.arange(0, n, stride), n - 1)) for n in points]
    return [np.repeat(index, 2) if len(index) == 1 and stride > 1 else index for index in found]


def _at(axes: list[np.ndarray], indices: list[np.ndarray]) -> list[np.ndarray]:
    return [axis[index] for axis, index in zip(axes, indices, strict=True)]


def _alike(nearest: _Nearest, places: list[np.ndarray], cells: np.ndarray) -> np.ndarray:
    """For each block between neighbouring points: do all its corners lie in the same image of the same cell?"""
    alike = np.ones([len(place) - 1 for place in places], bool)
    lower = tuple(slice(-1) for _ in places)
    thick = max(1, _SLAB // math.prod(cells.shape[1:]))
    for start in range(0, len(alike), thick):
        rows = slice(start, start + thick + 1)
        corners = np.meshgrid(places[0][rows], *places[1:], indexing="ij")
        keys = nearest.image(np.stack(corners, axis=-1), cells[rows])
        for corner in itertools.product((slice(-1), slice(1, None)), repeat=len(places)):
            alike[start : start + thick] &= keys[corner] == keys[lower]
    return alike


def _refined(
    nearest: _Nearest,
    axes: list[np.ndarray],
    coarse: list[np.ndarray],
    fine: list[np.ndarray],
    cells: np.ndarray,
    values: np.ndarray,
) -> np.ndarray:
    """Values of the cells at `fine` indices, from the cells at `coarse` ones where these are equal all around."""
    alike = _alike(nearest, _at(axes, coarse), cells)
    cells = cells[tuple(slice(-1) for _ in axes)]
    blocks = [
        np.minimum(np.searchsorted(ends, index, side="right") - 1, len(ends) - 2)
        for ends, index in zip(coarse, fine, strict=True)
    ]
    result = np.empty(tuple(map(len, fine)), values.dtype)
    thick = max(1, _SLAB // math.prod(result.shape[1:]))
    for start in range(0, len(result), thick):
        rows = np.ix_(blocks[0][start : start + thick], *blocks[1:])
        part = values[cells[rows]]
        open_places = np.nonzero(~alike[rows])
        places = (open_places[0] + start, *open_places[1:])
        asked = np.stack([a[i[p]] for a, i, p in zip(axes, fine, places, strict=True)], axis=-1)
        part[open_places] = values[nearest(asked)]
        result[start : start + thick] = part
    return result


def _volumes(labels: np.ndarray, box: Box, count: int) -> np.ndarray:
    voxel = math.prod(box.edges) / labels.size
    found = count_labels(labels)[:count] * voxel
    return np.concatenate([found, np.zeros(count - len(found))])


def _crossings(
    labels: np.ndarray, box: Box, axis: int
) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]]:
    """Faces along an axis between voxels of different cells, slab by slab: centres (m, d) of the voxels before them,
    of those behind, and the two labels (m,).
    """
    spacing = np.divide(box.edges, labels.shape)
    thick = max(1, _SLAB // math.prod(labels.shape[1:]))
    for start in range(0, len(labels), thick):
        here = labels[start : start + thick]
        if axis == 0:
            there = labels[np.arange(start + 1, start + len(here) + 1) % len(labels)]
        else:
            there = np.roll(here, -1, axis)
        places = np.argwhere(here != there)
        labelled = here[tuple(places.T)], there[tuple(places.T)]
        places[:, 0] += start
        inside = slice(None) if box.periodic else places[:, axis] < labels.shape[axis] - 1
        before = (places[inside] + 0.5) * spacing
        behind = before.copy()
        behind[:, axis] += spacing[axis]
        yield before, behind, labelled[0][inside].astype(np.int64), labelled[1][inside].astype(np.int64)


def _jacobian(labels: np.ndarray, box: Box, seeds: np.ndarray) -> scipy.sparse.csc_array:
    """dV/dw: a face of area A between cells d apart moves by dw / (2 d), so it is a graph Laplacian with A / (2 d).

    The area of a face is known from the voxel faces it crosses, each weighted with the direction it projects to.
    The distance is that of the two images whose cells meet there, which need not be the nearest ones: each
    voxel knows the image it belongs to.
    """
    count, spacing = len(seeds), np.divide(box.edges, labels.shape)
    links = scipy.sparse.csc_array((count, count))
    for axis in range(labels.ndim):
        area = np.prod(spacing) / spacing[axis]
        for before, behind, i, j in _crossings(labels, box, axis):
            apart = behind - box.nearest_image(behind - seeds[j])
            apart -= before - box.nearest_image(before - seeds[i])
            value = area * np.abs(apart[:, axis]) / (2 * np.sum(apart**2, axis=1))
            links = links + scipy.sparse.csc_array((value, (i, j)), shape=(count, count))
    links = links + links.T
    return scipy.sparse.diags_array(links.sum(axis=1)).tocsc() - links


@final
@dataclasses.dataclass(frozen=True, eq=False)
class WeightFit:
    """Weights, the labels they give on the finest grid, the volumes reached and the Newton steps taken."""

    weights: np.ndarray
    labels: np.ndarray
    volumes: np.ndarray
    steps: int


def _newton(
    points: Sequence[int],
    box: Box,
    seeds: np.ndarray,
    weights: np.ndarray,
    target: np.ndarray,
    tolerance: float,
    most_steps: int,
) -> WeightFit:
    count, quantum = len(seeds), math.prod(box.edges) / math.prod(points)
    # Below this a cell is about to vanish, and with it what the Jacobian knows about it.
    floor = 0.3 * float(np.min(target))
    labels = power_labels(points, box, seeds, weights)
    volumes = _volumes(labels, box, count)
    for step in range(most_steps):
        misfit = target - volumes
        if np.all(np.abs(misfit) <= np.maximum(tolerance * target, quantum)):
            return WeightFit(weights, labels, volumes, step)
        slope = _jacobian(labels, box, seeds)
        ridge = 1e-9 * slope.diagonal().mean() + 1e-300
        change = scipy.sparse.linalg.spsolve(
            slope + ridge * scipy.sparse.eye_array(count, format="csc"), misfit
        )
        change -= change.mean()
        length = 1.0
        while True:
            trial = weights + length * change
            trial_labels = power_labels(points, box, seeds, trial)
            trial_volumes = _volumes(trial_labels, box, count)
            better = np.linalg.norm(target - trial_volumes) < np.linalg.norm(misfit)
            if better and trial_volumes.min() >= min(floor, volumes.min()):
                break
            length /= 2
            if length < 1 / 64:
                return WeightFit(weights, labels, volumes, step)
        weights, labels, volumes = trial, trial_labels, trial_volumes
    return WeightFit(weights, labels, volumes, most_steps)


def fit_weights(
    shape: Sequence[int],
    box: Box,
    seeds: Num[np.ndarray, "n d"],
    weights: Num[np.ndarray, " n"],
    target: Num[np.ndarray, " n"],
    tolerance: float,
) -> WeightFit:
    """Weights for which the cells on the voxel grid `shape` have the volumes `target` (n,), summing to the box's.

    Coarse grids first; each Newton step costs one or two labellings. Stops at the relative `tolerance` (or one
    voxel), or where no step brings the volumes closer: compare `volumes` with the targets.
    """
    levels = [tuple(shape)]
    while math.prod(levels[-1]) / 8 > 400 * len(seeds):
        levels.append(tuple(math.ceil(n / 2) for n in levels[-1]))
    for points in reversed(levels[1:]):
        weights = _newton(points, box, seeds, weights, target, max(tolerance, 0.03), 20).weights
    return _newton(levels[0], box, seeds, weights, target, tolerance, 30)
