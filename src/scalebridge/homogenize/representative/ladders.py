"""What the levels of a multilevel estimate are: coarser copies of the same samples, or smaller pieces of them."""

from __future__ import annotations

import abc
import dataclasses
import math
from typing import final

import numpy as np

from scalebridge.cell.boundary import AbstractBoundary
from scalebridge.core.errors import InputError
from scalebridge.homogenize.representative.apparent import CellTask, Material
from scalebridge.homogenize.representative.coarse_copies import (
    CoarseMaker,
    can_be_graded,
    graded_material,
)
from scalebridge.homogenize.representative.samples import AbstractMaker, GeneratorEnsemble, WindowMaker


class AbstractLadder(abc.ABC):
    """What the levels of a multilevel estimate are."""

    @property
    @abc.abstractmethod
    def levels(self) -> int: ...

    @abc.abstractmethod
    def tasks(
        self, level: int, index: int, material: Material, condition: AbstractBoundary, energy: float
    ) -> list[tuple[float, CellTask]]:
        """Sample `index` of a level: its difference is the sum of the tasks' last cells times their weights, and for a
        task with several coarsenings the first cell minus the second.
        """


@final
@dataclasses.dataclass(frozen=True, eq=False)
class ResolutionLadder(AbstractLadder):
    """The same samples coarsened by 2^L, ..., 2, 1. source: realizations of `size` voxels per edge.

    Coarse voxels of two isotropic phases get a mean of what they hold (coarse_copies.py); of anything else, the most
    frequent label.
    """

    source: GeneratorEnsemble
    size: int
    coarsest: int

    def __post_init__(self) -> None:
        factor = self.coarsest
        if factor < 1 or factor & (factor - 1) or self.size % factor or self.size // factor < 2:
            raise InputError(
                f"The coarsest level must be coarsened by a power of two that divides the size {self.size} and leaves "
                f"two voxels, got {factor}."
            )

    @property
    def levels(self) -> int:
        return int(math.log2(self.coarsest)) + 1

    def tasks(
        self, level: int, index: int, material: Material, condition: AbstractBoundary, energy: float
    ) -> list[tuple[float, CellTask]]:
        maker = _draw(self.source, self.size, level, index)
        factor = self.coarsest >> level
        factors = (factor,) if level == 0 else (factor, 2 * factor)
        if not can_be_graded(material):
            return [(1.0, CellTask(maker, material, (condition,), energy, factors))]
        graded, high = graded_material(material, self.source.ndim), max(material.laws)
        return [
            (
                weight,
                CellTask(CoarseMaker(maker, f, high), material if f == 1 else graded, (condition,), energy),
            )
            for weight, f in zip((1.0, -1.0), factors, strict=False)
        ]


@final
@dataclasses.dataclass(frozen=True, eq=False)
class SizeLadder(AbstractLadder):
    """Samples of size, size/2, ..., the smaller ones being the 2^d windows of the larger.

    The windows of a sample are samples of the smaller size only when nothing tells them from one: the generator must
    draw pieces of an unbounded medium (periodic=False).
    """

    source: GeneratorEnsemble
    size: int
    levels_: int

    def __post_init__(self) -> None:
        if self.source.periodic:
            raise InputError(
                "A ladder of sizes needs a generator that is not periodic (periodic=False): windows of a periodic "
                "sample are not."
            )
        if self.levels_ < 1 or self.size % 2 ** (self.levels_ - 1) or self.size >> (self.levels_ - 1) < 2:
            raise InputError(f"A size of {self.size} voxels cannot be halved {self.levels_ - 1} times.")

    @property
    def levels(self) -> int:
        return self.levels_

    def tasks(
        self, level: int, index: int, material: Material, condition: AbstractBoundary, energy: float
    ) -> list[tuple[float, CellTask]]:
        size = self.size >> (self.levels_ - 1 - level)
        maker = _draw(self.source, size, level, index)
        whole = (1.0, CellTask(maker, material, (condition,), energy))
        if level == 0:
            return [whole]
        image, _ = maker.make()
        half, d = size // 2, self.source.ndim
        parts: list[AbstractMaker] = []
        for corner in np.ndindex(*(2,) * d):
            cut = tuple(slice(c * half, (c + 1) * half) for c in corner)
            labels = np.ascontiguousarray(image.labels[cut])
            parts.append(WindowMaker(labels, image.grid.spacing, tuple(c * half for c in corner), half))
        return [whole, *[(-1.0 / 2**d, CellTask(part, material, (condition,), energy)) for part in parts]]


def _draw(source: GeneratorEnsemble, size: int, level: int, index: int) -> AbstractMaker:
    """Levels are independent of each other: each has seeds of its own."""
    seeded = dataclasses.replace(
        source, seed=int(np.random.SeedSequence([source.seed, level]).generate_state(1)[0])
    )
    return seeded.maker(size, index)
