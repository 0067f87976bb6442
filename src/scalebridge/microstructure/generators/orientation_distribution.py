"""Random axes with a prescribed orientation tensor A = <p p^T>."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import scipy.special

from scalebridge.core.errors import ImageError

if TYPE_CHECKING:
    from jaxtyping import Float, Num

Tensor = tuple[tuple[float, ...], ...]


def checked_orientation(who: str, tensor: Sequence[Sequence[float]] | None, dimensions: int) -> np.ndarray:
    """The tensor (d, d) as an array; None is isotropic. Fails unless symmetric, positive and of trace one."""
    if tensor is None:
        return np.eye(dimensions) / dimensions
    found = np.array(tensor, dtype=float)
    if found.shape != (dimensions, dimensions) or not np.all(np.isfinite(found)):
        raise ImageError(f"{who}: orientation must be a {dimensions} x {dimensions} tensor, got {tensor}.")
    if not np.allclose(found, found.T, atol=1e-9) or abs(np.trace(found) - 1) > 1e-6:
        raise ImageError(f"{who}: orientation must be symmetric with trace one, got {tensor}.")
    if np.min(np.linalg.eigvalsh(found)) < -1e-9:
        raise ImageError(f"{who}: orientation has a negative eigenvalue; <p p^T> has none. Got {tensor}.")
    return 0.5 * (found + found.T)


@functools.lru_cache(maxsize=64)
def _variances(moments: tuple[float, ...]) -> np.ndarray:
    """Variances of the Gaussian whose direction has these second moments (all positive, sum one)."""
    target = np.array(moments)
    if len(target) == 1:
        return np.ones(1)
    if len(target) == 2:  # sqrt(v1) : sqrt(v2) = a1 : a2
        return target**2 / np.sum(target**2)
    variances = target.copy()
    for _ in range(2000):
        inverse = 1 / variances
        x, y, z = inverse
        reached = np.sqrt(np.prod(inverse)) / 3
        reached = reached * np.array(
            [
                scipy.special.elliprd(y, z, x),
                scipy.special.elliprd(x, z, y),
                scipy.special.elliprd(x, y, z),
            ]
        )
        if np.max(np.abs(reached - target)) < 1e-12:
            break
        variances = variances * (target / reached) ** 1.5
        variances /= variances.sum()
    return variances


def draw_axes(
    count: int, orientation: Num[np.ndarray, "d d"], random: np.random.Generator
) -> Float[np.ndarray, "{count} d"]:
    """(count, d) unit vectors, independent, from the angular central Gaussian distribution with <p p^T> = A.

    The direction of a Gaussian vector has second moments that are elliptic integrals of its variances; these are
    solved for. Density: [tyler1987].
    """
    moments, basis = np.linalg.eigh(orientation)
    free = moments > 1e-9
    normal = random.standard_normal((count, len(moments)))
    deviations = np.zeros(len(moments))
    share = moments[free] / np.sum(moments[free])
    deviations[free] = np.sqrt(_variances(tuple(share)))
    axes = (normal * deviations) @ basis.T
    return axes / np.linalg.norm(axes, axis=1, keepdims=True)


def match_orientation(
    axes: Num[np.ndarray, "n d"],
    orientation: Num[np.ndarray, "d d"],
    weights: Num[np.ndarray, " n"] | None = None,
    repeats: int = 20,
) -> Float[np.ndarray, "n d"]:
    """Turns axes (n, d) by one linear map so that their weighted <p p^T> is the tensor; as near as they can be.

    repeats: the map changes lengths, which are then set to one again, so that it is found iteratively.
    Components along which the tensor has nothing stay as they are: a dense mat of fibres needs some tilt.
    """
    moments, basis = np.linalg.eigh(orientation)
    free = moments > 1e-9
    if len(axes) < 3 * len(moments) or np.count_nonzero(free) < 2:
        return axes  # too few to say, or already all parallel
    weights = np.full(len(axes), 1 / len(axes)) if weights is None else weights / np.sum(weights)
    local, outside = axes @ basis[:, free], axes @ basis[:, ~free]
    target = np.diag(moments[free] / np.sum(moments[free]))
    for _ in range(repeats):
        now = np.einsum("n,ni,nj->ij", weights, local, local)
        now /= np.trace(now)
        if np.max(np.abs(now - target)) < 1e-10:
            break
        values, vectors = np.linalg.eigh(now)
        local = local @ (vectors / np.sqrt(np.maximum(values, 1e-6))) @ vectors.T @ np.sqrt(target)
        length = np.sqrt(np.sum(local**2, axis=1) + np.sum(outside**2, axis=1))
        local, outside = local / length[:, None], outside / length[:, None]
    return local @ basis[:, free].T + outside @ basis[:, ~free].T


def tensor_statistics(tensor: np.ndarray) -> dict[str, float]:
    """The components of an orientation tensor by name: "orientation xx", ..."""
    d = len(tensor)
    return {
        f"orientation {'xyz'[i]}{'xyz'[j]}": float(tensor[i, j])
        for i, j in [(k, k) for k in range(d)] + [(i, j) for i in range(d) for j in range(i + 1, d)]
    }


def frames_along(axes: Float[np.ndarray, "n d"]) -> Float[np.ndarray, "n d d"]:
    """(n, d, d) rotations whose first column is the axis."""
    d = axes.shape[1]
    if d == 2:
        return np.stack([axes, np.stack([-axes[:, 1], axes[:, 0]], axis=1)], axis=2)
    helper = np.eye(3)[np.argmin(np.abs(axes), axis=1)]
    second = np.cross(axes, helper)
    second /= np.linalg.norm(second, axis=1, keepdims=True)
    return np.stack([axes, second, np.cross(axes, second)], axis=2)
