"""How far does a material remember itself, and is it the same everywhere?

Measured once, for the verdict, the record and the page of a study.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from typing import Any, final

import numpy as np

from scalebridge.core.errors import ScalebridgeError
from scalebridge.grid import PhaseImage, VoxelGrid
from scalebridge.homogenize.representative.samples import ImageWindows
from scalebridge.homogenize.representative.study import RepresentativityProblem
from scalebridge.microstructure.statistics import (
    CorrelationLength,
    IntegralRange,
    LongRange,
    Stationarity,
    centred_two_point,
    correlation_length,
    integral_range,
    long_range,
    middle,
    stationarity,
)

MOST_PHASES = 4


@final
@dataclasses.dataclass(frozen=True, eq=False)
class PhaseLengths:
    """What one phase tells; None: could not be had (note says why), or was not asked for (drift).

    Units: those of the grid's cell size (m where the spacing is known, else voxels).
    """

    label: int
    fraction: float
    correlation: CorrelationLength | None
    integral: IntegralRange | None
    far: LongRange | None
    drift: Stationarity | None
    note: str = ""

    @property
    def sentences(self) -> tuple[str, ...]:
        """The verdicts on reach and drift, and what is missing, each naming the phase."""
        found = [verdict.words for verdict in (self.far, self.drift) if verdict is not None]
        return tuple(f"Phase {self.label}: {words}" for words in (*found, self.note) if words)


@final
@dataclasses.dataclass(frozen=True, eq=False)
class MaterialLengths:
    """phases: of two, the second only, whose complement has the same lengths. labels: all that occur.

    grid: of the part that was measured; measured_on: in words. missing: why there are no phases, or "".
    """

    phases: tuple[PhaseLengths, ...]
    labels: tuple[int, ...]
    grid: VoxelGrid
    measured_on: str
    missing: str = ""

    @property
    def voxel(self) -> float:
        """The edge of a cube of a voxel's volume, in the unit of the lengths: what turns them into voxels."""
        return math.prod(self.grid.cell_size) ** (1 / self.grid.ndim)

    @property
    def longest(self) -> float | None:
        """The longest correlation length of all phases: the l of l << delta."""
        known = [phase.correlation.e_folding for phase in self.phases if phase.correlation is not None]
        return max(known, default=None)

    def of(self, label: int) -> PhaseLengths | None:
        """Lengths of one phase, or of the other one of two."""
        if label not in self.labels:
            return None
        return next((phase for phase in self.phases if phase.label == label or len(self.labels) == 2), None)


def material_lengths(problem: RepresentativityProblem, count: int) -> MaterialLengths:
    """Measured on the image that windows were cut from, or on the first of `count` realizations of the largest size.

    Nothing is measured where labels are grains.
    """
    source = problem.source
    whole = isinstance(source, ImageWindows)
    if isinstance(source, ImageWindows):
        image, periodic = source.image, False
    else:
        image, periodic = source.makers(problem.sizes[-1], count)[0].make()[0], source.periodic
    name = "the image" if whole else "a realization"
    if problem.material.grain is not None:
        return MaterialLengths((), (), image.grid, f"{name}, {_box(image)} voxels", "grains")
    return lengths_of_image(image, periodic=periodic, drift=whole, name=name)


def lengths_of_image(
    image: PhaseImage, *, periodic: bool, drift: bool = True, name: str = "the image"
) -> MaterialLengths:
    """Lengths of the phases of one image, or of its middle where it is large.

    drift: whether it is asked if the mean drifts across the image.
    """
    part = middle(image)
    labels = [label for label in part.present if part.counts[label] < part.grid.size]
    measured_on = f"{'' if part is image else 'the middle of '}{name}, {_box(part)} voxels"
    if not 2 <= len(labels) <= MOST_PHASES:
        missing = f"{len(labels)} phases" if labels else "a single phase"
        return MaterialLengths((), tuple(labels), part.grid, measured_on, missing)
    phases = tuple(
        _phase(part, label, periodic and part is image, drift)
        for label in (labels[1:] if len(labels) == 2 else labels)
    )
    return MaterialLengths(phases, tuple(labels), part.grid, measured_on)


def _phase(image: PhaseImage, label: int, periodic: bool, drift: bool) -> PhaseLengths:
    notes: list[str] = []

    def tried(measure: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
        try:
            return measure(*arguments, **options)
        except (ScalebridgeError, np.linalg.LinAlgError) as error:  # no reason to lose the study
            notes.append(str(error))
            return None

    return PhaseLengths(
        label,
        image.fractions[label],
        tried(lambda: correlation_length(centred_two_point(image, label, periodic=periodic))),
        tried(integral_range, image, label, periodic=periodic),
        tried(long_range, image, label, periodic=periodic),
        tried(stationarity, image, label, periodic=periodic) if drift else None,
        " ".join(dict.fromkeys(notes)),
    )


def _box(image: PhaseImage) -> str:
    return " x ".join(map(str, image.grid.shape))
