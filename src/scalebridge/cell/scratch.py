"""Fields that live in scratch files instead of memory.

ScratchArray is read slab by slab. A memory map would do, but the pages it touches count as memory of the process until
it is closed; a field read in pieces leaves nothing behind. Where a plain array is wanted, for fields handed to the
user, there are maps all the same: their pages are let go once they are written, and read back when looked at.
"""

from __future__ import annotations

import contextlib
import math
import mmap
import os
import shutil
import tempfile
import weakref
from pathlib import Path
from typing import Any

import numpy as np


class ScratchFolder:
    """A folder for scratch files, removed when nothing refers to it any more (or at the end of the process)."""

    def __init__(self) -> None:
        self.path = Path(tempfile.mkdtemp(prefix="scalebridge-"))
        weakref.finalize(self, shutil.rmtree, self.path, ignore_errors=True)


class ScratchArray:
    """An array (c, n0, ...) in a raw file: `planes` reads layers along the first spatial axis, np.asarray all of it."""

    def __init__(self, folder: ScratchFolder, name: str, array: np.ndarray) -> None:
        # The folder is held so that it is removed when the last of its arrays is forgotten, not before.
        self.folder, self.path = folder, folder.path / name
        self.shape, self.dtype = array.shape, array.dtype
        np.ascontiguousarray(array).tofile(self.path)

    def planes(self, first: int, last: int) -> np.ndarray:
        """Layers first .. last - 1 of every component: (c, last - first, ...)."""
        layer = math.prod(self.shape[2:])
        out = np.empty((self.shape[0], last - first, *self.shape[2:]), self.dtype)
        with open(self.path, "rb") as file:
            for c in range(self.shape[0]):
                file.seek((c * self.shape[1] + first) * layer * self.dtype.itemsize)
                if file.readinto(out[c].data) < out[c].nbytes:
                    raise OSError(f"{self.path} is shorter than what was written to it.")
        return out

    def write_planes(self, first: int, planes: np.ndarray) -> None:
        """Replace layers from `first` on; planes (c, count, ...)."""
        layer = math.prod(self.shape[2:])
        with open(self.path, "r+b") as file:
            for c, part in enumerate(planes):
                file.seek((c * self.shape[1] + first) * layer * self.dtype.itemsize)
                np.ascontiguousarray(part, self.dtype).tofile(file)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        whole = self.planes(0, self.shape[1])
        return whole if dtype is None else whole.astype(dtype, copy=False)


NodeField = np.ndarray | ScratchArray


def planes_of(field: NodeField, first: int, last: int) -> np.ndarray:
    """Layers first .. last - 1 along the first spatial axis, wherever the field lives."""
    return field.planes(first, last) if isinstance(field, ScratchArray) else field[:, first:last]


def mapped_array(shape: tuple[int, ...], dtype: type) -> np.ndarray:
    """An array to be filled, in a nameless scratch file that is gone when the array is.

    Where files cannot be mapped or the disk is full it lies in memory, as any other.
    """
    size = math.prod(shape) * np.dtype(dtype).itemsize
    if size and hasattr(os, "posix_fallocate"):
        with contextlib.suppress(OSError), tempfile.TemporaryFile(prefix="scalebridge-") as file:
            # A full disk must be noticed here: at a later write to the map it would end the process.
            os.posix_fallocate(file.fileno(), 0, size)
            return np.frombuffer(mmap.mmap(file.fileno(), size), dtype).reshape(shape)
    return np.empty(shape, dtype)


def let_go_of_pages(*arrays: np.ndarray) -> None:
    """Take what these arrays hold out of the memory of the process, where they are maps: it stays in their files."""
    for array in arrays:
        base: Any = array
        while isinstance(base, np.ndarray):
            base = base.base
        if isinstance(base, memoryview):
            base = base.obj
        if isinstance(base, mmap.mmap) and hasattr(mmap, "MADV_DONTNEED"):
            base.madvise(mmap.MADV_DONTNEED)
