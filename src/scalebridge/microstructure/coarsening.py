"""Coarser images of the same piece of material, for resolution studies and quick first solutions."""

from __future__ import annotations

import dataclasses
import math
from typing import TYPE_CHECKING

import numpy as np

from scalebridge.core.errors import ImageError
from scalebridge.grid import PhaseImage, VoxelGrid

if TYPE_CHECKING:
    from jaxtyping import Shaped

_FEW_LABELS = 8
_SLAB_VOXELS = 1 << 22


@dataclasses.dataclass(frozen=True, eq=False)
class CoarseFractions:
    """Volume fractions of each phase in every coarse voxel.

    labels: (p,) ascending. fractions: (p, *coarse shape) float32, summing to one over p.
    """

    labels: tuple[int, ...]
    fractions: np.ndarray
    grid: VoxelGrid
    history: tuple[str, ...] = ()


def coarsen(image: PhaseImage, factor: int) -> PhaseImage:
    """Each block of factor^d voxels becomes one voxel with the label that is most frequent in it.

    Ties are drawn among the tied labels by a hash of the block's position: the same image always gives the
    same result, no phase is favoured, and merging of slabs does not change anything.
    Fails when: a length is not a multiple of the factor (ImageError; `trim` cuts it).
    """
    shape = _coarse_shape(image, factor)
    if factor == 1:
        return image
    labels = np.array(image.present, dtype=image.labels.dtype)
    result = np.empty(shape, image.labels.dtype)
    few = len(labels) <= _FEW_LABELS
    rows = max(1, _SLAB_VOXELS // max(1, math.prod(image.grid.shape[1:]) * factor))
    for start in range(0, shape[0], rows):
        part = image.index[start * factor : (start + rows) * factor]
        pick = _frequent_by_counting if few else _frequent_by_sorting
        winner = pick(_blocks(part, factor), len(labels), start * math.prod(shape[1:]))
        result[start : start + rows] = labels[winner].reshape(-1, *shape[1:])
    spacing = None if image.grid.spacing is None else [h * factor for h in image.grid.spacing]
    return image.with_labels(result, f"coarsened by {factor} (most frequent label)", spacing)


def coarsen_fractions(image: PhaseImage, factor: int) -> CoarseFractions:
    """The exact phase fractions in each block of factor^d voxels: nothing is rounded away. Fails like
    `coarsen`.
    """
    shape = _coarse_shape(image, factor)
    fractions = np.empty((len(image.present), *shape), np.float32)
    axes = tuple(range(1, 2 * image.grid.ndim, 2))
    split = tuple(n for length in shape for n in (length, factor))
    for position in range(len(image.present)):
        mask = (image.index == position).reshape(split)
        fractions[position] = mask.sum(axis=axes, dtype=np.uint32) / factor**image.grid.ndim
    spacing = None if image.grid.spacing is None else tuple(h * factor for h in image.grid.spacing)
    step = f"coarsened by {factor} (phase fractions)"
    return CoarseFractions(image.present, fractions, VoxelGrid(shape, spacing), (*image.history, step))


def _coarse_shape(image: PhaseImage, factor: int) -> tuple[int, ...]:
    shape = image.grid.shape
    if factor < 1 or any(n % factor for n in shape):
        raise ImageError(
            f"The shape {shape} cannot be coarsened by {factor}: every length must be a multiple. "
            "Use trim(image, factor) first, or another factor."
        )
    return tuple(n // factor for n in shape)


def _blocks(
    part: Shaped[np.ndarray, "*fine"], factor: int
) -> Shaped[np.ndarray, "blocks {factor}**{part.ndim}"]:
    """(blocks, factor^d), blocks in C order of the coarse grid."""
    ndim = part.ndim
    split = part.reshape([n for length in part.shape for n in (length // factor, factor)])
    order = [*range(0, 2 * ndim, 2), *range(1, 2 * ndim, 2)]
    return split.transpose(order).reshape(-1, factor**ndim)


def _draw(block: np.ndarray, label: np.ndarray) -> np.ndarray:
    """A number in [0, 65536) from position and label, as good as random (the finalizer of splitmix64)."""
    with np.errstate(over="ignore"):
        h = block.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15) + label.astype(np.uint64) * np.uint64(
            0xD1B54A32D192ED03
        )
        h = (h ^ (h >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        h = (h ^ (h >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return ((h ^ (h >> np.uint64(31))) >> np.uint64(48)).astype(np.int64)


def _frequent_by_counting(blocks: np.ndarray, labels: int, first: int) -> np.ndarray:
    position = np.arange(first, first + len(blocks))
    best = np.full(len(blocks), -1, np.int64)
    winner = np.zeros(len(blocks), np.intp)
    for label in range(labels):
        count = (blocks == label).sum(axis=1, dtype=np.int64)
        score = (count << 16) + _draw(position, np.array(label))
        better = (score > best) & (count > 0)
        best[better] = score[better]
        winner[better] = label
    return winner


def _frequent_by_sorting(blocks: np.ndarray, labels: int, first: int) -> np.ndarray:
    """For many labels: the longest run in every sorted block, same draw between equals."""
    ordered = np.sort(blocks, axis=1)
    index = np.arange(ordered.shape[1])
    begins = np.ones(ordered.shape, bool)
    begins[:, 1:] = ordered[:, 1:] != ordered[:, :-1]
    run = index - np.maximum.accumulate(np.where(begins, index, 0), axis=1)
    position = np.arange(first, first + len(blocks))[:, None]
    best = np.argmax((run.astype(np.int64) << 16) + _draw(position, ordered), axis=1)
    return ordered[np.arange(len(blocks)), best].astype(np.intp)
