"""How a representativity study shows itself: plain text in a terminal, HTML in a notebook. Pure strings."""

from __future__ import annotations

import html
import re
import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING

from scalebridge.homogenize.representative import words
from scalebridge.homogenize.representative.advice import next_step
from scalebridge.homogenize.representative.sketch import convergence_sketch
from scalebridge.homogenize.words import percent, sentence

if TYPE_CHECKING:
    from scalebridge.homogenize.representative.study import RepresentativityResult

WIDTH = 100
_CELL = "padding:2px 10px;text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap"
_HEAD = "padding:2px 10px;text-align:right;opacity:.65;font-weight:400"
_TABLE = '<table style="border-collapse:collapse;color:inherit;font:inherit;margin:4px 0 10px">'


def headline(result: RepresentativityResult) -> str:
    """E.g. "Statistical volume element: 64 voxels per edge (342 µm), tolerance 5 %"."""
    size = words.edge_words(result, result.verdict.size)
    return f"{sentence(result.verdict.name)}: {size}, tolerance {percent(result.verdict.tolerance)}"


def values_in_words(result: RepresentativityResult) -> list[str]:
    """Per scalar: mean at the largest size with its interval."""
    row = result.at(result.problem.sizes[-1], result.preferred)
    found = []
    for name, estimate in row.parts.items():
        scale = words.scale_for_part(result, name)
        found.append(f"{name} {words.estimate_words(estimate, scale)} {scale.unit}".rstrip())
    return found


def counted(result: RepresentativityResult) -> str:
    """E.g. "63 samples of 3 sizes under 3 conditions, 3-D, 12 s"."""
    samples = sum(result.at(size, result.preferred).count for size in result.problem.sizes)

    def many(n: int, word: str) -> str:
        return f"{n} {word}{'' if n == 1 else 's'}"

    sizes, conditions = len(result.problem.sizes), len(result.problem.conditions)
    return (
        f"{many(samples, 'sample')} of {many(sizes, 'size')} under {many(conditions, 'condition')}, "
        f"{result.problem.source.ndim}-D, {words.duration(result.seconds)}"
    )


def means_table(result: RepresentativityResult, name: str) -> tuple[list[str], list[list[str]]]:
    """Head and rows: sizes down, conditions across; mean ± half interval and (the scatter of one sample)."""
    scale, conditions = words.scale_for_part(result, name), words.ordered_conditions(result)
    rows = []
    for size in result.problem.sizes:
        here = [result.at(size, condition) for condition in conditions]
        cells = [
            f"{words.estimate_words(row.parts[name], scale)} ({words.scatter_words(row.parts[name])})"
            for row in here
        ]
        rows.append([str(size), str(here[0].count), *cells])
    return ["voxels", "samples", *(words.short(c) for c in conditions)], rows


def laws_table(result: RepresentativityResult, name: str) -> tuple[list[str], list[list[str]]]:
    """Head and rows: the fitted law of the scatter, the bias at the largest size, by condition."""
    size, bias = result.problem.sizes[-1], result.bias[name]
    rows = []
    for condition in words.ordered_conditions(result):
        law = result.scaling[name][condition]
        shift = words.bias_words(bias, condition, size)
        fitted = [words.exponent_words(law), words.integral_range_words(result, law)] if law else ["–", "–"]
        rows.append([words.short(condition), *fitted, shift])
    return ["condition", "α", "integral range A", f"bias at {size}"], rows


def needs_table(result: RepresentativityResult, name: str) -> tuple[list[str], list[list[str]]]:
    """Head and rows: samples needed at every size of the study."""
    need, law = result.requirements[name], result.scaling[name][result.preferred]
    bias = result.bias[name]
    rows = [
        [
            str(row.size),
            words.needs_bias_words(bias, result.preferred, row),
            percent(row.scatter) if law else "–",
            words.number_words(row, need.precision),
            "–" if row.seconds is None else words.duration(row.seconds),
        ]
        for row in need.numbers
    ]
    return ["voxels", "bias", "scatter of one", "samples needed", "time"], rows


def ways_in_words(result: RepresentativityResult, name: str) -> list[str]:
    """One sufficient sample, and the cheapest combination."""
    need = result.requirements[name]
    law = result.scaling[name][result.preferred]
    if need.single_size is not None:
        found = [f"one sample: {words.edge_words(result, need.single_size)}"]
        if law is not None and law.slower_than_integrable:
            found[0] += ", if the scatter goes on falling as slowly as that"
    else:
        found = [f"one sample: {'not known' if law is None else 'no size within reach is enough'}"]
    if need.cheapest is not None and need.cheapest.number is not None:
        way = need.cheapest
        samples = "1 sample" if way.number == 1 else f"{way.number} samples"
        found.append(
            f"cheapest: {samples} of {words.edge_words(result, way.size)}, {words.duration(way.seconds or 0.0)}"
        )
    return found


def hierarchy_in_words(result: RepresentativityResult) -> list[str]:
    """The order of the conditions and its gap by size; empty with a single condition."""
    if len([c for c in words.ordered_conditions(result) if c in words.ORDER]) < 2:
        return []
    order = " ≤ ".join({"periodic": "PBC"}.get(c, c.upper()) for c in words.ordered_conditions(result))
    held = all(found.holds for found in result.hierarchies.values())
    worst = max(found.violation for found in result.hierarchies.values())
    lines = [
        f"order {order}: {'holds' if held else 'violated'} in every sample"
        if held
        else f"order {order}: violated by up to {percent(worst)}"
    ]
    gaps = [
        f"{percent(found.gap)} at {size}"
        for size, found in result.hierarchies.items()
        if found.gap is not None
    ]
    if gaps:
        lines.append(f"gap between kinematic and static means: {', '.join(gaps)} voxels")
    return lines


def table_text(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Right-aligned columns."""
    lines = [head, *rows]
    widths = [max(len(line[k]) for line in lines) for k in range(len(head))]
    return ["  " + "  ".join(c.rjust(w) for c, w in zip(line, widths, strict=True)) for line in lines]


def to_text(result: RepresentativityResult) -> str:
    """What `print(result)` shows: verdict, tables of every scalar, hierarchy, next step. At most 100 columns."""

    def wrapped(text: str, first: str = "  ", rest: str = "    ") -> list[str]:
        glued = re.sub(r"(?<=\d) (?=[^\W\d]|%)", "\u00a0", text)  # no break between a number and its unit
        lines = textwrap.wrap(glued, WIDTH, initial_indent=first, subsequent_indent=rest)
        return [line.replace("\u00a0", " ") for line in lines]

    share = percent(result.method.confidence)
    lines = wrapped(headline(result), "", "  ")
    count = result.at(result.problem.sizes[-1], result.preferred).count
    for value in values_in_words(result):
        lines += wrapped(
            f"{value} ({share} interval of the mean; {count} of the largest, {words.condition_words(result.preferred)})"
        )
    lines += wrapped(f"{words.source_words(result.problem.source)}; {counted(result)}")
    for warning in result.warnings:
        lines += wrapped(warning, "  ! ")
    for name in result.requirements:
        scale, bias = words.scale_for_part(result, name), result.bias[name]
        unit = f" [{scale.unit}]" if scale.unit else ""
        lines += ["", *wrapped(f"{name}{unit}: mean ± {share} interval (scatter of one sample)", "")]
        lines += table_text(*means_table(result, name))
        limit = words.limit_words(bias, scale, share)
        lines += wrapped(limit) if limit else []
        lines += ["", f"scatter of the {name}: D²(V) = D² (A/V)^α, ± standard errors"]
        lines += table_text(*laws_table(result, name))
        lines += ["", f"what {percent(result.method.precision)} takes at {share} confidence"]
        lines += table_text(*needs_table(result, name))
        for way in ways_in_words(result, name):
            lines += wrapped(way)
    order = hierarchy_in_words(result)
    if order:
        lines += ["", "boundary conditions"]
        for line in order:
            lines += wrapped(line)
    lines += ["", "verdict"]
    for line in result.verdict.words:
        lines += wrapped(line)
    lines += wrapped(f"next: {next_step(result)}")
    return "\n".join(lines)


def table_html(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """The same table for a notebook."""
    top = "".join(f'<th style="{_HEAD}">{html.escape(cell)}</th>' for cell in head)
    body = "".join(
        "<tr>" + "".join(f'<td style="{_CELL}">{html.escape(cell)}</td>' for cell in row) + "</tr>"
        for row in rows
    )
    return f'<div style="overflow-x:auto">{_TABLE}<tr>{top}</tr>{body}</table></div>'


def to_html(result: RepresentativityResult) -> str:
    """What a notebook shows: verdict, warnings, and per scalar the picture of convergence with its tables."""
    notes = "".join(
        f'<div style="border-left:3px solid #d9822b;padding:2px 10px;margin:4px 0">{html.escape(note)}</div>'
        for note in result.warnings
    )
    parts = []
    for name in result.requirements:
        scale = words.scale_for_part(result, name)
        title = html.escape(sentence(name) + (f" [{scale.unit}]" if scale.unit else ""))
        share = percent(result.method.confidence)
        ways = "; ".join(html.escape(way) for way in ways_in_words(result, name))
        parts.append(
            f'<div style="font-weight:600;margin-top:10px">{title} <span style="font-weight:400;opacity:.65">'
            f"mean ± {share} interval (scatter of one sample)</span></div>"
            '<div style="display:flex;flex-wrap:wrap;gap:8px 28px;align-items:flex-start">'
            f'{convergence_sketch(result, name)}<div style="flex:1 1 400px;min-width:0">'
            f"{table_html(*means_table(result, name))}"
            f"{table_html(*needs_table(result, name))}<div>{ways}</div></div></div>"
        )
    verdict = "".join(f"<li>{html.escape(line)}</li>" for line in result.verdict.words)
    order = "".join(f"<li>{html.escape(sentence(line))}</li>" for line in hierarchy_in_words(result))
    where = html.escape(f"{words.source_words(result.problem.source)}; {counted(result)}")
    value = html.escape(", ".join(values_in_words(result)))
    return (
        f'<div style="max-width:72em"><div style="font-size:1.25em;font-weight:600">{html.escape(headline(result))}'
        f'</div><div>{value}</div><div style="opacity:.7;margin-bottom:6px">{where}</div>{notes}{"".join(parts)}'
        f'<ul style="margin:10px 0">{verdict}{order}</ul><div><b>Next:</b> {html.escape(next_step(result))}</div></div>'
    )
