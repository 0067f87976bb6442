"""How a result shows itself: plain text in a terminal, HTML in a notebook. Pure strings."""

from __future__ import annotations

import html
import math
import re
import textwrap
from collections.abc import Mapping

import numpy as np

from scalebridge.homogenize import words
from scalebridge.homogenize.json_record import ordering, reported
from scalebridge.homogenize.result import ErrorTerm, HomogenizationResult
from scalebridge.numerics.mandel import strain_to_voigt, stress_to_voigt

BAR = 16  # characters of the longest bar
WIDTH = 100  # of a line of text: explanations are wrapped beside their bar
# Inline in the cell of a notebook, so that it works without any style sheet, in light and dark themes alike.
_CELL = "padding:2px 10px;text-align:right;font-variant-numeric:tabular-nums"
_TABLE = '<table style="border-collapse:collapse;color:inherit;font:inherit">'
_HEAD = "padding:2px 10px;text-align:right;opacity:.65;font-weight:400"


def bar_lengths(terms: tuple[ErrorTerm, ...]) -> tuple[float, ...]:
    """Share of the largest assessed term, 0 where nothing was assessed: the lengths of the budget bars."""
    finite = [t.value for t in terms if t.value is not None and math.isfinite(t.value)]
    top = max(finite, default=0.0)

    def share(value: float | None) -> float:
        if value is None or top <= 0.0:
            return 0.0
        return min(value / top, 1.0) if math.isfinite(value) else 1.0

    return tuple(share(t.value) for t in terms)


def tensor_text(result: HomogenizationResult) -> str:
    """The reported tensor as an aligned table with its ordering and unit."""
    names, scale = ordering(result), words.scale_for(result)
    values = np.atleast_2d(reported(result, result.value)) * scale.factor
    if not names:
        return f"  {words.number(float(values[0, 0]), 6)} {scale.unit}".rstrip()
    cells = words.aligned(values)
    width = max(len(c) for row in cells for c in row)
    head = " " * 5 + "".join(f"  {n:>{width}}" for n in names)
    unit = f"  [{scale.unit}]" if scale.unit else ""
    rows = [
        f"  {n:>2} " + "".join(f"  {c:>{width}}" for c in row) for n, row in zip(names, cells, strict=True)
    ]
    note = "  Voigt, engineering shear" if len(names) > result.image.grid.ndim else ""
    return "\n".join([head + unit + note, *rows])


def vector_lines(result: HomogenizationResult) -> list[str]:
    """Thermal expansion and heat-free stress, component by component; nothing in other physics."""
    lines: list[str] = []
    kinds = (
        ("expansion", "thermal expansion (engineering shear)", strain_to_voigt, "1/K" if result.unit else ""),
        ("heat_free_stress", "stress per kelvin at fixed strain", stress_to_voigt, result.unit),
    )
    for name, title, to_voigt, unit in kinds:
        vector = result.extra.get(name)
        if vector is None or np.ndim(vector) != 1:
            continue
        shown = to_voigt(np.asarray(vector, float))
        scale = words.scale_of(float(np.abs(shown).max(initial=0.0)), unit)
        cells = words.aligned(shown[None] * scale.factor)[0]
        entries = [f"{n} {c}" for n, c in zip(ordering(result), cells, strict=False)]
        text = f"{title}: {', '.join(entries)} {scale.unit}".rstrip()
        lines += textwrap.wrap(text, WIDTH, initial_indent="  ", subsequent_indent="    ")
    return lines


def budget_text(result: HomogenizationResult) -> str:
    """One line per term of the error budget, with a bar; what was not assessed is said so."""
    lines = []
    for term, share in zip(result.error.terms, bar_lengths(result.error.terms), strict=True):
        bar = "█" * round(BAR * share) or ("▏" if term.value else "")
        head = f"  {term.name:<15}{words.percent(term.value):>13}  {bar:<{BAR}}  "
        # The amount says already that a term was not assessed; here only why.
        how = textwrap.wrap(words.sentence(term.how.removeprefix("Not assessed: ")), WIDTH - len(head))
        lines.append((head + (how[0] if how else "")).rstrip())
        lines += [" " * len(head) + more for more in how[1:]]
    lines.append(f"  {'total':<15}{words.percent(result.error.total):>13}")
    if result.error.next_step:
        step = f"next: {result.error.next_step}"
        lines += textwrap.wrap(step, WIDTH, initial_indent="  ", subsequent_indent=" " * 8)
    return "\n".join(lines)


def to_text(result: HomogenizationResult) -> str:
    """What `print(result)` shows: headline, failed assumptions, tensor, budget, phases, cost."""
    lines = [
        words.headline(result),
        f"  {result.quantity}, {words.boundary_in_words(result)}, {words.box_in_words(result)}",
    ]
    lines += [f"  ✗ {v.assumption}: {v.message}" for v in result.validity if v.ok is False]
    lines += [f"  ! {warning}" for warning in result.warnings]
    lines += ["", tensor_text(result), *vector_lines(result), ""]
    for name in ("tortuosity", "formation_factor", "engineering"):
        if result.extra.get(name) is not None:
            entry = f"{words.spoken(name)}: {entry_text(result, result.extra[name])}"
            # Broken between entries only, never between a symbol, its number and its unit.
            unbroken = re.sub(r"(?<![,:]) ", "\u00a0", entry)
            wrapped = textwrap.wrap(unbroken, WIDTH, initial_indent="  ", subsequent_indent="    ")
            lines += [line.replace("\u00a0", " ") for line in wrapped]
    lines += ["error budget", budget_text(result), "", "phases"]
    for phase in result.phases:
        through = [a for a, yes in zip(result.image.grid.axis_names, phase.percolates, strict=False) if yes]
        path = f"percolates along {', '.join(through)}" if through else "does not percolate"
        lines.append(f"  {phase.label:>4}  {words.percent(phase.fraction):>8}  {phase.law}; {path}")
    solver = result.solver
    steps = max(solver.iterations, default=0)
    lines += [
        "",
        f"{words.spoken(result.status.value)}: {steps} iterations, {solver.seconds:.2f} s on {solver.device}",
    ]
    return "\n".join(lines)


def entry_text(result: HomogenizationResult, entry: object) -> str:
    """A further result (number, array, nested dict) on one line; moduli take the unit of the tensor."""
    if isinstance(entry, Mapping):
        return ", ".join(
            f"{words.spoken(str(k))} = {quantity_text(result, str(k), v)}" for k, v in entry.items()
        )
    return quantity_text(result, "", entry)


def quantity_text(result: HomogenizationResult, name: str, value: object) -> str:
    """One value; the names E, K, G (with any suffix) of an elastic result are moduli and get its unit."""
    if isinstance(value, Mapping):
        return f"({entry_text(result, value)})"
    if value is None or isinstance(value, str | bool):
        return "–" if value is None else str(value)
    if np.ndim(value) > 0:  # type: ignore[arg-type]
        return "(" + ", ".join(quantity_text(result, name, v) for v in value) + ")"  # type: ignore[attr-defined]
    if not isinstance(value, int | float | np.number):
        return str(value)
    if name == "principal_values":
        return words.scale_for(result).show(float(value))
    is_modulus = result.unit == "Pa" and name.split("_")[0] in ("E", "K", "G", "bulk", "shear", "young")
    if is_modulus:
        return words.scale_of(float(value), "Pa").show(float(value))
    return str(value) if isinstance(value, int) else words.number(float(value))


def bar_svg(share: float, width: int = 160, height: int = 10) -> str:
    """One horizontal bar as inline SVG in the colour of the surrounding text's accent."""
    length = max(share * width, 1.5 if share > 0.0 else 0.0)
    label = f"{100 * share:.0f} % of the largest term"
    return (
        f'<svg width="{width}" height="{height}" role="img" aria-label="{label}">'
        f'<rect width="{width}" height="{height}" rx="3" fill="currentColor" opacity=".08"/>'
        f'<rect width="{length:.1f}" height="{height}" rx="3" fill="#d9822b"/></svg>'
    )


def tensor_html(result: HomogenizationResult) -> str:
    """The reported tensor as an HTML table with its ordering and unit."""
    names, scale = ordering(result), words.scale_for(result)
    if not names:
        return ""
    values = reported(result, result.value) * scale.factor
    head = "".join(f'<th style="{_HEAD}">{n}</th>' for n in ("", *names))
    rows = "".join(
        f'<tr><th style="{_HEAD}">{n}</th>'
        + "".join(f'<td style="{_CELL}">{cell}</td>' for cell in row)
        + "</tr>"
        for n, row in zip(names, words.aligned(values), strict=True)
    )
    voigt = "Voigt, engineering shear" if len(names) > result.image.grid.ndim else ""
    caption = html.escape("; ".join(part for part in (scale.unit, voigt) if part))
    return f'{_TABLE}<caption style="{_HEAD}">{caption}</caption><tr>{head}</tr>{rows}</table>'


def budget_html(result: HomogenizationResult) -> str:
    """The error budget as a table with a bar per term."""
    rows = "".join(
        f'<tr><td style="{_CELL};text-align:left">{html.escape(t.name)}</td>'
        f'<td style="{_CELL};white-space:nowrap">{words.percent(t.value)}</td>'
        f'<td style="{_CELL}">{bar_svg(share) if t.value is not None else ""}</td>'
        f'<td style="{_CELL};text-align:left;opacity:.75">{html.escape(t.how)}</td></tr>'
        for t, share in zip(result.error.terms, bar_lengths(result.error.terms), strict=True)
    )
    total = (
        f'<tr style="border-top:1px solid currentColor"><td style="{_CELL};text-align:left"><b>total</b></td>'
        f'<td style="{_CELL};white-space:nowrap"><b>{words.percent(result.error.total)}</b></td>'
        "<td></td><td></td></tr>"
    )
    return f"{_TABLE}{rows}{total}</table>"


def to_html(result: HomogenizationResult) -> str:
    """What a notebook shows: headline, failed assumptions, warnings, tensor, budget bars, next step."""
    alarms = [f"✗ {v.assumption}: {v.message}" for v in result.validity if v.ok is False] + list(
        result.warnings
    )
    notes = "".join(
        f'<div style="border-left:3px solid #d9822b;padding:2px 10px;margin:4px 0">{html.escape(a)}</div>'
        for a in alarms
    )
    step = result.error.next_step
    following = f'<div style="margin-top:6px"><b>Next:</b> {html.escape(step)}</div>' if step else ""
    where = html.escape(f"{result.quantity}, {words.boundary_in_words(result)}, {words.box_in_words(result)}")
    title = html.escape(words.headline(result))
    return (
        f'<div style="max-width:60em"><div style="font-size:1.25em;font-weight:600">{title}</div>'
        f'<div style="opacity:.7;margin-bottom:6px">{where}</div>{notes}'
        '<div style="display:flex;flex-wrap:wrap;gap:24px;margin-top:8px">'
        f"{tensor_html(result)}{budget_html(result)}</div>"
        f"{following}</div>"
    )
