"""The figures of the page on nonlinear cells, from the series in its records."""

from __future__ import annotations

from typing import Any

import numpy as np
from docs.verification.plotting import COLOURS, MARKERS, plot, save
from docs.verification.record import Table


def _unpacked(rows: list[str]) -> np.ndarray:
    return np.array([[np.nan if v == "-" else float(v) for v in row.split()] for row in rows])


def _field(figure: Any, axis: Any, values: Any, label: str, colours: str = "viridis") -> None:
    """A plane of voxels [x, y], x to the right."""
    grid = _unpacked(values)
    shown = axis.imshow(grid.T, origin="lower", cmap=colours, interpolation="nearest")
    axis.set_xlabel("x in voxels")
    axis.set_ylabel("y in voxels")
    figure.colorbar(shown, ax=axis, label=label, shrink=0.8)


def _gurson(f: float, q: float) -> tuple[np.ndarray, np.ndarray]:
    mean = 2 / 3 * np.log(1 / (q * f)) * np.sin(np.linspace(0, np.pi / 2, 200))
    square = 1 + (q * f) ** 2 - 2 * q * f * np.cosh(1.5 * mean)
    return mean, np.sqrt(np.maximum(square, 0))


def _envelope(angles: np.ndarray, support: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Points of a convex surface from its support function h(angle), normals (sin, cos)."""
    slope = np.gradient(support, angles)
    return support * np.sin(angles) + slope * np.cos(angles), support * np.cos(angles) - slope * np.sin(
        angles
    )


def porous(table: Table) -> None:
    figure, axes = plot(1, 3, (13, 4.2), [1.25, 1, 1])
    axis, work = axes[0][:2]
    s = table.series
    one = s["surfaces"]["one void"]
    axis.plot(*_gurson(one["fraction"], 1.0), color="black", lw=1.2, label="Gurson")
    axis.plot(*_gurson(one["fraction"], 1.5), color="black", lw=1.2, ls="--", label="q1 = 1.5")
    edge = _envelope(np.array(one["angles"]), np.array(one["own"]))
    axis.plot(*edge, color=COLOURS[2], lw=1.2, label="linear bound, one void")
    for name, path in s["paths"].items():
        random = name.startswith("random")
        colour, marker = COLOURS[int(random)], "sD"[int(random)]
        first = name in ("one void, m/d = 0", "random voids, m/d = 0")
        axis.plot([0, *path["mean"]], [0, *path["equivalent"]], color=colour, lw=0.6, alpha=0.6)
        axis.plot(path["mean"][-1], path["equivalent"][-1], marker, color=colour, ms=6,
                  label=name.split(",")[0] if first else None)  # fmt: skip
        strain = 100 * np.array(path["time"])
        work.plot(strain, path["work"], color=colour, lw=1, ls="--" if random else "-")
        if not random:
            work.annotate(name.split(", ")[1], (0.8, path["work"][-1]), fontsize=6.5, ha="right", va="bottom")
    axis.set_xlim(-0.2, 2.0)
    axis.set_ylim(0, 1.05)
    axis.set_xlabel("mean stress / yield stress")
    axis.set_ylabel("S_xx - S_yy over yield stress")
    axis.legend(fontsize=7.5, frameon=False, loc="upper right")
    work.set_xlabel("strain (m^2 + d^2)^(1/2) in %; dashed: random voids")
    work.set_ylabel("S : D over strain rate and yield stress")
    _field(figure, axes[0][2], s["slice"], "accumulated plastic strain", "magma")
    save(figure, table)


def boundaries(table: Table) -> None:
    s = table.series
    names = list(s["stress"])
    figure, axes = plot(1, 5, (15, 3.6), [1.5, 1.3, 1, 1, 1])
    curve, relative = axes[0][:2]
    strain = np.array([0, *s["strain"]]) * 100
    for name, colour, style in zip(names, COLOURS, (":", "-", "--"), strict=False):
        curve.plot(strain, [0, *s["stress"][name]], style, marker="o", ms=3, color=colour, label=name)
        ratio = 100 * (np.array(s["stress"][name]) / np.array(s["stress"]["periodic"]) - 1)
        relative.plot(strain[1:], ratio, style, marker="o", ms=3, color=colour)
    curve.set_ylabel("stress xx in MPa")
    curve.legend(fontsize=8, frameon=False, loc="upper left")
    relative.set_ylabel("above the periodic one in %")
    for axis in (curve, relative):
        axis.set_xlabel("strain xx in %")
    top = max(_unpacked(v).max() for v in s["fields"].values()) * 100
    for axis, name in zip(axes[0][2:], names, strict=True):
        shown = axis.imshow(
            100 * _unpacked(s["fields"][name]).T,
            origin="lower",
            cmap="magma",
            vmin=0,
            vmax=top,
            interpolation="nearest",
        )
        axis.set_title(name, fontsize=10)
        axis.set_xlabel("x in voxels")
    axes[0][2].set_ylabel("y in voxels")
    figure.colorbar(shown, ax=axes[0][4], label="accumulated plastic strain in %", shrink=0.8)
    save(figure, table)


def relaxation(table: Table) -> None:
    figure, axes = plot(1, len(table.series), (12, 3.6))
    for axis, (name, s) in zip(axes[0], table.series.items(), strict=True):
        axis.plot(s["exact_time"], s["exact"], color="black", lw=1.2, label="correspondence principle")
        axis.plot(s["time"][::2], s["modulus"][::2], "o", color=COLOURS[0], ms=4, label="cell, step by step")
        axis.set_xscale("log")
        axis.set_xlim(8e-4, 130)
        axis.set_title(name, fontsize=10)
        axis.set_xlabel("time in s")
    axes[0][0].set_ylabel("stress over strain in GPa")
    axes[0][0].legend(fontsize=8, frameon=False)
    save(figure, table)


def lattice(table: Table) -> None:
    figure, axes = plot(1, 3, (13, 4.2), [1, 1, 1.1])
    curve, stability, shape = axes[0]
    s = table.series
    for axis in (curve, stability):
        axis.axvline(100 * s["critical"], color="0.6", lw=1, ls="--")
        axis.set_xlabel("shortening along y in %")
    even = 100 * np.array([0, *s["even"]["strain"]])
    curve.plot(
        even, [0, *(-np.array(s["even"]["stress"]))], color=COLOURS[2], lw=1.5, label="perfect, to its limit"
    )
    curve.plot(100 * np.array([0, *s["strain"]]), [0, *(-np.array(s["stress"]))], "o-", color=COLOURS[0], ms=3, lw=1,
               label="imperfect")  # fmt: skip
    curve.set_ylabel("-P_yy over shear modulus")
    curve.legend(fontsize=8, frameon=False)
    value = np.array(s["even"]["eigenvalue"])
    stability.plot(even[1:], value / value[0], "o-", ms=3, lw=1, color=COLOURS[2],
                   label="smallest eigenvalue, perfect")  # fmt: skip
    top = s["tangent"]["value"][0]
    stability.plot(100 * np.array(s["tangent"]["strain"]), np.array(s["tangent"]["value"]) / top, "s-", ms=4, lw=1,
                   color=COLOURS[1], label="dP_yy/dF_yy at P_xx = 0, imperfect")  # fmt: skip
    stability.axhline(0, color="black", lw=0.8)
    stability.set_ylabel("over the first value")
    stability.legend(fontsize=7.5, frameon=False)
    x, y = (_unpacked(s["shape"][k]) for k in "xy")
    shown = shape.pcolormesh(x, y, np.ma.masked_invalid(_unpacked(s["shape"]["stress"])), cmap="RdBu_r",
                             vmin=-s["shape"]["top"], vmax=s["shape"]["top"])  # fmt: skip
    shape.set_aspect("equal")
    shape.set_xlabel("x in pixels")
    shape.set_ylabel("y in pixels")
    figure.colorbar(shown, ax=shape, label="local P_yy over shear modulus", shrink=0.8)
    save(figure, table)


def polycrystal(table: Table) -> None:
    figure, axes = plot(1, 3, (13, 4), [1, 1, 1.15])
    s = table.series
    curve, grains, field = axes[0]
    strain = 100 * np.array([0, *s["strain"]])
    for name, colour, style, label in (
        ("taylor", COLOURS[1], "--", "Taylor: one strain"), ("stress", COLOURS[0], "o-", "cell"),
        ("sachs", COLOURS[2], ":", "Sachs: one stress"),
    ):  # fmt: skip
        curve.plot(strain, [0, *s[name]], style, color=colour, ms=3, label=label)
    curve.set_xlabel("strain xx in %")
    curve.set_ylabel("stress xx in MPa")
    curve.legend(fontsize=8, frameon=False)
    size = 1200 * np.array(s["fractions"])
    for (name, one), colour in zip(s["grains"].items(), (COLOURS[4], COLOURS[0]), strict=True):
        cell, taylor = (np.array(v) / np.dot(v, s["fractions"]) for v in one)
        grains.scatter(taylor, cell, s=size, color=colour, alpha=0.7, lw=0, label=name)
    grains.plot([0.7, 1.25], [0.7, 1.25], color="black", lw=0.8)
    grains.axhline(1, color="0.6", lw=0.8, ls=":")
    grains.set_xlabel("stress over mean in Taylor's aggregate")
    grains.set_ylabel("stress xx of the grain over mean, cell")
    grains.legend(fontsize=8, frameon=False, markerscale=0.5)
    _field(figure, field, s["slice"], "stress xx in MPa")
    labels = _unpacked(s["labels"])
    for axis in (0, 1):  # grain boundaries
        place = np.argwhere(np.diff(labels, axis=axis) != 0)
        for i, j in place:
            x = (i + 0.5, i + 0.5) if axis == 0 else (i - 0.5, i + 0.5)
            y = (j - 0.5, j + 0.5) if axis == 0 else (j + 0.5, j + 0.5)
            field.plot(x, y, color="white", lw=1)
    save(figure, table)


def stairs(table: Table) -> None:
    figure, axes = plot(1, 2, (9, 3.6))
    curve, error = axes[0]
    s = table.series["(1, 2)"]
    curve.plot(100 * np.array([0, *s["strain"]]), [0, *s["exact"]], color="black", lw=1.2, label="exact")
    for (n, values), colour, marker in zip(s["curves"].items(), COLOURS, MARKERS, strict=False):
        curve.plot(100 * np.array(s["strain"]), values, marker, color=colour, ms=4, label=f"{n}^2 pixels")
    curve.set_xlabel("strain xx in %")
    curve.set_ylabel("stress xx in MPa")
    curve.legend(fontsize=8, frameon=False)
    for (name, one), colour in zip(table.series.items(), COLOURS, strict=False):
        error.loglog(one["pixels"], one["errors"], "o-", color=colour, label=f"across {name}")
    n = np.array(s["pixels"])
    error.loglog(n, 0.7 * s["errors"][0] * n[0] / n, ":", color="0.6", label="first order")
    error.set_xticks(n, [str(v) for v in n])
    error.minorticks_off()
    error.set_xlabel("pixels per edge")
    error.set_ylabel("largest relative difference")
    error.legend(fontsize=8, frameon=False)
    save(figure, table)


DRAWINGS = {
    "nonlinear-stairs.png": stairs,
    "nonlinear-polycrystal.png": polycrystal,
    "nonlinear-lattice.png": lattice,
    "nonlinear-porous.png": porous,
    "nonlinear-boundaries.png": boundaries,
    "nonlinear-relaxation.png": relaxation,
}
