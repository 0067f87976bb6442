"""The figures of the page on representativity, from the series in its records."""

from __future__ import annotations

import numpy as np
from docs.verification.plotting import COLOURS, MARKERS, plot, save
from docs.verification.record import Table


def integral_ranges(table: Table) -> None:
    figure, axes = plot(1, 1, (8, 3))
    axis = axes[0][0]
    names = list(table.series)
    for place, name in enumerate(reversed(names)):
        s = table.series[name]
        exact = s["exact"]
        colour = COLOURS["blocks" in name or "block" in name]
        axis.plot([s["low"] / exact, s["high"] / exact], [place, place], color=colour, lw=2)
        axis.plot([s["mean"] / exact], [place], "o", color=colour)
    axis.axvline(1.0, color="black", ls="--", lw=1)
    axis.set_yticks(range(len(names)), list(reversed(names)), fontsize=8)
    axis.set_xlabel("integral range over its exact value, 95 % intervals")
    save(figure, table)


def _curves(axis, series: dict, every: int, colour: str, marker: str, label: str, change) -> None:
    """Markers with intervals at some lags, the exact curve as a line; `change` is applied to all values."""
    r, exact = np.asarray(series["r"]), np.asarray(series["exact"])
    chosen = slice(0, None, every)
    values, error = (np.asarray(series[k])[chosen] for k in ("values", "error"))
    axis.plot(r, change(exact), color=colour, lw=1)
    low, high = change(values - 1.96 * error), change(values + 1.96 * error)
    middle = change(values)
    axis.errorbar(
        r[chosen], middle, [np.abs(middle - low), np.abs(high - middle)], fmt=marker, ms=4, color=colour, lw=1,
        label=label,
    )  # fmt: skip


def debye(table: Table) -> None:
    figure, axes = plot(1, 2, (9, 3.6))
    for number, (name, series) in enumerate(table.series.items()):
        axis = axes[0][0 if name.startswith("2-D") else 1]
        floor = series["floor"]
        f = floor**0.5
        keep = int(np.searchsorted(series["r"], 26))
        part = {k: series[k][:keep] for k in ("r", "values", "error", "exact")}
        _curves(
            axis, part, 1, COLOURS[number], MARKERS[number], name,
            lambda v, floor=floor, f=f: np.maximum((v - floor) / (f - floor), 2e-4),
        )  # fmt: skip
        axis.set_yscale("log")
        axis.set_ylim(2e-3, 1.2)
        axis.set_xlabel("r in voxels (a = 5)")
        axis.legend(fontsize=8, frameon=False)
    axes[0][0].set_ylabel("(S2 - f^2) / (f - f^2)")
    save(figure, table)


def level_cuts(table: Table) -> None:
    figure, axes = plot(1, 2, (10, 3.8))
    for number, (name, series) in enumerate(table.series.items()):
        _curves(axes[0][0], series, 2, COLOURS[number], MARKERS[number], name, lambda v: v)
        error = np.asarray(series["error"])
        gap = np.asarray(series["values"]) - np.asarray(series["exact"])
        axes[0][1].plot(series["r"], gap, MARKERS[number] + "-", ms=3, lw=0.6, color=COLOURS[number])
        axes[0][1].fill_between(
            series["r"], -1.96 * error, 1.96 * error, color=COLOURS[number], alpha=0.12, lw=0
        )
    axes[0][0].set_ylabel("S2")
    axes[0][0].legend(fontsize=8, frameon=False)
    axes[0][1].set_ylabel("measured - formula (shaded: 95 %)")
    for axis in axes[0]:
        axis.set_xlabel("r in voxels")
    save(figure, table)


def spheres(table: Table) -> None:
    figure, axes = plot(1, 2, (10, 3.8))
    for number, (name, series) in enumerate(table.series.items()):
        axis = axes[0][0 if name.startswith("S2") else 1]
        keep = int(np.searchsorted(series["r"], 40))
        part = {k: series[k][:keep] for k in ("r", "values", "error", "exact")}
        _curves(axis, part, 2, COLOURS[number], MARKERS[number], name, lambda v: np.maximum(v, 1e-6))
    for axis, label in zip(axes[0], ("S2", "lineal path L"), strict=True):
        axis.set_xlabel("r in voxels")
        axis.set_ylabel(label)
        axis.legend(fontsize=8, frameon=False)
    axes[0][1].set_yscale("log")
    axes[0][1].set_ylim(1e-3, 1)
    save(figure, table)


def coverage(table: Table) -> None:
    figure, axes = plot(1, 2, (11, 4.2))
    axis = axes[0][0]
    names = list(table.series)
    axis.axvspan(0.90, 0.98, color=COLOURS[2], alpha=0.15, lw=0)
    axis.axvline(0.95, color="black", ls="--", lw=1)
    for place, name in enumerate(reversed(names)):
        s = table.series[name]
        axis.plot(s["chance"], [place, place], color=COLOURS[0], lw=1.5)
        axis.plot([s["coverage"]], [place], "o", color=COLOURS[0])
    axis.set_yticks(range(len(names)), list(reversed(names)), fontsize=8)
    axis.set_xlabel("share of 200 studies whose interval holds the truth")
    axis = axes[0][1]
    name = next(n for n in reversed(names) if n.startswith("multilevel"))
    s = table.series[name]
    bounds, true = np.asarray(s["bounds"]), s["truth"]
    order = np.argsort(bounds.mean(axis=1))
    for place, (low, high) in enumerate(bounds[order]):
        inside = low <= true <= high
        axis.plot(
            [place, place], [low, high], color="0.65" if inside else COLOURS[1], lw=1 if inside else 1.6
        )
    axis.axhline(true, color="black", lw=1)
    axis.set_title(name, fontsize=9)
    axis.set_xlabel("studies, in the order of their estimates")
    axis.set_ylabel("mean conductivity")
    save(figure, table)


def images(table: Table) -> None:
    """Slice of the image; transport of the windows by size, the study's law and band, and the whole."""
    figure, axes = plot(1, 2, (10, 4.2), width_ratios=[1, 1.5])
    s = table.series
    axis = axes[0][0]
    labels = np.array([[int(c) for c in row] for row in s["slice"]])
    axis.imshow(labels.T, origin="lower", cmap="gray_r", interpolation="nearest")
    edge, number = s["window"], s["slice_edge"]
    for cut in np.arange(s["start"], number + 1, edge):
        axis.axhline(cut * len(labels) / number - 0.5, color=COLOURS[1], lw=1.2)
        axis.axvline(cut * len(labels) / number - 0.5, color=COLOURS[1], lw=1.2)
    axis.set_xticks([])
    axis.set_yticks([])
    axis.set_title(s["title"].replace(", sub", "\nsub"), fontsize=9)
    axis = axes[0][1]
    for size, values in zip(s["sizes"], s["values"], strict=True):
        spread = size * (1 + 0.05 * np.linspace(-1, 1, len(values)))
        axis.plot(spread, values, ".", color="0.75", ms=3, zorder=1)
    n = np.asarray(s["curve_sizes"])
    axis.fill_between(
        n,
        s["curve_low"],
        s["curve_high"],
        color=COLOURS[0],
        alpha=0.2,
        lw=0,
        label="predicted for one sample, 95 %",
    )
    axis.plot(n, s["curve"], color=COLOURS[0], lw=1)
    means, low, high = (np.asarray(s[k]) for k in ("means", "means_low", "means_high"))
    axis.errorbar(
        s["sizes"], means, [means - low, high - means], fmt="o", color=COLOURS[0], ms=5, capsize=3,
        label="mean of the windows, 95 %",
    )  # fmt: skip
    axis.plot([s["whole_size"]], [s["whole"]], "*", color=COLOURS[1], ms=13, label="whole image, solved")
    axis.set_xscale("log")
    ticks = [*s["sizes"], s["whole_size"]]
    axis.set_xticks(ticks, [str(t) for t in ticks])
    axis.minorticks_off()
    axis.set_xlabel("voxels per edge")
    axis.set_ylabel(s["quantity"])
    axis.set_ylim(0, 1.15 * max(float(np.quantile(s["values"][0], 0.98)), float(max(high))))
    axis.legend(fontsize=8, frameon=False)
    save(figure, table)


DRAWINGS = {
    "representativity-integral-range.png": integral_ranges,
    "representativity-debye.png": debye,
    "representativity-level-cuts.png": level_cuts,
    "representativity-spheres.png": spheres,
    "representativity-coverage.png": coverage,
    "representativity-berea.png": images,
    "representativity-electrode.png": images,
}
