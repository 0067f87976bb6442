"""How much room the results of a study take on disk, known before its image is read."""

from __future__ import annotations

import math
from pathlib import Path

from scalebridge.microstructure.read import open_image
from scalebridge.study.images import parse_ranges, raw_layout
from scalebridge.study.schema import ImageSection, Study

_FIELD_BYTES, _CHECKPOINT_BYTES = 4, 8


def planned_shape(section: ImageSection, base: Path) -> tuple[int, ...]:
    """Voxels along x, y, z after all editing; of the file only its header is read.

    Fails when: the header cannot be read or the crop does not fit (InputError).
    """
    raw = raw_layout(section.raw) if section.raw is not None else None
    stored = open_image(base / section.path, dataset=section.dataset, raw=raw)
    order = section.axes or stored.order
    axes = "xyz"[: len(stored.shape)]
    if sorted(order) != sorted(axes):  # reading the image will say so
        return stored.shape
    shape = tuple(stored.shape[order.index(axis)] for axis in axes)
    if section.crop is not None:
        shape = tuple(part.stop - part.start for part in parse_ranges(section.crop, shape))
    doubled = [2 if axis in section.mirror else 1 for axis in axes]
    return tuple(n // section.coarsen * factor for n, factor in zip(shape, doubled, strict=True))


def results_bytes(study: Study, shape: tuple[int, ...]) -> int:
    """Bytes of the local fields, if they are kept, and of what a run remembers of itself; an upper estimate."""
    ndim = len(shape)
    mechanical = study.physics.kind != "conduction"
    components = ndim * (ndim + 1) // 2 if mechanical else ndim
    unknowns = ndim if mechanical else 1
    loads = 1 if study.boundary.condition == "faces" else components
    loads += study.physics.kind == "thermoelasticity"
    per_voxel = loads * unknowns * _CHECKPOINT_BYTES
    if study.output.fields:  # potential, gradient, flux, energy
        per_voxel += loads * (unknowns + 2 * components + 1) * _FIELD_BYTES
    return per_voxel * math.prod(shape)
