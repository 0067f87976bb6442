"""Images as plain data: the voxels compressed into text, and the hash that tells whether they came back whole."""

from __future__ import annotations

import base64
import binascii
import math
import zlib
from collections.abc import Mapping
from typing import Any

import numpy as np

from scalebridge.core.errors import ImageError
from scalebridge.grid import PhaseImage, VoxelGrid

KIND = "PhaseImage"


def image_record(image: PhaseImage) -> dict[str, Any]:
    """What `image_from_record` takes: an eighth of a byte per voxel before compression when there are two labels.

    The history is left out: images of the same voxels have the same record.
    """
    index = image.index
    packed = (
        np.packbits(index.reshape(-1)) if len(image.present) <= 2 else index.astype(_stored(image.present))
    )
    return {
        "kind": KIND,
        "sha256": image.sha256,
        "shape": list(image.grid.shape),
        "spacing": None if image.grid.spacing is None else list(image.grid.spacing),
        "labels": list(image.present),
        "voxels": base64.b64encode(zlib.compress(packed.tobytes(), 9)).decode("ascii"),
    }


def image_from_record(record: Mapping[str, Any], who: str) -> PhaseImage:
    """The image of a record. Fails when entries are missing, or the voxels are not those of the hash (ImageError)."""
    missing = sorted({"sha256", "shape", "spacing", "labels", "voxels"} - set(record))
    if missing:
        raise ImageError(f"{who}: the record of an image needs the entry {missing[0]!r}.")
    shape, present = tuple(record["shape"]), tuple(record["labels"])
    try:
        data = np.frombuffer(zlib.decompress(base64.b64decode(record["voxels"])), np.uint8)
        if len(present) <= 2:
            index = np.unpackbits(data, count=math.prod(shape)).reshape(shape)
        else:
            index = data.view(_stored(present)).reshape(shape)
        labels = np.asarray(present)[index]
    except (binascii.Error, zlib.error, ValueError, IndexError) as error:
        raise ImageError(f"{who}: the voxels in the record of an image cannot be read ({error}).") from error
    smallest = np.min_scalar_type(max(present)) if min(present) >= 0 else labels.dtype
    grid = VoxelGrid(shape, None if record["spacing"] is None else tuple(record["spacing"]))
    image = PhaseImage(labels.astype(smallest), grid, ("from the record of a generator",))
    if image.sha256 != record["sha256"]:
        raise ImageError(
            f"{who}: the image in the record is not the one whose hash it names: the record is damaged."
        )
    return image


def _stored(present: tuple[int, ...]) -> str:
    return "<u1" if len(present) <= 256 else "<u2"
