"""How images show themselves in a notebook: a table and three slices, with nothing but numpy and zlib."""

from __future__ import annotations

import base64
import html
import struct
import zlib
from collections.abc import Mapping

import numpy as np

from scalebridge.core.units import format_quantity
from scalebridge.grid.palette import phase_colour
from scalebridge.grid.voxel_grid import VoxelGrid

_MAX_ROWS = 12
_MAX_PIXELS = 256
_SHOWN_EDGE = 220.0


def png(pixels: np.ndarray) -> bytes:
    """An 8-bit RGB picture (rows, columns, 3) as PNG."""
    rows, columns, _ = pixels.shape
    lines = np.zeros((rows, 1 + 3 * columns), np.uint8)  # each line begins with its filter, 0 for none
    lines[:, 1:] = pixels.reshape(rows, 3 * columns)

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", columns, rows, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(lines.tobytes()))
        + chunk(b"IEND", b"")
    )


def grey_rgb(values: np.ndarray) -> np.ndarray:
    """Grey levels between the smallest and the largest value, shape (..., 3) uint8."""
    low, high = float(values.min()), float(values.max())
    level = (values.astype(float) - low) / (high - low if high > low else 1.0)
    return np.repeat((255 * level).astype(np.uint8)[..., None], 3, axis=-1)


def image_html(
    rgb_slices: list[tuple[str, str, np.ndarray]],
    grid: VoxelGrid,
    counts: Mapping[int, int],
    history: tuple[str, ...],
) -> str:
    """The cell output: size, slices with their axes named, a table of the labels, what was done so far."""
    sizes = dict(zip("xyz", grid.lengths, strict=False))
    longest = max(sizes.values())
    figures = []
    for across, up, rgb in rgb_slices:
        step = max(1, -(-max(rgb.shape[:2]) // _MAX_PIXELS))
        picture = np.flip(rgb[::step, ::step].transpose(1, 0, 2), axis=0)  # the second axis points upwards
        data = base64.b64encode(png(np.ascontiguousarray(picture))).decode()
        width, height = (max(8, round(_SHOWN_EDGE * sizes[axis] / longest)) for axis in (across, up))
        figures.append(
            f'<figure style="display:inline-block;margin:0 12px 6px 0"><img alt="{across}{up} slice" '
            f'width="{width}" height="{height}" style="image-rendering:pixelated" '
            f'src="data:image/png;base64,{data}">'
            f"<figcaption>{across} →, {up} ↑</figcaption></figure>"
        )
    shape = " × ".join(map(str, grid.shape))
    spacing = " × ".join(format_quantity(h, "m") for h in grid.spacing or ()) or "unknown"
    rows = [
        f'<tr><td style="background:{phase_colour(i)};width:1.5em"></td>'
        f"<td>{label}</td><td>{count}</td><td>{100 * count / grid.size:.3f} %</td></tr>"
        for i, (label, count) in enumerate(list(counts.items())[:_MAX_ROWS])
    ]
    if len(counts) > _MAX_ROWS:
        rows.append(f"<tr><td></td><td colspan=3>... and {len(counts) - _MAX_ROWS} more labels</td></tr>")
    head = "<tr><th></th><th>label</th><th>voxels</th><th>fraction</th></tr>"
    table = f"<table>{head}{''.join(rows)}</table>" if rows else ""
    steps = "".join(f"<li>{html.escape(step)}</li>" for step in history)
    return (
        f"<div><b>Image [{', '.join(grid.axis_names)}]</b> of {shape} voxels, spacing {spacing}<br>"
        f"{''.join(figures)}{table}<ul>{steps}</ul></div>"
    )


def middle_slices(values: np.ndarray) -> list[tuple[str, str, np.ndarray]]:
    """(horizontal axis, vertical axis, slice [horizontal, vertical]) through the middle; one in 2-D."""
    if values.ndim == 2:
        return [("x", "y", values)]
    nx, ny, nz = values.shape
    return [
        ("x", "y", values[:, :, nz // 2]),
        ("x", "z", values[:, ny // 2, :]),
        ("y", "z", values[nx // 2, :, :]),
    ]
