"""The figures of the verification pages: small PNG files drawn from the series in the records."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from docs.verification import nonlinear_figures
from docs.verification.plotting import COLOURS, MARKERS, plot, save
from docs.verification.record import Table
from docs.verification.representativity_figures import DRAWINGS


def draw(tables: Sequence[Table]) -> None:
    """The figure of every table that names one."""
    drawings = {
        "checkerboards.png": _checkerboards,
        "discs.png": _arrays,
        "spheres.png": _arrays,
        "error-budget.png": _coverage,
        "error-budget-others.png": _coverage,
        "error-budget-elasticity.png": _coverage,
        "error-budget-statistical.png": _coverage,
        **DRAWINGS,
        **nonlinear_figures.DRAWINGS,
    }
    for table in tables:
        if table.figure:
            drawings[table.figure](table)


def _checkerboards(table: Table) -> None:
    figure, axes = plot(2, 2, (8, 5.2))
    for axis, (name, series) in zip(axes.reshape(-1), table.series.items(), strict=True):
        n = series["n"]
        axis.fill_between(n, series["lower"], series["upper"], color=COLOURS[0], alpha=0.15, lw=0)
        axis.plot(n, series["upper"], "o-", color=COLOURS[0], label="upper bound: elements")
        axis.plot(n, series["lower"], "s-", color=COLOURS[1], label="lower bound: fluxes")
        axis.axhline(series["exact"], color="black", ls="--", lw=1, label=f"exact {series['exact']:.5g}")
        axis.set_xscale("log", base=2)
        axis.set_xticks(n, [str(v) for v in n])
        axis.ticklabel_format(axis="y", useOffset=False)
        axis.set_title(f"quadrants {name}", fontsize=10)
        axis.set_ylabel("conductivity along x")
        axis.set_xlabel("pixels per edge")
        axis.legend(fontsize=7, frameon=False)
    save(figure, table)


def _arrays(table: Table) -> None:
    names = {}
    for name in table.series:
        fraction, contrast = name.split(", ")
        names.setdefault(contrast, []).append((fraction, name))
    figure, axes = plot(1, len(names), (10, 3.2))
    for axis, (contrast, members) in zip(axes[0], names.items(), strict=True):
        for colour, marker, (fraction, name) in zip(COLOURS, MARKERS, members, strict=False):
            series = table.series[name]
            n, exact = np.asarray(series["n"]), series["exact"]
            error = np.abs(np.asarray(series["values"]) / exact - 1)
            axis.loglog(n, error, marker + "-", color=colour, ms=4, label=fraction)
            limit = max(abs(series["limit"] / exact - 1), 1e-6)
            axis.loglog([n[-1] * 1.6], [limit], marker, color=colour, mfc="none", ms=6)
        axis.loglog(n, 0.5 / n, color="0.6", lw=1, ls=":", label="first order")
        axis.set_xticks(n, [str(v) for v in n])
        axis.minorticks_off()
        axis.set_title(contrast, fontsize=10)
        axis.set_xlabel("voxels per edge")
        axis.legend(fontsize=7, frameon=False)
    axes[0][0].set_ylabel("relative error")
    save(figure, table)


def _coverage(table: Table) -> None:
    figure, axes = plot(1, 1, (5.6, 5))
    axis = axes[0][0]
    low, high = 1.0, 0.0
    for colour, marker, (name, series) in zip(COLOURS, MARKERS, table.series.items(), strict=False):
        true, claimed = np.maximum(series["true"], 1e-6), np.asarray(series["claimed"])
        axis.loglog(true, claimed, marker, color=colour, ms=5, alpha=0.75, label=name)
        low, high = min(low, true.min(), claimed.min()), max(high, true.max(), claimed.max())
    line = np.array([low / 1.5, high * 1.5])
    axis.loglog(line, line, color="black", lw=1, label="claimed = true")
    axis.loglog(line, 5 * line, color="0.5", lw=1, ls="--", label="5 times the true error")
    axis.fill_between(line, line[0] / 10, line, color="#D55E00", alpha=0.07, lw=0)
    axis.set_xlim(line)
    axis.set_ylim(low / 1.5, high * 4)
    axis.set_xlabel("true error")
    axis.set_ylabel("claimed error")
    axis.legend(fontsize=8, frameon=False, loc="upper left")
    save(figure, table)
