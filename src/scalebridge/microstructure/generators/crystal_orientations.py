"""Orientations of crystals: drawn uniformly or from a texture, and their means over an image."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from scalebridge.core.errors import ImageError
from scalebridge.microstructure.generate import random_rotations
from scalebridge.microstructure.generators.generator import Realization

if TYPE_CHECKING:
    from jaxtyping import Float

# Rotation matrices, as tuples: a parameter that can be compared and recorded.
Texture = tuple[tuple[tuple[float | int, ...], ...], ...]


def checked_texture(who: str, texture: Texture | None, dimensions: int) -> Texture | None:
    if texture is None:
        return None
    turns = np.asarray(texture, dtype=float)
    if turns.ndim != 3 or turns.shape[1:] != (dimensions, dimensions) or len(turns) == 0:
        raise ImageError(
            f"{who}: texture must list rotation matrices of {dimensions} x {dimensions}, got an array of shape "
            f"{turns.shape}."
        )
    square = turns @ np.swapaxes(turns, 1, 2) - np.eye(dimensions)
    if np.max(np.abs(square)) > 1e-6 or np.any(np.linalg.det(turns) < 0):
        raise ImageError(f"{who}: every matrix of texture must be a rotation (orthogonal, determinant one).")
    return tuple(tuple(tuple(map(float, row)) for row in turn) for turn in turns)


def draw_rotations(
    count: int, dimensions: int, texture: Texture | None, random: np.random.Generator
) -> Float[np.ndarray, "{count} d d"]:
    """(count, d, d): uniform on the rotation group, or drawn from the list `texture` with equal probability."""
    if texture is not None:
        return np.asarray(texture, dtype=float)[random.integers(len(texture), size=count)]
    if dimensions == 3:
        return random_rotations(count, random)
    angle = random.uniform(0, 2 * np.pi, count)
    cosine, sine = np.cos(angle), np.sin(angle)
    return np.moveaxis(np.array([[cosine, -sine], [sine, cosine]]), -1, 0)


def orientation_moments(realization: Realization) -> dict[str, float]:
    """Volume means of the squared components of the crystals' first axis along the laboratory axes."""
    counts = realization.image.counts
    axes = np.array([np.asarray(realization.orientations[label])[:, 0] for label in counts])
    moments = np.average(axes**2, axis=0, weights=list(counts.values()))
    return {f"crystal axis 1 along {'xyz'[k]}": float(value) for k, value in enumerate(moments)}


def orientation_targets(texture: Texture | None, dimensions: int) -> dict[str, float]:
    if texture is None:
        moments = np.full(dimensions, 1 / dimensions)
    else:
        moments = np.mean(np.asarray(texture, dtype=float)[:, :, 0] ** 2, axis=0)
    return {f"crystal axis 1 along {'xyz'[k]}": float(value) for k, value in enumerate(moments)}
