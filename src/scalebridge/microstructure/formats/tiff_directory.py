"""The chain of page directories of a TIFF, checked before anything else touches the file.

A damaged chain may run in circles or announce billions of values; a decoder that follows it never returns.
"""

from __future__ import annotations

import struct
from pathlib import Path

from scalebridge.core.errors import ImageError

# Bytes per value of the field types 1 to 18; 0 where the standard has none.
_SIZES = (0, 1, 1, 2, 4, 8, 1, 1, 2, 4, 8, 4, 8, 4, 0, 0, 8, 8, 8)
_MAX_PAGES = 1_000_000
_MAX_TAGS = 4096


def check_directories(path: Path) -> int:
    """The number of pages. Fails when the chain leaves the file or runs in circles, or a field cannot fit."""
    size = path.stat().st_size
    with path.open("rb") as stream:
        head = stream.read(16)
        order = {b"II": "<", b"MM": ">"}.get(head[:2])
        if order is None or len(head) < 8:
            raise ImageError(f"{path.name} does not begin like a TIFF file.")
        version = struct.unpack(order + "H", head[2:4])[0]
        if version == 42:
            count_format, entry_format, offset_format, offset = "H", "HHI4x", "I", head[4:8]
        elif version == 43 and len(head) == 16:
            count_format, entry_format, offset_format, offset = "Q", "HHQ8x", "Q", head[8:16]
        else:
            raise ImageError(f"{path.name} does not begin like a TIFF file.")
        count_size = struct.calcsize(order + count_format)
        entry = struct.Struct(order + entry_format)
        link = struct.Struct(order + offset_format)
        position = link.unpack(offset)[0]
        seen: set[int] = set()
        while position:
            if position in seen or len(seen) >= _MAX_PAGES:
                raise ImageError(f"{path.name} is damaged: its chain of pages runs in circles.")
            seen.add(position)
            stream.seek(min(position, size))
            raw = stream.read(count_size)
            tags = struct.unpack(order + count_format, raw)[0] if len(raw) == count_size else 0
            if not 0 < tags <= _MAX_TAGS:
                raise ImageError(
                    f"{path.name} is truncated or damaged: page {len(seen)} is not where it should be."
                )
            directory = stream.read(tags * entry.size + link.size)
            if len(directory) < tags * entry.size + link.size:
                raise ImageError(f"{path.name} is truncated: the directory of page {len(seen)} is cut off.")
            for _, kind, count in entry.iter_unpack(directory[: tags * entry.size]):
                if kind < len(_SIZES) and _SIZES[kind] * count > size:
                    raise ImageError(
                        f"{path.name} is damaged: a field of page {len(seen)} is larger than the file."
                    )
            position = link.unpack(directory[tags * entry.size :])[0]
    if not seen:
        raise ImageError(f"{path.name} holds no image.")
    return len(seen)
