"""Charts: bounds, resolution, convergence, concentration. Small on purpose: readable on a phone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from scalebridge.grid.palette import phase_colour
from scalebridge.homogenize.concentration import Concentration
from scalebridge.homogenize.result import HomogenizationResult, ResolutionStudy, SolverRecord
from scalebridge.homogenize.words import isotropic_part, number, scale_for
from scalebridge.report.theme import LIGHT, Theme, drawing, new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

WIDTH = 3.75
LOG_FROM = 20.0  # ratio of the largest to the smallest value from which a linear axis hides the small ones


def bounds_rows(result: HomogenizationResult) -> list[dict[str, float | str]]:
    """What the bounds chart draws, one row per modulus or axis, in the unit of `scale_for(result)`.

    Keys: name, value, error (absolute) and, where known, reuss, hs_low, low, high, hs_high, voigt.
    Conduction has one row per axis (diagonal entries), stiffness one for K and one for G of the isotropic
    parts: each is a quadratic form of the tensor, so that the order of the bounds survives.
    """
    ndim = result.image.grid.ndim
    factor = scale_for(result).factor
    total = result.error.total

    def moduli(array: np.ndarray) -> dict[str, float]:
        if len(array) == ndim:
            return {axis: float(array[i, i]) for i, axis in enumerate(result.image.grid.axis_names)}
        return isotropic_part(array, ndim)

    sources: dict[str, dict[str, float]] = {"value": moduli(result.value)}
    if result.bounds is not None:
        sources |= {"reuss": moduli(result.bounds.reuss), "voigt": moduli(result.bounds.voigt)}
        for key, side in (("hs_low", "lower"), ("hs_high", "upper")):
            entries = dict((result.bounds.hashin_shtrikman or {}).get(side, {}))
            sources[key] = {name: entries.get(name, entries.get("k", np.nan)) for name in sources["value"]}
    if result.bracket is not None:
        sources |= {"low": moduli(result.bracket.lower), "high": moduli(result.bracket.upper)}
    rows: list[dict[str, float | str]] = []
    for name, value in sources["value"].items():
        row: dict[str, float | str] = {
            "name": "" if name == "value" else name,
            "error": abs(value) * total * factor,
        }
        row |= {key: entries[name] * factor for key, entries in sources.items() if np.isfinite(entries[name])}
        rows.append(row)
    return rows


def bounds_chart(result: HomogenizationResult, theme: Theme = LIGHT) -> Figure:
    """Reuss, HS-, guaranteed bracket, value with its error, HS+, Voigt: one line per modulus or axis."""
    rows = bounds_rows(result)
    numbers = [v for row in rows for key, v in row.items() if isinstance(v, float) and key != "error"]
    logarithmic = min(numbers) > 0.0 and max(numbers) > LOG_FROM * min(numbers)
    with drawing(theme):
        height = 0.95 + 0.42 * len(rows)
        figure = new_figure(WIDTH, height)
        axes = figure.add_axes((0.09, 0.42 / height, 0.85, 1 - 0.93 / height))
        for position, row in enumerate(rows):
            _bounds_row(axes, float(len(rows) - 1 - position), row, theme)
        axes.set_yticks(range(len(rows)), [str(row["name"]) for row in reversed(rows)])
        axes.set_ylim(-0.6, len(rows) - 0.4)
        axes.tick_params(axis="y", length=0)
        axes.spines["left"].set_visible(False)
        if logarithmic:
            axes.set_xscale("log")
        else:
            axes.locator_params(axis="x", nbins=5)
        axes.grid(axis="x")
        axes.set_axisbelow(True)
        scale = scale_for(result)
        axes.set_xlabel((f"{result.quantity} [{scale.unit}]" if scale.unit else result.quantity), labelpad=2)
        handles = {}
        for line in axes.get_lines() + axes.collections:  # type: ignore[operator]
            if not str(line.get_label()).startswith("_"):
                handles[str(line.get_label())] = line
        figure.legend(
            handles.values(),
            handles.keys(),
            loc="upper left",
            bbox_to_anchor=(0.05, 1.0),
            ncol=2,
            handlelength=1.6,
            columnspacing=1.2,
            borderaxespad=0.1,
        )
    return figure


def _bounds_row(axes, y: float, row: dict[str, float | str], theme: Theme) -> None:  # type: ignore[no-untyped-def]
    if "reuss" in row:
        axes.plot(
            [row["reuss"], row["voigt"]],
            [y, y],
            "|-",
            color=theme.muted,
            lw=0.9,
            ms=9,
            label="Reuss to Voigt",
        )
    if "hs_low" in row and "hs_high" in row:
        axes.hlines(
            y, row["hs_low"], row["hs_high"], color=theme.band, lw=9, label="Hashin-Shtrikman", zorder=1.5
        )
    if "low" in row:
        axes.plot(
            [row["low"], row["high"]],
            [y, y],
            "|-",
            color=theme.accent,
            lw=3,
            ms=11,
            mew=1.6,
            label="guaranteed bracket",
        )
    value, error = float(row["value"]), float(row["error"])
    axes.plot([value - error, value + error], [y + 0.22, y + 0.22], "-", color=theme.second, lw=1.4)
    axes.plot([value], [y + 0.22], "o", color=theme.second, ms=4.5, label="value with total error")


def _scalar_measure(array: np.ndarray, ndim: int) -> float:
    """One number for a tensor: the first of its isotropic moduli."""
    return next(iter(isotropic_part(array, ndim).values()))


def resolution_chart(result: HomogenizationResult, study: ResolutionStudy, theme: Theme = LIGHT) -> Figure:
    """The value against the voxel size, 0 being infinitely fine, with the fitted order and the extrapolated
    value.
    """
    ndim, scale = result.image.grid.ndim, scale_for(result)
    name = next(iter(isotropic_part(result.value, ndim)))
    sizes = 1.0 / np.asarray(study.voxels, float)
    values = np.array([_scalar_measure(v, ndim) for v in study.values]) * scale.factor
    with drawing(theme):
        figure, axes = _chart(2.3)
        if study.extrapolated is not None:
            limit = _scalar_measure(study.extrapolated, ndim) * scale.factor
            if study.order is not None:
                fine = np.linspace(0.0, sizes[0], 60)
                curve = limit + (values[-1] - limit) * (fine / sizes[-1]) ** study.order
                axes.plot(fine, curve, color=theme.rule, lw=1.2, label=f"fit, order {study.order:.2g}")
            axes.plot(
                [0.0],
                [limit],
                "D",
                mfc="none",
                mec=theme.second,
                ms=6,
                label=f"extrapolated: {number(limit)}",
            )
        axes.plot(sizes, values, "o", color=theme.accent, ms=5, label="computed", clip_on=False)
        axes.set_xlim(-0.04 * sizes[0], 1.08 * sizes[0])
        axes.set_xticks([0.0, *sizes], ["∞", *(str(n) for n in study.voxels)])
        axes.set_xlabel("voxels along the longest edge (spaced by voxel size)", labelpad=2)
        label = (
            f"{'' if name == 'value' else name} [{scale.unit}]"
            if scale.unit
            else ("" if name == "value" else name)
        )
        axes.set_ylabel(label.strip(), labelpad=2)
        axes.ticklabel_format(axis="y", useOffset=False)
        axes.margins(y=0.2)
        axes.legend(loc="best", handlelength=1.4)
    return figure


def convergence_chart(solver: SolverRecord, theme: Theme = LIGHT) -> Figure:
    """Relative residual after each iteration, one line per load case."""
    with drawing(theme):
        figure, axes = _chart(2.3)
        for history in solver.history:
            positive = [(step, r) for step, r in enumerate(history, start=1) if r > 0.0]
            if positive:
                axes.plot(
                    *zip(*positive, strict=True), color=theme.accent, lw=1.3, alpha=0.75, marker=".", ms=3.5
                )
        axes.set_yscale("log")
        axes.set_xlabel("iteration", labelpad=2)
        axes.set_ylabel("relative residual", labelpad=2)
        axes.xaxis.get_major_locator().set_params(integer=True)
        axes.grid(axis="y")
    return figure


def concentration_chart(concentration: Concentration, theme: Theme = LIGHT) -> Figure:
    """Distribution of the concentration factor in each phase, logarithmic so that the tail, which breaks
    things, shows.
    """
    from matplotlib.ticker import NullFormatter

    with drawing(theme):
        figure, axes = _chart(2.3)
        floor = np.inf
        for position, phase in enumerate(concentration.phases):
            if phase.maximum <= 0.0 or position >= 8:
                continue
            shown = np.where(phase.density > 0.0, phase.density, np.nan)
            floor = min(floor, float(np.nanmin(shown)))
            axes.stairs(
                shown, phase.edges, color=phase_colour(position), lw=1.5, label=f"phase {phase.label}"
            )
        axes.axvline(1.0, color=theme.muted, lw=0.8, ls=(0, (3, 2)))
        axes.set_yscale("log")
        if np.isfinite(floor):
            axes.set_ylim(bottom=0.7 * floor)
            low, high = axes.get_ylim()
            if high > 20 * low:  # decades are enough then
                axes.yaxis.set_minor_formatter(NullFormatter())
        axes.set_xlim(left=0.0)
        axes.set_xlabel(f"{concentration.name} / macroscopic {concentration.name}", labelpad=2)
        axes.set_ylabel("probability density", labelpad=2)
        axes.legend(loc="best", handlelength=1.4)
    return figure


def _chart(height: float):  # type: ignore[no-untyped-def]
    figure = new_figure(WIDTH, height)
    return figure, figure.add_axes((0.17, 0.44 / height, 0.79, 1 - 0.54 / height))
