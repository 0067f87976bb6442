"""The page and the files of a loading path: what it knows, turned into words, tables and pictures."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

import scalebridge
from scalebridge.core.files import write_text
from scalebridge.core.status import Status
from scalebridge.grid.palette import phase_colour
from scalebridge.homogenize.path.exporters import budget, to_csv, to_json
from scalebridge.homogenize.path.present import headline, loaded, settled, short
from scalebridge.homogenize.path.result import PathFields, PathIncrement, PathResult
from scalebridge.homogenize.words import Scale, aligned, percent, scale_of
from scalebridge.report import figures
from scalebridge.report.copies import Copy
from scalebridge.report.figures.path import curve_chart, energy_chart, histogram_chart, phases_chart
from scalebridge.report.path_fields import path_views, write_series
from scalebridge.report.report import prepare
from scalebridge.report.templating import fill, safe, tree
from scalebridge.report.theme import PAGE, to_svg

RECORD, CURVE = "result.json", "path.csv"
MOST_PICTURED = 4  # increments whose fields the page shows
MOST_PHASES = 8


def write_path_results(result: PathResult, folder: Path) -> tuple[Path, ...]:
    """path.csv, result.json and the fields that were kept; returns the paths. Fails as files do (OutputError)."""
    prepare(folder, (), True)
    write_text(folder / CURVE, to_csv(result))
    record = json.dumps(to_json(result), indent=2, allow_nan=False, ensure_ascii=False)
    write_text(folder / RECORD, record + "\n")
    return (folder / CURVE, folder / RECORD, *write_series(result, folder))


def write_path_report(result: PathResult, path: Path, *, title: str = "") -> Path:
    """Writes the self-contained offline page and returns its path. Fails when: it cannot be written (OutputError)."""
    prepare(path.parent, (), True)
    write_text(path, render(result, title=title))
    return path


def render(result: PathResult, *, title: str = "") -> str:
    """The whole page as one string that loads nothing from anywhere."""
    rows = result.increments
    pictured = _pictured(result)
    context = {
        "version": scalebridge.__version__,
        "title": title or "Loading path",
        "headline": headline(result),
        "converged": result.status is not Status.MAX_STEPS,
        "reason": result.reason,
        "missed": result.status is Status.ACCURACY_NOT_MET,
        "accuracy": percent(result.accuracy),
        "warnings": result.warnings,
        "facts": _facts(result),
        "curve_svg": safe(to_svg(curve_chart(result, PAGE), "curve", "The curve with its tangents")),
        "energy_svg": safe(
            to_svg(energy_chart(result, PAGE), "energy", "Work, stored and dissipated energy")
        ),
        "phases_svg": safe(to_svg(phases_chart(result, PAGE), "phases", "Averages of the phases")),
        "says_energies": result.says_energies,
        "has_tangents": any(row.tangent is not None for row in rows),
        "tangent": _last_tangent(result),
        "budget": _budget(result),
        "total": percent(result.total_error),
        "hill_mandel": f"{max(row.hill_mandel for row in rows):.1e}",
        "newton_rows": [_newton_row(row) for row in rows],
        "newton": result.newton,
        "phase_table": _phase_table(result),
        "pictured": [_pictures(result, result.fields[n]) for n in pictured],
        "kept": len(result.fields),
        "legs": _legs(result),
        "provenance": tree(dict(result.provenance)),
        "copies": (Copy("csv", "CSV", to_csv(result)),),
    }
    return fill("path.html.jinja", context)


def _pictured(result: PathResult) -> list[int]:
    kept = list(result.fields)
    if len(kept) <= MOST_PICTURED:
        return kept
    return sorted({kept[round(v)] for v in np.linspace(0, len(kept) - 1, MOST_PICTURED)})


def _facts(result: PathResult) -> list[str]:
    last = result.increments[-1]
    shape = " × ".join(map(str, result.image.grid.shape))
    energy = scale_of(max(abs(row.work) for row in result.increments), result.energy_unit)
    cuts = sum(row.cuts for row in result.increments)
    return [
        f"{shape} voxels",
        result.kinematics.name,
        result.boundary,
        f"{len(result.increments)} increments" + (f", {cuts} cuts" if cuts else ""),
        *_energy_facts(last, energy),
    ]


def _energy_facts(last: PathIncrement, energy: Scale) -> list[str]:
    if last.stored is None or last.dissipated is None:
        return ["energies not assessed"]
    return [f"stored {energy.show(last.stored)}", f"dissipated {energy.show(last.dissipated)}"]


def _last_tangent(result: PathResult) -> dict[str, Any] | None:
    row = next((row for row in reversed(result.increments) if row.tangent is not None), None)
    if row is None or row.tangent is None:
        return None
    values = result.reported_tangent(row.tangent)
    scale = scale_of(float(np.abs(values).max()), result.unit)
    voigt = "; Voigt with engineering shear" if result.kinematics.symmetric else ""
    return {
        "names": result.names,
        "rows": aligned(values * scale.factor, 4),
        "caption": f"{scale.unit or 'SI'} at increment {row.number}{voigt}, order {', '.join(result.names)}",
    }


def _budget(result: PathResult) -> list[dict[str, Any]]:
    terms = budget(result)
    top = max((term["value"] or 0.0 for term in terms), default=0.0)
    return [
        {
            "name": term["name"],
            "amount": percent(term["value"]),
            "share": 100 * (term["value"] or 0.0) / top if top > 0 else 0.0,
            "open": term["value"] is None,
            "largest": top > 0 and term["value"] == top,
            "meaning": term["meaning"],
        }
        for term in terms
    ]


def _newton_row(row: PathIncrement) -> dict[str, Any]:
    return {
        "number": row.number,
        "leg": row.leg + 1,
        "time": short(row.time),
        "newton": len(row.krylov),
        "krylov": ", ".join(map(str, row.krylov.tolist())) or "–",
        "residuals": " ".join(f"{v:.0e}" for v in row.residuals.tolist()),
        "cuts": row.cuts or "",
        "gap": f"{row.hill_mandel:.0e}",
        "size": percent(row.increment_size),
    }


def _phase_table(result: PathResult) -> dict[str, Any]:
    """Averages over the phases at the last increment: all components of drive and flux."""
    last = result.increments[-1]
    fluxes = settled(result.components(np.vstack([last.phase_flux, last.flux])))
    drives = settled(result.components(np.vstack([last.phase_drive, last.drive])))
    scale = scale_of(float(np.abs(fluxes).max()), result.unit)
    present = result.image.present
    shown = [*range(min(len(present), MOST_PHASES)), -1]
    phases = [
        {
            "label": label,
            "colour": phase_colour(n),
            "fraction": f"{result.image.fractions[label]:.2%}",
            "law": str(result.laws.get(label, {}).get("law", "")),
        }
        for n, label in enumerate(present[:MOST_PHASES])
    ]
    unit = f" [{scale.unit}]" if scale.unit else ""
    rows = [(name, [short(float(drives[n, k])) for n in shown]) for k, name in enumerate(result.drive_names)]
    rows += [
        (name + unit, [short(float(fluxes[n, k]) * scale.factor) for n in shown])
        for k, name in enumerate(result.flux_names)
    ]
    return {"rows": rows, "phases": phases, "more": len(present) - len(phases)}


def _pictures(result: PathResult, fields: PathFields) -> Mapping[str, Any]:
    row = next(one for one in result.increments if one.number == fields.number)
    c = loaded(result)
    cut = figures.cuts(result.image.grid)[0]
    views = []
    for n, view in enumerate(path_views(result, fields)):
        name = f"field{fields.number}-{n}"
        views.append(
            {
                "bar": safe(
                    to_svg(figures.colour_bar(view, PAGE), f"{name}-bar", f"Colours of {view.title}")
                ),
                "slice": safe(to_svg(figures.field_slice(view, cut, PAGE), name, f"{view.title} in a plane")),
            }
        )
    return {
        "title": f"Increment {fields.number}: {result.drive_names[c]} = "
        f"{short(float(result.components(row.drive)[c]))}, time {short(fields.time)} s",
        "views": views,
        "histogram": safe(
            to_svg(
                histogram_chart(result, fields, PAGE), f"histogram{fields.number}", "Distribution by phase"
            )
        ),
    }


def _legs(result: PathResult) -> list[dict[str, Any]]:
    return [
        {
            "number": n,
            "drive": ", ".join(f"{k} = {short(v)}" for k, v in leg.drive.items()) or "–",
            "flux": ", ".join(
                [
                    *(f"{k} = {short(v)}" for k, v in leg.flux.items()),
                    *(f"Cauchy {k} = {short(v)}" for k, v in leg.cauchy.items()),
                ]
            )
            or "–",
            "increments": leg.increments,
            "time": short(leg.duration),
        }
        for n, leg in enumerate(result.legs, start=1)
    ]
