"""VTI: VTK's XML image data, inline or appended, ascii, base64 or raw, plain or zlib/lzma compressed."""

from __future__ import annotations

import base64
import binascii
import lzma
import math
import re
import xml.etree.ElementTree as ElementTree
import zlib
from pathlib import Path

import numpy as np

from scalebridge.core.errors import ImageError
from scalebridge.core.memory import check_fits
from scalebridge.microstructure.formats.stored import (
    AbstractImageFormat,
    ReadRequest,
    StoredImage,
    checked_shape,
    meaningful_spacing,
)

_TYPES = {
    "Int8": "i1", "UInt8": "u1", "Int16": "i2", "UInt16": "u2", "Int32": "i4", "UInt32": "u4",
    "Int64": "i8", "UInt64": "u8", "Float32": "f4", "Float64": "f8",
}  # fmt: skip


class _Document:
    """The XML head of a .vti file and, if there is one, its appended data."""

    def __init__(self, path: Path) -> None:
        check_fits(2.0 * path.stat().st_size, f"Reading {path.name}")
        content = path.read_bytes()
        self.where = path.name
        self.appended: bytes = b""
        self.appended_is_text = False
        marker = re.search(rb"<AppendedData[^>]*>\s*_", content)
        if marker is not None:
            # Appended raw bytes are not XML; the head before them is, once it is closed.
            self.appended = content[marker.end() :]
            self.appended_is_text = b"base64" in marker.group()
            content = content[: marker.start()] + b"</VTKFile>"
        try:
            self.root = ElementTree.fromstring(content)
        except ElementTree.ParseError as error:
            raise ImageError(f"{path.name} is no readable VTI file: {error}. Is it truncated?") from error
        if self.root.tag != "VTKFile" or self.root.get("type") != "ImageData":
            raise ImageError(f"{path.name} is not VTK image data (type {self.root.get('type')!r}).")
        endian = {"LittleEndian": "<", "BigEndian": ">"}.get(self.root.get("byte_order", "LittleEndian"))
        header = {"UInt32": "u4", "UInt64": "u8"}.get(self.root.get("header_type", "UInt32"))
        if endian is None or header is None:
            raise ImageError(f"{path.name} has an unknown byte order or header type.")
        self.endian = endian
        self.header = np.dtype(endian + header)
        self.compressor = self.root.get("compressor", "")

    def values(self, array: ElementTree.Element, dtype: np.dtype, count: int) -> np.ndarray:
        """`count` numbers of one DataArray."""
        kind = array.get("format", "ascii")
        text = array.text or ""
        if kind == "ascii":
            words = text.split()
            self._expect(len(words) * dtype.itemsize, count * dtype.itemsize)
            return np.array(words).astype(dtype)
        if kind == "binary":
            data = self._from_text("".join(text.split()).encode("ascii"), count * dtype.itemsize)
        elif kind == "appended":
            offset = int(array.get("offset", "0"))
            if not 0 <= offset <= len(self.appended):
                raise ImageError(f"{self.where} is truncated: appended data at {offset} are not there.")
            if self.appended_is_text:
                text_data = self.appended[offset:].split(b"<", 1)[0]
                data = self._from_text(b"".join(text_data.split()), count * dtype.itemsize)
            else:
                data = bytes(self._from_bytes(memoryview(self.appended)[offset:], count * dtype.itemsize))
        else:
            raise ImageError(f"{self.where} has a DataArray of unknown format {kind!r}.")
        return np.frombuffer(data, dtype)

    def _expect(self, got: int, needed: int) -> None:
        if got != needed:
            raise ImageError(
                f"{self.where} is truncated or damaged: {needed} bytes expected, {got} are there."
            )

    def _decode(self, text: bytes) -> bytes:
        try:
            return base64.b64decode(text[: len(text) // 4 * 4], validate=True)
        except binascii.Error as error:
            raise ImageError(
                f"{self.where} is damaged: its base64 data cannot be decoded ({error})."
            ) from error

    def _from_text(self, text: bytes, needed: int) -> bytes:
        """Header and data are encoded one after the other or together; padding tells which."""
        word = self.header.itemsize
        if not self.compressor:
            letters = math.ceil(word / 3) * 4
            if text[:letters].endswith(b"="):
                raw = self._decode(text[:letters])[:word] + self._decode(text[letters:][: _letters(needed)])
            else:
                raw = self._decode(text[: _letters(word + needed)])
            return bytes(self._from_bytes(memoryview(raw), needed))
        start = self._decode(text[: 4 * word])
        self._expect(min(len(start), word), word)
        blocks = int(np.frombuffer(start[:word], self.header)[0])
        if blocks > len(text):
            raise ImageError(f"{self.where} is damaged: {blocks} compressed blocks are announced.")
        letters = _letters((3 + blocks) * word)
        table = self._decode(text[:letters])[: (3 + blocks) * word]
        sizes = np.frombuffer(table[: len(table) // word * word], self.header)[3:]
        body = text[letters:][: _letters(sum(int(n) for n in sizes))]
        return bytes(self._from_bytes(memoryview(table + self._decode(body)), needed))

    def _from_bytes(self, data: memoryview, needed: int) -> bytes | memoryview:
        word = self.header.itemsize
        self._expect(min(len(data), word), word)
        first = int(np.frombuffer(data[:word], self.header)[0])
        if not self.compressor:
            self._expect(first, needed)
            self._expect(min(len(data) - word, needed), needed)
            return data[word : word + needed]
        if (3 + first) * word > len(data):
            raise ImageError(f"{self.where} is damaged: {first} compressed blocks are announced.")
        table = [int(n) for n in np.frombuffer(data[: (3 + first) * word], self.header)]
        block, last, sizes = table[1], table[2], table[3:]
        expected = [block] * first
        if first and last:
            expected[-1] = last
        self._expect(sum(expected), needed)
        result = bytearray()
        position = (3 + first) * word
        for size, uncompressed in zip(sizes, expected, strict=True):
            result += self._inflate(bytes(data[position : position + size]), uncompressed)
            position += size
        self._expect(len(result), needed)
        return bytes(result)

    def _inflate(self, data: bytes, size: int) -> bytes:
        """At most `size` + 1 bytes are produced, whatever the data claim."""
        try:
            if self.compressor == "vtkZLibDataCompressor":
                return zlib.decompressobj().decompress(data, size + 1)
            if self.compressor == "vtkLZMADataCompressor":
                return lzma.LZMADecompressor().decompress(data, size + 1)
        except (zlib.error, lzma.LZMAError, EOFError) as error:
            raise ImageError(f"{self.where} is damaged: {error}.") from error
        raise ImageError(f"{self.where} is compressed with {self.compressor}; write it with zlib or without.")


def _letters(size: int) -> int:
    return math.ceil(size / 3) * 4


def _numbers(element: ElementTree.Element, name: str, default: str) -> list[float]:
    return [float(word) for word in element.get(name, default).split()]


def _pick(piece: ElementTree.Element, wanted: str | None, where: str) -> tuple[ElementTree.Element, bool]:
    """The array to read, and whether it lives on cells."""
    found: list[tuple[ElementTree.Element, bool]] = []
    for tag, on_cells in (("CellData", True), ("PointData", False)):
        for group in piece.findall(tag):
            arrays = group.findall("DataArray")
            active = [a for a in arrays if a.get("Name") == group.get("Scalars")]
            found += [(a, on_cells) for a in active + [a for a in arrays if a not in active]]
    listed = "; ".join(f"{a.get('Name')} ({'cells' if on_cells else 'points'})" for a, on_cells in found[:20])
    scalars = [pair for pair in found if pair[0].get("NumberOfComponents", "1") in ("0", "1")]
    if wanted is not None:
        named = [pair for pair in found if pair[0].get("Name") == wanted.strip("/")]
        if not named:
            raise ImageError(f"{where} has no array {wanted!r}. Arrays in it: {listed or '(none)'}.")
        scalars = named
    elif len(scalars) > 1:
        cells = [pair for pair in scalars if pair[1]]
        marked = [g.get("Scalars") for g in piece if g.get("Scalars")]
        if len(cells) != 1 and not marked:
            raise ImageError(f"{where} holds several arrays: {listed}. Name one as {where}:/NAME.")
        if len(cells) == 1:
            scalars = cells
        elif marked:
            scalars = [pair for pair in scalars if pair[0].get("Name") in marked]
    if not scalars:
        raise ImageError(
            f"{where} holds no array of one number per voxel. Arrays in it: {listed or '(none)'}."
        )
    return scalars[0]


class Vti(AbstractImageFormat):
    """Cell data (one value per voxel) or point data (each point taken as a voxel), x fastest."""

    name = "VTI"
    suffixes = (".vti",)

    def open(self, request: ReadRequest) -> StoredImage:
        document = _Document(request.path)
        where = request.path.name
        image = document.root.find("ImageData")
        pieces = image.findall("Piece") if image is not None else []
        if image is None or len(pieces) != 1:
            raise ImageError(f"{where} holds {len(pieces)} pieces of image data; one is read.")
        extent = [int(word) for word in pieces[0].get("Extent", image.get("WholeExtent", "")).split()]
        if len(extent) != 6:
            raise ImageError(f"{where} has no valid extent ({extent}).")
        array, on_cells = _pick(pieces[0], request.dataset, where)
        points = [extent[2 * i + 1] - extent[2 * i] + 1 for i in range(3)]
        checked_shape(points, where)
        flat = points[2] == 1
        shape = checked_shape([max(1, n - 1) if on_cells else n for n in points], where)
        type_name = array.get("type", "")
        if type_name not in _TYPES:
            raise ImageError(f"{where} holds numbers of the unknown type {type_name!r}.")
        if array.get("NumberOfComponents", "1") not in ("0", "1"):
            raise ImageError(
                f"{array.get('Name')!r} in {where} has several components: no grey values or labels."
            )
        dtype = np.dtype(document.endian + _TYPES[type_name])
        stored_shape = (shape[1], shape[0]) if flat else shape[::-1]
        spacing = meaningful_spacing(_numbers(image, "Spacing", "1 1 1")[:3], 1.0)
        direction = _numbers(image, "Direction", "1 0 0 0 1 0 0 0 1")
        notes = [f"{'cell' if on_cells else 'point'} data {array.get('Name')!r}"]
        if direction != [1.0, 0, 0, 0, 1, 0, 0, 0, 1]:
            notes.append("the direction matrix is ignored: axes are the image's own")

        def load() -> np.ndarray:
            return document.values(array, dtype, math.prod(shape)).reshape(stored_shape)

        return StoredImage(
            self.name,
            stored_shape,
            dtype,
            "yx" if flat else "zyx",
            load,
            None if spacing is None else spacing[::-1][-len(stored_shape) :],
            "its header, taken as metres",
            tuple(notes),
        )
