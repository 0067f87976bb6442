"""The images of the benchmarks by name, so that a fresh process can make its own."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

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
    length = 6.0 * size / 128  # voxels
    if name == "gaussian":
        labels = _gaussian_on_any_grid(size)
        return PhaseImage(labels, VoxelGrid(labels.shape))
    if name == "sandstone":
        return generate.gaussian_level_cut((size,) * 3, 0.2, correlation_length=length, seed=1)
    if name == "electrode":
        return generate.gaussian_level_cut((size,) * 3, 0.45, correlation_length=length, seed=1)
    raise ValueError(f"No image {name!r}: there are sphere, gaussian, sandstone, electrode, berea.")


def _gaussian_on_any_grid(size: int) -> np.ndarray:
    """Half of the volume, where one smooth periodic random field is low: the same field on every grid.

    A generator that draws noise per voxel makes another sample for every size; iterations would then be compared
    between materials. Correlation length 1/14 of the edge: 2.3 voxels on the coarsest grid, which carries it fully.
    """
    import scipy.signal

    coarse, length = 32, 32 / 14
    noise = np.random.default_rng(1).standard_normal((coarse,) * 3)
    frequencies = np.meshgrid(*[np.fft.fftfreq(coarse)] * 3, indexing="ij", sparse=True)
    square = sum(f * f for f in frequencies)
    field = np.fft.ifftn(np.fft.fftn(noise) * np.exp(-((np.pi * length) ** 2) * square)).real
    for axis in range(3):
        if size >= coarse:
            field = scipy.signal.resample(field, size, axis=axis)
        else:
            field = np.take(field, np.arange(0, coarse, coarse // size), axis=axis)
    return (field >= np.median(field)).astype(np.uint8)
