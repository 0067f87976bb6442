"""Periodic lattices: sheets and networks of triply periodic minimal surfaces, and struts."""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Callable
from typing import final

import numpy as np

from scalebridge.core.errors import ImageError
from scalebridge.core.memory import check_fits
from scalebridge.microstructure.generators.generator import AbstractGenerator, Realization, checked_shape
from scalebridge.microstructure.generators.minimal_surfaces import AbstractMinimalSurface
from scalebridge.microstructure.generators.trusses import AbstractTruss, strut_distance
from scalebridge.microstructure.spacing import Spacing

_SAMPLES = 96  # points along a unit cell from which the level of an infinite lattice is solved

# From the three coordinates in units of the cell (sparse) to a function that is largest inside the solid.
Level = Callable[[list[np.ndarray]], np.ndarray]


def _folded(coordinate: np.ndarray, mirrored: bool) -> np.ndarray:
    coordinate = np.mod(coordinate, 1.0)
    return np.minimum(coordinate, 1 - coordinate) if mirrored else coordinate


def _sampled(
    level: Level, coordinates: list[np.ndarray], mirrored: bool
) -> tuple[np.ndarray, list[np.ndarray]]:
    """The level where coordinates differ, and the indices that spread it over all of them: a lattice repeats."""
    distinct, indices = [], []
    for axis, coordinate in enumerate(coordinates):
        values, index = np.unique(np.round(_folded(coordinate, mirrored), 9), return_inverse=True)
        distinct.append(values.reshape([-1 if k == axis else 1 for k in range(len(coordinates))]))
        indices.append(index)
    # Rounded, so that points that are equivalent by symmetry stay equal and are cut alike.
    return np.round(level(distinct), 6), indices


def _cut(values: np.ndarray, counts: np.ndarray, fraction: float) -> float:
    """The level above or at which the weighted share of values is nearest to `fraction`."""
    distinct, inverse = np.unique(values, return_inverse=True)
    weight = np.bincount(inverse.reshape(-1), weights=counts.reshape(-1), minlength=len(distinct))
    share = np.cumsum(weight[::-1])[::-1] / weight.sum()
    return float(distinct[np.argmin(np.abs(share - fraction))])


def _counts(indices: list[np.ndarray]) -> np.ndarray:
    product = np.ones(())
    for index in indices:
        product = product[..., None] * np.bincount(index)
    return product


@functools.lru_cache(maxsize=32)
def _surface_cut(surface: AbstractMinimalSurface, sheet: bool, fraction: float) -> float:
    """The level of an infinite lattice with this fraction."""
    points = [(np.arange(_SAMPLES) + 0.5) / _SAMPLES] * 3
    values, indices = _sampled(_surface_level(surface, sheet), points, False)
    return _cut(values, _counts(indices), fraction)


@functools.lru_cache(maxsize=32)
def _truss_cut(truss: AbstractTruss, edges: tuple[float, ...], fraction: float) -> float:
    points = [(np.arange(_SAMPLES) + 0.5) / _SAMPLES] * 3
    values, indices = _sampled(_truss_level(truss, edges), points, truss.mirrored)
    return _cut(values, _counts(indices), fraction)


def _surface_level(surface: AbstractMinimalSurface, sheet: bool) -> Level:
    def level(coordinates: list[np.ndarray]) -> np.ndarray:
        values = surface.level(*[2 * np.pi * c for c in coordinates])
        return -np.abs(values) if sheet else values

    return level


def _truss_level(truss: AbstractTruss, edges: tuple[float, ...]) -> Level:
    return lambda coordinates: -strut_distance(truss, edges, coordinates)


def _edges(
    who: str, shape: tuple[int, ...], cell: float | int | tuple[float | int, ...], periodic: bool
) -> tuple[float, ...]:
    """The edges of the unit cell, checked against the shape."""
    if len(shape) != 3:
        raise ImageError(f"{who}: a lattice needs a 3-D shape, got {shape}.")
    edges = tuple(map(float, cell)) if isinstance(cell, (tuple, list)) else (float(cell),) * 3
    if len(edges) != 3 or not all(2 <= edge < math.inf for edge in edges):
        raise ImageError(
            f"{who}: cell must be one edge, or one per axis, of at least two voxels, got {cell!r}."
        )
    periods = [n / edge for n, edge in zip(shape, edges, strict=True)]
    if periodic and any(abs(p - round(p)) > 1e-9 * p or round(p) < 1 for p in periods):
        whole = tuple(n / max(1, round(p)) for n, p in zip(shape, periods, strict=True))
        raise ImageError(
            f"{who}: a periodic shape {shape} must hold whole cells, and {cell} does not divide it. Take cell = "
            f"{whole}, or periodic=False."
        )
    return edges


def _coordinates(
    shape: tuple[int, ...], edges: tuple[float, ...], shifted: bool, seed: int
) -> list[np.ndarray]:
    """Voxel centres in units of the cell, from a random origin if `shifted`."""
    origin = np.random.default_rng(seed).random(3) if shifted else np.zeros(3)
    return [(np.arange(n) + 0.5) / edge + o for n, edge, o in zip(shape, edges, origin, strict=True)]


def _label(values: np.ndarray, indices: list[np.ndarray], cut: float) -> np.ndarray:
    return (values >= cut).astype(np.uint8)[np.ix_(*indices)]


@final
@dataclasses.dataclass(frozen=True)
class MinimalSurfaceLattice(AbstractGenerator):
    """Label 1 is a sheet around a triply periodic minimal surface, or the network on one side of it.

    fraction: volume fraction of label 1; the level is solved for it (periodic: on this image, to the orbit of
    equivalent voxels; otherwise for the infinite lattice). cell: edge of the unit cell in voxels, or one edge
    per axis; a periodic shape holds whole cells. sheet: where |level| is below the cut, else where the level is
    above it. shifted: start at a random place of the unit cell, a different one for each seed.

    Fails when: the shape is not 3-D, not of whole cells though periodic, or the fraction is not between 0 and 1
    (ImageError).
    """

    shape: tuple[int, ...]
    surface: AbstractMinimalSurface
    fraction: float
    cell: float | int | tuple[float | int, ...]
    sheet: bool = True
    periodic: bool = True
    shifted: bool = False
    spacing: Spacing = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "shape", checked_shape(self.shape))
        if isinstance(self.cell, list):
            object.__setattr__(self, "cell", tuple(self.cell))
        _edges(type(self).__name__, self.shape, self.cell, self.periodic)
        if not 0 < self.fraction < 1:
            raise ImageError(
                f"MinimalSurfaceLattice: fraction must lie between 0 and 1, got {self.fraction!r}."
            )

    def targets(self) -> dict[str, float]:
        return {"fraction of label 1": self.fraction}

    def measure(self, realization: Realization) -> dict[str, float]:
        return {"fraction of label 1": realization.image.fractions.get(1, 0.0)}

    def estimate_bytes(self) -> int:
        return 50 * math.prod(self.shape)

    def realize(self, seed: int) -> Realization:
        check_fits(self.estimate_bytes(), f"A lattice of {self.shape} voxels", "Take a smaller shape.")
        edges = _edges(type(self).__name__, self.shape, self.cell, self.periodic)
        points = _coordinates(self.shape, edges, self.shifted, seed)
        values, indices = _sampled(_surface_level(self.surface, self.sheet), points, False)
        if self.periodic:
            cut = _cut(values, _counts(indices), self.fraction)
        else:
            cut = _surface_cut(self.surface, self.sheet, self.fraction)
        words = f"{type(self.surface).__name__} {'sheet' if self.sheet else 'network'}, fraction "
        words += f"{self.fraction:g}, unit cell of {' x '.join(f'{e:g}' for e in edges)} voxels"
        return self._realization(_label(values, indices, cut), seed, words)


@final
@dataclasses.dataclass(frozen=True)
class StrutLattice(AbstractGenerator):
    """Label 1 are round struts of one radius along the edges of a truss.

    Give the radius in voxels, or the volume fraction of label 1 that the radius is solved for (periodic: on this
    image; otherwise for the infinite lattice). cell, shifted: as for MinimalSurfaceLattice.
    Fails when: both or neither are given, the radius exceeds half the shortest edge, or the shape does not fit
    the cell (ImageError).
    """

    shape: tuple[int, ...]
    truss: AbstractTruss
    cell: float | int | tuple[float | int, ...]
    fraction: float | None = None
    radius: float | int | None = None
    periodic: bool = True
    shifted: bool = False
    spacing: Spacing = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "shape", checked_shape(self.shape))
        if isinstance(self.cell, list):
            object.__setattr__(self, "cell", tuple(self.cell))
        edges = _edges(type(self).__name__, self.shape, self.cell, self.periodic)
        if (self.fraction is None) == (self.radius is None):
            raise ImageError("StrutLattice: give either the fraction or the radius of the struts.")
        if self.fraction is not None and not 0 < self.fraction < 1:
            raise ImageError(f"StrutLattice: fraction must lie between 0 and 1, got {self.fraction!r}.")
        if self.radius is not None and not 0.5 <= self.radius <= 0.5 * min(edges):
            raise ImageError(
                f"StrutLattice: radius must lie between half a voxel and half the cell's shortest edge "
                f"({0.5 * min(edges):g}), got {self.radius!r}."
            )

    def targets(self) -> dict[str, float]:
        return {} if self.fraction is None else {"fraction of label 1": self.fraction}

    def measure(self, realization: Realization) -> dict[str, float]:
        if self.fraction is None:
            return {}
        return {"fraction of label 1": realization.image.fractions.get(1, 0.0)}

    def estimate_bytes(self) -> int:
        return 50 * math.prod(self.shape)

    def realize(self, seed: int) -> Realization:
        check_fits(self.estimate_bytes(), f"A lattice of {self.shape} voxels", "Take a smaller shape.")
        edges = _edges(type(self).__name__, self.shape, self.cell, self.periodic)
        points = _coordinates(self.shape, edges, self.shifted, seed)
        values, indices = _sampled(_truss_level(self.truss, edges), points, self.truss.mirrored)
        if self.radius is not None:
            cut = -float(self.radius)
        elif self.periodic:
            cut = _cut(values, _counts(indices), self.fraction or 0.0)
        else:
            cut = _truss_cut(self.truss, edges, self.fraction or 0.0)
        words = f"{type(self.truss).__name__} struts of radius {-cut:.4g} voxels, unit cell of "
        words += f"{' x '.join(f'{e:g}' for e in edges)} voxels"
        return self._realization(_label(values, indices, cut), seed, words)
