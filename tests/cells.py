"""Small cells with known answers, shared by the tests of the solver."""

from __future__ import annotations

import numpy as np

from scalebridge.grid import PhaseImage, VoxelGrid


def isotropic_stiffness(E: float, nu: float, ndim: int = 3) -> np.ndarray:
    """Mandel stiffness; in 2-D plane strain."""
    lame, shear = E * nu / ((1 + nu) * (1 - 2 * nu)), E / (2 * (1 + nu))
    m = 6 if ndim == 3 else 3
    stiffness = 2 * shear * np.eye(m)
    stiffness[:ndim, :ndim] += lame
    return stiffness


def ball(n: int, radius: float, ndim: int = 3) -> np.ndarray:
    """Voxels of a unit cell whose centre lies inside a disc or sphere of `radius`."""
    x = (np.arange(n) + 0.5) / n - 0.5
    grids = np.meshgrid(*[x] * ndim, indexing="ij")
    return (sum(g * g for g in grids) < radius**2).astype(np.uint8)


def radius_of(fraction: float, ndim: int) -> float:
    return float(np.sqrt(fraction / np.pi)) if ndim == 2 else float((3 * fraction / (4 * np.pi)) ** (1 / 3))


def image(labels: np.ndarray, spacing: tuple[float, ...] | None = None) -> PhaseImage:
    return PhaseImage(labels, VoxelGrid(labels.shape, spacing))


def layers(shape: tuple[int, ...], axis: int, pattern: list[int]) -> np.ndarray:
    """A laminate whose layer i along `axis` has the label pattern[i]."""
    column = np.asarray(pattern, np.uint8).reshape(tuple(-1 if a == axis else 1 for a in range(len(shape))))
    return np.ascontiguousarray(np.broadcast_to(column, shape))
