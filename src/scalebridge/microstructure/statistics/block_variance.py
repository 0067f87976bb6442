"""How much do the volume fractions of equal blocks scatter, and how does that fall with their size?"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, final

import numpy as np

from scalebridge.grid import PhaseImage
from scalebridge.microstructure.statistics.indicator import indicator

if TYPE_CHECKING:
    from jaxtyping import Float

_MOST_PARTS = 64


@final
@dataclasses.dataclass(frozen=True, eq=False)
class BlockVariances:
    """Variances of the means of non-overlapping blocks, one row per number of parts into which every axis was cut.

    edges: (rows, d) voxels. counts: (rows,) blocks. variances: (rows,) sample variances (n - 1) about the mean of all
    blocks. Where means farther apart than a block are independent that is the variance of one block.
    """

    edges: np.ndarray
    counts: np.ndarray
    variances: np.ndarray
    total_voxels: int

    @property
    def voxels(self) -> Float[np.ndarray, " rows"]:
        """(rows,) voxels of one block."""
        return np.prod(self.edges.astype(float), axis=1)

    @property
    def relative_covariance(self) -> Float[np.ndarray, "rows rows"]:
        """Covariance of the relative errors of the variances, for independent Gaussian means.

        Each has the variance 2 / (n - 1); two cuts of the same image are correlated by sqrt(n_coarse / n_fine), for
        a coarse block is the mean of the fine ones in it.
        """
        n = self.counts.astype(float)
        error = np.sqrt(2.0 / (n - 1.0))
        coarse, fine = np.minimum.outer(n, n), np.maximum.outer(n, n)
        return np.outer(error, error) * np.sqrt(coarse / fine)


def block_means(mask: np.ndarray, parts: Sequence[int]) -> np.ndarray:
    """Mean over each of `parts` blocks per axis; what does not divide is left out at both ends. Shape: parts."""
    edges = [n // m for n, m in zip(mask.shape, parts, strict=True)]
    starts = [(n - m * b) // 2 for n, m, b in zip(mask.shape, parts, edges, strict=True)]
    cropped = mask[tuple(slice(s, s + m * b) for s, m, b in zip(starts, parts, edges, strict=True))]
    shape = [v for m, b in zip(parts, edges, strict=True) for v in (m, b)]
    sums = cropped.reshape(shape).sum(axis=tuple(range(1, 2 * mask.ndim, 2)), dtype=np.int64)
    return sums / math.prod(edges)


def block_variances(image: PhaseImage, label: int, *, smallest: Sequence[int]) -> BlockVariances:
    """Scatter of the volume fraction of `label` over blocks: every axis cut into 2, 3, 4, 6, 8, 12, ... parts.

    Blocks have at least `smallest` voxels per axis; there are no rows when not even two such parts fit.
    Fails when: the label does not occur (ImageError).
    """
    mask = indicator(image, label)
    shape = image.grid.shape
    edges, counts, variances = [], [], []
    for m in _parts():
        block = [n // m for n in shape]
        if any(b < s for b, s in zip(block, smallest, strict=True)):
            break
        means = block_means(mask, (m,) * len(shape))
        edges.append(block)
        counts.append(means.size)
        variances.append(float(means.var(ddof=1)))
    return BlockVariances(
        np.array(edges, int).reshape(-1, len(shape)),
        np.array(counts, int),
        np.array(variances, float),
        image.grid.size,
    )


def _parts() -> list[int]:
    powers = [2**k for k in range(1, 7)]
    return sorted({m for p in powers for m in (p, p * 3 // 2) if m <= _MOST_PARTS})
