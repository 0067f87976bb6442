"""What the lengths of a material mean for a study: reach of correlations, drift, separation of scales."""

from __future__ import annotations

import dataclasses
from typing import Any, final

from scalebridge.core.errors import InputError
from scalebridge.homogenize.representative.material_lengths import (
    MaterialLengths,
    PhaseLengths,
    material_lengths,
)
from scalebridge.homogenize.representative.study import RepresentativityProblem, RepresentativityResult
from scalebridge.homogenize.representative.words import cubic_spacing
from scalebridge.scales import scale_report


@final
@dataclasses.dataclass(frozen=True, eq=False)
class MaterialScales:
    """record: plain data, lengths in voxels; words: sentences; warnings: those that endanger the study.

    endless: sentences about correlations that reach as far as what was measured. lengths: what all of it rests on.
    """

    lengths: MaterialLengths
    record: dict[str, Any]
    words: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
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
    problem: RepresentativityProblem, count: int, macro_length: float | int | None = None
) -> MaterialScales:
    """Measured as `material_lengths` says; count: realizations of the largest size in the study.

    macro_length: over which macroscopic fields vary, in m.
    Fails when: a macroscopic length is given and the spacing is not known (InputError).
    """
    spacing = cubic_spacing(problem.source)
    if macro_length is not None and spacing is None:
        raise InputError("--macro-length: comparing lengths needs the edge of a (cubic) voxel (--spacing).")
    lengths = material_lengths(problem, count)
    record: dict[str, Any] = {
        "measured_on": lengths.measured_on,
        "phases": [_phase_record(phase, lengths) for phase in lengths.phases],
        "separation": None,
    }
    if lengths.missing:
        return MaterialScales(lengths, record | {"missing": lengths.missing})
    words: list[str] = []
    warnings: list[str] = []
    endless: list[str] = []
    for phase in lengths.phases:
        if phase.far is not None:
            (endless if phase.far.found else words).append(f"Phase {phase.label}: {phase.far.words}")
        if phase.drift is not None:
            (warnings if phase.drift.drifts else words).append(f"Phase {phase.label}: {phase.drift.words}")
        if phase.note:
            words.append(f"Phase {phase.label}: {phase.note}")
    if lengths.longest:
        longest, size = lengths.longest / lengths.voxel, problem.sizes[-1]
        words.append(
            f"The largest samples hold {size / longest:.3g} correlation lengths of {longest:.3g} voxels per edge."
        )
        if macro_length is not None and spacing is not None:
            report = scale_report(lengths.longest, size * spacing, macro_length)
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
    return MaterialScales(lengths, record, tuple(words), tuple(warnings), tuple(endless))


def _phase_record(phase: PhaseLengths, lengths: MaterialLengths) -> dict[str, Any]:
    """One phase in plain data, lengths in voxels."""
    length, volume, far, drift = phase.correlation, phase.integral, phase.far, phase.drift
    edges, unit = lengths.grid.cell_size, lengths.voxel**lengths.grid.ndim
    return {
        "label": phase.label,
        "fraction": phase.fraction,
        "correlation_length": None if length is None else length.e_folding / lengths.voxel,
        "correlation_lengths": None
        if length is None
        else [axis / edge for axis, edge in zip(length.axes, edges, strict=True)],
        "integral_range": None if volume is None else volume.value / unit,
        "integral_range_deviation": None if volume is None else volume.standard_error / unit,
        "long_range": None
        if far is None
        else {
            "found": far.found,
            "exponent": far.exponent,
            "deviation": far.standard_error,
            "words": far.words,
        },
        "stationarity": None
        if drift is None
        else {"drifts": drift.drifts, "p_value": drift.p_value, "words": drift.words},
        "note": phase.note,
    }
