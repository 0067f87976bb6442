"""RAW: voxels without a header; the layout must be given."""

from __future__ import annotations

import numpy as np

from scalebridge.core.errors import ImageError
from scalebridge.microstructure.formats.stored import AbstractImageFormat, ReadRequest, StoredImage
from scalebridge.microstructure.raw_layout import layouts_that_fit


class Raw(AbstractImageFormat):
    """Headerless voxels; fails when the byte count does not fit, with the layouts that would."""

    name = "RAW"
    suffixes = (".raw", ".bin", ".dat")

    def open(self, request: ReadRequest) -> StoredImage:
        layout, path = request.raw, request.path
        size = path.stat().st_size
        if layout is None:
            raise ImageError(
                f"{path.name} has no header ({size} bytes): give shape, dtype, byte order and axis order, e.g. "
                '--raw-shape 400,400,400 --raw-dtype uint8, in Python raw=RawLayout((400, 400, 400), "uint8").'
            )
        if size - layout.offset != layout.nbytes:
            fits = layouts_that_fit(size, layout)
            raise ImageError(
                f"{path.name} has {size} bytes, but shape {' x '.join(map(str, layout.shape))} "
                f"of {layout.dtype} after {layout.offset} header bytes needs "
                f"{layout.nbytes + layout.offset}. "
                + (f"These would fit: {'; '.join(fits)}." if fits else "Check shape, dtype and offset.")
            )

        def load() -> np.ndarray:
            dtype = layout.numpy_dtype
            flat = np.fromfile(path, dtype=dtype, count=layout.nbytes // dtype.itemsize, offset=layout.offset)
            return flat.reshape(layout.stored_shape)

        note = f"{layout.byte_order.name.lower()} byte order, {layout.offset} header bytes skipped"
        return StoredImage(
            self.name, layout.stored_shape, layout.numpy_dtype, layout.order, load, notes=(note,)
        )
