"""Voxel spacing as people write it."""

from __future__ import annotations

import re
from collections.abc import Sequence

from scalebridge.core.errors import SpacingError
from scalebridge.core.units import Dimension, parse_quantity

Spacing = float | int | str | Sequence[float] | None


def parse_spacing(spacing: Spacing, ndim: int) -> tuple[float, ...] | None:
    """Spacing in metres per axis x, y (, z): from 5e-6, (1e-6, 1e-6, 2e-6), "5.345 um", "1um,1um,2um" or
    "1,1,2 um".

    A plain number is metres; one value means cubic voxels; a unit behind the last value alone holds for all.
    Fails when: a value is no positive length (SpacingError, UnitError), or their number does not fit
    (SpacingError).
    """
    if spacing is None:
        return None
    if isinstance(spacing, str):
        parts = [part.strip() for part in re.split(r"[,;]", spacing)]
        unit = re.sub(r"^[+-]?[\d.]+(?:[eE][+-]?\d+)?", "", parts[-1]).strip()
        plain = all(re.fullmatch(r"[+-]?[\d.]+(?:[eE][+-]?\d+)?", part) for part in parts[:-1])
        if unit and plain:
            parts = [f"{part} {unit}" for part in parts[:-1]] + parts[-1:]
        values = [parse_quantity(part, Dimension.LENGTH) for part in parts]
    elif isinstance(spacing, (int, float)):
        values = [float(spacing)]
    else:
        values = [float(h) for h in spacing]
    if len(values) == 1:
        values = values * ndim
    if len(values) != ndim:
        raise SpacingError(
            f"Got {len(values)} spacings for a {ndim}-D image. Give one (cubic voxels) or one per axis, "
            f'e.g. spacing="{",".join(["5.345um"] * ndim)}".'
        )
    if not all(0 < h < float("inf") for h in values):
        raise SpacingError(f"A voxel spacing must be positive and finite, got {spacing!r}.")
    return tuple(values)
