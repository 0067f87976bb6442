"""Writing images back: TIFF, VTI, HDF5 and NPY, all or nothing."""

from __future__ import annotations

import io
from pathlib import Path
from typing import IO, Any

import numpy as np

from scalebridge.core.errors import OutputError
from scalebridge.core.files import check_file, replacing, writing
from scalebridge.grid import GreyImage, PhaseImage
from scalebridge.microstructure.vti_writer import write_fields_vti

_ENDINGS = (".tif", ".tiff", ".vti", ".h5", ".hdf5", ".npy")


def check_target(path: str | Path, *, force: bool = False, voxels: int = 0) -> None:
    """Makes sure, before the work, that `write_image` can write an image of so many `voxels` to `path`.

    Fails when: the ending is unknown, the name is taken and `force` is not set, the file cannot be written, or the
    disk has too little room (OutputError).
    """
    from scalebridge.microstructure.read import split_dataset

    file = split_dataset(path)[0]
    suffix = file.suffix.lower()
    if suffix not in _ENDINGS:
        raise OutputError(
            f"Cannot write {file.name}: the ending {suffix!r} is none of {', '.join(_ENDINGS)}. The ending says "
            "the format."
        )
    # Only NPY is not compressed; of the others nobody knows beforehand how small they become.
    check_file(file, force=force, needed_bytes=voxels if suffix == ".npy" else 0)


def write_image(image: PhaseImage | GreyImage, path: str | Path) -> None:
    """Writes the voxels in the format of the ending: .tif/.tiff (stored z, y, x), .vti, .h5:/path, .npy ([x,
    y, z]).

    The spacing goes along wherever the format can hold it (not NPY). An existing file is replaced in one
    step. Fails when: the ending is unknown, the folder cannot be written, or the disk is full (OutputError).
    """
    from scalebridge.microstructure.read import split_dataset

    check_target(path, force=True)
    file, dataset = split_dataset(path)
    values = image.labels if isinstance(image, PhaseImage) else image.values
    spacing = image.grid.spacing
    writers = {".tif": _write_tiff, ".tiff": _write_tiff, ".npy": _write_npy}
    suffix = file.suffix.lower()
    if suffix == ".vti":
        name = "labels" if isinstance(image, PhaseImage) else "grey"
        write_fields_vti(file, image.grid, {dataset.strip("/") if dataset else name: values}, {})
    elif suffix in (".h5", ".hdf5"):
        with replacing(file) as stream:
            _write_hdf5(stream, values, spacing, dataset or "/labels")
    else:
        with replacing(file) as stream:
            writers[suffix](stream, values, spacing)


def write_slices(image: PhaseImage | GreyImage, folder: str | Path, stem: str = "slice") -> None:
    """One TIFF per z into an existing or new folder: slice_0000.tif, slice_0001.tif, ..."""
    values = image.labels if isinstance(image, PhaseImage) else image.values
    if values.ndim != 3:
        raise OutputError(f"Slices need a 3-D image, got shape {values.shape}.")
    with writing(folder):
        Path(folder).mkdir(parents=True, exist_ok=True)
    digits = max(4, len(str(values.shape[2] - 1)))
    for z in range(values.shape[2]):
        with replacing(Path(folder) / f"{stem}_{z:0{digits}d}.tif") as stream:
            _write_tiff(stream, values[:, :, z], None)


def _write_tiff(stream: IO[bytes], values: np.ndarray, spacing: tuple[float, ...] | None) -> None:
    try:
        import tifffile
    except ImportError as error:
        raise OutputError(
            "Writing TIFF needs the package tifffile: pip install tifffile imagecodecs."
        ) from error
    stored = np.ascontiguousarray(values.T)
    metadata: dict[str, object] = {"axes": "ZYX"[3 - values.ndim :]}
    resolution: dict[str, Any] = {}
    if spacing is not None:
        metadata["spacing_m"] = list(spacing[::-1])
        resolution = {"resolution": (0.01 / spacing[0], 0.01 / spacing[1]), "resolutionunit": "CENTIMETER"}
    # tifffile wants a path or a file that it can seek in and name.
    buffer = io.BytesIO()
    tifffile.imwrite(
        buffer, stored, photometric="minisblack", compression="zlib", metadata=metadata, **resolution
    )
    stream.write(buffer.getbuffer())


def _write_npy(stream: IO[bytes], values: np.ndarray, spacing: tuple[float, ...] | None) -> None:
    np.lib.format.write_array(stream, values, allow_pickle=False)


def _write_hdf5(
    stream: IO[bytes], values: np.ndarray, spacing: tuple[float, ...] | None, dataset: str
) -> None:
    try:
        import h5py
    except ImportError as error:
        raise OutputError("Writing HDF5 needs the package h5py: pip install h5py.") from error
    # HDF5 seeks backwards while it writes; a buffer keeps the replacement of the file atomic on any file
    # system.
    buffer = io.BytesIO()
    with h5py.File(buffer, "w") as file:
        item = file.create_dataset(dataset, data=values, compression="gzip", compression_opts=4, shuffle=True)
        item.attrs["axes"] = "xyz"[: values.ndim]
        if spacing is not None:
            item.attrs["spacing"] = spacing
            item.attrs["spacing_unit"] = "m"
    stream.write(buffer.getbuffer())
