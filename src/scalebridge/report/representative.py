"""The page of a representativity study: what it knows, turned into words, tables and pictures for one template."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

import scalebridge
from scalebridge.core.files import write_text
from scalebridge.grid import PhaseImage
from scalebridge.homogenize.json_record import plain
from scalebridge.homogenize.representative import present, words
from scalebridge.homogenize.representative.advice import next_step
from scalebridge.homogenize.representative.estimators import isotropic_parts
from scalebridge.homogenize.representative.expansion import EXPANSION
from scalebridge.homogenize.representative.exporters import to_csv, to_latex
from scalebridge.homogenize.representative.material_lengths import MaterialLengths, lengths_of_image
from scalebridge.homogenize.representative.samples import ImageWindows
from scalebridge.homogenize.representative.study import RepresentativityResult
from scalebridge.homogenize.words import aligned, number, percent, scale_of, sentence
from scalebridge.numerics.mandel import COMPONENTS, stiffness_to_voigt, strain_to_voigt
from scalebridge.report import figures
from scalebridge.report.copies import Copy
from scalebridge.report.material import material_statistics
from scalebridge.report.report import REPORT, prepare
from scalebridge.report.representative_material import (
    first_samples,
    material_images,
    material_shown,
    samples_shown,
    scales_shown,
)
from scalebridge.report.templating import fill, safe, tree
from scalebridge.report.theme import PAGE, to_svg


def write_report(
    result: RepresentativityResult,
    folder: str | Path,
    image: PhaseImage | None = None,
    *,
    title: str = "",
    provenance: Mapping[str, Any] | None = None,
    macro_length: float | int | None = None,
    lengths: MaterialLengths | None = None,
    force: bool = False,
) -> Path:
    """Writes the self-contained offline page and returns its path.

    folder: made if it is missing; the page is report.html inside (or a path ending in .html).
    image: the material whose correlation functions are shown; by default the image that windows were cut from, or some
    realizations, which are drawn anew. lengths: of the study's material, where they were measured before.
    macro_length: over which macroscopic fields vary, in m, for the scale report.
    provenance: added to that of the study.
    Fails when: the page exists and `force` is not given, or the folder cannot be written (OutputError).
    """
    path = Path(folder)
    if path.suffix.lower() not in (".html", ".htm"):
        path = path / REPORT
    prepare(path.parent, (path,), force)
    page = render(
        result, image, title=title, provenance=provenance, macro_length=macro_length, lengths=lengths
    )
    write_text(path, page)
    return path


def render(
    result: RepresentativityResult,
    image: PhaseImage | None = None,
    *,
    title: str = "",
    provenance: Mapping[str, Any] | None = None,
    macro_length: float | int | None = None,
    lengths: MaterialLengths | None = None,
) -> str:
    """The whole page as one string that loads nothing from anywhere."""
    samples = first_samples(result)
    images, periodic = material_images(result, samples, image)
    if lengths is None or image is not None:
        drift = image is not None or isinstance(result.problem.source, ImageWindows)
        lengths = lengths_of_image(images[0], periodic=periodic, drift=drift)
    material = material_statistics(images, periodic=periodic, lengths=lengths)
    record = dict(result.provenance) | dict(provenance or {})
    context = _head(result, title) | samples_shown(result, samples, image)
    context |= material_shown(result, material) | scales_shown(result, material, macro_length)
    context |= {
        "scalars": [_scalar(result, name, n) for n, name in enumerate(result.requirements)],
        "hierarchy": _hierarchy(result),
        "tensor": _tensor(result),
        "provenance": tree(plain(record)),
    }
    return fill("representative.html.jinja", context)


def _head(result: RepresentativityResult, title: str) -> dict[str, Any]:
    verdict = result.verdict
    size = result.problem.sizes[-1]
    gap = result.hierarchies[size].gap
    chips = []
    if len(result.problem.conditions) > 1:
        holds = all(found.holds for found in result.hierarchies.values())
        chips.append((holds, f"order of the boundary conditions {'holds' if holds else 'violated'}"))
    if gap is not None:
        chips.append((gap <= verdict.tolerance, f"gap between KUBC and SUBC {percent(gap)}"))
    slow = [
        (name, law)
        for name in result.requirements
        if (law := result.scaling[name][result.preferred]) is not None and law.slower_than_integrable
    ]
    alarms = [
        (
            "No representative volume exists at these sizes",
            f"The scatter of the {name} falls like V^−α with α = {words.exponent_words(law)} instead of 1: "
            "correlations reach over the whole of the samples.",
        )
        for name, law in slow
    ]
    if not all(found.holds for found in result.hierarchies.values()):
        worst = max(found.violation for found in result.hierarchies.values())
        alarms.append(
            (
                "Order of the boundary conditions: violated",
                f"A softer condition gave the stiffer answer, by up to {percent(worst)}: solve more accurately.",
            )
        )
    return {
        "version": scalebridge.__version__,
        "alarms": alarms,
        "title": title or "Representativity study",
        "headline": present.headline(result),
        "verdict_name": sentence(verdict.name),
        "verdict_size": words.edge_words(result, verdict.size),
        "representative": verdict.representative,
        "tolerance": percent(verdict.tolerance),
        "confidence": percent(result.method.confidence),
        "precision": percent(result.method.precision),
        "preferred": words.condition_words(result.preferred),
        "values": present.values_in_words(result),
        "count": result.at(size, result.preferred).count,
        "chips": chips,
        "source": words.source_words(result.problem.source),
        "counted": present.counted(result),
        "warnings": result.warnings,
        "verdict_words": verdict.words[1:],
        "next_step": next_step(result),
        "copies": (Copy("csv", "CSV", to_csv(result)), Copy("latex", "LaTeX", to_latex(result))),
    }


def _scalar(result: RepresentativityResult, name: str, n: int) -> dict[str, Any]:
    """Pictures and tables of one scalar."""
    scale, bias = words.scale_for_part(result, name), result.bias[name]
    conditions = words.ordered_conditions(result)
    means = [
        {
            "size": size,
            "count": result.at(size, conditions[0]).count,
            "cells": [
                (
                    words.estimate_words(result.at(size, c).parts[name], scale),
                    words.scatter_words(result.at(size, c).parts[name]),
                )
                for c in conditions
            ],
        }
        for size in result.problem.sizes
    ]
    chart, needed = figures.scatter_chart(result, name, PAGE), figures.needs_chart(result, name, PAGE)
    limit = sentence(words.limit_words(bias, scale, percent(result.method.confidence)))
    needs = result.requirements[name]
    return {
        "name": name,
        "title": sentence(name),
        "unit": scale.unit,
        "conditions": [words.short(c) for c in conditions],
        "means": means,
        "limit": limit,
        "dashed": len(means) > 1 and bias.assessed and any(bias.seen(c) for c in conditions),
        "means_svg": safe(
            to_svg(figures.means_chart(result, name, PAGE), f"means{n}", f"{name} against size")
        ),
        "scatter_svg": safe(to_svg(chart, f"scatter{n}", f"Scatter of the {name} against size"))
        if chart
        else None,
        "needs_svg": safe(to_svg(needed, f"needs{n}", "Samples needed against their size"))
        if needed
        else None,
        "law": _law_rows(result, name),
        "needs": [
            {
                "size": row.size,
                "bias": words.needs_bias_words(bias, result.preferred, row) if bias.assessed else "–",
                "scatter": percent(row.scatter) if result.scaling[name][result.preferred] else "–",
                "number": words.number_words(row, needs.precision),
                "have": result.at(row.size, result.preferred).count,
                "enough": row.number is not None
                and row.number <= result.at(row.size, result.preferred).count,
                "time": "–" if row.seconds is None else words.duration(row.seconds),
            }
            for row in needs.numbers
        ],
        "ways": [sentence(way) for way in present.ways_in_words(result, name)],
    }


def _law_rows(result: RepresentativityResult, name: str) -> list[tuple[str, list[tuple[str, str]]]]:
    """What was fitted, quantity by quantity, conditions across: (text, a second line or "")."""
    conditions, bias, size = words.ordered_conditions(result), result.bias[name], result.problem.sizes[-1]
    laws = [result.scaling[name][c] for c in conditions]
    ndim = result.problem.source.ndim
    rows = [("exponent α", [("–" if law is None else words.exponent_words(law), "") for law in laws])]
    if any(law is not None and law.integral_range is not None for law in laws):
        ranges, edges = [], []
        for law in laws:
            known = law is not None and law.integral_range is not None
            ranges.append((words.range_words(law) if law is not None else "–", ""))
            edge = float(law.integral_range) ** (1 / ndim) if law is not None and law.integral_range else 0.0
            edges.append((number(edge, 3), words.length_words(result, edge)) if known else ("–", ""))
        rows.append(("integral range A [voxels]", ranges))
        rows.append((f"edge of that {'square' if ndim == 2 else 'cube'} [voxels]", edges))
        point = next(law.point_variance for law in laws if law is not None and law.point_variance)
        scale = words.scale_for_part(result, name)
        deviation = number(float(point) ** 0.5 * scale.factor)
        rows.append(
            (f"point scatter D{f' [{scale.unit}]' if scale.unit else ''}", [(deviation, "")] * len(laws))
        )
    if bias.assessed:
        rows.append((f"bias at {size}", [(words.bias_words(bias, c, size), "") for c in conditions]))
    return rows


def _hierarchy(result: RepresentativityResult) -> dict[str, Any] | None:
    """Means of the first scalar under every condition, their gap, and whether the order held in every sample."""
    names = [c for c in words.ordered_conditions(result) if c in words.ORDER]
    if len(names) < 2:
        return None
    scalar = next(iter(result.requirements))
    scale, vector = words.scale_for_part(result, scalar), result.problem.material.vector
    rows = []
    gaps = any(found.gap is not None for found in result.hierarchies.values())
    for size, found in result.hierarchies.items():
        means = {name: result.at(size, name).mean for name in names}
        if found.lower is not None:  # of the static ones the harmonic mean is the bound
            means["subc"] = found.lower
        parts = [float(isotropic_parts(mean[None], vector)[scalar][0]) for mean in means.values()]
        cells = [number(part * scale.factor) for part in parts]
        if gaps:
            cells.append("–" if found.gap is None else percent(found.gap))
        rows.append(
            {"size": size, "cells": cells, "holds": found.holds, "violation": percent(found.violation)}
        )
    shown = [*(words.short(name) for name in names), *(["gap"] if gaps else [])]
    return {"rows": rows, "names": shown, "name": scalar, "unit": scale.unit}


def _tensor(result: RepresentativityResult) -> dict[str, Any]:
    """Mean of the whole tensor at the largest size, with the scatter of its entries."""
    row, ndim = result.at(result.problem.sizes[-1], result.preferred), result.problem.source.ndim
    values, names = row.values, tuple("xyz"[:ndim])
    caption = f"order {', '.join(names)}"
    if result.problem.material.vector:
        values, names = stiffness_to_voigt(values), COMPONENTS[ndim]
        caption = f"Voigt with engineering shear, order {', '.join(names)}"
    scale = scale_of(float(np.abs(values).max()), words.unit_of(result))
    mean = aligned(values.mean(axis=0) * scale.factor, 4)
    spread = aligned(values.std(axis=0, ddof=1) * scale.factor, 3) if row.count > 1 else None
    return {
        "names": names,
        "mean": mean,
        "spread": spread,
        "caption": f"{scale.unit or 'dimensionless'}; {caption}",
        "expansion": _expansion(result),
    }


def _expansion(result: RepresentativityResult) -> dict[str, Any] | None:
    """The same of the thermal expansion: one row, with engineering shear."""
    row = result.at(result.problem.sizes[-1], result.preferred)
    if row.expansions is None or not row.expansions.any():
        return None
    values = strain_to_voigt(row.expansions)
    scale = scale_of(float(np.abs(values).max()), words.unit_of_part(result, EXPANSION))
    mean = aligned(values.mean(axis=0)[None] * scale.factor, 4)[0]
    spread = aligned(values.std(axis=0, ddof=1)[None] * scale.factor, 3)[0] if row.count > 1 else None
    return {"mean": mean, "spread": spread, "unit": scale.unit}
