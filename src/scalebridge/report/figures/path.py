"""Charts of a loading path: the curve with its tangents, energies, phases, distributions of local fields."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from scalebridge.grid.palette import phase_colour
from scalebridge.homogenize.path.present import loaded
from scalebridge.homogenize.path.result import PathFields, PathResult
from scalebridge.homogenize.words import scale_of
from scalebridge.report.path_fields import equivalent_flux, equivalent_name
from scalebridge.report.theme import LIGHT, Theme, drawing, new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WIDTH = 3.75
BINS = 48
MOST_PHASES = 8  # as many as colours tell apart


def curve_chart(result: PathResult, theme: Theme = LIGHT) -> Figure:
    """The flux that is loaded against its drive, with the slope of the tangent where it was computed.

    The slope is that of the curve: components whose flux the leg gives are condensed from the tangent.
    """
    c = loaded(result)
    drives, fluxes = _curve(result)
    scale = scale_of(float(np.abs(fluxes).max()), result.unit)
    x, y = drives[:, c], fluxes[:, c] * scale.factor
    with drawing(theme):
        figure, axes = _chart(2.9)
        axes.plot(x, y, "-", color=theme.accent, lw=1.6, marker="o", ms=2.6 if len(x) < 60 else 0, zorder=3)
        wide, high = (float(np.ptp(v)) or 1.0 for v in (x, y))
        label = "consistent tangent"
        for n, row in enumerate(result.increments, start=1):
            if row.tangent is None:
                continue
            slope = _slope(result, n - 1, c) * scale.factor
            reach = 0.1 * wide / float(np.hypot(1.0, slope * wide / high))  # of one length in the picture
            axes.plot(
                [x[n] - reach, x[n] + reach], [y[n] - slope * reach, y[n] + slope * reach],
                "-", color=theme.second, lw=2.2, zorder=4, label=label, solid_capstyle="round",
            )  # fmt: skip
            label = "_"
        unit = f" [{scale.unit}]" if scale.unit else ""
        axes.set_xlabel(result.drive_names[c], labelpad=2)
        axes.set_ylabel(result.flux_names[c] + unit, labelpad=2)
        _finish(axes, theme, legend=label == "_")
    return figure


def energy_chart(result: PathResult, theme: Theme = LIGHT) -> Figure:
    """Work, stored and dissipated energy since the start against time; the work alone where laws say no energies."""
    rows = result.increments
    scale = scale_of(max(abs(row.work) for row in rows), result.energy_unit)
    times = [0.0, *(row.time for row in rows)]
    with drawing(theme):
        figure, axes = _chart(2.9)
        work = np.array([0.0, *(row.work for row in rows)]) * scale.factor
        if result.says_energies:
            stored = np.array([0.0, *(row.stored or 0.0 for row in rows)]) * scale.factor
            lost = np.array([0.0, *(row.dissipated or 0.0 for row in rows)]) * scale.factor
            axes.fill_between(
                times, stored, stored + lost, color=theme.second, alpha=0.25, lw=0, label="dissipated"
            )
            axes.fill_between(times, 0, stored, color=theme.accent, alpha=0.25, lw=0, label="stored")
        axes.plot(times, work, "-", color=theme.ink, lw=1.3, label="work")
        unit = f" [{scale.unit}]" if scale.unit else ""
        axes.set_xlabel("time [s]", labelpad=2)
        axes.set_ylabel("energy per volume" + unit, labelpad=2)
        _finish(axes, theme, legend=True)
    return figure


def phases_chart(result: PathResult, theme: Theme = LIGHT) -> Figure:
    """The average of the loaded flux over each phase, and over the cell, against the macroscopic drive."""
    c = loaded(result)
    drives, fluxes = _curve(result)
    averages = result.components(np.stack([row.phase_flux for row in result.increments]))[:, :, c]
    scale = scale_of(float(max(np.abs(fluxes).max(), np.abs(averages).max())), result.unit)
    with drawing(theme):
        figure, axes = _chart(2.9)
        axes.plot(drives[:, c], fluxes[:, c] * scale.factor, "-", color=theme.ink, lw=1.1, label="cell")
        for n, label in enumerate(result.image.present[:MOST_PHASES]):
            curve = np.concatenate([[0.0], averages[:, n]]) * scale.factor
            axes.plot(drives[:, c], curve, "-", color=phase_colour(n), lw=1.6, label=f"label {label}")
        unit = f" [{scale.unit}]" if scale.unit else ""
        axes.set_xlabel(f"macroscopic {result.drive_names[c]}", labelpad=2)
        axes.set_ylabel(f"mean {result.flux_names[c]}{unit}", labelpad=2)
        _finish(axes, theme, legend=True)
    return figure


def histogram_chart(result: PathResult, fields: PathFields, theme: Theme = LIGHT) -> Figure:
    """How the equivalent flux is spread in every phase that carries one, at one increment."""
    values = equivalent_flux(result, fields)
    scale = scale_of(float(values.max()), result.unit)
    values = values * scale.factor
    top = float(np.quantile(values, 0.999)) or 1.0
    with drawing(theme):
        figure, axes = _chart(2.5)
        for n, label in enumerate(result.image.present[:MOST_PHASES]):
            own = values[result.image.index == n]
            if not own.any():
                continue
            density, edges = np.histogram(own, BINS, (0.0, 1.02 * top))
            width = edges[1] - edges[0]
            axes.stairs(
                density / (len(own) * width), edges, color=phase_colour(n), lw=1.5, label=f"label {label}"
            )
        unit = f" [{scale.unit}]" if scale.unit else ""
        axes.set_xlabel(equivalent_name(result) + unit, labelpad=2)
        axes.set_ylabel("probability density", labelpad=2)
        axes.set_xlim(left=0.0)
        axes.set_ylim(bottom=0.0)
        _finish(axes, theme, legend=True)
    return figure


def _curve(result: PathResult) -> tuple[np.ndarray, np.ndarray]:
    """Drives and fluxes (increments + 1, m) in true components, from the virgin cell on."""
    start = result.kinematics.virgin(result.image.grid.ndim)
    drives = np.stack([start, *(row.drive for row in result.increments)])
    fluxes = np.stack([0 * start, *(row.flux for row in result.increments)])
    return result.components(drives), result.components(fluxes)


def _slope(result: PathResult, n: int, c: int) -> float:
    """d flux_c / d drive_c along the path: given fluxes stay, other drives are held."""
    row = result.increments[n]
    assert row.tangent is not None
    given = [k for k, name in enumerate(result.names) if name in result.legs[row.leg].flux and k != c]
    tangent = row.tangent
    if given:
        inner = tangent[np.ix_(given, given)]
        tangent = tangent[c, c] - tangent[c, given] @ np.linalg.lstsq(inner, tangent[given, c], rcond=None)[0]
        return float(tangent)
    return float(tangent[c, c])


def _finish(axes: Axes, theme: Theme, *, legend: bool) -> None:
    axes.grid(True)
    axes.set_axisbelow(True)
    axes.locator_params(axis="x", nbins=5)
    axes.ticklabel_format(axis="both", useOffset=False)
    if legend:
        axes.legend(loc="best", handlelength=1.4)


def _chart(height: float) -> tuple[Figure, Axes]:
    figure = new_figure(WIDTH, height)
    return figure, figure.add_axes((0.17, 0.44 / height, 0.79, 1 - 0.54 / height))
