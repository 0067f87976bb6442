"""Numbers of an image: specific surface of every phase, local orientation from grey values."""

from __future__ import annotations

import numpy as np
import scipy.ndimage

from scalebridge.core.errors import ImageError
from scalebridge.grid import GreyImage, PhaseImage

_SLAB_VOXELS = 1 << 17


def specific_surface(image: PhaseImage, *, periodic: bool = False) -> dict[int, float]:
    """Area of each phase's faces towards other phases, per volume of the image, by counting voxel faces.

    Units: 1/m if the spacing is in m, else per voxel length. Voxel stairs overestimate a smooth surface (a
    sphere by a half); faces on the border of the image count only when periodic.
    """
    index = image.index
    phases = len(image.present)
    area = np.zeros(phases)
    size = image.grid.cell_size
    volume = float(np.prod(size))
    for axis in range(image.grid.ndim):
        lower = np.moveaxis(index, axis, 0)
        per_face = volume / size[axis]
        pairs = [(lower[i], lower[i + 1]) for i in range(lower.shape[0] - 1)]
        if periodic:
            pairs.append((lower[-1], lower[0]))
        for a, b in pairs:
            differ = a != b
            area += per_face * np.bincount(a[differ], minlength=phases)
            area += per_face * np.bincount(b[differ], minlength=phases)
    return {label: float(area[i] / (image.grid.size * volume)) for i, label in enumerate(image.present)}


def structure_tensor_orientation(
    grey: GreyImage, sigma: float | int = 0.7, rho: float | int = 0.7
) -> np.ndarray:
    r"""The direction along which the grey values change least: the fibre axis, one unit vector per voxel.

    Eigenvector of the smallest eigenvalue of S = K_rho * (grad g_sigma (x) grad g_sigma), with Gaussian
    derivatives of width sigma and Gaussian averaging of width rho, both in voxels [wirjadi2016].
    Shapes: (3, nx, ny, nz), float64. The sign is chosen such that the largest component is positive.
    Fails when: the image is not 3-D, has anisotropic voxels, or a width is not positive (ImageError). Where
    the grey value is constant in the whole neighbourhood the direction is arbitrary (x is returned).
    """
    if grey.grid.ndim != 3:
        raise ImageError(f"Orientations need a 3-D image, got shape {grey.grid.shape}.")
    if len({round(h / grey.grid.cell_size[0], 9) for h in grey.grid.cell_size}) > 1:
        raise ImageError(f"Orientations need cubic voxels, got the spacing {grey.grid.spacing}.")
    if not (sigma > 0 and rho > 0):
        raise ImageError(f"sigma and rho must be positive, got {sigma} and {rho}.")
    values = grey.values.astype(np.float32)
    gradient = [
        scipy.ndimage.gaussian_filter(values, sigma, order=[int(k == axis) for k in range(3)], mode="nearest")
        for axis in range(3)
    ]
    shape = grey.grid.shape
    pairs = [(0, 0), (1, 1), (2, 2), (1, 2), (0, 2), (0, 1)]
    tensor = [scipy.ndimage.gaussian_filter(gradient[i] * gradient[j], rho, mode="nearest") for i, j in pairs]
    axes = np.empty((3, *shape))
    rows = max(1, _SLAB_VOXELS // (shape[1] * shape[2]))
    for start in range(0, shape[0], rows):
        part = slice(start, start + rows)
        matrix = np.empty((*tensor[0][part].shape, 3, 3))
        for (i, j), entry in zip(pairs, tensor, strict=True):
            matrix[..., i, j] = matrix[..., j, i] = entry[part]
        vector = np.linalg.eigh(matrix)[1][..., 0]  # eigenvalues ascend
        largest = np.take_along_axis(vector, np.abs(vector).argmax(axis=-1)[..., None], axis=-1)
        axes[:, part] = np.moveaxis(vector * np.where(largest < 0, -1.0, 1.0), -1, 0)
    return axes
