"""What the material of a study looks like, in numbers: its correlation functions, beside the lengths that are known."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Sequence
from typing import final

import numpy as np

from scalebridge.grid import PhaseImage
from scalebridge.homogenize.representative.material_lengths import (
    MOST_PHASES,
    MaterialLengths,
    PhaseLengths,
    lengths_of_image,
)
from scalebridge.microstructure.statistics import (
    CorrelationLength,
    Curve,
    IntegralRange,
    average_curves,
    centred_two_point,
    lineal_path,
    middle,
)

SHOWN_LENGTHS = 6.0  # correlation lengths shown: by then nothing is left to see


@final
@dataclasses.dataclass(frozen=True, eq=False)
class PhaseStatistics:
    """Curves of one phase, means over the realizations; lengths of one of them. integral: None: not known."""

    label: int
    fraction: float
    radial: Curve
    along: tuple[Curve, ...]
    paths: tuple[Curve, ...]
    correlation: CorrelationLength
    integral: IntegralRange | None


@final
@dataclasses.dataclass(frozen=True, eq=False)
class MaterialStatistics:
    """unit: "m", or "voxels" where the spacing is not known. reach: the distance up to which curves are of interest.

    looked_at: in words, what was measured. missing: why there is nothing, or "".
    notes: the verdicts on reach of correlations and drift in words.
    """

    phases: tuple[PhaseStatistics, ...]
    unit: str
    reach: float
    looked_at: str
    missing: str
    notes: tuple[str, ...] = ()

    @property
    def length(self) -> float | None:
        """The longest correlation length of all phases: the l of l << delta."""
        return max((p.correlation.e_folding for p in self.phases), default=None)


def material_statistics(
    images: Sequence[PhaseImage], *, periodic: bool, lengths: MaterialLengths | None = None
) -> MaterialStatistics:
    """Statistics of every phase of some images of one material, all of the same shape.

    lengths: of the first image, where they were measured before.
    """
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
    known = lengths or lengths_of_image(first, periodic=periodic)
    phases = []
    for label in labels:
        held = [image for image in shown if label in image.present and len(image.present) > 1]
        if not held:
            continue
        own = known.of(label)
        if own is None:  # it is in other realizations only
            own = lengths_of_image(held[0], periodic=periodic and whole, drift=False).of(label)
        if own is not None and own.correlation is not None:
            phases.append(_phase(held, label, periodic and whole, own, own.correlation))
    if not phases:
        return dataclasses.replace(nothing, missing="Every sample is filled by one phase.")
    longest = max(p.correlation.e_folding for p in phases)
    reach = min(SHOWN_LENGTHS * longest, max(float(p.radial.distances[-1]) for p in phases))
    box = " × ".join(map(str, shown[0].grid.shape))
    count = "" if len(images) == 1 else f"{len(images)} realizations of "
    looked_at = f"{count}{box} voxels" + ("" if whole else ", the middle of the image")
    notes = tuple(sentence for phase in known.phases for sentence in phase.sentences)
    return MaterialStatistics(tuple(phases), unit, reach, looked_at, "", notes)


def _phase(
    images: Sequence[PhaseImage], label: int, periodic: bool, own: PhaseLengths, length: CorrelationLength
) -> PhaseStatistics:
    ndim = images[0].grid.ndim
    radial, paths = [], []
    along: list[list[Curve]] = []
    for image in images:
        function = centred_two_point(image, label, periodic=periodic)
        radial.append(function.radial())
        along.append([function.along(axis) for axis in range(ndim)])
        paths.append([lineal_path(image, label, axis, periodic=periodic) for axis in range(ndim)])
    return PhaseStatistics(
        label,
        float(np.mean([image.fractions[label] for image in images])),
        _mean(radial),
        tuple(_mean(one[axis] for one in along) for axis in range(ndim)),
        tuple(_mean(one[axis] for one in paths) for axis in range(ndim)),
        length,
        _usable(own.integral),
    )


def _mean(curves: Iterable[Curve]) -> Curve:
    held = list(curves)
    return held[0] if len(held) == 1 else average_curves(held)


def _usable(found: IntegralRange | None) -> IntegralRange | None:
    usable = (
        found is not None
        and found.value > 0
        and math.isfinite(found.value)
        and math.isfinite(found.standard_error)
    )
    return found if usable else None
