"""How the voxels of a headerless file lie in it."""

from __future__ import annotations

import dataclasses
import enum
import itertools
import math

import numpy as np

from scalebridge.core.errors import ImageError


class ByteOrder(enum.Enum):
    """Which byte of a number comes first in the file."""

    LITTLE = "<"
    BIG = ">"


@dataclasses.dataclass(frozen=True)
class RawLayout:
    """Shape, type and order of a headerless (RAW) file.

    shape: voxels along x, y (and z). dtype: any numpy name ("uint8", "uint16", "float32").
    order: the stored axes, slowest first; "zyx" (x runs fastest) is what most programs write; "" means "zyx"
    or "yx". offset: bytes to skip at the beginning.
    Fails when: the shape or the order make no sense (ImageError).
    """

    shape: tuple[int, ...]
    dtype: str = "uint8"
    byte_order: ByteOrder = ByteOrder.LITTLE
    order: str = ""
    offset: int = 0

    def __post_init__(self) -> None:
        shape = tuple(int(n) for n in self.shape)
        if len(shape) not in (2, 3) or min(shape) < 1:
            raise ImageError(
                f"A RAW shape needs 2 or 3 positive numbers of voxels (x, y, z), got {self.shape}."
            )
        object.__setattr__(self, "shape", shape)
        if not self.order:
            object.__setattr__(self, "order", "zyx"[3 - len(shape) :])
        if sorted(self.order) != sorted("xyz"[: len(shape)]):
            raise ImageError(
                f"The axis order {self.order!r} does not fit the RAW shape {shape}; "
                f"give each of {', '.join('xyz'[: len(shape)])} once, slowest first, e.g. 'zyx'."
            )
        if self.offset < 0:
            raise ImageError(f"The header offset must not be negative, got {self.offset}.")
        try:
            known = np.dtype(self.dtype).kind in "buif"
        except TypeError:
            known = False
        if not known:
            raise ImageError(f"{self.dtype!r} is no voxel type; use e.g. uint8, uint16, int32 or float32.")

    @property
    def numpy_dtype(self) -> np.dtype:
        return np.dtype(self.dtype).newbyteorder(self.byte_order.value)

    @property
    def stored_shape(self) -> tuple[int, ...]:
        """Lengths of the stored axes, slowest first."""
        return tuple(self.shape["xyz".index(name)] for name in self.order)

    @property
    def nbytes(self) -> int:
        return math.prod(self.shape) * self.numpy_dtype.itemsize


def layouts_that_fit(size: int, layout: RawLayout) -> list[str]:
    """In words: the changes of `layout` under which a file of `size` bytes would fit, the likeliest first."""
    found = []
    payload = size - layout.offset
    voxels = math.prod(layout.shape)
    for name in ("uint8", "uint16", "int32", "float32", "float64"):
        itemsize = np.dtype(name).itemsize
        if payload == voxels * itemsize and itemsize != layout.numpy_dtype.itemsize:
            found.append(f"the given shape with dtype {name}")
    if payload > layout.nbytes and payload - layout.nbytes <= 65536:
        found.append(f"the given shape and dtype with a header offset of {size - layout.nbytes} bytes")
    for name in dict.fromkeys((layout.dtype, "uint8", "uint16", "float32")):
        itemsize = np.dtype(name).itemsize
        if payload <= 0 or payload % itemsize:
            continue
        count = payload // itemsize
        side = round(count ** (1 / 3))
        if side > 1 and side**3 == count:
            found.append(f"{side} x {side} x {side} with dtype {name}")
        side = math.isqrt(count)
        if side > 1 and side * side == count:
            found.append(f"{side} x {side} (2-D) with dtype {name}")
        for keep in itertools.combinations(range(len(layout.shape)), len(layout.shape) - 1):
            rest = math.prod(layout.shape[axis] for axis in keep)
            if count % rest == 0:
                free = next(axis for axis in range(len(layout.shape)) if axis not in keep)
                shape = list(layout.shape)
                shape[free] = count // rest
                found.append(f"{' x '.join(map(str, shape))} with dtype {name}")
    return list(dict.fromkeys(found))[:8]
