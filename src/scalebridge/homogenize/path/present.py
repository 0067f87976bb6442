"""How a path shows itself in a terminal: the curve as a table, energies, budget, warnings."""

from __future__ import annotations

import numpy as np

from scalebridge.core.status import Status
from scalebridge.homogenize.path.exporters import budget
from scalebridge.homogenize.path.result import PathResult
from scalebridge.homogenize.words import number, percent, scale_of

MOST_ROWS = 16


def short(value: float) -> str:
    """Four significant digits at most: what people chose (0.01) looks like what they wrote."""
    return f"{value:.4g}".replace("-", "−")


def settled(values: np.ndarray) -> np.ndarray:
    """The same with zeros for what a solver leaves of a zero."""
    return np.where(np.abs(values) < 1e-9 * np.abs(values).max(initial=0.0), 0.0, values)


def loaded(result: PathResult) -> int:
    """The component that is shown first: the one that does most work along the path."""
    start = result.kinematics.virgin(result.image.grid.ndim)
    drives = np.stack([start, *(row.drive for row in result.increments)])
    fluxes = np.stack([np.zeros_like(start), *(row.flux for row in result.increments)])
    work = np.abs((fluxes[1:] + fluxes[:-1]) / 2 * np.diff(drives, axis=0)).sum(axis=0)
    return int(np.argmax(work))


def headline(result: PathResult) -> str:
    """The top of the curve in one line."""
    c = loaded(result)
    flux = result.components(np.stack([row.flux for row in result.increments]))[:, c]
    top = int(np.argmax(np.abs(flux)))
    scale = scale_of(float(np.abs(flux[top])), result.unit)
    drive = result.components(result.increments[top].drive)[c]
    most = "" if top == len(flux) - 1 else ", its largest"
    at = f"{result.drive_names[c]} = {short(float(drive))}"
    return f"{result.flux_names[c]} = {scale.show(float(flux[top]))} at {at}{most}"


def to_text(result: PathResult) -> str:
    """Table, energies, budget and warnings; at most MOST_ROWS increments, evenly chosen."""
    rows, c = result.increments, loaded(result)
    fluxes = settled(result.components(np.stack([row.flux for row in rows])))
    drives = result.components(np.stack([row.drive for row in rows]))
    scale = scale_of(float(np.abs(fluxes).max()), result.unit)
    energy = scale_of(max(abs(row.work) for row in rows), result.energy_unit)
    unit = f" [{scale.unit}]" if scale.unit else ""
    head = [
        "incr.",
        "time",
        result.drive_names[c],
        result.flux_names[c] + unit,
        "stored",
        "dissipated",
        "Newton",
    ]
    table = [head]
    for n in _shown(len(rows)):
        row = rows[n]
        table.append(
            [
                str(row.number),
                short(row.time),
                short(float(drives[n, c])),
                number(float(fluxes[n, c]) * scale.factor),
                *("–" if e is None else number(e * energy.factor) for e in (row.stored, row.dissipated)),
                str(len(row.krylov)) + (f" ({row.cuts} cuts)" if row.cuts else ""),
            ]
        )
    widths = [max(len(line[k]) for line in table) for k in range(len(head))]
    lines = [headline(result), ""]
    lines += ["  ".join(cell.rjust(w) for cell, w in zip(line, widths, strict=True)) for line in table]
    if not result.says_energies:
        lines.append("stored and dissipated energy: not assessed")
    elif energy.unit:
        lines.append(f"energies in {energy.unit}, since the start")
    lines += ["", *_budget_lines(result)]
    if result.reason:
        lines += ["", f"! The path ended early. {result.reason}"]
    if result.status is Status.ACCURACY_NOT_MET:
        lines += ["", f"! Accuracy asked {percent(result.accuracy)}: not met."]
    lines += [f"! {words}" for words in result.warnings]
    return "\n".join(lines)


def _shown(count: int) -> list[int]:
    if count <= MOST_ROWS:
        return list(range(count))
    return sorted({round(v) for v in np.linspace(0, count - 1, MOST_ROWS)})


def _budget_lines(result: PathResult) -> list[str]:
    lines = ["error budget, the worst increment of each term"]
    for term in budget(result):
        value = percent(term["value"]) if term["value"] is not None else "–"
        lines.append(f"  {term['name']:<15}{value:>10}  {term['meaning']}")
    gap = max(row.hill_mandel for row in result.increments)
    lines.append(f"  Hill-Mandel    {gap:>10.1e}  of <|s:e|>, an identity")
    return lines
