"""The pages docs/verification*.md and error-budget.md, written from the records."""

from __future__ import annotations

import math
from collections.abc import Sequence

from docs.verification import figures, nonlinear_page, representativity_page
from docs.verification.record import DOCS, FIGURES, Row, Table, read_record

INTRODUCTION = """# Verification

Every value that is known exactly, tabulated, or published with an image, beside ours. This page is written by
`make verify` (`python -m docs.verification`) from the records in `docs/verification/records/`; nothing in it is typed
by hand. `python -m docs.verification --render` rewrites it from the records without running anything. Values of
published images need the folder of reference images (`SCALEBRIDGE_DATA`); without it their rows say so.

*Difference* is (ours - reference)/|reference|, absolute where the reference is zero. *Asked* is the difference that a
value is judged by; rows without one are shown and not judged. >= and <= mark bounds.

"""

BUDGET_INTRODUCTION = """# Is the error budget honest?

For arrays of discs and spheres the exact effective conductivity is known, so the error that `homogenize` claims can be
compared with the error it makes.

The claim is the sum of the assessed terms. Here these are *algebraic* (the energy error of conjugate gradients) and
*discretization*, which is the root of the squares of

- the change over coarsened images, sqrt(d1^2 + (d2/2)^2) with d1 = |v(n) - v(n/2)| and d2 = |v(n/2) - v(n/4)|, and
- the width of the guaranteed bracket (conduction),

plus what the position of the interfaces inside their voxels may do. That last part is there because a voxel image that
misses the fraction of a phase misses it in all its coarsened copies: nothing computed on them can tell. It is three
standard deviations of the fraction when every voxel that an interface crosses is rounded independently, times what a
fraction is worth, which the mean fields of the phases tell at no extra solve. Without it 85 % of the cases below were
covered (median of claimed / true 2.7).

The *statistical* term is asked for (`subvolumes`) and answers another question: how far is this one image from its
material? Windows cut from the image are solved; the variances of their tensors (relative to the mean of their own size)
are corrected for the windows' finite size with the covariance of the phases (without that 88 % of the first ensemble
below were covered); D^2(V) = D^2 (A/V)^alpha is fitted together with alpha = 1 +- 0.1 and carried to the volume of the
image. The term is sqrt(F) D(V), F the 95 % point of the F distribution for as many components as the scatter is spread
over and as many degrees of freedom as the fit is worth. The last table compares it with ensembles.

Written by `make verify`, from `docs/verification/records/error_budget*.json`.

"""


def write_pages(cases: Sequence[str]) -> None:
    """All pages and figures, from whatever records there are."""
    summary: list[str] = []
    body: list[str] = []
    honesty: list[str] = []
    statistics: list[str] = []
    nonlinear: list[str] = []
    seconds = 0.0
    FIGURES.mkdir(exist_ok=True)
    for name in cases:
        found = read_record(name)
        target = honesty if name.startswith("error_budget") else body
        if name.startswith(representativity_page.PREFIX):
            target = statistics
        if name.startswith(nonlinear_page.PREFIX):
            target = nonlinear
        if found is None:
            how = "python docs/verification/berea.py" if name == "berea" else f"make verify CASES={name}"
            target.append(f"## {name}\n\nNot run yet: `{how}`.\n")
            continue
        tables, spent = found
        seconds += spent
        figures.draw(tables)
        summary += [summary_line(table) for table in tables]
        target += [section(table) for table in tables]
    text = BUDGET_INTRODUCTION + "\n".join(honesty)
    (DOCS / "error-budget.md").write_text(text.rstrip() + "\n", encoding="utf-8")
    head = "| Case | Values | Judged | Held | Missed |\n|---|---|---|---|---|\n" + "\n".join(summary)
    note = f"\n\nAll cases together took {seconds / 60:.0f} minutes on two cores. "
    note += "The coverage of the error budget has [its own page](error-budget.md), and so have\n"
    note += "[statistics and representativity](verification-representativity.md) and\n"
    note += "[nonlinear cells](verification-nonlinear.md).\n\n"
    text = INTRODUCTION + "## Summary\n\n" + head + note + "\n".join(body)
    (DOCS / "verification.md").write_text(text.rstrip() + "\n", encoding="utf-8")
    representativity_page.write_page(
        [name for name in cases if name.startswith(representativity_page.PREFIX)], statistics
    )
    nonlinear_page.write_page([name for name in cases if name.startswith(nonlinear_page.PREFIX)], nonlinear)


def summary_line(table: Table) -> str:
    judged = [row for row in table.rows if row.held is not None]
    missed = [row for row in judged if not row.held]
    return (
        f"| {table.title} | {len(table.rows)} | {len(judged)} | {len(judged) - len(missed)} | {len(missed)} |"
    )


def section(table: Table) -> str:
    """One table with its words and its figure."""
    notes = any(row.note for row in table.rows)
    head = "| Quantity | Ours | | Reference | Difference | Asked | |" + (" Remark |" if notes else "")
    lines = [f"## {table.title}", "", table.words, ""]
    if table.figure:
        lines += [f"![{table.caption}](figures/{table.figure})", "", f"*{table.caption}*", ""]
    if table.rows:
        lines += [head, "|---" * (head.count("|") - 1) + "|"]
    for row in table.rows:
        cells = [
            row.quantity, number(row.ours), row.relation.replace("<", "&lt;").replace(">", "&gt;"),
            number(row.reference), small(row.difference, signed=True), small(row.asked), verdict(row),
        ]  # fmt: skip
        lines.append("| " + " | ".join(cells + ([row.note] if notes else [])) + " |")
    if table.cells:
        lines += ["", "| " + " | ".join(table.header) + " |", "|---" * len(table.header) + "|"]
        lines += ["| " + " | ".join(cells) + " |" for cells in table.cells]
    return "\n".join(lines) + "\n"


def verdict(row: Row) -> str:
    return {True: "held", False: "**missed**", None: ""}[row.held]


def number(value: float | None) -> str:
    """Nine digits: enough to see 1e-8."""
    if value is None:
        return "-"
    if value != 0 and (abs(value) < 1e-4 or abs(value) >= 1e9):
        return f"{value:.2e}"
    return f"{value:.9g}"


def small(value: float | None, *, signed: bool = False) -> str:
    if value is None or not math.isfinite(value):
        return ""
    return f"{value:+.1e}" if signed else f"{value:.0e}" if value else "0"
