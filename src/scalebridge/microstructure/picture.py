"""Three orthogonal slices as a figure; matplotlib is imported only when one is drawn."""

from __future__ import annotations

from typing import Any

import numpy as np

from scalebridge.core.errors import OutputError
from scalebridge.core.units import format_quantity
from scalebridge.grid import GreyImage, PhaseImage
from scalebridge.grid.notebook import middle_slices
from scalebridge.grid.palette import PHASE_COLOURS, phase_colour, phase_rgb

_MAX_LEGEND = len(PHASE_COLOURS)


def slices_figure(image: PhaseImage | GreyImage) -> Any:
    """A matplotlib Figure (no window, no global state): middle slices, labelled axes, scale and legend."""
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise OutputError("Drawing pictures needs the package matplotlib: pip install matplotlib.") from error
    is_labels = isinstance(image, PhaseImage)
    values = image.index if isinstance(image, PhaseImage) else image.values
    slices = middle_slices(values)
    sizes = dict(zip("xyz", image.grid.lengths, strict=False))
    scale, unit = _scale(image)
    middles = {axis: n // 2 for axis, n in zip("xyz", image.grid.shape, strict=False)}
    figure = Figure(figsize=(4.2 * len(slices) + 0.4, 4.6), layout="constrained")
    panels = np.atleast_1d(figure.subplots(1, len(slices)))
    # One range for all panels, so that the colour bar holds for each of them.
    limits: dict[str, Any] = {
        "cmap": "gray",
        "vmin": min(plane.min() for _, _, plane in slices),
        "vmax": max(plane.max() for _, _, plane in slices),
    }
    for panel, (across, up, plane) in zip(panels, slices, strict=True):
        extent = (0.0, sizes[across] * scale, 0.0, sizes[up] * scale)
        picture, options = (phase_rgb(plane.T), {}) if is_labels else (plane.T, limits)
        drawn = panel.imshow(picture, origin="lower", extent=extent, interpolation="nearest", **options)
        panel.set_xlabel(f"{across} ({unit})")
        panel.set_ylabel(f"{up} ({unit})")
        fixed = next((axis for axis in middles if axis not in (across, up)), None)
        panel.set_title(
            "" if fixed is None else f"{across}{up} slice at {fixed} = voxel {middles[fixed]}", fontsize=10
        )
    if isinstance(image, PhaseImage):
        _legend(figure, image)
    else:
        figure.colorbar(drawn, ax=list(panels), label="grey value", shrink=0.7)
    return figure


def _legend(figure: Any, image: PhaseImage) -> None:
    from matplotlib.patches import Patch

    patches = [
        Patch(
            facecolor=phase_colour(i),
            edgecolor="black",
            linewidth=0.5,
            label=f"label {label} ({100 * fraction:.2f} %)",
        )
        for i, (label, fraction) in enumerate(image.fractions.items())
        if i < _MAX_LEGEND
    ]
    more = len(image.present) - _MAX_LEGEND
    if more > 0:
        patches.append(Patch(visible=False, label=f"... and {more} more labels"))
    figure.legend(handles=patches, loc="outside lower center", ncols=min(4, len(patches)), frameon=False)


def _scale(image: PhaseImage | GreyImage) -> tuple[float, str]:
    """Factor and unit for the axes: voxels when the spacing is unknown."""
    if image.grid.spacing is None:
        return 1.0, "voxels"
    unit = format_quantity(max(image.grid.lengths), "m").split()[1]
    return {"fm": 1e15, "pm": 1e12, "nm": 1e9, "µm": 1e6, "mm": 1e3, "m": 1.0}.get(unit, 1e-3), unit
