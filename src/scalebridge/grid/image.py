"""Images: labels (which phase is where) and grey values (not yet segmented)."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
from collections.abc import Iterable

import numpy as np

from scalebridge.core.errors import ImageError
from scalebridge.core.units import format_quantity
from scalebridge.grid.voxel_grid import VoxelGrid

MAX_LABELS = 4096
_PART = 1 << 22


def count_labels(labels: np.ndarray) -> np.ndarray:
    """How often each value 0, 1, ... occurs; labels of 8 or 16 bits. In parts, as each is widened to eight bytes."""
    flat = labels.reshape(-1)
    counts = np.zeros(256 if flat.dtype.itemsize == 1 else int(np.max(flat, initial=0)) + 1, np.intp)
    for start in range(0, flat.size, _PART):
        counts += np.bincount(flat[start : start + _PART], minlength=len(counts))
    return counts


def _frozen(array: np.ndarray) -> np.ndarray:
    array = np.ascontiguousarray(array)
    if array.flags.writeable:
        array = array.view()
        array.flags.writeable = False
    return array


def _box(grid: VoxelGrid) -> str:
    """Size and spacing in one line, for representations."""
    shape = " x ".join(map(str, grid.shape))
    edges = grid.spacing or ()
    edges = edges[:1] if len(set(edges)) == 1 else edges
    spacing = " x ".join(format_quantity(h, "m") for h in edges) or "unknown size"
    return f"{shape} voxels of {spacing}"


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class PhaseImage:
    """A segmented image: one integer label per voxel, array axis i is physical axis i.

    Shapes: labels (nx, ny) or (nx, ny, nz), any integer type.
    `history` tells in words, in order, how the image came to be (read from where, how stored, how segmented).
    Fails when: labels are not integers, or there are more distinct ones than phases can sensibly be (ImageError).
    """

    labels: np.ndarray
    grid: VoxelGrid
    history: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        labels = np.asarray(self.labels)
        if labels.dtype == bool:
            labels = labels.astype(np.uint8)
        if not np.issubdtype(labels.dtype, np.integer):
            raise ImageError(
                f"Labels must be integers, got {labels.dtype}. A grey or floating-point image must be segmented first "
                "(threshold=..., --threshold T)."
            )
        if labels.shape != self.grid.shape:
            raise ImageError(f"The labels have shape {labels.shape}, the grid {self.grid.shape}.")
        object.__setattr__(self, "labels", _frozen(labels))

    @functools.cached_property
    def _census(self) -> tuple[np.ndarray, np.ndarray]:
        labels = self.labels
        if labels.dtype.itemsize <= 2 and labels.dtype.kind == "u":
            counts = count_labels(labels)
            present = np.flatnonzero(counts)
            return present, counts[present]
        present, counts = np.unique(labels, return_counts=True)
        return present, counts

    @property
    def present(self) -> tuple[int, ...]:
        """The labels that occur, ascending."""
        return tuple(int(v) for v in self._census[0])

    @property
    def counts(self) -> dict[int, int]:
        """Voxels per label."""
        return {int(v): int(c) for v, c in zip(*self._census, strict=True)}

    @property
    def fractions(self) -> dict[int, float]:
        """Volume fraction per label."""
        return {label: count / self.grid.size for label, count in self.counts.items()}

    @functools.cached_property
    def index(self) -> np.ndarray:
        """Position of each voxel's label in `present`: uint8 where that is enough, else uint16."""
        present = self._census[0]
        dtype = np.uint8 if len(present) <= 256 else np.uint16
        if np.array_equal(present, np.arange(len(present))) and self.labels.dtype == dtype:
            return self.labels
        if self.labels.dtype.itemsize <= 2 and self.labels.dtype.kind == "u":
            table = np.zeros(int(present[-1]) + 1, dtype)
            table[present] = np.arange(len(present))
            return _frozen(table[self.labels])
        return _frozen(np.searchsorted(present, self.labels).astype(dtype))

    @functools.cached_property
    def sha256(self) -> str:
        """Hash of shape, spacing and labels: names the image in provenance and caches."""
        digest = hashlib.sha256(repr((self.grid.shape, self.grid.spacing, self.present)).encode())
        digest.update(self.index.data)
        return digest.hexdigest()

    def with_labels(
        self, labels: np.ndarray, step: str, spacing: Iterable[float] | None = None
    ) -> PhaseImage:
        """A new image derived from this one; `step` is appended to the history."""
        kept = self.grid.spacing if spacing is None else tuple(spacing)
        return PhaseImage(labels, VoxelGrid(labels.shape, kept), (*self.history, step))

    def __repr__(self) -> str:
        phases = ", ".join(f"{label}: {100 * f:.4g} %" for label, f in list(self.fractions.items())[:8])
        more = ", ..." if len(self.present) > 8 else ""
        return f"PhaseImage({_box(self.grid)}; {phases}{more})"

    def _repr_html_(self) -> str:
        from scalebridge.grid.notebook import image_html, middle_slices
        from scalebridge.grid.palette import phase_rgb

        slices = [(across, up, phase_rgb(plane)) for across, up, plane in middle_slices(self.index)]
        return image_html(slices, self.grid, self.counts, self.history)


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class GreyImage:
    """An image whose values are intensities, not phases. It must be segmented before it can be homogenized."""

    values: np.ndarray
    grid: VoxelGrid
    history: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.values.shape != self.grid.shape:
            raise ImageError(f"The values have shape {self.values.shape}, the grid {self.grid.shape}.")
        object.__setattr__(self, "values", _frozen(np.asarray(self.values)))

    def __repr__(self) -> str:
        return f"GreyImage({_box(self.grid)}; {self.values.dtype})"

    def _repr_html_(self) -> str:
        from scalebridge.grid.notebook import grey_rgb, image_html, middle_slices

        slices = [(across, up, grey_rgb(plane)) for across, up, plane in middle_slices(self.values)]
        return image_html(slices, self.grid, {}, self.history)
