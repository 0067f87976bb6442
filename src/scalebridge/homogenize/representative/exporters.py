"""The numbers of a representativity study for other programs and for papers: CSV and LaTeX."""

from __future__ import annotations

import csv
import io
import math
from typing import TYPE_CHECKING

from scalebridge.homogenize.exporters import latex_unit
from scalebridge.homogenize.representative import words

if TYPE_CHECKING:
    from scalebridge.homogenize.representative.study import RepresentativityResult

COLUMNS = (
    "scalar", "unit", "voxels per edge", "edge [m]", "condition", "samples", "mean", "low", "high", "deviation",
    "fitted deviation", "relative bias", "seconds per sample",
)  # fmt: skip


def to_csv(result: RepresentativityResult) -> str:
    """One line per scalar, size and condition, in SI units; what is not known stays empty.

    low, high: the interval of the mean; deviation: of one sample, and as the fitted law has it.
    """
    out = io.StringIO()
    write = csv.writer(out, lineterminator="\n").writerow
    write(COLUMNS)
    h, ndim = words.cubic_spacing(result.problem.source), result.problem.source.ndim

    def text(value: float | int | None) -> str:
        return "" if value is None or not math.isfinite(value) else repr(float(value))

    for name in result.requirements:
        for size in result.problem.sizes:
            for condition in words.ordered_conditions(result):
                row, law, bias = (
                    result.at(size, condition),
                    result.scaling[name][condition],
                    result.bias[name],
                )
                part = row.parts[name]
                write(
                    [
                        name,
                        words.unit_of_part(result, name),
                        size,
                        text(None if h is None else size * h),
                        condition,
                        part.count,
                        *map(text, (part.mean, part.low, part.high, part.deviation)),
                        text(None if law is None else law.deviation(float(size) ** ndim)),
                        text(bias.bias(condition, size) if bias.assessed and bias.seen(condition) else None),
                        text(row.seconds),
                    ]
                )
    return out.getvalue()


def to_latex(result: RepresentativityResult) -> str:
    """A table of means with their intervals, sizes down and conditions across, one per scalar."""
    conditions = words.ordered_conditions(result)
    thin = "\\,"
    share = f"{100 * result.method.confidence:g}\\,\\%"
    tables = []
    for name in result.requirements:
        scale = words.scale_for_part(result, name)
        power = round(-math.log10(scale.factor))
        unit = [f"10^{{{power}}}"] if power else []
        if words.unit_of_part(result, name):
            unit.append(f"\\mathrm{{{latex_unit(words.unit_of_part(result, name))}}}")
        lines = [
            f"% {name}: mean and {100 * result.method.confidence:g} % interval; in brackets the scatter of one sample",
            "\\begin{table}",
            f"\\caption{{{name[:1].upper()}{name[1:]}"
            + (f" in ${thin.join(unit)}$" if unit else "")
            + f", mean with its {share} interval (scatter of a single sample)}}",
            f"\\begin{{tabular}}{{rr{'r' * len(conditions)}}}",
            "\\hline",
            " & ".join(["voxels", "samples", *(words.short(c) for c in conditions)]) + " \\\\",
            "\\hline",
        ]
        for size in result.problem.sizes:
            here = [result.at(size, condition) for condition in conditions]
            cells = [str(size), str(here[0].count)]
            for row in here:
                mean = words.estimate_words(row.parts[name], scale).replace("−", "-").replace("±", "\\pm")
                mean = mean.replace("e-", "e{-}")
                scatter = words.scatter_words(row.parts[name]).replace(" %", "\\,\\%").replace("–", "--")
                cells.append(f"${mean}$ ({scatter.replace('<', '$<$')})")
            lines.append(" & ".join(cells) + " \\\\")
        tables.append("\n".join([*lines, "\\hline", "\\end{tabular}", "\\end{table}"]))
    return "\n\n".join(tables) + "\n"
