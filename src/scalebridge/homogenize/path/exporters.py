"""A path as text for other programs: one line per increment, and one record."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from typing import Any

import numpy as np

from scalebridge.core.status import Status
from scalebridge.homogenize.json_record import plain
from scalebridge.homogenize.path.result import PathIncrement, PathResult

SCHEMA = "scalebridge.path/1"


def to_csv(result: PathResult) -> str:
    """The curve: true tensor components, per-phase averages, and the tangent where there is one (else empty cells).

    Units: SI. Times in the unit of the laws; tangents as `PathResult.reported_tangent` says.
    """
    drives, fluxes = result.drive_names, result.flux_names
    pairs = [(i, k) for i in range(len(result.names)) for k in range(len(result.names))]
    out = io.StringIO()
    write = csv.writer(out, lineterminator="\n").writerow
    write(
        ["increment", "leg", "time", *drives, *fluxes, "stored", "dissipated", "work"]
        + ["newton", "krylov", "cuts", "algebraic", "increment_size", "resolution", "hill_mandel"]
        + [f"{name} in {label}" for label in result.image.present for name in (*drives, *fluxes)]
        + [f"d{fluxes[i]}/d{drives[k]}" for i, k in pairs]
    )
    for n, row in enumerate(result.increments):
        tangent = (
            [""] * len(pairs)
            if row.tangent is None
            else list(result.reported_tangent(row.tangent).reshape(-1))
        )
        resolution = "" if result.resolution is None else float(result.resolution[n])
        phases = np.concatenate(
            [result.components(row.phase_drive), result.components(row.phase_flux)], axis=1
        )
        values = [
            row.number, row.leg + 1, row.time, *result.components(row.drive), *result.components(row.flux),
            *_maybe(row.stored, row.dissipated), row.work, len(row.krylov), int(np.sum(row.krylov)), row.cuts,
            row.algebraic, *_maybe(row.increment_size), resolution, row.hill_mandel, *phases.reshape(-1), *tangent,
        ]  # fmt: skip
        write([repr(float(v)) if isinstance(v, float) else v for v in values])
    return out.getvalue()


def _maybe(*values: float | None) -> list[float | str]:
    """Empty cells for what was not assessed."""
    return ["" if value is None else value for value in values]


def to_json(result: PathResult) -> dict[str, Any]:
    """Everything but the fields, in plain numbers and words."""
    record: dict[str, Any] = {
        "schema": SCHEMA,
        "status": result.status.value,
        "reason": result.reason,
        "kinematics": result.kinematics.name,
        "components": {"drive": result.drive_names, "flux": result.flux_names},
        "units": {"flux": result.unit, "energy": result.energy_unit},
        "boundary": result.boundary,
        "integration": result.integration,
        "tolerance": result.tolerance,
        "image": {
            "shape": result.image.grid.shape,
            "spacing": result.image.grid.spacing,
            "sha256": result.image.sha256,
        },
        "phases": [
            {"label": label, "fraction": result.image.fractions[label], "law": result.laws.get(label)}
            for label in result.image.present
        ],
        "legs": [
            {
                "drive": leg.drive,
                "flux": leg.flux,
                "cauchy": leg.cauchy,
                "duration": leg.duration,
                "increments": leg.increments,
            }
            for leg in result.legs
        ],
        "increments": [_increment(result, n, row) for n, row in enumerate(result.increments)],
        "newton": result.newton,
        "fields": list(result.fields),
        "error": {
            "total": result.total_error,
            "accuracy": result.accuracy,
            "met": None if result.accuracy is None else result.status is Status.CONVERGED,
            "terms": budget(result),
        },
        "warnings": result.warnings,
        "provenance": result.provenance,
    }
    return plain(record)  # type: ignore[no-any-return]


def budget(result: PathResult) -> list[dict[str, Any]]:
    """The terms of the error budget at their largest, each with what it is."""
    rows, size = result.increments, result.resolution
    steps = [row.increment_size for row in rows if row.increment_size is not None]
    return [
        {
            "name": "algebraic",
            "value": max((row.algebraic for row in rows), default=0.0),
            "meaning": "out-of-balance stress over the stress where Newton's iteration stopped",
        },
        {
            "name": "increment size",
            "value": max(steps, default=0.0) if result.says_energies else None,
            "meaning": "trapezoidal work that is neither stored nor dissipated, summed over the increments, over the "
            "work; shorter increments make it smaller"
            if result.says_energies
            else "not assessed; not all laws say what they store and dissipate",
        },
        {
            "name": "resolution",
            "value": None if size is None else float(size.max()),
            "meaning": "not assessed; --resolution follows the path on the image coarsened by two"
            if size is None
            else "largest difference of the curve to that of the image coarsened by two, relative to its top",
        },
    ]


def _increment(result: PathResult, n: int, row: PathIncrement) -> dict[str, Any]:
    drives, fluxes = result.drive_names, result.flux_names
    phases: Mapping[str, Any] = {
        str(label): {
            "drive": dict(zip(drives, result.components(row.phase_drive[i]), strict=True)),
            "flux": dict(zip(fluxes, result.components(row.phase_flux[i]), strict=True)),
        }
        for i, label in enumerate(result.image.present)
    }
    return {
        "number": row.number,
        "leg": row.leg + 1,
        "time": row.time,
        "cuts": row.cuts,
        "drive": dict(zip(drives, result.components(row.drive), strict=True)),
        "flux": dict(zip(fluxes, result.components(row.flux), strict=True)),
        "tangent": None if row.tangent is None else result.reported_tangent(row.tangent),
        "stored": row.stored,
        "dissipated": row.dissipated,
        "work": row.work,
        "newton": {"residuals": row.residuals, "krylov": row.krylov},
        "phases": phases,
        "hill_mandel": row.hill_mandel,
        "error": {
            "algebraic": row.algebraic,
            "increment_size": row.increment_size,
            "resolution": None if result.resolution is None else result.resolution[n],
        },
    }
