"""What every generator of random (or regular) microstructures has in common."""

from __future__ import annotations

import abc
import dataclasses
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, final

import numpy as np

from scalebridge.core.errors import ImageError
from scalebridge.grid import PhaseImage, VoxelGrid
from scalebridge.microstructure.generators.image_records import image_record
from scalebridge.microstructure.spacing import Spacing, parse_spacing

_COUNTED = 1 << 22  # voxels at a time, by PhaseImage


@final
@dataclasses.dataclass(frozen=True, eq=False)
class Realization:
    """One draw. orientations: label -> rotation (d, d), crystal or fibre axes to the laboratory, where labels have any.

    targets, reached: the statistics that the generator aims at and what this image has of them, under the same names.
    """

    image: PhaseImage
    seed: int
    orientations: Mapping[int, np.ndarray]
    targets: Mapping[str, float]
    reached: Mapping[str, float]

    @property
    def words(self) -> str:
        """One line per statistic: asked for, reached."""
        lines = [
            f"{name}: asked {self.targets[name]:.6g}, reached {self.reached[name]:.6g}"
            for name in self.targets
        ]
        return "\n".join(lines)


class AbstractGenerator(abc.ABC):
    """A material from which realizations are drawn, in windows of `shape` voxels. Lengths are in voxels.

    Concrete generators are frozen dataclasses whose first field is `shape`; the same seed gives the same image.
    """

    shape: tuple[int, ...]
    periodic: bool
    spacing: Spacing

    @abc.abstractmethod
    def realize(self, seed: int) -> Realization:
        """One draw. Fails when: the parameters contradict each other or a target cannot be reached (ImageError), or
        it does not fit into memory (ResourceError).
        """

    @abc.abstractmethod
    def targets(self) -> dict[str, float]:
        """The statistics aimed at, by name."""

    @abc.abstractmethod
    def measure(self, realization: Realization) -> dict[str, float]:
        """What one realization reached of `targets`, under the same names.

        What the image alone does not tell (the directions of fibres) is taken from what was noted when it was drawn.
        """

    @abc.abstractmethod
    def estimate_bytes(self) -> int:
        """Memory that a draw takes at its peak."""

    def with_shape(self, shape: Sequence[int]) -> AbstractGenerator:
        """The same material in a window of another size."""
        return dataclasses.replace(self, shape=tuple(int(n) for n in shape))  # type: ignore[type-var]

    def stream(self, seeds: Iterable[int]) -> Iterator[Realization]:
        """Realizations one after the other: only one is in memory."""
        return (self.realize(seed) for seed in seeds)

    def record(self) -> dict[str, Any]:
        """Name and parameters in plain data: for provenance, and to tell one material from another."""
        return {"generator": type(self).__name__, **_plain_fields(self)}

    def _realization(
        self,
        labels: np.ndarray,
        seed: int,
        words: str,
        orientations: Mapping[int, np.ndarray] | None = None,
        noted: Mapping[str, float] | None = None,
    ) -> Realization:
        """Wraps up a draw: the image with its history, and what it reached; noted: what the image does not tell."""
        grid = VoxelGrid(labels.shape, parse_spacing(self.spacing, labels.ndim))
        image = PhaseImage(labels, grid, (f"generated: {words}, seed {seed}",))
        drawn = Realization(image, seed, dict(orientations or {}), self.targets(), dict(noted or {}))
        return dataclasses.replace(drawn, reached=self.measure(drawn))


def image_bytes(shape: Sequence[int], drawing: float | int, drawn: int = 1) -> int:
    """Memory for an image at the peak: `drawing` bytes per voxel, or `drawn` while labels are counted.

    Counting takes eight bytes more for each of some million voxels at a time.
    """
    voxels = math.prod(shape)
    return int(max(drawing * voxels, drawn * voxels + 8 * min(voxels, _COUNTED)))


def checked_shape(shape: Sequence[int]) -> tuple[int, ...]:
    """Fails when a window is not 2 or 3 positive numbers of voxels (ImageError)."""
    result = tuple(int(n) for n in shape)
    if len(result) not in (2, 3) or min(result) < 1:
        raise ImageError(f"A shape needs 2 or 3 positive numbers of voxels, got {tuple(shape)}.")
    return result


def _plain_fields(value: Any) -> dict[str, Any]:
    return {field.name: _plain(getattr(value, field.name)) for field in dataclasses.fields(value)}


def _plain(value: Any) -> Any:
    if isinstance(value, PhaseImage):
        return image_record(value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {"kind": type(value).__name__, **_plain_fields(value)}
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, (list, tuple)):
        return [_plain(v) for v in value]
    if isinstance(value, Mapping):
        return {str(k): _plain(v) for k, v in value.items()}
    return value
