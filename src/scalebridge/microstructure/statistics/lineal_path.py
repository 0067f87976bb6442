"""Straight ways through one phase: lineal-path function and chord lengths.

Both are counted from the runs of equal voxels along the lines of an axis. A segment of k voxel edges joins the centres
of k + 1 voxels and lies in the phase when all of them do [torquato2002].
"""

from __future__ import annotations

import dataclasses
import math
from typing import TYPE_CHECKING, final

import numpy as np

from scalebridge.core.errors import ImageError
from scalebridge.grid import PhaseImage
from scalebridge.microstructure.statistics.curve import Curve
from scalebridge.microstructure.statistics.indicator import check_axis, indicator

if TYPE_CHECKING:
    from jaxtyping import Float

_CHUNK = 1 << 23


@final
@dataclasses.dataclass(frozen=True, eq=False)
class Runs:
    """Runs of a phase along the lines of an axis, as counts per length in voxels.

    Shapes: (n + 1,) each, index = length. whole: both ends seen. cut: one end lies beyond the border. full: lines
    that are phase from border to border (endless when periodic). lines: how many lines of n voxels there are.
    """

    whole: np.ndarray
    cut: np.ndarray
    full: int
    lines: int
    periodic: bool

    @property
    def n(self) -> int:
        return len(self.whole) - 1

    @property
    def voxels(self) -> int:
        lengths = np.arange(self.n + 1)
        return int(lengths @ (self.whole + self.cut)) + self.full * self.n

    @property
    def ends(self) -> int:
        """Ends of chords that are seen: borders between the phase and others along the lines."""
        return 2 * int(self.whole.sum()) + int(self.cut.sum())


def runs(image: PhaseImage, label: int, axis: int, *, periodic: bool) -> Runs:
    """Count the runs of phase `label` along `axis`; periodic joins the two ends of every line.

    Memory: about 10 bytes per voxel of a slab of eight million. Fails when: the label does not occur or there is no
    such axis (ImageError).
    """
    check_axis(image, axis)
    n = image.grid.shape[axis]
    lines = np.moveaxis(indicator(image, label), axis, -1).reshape(-1, n)
    whole, cut, full = np.zeros(n + 1, np.int64), np.zeros(n + 1, np.int64), 0
    rows = max(1, _CHUNK // n)
    for begin in range(0, len(lines), rows):
        part = lines[begin : begin + rows]
        framed = np.zeros((len(part), n + 2), np.int8)
        framed[:, 1:-1] = part
        step = np.diff(framed, axis=1)
        row, start = np.nonzero(step == 1)
        end = np.nonzero(step == -1)[1]
        length = end - start
        low, high = start == 0, end == n
        inside = ~low & ~high
        whole += np.bincount(length[inside], minlength=n + 1)
        through = low & high
        full += int(np.count_nonzero(through))
        if periodic:
            # The last run of a line goes on in its first one; either may be missing.
            ends = np.zeros(len(part), np.int64)
            for border in (low & ~through, high & ~through):
                ends[row[border]] += length[border]
            whole += np.bincount(ends[ends > 0], minlength=n + 1)
        else:
            cut += np.bincount(length[(low | high) & ~through], minlength=n + 1)
    return Runs(whole, cut, full, len(lines), periodic)


def lineal_path(image: PhaseImage, label: int, axis: int, *, periodic: bool) -> Curve:
    """L(r): probability that a segment of length r along `axis`, thrown at random, lies wholly in the phase.

    Not periodic: the mean over all n - k segments of k voxel edges that lie in the image, free of bias (minus
    sampling). L(0) is the volume fraction. Distances 0 to (n - 1) voxel edges. An image knows the phase at voxel
    centres only and misses thin interruptions, so that L is a little too large where features are few voxels wide.
    """
    counted = runs(image, label, axis, periodic=periodic)
    n = counted.n
    lengths = np.arange(n + 1)
    number = counted.whole + counted.cut
    # Segments of k edges in a run of m voxels: m - k. Sums over m > k, from the long end.
    longer = np.cumsum(number[::-1])[::-1] - number
    weighted = np.cumsum((number * lengths)[::-1])[::-1] - number * lengths
    k = np.arange(n)
    held = (weighted[:n] - k * longer[:n]).astype(float)
    positions = np.full(n, n) if periodic else n - k
    held += counted.full * positions
    weights = positions.astype(float) * counted.lines
    return Curve(k * image.grid.cell_size[axis], held / weights, weights)


@final
@dataclasses.dataclass(frozen=True, eq=False)
class ChordLengths:
    """Distribution of the lengths of the chords that the phase cuts from lines along one axis.

    lengths: (n,) 1 to n voxel edges, in the unit of the cell size. probabilities: (n,) of each length.
    mean: volume fraction over the number of chords per length of line, which no border biases.
    observed: chords with both ends seen. censored: with one. unresolved: probability of chords longer than the
    image can tell (0 when all are seen); the probabilities sum to 1 - unresolved.
    """

    lengths: np.ndarray
    probabilities: np.ndarray
    mean: float
    observed: int
    censored: int
    unresolved: float

    @property
    def longer_than(self) -> Float[np.ndarray, " n"]:
        """(n,) probability that a chord is longer than each of `lengths`."""
        return 1.0 - np.cumsum(self.probabilities)


def chord_lengths(image: PhaseImage, label: int, axis: int, *, periodic: bool) -> ChordLengths:
    """Chord-length distribution along `axis`.

    Not periodic: long chords are cut by the border more often than short ones, so that dropping the cut ones would
    favour the short. Every chord is taken from each of its ends that is seen, and those whose other end is not are
    right-censored at the border (Kaplan-Meier, product-limit estimate [kaplan1958]): how far the border is from an
    end does not depend on the chord, so the censoring is fair. Lines wholly in the phase show no end and take no
    part. Fails when: no chord has an end, as in a laminate along its layers (ImageError).
    """
    counted = runs(image, label, axis, periodic=periodic)
    edge = image.grid.cell_size[axis]
    n = counted.n
    if counted.ends == 0:
        raise ImageError(
            f"Along axis {axis} the phase {label} has no chord with both ends: every line that meets it stays "
            "inside it up to the border."
        )
    ends = 2 * counted.whole + counted.cut
    events = 2 * counted.whole
    at_risk = np.cumsum(ends[::-1])[::-1]
    hazard = np.divide(events, at_risk, out=np.zeros(n + 1), where=at_risk > 0)
    survival = np.cumprod(1.0 - hazard)
    probabilities = -np.diff(survival)
    steps = counted.lines * (n if periodic else n - 1)
    chords_per_step = counted.ends / (2 * steps)
    mean = edge * counted.voxels / (counted.lines * n) / chords_per_step
    unresolved = float(survival[-1])
    return ChordLengths(
        np.arange(1, n + 1) * edge,
        probabilities,
        float(mean),
        int(counted.whole.sum()),
        int(counted.cut.sum()),
        0.0 if math.isclose(unresolved, 0.0, abs_tol=1e-12) else unresolved,
    )
