"""Laminates and checkerboards: arrangements whose effective properties are known in closed form."""

from __future__ import annotations

import dataclasses
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
from scalebridge.microstructure.spacing import Spacing


def _fraction_targets(fractions: tuple[float, ...]) -> dict[str, float]:
    return {f"fraction of label {label}": float(f) for label, f in enumerate(fractions)}


def _fractions_reached(realization: Realization, count: int) -> dict[str, float]:
    found = realization.image.fractions
    return {f"fraction of label {label}": found.get(label, 0.0) for label in range(count)}


@final
@dataclasses.dataclass(frozen=True)
class Laminate(AbstractGenerator):
    """Layers 0, 1, ... stacked along `axis`, repeated with `period` voxels; the seed shifts them along the axis.

    fractions: of the layers, summing to one. period: voxels (None: the whole shape). random: instead of one stack
    repeated, every period's layer is one of the labels, drawn independently with the fractions as probabilities.
    Fails when: fractions do not sum to one, a layer is no whole number of voxels, or (periodic) the period does not
    divide the shape (ImageError).
    """

    shape: tuple[int, ...]
    fractions: tuple[float, ...] = (0.5, 0.5)
    axis: int = 0
    period: int | None = None
    random: bool = False
    periodic: bool = True
    spacing: Spacing = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "shape", checked_shape(self.shape))
        object.__setattr__(self, "fractions", tuple(float(f) for f in self.fractions))
        if not 0 <= self.axis < len(self.shape):
            raise ImageError(f"Laminate: axis must be 0 to {len(self.shape) - 1}, got {self.axis!r}.")
        if not math.isclose(sum(self.fractions), 1.0, abs_tol=1e-9) or not all(
            0 <= f <= 1 for f in self.fractions
        ):
            raise ImageError(
                f"Laminate: fractions must lie between 0 and 1 and sum to one, got {self.fractions}."
            )
        length, period = self.shape[self.axis], self._period
        if period < 1 or (self.periodic and length % period):
            raise ImageError(
                f"Laminate: period must be a number of voxels that divides the {length} of the shape, got {period!r}; "
                "or take periodic=False."
            )
        if not self.random and any(
            abs(f * period - round(f * period)) > 1e-9 * period for f in self.fractions
        ):
            raise ImageError(
                f"Laminate: the fractions {self.fractions} of a period of {period} voxels are no whole layers."
            )

    @property
    def _period(self) -> int:
        return self.shape[self.axis] if self.period is None else self.period

    def targets(self) -> dict[str, float]:
        return _fraction_targets(self.fractions)

    def measure(self, realization: Realization) -> dict[str, float]:
        return _fractions_reached(realization, len(self.fractions))

    def estimate_bytes(self) -> int:
        return image_bytes(self.shape, 1)

    def realize(self, seed: int) -> Realization:
        check_fits(self.estimate_bytes(), f"A laminate of {self.shape} voxels", "Take a smaller shape.")
        random, length, period = np.random.default_rng(seed), self.shape[self.axis], self._period
        shift = int(random.integers(period))
        if self.random:
            stack = random.choice(len(self.fractions), size=-(-(length + shift) // period), p=self.fractions)
            line = np.repeat(stack, period)
            line = np.roll(line[:length], shift) if self.periodic else line[shift : shift + length]
        else:
            counts = [round(f * period) for f in self.fractions]
            layers = np.repeat(np.arange(len(counts)), counts)
            line = layers[(np.arange(length) + shift) % period]
        along = [length if k == self.axis else 1 for k in range(len(self.shape))]
        labels = np.broadcast_to(line.astype(np.uint8).reshape(along), self.shape).copy()
        return self._realization(labels, seed, f"laminate along {'xyz'[self.axis]}, period {period} voxels")


@final
@dataclasses.dataclass(frozen=True)
class Checkerboard(AbstractGenerator):
    """Squares or cubes of `tile` voxels. Regular: labels 0 and 1 alternate. Random: each tile is 1 with `fraction`.

    The seed shifts the board; a random board is thereby stationary. The regular board has the fraction 1/2.
    Random: the covariance along an axis is p (1 - p) max(0, 1 - r / tile), the integral range one tile.
    Fails when: (periodic) the tiles, in a regular board pairs of them, do not fill the shape (ImageError).
    """

    shape: tuple[int, ...]
    tile: int
    random: bool = False
    fraction: float = 0.5
    periodic: bool = True
    spacing: Spacing = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "shape", checked_shape(self.shape))
        if self.tile < 1 or self.tile != int(self.tile):
            raise ImageError(f"Checkerboard: tile must be a positive number of voxels, got {self.tile!r}.")
        if not 0 < self.fraction < 1 or (not self.random and self.fraction != 0.5):
            raise ImageError(
                "Checkerboard: fraction must lie between 0 and 1, and is 1/2 for the regular board, got "
                f"{self.fraction!r}."
            )
        whole = self.tile if self.random else 2 * self.tile
        if self.periodic and any(n % whole for n in self.shape):
            raise ImageError(
                f"Checkerboard: a periodic shape must be a multiple of {whole} voxels for tile = {self.tile}, got "
                f"{self.shape}. Take another tile or periodic=False."
            )

    def targets(self) -> dict[str, float]:
        return {"fraction of label 1": self.fraction}

    def measure(self, realization: Realization) -> dict[str, float]:
        return {"fraction of label 1": realization.image.fractions.get(1, 0.0)}

    def estimate_bytes(self) -> int:
        return image_bytes(self.shape, 2)

    def realize(self, seed: int) -> Realization:
        check_fits(self.estimate_bytes(), f"A checkerboard of {self.shape} voxels", "Take a smaller shape.")
        random = np.random.default_rng(seed)
        shift = random.integers(2 * self.tile, size=len(self.shape))
        places = [(np.arange(n) + s) // self.tile for n, s in zip(self.shape, shift, strict=True)]
        if self.periodic:
            places = [p % max(1, n // self.tile) for p, n in zip(places, self.shape, strict=True)]
        if self.random:
            tiles = random.random([int(p.max()) + 1 for p in places]) < self.fraction
        else:
            tiles = np.indices([int(p.max()) + 1 for p in places]).sum(axis=0) % 2 == 1
        labels = tiles[np.ix_(*places)].astype(np.uint8)
        kind = f"random checkerboard, fraction {self.fraction:g}" if self.random else "checkerboard"
        return self._realization(labels, seed, f"{kind}, tiles of {self.tile} voxels")
