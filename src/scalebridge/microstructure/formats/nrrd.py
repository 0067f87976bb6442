"""NRRD: a text header, then (or in another file) the voxels, first axis fastest."""

from __future__ import annotations

import bz2
import math
import re
import zlib
from pathlib import Path

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

_TYPES = {
    "signed char": "i1", "int8": "i1", "int8_t": "i1",
    "uchar": "u1", "unsigned char": "u1", "uint8": "u1", "uint8_t": "u1",
    "short": "i2", "short int": "i2", "signed short": "i2", "int16": "i2", "int16_t": "i2",
    "ushort": "u2", "unsigned short": "u2", "unsigned short int": "u2", "uint16": "u2", "uint16_t": "u2",
    "int": "i4", "signed int": "i4", "int32": "i4", "int32_t": "i4",
    "uint": "u4", "unsigned int": "u4", "uint32": "u4", "uint32_t": "u4",
    "longlong": "i8", "long long": "i8", "int64": "i8", "int64_t": "i8",
    "ulonglong": "u8", "unsigned long long": "u8", "uint64": "u8", "uint64_t": "u8",
    "float": "f4", "double": "f8",
}  # fmt: skip
_LENGTHS = {"m": 1.0, "cm": 1e-2, "mm": 1e-3, "um": 1e-6, "µm": 1e-6, "μm": 1e-6, "microns": 1e-6, "nm": 1e-9}
_MAX_HEADER = 1 << 20


def _header(path: Path) -> tuple[dict[str, str], int]:
    """The fields, lower-case names, and where the data begin."""
    with path.open("rb") as stream:
        head = stream.read(_MAX_HEADER)
    if not head.startswith(b"NRRD000"):
        raise ImageError(f"{path.name} does not begin like a NRRD file.")
    end = re.search(rb"\r?\n\r?\n", head)
    text = head[: end.start() if end else len(head)].decode("utf-8", "replace")
    fields = {}
    for line in text.splitlines()[1:]:
        if not line.startswith("#") and ":" in line and ":=" not in line:
            key, value = line.split(":", 1)
            fields[key.strip().lower()] = value.strip()
    return fields, end.end() if end else len(head)


def _spacing(fields: dict[str, str], ndim: int) -> tuple[tuple[float, ...] | None, str]:
    """x first. Without a unit, millimetres: what the programs that write NRRD mean."""
    unit_words = re.findall(r'"([^"]*)"', fields.get("space units", fields.get("units", "")))
    units = [_LENGTHS.get(word.strip()) for word in unit_words]
    if "space directions" in fields:
        vectors = re.findall(r"\(([^)]*)\)", fields["space directions"])
        values = [math.hypot(*(float(word) for word in vector.split(","))) for vector in vectors]
    else:
        values = [float(word) for word in fields.get("spacings", "").split()]
    if len(values) != ndim:
        return None, ""
    if len(units) == ndim and all(unit is not None for unit in units):
        factors = [unit for unit in units if unit is not None]
        if all(math.isfinite(h) and h > 0 for h in values):
            return tuple(h * unit for h, unit in zip(values, factors, strict=True)), "its header"
    return meaningful_spacing(values, 1e-3), "its header, which names no unit: taken as millimetres"


class Nrrd(AbstractImageFormat):
    """Attached (.nrrd) and detached (.nhdr) files; raw, gzip, bzip2 and text encodings."""

    name = "NRRD"
    suffixes = (".nrrd", ".nhdr")

    def open(self, request: ReadRequest) -> StoredImage:
        path = request.path
        fields, offset = _header(path)
        missing = [key for key in ("type", "dimension", "sizes", "encoding") if key not in fields]
        if missing:
            raise ImageError(f"The header of {path.name} lacks {', '.join(missing)}.")
        sizes = checked_shape([int(word) for word in fields["sizes"].split()], path.name)
        if len(sizes) != int(fields["dimension"]) or len(sizes) not in (2, 3):
            raise ImageError(
                f"{path.name} has the sizes {sizes} for dimension {fields['dimension']}; a grey or label "
                "image has 2 or 3 axes (a further axis means colours or vectors)."
            )
        kinds = fields.get("kinds", "").lower()
        if "color" in kinds or "vector" in kinds or "matrix" in kinds:
            raise ImageError(f"{path.name} has an axis of kind {kinds!r}: no grey values or labels.")
        if fields["type"].lower() not in _TYPES:
            raise ImageError(f"{path.name} holds numbers of the unknown type {fields['type']!r}.")
        dtype = np.dtype(_TYPES[fields["type"].lower()])
        if dtype.itemsize > 1:
            dtype = dtype.newbyteorder(">" if fields.get("endian", "little").lower() == "big" else "<")
        detached = fields.get("data file", fields.get("datafile"))
        data_path = path if detached is None else path.parent / detached
        if detached is not None:
            if re.match(r"LIST\b", detached) or "%" in detached:
                raise ImageError(f"{path.name} spreads its data over several files; one data file is read.")
            if not data_path.is_file():
                raise ImageError(f"{path.name} points to the data file {detached!r}, which is not there.")
            offset = 0
        skip = int(fields.get("byte skip", fields.get("byteskip", "0")))
        encoding = fields["encoding"].lower()
        count = math.prod(sizes)
        there = data_path.stat().st_size - offset
        ratio = {"raw": 1.0, "gzip": DEFLATE_RATIO, "gz": DEFLATE_RATIO, "bzip2": 1e5, "bz2": 1e5}
        if encoding in ratio:
            check_payload(there, count * dtype.itemsize, path.name, ratio[encoding])

        def load() -> np.ndarray:
            with data_path.open("rb") as stream:
                stream.seek(offset)
                data = stream.read()
            return _decode(data, encoding, skip, dtype, count, path.name).reshape(sizes[::-1])

        spacing, source = _spacing(fields, len(sizes))
        return StoredImage(
            self.name,
            sizes[::-1],
            dtype,
            "zyx"[3 - len(sizes) :],
            load,
            None if spacing is None else spacing[::-1],
            source,
            (f"{encoding} encoding",),
        )


def _decode(data: bytes, encoding: str, skip: int, dtype: np.dtype, count: int, where: str) -> np.ndarray:
    needed = count * dtype.itemsize
    if encoding in ("txt", "text", "ascii"):
        words = data.split()
        check_payload(len(words), count, where)
        return np.array(words[:count]).astype(dtype)
    try:
        if encoding in ("gzip", "gz"):
            data = zlib.decompressobj(31).decompress(data, needed + max(skip, 0) + 1)
        elif encoding in ("bzip2", "bz2"):
            data = bz2.BZ2Decompressor().decompress(data, needed + max(skip, 0) + 1)
        elif encoding != "raw":
            raise ImageError(f"{where} has the unknown encoding {encoding!r}.")
    except (zlib.error, OSError, EOFError) as error:
        raise ImageError(f"{where} is damaged: {error}.") from error
    begin = len(data) - needed if skip == -1 else skip
    check_payload(len(data) - begin if begin >= 0 else 0, needed, where)
    return np.frombuffer(data, dtype, count, begin)
