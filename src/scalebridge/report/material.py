"""What the material of a study looks like, in numbers: correlation functions and lengths of its source."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Sequence
from typing import final

import numpy as np

from scalebridge.core.errors import ScalebridgeError
from scalebridge.grid import PhaseImage
from scalebridge.microstructure.statistics import (
    CorrelationLength,
    Curve,
    IntegralRange,
    average_curves,
    centred_two_point,
    correlation_length,
    integral_range,
    lineal_path,
    long_range,
    middle,
    stationarity,
)

MOST_PHASES = 4
SHOWN_LENGTHS = 6.0  # correlation lengths shown: by then nothing is left to see


@final
@dataclasses.dataclass(frozen=True, eq=False)
class PhaseStatistics:
    """Curves of one phase, means over the realizations; lengths and verdicts of the first of them.

    notes: the verdicts on drift and long-range correlation in words; None where they could not be had.
    """

    label: int
    fraction: float
    radial: Curve
    along: tuple[Curve, ...]
    paths: tuple[Curve, ...]
    correlation: CorrelationLength
    integral: IntegralRange | None
    notes: tuple[str, ...]


@final
@dataclasses.dataclass(frozen=True, eq=False)
class MaterialStatistics:
    """unit: "m", or "voxels" where the spacing is not known. reach: the distance up to which curves are of interest.

    looked_at: in words, what was measured. missing: why there is nothing, or "".
    """

    phases: tuple[PhaseStatistics, ...]
    unit: str
    reach: float
    looked_at: str
    missing: str

    @property
    def length(self) -> float | None:
        """The longest correlation length of all phases: the l of l << delta."""
        return max((p.correlation.e_folding for p in self.phases), default=None)


def material_statistics(images: Sequence[PhaseImage], *, periodic: bool) -> MaterialStatistics:
    """Statistics of every phase of some images of one material, all of the same shape."""
    first = images[0]
    unit = "voxels" if first.grid.spacing is None else "m"
    shown = [middle(image) for image in images]
    whole = shown[0] is first
    labels = sorted({label for image in shown for label in image.present})
    nothing = MaterialStatistics((), unit, 0.0, "", "")
    if len(labels) == 1:
        return dataclasses.replace(nothing, missing="There is a single phase: nothing to correlate.")
    if len(labels) > MOST_PHASES:
        return dataclasses.replace(
            nothing, missing=f"With {len(labels)} labels, correlation functions of single ones tell nothing."
        )
    phases = []
    for label in labels:
        held = [image for image in shown if label in image.present and len(image.present) > 1]
        if held:
            # Of two phases, drift and reach of one are those of the other.
            judged = label == labels[0] or len(labels) > 2
            phases.append(_phase(held, label, periodic and whole, judged))
    if not phases:
        return dataclasses.replace(nothing, missing="Every sample is filled by one phase.")
    longest = max(p.correlation.e_folding for p in phases)
    reach = min(SHOWN_LENGTHS * longest, max(float(p.radial.distances[-1]) for p in phases))
    box = " × ".join(map(str, shown[0].grid.shape))
    count = "" if len(images) == 1 else f"{len(images)} realizations of "
    looked_at = f"{count}{box} voxels" + ("" if whole else ", the middle of the image")
    return MaterialStatistics(tuple(phases), unit, reach, looked_at, "")


def _phase(images: Sequence[PhaseImage], label: int, periodic: bool, judged: bool) -> PhaseStatistics:
    ndim = images[0].grid.ndim
    radial, paths = [], []
    along: list[list[Curve]] = []
    for n, image in enumerate(images):
        function = centred_two_point(image, label, periodic=periodic)
        if n == 0:
            length = correlation_length(function)
        radial.append(function.radial())
        along.append([function.along(axis) for axis in range(ndim)])
        paths.append([lineal_path(image, label, axis, periodic=periodic) for axis in range(ndim)])
    fraction = float(np.mean([image.fractions[label] for image in images]))
    return PhaseStatistics(
        label,
        fraction,
        _mean(radial),
        tuple(_mean(one[axis] for one in along) for axis in range(ndim)),
        tuple(_mean(one[axis] for one in paths) for axis in range(ndim)),
        length,
        _integral(images[0], label, periodic),
        _notes(images[0], label, periodic) if judged else (),
    )


def _mean(curves: Iterable[Curve]) -> Curve:
    held = list(curves)
    return held[0] if len(held) == 1 else average_curves(held)


def _integral(image: PhaseImage, label: int, periodic: bool) -> IntegralRange | None:
    try:
        found = integral_range(image, label, periodic=periodic)
    except ScalebridgeError:
        return None
    usable = found.value > 0 and math.isfinite(found.value) and math.isfinite(found.standard_error)
    return found if usable else None


def _notes(image: PhaseImage, label: int, periodic: bool) -> tuple[str, ...]:
    notes = []
    for judge in (stationarity, long_range):
        try:
            notes.append(judge(image, label, periodic=periodic).words)
        except (ScalebridgeError, np.linalg.LinAlgError):
            continue
    return tuple(notes)
