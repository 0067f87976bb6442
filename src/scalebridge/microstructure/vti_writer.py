"""VTK image data (.vti) for ParaView: cell and point fields on a voxel grid, with the axes where they
belong.
"""

from __future__ import annotations

import math
import sys
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO
from xml.sax.saxutils import quoteattr

import numpy as np

from scalebridge.core.errors import OutputError
from scalebridge.core.files import replacing
from scalebridge.grid import Field, Location, VoxelGrid

_BLOCK = 1 << 20
_TYPES = {
    "i1": "Int8", "u1": "UInt8", "i2": "Int16", "u2": "UInt16", "i4": "Int32", "u4": "UInt32",
    "i8": "Int64", "u8": "UInt64", "f4": "Float32", "f8": "Float64",
}  # fmt: skip
_VTK_SYMMETRIC = ("XX", "YY", "ZZ", "XY", "YZ", "XZ")
# VTK's order of symmetric components, taken from Mandel (xx, yy, zz, yz, xz, xy); shears lose their sqrt(2).
_FROM_MANDEL = {6: (0, 1, 2, 5, 3, 4), 3: (0, 1, None, 2, None, None)}


def write_fields_vti(
    path: str | Path,
    grid: VoxelGrid,
    cell_fields: Mapping[str, np.ndarray],
    point_fields: Mapping[str, np.ndarray],
) -> None:
    """Writes arrays (*components, *spatial) as appended, zlib-compressed binary; x is VTK's first axis.

    cell_fields: spatial = grid.shape. point_fields: spatial = grid.shape + 1.
    Components: () scalar; (d,) vector, filled up to three; (m,) Mandel with m = 6 (3-D) or 3 (2-D), written
    as VTK's symmetric tensor XX, YY, ZZ, XY, YZ, XZ of true tensor components (no sqrt 2, no engineering
    shear); (d, d) full tensor, filled up to nine. Unknown spacing is written as 1.
    Fails when: a shape does not fit the grid, a type is unknown, or the file cannot be written (OutputError).
    """
    cells = [_Array(name, values, grid, 0) for name, values in cell_fields.items()]
    points = [_Array(name, values, grid, 1) for name, values in point_fields.items()]
    with replacing(path) as stream:
        _write(stream, grid, cells, points)


def write_vti(path: str | Path, fields: Sequence[Field]) -> None:
    """Writes fields of one grid, each where it lives (voxel or node). Fails like `write_fields_vti`."""
    if not fields:
        raise OutputError(f"There is no field to write into {path}.")
    grid = fields[0].grid
    if any(field.grid != grid for field in fields):
        raise OutputError("Fields of different grids cannot go into one VTI file.")
    write_fields_vti(
        path,
        grid,
        {field.name: field.values for field in fields if field.location is Location.VOXEL},
        {field.name: field.values for field in fields if field.location is Location.NODE},
    )


class _Array:
    """One array on its way into the file: components last, x fastest."""

    def __init__(self, name: str, values: np.ndarray, grid: VoxelGrid, extra: int) -> None:
        spatial = tuple(n + extra for n in grid.shape)
        components = values.shape[: values.ndim - grid.ndim]
        if values.shape[values.ndim - grid.ndim :] != spatial or len(components) > 2:
            needed = f"(*components, {', '.join(map(str, spatial))})"
            raise OutputError(
                f"The field {name!r} has shape {values.shape}; {needed} is needed "
                f"for {'points' if extra else 'cells'} of a grid of {grid.shape} voxels."
            )
        if values.dtype == bool:
            values = values.astype(np.uint8)
        if values.dtype.str[1:] not in _TYPES:
            raise OutputError(f"The field {name!r} has the type {values.dtype}, which VTK does not know.")
        self.name = name
        self.type = _TYPES[values.dtype.str[1:]]
        self.names: tuple[str, ...] = ()
        # A 2-D grid is one flat layer of cells; its points lie in one plane.
        self.stack = self._components(
            values.reshape((*values.shape, 1) if grid.ndim == 2 else values.shape), grid
        )

    def _components(self, values: np.ndarray, grid: VoxelGrid) -> list[np.ndarray | None]:
        """The scalar arrays [x, y, z] in VTK's order; None is zero."""
        shape = values.shape[:-3]
        d = grid.ndim
        if shape == ():
            return [values]
        if shape == (d,):
            return [values[i] if i < d else None for i in range(3)]
        if len(shape) == 1 and shape[0] in _FROM_MANDEL and shape[0] == d * (d + 1) // 2:
            self.names = _VTK_SYMMETRIC
            order = _FROM_MANDEL[shape[0]]
            return [None if k is None else values[k] / (1.0 if k < d else math.sqrt(2.0)) for k in order]
        if shape == (d, d):
            return [values[i, j] if i < d and j < d else None for i in range(3) for j in range(3)]
        return list(values.reshape(-1, *values.shape[-3:]))

    def data(self) -> bytes:
        first = next(part for part in self.stack if part is not None)
        nx, ny, nz = first.shape
        dtype = first.dtype.newbyteorder("=")
        table = np.zeros((nz, ny, nx, len(self.stack)), dtype)
        for i, part in enumerate(self.stack):
            if part is not None:
                table[..., i] = part.T
        return table.tobytes()

    def tag(self, offset: int) -> str:
        names = "".join(f' ComponentName{i}="{name}"' for i, name in enumerate(self.names))
        return (
            f'<DataArray type="{self.type}" Name={quoteattr(self.name)} '
            f'NumberOfComponents="{len(self.stack)}"{names} format="appended" offset="{offset}"/>'
        )


def _compressed(data: bytes) -> bytes:
    """VTK's blocks: number, size, size of the last (0 if whole), compressed sizes, then the blocks."""
    blocks = [zlib.compress(data[start : start + _BLOCK], 1) for start in range(0, len(data), _BLOCK)]
    header = [len(blocks), _BLOCK, len(data) % _BLOCK, *(len(block) for block in blocks)]
    return np.array(header, np.uint64).tobytes() + b"".join(blocks)


def _write(stream: IO[bytes], grid: VoxelGrid, cells: list[_Array], points: list[_Array]) -> None:
    extent = " ".join(f"0 {n}" for n in (*grid.shape, *(0,) * (3 - grid.ndim)))
    spacing = " ".join(repr(float(h)) for h in (*grid.cell_size, *(1.0,) * (3 - grid.ndim)))
    order = "LittleEndian" if sys.byteorder == "little" else "BigEndian"
    appended: list[bytes] = []
    offset = 0
    groups = []
    for tag, arrays in (("PointData", points), ("CellData", cells)):
        lines = []
        for array in arrays:
            appended.append(_compressed(array.data()))
            lines.append(array.tag(offset))
            offset += len(appended[-1])
        scalars = next((a.name for a in arrays if len(a.stack) == 1), None)
        groups.append(f"<{tag}{f' Scalars={quoteattr(scalars)}' if scalars else ''}>{''.join(lines)}</{tag}>")
    head = "\n".join(
        [
            '<?xml version="1.0"?>',
            f'<VTKFile type="ImageData" version="1.0" byte_order="{order}" header_type="UInt64"'
            ' compressor="vtkZLibDataCompressor">',
            f'<ImageData WholeExtent="{extent}" Origin="0 0 0" Spacing="{spacing}">',
            f'<Piece Extent="{extent}">',
            *groups,
            '</Piece>\n</ImageData>\n<AppendedData encoding="raw">\n_',
        ]
    )
    stream.write(head.encode())
    for data in appended:
        stream.write(data)
    stream.write(b"\n</AppendedData>\n</VTKFile>\n")
