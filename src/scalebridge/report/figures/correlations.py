"""Charts of the sample material: two-point functions, covariances along the axes, lineal paths."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from scalebridge.grid import PhaseImage
from scalebridge.grid.palette import phase_colour
from scalebridge.homogenize.words import number, scale_of
from scalebridge.microstructure.statistics import Curve
from scalebridge.report.figures.slices import draw_plane
from scalebridge.report.figures.views import Cut
from scalebridge.report.theme import LIGHT, Theme, drawing, new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WIDTH = 3.75
DASHES = ((0, ()), (0, (5, 1.5)), (0, (1.5, 1.2)))  # along x, y, z
SMALLEST = 1e-4  # of a lineal path: below, a sample has only a handful of segments left


def two_point_chart(
    curves: Mapping[int, Curve],
    fractions: Mapping[int, float],
    reach: float | int,
    unit: str,
    theme: Theme = LIGHT,
) -> Figure:
    """S2(r) of every phase, averaged over directions, up to `reach`; dotted: f^2, where the ends are independent.

    unit: of the distances, "m" or "voxels". Bands: standard error where there are several realizations.
    """
    with drawing(theme):
        figure, axes, factor = _chart(reach, unit)
        for position, (label, curve) in enumerate(curves.items()):
            colour = phase_colour(position)
            axes.axhline(fractions[label] ** 2, color=colour, lw=0.9, ls=(0, (1, 1.5)))
            _line(axes, curve, reach, factor, colour, DASHES[0], f"phase {label}")
        axes.set_ylim(bottom=0.0)
        axes.set_ylabel("two-point function S₂", labelpad=2)
        axes.legend(loc="best", handlelength=1.4)
    return figure


def covariance_chart(
    radial: Curve,
    along: Sequence[Curve],
    fraction: float | int,
    length: float | int,
    reach: float | int,
    unit: str,
    theme: Theme = LIGHT,
) -> Figure:
    """Covariance of one phase over its value at r = 0: mean over directions, and along every axis.

    length: where the mean falls to 1/e, marked.
    """
    variance = fraction * (1 - fraction)

    def scaled(curve: Curve) -> Curve:
        error = None if curve.standard_error is None else curve.standard_error / variance
        return Curve(curve.distances, (curve.values - fraction**2) / variance, curve.weights, error)

    with drawing(theme):
        figure, axes, factor = _chart(reach, unit)
        axes.axhline(0.0, color=theme.rule, lw=0.8)
        for axis, curve in enumerate(along):
            _line(axes, scaled(curve), reach, factor, theme.muted, DASHES[axis], f"along {'xyz'[axis]}", 0.9)
        _line(axes, scaled(radial), reach, factor, theme.accent, DASHES[0], "all directions", 1.7)
        if 0 < length <= reach:
            axes.plot([length * factor], [1 / np.e], "D", mfc="none", mec=theme.second, ms=5.5)
            axes.annotate(
                f"1/e at {number(length * factor, 3)}",
                (length * factor, 1 / np.e),
                (7, 3),
                textcoords="offset points",
                color=theme.second,
            )
        axes.set_ylabel("covariance C(r) / C(0)", labelpad=2)
        axes.legend(loc="best", handlelength=1.8)
    return figure


def lineal_path_chart(
    curves: Mapping[int, Sequence[Curve]], reach: float | int, unit: str, theme: Theme = LIGHT
) -> Figure:
    """Probability that a segment of length r lies wholly in a phase, along every axis, logarithmic."""
    from matplotlib.lines import Line2D

    with drawing(theme):
        figure, axes, factor = _chart(reach, unit)
        top, bottom = 0.0, 1.0
        for position, (_, along) in enumerate(curves.items()):
            for axis, curve in enumerate(along):
                _line(axes, curve, reach, factor, phase_colour(position), DASHES[axis], "_", 1.3, SMALLEST)
                top = max(top, float(curve.values[0]))
                seen = curve.values[(curve.distances <= reach) & (curve.values > SMALLEST)]
                bottom = min(bottom, float(seen.min(initial=1.0)))
        handles = [
            Line2D([], [], color=phase_colour(n), lw=1.5, label=f"phase {label}")
            for n, label in enumerate(curves)
        ]
        directions = max((len(along) for along in curves.values()), default=0)
        handles += [
            Line2D([], [], color=theme.muted, lw=1.2, ls=DASHES[axis], label=f"along {'xyz'[axis]}")
            for axis in range(directions)
        ]
        axes.set_yscale("log")
        axes.set_ylim(0.7 * bottom, 1.4 * top)
        plain_log_axis(axes)
        axes.set_ylabel("lineal path L", labelpad=2)
        axes.legend(handles=handles, loc="best", handlelength=1.8)
    return figure


def sample_slice(image: PhaseImage, cut: Cut, labels: Sequence[int], theme: Theme = LIGHT) -> Figure:
    """One plane of a sample; `labels` of the whole material in order: a phase keeps its colour in all samples."""
    place: np.ndarray = np.asarray(np.searchsorted(np.asarray(labels), image.labels))
    plane = place if cut.normal is None else place.take(cut.position, axis=cut.normal)
    return draw_plane(plane, len(labels), cut, theme)


def _chart(reach: float | int, unit: str):  # type: ignore[no-untyped-def]
    height = 2.4
    figure = new_figure(WIDTH, height)
    axes = figure.add_axes((0.165, 0.46 / height, 0.8, 1 - 0.56 / height))
    scale = scale_of(reach, "m") if unit == "m" else None
    factor = 1.0 if scale is None else scale.factor
    axes.set_xlim(0.0, reach * factor)
    axes.set_xlabel(f"distance r [{unit if scale is None else scale.unit}]", labelpad=2)
    axes.grid(axis="y")
    return figure, axes, factor


def _line(
    axes: Axes,
    curve: Curve,
    reach: float | int,
    factor: float | int,
    colour: str,
    dashes: tuple[int, tuple[float | int, ...]],
    label: str,
    width: float | int = 1.5,
    floor: float | int = -np.inf,
) -> None:
    held = np.flatnonzero((curve.distances <= 1.02 * reach) & (curve.values > floor))
    x, y = curve.distances[held] * factor, curve.values[held]
    axes.plot(x, y, color=colour, lw=width, ls=dashes, label=label)
    if curve.standard_error is not None:
        error = curve.standard_error[held]
        low = np.maximum(y - error, floor) if np.isfinite(floor) else y - error
        axes.fill_between(x, low, y + error, color=colour, alpha=0.15, lw=0)


def plain_log_axis(axes: Axes) -> None:
    """Plain numbers at 1, 2, 5 of each decade in sight."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    low, high = axes.get_ylim()
    decades = np.log10(high / low)
    axes.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0) if decades < 2.5 else (1.0,)))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.10g}"))
    axes.yaxis.set_minor_formatter(NullFormatter())
