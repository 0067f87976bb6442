"""What packings of ellipsoids and fibres have in common: an orientation tensor, and bodies drawn into an image."""

from __future__ import annotations

import abc
import dataclasses
import math
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, ClassVar, final

import numpy as np

from scalebridge.core.errors import ImageError
from scalebridge.grid.image import MAX_LABELS, count_labels
from scalebridge.microstructure.generators.generator import AbstractGenerator, Realization, image_bytes
from scalebridge.microstructure.generators.orientation_distribution import (
    Tensor,
    checked_orientation,
    frames_along,
)
from scalebridge.microstructure.generators.voxelization import AbstractBody, paint, voxelize

if TYPE_CHECKING:
    from jaxtyping import Float


def torus_of(shape: tuple[int, ...], periodic: bool, margin: float) -> tuple[int, ...]:
    """The periodic box that is filled: the shape, or one so much larger that a window does not see it repeat."""
    return shape if periodic else tuple(n + math.ceil(margin) for n in shape)


@final
@dataclasses.dataclass(frozen=True, eq=False)
class DrawnBodies:
    """Labels, frames (d, d) by label where bodies are separate, and the factor on all sizes they are drawn with."""

    labels: np.ndarray
    orientations: dict[int, np.ndarray]
    scale: float


class AbstractOrientedBodies(AbstractGenerator):
    """Bodies that do not overlap, with an orientation tensor; concrete ones have these parameters."""

    fraction: float
    orientation: Tensor | None
    separate: bool
    match_voxels: bool

    bodies_are: ClassVar[str]

    @abc.abstractmethod
    def _torus(self) -> tuple[int, ...]:
        """The periodic box that is filled."""

    @property
    def _tensor(self) -> np.ndarray:
        return checked_orientation(type(self).__name__, self.orientation, len(self.shape))

    @property
    def _name(self) -> str:
        return f"fraction of {self.bodies_are}" if self.separate else "fraction of label 1"

    def measure(self, realization: Realization) -> dict[str, float]:
        solid = 1 - realization.image.fractions.get(0, 0.0)
        noted = {name: value for name, value in realization.reached.items() if name != self._name}
        return {self._name: solid, **noted}

    def _drawn(self, groups: Callable[[], Iterable[list[AbstractBody]]], frames: np.ndarray) -> DrawnBodies:
        """The image of groups of shapes, each group one body with one frame (n, d, d)."""

        def shapes() -> Iterator[AbstractBody]:
            return (body for group in groups() for body in group)

        fraction = self.fraction if self.match_voxels and self.periodic else None
        drawn = voxelize(self.shape, self._torus(), shapes, fraction, type(self).__name__)
        if not self.separate:
            return DrawnBodies(drawn.labels, {}, drawn.scale)
        if len(frames) >= MAX_LABELS:
            raise ImageError(
                f"{type(self).__name__}: {len(frames)} bodies, and an image holds {MAX_LABELS - 1} labels besides the "
                "matrix. Take a smaller shape or larger bodies, or separate=False."
            )
        labels = np.zeros(self.shape, np.uint8 if len(frames) < 256 else np.uint16)
        for number, group in enumerate(groups(), start=1):
            for body in group:
                paint(labels, self._torus(), body, drawn.scale, number)
        present = np.flatnonzero(count_labels(labels))
        orientations = {int(number): frames[number - 1] for number in present if number > 0}
        return DrawnBodies(labels, orientations, drawn.scale)

    def _drawn_bytes(self, pieces: float, bytes_each: int, reach: float) -> int:
        """Memory for the labels, for `pieces` that are moved, and for the patch of voxels around one of `reach`."""
        patch = 60 * (2.3 * reach + 3) ** len(self.shape)
        image = image_bytes(self.shape, 3, 3) if self.separate else image_bytes(self.shape, 2)
        return int(max(image, bytes_each * pieces) + patch)


def lean(frames: Float[np.ndarray, "n d d"], axes: Float[np.ndarray, "n d"]) -> Float[np.ndarray, "n d d"]:
    """Frames with these first columns (n, d), turned as little as need be."""
    if frames.shape[1] == 2:
        return frames_along(axes)
    second = frames[:, :, 1] - axes * np.sum(frames[:, :, 1] * axes, axis=1, keepdims=True)
    second /= np.linalg.norm(second, axis=1, keepdims=True)
    return np.stack([axes, second, np.cross(axes, second)], axis=2)
