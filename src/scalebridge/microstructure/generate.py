"""Generated microstructures with known geometry: test cases, demonstrations, first studies.

All are periodic unless they say otherwise, take a seed where chance is in them, and give the same image for
it.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import scipy.fft
import scipy.spatial

from scalebridge.core.errors import ImageError
from scalebridge.grid import PhaseImage, VoxelGrid
from scalebridge.microstructure.spacing import Spacing, parse_spacing

if TYPE_CHECKING:
    from jaxtyping import Float

_MAX_TRIES = 200_000


def _image(labels: np.ndarray, spacing: Spacing, step: str) -> PhaseImage:
    return PhaseImage(
        labels, VoxelGrid(labels.shape, parse_spacing(spacing, labels.ndim)), (f"generated: {step}",)
    )


def _checked(shape: Sequence[int]) -> tuple[int, ...]:
    result = tuple(int(n) for n in shape)
    if len(result) not in (2, 3) or min(result) < 1:
        raise ImageError(f"A shape needs 2 or 3 positive numbers of voxels, got {tuple(shape)}.")
    return result


def laminate(
    shape: Sequence[int], axis: int, fractions: Sequence[float], *, spacing: Spacing = None
) -> PhaseImage:
    """Layers 0, 1, ... stacked along `axis`. Fails when a fraction is no whole number of voxels
    (ImageError).
    """
    shape = _checked(shape)
    if not 0 <= axis < len(shape):
        raise ImageError(f"A laminate of shape {shape} has the axes 0 to {len(shape) - 1}, got {axis}.")
    counts = [f * shape[axis] for f in fractions]
    if not math.isclose(sum(fractions), 1.0, abs_tol=1e-9) or any(
        abs(c - round(c)) > 1e-9 * shape[axis] or round(c) < 0 for c in counts
    ):
        raise ImageError(
            f"The fractions {list(fractions)} must sum to one and be whole layers of {shape[axis]} voxels."
        )
    line = np.repeat(np.arange(len(counts), dtype=np.uint8), [round(c) for c in counts])
    along = [n if k == axis else 1 for k, n in enumerate(shape)]
    labels = np.broadcast_to(line.reshape(along), shape)
    return _image(
        labels, spacing, f"laminate along {'xyz'[axis]} with fractions {[float(f) for f in fractions]}"
    )


def checkerboard(n: int, *, spacing: Spacing = None) -> PhaseImage:
    """2-D, n x n pixels, two by two squares: labels 0 and 1 on the diagonals. n must be even (ImageError)."""
    quadrants = four_phase_checkerboard(n).labels
    return _image(quadrants % 2, spacing, f"checkerboard of {n} x {n} pixels")


def four_phase_checkerboard(n: int, *, spacing: Spacing = None) -> PhaseImage:
    """2-D, n x n pixels, quadrants 0, 1, 2, 3 counter-clockwise from the upper right (x > 0, y > 0)."""
    if n < 2 or n % 2:
        raise ImageError(f"A checkerboard needs an even number of pixels, got {n}.")
    right = (np.arange(n) >= n // 2)[:, None]
    upper = (np.arange(n) >= n // 2)[None, :]
    labels = np.where(upper, np.where(right, 0, 1), np.where(right, 3, 2)).astype(np.uint8)
    return _image(labels, spacing, f"four-phase checkerboard of {n} x {n} pixels")


def _ball(n: int, ndim: int, radius: float) -> np.ndarray:
    centre = (np.arange(n) + 0.5) / n - 0.5
    square = np.zeros((n,) * ndim)
    for axis in np.meshgrid(*[centre] * ndim, indexing="ij", sparse=True):
        square += axis * axis
    return (square <= radius * radius).astype(np.uint8)


def disc_array(n: int, fraction: float, *, spacing: Spacing = None) -> PhaseImage:
    """One disc (label 1) in a square cell of n x n pixels; a pixel belongs to it when its centre does.

    fraction: area fraction of the true disc, below pi/4 (touching); the pixel image differs by its stairs.
    """
    radius = math.sqrt(fraction / math.pi) if fraction > 0 else 0.0
    if not 0 < radius <= 0.5:
        raise ImageError(f"Discs of fraction {fraction} do not fit: 0 < fraction <= {math.pi / 4:.4f}.")
    return _image(_ball(n, 2, radius), spacing, f"square array of discs, fraction {fraction:g}, {n} pixels")


def sphere_array(
    n: int, fraction: float | None = None, *, radius: float | None = None, spacing: Spacing = None
) -> PhaseImage:
    """One sphere (label 1) in a cube of n^3 voxels (simple cubic); a voxel is in it when its centre is.

    Give the volume fraction of the true sphere (at most pi/6) or its radius in units of the cube's edge.
    """
    if (fraction is None) == (radius is None):
        raise ImageError("Give either the fraction or the radius of the sphere.")
    if radius is None:
        radius = (3 * max(fraction or 0.0, 0.0) / (4 * math.pi)) ** (1 / 3)
    if not 0 < radius <= 0.5:
        raise ImageError(f"A sphere of radius {radius:g} does not fit into a unit cube: 0 < radius <= 0.5.")
    return _image(
        _ball(n, 3, radius), spacing, f"simple cubic spheres, radius {radius:g}, {n} voxels per edge"
    )


def gaussian_level_cut(
    shape: Sequence[int],
    porosity: float,
    *,
    correlation_length: float | int = 6.0,
    seed: int,
    spacing: Spacing = None,
) -> PhaseImage:
    """A sandstone-like medium: where a smooth periodic Gaussian random field is low, there is pore (label 0).

    The field's covariance is exp(-r^2 / (2 l^2)) with l = correlation_length in voxels. The porosity is
    reached exactly (to the voxel) because the level is a quantile of the field.
    """
    shape = _checked(shape)
    if not 0 <= porosity <= 1:
        raise ImageError(f"A porosity lies between 0 and 1, got {porosity}.")
    if not correlation_length > 0:
        raise ImageError(f"The correlation length must be positive, got {correlation_length}.")
    noise = np.random.default_rng(seed).standard_normal(shape, dtype=np.float32)
    spectrum = scipy.fft.rfftn(noise)
    for axis, n in enumerate(shape):
        frequency = scipy.fft.rfftfreq(n) if axis == len(shape) - 1 else scipy.fft.fftfreq(n)
        # White noise filtered by a Gaussian of width l / sqrt(2) has a Gaussian covariance of width l.
        decay = np.exp(-((math.pi * correlation_length * frequency) ** 2)).astype(np.float32)
        spectrum *= decay.reshape([-1 if k == axis else 1 for k in range(len(shape))])
    field = scipy.fft.irfftn(spectrum, shape)
    pores = round(porosity * field.size)
    labels = np.ones(field.size, np.uint8)
    labels[np.argpartition(field.ravel(), max(0, min(pores, field.size - 1)))[:pores]] = 0
    words = f"level cut of a Gaussian field, porosity {porosity:g}, "
    words += f"correlation length {correlation_length:g} voxels"
    return _image(labels.reshape(shape), spacing, f"{words}, seed {seed}")


@dataclasses.dataclass(frozen=True, eq=False)
class Polycrystal:
    """Grains and their orientations: orientations[label] (3, 3) turns crystal axes into image axes."""

    image: PhaseImage
    orientations: np.ndarray


def voronoi_polycrystal(
    shape: Sequence[int], grains: int, *, seed: int, spacing: Spacing = None
) -> Polycrystal:
    """Periodic Voronoi grains of random centres (labels 0 ... grains - 1) with uniformly random
    orientations.
    """
    shape = _checked(shape)
    if not 1 <= grains <= min(4096, math.prod(shape)):
        raise ImageError(f"Between 1 and 4096 grains (and no more than voxels) are possible, got {grains}.")
    random = np.random.default_rng(seed)
    centres = random.random((grains, len(shape))) * shape
    tree = scipy.spatial.cKDTree(centres, boxsize=shape)
    labels = np.empty(shape, np.uint8 if grains <= 256 else np.uint16)
    plane = np.stack(np.meshgrid(*[np.arange(n) + 0.5 for n in shape[1:]], indexing="ij"), axis=-1)
    for x in range(shape[0]):
        points = np.concatenate([np.full((*plane.shape[:-1], 1), x + 0.5), plane], axis=-1)
        labels[x] = tree.query(points)[1]
    words = f"periodic Voronoi polycrystal of {grains} grains, seed {seed}"
    return Polycrystal(_image(labels, spacing, words), random_rotations(grains, random))


def random_rotations(count: int, random: np.random.Generator) -> Float[np.ndarray, "{count} 3 3"]:
    """(count, 3, 3) rotation matrices, uniform on the rotation group: normalized Gaussian quaternions."""
    q = random.standard_normal((count, 4))
    w, x, y, z = (q / np.linalg.norm(q, axis=1, keepdims=True)).T
    rows = [
        [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
        [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
        [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
    ]
    return np.moveaxis(np.array(rows), -1, 0)


def aligned_fibres(
    shape: Sequence[int],
    fraction: float,
    *,
    radius: float | int,
    axis: int = 0,
    seed: int,
    spacing: Spacing = None,
) -> PhaseImage:
    """Parallel round fibres (label 1) of `radius` voxels along `axis`, placed at random, periodic.

    Fibres keep a voxel of distance, so that none touch, and are added until the voxel fraction is nearest to
    `fraction`. Fails when they jam first, which random placement does between 0.4 and 0.5 (lower for thin
    fibres), or when the radius does not fit (ImageError).
    """
    shape = _checked(shape)
    if len(shape) != 3 or not 0 <= axis < 3:
        raise ImageError(f"Aligned fibres need a 3-D shape and an axis 0 to 2, got {shape} and {axis}.")
    plane = tuple(n for k, n in enumerate(shape) if k != axis)
    if not 0.5 <= radius < min(plane) / 2 or not 0 < fraction < 1:
        raise ImageError(
            f"A radius of {radius} voxels and a fraction of {fraction} do not fit a section of {plane}."
        )
    random = np.random.default_rng(seed)
    section = np.zeros(plane, np.uint8)
    grid = np.meshgrid(*[np.arange(n) + 0.5 for n in plane], indexing="ij")
    centres = np.empty((0, 2))
    for _ in range(_MAX_TRIES):
        new = random.random(2) * plane
        apart = centres - new
        apart -= np.round(apart / plane) * plane
        if len(centres) and np.min(np.sum(apart**2, axis=1)) <= (2 * radius + 1) ** 2:
            continue
        offset = [g - c for g, c in zip(grid, new, strict=True)]
        square = sum((o - np.round(o / n) * n) ** 2 for o, n in zip(offset, plane, strict=True))
        grown = section | (square <= radius * radius)
        if abs(grown.mean() - fraction) >= abs(section.mean() - fraction):
            break
        section, centres = grown.astype(np.uint8), np.vstack([centres, new])
    else:
        raise ImageError(
            f"Fibres jam at the fraction {section.mean():.3f}; {fraction:g} cannot be reached at random."
        )
    labels = np.broadcast_to(np.expand_dims(section, axis), shape)
    words = f"{len(centres)} aligned fibres along {'xyz'[axis]}, radius {radius:g} voxels, seed {seed}"
    return _image(labels, spacing, words)


def random_spheres(
    shape: Sequence[int], fraction: float, *, radius: float | int, seed: int, spacing: Spacing = None
) -> PhaseImage:
    """Equal spheres (label 1) of `radius` voxels in a matrix (label 0), placed at random, periodic.

    Spheres keep a voxel of distance, so that none touch, and are added until the voxel fraction is nearest to
    `fraction`. Fails when they jam first, which random placement does near 0.3 (lower for small spheres), or
    when the radius does not fit (ImageError).
    """
    shape = _checked(shape)
    if len(shape) != 3 or not 0.5 <= radius < min(shape) / 2 or not 0 < fraction < 1:
        raise ImageError(
            f"Spheres of radius {radius} voxels at a fraction of {fraction} do not fit a 3-D box of {shape}."
        )
    random = np.random.default_rng(seed)
    labels = np.zeros(shape, np.uint8)
    centres = np.empty((0, 3))
    for _ in range(_MAX_TRIES):
        new = random.random(3) * shape
        apart = centres - new
        apart -= np.round(apart / shape) * shape
        if len(centres) and np.min(np.sum(apart**2, axis=1)) <= (2 * radius + 1) ** 2:
            continue
        inside = _ball_around(shape, new, float(radius))
        count = len(inside[0])
        filled = int(np.count_nonzero(labels))
        if abs(filled + count - fraction * labels.size) >= abs(filled - fraction * labels.size):
            break
        labels[inside] = 1
        centres = np.vstack([centres, new])
    else:
        raise ImageError(
            f"Spheres jam at the fraction {labels.mean():.3f}; {fraction:g} cannot be reached at random."
        )
    words = f"{len(centres)} random spheres, radius {radius:g} voxels, seed {seed}"
    return _image(labels, spacing, words)


def _ball_around(shape: tuple[int, ...], centre: np.ndarray, radius: float) -> tuple[np.ndarray, ...]:
    """Indices of the voxels whose centres lie in a ball, wrapped around the box."""
    near = [np.arange(math.floor(c - radius) - 1, math.ceil(c + radius) + 2) for c in centre]
    offsets = np.meshgrid(*[n + 0.5 - c for n, c in zip(near, centre, strict=True)], indexing="ij")
    found = np.nonzero(sum(o * o for o in offsets) <= radius * radius)
    return tuple(n[i] % size for n, i, size in zip(near, found, shape, strict=True))
