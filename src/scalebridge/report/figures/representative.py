"""Charts of a representativity study: means against size, scatter against size with the law fitted to it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import scipy.stats

from scalebridge.homogenize.representative import words
from scalebridge.homogenize.representative.requirements import CostModel, requirement
from scalebridge.homogenize.representative.scaling_law import ASYMPTOTIC, ScalingLaw
from scalebridge.homogenize.representative.sketch import condition_colour
from scalebridge.homogenize.words import percent
from scalebridge.report.figures.correlations import plain_log_axis
from scalebridge.report.theme import LIGHT, Theme, drawing, new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from scalebridge.homogenize.representative.study import RepresentativityResult

WIDTH = 3.75
MARKERS = {"periodic": "o", "kubc": "^", "subc": "v"}  # told apart without colour, too
FARTHEST = 6  # times the largest size: how far the law is drawn towards a sufficient sample


def means_chart(result: RepresentativityResult, name: str, theme: Theme = LIGHT) -> Figure:
    """Mean of the scalar `name` against size, with the band of its interval, for every condition.

    Dashed: the fitted dependence on size, limit (1 + b / n), where one is seen; the horizontal band is the limit and
    its standard error.
    """
    scale, sizes, bias = words.scale_for_part(result, name), result.problem.sizes, result.bias[name]
    with drawing(theme):
        figure, axes = _chart(2.75, len(result.problem.conditions) + 1)
        for n, condition in enumerate(words.ordered_conditions(result)):
            colour = condition_colour(condition, n)
            parts = [result.at(size, condition).parts[name] for size in sizes]
            means = np.array([p.mean for p in parts]) * scale.factor
            if bias.assessed and len(sizes) > 1 and bias.seen(condition):
                fine = np.geomspace(sizes[0], sizes[-1], 60)
                curve = [float(bias.limit) + float(bias.slopes.get(condition, 0.0)) / s for s in fine]
                axes.plot(fine, np.array(curve) * scale.factor, color=colour, lw=0.9, ls=(0, (3, 2)))
            known = [(s, p) for s, p in zip(sizes, parts, strict=True) if p.half_width is not None]
            if known:
                x = np.array([s for s, _ in known], float)
                centre = np.array([p.mean for _, p in known]) * scale.factor
                half = np.array([p.half_width for _, p in known], float) * scale.factor
                axes.fill_between(x, centre - half, centre + half, color=colour, alpha=0.2, lw=0)
                axes.errorbar(x, centre, half, fmt="none", ecolor=colour, elinewidth=1.0, capsize=2.5)
            axes.plot(
                sizes,
                means,
                "-" if len(sizes) > 1 else "none",
                color=colour,
                marker=MARKERS.get(condition, "s"),
                ms=4.5,
                lw=1.5,
                label=words.condition_words(condition),
            )
        if bias.assessed and bias.limit:
            limit, error = float(bias.limit) * scale.factor, float(bias.limit_error) * scale.factor
            axes.axhspan(
                limit - error, limit + error, color=theme.band, lw=0, zorder=0.5, label="limit, large samples"
            )
            axes.axhline(limit, color=theme.muted, lw=0.7, zorder=0.6)
        _sizes_axis(axes, result, sizes)
        unit = f" [{scale.unit}]" if scale.unit else ""
        axes.set_ylabel(f"{name}{unit}", labelpad=2)
        axes.ticklabel_format(axis="y", useOffset=False)
        axes.margins(y=0.08)
        axes.grid(axis="y")
        _legend(figure, axes)
    return figure


def scatter_chart(result: RepresentativityResult, name: str, theme: Theme = LIGHT) -> Figure | None:
    """Scatter of one sample, relative to the limit, against size in log-log, with the fitted law and its band.

    Bars and bands: at the confidence of the study (chi-square for the samples, the fit's covariance for the law).
    Hollow marks: sizes too small for the law. Below the dashed line one sample is within the precision. None: no
    scatter is known.
    """
    limit, size_range = abs(result.bias[name].reference), list(result.problem.sizes)
    ndim, confidence = result.problem.source.ndim, result.method.confidence
    z = float(scipy.stats.norm.ppf(0.5 + confidence / 2))
    found = {
        c: [(s, p.deviation, p.count) for s in size_range if (p := result.at(s, c).parts[name]).deviation]
        for c in words.ordered_conditions(result)
    }
    if not limit or not any(found.values()):
        return None
    single = result.requirements[name].single_size
    last = min(single, FARTHEST * size_range[-1]) if single else size_range[-1]
    fine = np.geomspace(0.85 * size_range[0], 1.12 * max(last, size_range[-1]), 80)
    drawn: list[float] = []
    with drawing(theme):
        figure, axes = _chart(2.75, len(found))
        for n, (condition, rows) in enumerate(found.items()):
            colour, law = condition_colour(condition, n), result.scaling[name][condition]
            label = words.condition_words(condition)
            if law is not None:
                label = f"{words.short(condition)}, α = {words.exponent_words(law)}"
                centre, low, high = law_band(law, fine**ndim, z)
                axes.plot(fine, 100 * centre / limit, color=colour, lw=1.3)
                drawn += [100 * centre[0] / limit, 100 * centre[-1] / limit]
                if low is not None and high is not None:
                    axes.fill_between(
                        fine, 100 * low / limit, 100 * high / limit, color=colour, alpha=0.16, lw=0
                    )
            for size, deviation, count in rows:
                ends = scipy.stats.chi2.ppf([0.5 + confidence / 2, 0.5 - confidence / 2], count - 1)
                bar = deviation * np.sqrt((count - 1) / ends)
                fitted = law is None or not law.asymptotic or _held(law, deviation)
                axes.plot([size, size], 100 * bar / limit, color=colour, lw=1.0)
                drawn += (100 * np.minimum(bar, 4 * deviation) / limit).tolist()
                axes.plot(
                    [size],
                    [100 * deviation / limit],
                    marker=MARKERS.get(condition, "s"),
                    color=colour,
                    mfc=colour if fitted else "none",
                    ms=4.5,
                )
            axes.plot([], [], "-", marker=MARKERS.get(condition, "s"), ms=4.5, color=colour, label=label)
        enough = 100 * result.method.precision / z
        axes.axhline(enough, color=theme.muted, lw=0.9, ls=(0, (4, 2)))
        axes.annotate(
            f"one sample within {percent(result.method.precision)}",
            (0.02, enough),
            (0, -3),
            xycoords=("axes fraction", "data"),
            textcoords="offset points",
            va="top",
            color=theme.muted,
        )
        axes.set_yscale("log")
        axes.set_ylim(0.6 * min([enough, *drawn]), 1.3 * max(drawn))  # the band may reach far beyond
        ticks = [*size_range, *([single] if single and last == single and single > size_range[-1] else [])]
        _sizes_axis(axes, result, ticks)
        axes.set_xlim(fine[0] * 0.97, fine[-1] * 1.03)
        plain_log_axis(axes)
        axes.set_ylabel("scatter of one sample [%]", labelpad=2)
        axes.grid(axis="y")
        _legend(figure, axes)
    return figure


def needs_chart(result: RepresentativityResult, name: str, theme: Theme = LIGHT) -> Figure | None:
    """Samples needed for the precision against their size, and those at hand; None where no number can be given.

    Shaded: sizes whose bias alone is larger than the precision. A star marks the cheapest combination.
    """
    need, law, sizes = result.requirements[name], result.scaling[name][result.preferred], result.problem.sizes
    if law is None:
        return None
    last = max(sizes[-1], min(need.single_size or 0, FARTHEST * sizes[-1]))
    fine = np.unique(np.geomspace(sizes[0], 1.15 * last, 120).round().astype(int))
    cost = CostModel(1.0, 1.0, result.problem.source.ndim)
    found = requirement(
        need.precision, need.confidence, result.preferred, fine.tolist(), result.bias[name], law, cost
    )
    known = [row for row in found.numbers if row.number is not None]
    if not known:
        return None
    with drawing(theme):
        figure, axes = _chart(2.75, 2 if need.cheapest is None else 3)
        axes.step(
            [row.size for row in known],
            [row.number for row in known],
            where="post",
            color=theme.accent,
            lw=1.5,
            label=f"needed for {percent(need.precision)}",
        )
        at_hand = [result.at(size, result.preferred).count for size in sizes]
        axes.plot(sizes, at_hand, "s", mfc="none", mec=theme.ink, ms=5, label="at hand")
        if need.cheapest is not None and need.cheapest.size <= fine[-1]:
            axes.plot(
                [need.cheapest.size], [need.cheapest.number], "*", color=theme.second, ms=9, label="cheapest"
            )
        if known[0].size > fine[0]:
            axes.axvspan(0.85 * fine[0], known[0].size, color=theme.band, lw=0, zorder=0.5)
            axes.annotate(
                "bias too large",
                (0.03, 0.04),
                xycoords="axes fraction",
                color=theme.muted,
            )
        axes.set_yscale("log")
        axes.set_ylim(0.7, 1.6 * max([*at_hand, *(row.number or 1 for row in known)]))
        ticks = [*sizes, *([last] if last > sizes[-1] and last == need.single_size else [])]
        _sizes_axis(axes, result, ticks)
        axes.set_xlim(0.85 * fine[0], 1.03 * fine[-1])
        plain_log_axis(axes)
        axes.set_ylabel("samples", labelpad=2)
        axes.grid(axis="y")
        _legend(figure, axes)
    return figure


def law_band(
    law: ScalingLaw, volumes: np.ndarray, z: float | int
) -> tuple[np.ndarray, np.ndarray | None, np.ndarray | None]:
    """Deviation at `volumes` (voxels) and its band of `z` standard errors: ln D^2 is linear in what was fitted."""
    logarithm = np.log(np.asarray(volumes, float))
    centre = np.exp(0.5 * (float(law.intercept) - float(law.alpha) * logarithm))
    if law.covariance is None:
        return centre, None, None
    slope = np.stack([np.ones_like(logarithm), -logarithm])
    error = np.sqrt(np.maximum(np.einsum("in,ij,jn->n", slope, law.covariance, slope), 0.0))
    reach = np.exp(np.minimum(0.5 * z * error, 50.0))  # so that nothing overflows where nothing is known
    return centre, centre / reach, centre * reach


def _held(law: ScalingLaw, deviation: float | int) -> bool:
    return not law.point_variance or deviation**2 <= ASYMPTOTIC * law.point_variance


def _chart(height: float | int, entries: int):  # type: ignore[no-untyped-def]
    """Axes with room for a legend above them."""
    rows = 0.06 + 0.17 * ((entries + 1) // 2)
    figure = new_figure(WIDTH, height)
    return figure, figure.add_axes((0.165, 0.46 / height, 0.81, 1 - (0.54 + rows) / height))


def _legend(figure: Figure, axes: Axes) -> None:
    figure.legend(
        *axes.get_legend_handles_labels(),
        loc="upper left",
        bbox_to_anchor=(0.0, 1.0),
        ncol=2,
        handlelength=1.6,
        columnspacing=1.2,
        borderaxespad=0.1,
    )


def _sizes_axis(axes: Axes, result: RepresentativityResult, sizes: Sequence[int]) -> None:
    """Sizes spaced by their logarithm, those of the study labelled."""
    from matplotlib.ticker import NullFormatter, NullLocator

    axes.set_xscale("log")
    if len(sizes) == 1:
        axes.set_xlim(sizes[0] / 2, sizes[0] * 2)
    shown: list[int] = []
    width = np.log(max(sizes) / min(sizes)) if len(sizes) > 1 else 1.0
    for size in sorted(sizes, reverse=True):  # labels that would touch are left out
        if not shown or np.log(shown[-1] / size) > 0.11 * width:
            shown.append(size)
    axes.set_xticks(shown[::-1], [str(size) for size in shown[::-1]])
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_minor_formatter(NullFormatter())
    length = words.length_words(result, 1)
    axes.set_xlabel(f"voxels per edge{f' (one voxel: {length})' if length else ''}", labelpad=2)
