"""NPY and NPZ: numpy arrays, taken as [x, y, z] as they stand."""

from __future__ import annotations

import warnings
import zipfile
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
)


def _header(stream: Any, where: str) -> tuple[tuple[int, ...], np.dtype]:
    version = np.lib.format.read_magic(stream)
    reader = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    if version not in ((1, 0), (2, 0)):
        raise ImageError(f"{where} has the NPY version {version}; 1.0 and 2.0 are read.")
    with warnings.catch_warnings():
        warnings.simplefilter(
            "ignore", UserWarning
        )  # headers in the manner of Python 2 read well all the same
        shape, _, dtype = reader(stream)
    if dtype.hasobject or dtype.names is not None:
        raise ImageError(f"{where} holds {dtype} and not numbers; save a plain integer array.")
    return checked_shape(shape, where), dtype


class Npy(AbstractImageFormat):
    """One array in a .npy file."""

    name = "NPY"
    suffixes = (".npy",)

    def open(self, request: ReadRequest) -> StoredImage:
        path = request.path
        with path.open("rb") as stream:
            shape, dtype = _header(stream, path.name)
            offset = stream.tell()
        stored = StoredImage(
            self.name, shape, dtype, "xyz"[: len(shape)], lambda: np.load(path, allow_pickle=False)
        )
        check_payload(path.stat().st_size - offset, stored.nbytes, path.name)
        return stored


class Npz(AbstractImageFormat):
    """One array of a .npz archive; `dataset` names it when there are several."""

    name = "NPZ"
    suffixes = (".npz",)

    def open(self, request: ReadRequest) -> StoredImage:
        path = request.path
        with zipfile.ZipFile(path) as archive:
            names = {info.filename.removesuffix(".npy"): info for info in archive.infolist()}
            wanted = (request.dataset or "").strip("/")
            if wanted not in names:
                if wanted or len(names) != 1:
                    reason = f"there is no {wanted!r}" if wanted else "name one"
                    raise ImageError(
                        f"{path.name} holds the arrays {', '.join(sorted(names)) or '(none)'}; "
                        f"{reason}, e.g. {path.name}:/{min(names, default='labels')}."
                    )
                wanted = next(iter(names))
            info = names[wanted]
            with archive.open(info) as stream:
                shape, dtype = _header(stream, f"{path.name}:/{wanted}")

        def load() -> np.ndarray:
            with zipfile.ZipFile(path) as archive, archive.open(info.filename) as stream:
                return np.lib.format.read_array(stream, allow_pickle=False)

        stored = StoredImage(
            self.name, shape, dtype, "xyz"[: len(shape)], load, notes=(f"array {wanted!r} of the archive",)
        )
        check_payload(info.compress_size, stored.nbytes, path.name, DEFLATE_RATIO)
        check_payload(info.file_size, stored.nbytes, path.name)
        return stored
