r"""Into which windows is an image cut to see how much one sample of its size may be off?

Windows of two or three sizes: the largest of which there are at least eight, others down to a quarter of it. A scatter
relative to its own mean needs no more than a few voxels per feature: where the image has more, the windows are cut from
its coarsened copy, which costs a fraction.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import final

from scalebridge.core.errors import InputError
from scalebridge.grid import PhaseImage
from scalebridge.homogenize.validity import interface_share

SMALLEST = 8  # voxels along an edge of a window, as solved
FEWEST = 8  # windows of one size chosen automatically: fewer say little about a scatter
FEATURE = 4.0  # voxels from one change of phase to the next that coarsening leaves on average
LARGEST_FACTOR = 8
_PARTS = (1, 2, 3, 4, 6, 8, 12, 16)


@final
@dataclasses.dataclass(frozen=True)
class Subvolumes:
    """What the statistical term of the error budget is made from.

    sizes: edges of the windows in voxels of the image, at least two of them (None: chosen). most: windows solved per
    size; where there are more, a seeded choice among them.
    """

    sizes: tuple[int, ...] | None = None
    most: int = 64

    def __post_init__(self) -> None:
        if self.sizes is not None:
            object.__setattr__(self, "sizes", tuple(sorted({int(n) for n in self.sizes}, reverse=True)))
            if len(self.sizes) < 2 or self.sizes[-1] < 2:
                raise InputError(
                    f"Sub-volumes need at least two sizes of at least two voxels per edge, got {list(self.sizes)}: how "
                    "the scatter falls with the size is what carries it to the whole image."
                )
        if self.most < 2:
            raise InputError(f"At least two sub-volumes per size are needed, got most = {self.most}.")


@final
@dataclasses.dataclass(frozen=True)
class WindowPlan:
    """factor: the windows are cut from the image coarsened so many times. sizes: edges in voxels of that one.

    counts: windows solved of each size. Without sizes the image is too small; `words` says so.
    """

    factor: int
    sizes: tuple[int, ...]
    counts: tuple[int, ...]

    @property
    def words(self) -> str:
        if not self.sizes:
            return (
                f"none: the image does not hold {FEWEST} windows of {SMALLEST} voxels per edge in two sizes"
            )
        first, *rest = zip(self.counts, self.sizes, strict=True)
        listed = [f"{first[0]} windows of {first[1] * self.factor}"] + [
            f"{count} of {size * self.factor}" for count, size in rest
        ]
        where = f", solved on the image coarsened by {self.factor}" if self.factor > 1 else ""
        return f"{joined(listed)} voxels per edge{where}"


def joined(parts: Sequence[str]) -> str:
    """ "a, b and c"."""
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"


def plan_windows(image: PhaseImage, subvolumes: Subvolumes) -> WindowPlan:
    """Sizes, numbers and coarsening. Fails when a size that was asked for does not fit twice (InputError)."""
    shape = image.grid.shape
    share = interface_share(image)
    feature = 1.0 / share if share > 0 else math.inf
    sizes = subvolumes.sizes or _chosen(shape, feature)
    for size in sizes:
        if _count(shape, size) < 2:
            raise InputError(
                f"Sub-volumes of {size} voxels per edge: an image of {' x '.join(map(str, shape))} voxels holds fewer "
                "than two. Give smaller sizes, or let them be chosen (subvolumes = auto)."
            )
    if len(sizes) < 2:
        return WindowPlan(1, (), ())
    factor = 1
    while (
        2 * factor <= LARGEST_FACTOR
        and feature / (2 * factor) >= FEATURE
        and min(sizes) // (2 * factor) >= SMALLEST
    ):
        factor *= 2
    coarse = tuple(n // factor for n in shape)
    edges = tuple(dict.fromkeys(size // factor for size in sizes))
    return WindowPlan(factor, edges, tuple(min(_count(coarse, n), subvolumes.most) for n in edges))


def _count(shape: Sequence[int], size: int) -> int:
    return math.prod(n // size for n in shape)


def _chosen(shape: Sequence[int], feature: float) -> tuple[int, ...]:
    """The largest window that fits FEWEST times; the smallest that still shows a feature; one in between."""
    shortest = min(shape)
    edges = [shortest // m for m in _PARTS if shortest // m >= SMALLEST]
    usable = [n for n in dict.fromkeys(edges) if _count(shape, n) >= FEWEST]
    if not usable:
        return ()
    largest = usable[0]
    least = max(SMALLEST, largest / 4, min(feature, largest / 2))
    below = [n for n in usable if least <= n < largest]
    if not below:
        return (largest,)
    middle = min(below, key=lambda n: abs(math.log(n / math.sqrt(largest * below[-1]))))
    return tuple(dict.fromkeys((largest, middle, below[-1])))
