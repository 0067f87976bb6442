"""Periodic lattices: sheets and networks of triply periodic minimal surfaces, and struts."""

from __future__ import annotations

import dataclasses
import functools
import math
from typing import final

import numpy as np

from scalebridge.core.errors import ImageError
from scalebridge.core.memory import check_fits
from scalebridge.microstructure.generators.generator import (
    AbstractGenerator,
    Realization,
    checked_shape,
    image_bytes,
)
from scalebridge.microstructure.generators.minimal_surfaces import AbstractMinimalSurface
from scalebridge.microstructure.generators.sampled_levels import (
    SLAB_BYTES,
    Level,
    labels_above,
    labels_of_fraction,
    level_of_fraction,
    sample,
)
from scalebridge.microstructure.generators.trusses import AbstractTruss, strut_distance
from scalebridge.microstructure.spacing import Spacing

_SAMPLES = 96  # points along a unit cell from which the level of an infinite lattice is solved


@functools.lru_cache(maxsize=32)
def _surface_cut(surface: AbstractMinimalSurface, sheet: bool, fraction: float) -> float:
    """The level of an infinite lattice with this fraction."""
    return level_of_fraction(sample(_surface_level(surface, sheet), _unit_cell(), False), fraction)


@functools.lru_cache(maxsize=32)
def _truss_cut(truss: AbstractTruss, edges: tuple[float, ...], fraction: float) -> float:
    return level_of_fraction(sample(_truss_level(truss, edges), _unit_cell(), truss.mirrored), fraction)


def _unit_cell() -> list[np.ndarray]:
    return [(np.arange(_SAMPLES) + 0.5) / _SAMPLES] * 3


def _surface_level(surface: AbstractMinimalSurface, sheet: bool) -> Level:
    def level(coordinates: list[np.ndarray]) -> np.ndarray:
        values = surface.level(*[2 * np.pi * c for c in coordinates])
        return -np.abs(values) if sheet else values

    return level


def _truss_level(truss: AbstractTruss, edges: tuple[float, ...]) -> Level:
    return lambda coordinates: -strut_distance(truss, edges, coordinates)


def _edges(cell: float | int | tuple[float | int, ...]) -> tuple[float, ...]:
    """The edges of the unit cell."""
    return tuple(map(float, cell)) if isinstance(cell, tuple) else (float(cell),) * 3


def _check(lattice: MinimalSurfaceLattice | StrutLattice) -> None:
    """Fails when the parameters that all lattices share are out of range (ImageError)."""
    who, shape = type(lattice).__name__, checked_shape(lattice.shape)
    object.__setattr__(lattice, "shape", shape)
    if isinstance(lattice.cell, list):
        object.__setattr__(lattice, "cell", tuple(lattice.cell))
    if len(shape) != 3:
        raise ImageError(f"{who}: a lattice needs a 3-D shape, got {shape}.")
    edges = _edges(lattice.cell)
    if len(edges) != 3 or not all(2 <= edge < math.inf for edge in edges):
        raise ImageError(
            f"{who}: cell must be one edge, or one per axis, of at least two voxels, got {lattice.cell!r}."
        )
    periods = [n / edge for n, edge in zip(shape, edges, strict=True)]
    if lattice.periodic and any(abs(p - round(p)) > 1e-9 * p or round(p) < 1 for p in periods):
        whole = tuple(n / max(1, round(p)) for n, p in zip(shape, periods, strict=True))
        raise ImageError(
            f"{who}: a periodic shape {shape} must hold whole cells, and {lattice.cell} does not divide it. Take "
            f"cell = {whole}, or periodic=False."
        )
    if lattice.fraction is not None and not 0 < lattice.fraction < 1:
        raise ImageError(f"{who}: fraction must lie between 0 and 1, got {lattice.fraction!r}.")


def _fraction_target(fraction: float | None) -> dict[str, float]:
    return {} if fraction is None else {"fraction of label 1": fraction}


def _fraction_reached(lattice: MinimalSurfaceLattice | StrutLattice, drawn: Realization) -> dict[str, float]:
    return {} if lattice.fraction is None else {"fraction of label 1": drawn.image.fractions.get(1, 0.0)}


def _estimate_bytes(lattice: MinimalSurfaceLattice | StrutLattice) -> int:
    """Steps and labels where coordinates differ, the image, and the slabs."""
    coordinates = _coordinates(lattice.shape, _edges(lattice.cell), False, 0)
    distinct = math.prod(len(np.unique(np.round(np.mod(c, 1.0), 9))) for c in coordinates)
    return 6 * distinct + image_bytes(lattice.shape, 1) + SLAB_BYTES


def _coordinates(
    shape: tuple[int, ...], edges: tuple[float, ...], shifted: bool, seed: int
) -> list[np.ndarray]:
    """Voxel centres in units of the cell, from a random origin if `shifted`."""
    origin = np.random.default_rng(seed).random(3) if shifted else np.zeros(3)
    return [(np.arange(n) + 0.5) / edge + o for n, edge, o in zip(shape, edges, origin, strict=True)]


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
        _check(self)

    def targets(self) -> dict[str, float]:
        return _fraction_target(self.fraction)

    def measure(self, realization: Realization) -> dict[str, float]:
        return _fraction_reached(self, realization)

    def estimate_bytes(self) -> int:
        return _estimate_bytes(self)

    def realize(self, seed: int) -> Realization:
        check_fits(self.estimate_bytes(), f"A lattice of {self.shape} voxels", "Take a smaller shape.")
        edges = _edges(self.cell)
        points = _coordinates(self.shape, edges, self.shifted, seed)
        sampled = sample(_surface_level(self.surface, self.sheet), points, False)
        if self.periodic:
            labels, _ = labels_of_fraction(sampled, self.fraction)
        else:
            labels = labels_above(sampled, _surface_cut(self.surface, self.sheet, self.fraction))
        words = f"{type(self.surface).__name__} {'sheet' if self.sheet else 'network'}, fraction "
        words += f"{self.fraction:g}, unit cell of {' x '.join(f'{e:g}' for e in edges)} voxels"
        return self._realization(labels, seed, words)


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
        _check(self)
        if (self.fraction is None) == (self.radius is None):
            raise ImageError("StrutLattice: give either the fraction or the radius of the struts.")
        shortest = min(_edges(self.cell))
        if self.radius is not None and not 0.5 <= self.radius <= 0.5 * shortest:
            raise ImageError(
                f"StrutLattice: radius must lie between half a voxel and half the cell's shortest edge "
                f"({0.5 * shortest:g}), got {self.radius!r}."
            )

    def targets(self) -> dict[str, float]:
        return _fraction_target(self.fraction)

    def measure(self, realization: Realization) -> dict[str, float]:
        return _fraction_reached(self, realization)

    def estimate_bytes(self) -> int:
        return _estimate_bytes(self)

    def realize(self, seed: int) -> Realization:
        check_fits(self.estimate_bytes(), f"A lattice of {self.shape} voxels", "Take a smaller shape.")
        edges = _edges(self.cell)
        points = _coordinates(self.shape, edges, self.shifted, seed)
        sampled = sample(_truss_level(self.truss, edges), points, self.truss.mirrored)
        if self.radius is not None:
            cut = -float(self.radius)
        elif self.periodic:
            cut = level_of_fraction(sampled, self.fraction or 0.0)
        else:
            cut = _truss_cut(self.truss, edges, self.fraction or 0.0)
        words = f"{type(self.truss).__name__} struts of radius {-cut:.4g} voxels, unit cell of "
        words += f"{' x '.join(f'{e:g}' for e in edges)} voxels"
        return self._realization(labels_above(sampled, cut), seed, words)
