"""Power diagrams on voxel grids, and the weights for which their cells have prescribed volumes.

Cell i holds the points x with |x - s_i|^2 - w_i smallest; equal weights give Voronoi cells. The volumes are the
gradient of a concave function of the weights, so that a damped Newton method finds the weights [bourne2020].
Lengths are in voxels.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Sequence
from typing import final

import numpy as np
import scipy.sparse
import scipy.sparse.linalg
import scipy.spatial

from scalebridge.grid.image import count_labels

_SLAB = 1 << 18
_WORKERS = 2


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
    seeds: np.ndarray,
    weights: np.ndarray | None = None,
) -> np.ndarray:
    """The cell of each point of a regular grid, points[k] of them along axis k of the box.

    seeds (n, d) may lie outside a box with walls; weights (n,) in voxels^2. A power diagram is the section of a
    Voronoi diagram one dimension up: the seeds are lifted by sqrt(max w - w). Points are asked for slab by slab,
    so that memory is that of the labels.
    """
    period: list[float] = list(box.edges) if box.periodic else [0.0] * len(box.edges)
    lifted = np.mod(seeds, box.edges) if box.periodic else seeds
    if weights is not None:
        lifted = np.column_stack([lifted, np.sqrt(np.max(weights) - weights)])
        period.append(0.0)
    tree = scipy.spatial.cKDTree(lifted, boxsize=period if box.periodic else None)
    axes = [(np.arange(n) + 0.5) * (edge / n) for n, edge in zip(points, box.edges, strict=True)]
    labels = np.empty(tuple(points), np.uint8 if len(seeds) <= 256 else np.uint16)
    thick = max(1, _SLAB // math.prod(points[1:]))
    for start in range(0, points[0], thick):
        slab = list(np.meshgrid(axes[0][start : start + thick], *axes[1:], indexing="ij"))
        if weights is not None:
            slab.append(np.zeros(slab[0].shape))
        labels[start : start + thick] = tree.query(np.stack(slab, axis=-1), workers=_WORKERS)[1]
    return labels


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
    seeds: np.ndarray,
    weights: np.ndarray,
    target: np.ndarray,
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
