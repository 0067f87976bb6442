"""The material of a study on its page: samples, correlation functions, separation of scales."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from scalebridge.grid import PhaseImage
from scalebridge.grid.palette import phase_colour
from scalebridge.homogenize.representative import words
from scalebridge.homogenize.representative.samples import ImageWindows
from scalebridge.homogenize.representative.study import RepresentativityResult
from scalebridge.homogenize.words import number, scale_of
from scalebridge.report import figures
from scalebridge.report.material import MaterialStatistics
from scalebridge.report.templating import safe
from scalebridge.report.theme import PAGE, to_svg
from scalebridge.scales import Separation, scale_report

REALIZATIONS = 4  # drawn anew for the correlation functions
DRAWN_VOXELS = 1 << 22  # all of them together
MOST_SLICES = 6


def first_samples(result: RepresentativityResult) -> dict[int, PhaseImage]:
    """One sample of every size that is shown; it is among those of the study."""
    sizes = result.problem.sizes
    picked = np.unique(np.linspace(0, len(sizes) - 1, min(len(sizes), MOST_SLICES)).round().astype(int))
    return {sizes[k]: result.problem.source.makers(sizes[k], 1)[0].make()[0] for k in picked}


def material_images(
    result: RepresentativityResult, samples: Mapping[int, PhaseImage], image: PhaseImage | None
) -> tuple[list[PhaseImage], bool]:
    """What the correlation functions are measured on, and whether it repeats itself."""
    source, size = result.problem.source, result.problem.sizes[-1]
    if image is None and isinstance(source, ImageWindows):
        image = source.image
    if image is not None:
        return [image], False
    largest = samples[size]
    count = min(
        REALIZATIONS, result.at(size, result.preferred).count, max(1, DRAWN_VOXELS // largest.grid.size)
    )
    if result.problem.material.grain is not None:
        count = 1
    others = [maker.make()[0] for maker in source.makers(size, count)[1:]]
    return [largest, *others], source.periodic


def samples_shown(
    result: RepresentativityResult, samples: Mapping[int, PhaseImage], image: PhaseImage | None
) -> dict[str, Any]:
    grains = result.problem.material.grain is not None
    labels = sorted({label for sample in samples.values() for label in sample.present})
    labels = sorted({*labels, *result.problem.material.laws}) if not grains else labels
    slices = []
    for n, (size, sample) in enumerate(samples.items()):
        own = sample.present if grains else labels
        figure = figures.sample_slice(sample, figures.cuts(sample.grid)[0], own, PAGE)
        description = f"A sample of {size} voxels per edge"
        slices.append((safe(to_svg(figure, f"sample{n}", description)), words.edge_words(result, size)))
    rows = []
    for position, label in enumerate(() if grains else labels):
        cells = []
        for size in result.problem.sizes:
            part = result.at(size, result.preferred).fractions.get(str(label))
            cells.append("–" if part is None else words.with_error(part.mean, part.half_width, 100.0))
        rows.append({"label": label, "colour": phase_colour(position), "cells": cells})
    return {"slices": slices, "fractions": rows, "sizes": result.problem.sizes, "grains": grains}


def material_shown(result: RepresentativityResult, material: MaterialStatistics) -> dict[str, Any]:
    ndim = result.problem.source.ndim
    if not material.phases:
        return {"material": None, "material_missing": material.missing}
    factor, unit = 1.0, "voxels"
    if material.unit == "m":
        scale = scale_of(material.phases[0].correlation.e_folding, "m")
        factor, unit = scale.factor, scale.unit
    rows = []
    for phase in material.phases:
        integral = phase.integral
        rows.append(
            {
                "label": phase.label,
                "fraction": f"{100 * phase.fraction:.2f} %",
                "length": number(phase.correlation.e_folding * factor, 3),
                "axes": ", ".join(number(length * factor, 3) for length in phase.correlation.axes),
                "decayed": all(phase.correlation.decayed),
                "integral": "–"
                if integral is None
                else words.with_error(integral.value, integral.standard_error, factor**ndim),
                "samples": "–" if integral is None else number(integral.samples, 3),
            }
        )
    first = material.phases[0]
    charts = [
        (
            "Two-point functions",
            figures.two_point_chart(
                {p.label: p.radial for p in material.phases},
                {p.label: p.fraction for p in material.phases},
                material.reach,
                material.unit,
                PAGE,
            ),
            "Probability that two points a distance r apart lie in the same phase; dotted: the square of its fraction.",
        ),
        (
            f"Covariance of phase {first.label}",
            figures.covariance_chart(
                first.radial,
                first.along,
                first.fraction,
                first.correlation.e_folding,
                material.reach,
                material.unit,
                PAGE,
            ),
            "What is left of the correlation; curves along the axes that differ show anisotropy.",
        ),
        (
            "Lineal paths",
            figures.lineal_path_chart(
                {p.label: p.paths for p in material.phases}, material.reach, material.unit, PAGE
            ),
            "Probability that a segment of length r lies wholly in a phase.",
        ),
    ]
    return {
        "material": {
            "rows": rows,
            "unit": unit,
            "power": "²" if ndim == 2 else "³",
            "looked_at": material.looked_at,
            "charts": [
                (name, safe(to_svg(figure, f"material{n}", name)), caption)
                for n, (name, figure, caption) in enumerate(charts)
            ],
            "notes": material.notes,
        },
        "material_missing": "",
    }


def scales_shown(
    result: RepresentativityResult, material: MaterialStatistics, macro_length: float | int | None
) -> dict[str, Any]:
    """l against delta for every size; l, delta and H where the macroscopic length is known, too."""
    length = material.length
    if not length:
        return {"scales": None}
    h = words.cubic_spacing(result.problem.source)
    voxel = 1.0 if material.unit == "voxels" else h
    if voxel is None:
        return {"scales": None}
    rows = []
    for size in result.problem.sizes:
        ratio = size * voxel / length
        rows.append((words.edge_words(result, size), number(ratio, 3), Separation.of(ratio).value))
    structure = (
        f"{number(length, 3)} voxels" if material.unit == "voxels" else scale_of(length, "m").show(length, 3)
    )
    report = ""
    if macro_length is not None and h is not None:
        report = scale_report(length, result.problem.sizes[-1] * h, macro_length).words
    return {"scales": {"rows": rows, "length": structure, "words": report}}
