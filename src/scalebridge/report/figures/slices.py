"""Pictures of planes: the image and the fields, with axes, scale bar, colour bar and the load drawn in."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from scalebridge.grid import PhaseImage, VoxelGrid
from scalebridge.grid.palette import phase_colour
from scalebridge.homogenize.words import number, scale_of
from scalebridge.numerics.mandel import from_mandel
from scalebridge.report.figures.views import Cut, FieldView
from scalebridge.report.theme import LIGHT, Theme, drawing, new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WIDTH = 3.55  # inches: 341 CSS pixels, so that a picture is shown at full size on a phone
LEFT, RIGHT, BOTTOM, TOP = 0.50, 0.10, 0.44, 0.40
PIXELS = 320  # more than this per edge is not visible at that size, and every picture is paid for in bytes


def phase_slice(image: PhaseImage, cut: Cut, theme: Theme = LIGHT) -> Figure:
    """The labels in one plane, in the colours of the phases table."""
    plane = image.index if cut.normal is None else image.index.take(cut.position, axis=cut.normal)
    return draw_plane(plane, len(image.present), cut, theme)


def draw_plane(plane: np.ndarray, count: int, cut: Cut, theme: Theme) -> Figure:
    """Positions 0 to count - 1 in the list of phases (n_right, n_up), in their colours."""
    from matplotlib.colors import ListedColormap

    with drawing(theme):
        figure, axes = _frame(cut.grid, cut, theme)
        palette = ListedColormap([phase_colour(i) for i in range(count)])
        _show(axes, np.ma.masked_array(plane), cut, palette, (-0.5, count - 0.5))
        _scale_bar(axes, cut.grid, cut)
    return figure


def field_slice(view: FieldView, cut: Cut, theme: Theme = LIGHT) -> Figure:
    """A field in one plane; the load is drawn above its right corner, voids stay empty."""
    import matplotlib

    with drawing(theme):
        figure, axes = _frame(cut.grid, cut, theme)
        _show(axes, view.take(cut), cut, matplotlib.colormaps[view.palette], view.limits)
        _scale_bar(axes, cut.grid, cut)
        _load(figure, axes, view.load, cut, theme)
    return figure


def colour_bar(view: FieldView, theme: Theme = LIGHT) -> Figure:
    """The colour scale shared by all cuts of a view, with its unit; pointed ends: values go beyond."""
    import matplotlib
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize
    from matplotlib.ticker import MaxNLocator

    with drawing(theme):
        height = 0.68
        figure = new_figure(WIDTH, height)
        box = figure.add_axes((0.06, 0.36 / height, 0.88, 0.13 / height))
        scale = ScalarMappable(Normalize(*view.limits), matplotlib.colormaps[view.palette])
        bar = figure.colorbar(scale, cax=box, orientation="horizontal", extend="both")
        bar.outline.set_visible(False)  # type: ignore[operator]
        bar.locator = MaxNLocator(4)
        unit = f" [{view.unit}]" if view.unit else ""
        figure.text(0.06, 0.54 / height, view.title + unit, va="bottom", ha="left", color=theme.ink)
    return figure


def _frame(grid: VoxelGrid, cut: Cut, theme: Theme) -> tuple[Figure, Axes]:
    """Axes with the true proportions of the plane; very long or flat planes are fitted, not stretched."""
    right, up = (grid.lengths[axis] for axis in cut.axes)
    width = WIDTH - LEFT - RIGHT
    height = width * up / right
    if height > 1.5 * width:
        height = 1.5 * width
        width = max(height * right / up, 0.12)
    height = max(height, 0.12)
    figure = new_figure(WIDTH, height + TOP + BOTTOM)
    whole = height + TOP + BOTTOM
    axes = figure.add_axes((LEFT / WIDTH, BOTTOM / whole, width / WIDTH, height / whole))
    unit, factor = ("voxels", 1.0)
    if grid.spacing is not None:
        scale = scale_of(max(grid.lengths), "m")
        unit, factor = scale.unit, scale.factor
    names = "xyz"
    horizontal, vertical = cut.axes
    axes.set_xlabel(f"{names[horizontal]} [{unit}]", labelpad=2)
    axes.set_ylabel(f"{names[vertical]} [{unit}]", labelpad=2)
    axes.set_xlim(0, right * factor)
    axes.set_ylim(0, up * factor)
    axes.locator_params(axis="x", nbins=4 if width > 1.2 else 2)
    axes.locator_params(axis="y", nbins=4 if height > 1.2 else 2)
    axes.tick_params(length=2.5, pad=2)
    for side in ("top", "right"):
        axes.spines[side].set_visible(True)
    if cut.normal is not None:
        place = f"{names[cut.normal]} = {cut.position + 1} of {grid.shape[cut.normal]} voxels"
        if grid.spacing is not None:
            centre = (cut.position + 0.5) * grid.spacing[cut.normal]
            place = f"{names[cut.normal]} = {number(centre * factor, 3)} {unit}"
    else:
        place = "the whole image"
    figure.text(
        LEFT / WIDTH,
        1 - 0.30 / whole,
        f"cut at {place}" if cut.normal is not None else place,
        color=theme.muted,
    )
    return figure, axes


def _show(axes: Axes, plane: np.ma.MaskedArray, cut: Cut, palette: Any, limits: tuple[float, float]) -> None:
    strides = tuple(max(1, math.ceil(n / PIXELS)) for n in plane.shape)
    shown = plane[:: strides[0], :: strides[1]]
    axes.imshow(
        shown.T,
        origin="lower",
        extent=(*axes.get_xlim(), *axes.get_ylim()),
        cmap=palette,
        vmin=limits[0],
        vmax=limits[1],
        interpolation="none",
        aspect="auto",
    )


def _scale_bar(axes: Axes, grid: VoxelGrid, cut: Cut) -> None:
    """A bar of a round length, about a quarter of the width; outlined, so that it shows on anything."""
    from matplotlib.patheffects import Normal, Stroke

    if grid.spacing is None:
        return
    width = grid.lengths[cut.axes[0]]
    power = 10.0 ** math.floor(math.log10(width / 4))
    round_length = max(step * power for step in (1.0, 2.0, 5.0) if step * power <= width / 4 * (1 + 1e-9))
    outline = [Stroke(linewidth=3.2, foreground="#10151b"), Stroke(linewidth=1.8, foreground="#ffffff")]
    share = round_length / width
    axes.plot(
        [0.04, 0.04 + share],
        [0.06, 0.06],
        transform=axes.transAxes,
        color="#ffffff",
        lw=1.8,
        path_effects=outline,
        solid_capstyle="butt",
    )
    scale = scale_of(round_length, "m")
    edge = [Stroke(linewidth=2.2, foreground="#10151b"), Normal()]
    axes.text(
        0.04 + share / 2,
        0.085,
        f"{round(round_length * scale.factor):g} {scale.unit}",
        ha="center",
        va="bottom",
        transform=axes.transAxes,
        color="#ffffff",
        path_effects=edge,
    )


def _load(figure: Figure, axes: Axes, load: np.ndarray, cut: Cut, theme: Theme) -> None:
    """The macroscopic load as seen in this plane: an arrow for a gradient, a deformed square for a strain."""
    box = axes.get_position()
    size = 0.34
    width, height = figure.get_size_inches()
    icon = figure.add_axes(
        (max(box.x1, 0.5) - size / width, 1 - (size + 0.02) / height, size / width, size / height)
    )
    icon.set_axis_off()
    icon.set_xlim(-1, 1)
    icon.set_ylim(-1, 1)
    icon.set_aspect("equal")
    largest = float(np.abs(load).max())
    if not largest > 0.0:
        return
    unit = np.where(np.abs(load) < 0.05 * largest, 0.0, load / largest)
    if len(load) == cut.grid.ndim:
        _gradient_icon(icon, unit, cut, theme)
    else:
        _strain_icon(icon, unit, cut, theme)


def _gradient_icon(icon: Axes, gradient: np.ndarray, cut: Cut, theme: Theme) -> None:
    right, up = (float(gradient[axis]) for axis in cut.axes)
    if right == 0.0 and up == 0.0:
        # Pointing at the reader: a circle with a dot.
        icon.plot([0], [0], "o", ms=9, mfc="none", mec=theme.second, mew=1.2)
        icon.plot([0], [0], "o", ms=2.5, color=theme.second)
        return
    icon.annotate(
        "",
        (0.9 * right, 0.9 * up),
        (-0.9 * right, -0.9 * up),
        arrowprops={"arrowstyle": "-|>", "color": theme.second, "lw": 1.6, "shrinkA": 0, "shrinkB": 0},
    )


def _strain_icon(icon: Axes, strain: np.ndarray, cut: Cut, theme: Theme) -> None:
    full = from_mandel(strain)
    plane = full[np.ix_(cut.axes, cut.axes)]
    square = 0.55 * np.array([[-1, 1, 1, -1, -1], [-1, -1, 1, 1, -1]], float)
    deformed = square + 0.45 * plane @ square
    icon.plot(*square, color=theme.muted, lw=0.8, ls=(0, (2, 2)))
    icon.plot(*deformed, color=theme.second, lw=1.4, solid_joinstyle="round")
    if not plane.any():
        icon.plot([0], [0], "o", ms=2.5, color=theme.second)
