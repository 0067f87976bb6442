"""MetaImage: `key = value` lines, then (or in another file) the voxels, x fastest."""

from __future__ import annotations

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
    "MET_CHAR": "i1", "MET_UCHAR": "u1", "MET_SHORT": "i2", "MET_USHORT": "u2", "MET_INT": "i4",
    "MET_UINT": "u4", "MET_LONG": "i4", "MET_ULONG": "u4", "MET_LONG_LONG": "i8", "MET_ULONG_LONG": "u8",
    "MET_FLOAT": "f4", "MET_DOUBLE": "f8",
}  # fmt: skip
_LENGTHS = {"mm": 1e-3, "cm": 1e-2, "um": 1e-6, "m": 1.0}
_MAX_HEADER = 1 << 16


def _header(path: Path) -> tuple[dict[str, str], int]:
    """The fields, lower-case names, and where local data begin: ElementDataFile is the last line by
    definition.
    """
    with path.open("rb") as stream:
        head = stream.read(_MAX_HEADER)
    match = re.search(rb"(?:^|\n)[ \t]*ElementDataFile[ \t]*=[^\n]*(?:\n|$)", head)
    if match is None:
        raise ImageError(f"{path.name} is no MetaImage header: the line ElementDataFile is missing.")
    fields = {}
    for line in head[: match.end()].decode("latin-1").splitlines():
        key, equals, value = line.partition("=")
        if equals:
            fields[key.strip().lower()] = value.strip()
    return fields, match.end()


def _is_true(fields: dict[str, str], *names: str) -> bool:
    return any(fields.get(name, "").lower() in ("true", "t", "1") for name in names)


class MetaImage(AbstractImageFormat):
    """.mha (data in the same file) and .mhd (data in another), plain or zlib-compressed.

    The spacing is in `DistanceUnits`, millimetres where that line is missing (what the format's programs
    mean).
    """

    name = "MetaImage"
    suffixes = (".mha", ".mhd")

    def open(self, request: ReadRequest) -> StoredImage:
        path = request.path
        fields, offset = _header(path)
        if "dimsize" not in fields or "elementtype" not in fields:
            raise ImageError(f"The header of {path.name} lacks DimSize or ElementType.")
        sizes = checked_shape([int(word) for word in fields["dimsize"].split()], path.name)
        if len(sizes) != int(fields.get("ndims", len(sizes))) or len(sizes) not in (2, 3):
            raise ImageError(
                f"{path.name} has the sizes {sizes} for NDims {fields.get('ndims')}; 2 or 3 axes are read."
            )
        if int(fields.get("elementnumberofchannels", "1")) != 1:
            raise ImageError(
                f"{path.name} has several channels (colours or vectors): no grey values or labels."
            )
        if fields["elementtype"] not in _TYPES:
            raise ImageError(f"{path.name} holds numbers of the unknown type {fields['elementtype']!r}.")
        dtype = np.dtype(_TYPES[fields["elementtype"]])
        big = _is_true(fields, "binarydatabyteordermsb", "elementbyteordermsb")
        dtype = dtype.newbyteorder(">" if big else "<") if dtype.itemsize > 1 else dtype
        compressed = _is_true(fields, "compresseddata")
        if "binarydata" in fields and not _is_true(fields, "binarydata"):
            raise ImageError(f"{path.name} stores its voxels as text; write it with BinaryData = True.")
        file_name = fields["elementdatafile"]
        if file_name.upper() != "LOCAL":
            if file_name.upper().startswith("LIST") or "%" in file_name:
                raise ImageError(f"{path.name} spreads its data over several files; one data file is read.")
            if not file_name or not (path.parent / file_name).is_file():
                raise ImageError(f"{path.name} points to the data file {file_name!r}, which is not there.")
        data_path = path if file_name.upper() == "LOCAL" else path.parent / file_name
        count = math.prod(sizes)
        needed = count * dtype.itemsize
        size = data_path.stat().st_size
        header_size = int(fields.get("headersize", "0"))
        if data_path != path:
            offset = size - needed if header_size == -1 and not compressed else max(0, header_size)
        if offset < 0:
            check_payload(size, needed, path.name)
        check_payload(size - offset, needed, path.name, DEFLATE_RATIO if compressed else 1.0)

        def load() -> np.ndarray:
            if not compressed:
                return np.fromfile(data_path, dtype, count, offset=offset).reshape(sizes[::-1])
            with data_path.open("rb") as stream:
                stream.seek(offset)
                data = stream.read()
            try:
                data = zlib.decompressobj(47).decompress(data, needed + 1)
            except zlib.error as error:
                raise ImageError(f"{path.name} is damaged: {error}.") from error
            check_payload(len(data), needed, path.name)
            return np.frombuffer(data, dtype, count).reshape(sizes[::-1])

        spacing, source = _spacing(fields, len(sizes))
        return StoredImage(
            self.name,
            sizes[::-1],
            dtype,
            "zyx"[3 - len(sizes) :],
            load,
            None if spacing is None else spacing[::-1],
            source,
            ("zlib-compressed" if compressed else "uncompressed",),
        )


def _spacing(fields: dict[str, str], ndim: int) -> tuple[tuple[float, ...] | None, str]:
    values = [float(word) for word in fields.get("elementspacing", fields.get("elementsize", "")).split()]
    if len(values) != ndim:
        return None, ""
    unit = _LENGTHS.get(fields.get("distanceunits", "").lower())
    if unit is not None and all(math.isfinite(h) and h > 0 for h in values):
        return tuple(h * unit for h in values), "its header"
    return meaningful_spacing(values, 1e-3), "its header, which names no unit: taken as millimetres"
