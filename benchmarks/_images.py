"""The images of the benchmarks by name, so that a fresh process can make its own."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from scalebridge.grid import PhaseImage

DATA = Path(os.environ.get("SCALEBRIDGE_DATA", Path(__file__).resolve().parents[2] / "shared" / "data"))
BEREA = DATA / "rock" / "berea_crop128_000.tif"
ELECTRODE = DATA / "battery" / "taufactor_electrode_256.tif"


def make_image(name: str, size: int) -> PhaseImage:
    """`sphere` (radius 0.25), `gaussian` (50/50 level cut), `sandstone` (porosity 0.2), `berea` (needs the data)."""
    from scalebridge.grid import PhaseImage, VoxelGrid
    from scalebridge.microstructure import generate, read_image

    if name == "berea":
        image = read_image(BEREA, spacing="5.345 um")
        corner = image.labels[:size, :size, :size]
        return PhaseImage((corner > 0).astype("uint8"), VoxelGrid(corner.shape, image.grid.spacing))
    if name == "sphere":
        return generate.sphere_array(size, radius=0.25)
    length = 6.0 * size / 128
    if name == "gaussian":
        return generate.gaussian_level_cut((size,) * 3, 0.5, correlation_length=length, seed=1)
    if name == "sandstone":
        return generate.gaussian_level_cut((size,) * 3, 0.2, correlation_length=length, seed=1)
    if name == "electrode":
        return generate.gaussian_level_cut((size,) * 3, 0.45, correlation_length=length, seed=1)
    raise ValueError(f"No image {name!r}: there are sphere, gaussian, sandstone, electrode, berea.")
