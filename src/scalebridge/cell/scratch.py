"""Node fields that live in a scratch file and are read slab by slab.

A memory map would do, but the pages it touches count as memory of the process until it is closed; a field read in
pieces leaves nothing behind.
"""

from __future__ import annotations

import math
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
                part = np.fromfile(file, self.dtype, (last - first) * layer)
                out[c] = part.reshape(out.shape[1:])
        return out

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        whole = self.planes(0, self.shape[1])
        return whole if dtype is None else whole.astype(dtype, copy=False)


NodeField = np.ndarray | ScratchArray


def planes_of(field: NodeField, first: int, last: int) -> np.ndarray:
    """Layers first .. last - 1 along the first spatial axis, wherever the field lives."""
    return field.planes(first, last) if isinstance(field, ScratchArray) else field[:, first:last]
