"""One small file of every image format, for the tests that all formats must pass.

The image is a non-cubic box with all voxels 1 except a marker, so that a swapped or flipped axis shows.
"""

from __future__ import annotations

import base64
import dataclasses
import gzip
import io
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import tifffile

from scalebridge.microstructure import ByteOrder, RawLayout

SHAPE = (5, 4, 3)
MARKER = (4, 1, 2)
SPACING = (1e-6, 2e-6, 3e-6)


def marked(shape: tuple[int, ...] = SHAPE, marker: tuple[int, ...] = MARKER) -> np.ndarray:
    """[x, y, z], uint8: 1 everywhere, 7 at the marker, 0 at the origin."""
    labels = np.ones(shape, np.uint8)
    labels[(0,) * len(shape)] = 0
    labels[marker] = 7
    return labels


@dataclasses.dataclass(frozen=True)
class Sample:
    """How to write the marked image in one format, and how to read it back."""

    name: str
    suffix: str
    write: Callable[[Path, np.ndarray], None]
    spacing: tuple[float, ...] | None = None
    dataset: str | None = None
    raw: RawLayout | None = None


def _tiff(path: Path, a: np.ndarray) -> None:
    tifffile.imwrite(path, np.ascontiguousarray(a.T), photometric="minisblack", compression="zlib")


def _tiff_plain(path: Path, a: np.ndarray) -> None:
    tifffile.imwrite(path, np.ascontiguousarray(a.T), photometric="minisblack", metadata=None)


def _tiff_imagej(path: Path, a: np.ndarray) -> None:
    tifffile.imwrite(
        path,
        np.ascontiguousarray(a.T).astype(np.uint16),
        imagej=True,
        resolution=(1.0, 0.5),
        metadata={"axes": "ZYX", "spacing": 3.0, "unit": "um"},
    )


def _npz(path: Path, a: np.ndarray) -> None:
    np.savez_compressed(path, labels=a)


def _hdf5(path: Path, a: np.ndarray) -> None:
    with h5py.File(path, "w") as file:
        file.create_dataset("deep/labels", data=a, compression="gzip").attrs["spacing"] = SPACING


def _hdf5_zyx(path: Path, a: np.ndarray) -> None:
    with h5py.File(path, "w") as file:
        item = file.create_dataset("labels", data=a.T)
        item.attrs["axes"] = "zyx"
        item.attrs["spacing"] = SPACING[::-1]


def _vti(path: Path, a: np.ndarray, kind: str, on_points: bool = False) -> None:
    """Written by hand from the format's description, independently of the package's own writer."""
    data = np.ascontiguousarray(a.T).astype("<i2").tobytes()
    length = struct.pack("<I", len(data))
    compressor, body, appended = "", "", b""
    if kind == "ascii":
        body = " ".join(map(str, a.T.ravel()))
    elif kind == "binary":
        body = base64.b64encode(length + data).decode()
    elif kind == "zlib":
        compressor = ' compressor="vtkZLibDataCompressor"'
        half = 64
        blocks = [zlib.compress(data[i : i + half]) for i in range(0, len(data), half)]
        head = struct.pack(f"<{3 + len(blocks)}I", len(blocks), half, len(data) % half, *map(len, blocks))
        body = base64.b64encode(head).decode() + base64.b64encode(b"".join(blocks)).decode()
    else:
        appended = b'<AppendedData encoding="raw">_' + length + data + b"</AppendedData>"
    offset = ' offset="0"' if appended else ""
    fmt = {"ascii": "ascii", "raw": "appended"}.get(kind, "binary")
    points = [n - 1 if on_points else n for n in a.shape]
    extent = " ".join(f"0 {n}" for n in points)
    tag = "PointData" if on_points else "CellData"
    path.write_bytes(
        f'<?xml version="1.0"?><VTKFile type="ImageData" version="0.1" byte_order="LittleEndian"{compressor}>'
        f'<ImageData WholeExtent="{extent}" Origin="0 0 0" Spacing="1e-6 2e-6 3e-6"><Piece Extent="{extent}">'
        f'<{tag} Scalars="labels"><DataArray type="Int16" Name="labels" format="{fmt}"{offset}>'
        f"{body}</DataArray></{tag}></Piece></ImageData>".encode()
        + appended
        + b"</VTKFile>"
    )


def _nrrd(path: Path, a: np.ndarray, encoding: str) -> None:
    data = np.ascontiguousarray(a.T).astype(">u2").tobytes()
    body = {
        "raw": data,
        "gzip": gzip.compress(data, mtime=0),
        "ascii": " ".join(map(str, a.T.ravel())).encode(),
    }[encoding]
    head = (
        "NRRD0004\n# made for a test\ntype: uint16\ndimension: 3\nsizes: 5 4 3\nendian: big\n"
        f'encoding: {encoding}\nspace directions: (1,0,0) (0,2,0) (0,0,3)\nspace units: "um" "um" "um"\n\n'
    )
    path.write_bytes(head.encode() + body)


def _meta(path: Path, a: np.ndarray, compressed: bool) -> None:
    data = np.ascontiguousarray(a.T).tobytes()
    head = (
        "ObjectType = Image\nNDims = 3\nBinaryData = True\nBinaryDataByteOrderMSB = False\n"
        f"CompressedData = {compressed}\nElementSpacing = 0.001 0.002 0.003\nDimSize = 5 4 3\n"
        "ElementType = MET_UCHAR\nElementDataFile = LOCAL\n"
    )
    path.write_bytes(head.encode() + (zlib.compress(data) if compressed else data))


def _raw(path: Path, a: np.ndarray) -> None:
    path.write_bytes(b"HEADER" + np.ascontiguousarray(a.T).astype(">u2").tobytes())


def _bytes_of(write: Callable[[Path, np.ndarray], None], folder: Path, suffix: str) -> bytes:
    path = folder / f"one{suffix}"
    write(path, marked())
    return path.read_bytes()


SAMPLES = (
    Sample("tiff", ".tif", _tiff),
    Sample("tiff-plain", ".tiff", _tiff_plain),
    Sample("tiff-imagej", ".tif", _tiff_imagej, SPACING),
    Sample("npy", ".npy", lambda path, a: np.save(path, a)),
    Sample("npy-fortran", ".npy", lambda path, a: np.save(path, np.asfortranarray(a.astype(">i4")))),
    Sample("npz", ".npz", _npz),
    Sample("hdf5", ".h5", _hdf5, SPACING, dataset="/deep/labels"),
    Sample("hdf5-zyx", ".hdf5", _hdf5_zyx, SPACING, dataset="/labels"),
    Sample("vti-ascii", ".vti", lambda path, a: _vti(path, a, "ascii"), SPACING),
    Sample("vti-binary", ".vti", lambda path, a: _vti(path, a, "binary"), SPACING),
    Sample("vti-zlib", ".vti", lambda path, a: _vti(path, a, "zlib"), SPACING),
    Sample("vti-raw", ".vti", lambda path, a: _vti(path, a, "raw"), SPACING),
    Sample("vti-points", ".vti", lambda path, a: _vti(path, a, "binary", on_points=True), SPACING),
    Sample("nrrd-raw", ".nrrd", lambda path, a: _nrrd(path, a, "raw"), SPACING),
    Sample("nrrd-gzip", ".nrrd", lambda path, a: _nrrd(path, a, "gzip"), SPACING),
    Sample("nrrd-ascii", ".nrrd", lambda path, a: _nrrd(path, a, "ascii"), SPACING),
    Sample("mha", ".mha", lambda path, a: _meta(path, a, False), SPACING),
    Sample("mha-zlib", ".mha", lambda path, a: _meta(path, a, True), SPACING),
    Sample("raw", ".raw", _raw, raw=RawLayout(SHAPE, "uint16", ByteOrder.BIG, "zyx", 6)),
)


def sample_bytes(sample: Sample, folder: Path) -> bytes:
    """The marked image as a file of this format."""
    return _bytes_of(sample.write, folder, sample.suffix)


def one_bit_tiff(path: Path, a: np.ndarray) -> None:
    """[x, y, z] of zeros and ones as a 1-bit multi-page TIFF."""
    tifffile.imwrite(path, np.ascontiguousarray(a.T).astype(bool), photometric="minisblack")


def npy_with_header(header: str, payload: bytes = b"\0" * 60) -> bytes:
    """A .npy file whose header text is anything at all."""
    stream = io.BytesIO()
    text = header.ljust(117) + "\n"
    stream.write(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text.encode())
    stream.write(payload)
    return stream.getvalue()
