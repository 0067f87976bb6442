"""The page docs/verification-representativity.md: cases of the verification, and benchmarks/records/multilevel.json."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from docs.verification.record import DOCS, FIGURES

PREFIX = "representativity"
NAME = "verification-representativity.md"
BENCHMARK = DOCS.parent / "benchmarks" / "records" / "multilevel.json"

INTRODUCTION = """# Are the statistics right?

What the package says about representativity, where the truth is known: measured statistics beside closed forms, the
share of studies whose interval holds the true mean, sub-volumes beside the whole image, the cost of an estimate beside
plain Monte Carlo, and the same study on different executors.

Written by `make verify CASES="{cases}"` from `docs/verification/records/representativity_*.json`, and by
`python benchmarks/multilevel.py` from `benchmarks/records/multilevel.json`; nothing in it is typed by hand.
*Difference* is (ours - reference)/|reference|; *asked* is the difference that a value is judged by.

"""

COST = """## Cost: control variates and multilevel Monte Carlo

Seconds of solved cells for the mean conductivity of an ensemble, at equal error, one process. Repeated estimates: the
cost is the mean over the repetitions of the samples drawn times the seconds one of them takes, the error is the scatter
of the estimates, pilot samples are counted. *Over plain* is variance times cost over that of plain Monte Carlo, with
its 95 % interval from the number of repetitions; a gain of 4 was asked for.

"""

PICTURE = """![Times cheaper than plain Monte Carlo, and seconds over error.](figures/representativity-multilevel.png)

*Above: how much cheaper at equal error, with 95 % intervals. Below, in the same colours: seconds per estimate over
its error; the line is plain Monte Carlo.*

"""

LIMITS = """
What limits it. Where the fraction is free to fluctuate it explains nearly all of the scatter and costs nothing: as
a control variate it gains most, and coarser levels share what is left. Coarse solves alone stay below 4, on both
ensembles. A copy at half the resolution resembles the sample closely, but drawing and solving it costs an eighth of
the sample or more; one at a quarter is cheap, but where features are two coarse voxels wide (the level cut) it
resembles the sample too little to carry the scatter. The first twelve samples of every level, from which variances
are estimated, are a fixed cost that weighs the more the larger the error asked for. Sizes alone gain nothing: the
variance of a sample falls with its volume as its cost rises. The ladder of sizes owes its gain to the fraction.
"""


def multilevel_section() -> str:
    """The table of the benchmark, or how to get it."""
    if not BENCHMARK.is_file():
        return COST + "Not run yet: `python benchmarks/multilevel.py`.\n"
    record = json.loads(BENCHMARK.read_text(encoding="utf-8"))
    head = ("Ensemble", "Method", "Samples per level", "Seconds", "Error", "Over plain", "Gain", "Covered")
    lines = ["| " + " | ".join(head) + " |", "|---" * len(head) + "|"]
    lines += ["| " + " | ".join(_cells(row)) + " |" for row in record["rows"]]
    machine = record["machine"]
    note = f"\nMeasured on {machine['cores']} cores of {machine['cpu']}, {record['date']}."
    picture = PICTURE if (FIGURES / "representativity-multilevel.png").is_file() else ""
    return COST + picture + "\n".join(lines) + "\n" + note + "\n" + LIMITS


def _cells(row: dict[str, Any]) -> tuple[str, ...]:
    error = row.get("relative_error") or row.get("claimed_error")
    said = "" if row.get("relative_error") else " (its own claim)"
    interval = row.get("over_plain_interval")
    between = f" ({interval[0]:.3f} to {interval[1]:.3f})" if interval else ""
    covered = row.get("covered")
    return (
        f"{row['ensemble']}, {row['size']}^3", f"{row['method']}, {row['estimates']} times"
        if row["estimates"] > 1
        else row["method"],
        ", ".join(f"{n:.0f}" for n in row["samples"]), f"{row['cost_seconds']:.2f}", f"{error:.2%}{said}",
        f"{row['over_plain']:.3f}{between}", f"{row['gain']:.1f}", "" if covered is None else f"{covered:.0%}",
    )  # fmt: skip


def write_page(cases: Sequence[str], sections: Sequence[str]) -> None:
    """The sections of the cases, the cost of the estimates after them."""
    text = INTRODUCTION.format(cases=" ".join(cases)) + "\n".join([*sections, multilevel_section()])
    (DOCS / NAME).write_text(text.rstrip() + "\n", encoding="utf-8")
