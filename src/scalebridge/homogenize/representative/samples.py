"""Where samples of a material come from: windows of one image, or draws of a generator.

A source only says which samples there are; each is made where it is solved, possibly in another process, so that an
ensemble never has to fit into memory.
"""

from __future__ import annotations

import abc
import dataclasses
import itertools
from collections.abc import Mapping
from typing import Any, final

import numpy as np

from scalebridge.core.errors import InputError
from scalebridge.core.provenance import versions
from scalebridge.grid import PhaseImage, VoxelGrid
from scalebridge.microstructure.generators.generator import AbstractGenerator


class AbstractMaker(abc.ABC):
    """How one sample comes to be. Small enough to be sent to a worker."""

    size: int
    name: str

    @abc.abstractmethod
    def make(self) -> tuple[PhaseImage, Mapping[int, np.ndarray]]:
        """The image, and a rotation (d, d) for every label that is a grain."""

    @abc.abstractmethod
    def identity(self) -> dict[str, Any]:
        """Everything the sample depends on, for its content key."""


class AbstractSource(abc.ABC):
    """A material of which samples can be had."""

    @property
    @abc.abstractmethod
    def ndim(self) -> int: ...

    @property
    @abc.abstractmethod
    def periodic(self) -> bool:
        """Whether a sample continues across its own faces."""

    @abc.abstractmethod
    def makers(self, size: int, count: int | None) -> list[AbstractMaker]:
        """At most `count` samples of `size` voxels per edge, always the same ones in the same order.

        Fails when: there is no sample of that size, or a count is needed and none is given (InputError).
        """

    @abc.abstractmethod
    def record(self) -> dict[str, Any]:
        """The source in plain data, for provenance."""


@final
@dataclasses.dataclass(frozen=True, eq=False)
class WindowMaker(AbstractMaker):
    """A window cut from an image."""

    labels: np.ndarray
    spacing: tuple[float, ...] | None
    origin: tuple[int, ...]
    size: int

    @property
    def name(self) -> str:  # type: ignore[override]
        return f"window of {self.size} voxels at {self.origin}"

    def make(self) -> tuple[PhaseImage, Mapping[int, np.ndarray]]:
        return PhaseImage(self.labels, VoxelGrid(self.labels.shape, self.spacing), (self.name,)), {}

    def identity(self) -> dict[str, Any]:
        # Where it was cut does not matter: equal windows are one cell.
        return {"labels": self.labels, "spacing": None if self.spacing is None else list(self.spacing)}


@final
@dataclasses.dataclass(frozen=True, eq=False)
class DrawMaker(AbstractMaker):
    """One realization of a generator."""

    generator: AbstractGenerator
    seed: int

    @property
    def size(self) -> int:  # type: ignore[override]
        return max(self.generator.shape)

    @property
    def name(self) -> str:  # type: ignore[override]
        return f"{type(self.generator).__name__} of {self.size} voxels, seed {self.seed}"

    def make(self) -> tuple[PhaseImage, Mapping[int, np.ndarray]]:
        drawn = self.generator.realize(self.seed)
        return drawn.image, drawn.orientations

    def identity(self) -> dict[str, Any]:
        # The image itself is not known before it is drawn; the same seed may mean another one in another version.
        found = versions()
        return {
            "generator": self.generator.record(),
            "seed": self.seed,
            "versions": [found["scalebridge"], found["numpy"], found["scipy"]],
        }


@final
@dataclasses.dataclass(frozen=True, eq=False)
class ImageWindows(AbstractSource):
    """Non-overlapping windows of one image, on a lattice centred in it.

    With fewer windows asked for than there are, a seeded choice among them is taken.
    """

    image: PhaseImage
    seed: int = 0

    @property
    def ndim(self) -> int:
        return self.image.grid.ndim

    @property
    def periodic(self) -> bool:
        return False

    def count(self, size: int) -> int:
        """How many windows of `size` voxels per edge the image holds."""
        return int(np.prod([n // size for n in self.image.grid.shape])) if size > 0 else 0

    def makers(self, size: int, count: int | None) -> list[AbstractMaker]:
        shape = self.image.grid.shape
        if self.count(size) < 1:
            raise InputError(
                f"No window of {size} voxels per edge fits into an image of {' x '.join(map(str, shape))}. Sizes from "
                f"1 to {min(shape)} are possible."
            )
        starts = [
            [(n - (n // size) * size) // 2 + k * size for k in range(n // size)] for n in shape
        ]  # the rest is left equally on both sides
        origins = list(itertools.product(*starts))
        if count is not None and count < len(origins):
            chosen = np.random.default_rng([self.seed, size]).permutation(len(origins))[:count]
            origins = [origins[i] for i in sorted(chosen)]
        return [
            WindowMaker(
                np.ascontiguousarray(self.image.labels[tuple(slice(o, o + size) for o in origin)]),
                self.image.grid.spacing,
                tuple(origin),
                size,
            )
            for origin in origins
        ]

    def record(self) -> dict[str, Any]:
        return {"windows of image": self.image.sha256, "history": list(self.image.history), "seed": self.seed}


@final
@dataclasses.dataclass(frozen=True, eq=False)
class GeneratorEnsemble(AbstractSource):
    """Independent realizations of a generator; `seed` decides all of theirs, size by size."""

    generator: AbstractGenerator
    seed: int = 0

    @property
    def ndim(self) -> int:
        return len(self.generator.shape)

    @property
    def periodic(self) -> bool:
        return self.generator.periodic

    def makers(self, size: int, count: int | None) -> list[AbstractMaker]:
        if size < 1:
            raise InputError(f"A sample needs at least one voxel per edge, got {size}.")
        if count is None:
            raise InputError(
                "A generator draws as many realizations as wanted: say how many (--realizations N, realizations=N)."
            )
        return [self.maker(size, n) for n in range(count)]

    def maker(self, size: int, number: int) -> DrawMaker:
        """The realization `number`; it does not depend on how many are drawn: a study can be extended."""
        seed = int(np.random.SeedSequence([self.seed, size, number]).generate_state(1)[0])
        return DrawMaker(self.generator.with_shape((size,) * self.ndim), seed)

    def record(self) -> dict[str, Any]:
        return {"generator": self.generator.record(), "seed": self.seed}
