"""Reading the image of a study and editing it in the order in which the study lists the steps."""

from __future__ import annotations

import re
from pathlib import Path

from scalebridge.core.errors import StudyError
from scalebridge.grid import PhaseImage
from scalebridge.microstructure.coarsening import coarsen
from scalebridge.microstructure.edit import crop, keep_largest_component, mirror, relabel, trim
from scalebridge.microstructure.raw_layout import ByteOrder, RawLayout
from scalebridge.microstructure.read import read_image, split_dataset
from scalebridge.study.schema import ImageSection, RawSection

_RANGE = re.compile(r"^\s*(\d*)\s*:\s*(\d*)\s*$")


def image_file(section: ImageSection, base: Path) -> Path:
    """The file (or folder of slices) on disk, without the path inside an HDF5 file."""
    return base / split_dataset(section.path)[0]


def raw_layout(section: RawSection) -> RawLayout:
    """The layout of a headerless file; ">u2" says the byte order with the type, as numpy does."""
    big = section.byte_order == "big" or section.dtype.startswith(">")
    return RawLayout(
        shape=tuple(section.shape),
        dtype=section.dtype.lstrip("<>="),
        byte_order=ByteOrder.BIG if big else ByteOrder.LITTLE,
        order=section.order or "",
        offset=section.offset,
    )


def parse_ranges(text: str, shape: tuple[int, ...]) -> tuple[slice, ...]:
    """ "10:90,:,0:50" as slices of x, y, z. Fails when: they are not ranges inside `shape` (StudyError)."""
    parts = text.split(",")
    example = ", e.g. " + ",".join(f"0:{n}" for n in shape)
    if len(parts) != len(shape):
        raise StudyError(
            f"crop = {text!r} has {len(parts)} ranges for an image with {len(shape)} axes{example}."
        )
    ranges = []
    for part, count, axis in zip(parts, shape, "xyz", strict=False):
        match = _RANGE.match(part)
        if match is None or max(map(len, match.groups())) > 12:
            raise StudyError(f"crop: {part.strip()!r} along {axis} is not a range start:stop{example}.")
        start, stop = int(match[1] or 0), int(match[2] or count)
        if not 0 <= start < stop <= count:
            raise StudyError(
                f"crop: {part.strip()!r} along {axis} does not fit; the image has {count} voxels there."
            )
        ranges.append(slice(start, stop))
    return tuple(ranges)


def prepare_image(section: ImageSection, base: Path) -> PhaseImage:
    """The labelled image of a study. Fails when: it cannot be read or edited so (InputError)."""
    spacing = section.spacing
    image = read_image(
        base / section.path,
        spacing=",".join(map(str, spacing)) if isinstance(spacing, list) else spacing,
        axes=section.axes,
        dataset=section.dataset,
        raw=raw_layout(section.raw) if section.raw is not None else None,
        threshold=section.threshold,
        otsu=section.otsu,
    )
    if section.crop is not None:
        ranges = parse_ranges(section.crop, image.grid.shape)
        image = crop(image, [r.start for r in ranges], [r.stop for r in ranges])
    if section.relabel:
        image = relabel(image, {int(old): new for old, new in section.relabel.items()})
    if section.keep_largest is not None:
        image = keep_largest_component(image, section.keep_largest.label, section.keep_largest.others)
    if section.coarsen > 1:
        image = coarsen(trim(image, section.coarsen), section.coarsen)
    if section.mirror:
        image = mirror(image, ["xyz".index(axis) for axis in section.mirror])
    return image
