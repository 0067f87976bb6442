"""TIFF: one page, many pages, or a folder of slices; stored z, y, x."""

from __future__ import annotations

import contextlib
import json
import logging
import math
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from scalebridge.core.errors import ImageError
from scalebridge.microstructure.formats.stored import (
    DEFLATE_RATIO,
    AbstractImageFormat,
    ReadRequest,
    StoredImage,
    check_payload,
    checked_shape,
    meaningful_spacing,
)
from scalebridge.microstructure.formats.tiff_directory import check_directories

_RATIOS = {1: 1.0, 8: DEFLATE_RATIO, 32946: DEFLATE_RATIO, 5: 4096.0, 32773: 128.0}
_ANY_RATIO = 20000.0
_UNITS = {
    "m": 1.0,
    "cm": 1e-2,
    "mm": 1e-3,
    "um": 1e-6,
    "µm": 1e-6,
    "\\u00b5m": 1e-6,
    "micron": 1e-6,
    "nm": 1e-9,
}
_SUFFIXES = (".tif", ".tiff")


def _tifffile() -> Any:
    try:
        import tifffile
    except ImportError as error:
        raise ImageError(
            "Reading TIFF needs the package tifffile: pip install tifffile imagecodecs."
        ) from error
    return tifffile


class _Complaints(logging.Handler):
    """What tifffile only logs (a broken chain of pages, say) must not pass as a shorter image."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.fatal: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        message = record.getMessage()
        if record.levelno >= logging.ERROR or "page" in message or "offset" in message:
            self.fatal.append(message[:200])


@contextlib.contextmanager
def _listening(path: Path) -> Iterator[None]:
    logger = logging.getLogger("tifffile")
    handler, propagate = _Complaints(), logger.propagate
    logger.addHandler(handler)
    logger.propagate = False
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.propagate = propagate
    if handler.fatal:
        raise ImageError(f"{path.name} is a damaged TIFF: {handler.fatal[0]}")


def natural_key(path: Path) -> list[tuple[int, int | str]]:
    """slice_2 before slice_10."""
    parts = re.split(r"(\d+)", path.name.lower())
    return [(1, int(part)) if part.isdecimal() else (0, part) for part in parts]


def _spacing(tif: Any, ndim: int) -> tuple[tuple[float, ...] | None, str]:
    """Spacing in stored order where the file says it with a physical unit; dots per inch are none."""
    shaped = tif.shaped_metadata[0] if tif.shaped_metadata else {}
    if "spacing_m" in shaped and np.size(shaped["spacing_m"]) == ndim:
        return meaningful_spacing(shaped["spacing_m"], 1.0), "the description (spacing_m)"
    if "voxel_size_um" in shaped:
        size = np.broadcast_to(np.asarray(shaped["voxel_size_um"], dtype=float), ndim)
        return tuple(float(h) * 1e-6 for h in size), "the description (voxel_size_um)"
    page = tif.pages[0]
    imagej = tif.imagej_metadata or {}
    unit = _UNITS.get(str(imagej.get("unit", "")).strip())
    if unit is not None and "XResolution" in page.tags and "YResolution" in page.tags:
        x, y = (page.tags[name].value for name in ("XResolution", "YResolution"))
        in_plane = (y[1] / y[0], x[1] / x[0])
        values = in_plane if ndim == 2 else (float(imagej.get("spacing", in_plane[0])), *in_plane)
        return tuple(float(h) * unit for h in values), "the ImageJ metadata"
    return None, ""


def _series(tif: Any, path: Path) -> Any:
    """The only image of the file: grey, 2-D or 3-D, complete."""
    if not tif.series:
        raise ImageError(f"{path.name} holds no image.")
    series = tif.series[0]
    page = tif.pages[0]
    if page.photometric == 2 or page.samplesperpixel > 1:
        raise ImageError(
            f"{path.name} is a colour image ({page.samplesperpixel} samples per pixel). "
            "Convert it to grey values or labels first."
        )
    if len(tif.series) > 1:
        shapes = ", ".join(str(tuple(one.shape)) for one in tif.series[:4])
        raise ImageError(
            f"{path.name} holds {len(tif.series)} images of different kinds ({shapes}): "
            "slices of different size? Save one stack of equal slices."
        )
    promised = _promised_shape(page)
    if promised is not None and math.prod(promised) != math.prod(series.shape):
        raise ImageError(
            f"{path.name} is truncated: its description announces {promised}, {tuple(series.shape)} is there."
        )
    return series


def _promised_shape(page: Any) -> tuple[int, ...] | None:
    """The shape that the writer put into the description (tifffile's JSON, or ImageJ's count of images)."""
    text = page.description or ""
    if text.startswith("{") and '"shape"' in text:
        return tuple(int(n) for n in json.loads(text)["shape"])
    count = re.match(r"ImageJ=[^\n]*\nimages=(\d+)", text)
    return (int(count[1]), *page.shape) if count else None


def _shape(series: Any, path: Path) -> tuple[int, ...]:
    shape = checked_shape(series.shape, path.name)
    if len(shape) > 3:
        shape = tuple(n for n in shape if n > 1)  # time or channel axes of length one
    if len(shape) not in (2, 3):
        raise ImageError(
            f"{path.name} has the axes {series.axes} of length {tuple(series.shape)}; 2 or 3 are read."
        )
    return shape


def _check_bytes(series: Any, path: Path) -> None:
    size = path.stat().st_size
    if series.dataoffset is not None:
        check_payload(size - series.dataoffset, series.nbytes, path.name)
        return
    there = sum(min(sum(page.databytecounts), size) for page in series.pages if page is not None)
    bits = max(1, series.keyframe.bitspersample)
    needed = series.nbytes * min(bits, 8) // 8 if bits < 8 else series.nbytes
    check_payload(there, needed, path.name, _RATIOS.get(int(series.keyframe.compression), _ANY_RATIO))


class Tiff(AbstractImageFormat):
    """One file, or a folder of one-page files in natural order."""

    name = "TIFF"
    suffixes = _SUFFIXES

    def open(self, request: ReadRequest) -> StoredImage:
        return self._open_folder(request.path) if request.path.is_dir() else self._open_file(request.path)

    def _open_file(self, path: Path) -> StoredImage:
        tifffile = _tifffile()
        check_directories(path)
        with _listening(path), tifffile.TiffFile(path) as tif:
            series = _series(tif, path)
            shape = _shape(series, path)
            _check_bytes(series, path)
            dtype = np.dtype(series.dtype)
            spacing, source = _spacing(tif, len(shape))
            notes = [f"{len(tif.pages)} page{'s' if len(tif.pages) > 1 else ''}"]
            if tif.pages[0].photometric == 0:
                notes.append("white is stored as 0; values kept as stored")
            if tif.pages[0].bitspersample == 1:
                notes.append("1 bit per voxel")

        def load() -> np.ndarray:
            with _listening(path), tifffile.TiffFile(path) as tif:
                return np.asarray(_series(tif, path).asarray()).reshape(shape)

        return StoredImage(
            self.name, shape, dtype, "zyx"[3 - len(shape) :], load, spacing, source, tuple(notes)
        )

    def _open_folder(self, folder: Path) -> StoredImage:
        slices = sorted((p for p in folder.iterdir() if p.suffix.lower() in _SUFFIXES), key=natural_key)
        if not slices:
            raise ImageError(f"The folder {folder.name} holds no slices ({', '.join(_SUFFIXES)} files).")
        first = self._open_file(slices[0])
        for path in slices:
            one = first if path is slices[0] else self._open_file(path)
            if len(one.shape) != 2:
                raise ImageError(
                    f"{path.name} holds {one.shape[0]} pages; a folder of slices needs one page each."
                )
            if (one.shape, one.dtype) != (first.shape, first.dtype):
                raise ImageError(
                    f"Slices of different size or type: {slices[0].name} is {first.shape} {first.dtype}, "
                    f"{path.name} is {one.shape} {one.dtype} (rows, columns)."
                )
        shape = (len(slices), *first.shape)

        def load() -> np.ndarray:
            stack = np.empty(shape, first.dtype)
            for z, path in enumerate(slices):
                stack[z] = self._open_file(path).load()
            return stack

        notes = (
            f"{len(slices)} slices from {slices[0].name} to {slices[-1].name} in natural order",
            *first.notes,
        )
        # A slice knows its in-plane spacing only; half a spacing would silently make wrong voxels.
        return StoredImage("folder of TIFF slices", shape, first.dtype, "zyx", load, notes=notes)
