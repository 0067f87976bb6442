"""Colours and typography of every figure, and their way into a page that may be light or dark.

A figure is drawn with a `Theme`. `LIGHT` has real colours, for saving as PNG or PDF. `PAGE` has marker
colours that `to_svg` replaces by CSS variables, so that one inline SVG follows the reader's light or dark
setting.
"""

from __future__ import annotations

import contextlib
import dataclasses
import io
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FONT_SIZE = 8.5


@dataclasses.dataclass(frozen=True)
class Theme:
    """ink: text and marks; muted: secondary text; rule: axes and grids; accent, second: data; band: filled
    ranges.
    """

    ink: str
    muted: str
    rule: str
    accent: str
    second: str
    band: str


LIGHT = Theme("#1c2530", "#5d6875", "#d5dae0", "#0b6e8f", "#c8641b", "#dcebf0")
PAGE = Theme("#010101", "#020202", "#030303", "#040404", "#050505", "#060606")
_VARIABLES = {getattr(PAGE, f.name): f"var(--{f.name})" for f in dataclasses.fields(Theme)}


def settings(theme: Theme) -> dict[str, Any]:
    """The matplotlib settings under which a figure of this theme is drawn and saved."""
    return {
        "font.family": "sans-serif",
        "font.sans-serif": ["DejaVu Sans"],  # ships with matplotlib: the same layout on every machine
        "font.size": FONT_SIZE,
        "axes.titlesize": FONT_SIZE,
        "axes.labelsize": FONT_SIZE,
        "xtick.labelsize": FONT_SIZE - 0.5,
        "ytick.labelsize": FONT_SIZE - 0.5,
        "legend.fontsize": FONT_SIZE - 0.5,
        "text.color": theme.ink,
        "axes.labelcolor": theme.muted,
        "axes.edgecolor": theme.rule,
        "axes.facecolor": "none",
        "figure.facecolor": "none",
        "savefig.facecolor": "none",
        "xtick.color": theme.rule,
        "ytick.color": theme.rule,
        "xtick.labelcolor": theme.muted,
        "ytick.labelcolor": theme.muted,
        "grid.color": theme.rule,
        "grid.linewidth": 0.6,
        "axes.linewidth": 0.8,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "legend.frameon": False,
        "svg.fonttype": "none",  # text stays text: searchable, selectable, in the font of the page
        "svg.hashsalt": "scalebridge",
        "axes.unicode_minus": True,
    }


@contextlib.contextmanager
def drawing(theme: Theme) -> Iterator[None]:
    """Within the block matplotlib draws with this theme; its global settings are restored afterwards."""
    import matplotlib

    options: Any = settings(theme)
    with matplotlib.rc_context(options):
        yield


def new_figure(width: float, height: float) -> Figure:
    """An empty figure in inches, without pyplot and therefore without global state or a display."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height))


def to_svg(figure: Figure, name: str, description: str) -> str:
    """The figure as one inline <svg> element whose colours are CSS variables; `name` makes its ids unique.

    It fills its place in the page and grows to at most 1.25 times the size it was drawn at.
    """
    stream = io.StringIO()
    with drawing(PAGE):
        figure.savefig(stream, format="svg", metadata={"Date": None})
    svg = stream.getvalue()
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    for marker, variable in _VARIABLES.items():
        svg = svg.replace(marker, variable)
    # matplotlib names its ids by content: equal in two figures, and then one hidden figure would break the
    # other.
    svg = re.sub(r'(\bid="|url\(#|href="#)', rf"\g<1>{name}-", svg)
    svg = re.sub(r"'DejaVu Sans'(, [^;\"]*)?", "inherit-font", svg).replace("inherit-font", "var(--font)")
    width, height = re.search(r'viewBox="0 0 ([\d.]+) ([\d.]+)"', svg).groups()  # type: ignore[union-attr]
    label = description.replace("&", "&amp;").replace("<", "&lt;").replace('"', "&quot;")
    opening = (
        f'<svg class="figure" role="img" aria-label="{label}" viewBox="0 0 {width} {height}" '
        f'style="max-width:{1.25 * float(width) * 4 / 3:.0f}px" xmlns="http://www.w3.org/2000/svg" '
        'xmlns:xlink="http://www.w3.org/1999/xlink">'
    )
    return re.sub(r"\s*\n\s*", "\n", opening + svg[svg.index(">") + 1 :])
