"""What is known of the lengths in a material: correlation, integral range, reach of correlations, drift, separation."""

from __future__ import annotations

import dataclasses
from typing import Any, final

from scalebridge.core.errors import InputError, ScalebridgeError
from scalebridge.grid import PhaseImage, VoxelGrid
from scalebridge.homogenize.representative.samples import ImageWindows
from scalebridge.homogenize.representative.study import RepresentativityProblem, RepresentativityResult
from scalebridge.homogenize.representative.words import cubic_spacing
from scalebridge.microstructure.statistics import (
    centred_two_point,
    correlation_length,
    integral_range,
    long_range,
    middle,
    stationarity,
)
from scalebridge.scales import scale_report

_MOST_PHASES = 4


@final
@dataclasses.dataclass(frozen=True)
class MaterialScales:
    """record: plain data, lengths in voxels; words: sentences; warnings: those that endanger the study.

    endless: sentences about correlations that reach as far as what was measured.
    """

    record: dict[str, Any]
    words: tuple[str, ...]
    warnings: tuple[str, ...]
    endless: tuple[str, ...] = ()


def judged_with_scales(result: RepresentativityResult, scales: MaterialScales) -> RepresentativityResult:
    """The study with what the material's lengths add to its verdict: none is representative without an end of them."""
    if not scales.endless:
        return result
    verdict = dataclasses.replace(result.verdict, representative=False)
    head = f"{verdict.size} voxels per edge: {verdict.name}."
    verdict = dataclasses.replace(verdict, words=(head, *verdict.words[1:], *scales.endless))
    return dataclasses.replace(result, verdict=verdict)


def material_scales(
    problem: RepresentativityProblem, count: int, macro_length: float | None = None
) -> MaterialScales:
    """Measured on the image that windows were cut from, or on the first realization of the largest size.

    macro_length: over which macroscopic fields vary, in m. Nothing is measured where labels are grains.
    Fails when: a macroscopic length is given and the spacing is not known (InputError).
    """
    spacing = cubic_spacing(problem.source)
    if macro_length is not None and spacing is None:
        raise InputError("--macro-length: comparing lengths needs the edge of a (cubic) voxel (--spacing).")
    whole = isinstance(problem.source, ImageWindows)
    image, periodic, part = _measured(problem, count)
    # Lengths are measured in voxels; the spacing only turns them into metres in the words.
    plain = PhaseImage(image.labels, VoxelGrid(image.grid.shape), image.history)
    labels = [label for label in plain.present if plain.counts[label] < plain.grid.size]
    record: dict[str, Any] = {
        "measured_on": f"{part}{'the image' if whole else 'a realization'}, {_box(image)} voxels",
        "phases": [],
        "separation": None,
    }
    words: list[str] = []
    warnings: list[str] = []
    endless: list[str] = []
    if problem.material.grain is not None or not 2 <= len(labels) <= _MOST_PHASES:
        record["missing"] = "grains" if problem.material.grain is not None else f"{len(labels)} phases"
        return MaterialScales(record, (), ())
    # Of two phases, what is found for one holds for the other.
    for label in labels[1:] if len(labels) == 2 else labels:
        found = _phase(plain, label, periodic, whole)
        record["phases"].append(found)
        far, drift = found["long_range"], found["stationarity"]
        if far is not None:
            (endless if far["found"] else words).append(f"Phase {label}: {far['words']}")
        if drift is not None:
            (warnings if drift["drifts"] else words).append(f"Phase {label}: {drift['words']}")
        if found["note"]:
            words.append(f"Phase {label}: {found['note']}")
    lengths = [p["correlation_length"] for p in record["phases"] if p["correlation_length"] is not None]
    if lengths:
        longest, size = max(lengths), problem.sizes[-1]
        words.append(
            f"The largest samples hold {size / longest:.3g} correlation lengths of {longest:.3g} voxels per edge."
        )
        if macro_length is not None and spacing is not None:
            report = scale_report(longest * spacing, size * spacing, macro_length)
            words[-1] = report.words
            record["separation"] = {
                "fine_length": report.fine_length,
                "cell_size": report.cell_size,
                "macro_length": report.macro_length,
                "cell_over_fine": report.cell_over_fine,
                "coarse_over_cell": report.coarse_over_cell,
                "epsilon": report.epsilon,
                "verdict": report.separation.value,
                "words": report.words,
            }
    return MaterialScales(record, tuple(words), tuple(warnings), tuple(endless))


def _measured(problem: RepresentativityProblem, count: int) -> tuple[PhaseImage, bool, str]:
    """The image to look at, whether it repeats itself, and in words which part of it was taken."""
    source = problem.source
    if isinstance(source, ImageWindows):
        image, periodic = source.image, False
    else:
        image, periodic = source.makers(problem.sizes[-1], count)[0].make()[0], source.periodic
    part = middle(image)
    return (image, periodic, "") if part is image else (part, False, "the middle of ")


def _phase(image: PhaseImage, label: int, periodic: bool, whole: bool) -> dict[str, Any]:
    """What is known of one phase; drift is asked for in an image only."""
    found: dict[str, Any] = {
        "label": label,
        "fraction": image.fractions[label],
        "correlation_length": None,
        "correlation_lengths": None,
        "integral_range": None,
        "integral_range_deviation": None,
        "long_range": None,
        "stationarity": None,
        "note": "",
    }
    try:
        length = correlation_length(centred_two_point(image, label, periodic=periodic))
        found |= {"correlation_length": length.e_folding, "correlation_lengths": list(length.axes)}
        volume = integral_range(image, label, periodic=periodic)
        found |= {"integral_range": volume.value, "integral_range_deviation": volume.standard_error}
        far = long_range(image, label, periodic=periodic)
        found["long_range"] = {
            "found": far.found,
            "exponent": far.exponent,
            "deviation": far.standard_error,
            "words": far.words,
        }
        if whole:
            drift = stationarity(image, label, periodic=periodic)
            found["stationarity"] = {
                "drifts": drift.drifts,
                "p_value": drift.p_value,
                "words": drift.words,
            }
    except ScalebridgeError as error:  # a description that cannot be had is no reason to lose the study
        found["note"] = str(error)
    return found


def _box(image: PhaseImage) -> str:
    return " x ".join(map(str, image.grid.shape))
