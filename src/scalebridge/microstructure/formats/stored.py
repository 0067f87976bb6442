"""What every image format answers: how the array lies in the file, before a single voxel is loaded."""

from __future__ import annotations

import abc
import dataclasses
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import ClassVar

import numpy as np

from scalebridge.core.errors import ImageError
from scalebridge.microstructure.raw_layout import RawLayout

_MAX_VOXELS = 1 << 46  # far beyond any memory; guards the arithmetic against hostile headers


@dataclasses.dataclass(frozen=True, eq=False)
class StoredImage:
    """An image in a file: the header is known, `load()` returns the array in stored order.

    shape, order and spacing go with the stored axes: order "zyx" says that the first stored axis is z.
    spacing in metres, None when the file does not say; `notes` are half sentences for the history.
    """

    format: str
    shape: tuple[int, ...]
    dtype: np.dtype
    order: str
    load: Callable[[], np.ndarray]
    spacing: tuple[float, ...] | None = None
    spacing_source: str = ""
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.spacing is not None and len(self.spacing) != len(self.shape):
            raise ImageError(
                f"The header has {len(self.spacing)} spacings for {len(self.shape)} axes: is it damaged?"
            )

    @property
    def nbytes(self) -> int:
        return math.prod(self.shape) * self.dtype.itemsize


@dataclasses.dataclass(frozen=True)
class ReadRequest:
    """Which file, and what the caller must add where the file cannot say it itself."""

    path: Path
    dataset: str | None = None
    raw: RawLayout | None = None


class AbstractImageFormat(abc.ABC):
    """One file format. `suffixes` are lower case with their dot."""

    name: ClassVar[str]
    suffixes: ClassVar[tuple[str, ...]]

    @abc.abstractmethod
    def open(self, request: ReadRequest) -> StoredImage:
        """Reads the header only. Any exception it lets through is reported as an unreadable file."""


def checked_shape(shape: Sequence[int], where: str) -> tuple[int, ...]:
    """`shape` as plain positive integers of a size that can be multiplied safely, or an ImageError."""
    result = tuple(int(n) for n in shape)
    if not result or min(result) < 1:
        raise ImageError(f"{where} says its shape is {result}; every axis needs at least one voxel.")
    if math.prod(result) > _MAX_VOXELS:
        raise ImageError(
            f"{where} says its shape is {result}: no machine can hold that. Is the header damaged?"
        )
    return result


def check_payload(available: int, needed: int, where: str, largest_ratio: float = 1.0) -> None:
    """An ImageError when the bytes that are there cannot hold what the header promises.

    `largest_ratio`: how far the compression can shrink at best. Nothing is allocated for a damaged header.
    """
    if available * largest_ratio < needed:
        raise ImageError(
            f"{where} is truncated or its header is wrong: {needed} bytes of voxels are announced, "
            f"{available} bytes {'(compressed) ' if largest_ratio > 1 else ''}are there. Copy the file again?"
        )


DEFLATE_RATIO = 1100.0  # deflate cannot shrink by more than 1032


def meaningful_spacing(spacing: Sequence[float], unit: float) -> tuple[float, ...] | None:
    """Spacing times `unit` (metres), or None for the 1, 1, 1 (or 0, or nan) that programs write when they do
    not know.
    """
    values = tuple(float(h) for h in spacing)
    if not all(math.isfinite(h) and h > 0 for h in values) or all(h == 1.0 for h in values):
        return None
    return tuple(h * unit for h in values)
