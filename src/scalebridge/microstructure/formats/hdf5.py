"""HDF5: one dataset of a file, named as file.h5:/path."""

from __future__ import annotations

import itertools
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
_MAX_VISITED = 2000


def _datasets(file: Any) -> list[str]:
    """The images of the file, at most a page of them; groups that contain themselves end the walk."""
    import h5py

    found: list[str] = []
    seen: set[Any] = set()
    waiting = [("", file)]
    while waiting and len(found) < _MAX_LISTED and len(seen) < _MAX_VISITED:
        prefix, group = waiting.pop(0)
        for name in itertools.islice(group, _MAX_VISITED):
            item = group.get(name)
            address = None if item is None else h5py.h5o.get_info(item.id).addr
            if address is None or address in seen:
                continue
            seen.add(address)
            if isinstance(item, h5py.Group):
                waiting.append((f"{prefix}/{name}", item))
            elif isinstance(item, h5py.Dataset) and item.ndim in (2, 3):
                found.append(f"{prefix}/{name} {item.shape} {item.dtype}")
    return found[:_MAX_LISTED]


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
