"""The page: everything a result knows, turned into words, tables and pictures for one template."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

import numpy as np

import scalebridge
from scalebridge.core.status import Status
from scalebridge.grid.palette import phase_colour
from scalebridge.homogenize import words
from scalebridge.homogenize.concentration import flux_concentration
from scalebridge.homogenize.json_record import TensorForm, form_of, ordering, plain, reported, to_json
from scalebridge.homogenize.present import bar_lengths, quantity_text
from scalebridge.homogenize.result import HomogenizationResult, LocalFields, Verdict
from scalebridge.numerics.mandel import strain_to_voigt, stress_to_voigt
from scalebridge.report import figures
from scalebridge.report.copies import copies
from scalebridge.report.templating import fill, safe, tree
from scalebridge.report.theme import PAGE, to_svg

STATUS_WORDS = {
    Status.CONVERGED: "converged",
    Status.ACCURACY_NOT_MET: "converged",  # the chip beside it speaks of the accuracy
    Status.MAX_STEPS: "stopped at the step limit",
    Status.BREAKDOWN: "the iteration broke down",
}
CHECK_NAMES = {"hill_mandel": "Hill-Mandel"}
PHASE_ROWS = 24  # a polycrystal has thousands of phases; nobody reads that table


def render(result: HomogenizationResult) -> str:
    """The whole page as one string that loads nothing from anywhere."""
    context = _head(result) | _tensor(result) | _error(result) | _microstructure(result)
    context |= _sensitivities(result) | _solution(result) | {"loads": _loads(result)}
    return fill("template.html.jinja", context)


def _head(result: HomogenizationResult) -> dict[str, Any]:
    facts = []
    for name in ("tortuosity", "formation_factor"):
        value = result.extra.get(name)
        if isinstance(value, int | float):
            facts.append((words.spoken(name), words.number(float(value))))
    if result.plane is not None:
        facts.append(("plane", result.plane))
    record = json.dumps(to_json(result), allow_nan=False).replace("<", "\\u003c")
    return {
        "version": scalebridge.__version__,
        "headline": words.headline(result),
        "quantity": words.sentence(result.quantity),
        "boundary": words.boundary_in_words(result),
        "value_words": _unbroken(words.value_in_words(result)),
        "total": words.percent(result.error.total),
        "total_words": words.total_in_words(result),
        "met": result.error.met,
        "accuracy": words.percent(result.error.accuracy),
        "status": STATUS_WORDS[result.status],
        "status_good": result.status in (Status.CONVERGED, Status.ACCURACY_NOT_MET),
        "facts": facts,
        "box": words.box_in_words(result),
        "history": "; ".join(result.image.history),
        "failed": [(words.sentence(v.assumption), v.message) for v in result.validity if v.ok is False],
        "warnings": result.warnings,
        "record": safe(record),
    }


def _unbroken(text: str) -> str:
    """No line break between a symbol, its number and its unit."""
    for glue in (" = ", " W/", " GPa", " MPa", " kPa", " Pa", " ×10"):
        text = text.replace(glue, glue.replace(" ", "\u00a0"))
    return text.replace("(m K)", "(m\u00a0K)")


def _tensor(result: HomogenizationResult) -> dict[str, Any]:
    names, scale = ordering(result), words.scale_for(result)
    values = np.atleast_2d(reported(result, result.value)) * scale.factor
    top = float(np.abs(values).max()) or 1.0
    rows = [
        {
            "name": n,
            "cells": [
                {"text": c, "shade": round(26 * abs(v) / top, 1)} for c, v in zip(texts, row, strict=True)
            ],
        }
        for n, texts, row in zip(
            names, words.aligned(values, 5 if len(names) < 6 else 4), values, strict=bool(names)
        )
    ]
    mandel = form_of(result.value, result.image.grid.ndim) is TensorForm.MANDEL
    unit = scale.unit or "dimensionless"
    caption = f"{unit}; order {', '.join(names)}" if names else unit
    if mandel:
        caption += "; Voigt with engineering shear (σ_xy = C · γ_xy, γ = 2ε)"
    bounds = figures.bounds_chart(result, PAGE) if result.bounds or result.bracket else None
    return {
        "title": words.sentence(result.quantity),
        "tensor_words": f"{'Entries' if names else 'It'} may be wrong by "
        f"{words.percent(result.error.total)} of {'the norm of the tensor' if names else 'its value'}"
        + (
            "."
            if result.error.missing is None
            else f", and by the {result.error.missing.name} error, not assessed."
        ),
        "tensor_rows": rows if names else [],
        "names": names,
        "scalar": scale.show(float(values[0, 0]), 5),
        "tensor_caption": caption,
        "vectors": _vectors(result),
        "derived": _derived(result),
        "copies": copies(result),
        "bounds_svg": safe(to_svg(bounds, "bounds", "The effective value between its bounds"))
        if bounds
        else None,
        "bounds_note": result.bounds.note if result.bounds else "",
    }


def _vectors(result: HomogenizationResult) -> list[dict[str, Any]]:
    """Expansion and heat-free stress, where there are any."""
    kinds = (
        (
            "expansion",
            "Thermal expansion",
            strain_to_voigt,
            "1/K" if result.unit else "",
            "engineering shear: γ = 2ε",
        ),
        ("heat_free_stress", "Stress per kelvin at fixed strain", stress_to_voigt, result.unit, "per kelvin"),
    )
    made = []
    for name, title, to_voigt, unit, note in kinds:
        vector = result.extra.get(name)
        if vector is None or np.ndim(vector) != 1:
            continue
        shown = to_voigt(np.asarray(vector, float))
        scale = words.scale_of(float(np.abs(shown).max()), unit)
        cells = words.aligned(shown[None] * scale.factor)[0]
        made.append(
            {
                "title": title,
                "names": ordering(result),
                "cells": cells,
                "caption": f"{scale.unit or 'dimensionless'}; {note}",
            }
        )
    return made


def _derived(result: HomogenizationResult) -> list[dict[str, Any]]:
    """Engineering constants, anisotropy, tortuosity and whatever else was derived from the tensor.

    Where an entry is missing, "reasons" ("group.entry" -> words) tells why, and the table repeats it.
    """
    reasons = result.extra.get("reasons") or {}
    axes = result.image.grid.axis_names
    groups, single = [], []

    def text(name: str, key: str, value: Any) -> str:
        why = reasons.get(f"{name}.{key}") or reasons.get(name)
        if np.ndim(value) == 2:  # such as principal axes: one direction a line
            return "\n".join(f"({', '.join(row)})" for row in words.aligned(np.asarray(value, float), 3))
        return f"– ({why})" if value is None and why else quantity_text(result, key, value)

    for name, entry in result.extra.items():
        if name in ("expansion", "heat_free_stress", "symbol", "transport", "reasons"):
            continue
        if isinstance(entry, Mapping):
            rows = [(words.spoken(str(k)), text(name, str(k), v)) for k, v in entry.items()]
            groups.append({"title": words.sentence(words.spoken(name)), "rows": rows})
        elif np.ndim(entry) == 1 and len(entry) == len(axes):
            along = zip(axes, entry, strict=True)
            single += [(f"{words.spoken(name)} along {a}", text(name, a, v)) for a, v in along]
        else:
            single.append((words.spoken(name), text(name, name, entry)))
    if single:
        groups.append({"title": "Transport" if "tortuosity" in result.extra else "Derived", "rows": single})
    return groups


def _error(result: HomogenizationResult) -> dict[str, Any]:
    budget = result.error
    shares = bar_lengths(budget.terms)
    largest = budget.largest
    if budget.met is None:
        accuracy = "No accuracy was asked for."
    elif budget.met:
        accuracy = f"Accuracy asked {words.percent(budget.accuracy)}: met."
    else:
        culprit = f" The {largest.name} term prevents it." if largest else ""
        accuracy = f"Accuracy asked {words.percent(budget.accuracy)}: not met.{culprit}"
    context: dict[str, Any] = {
        "budget": [
            {
                "name": t.name,
                "amount": words.percent(t.value),
                "share": 100.0 * share,
                "open": t.value is None,
                "largest": t is largest and bool(t.value),
                "how": t.how.rstrip("."),
                "remedy": (t.remedy[:1].lower() + t.remedy[1:]).rstrip("."),
            }
            for t, share in zip(budget.terms, shares, strict=True)
        ],
        "accuracy_words": accuracy,
        "next_step": budget.next_step.rstrip("."),
        "resolution_svg": None,
    }
    return context | _resolution(result)


def _resolution(result: HomogenizationResult) -> dict[str, Any]:
    study = result.resolution
    if study is None or len(study.voxels) < 2 or all(np.array_equal(v, result.value) for v in study.values):
        return {}
    ndim, scale = result.image.grid.ndim, words.scale_for(result)
    name = next(iter(words.isotropic_part(result.value, ndim)))

    def shown(array: np.ndarray) -> str:
        return scale.show(words.isotropic_part(array, ndim)[name], 6)

    rows = [(str(n), shown(v)) for n, v in zip(study.voxels, study.values, strict=True)]
    if study.extrapolated is None:
        caption = "No order could be fitted: the values do not approach their limit regularly yet."
    else:
        rows.append(("extrapolated", shown(study.extrapolated)))
        caption = "The image coarsened by factors of two; zero voxel size is the extrapolated value."
    svg = to_svg(figures.resolution_chart(result, study, PAGE), "resolution", "Value against voxel size")
    title = {"value": result.quantity, "k": "mean of the diagonal"}.get(name, f"{name} (isotropic part)")
    return {
        "resolution_svg": safe(svg),
        "resolution_caption": caption,
        "resolution_rows": rows,
        "resolution_name": title,
    }


def _microstructure(result: HomogenizationResult) -> dict[str, Any]:
    image = result.image
    slices = [
        to_svg(figures.phase_slice(image, cut, PAGE), f"image{n}", "Phases in a plane of the image")
        for n, cut in enumerate(figures.cuts(image.grid))
    ]
    rows = []
    for phase in result.phases[:PHASE_ROWS]:
        through = [a for a, yes in zip(image.grid.axis_names, phase.percolates, strict=False) if yes]
        position = image.present.index(phase.label) if phase.label in image.present else len(image.present)
        rows.append(
            {
                "label": phase.label,
                "fraction": f"{100 * phase.fraction:.2f} %",
                "law": phase.law,
                "percolates": f"along {', '.join(through)}" if through else "no",
                "colour": phase_colour(position),
            }
        )
    left = len(result.phases) - PHASE_ROWS
    if left > 0:
        rows.append(
            {
                "label": "…",
                "fraction": "",
                "law": f"and {left} more",
                "percolates": "",
                "colour": "transparent",
            }
        )
    return {"slices": [safe(s) for s in slices], "phases": rows}


def _loads(result: HomogenizationResult) -> list[dict[str, Any]]:
    return [_load(result, fields, number) for number, fields in enumerate(result.fields)]


def _load(result: HomogenizationResult, fields: LocalFields, number: int) -> dict[str, Any]:
    # All views of the first load; the flux alone of the others, which keeps the page small.
    views = [figures.primary_view(fields), figures.flux_view(fields), figures.energy_view(fields)]
    shown = []
    for v, view in enumerate(views if number == 0 else views[1:2]):
        name = f"load{number}view{v}"
        cuts = figures.cuts(result.image.grid)
        svgs = [
            to_svg(figures.field_slice(view, c, PAGE), f"{name}cut{n}", view.title)
            for n, c in enumerate(cuts)
        ]
        bar = to_svg(figures.colour_bar(view, PAGE), f"{name}bar", f"Colour scale of {view.title}")
        shown.append({"bar": safe(bar), "slices": [safe(s) for s in svgs]})
    found = flux_concentration(fields, result.image, periodic=result.boundary == "periodic")
    unit = words.scale_of(max(result.image.grid.lengths), "m")
    spots = [
        {
            "factor": words.number(s.factor, 3),
            "label": s.label,
            "voxel": ", ".join(map(str, s.voxel)),
            "position": ""
            if s.position is None
            else ", ".join(words.number(x * unit.factor, 3) for x in s.position),
        }
        for s in found.hot_spots
    ]
    chart = to_svg(figures.concentration_chart(found, PAGE), f"load{number}hist", "Concentration per phase")
    scale = words.scale_of(found.reference, found.unit)
    load = fields.load if " " in fields.load else f"unit strain {fields.load}"
    return {
        "title": f"Load: {load}",
        "views": shown,
        "chart": safe(chart),
        "chart_caption": f"{found.name} relative to its macroscopic value {scale.show(found.reference)} "
        "(dashed line); the last bin holds everything beyond.",
        "hot_spots": spots,
        "length_unit": None if result.image.grid.spacing is None else unit.unit,
        "spot_caption": f"Local maxima of |{found.name}|, at least 5 voxels apart; voxels count from 0, "
        "positions are those of voxel centres.",
    }


def _sensitivities(result: HomogenizationResult) -> dict[str, Any]:
    norm = float(np.linalg.norm(result.value)) or 1.0
    relative = [abs(s.value) * float(np.linalg.norm(s.derivative)) / norm for s in result.sensitivities]
    top = max(relative, default=0.0) or 1.0
    return {
        "sensitivities": [
            {
                "label": s.label,
                "parameter": s.parameter,
                "value": _given(result, s.parameter, s.value),
                "uncertainty": f"± {_given(result, s.parameter, s.uncertainty)}" if s.uncertainty else "–",
                "effect": words.percent(s.effect) if s.uncertainty else "–",
                "elasticity": words.number(share, 3),
                "share": 100.0 * share / top,
            }
            for s, share in zip(result.sensitivities, relative, strict=True)
        ]
    }


def _given(result: HomogenizationResult, name: str, value: float) -> str:
    """A number that somebody typed: without the zeros that pretend to be significant."""
    return (
        re.sub(r"(\.\d*?)0+(?!\d)", r"\1", quantity_text(result, name, value)).replace(". ", " ").rstrip(".")
    )


def _solution(result: HomogenizationResult) -> dict[str, Any]:
    solver = result.solver
    marks = {True: ("good", "✓"), False: ("bad", "✗"), None: ("open", "?")}

    def shown(verdict: Verdict) -> dict[str, str]:
        kind, mark = marks[verdict.ok]
        return {
            "kind": kind,
            "mark": mark,
            "assumption": words.sentence(verdict.assumption),
            "message": verdict.message,
        }

    rows = [
        ("method", solver.method or "–"),
        ("iterations per load case", ", ".join(map(str, solver.iterations)) or "–"),
        ("relative residual", words.number(solver.residual, 2)),
        ("solving", f"{solver.seconds:.2f} s"),
        ("compiling", f"{solver.compile_seconds:.2f} s"),
        ("device", solver.device),
        ("peak memory", f"{solver.peak_bytes / 1e9:.2f} GB" if solver.peak_bytes else "–"),
    ]
    rows += [
        (f"{CHECK_NAMES.get(name, words.spoken(name))} gap", words.number(value, 2))
        for name, value in result.checks.items()
    ]
    chart = figures.convergence_chart(solver, PAGE) if any(len(h) > 1 for h in solver.history) else None
    return {
        "verdicts": [
            shown(v) for v in sorted(result.validity, key=lambda v: {False: 0, None: 1, True: 2}[v.ok])
        ],
        "solver": rows,
        "convergence_svg": safe(to_svg(chart, "convergence", "Residual against iteration"))
        if chart
        else None,
        "provenance": tree(plain(result.provenance)),
    }
