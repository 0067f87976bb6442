r"""How much the answer depends on the voxel size: the same material on coarsened images.

The image is coarsened by 2 and by 4 (most frequent label). The differences d1 = v(n) - v(n/2), d2 = v(n/2) - v(n/4)
see both errors that a finer scan would remove: the discretization error of the elements and the displacement of the
interfaces by the voxels. Neither difference alone is trustworthy (majority votes happen to hit a fraction by luck),
hence the estimate sqrt(|d1|^2 + |d2 / 2|^2): for a first-order error e it is sqrt(2) e. Calibrated on arrays of discs
and spheres whose exact values are known (docs/error-budget.md).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from scalebridge.grid import PhaseImage
from scalebridge.homogenize.result import ResolutionStudy
from scalebridge.microstructure import coarsen, trim

if TYPE_CHECKING:
    from jaxtyping import Float, Num

SMALLEST = 4  # voxels along the shortest edge of the coarsest image


def coarser_images(image: PhaseImage, levels: int = 2) -> tuple[PhaseImage, ...]:
    """The image coarsened by 2, 4, ... as long as it keeps SMALLEST voxels per edge; fine to coarse."""
    images = []
    current = image
    for _ in range(levels):
        if min(current.grid.shape) < 2 * SMALLEST:
            break
        even = tuple(n - n % 2 for n in current.grid.shape)
        if even != current.grid.shape:
            current = trim(current, 2)
        current = coarsen(current, 2)
        images.append(current)
    return tuple(images)


def prolong(
    coarse: Num[np.ndarray, "c *nodes"], shape: tuple[int, ...], periodic: bool
) -> Float[np.ndarray, "c *finer"]:
    """Multilinear interpolation of nodal fluctuations onto twice as fine nodes, rescaled to the finer voxel edge.

    Shapes: coarse (c, *nodes) -> (c, *shape). Voxels are halved, so lengths counted in voxels double.
    """
    w = coarse.astype(np.float32)
    for axis, n in enumerate(shape, start=1):
        old = w.shape[axis]
        # Box nodes stay end to end; trimmed periodic cells lack at most the last layer, which wraps.
        where = (
            np.arange(n) * ((old - 1) / max(n - 1, 1)) if not periodic else np.minimum(np.arange(n) / 2, old)
        )
        low = np.minimum(np.floor(where).astype(int), old - (0 if periodic else 1))
        t = (where - low).astype(np.float32).reshape(tuple(-1 if a == axis else 1 for a in range(w.ndim)))
        high = low + 1
        if periodic:
            low, high = low % old, high % old
        else:
            high = np.minimum(high, old - 1)
        w = (1 - t) * np.take(w, low, axis=axis) + t * np.take(w, high, axis=axis)
    return np.float32(2) * w


class _Guess:
    """One coarse solution on finer nodes, made anew whenever it is read and held by nobody."""

    def __init__(self, coarse: Any, nodes: tuple[int, ...], periodic: bool) -> None:
        self.coarse, self.nodes, self.periodic = coarse, nodes, periodic

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        coarse = np.asarray(self.coarse)
        parts = (prolong(part[None], self.nodes, self.periodic) for part in coarse)
        out: np.ndarray = np.empty((len(coarse), *self.nodes), np.float32)
        for i, part in enumerate(parts):
            out[i] = part[0]
        return out if dtype is None else out.astype(dtype, copy=False)


class Prolonged(Sequence[Any]):
    """Coarse solutions as guesses on finer nodes, made one at a time when read: six at once take memory."""

    def __init__(self, coarse: Sequence[Any], nodes: tuple[int, ...], periodic: bool) -> None:
        self.coarse, self.nodes, self.periodic = coarse, nodes, periodic

    def __len__(self) -> int:
        return len(self.coarse)

    def __getitem__(self, n: Any) -> Any:
        return _Guess(self.coarse[n], self.nodes, self.periodic)


@dataclasses.dataclass(frozen=True)
class ResolutionEstimate:
    """The study and the relative error that it suggests for the finest value (None: nothing to compare)."""

    study: ResolutionStudy | None
    error: float | None


def resolution_estimate(
    values: list[np.ndarray], voxels: list[int], norm: Callable[[np.ndarray], float] | None = None
) -> ResolutionEstimate:
    """From values ordered coarse to fine. The extrapolation assumes a constant order between 0.5 and 2."""
    size = norm or (lambda a: float(np.linalg.norm(a)))
    scale = size(values[-1])
    if len(values) < 2:
        return ResolutionEstimate(None, None)
    first = size(values[-1] - values[-2])
    second = size(values[-2] - values[-3]) if len(values) > 2 else 2 * first
    error = float(np.hypot(first, second / 2)) / scale if scale > 0 else None
    order = extrapolated = None
    if len(values) > 2 and first > 0:
        observed = np.log2(second / first) if second > 0 else 0.0
        aligned = float(np.sum((values[-1] - values[-2]) * (values[-2] - values[-3]))) > 0
        if aligned and 0.5 <= observed <= 2.5:
            order = float(min(observed, 2.0))
            extrapolated = values[-1] + (values[-1] - values[-2]) / (2**order - 1)
    return ResolutionEstimate(ResolutionStudy(tuple(voxels), tuple(values), extrapolated, order), error)
