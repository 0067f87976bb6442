"""The part of an image that is enough to measure it by."""

from __future__ import annotations

import dataclasses

import numpy as np

from scalebridge.grid import PhaseImage

LARGEST = 1 << 22  # voxels: beyond, the middle of the image tells the same in seconds instead of minutes


def middle(image: PhaseImage) -> PhaseImage:
    """The image, or the largest box of its proportions in the middle that is quick to measure (not periodic then)."""
    if image.grid.size <= LARGEST:
        return image
    share = (LARGEST / image.grid.size) ** (1 / image.grid.ndim)
    kept = [max(1, int(n * share)) for n in image.grid.shape]
    start = [(n - k) // 2 for n, k in zip(image.grid.shape, kept, strict=True)]
    part = image.labels[tuple(slice(s, s + k) for s, k in zip(start, kept, strict=True))]
    grid = dataclasses.replace(image.grid, shape=tuple(kept))
    return PhaseImage(np.ascontiguousarray(part), grid, (*image.history, "the middle, to be measured"))
