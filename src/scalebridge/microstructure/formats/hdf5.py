"""HDF5: one dataset of a file, named as file.h5:/path."""

from __future__ import annotations

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

_MAX_LISTED = 20


def _datasets(file: Any) -> list[str]:
    import h5py

    found: list[str] = []

    def visit(name: str, item: Any) -> bool | None:
        if isinstance(item, h5py.Dataset) and item.ndim in (2, 3):
            found.append(f"/{name} {item.shape} {item.dtype}")
        return True if len(found) >= _MAX_LISTED else None

    file.visititems(visit)
    return found


def _text(value: Any) -> str:
    return value.decode("ascii", "replace") if isinstance(value, bytes) else str(value)


class Hdf5(AbstractImageFormat):
    """A dataset taken as [x, y, z] unless its attribute `axes` (or `permute_order`) says otherwise.

    The attribute `spacing` is read in metres and goes with the stored axes.
    Fails when: the dataset is not there; the message lists those that are.
    """

    name = "HDF5"
    suffixes = (".h5", ".hdf5", ".hdf", ".he5", ".nxs")

    def open(self, request: ReadRequest) -> StoredImage:
        try:
            import h5py
        except ImportError as error:
            raise ImageError("Reading HDF5 needs the package h5py: pip install h5py.") from error
        path = request.path
        with h5py.File(path, "r") as file:
            wanted = request.dataset
            item = file.get(wanted) if wanted else None
            if not isinstance(item, h5py.Dataset):
                listed = _datasets(file)
                what = f"{path.name} has no dataset {wanted!r}" if wanted else f"{path.name} needs a dataset"
                raise ImageError(
                    f"{what}. Images in it: {'; '.join(listed) or '(none)'}. "
                    f"Name one as {path.name}:{listed[0].split()[0] if listed else '/path'}."
                )
            if item.shape is None or len(item.shape) == 0:
                raise ImageError(f"{path.name}:{wanted} holds no array.")
            shape = checked_shape(item.shape, f"{path.name}:{wanted}")
            default = "xyz"[: len(shape)]
            order = next(
                (_text(item.attrs[key]).lower() for key in ("axes", "permute_order") if key in item.attrs), ""
            )
            known = sorted(order) == sorted(default)
            spacing = None
            if "spacing" in item.attrs and np.size(item.attrs["spacing"]) == len(shape):
                spacing = meaningful_spacing(
                    np.asarray(item.attrs["spacing"], dtype=float).ravel().tolist(), 1.0
                )
            stored_bytes = item.id.get_storage_size()
            dtype = item.dtype
        check_payload(
            stored_bytes, int(np.prod(shape)) * dtype.itemsize, f"{path.name}:{wanted}", DEFLATE_RATIO
        )

        def load() -> np.ndarray:
            with h5py.File(path, "r") as file:
                return np.asarray(file[wanted][...])

        return StoredImage(
            self.name,
            shape,
            dtype,
            order if known else default,
            load,
            spacing,
            "the attribute 'spacing'",
            (f"dataset {wanted}", "axes from its attribute" if known else "axes taken as they stand"),
        )
