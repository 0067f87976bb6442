"""The picture of convergence in a notebook: means with their intervals against size, as inline SVG."""

from __future__ import annotations

import html
import math
from typing import TYPE_CHECKING

from scalebridge.grid.palette import phase_colour
from scalebridge.homogenize.representative import words

if TYPE_CHECKING:
    from scalebridge.homogenize.representative.study import RepresentativityResult

# Of the palette, those three that stay apart for every kind of colour vision; others follow.
_COLOURS = {"periodic": 4, "kubc": 1, "subc": 2}
_SPARE = (0, 3, 5, 6, 7)
_WIDTH, _HEIGHT = 360.0, 230.0
_LEFT, _RIGHT, _TOP, _BOTTOM = 58.0, 14.0, 34.0, 38.0


def condition_colour(name: str, position: int = 0) -> str:
    """The colour of a boundary condition, everywhere; position: among the conditions of the study."""
    return phase_colour(_COLOURS.get(name, _SPARE[position % len(_SPARE)]))


def convergence_sketch(result: RepresentativityResult, name: str) -> str:
    """One line per condition with the band of its intervals; sizes are spaced by their logarithm."""
    scale, sizes = words.scale_for_part(result, name), result.problem.sizes
    conditions = words.ordered_conditions(result)
    rows = {c: [result.at(size, c).parts[name] for size in sizes] for c in conditions}
    ends = [v for line in rows.values() for e in line for v in (e.mean, e.low, e.high) if v is not None]
    low, high = min(ends), max(ends)
    room = 0.08 * (high - low) or 0.05 * abs(high) or 1.0
    low, high = low - room, high + room

    def x(size: float | int) -> float:
        if len(sizes) == 1:
            return _LEFT + (_WIDTH - _LEFT - _RIGHT) / 2
        share = math.log(size / sizes[0]) / math.log(sizes[-1] / sizes[0])
        return _LEFT + 14 + share * (_WIDTH - _LEFT - _RIGHT - 28)

    def y(value: float | int) -> float:
        return _TOP + (high - value) / (high - low) * (_HEIGHT - _TOP - _BOTTOM)

    drawn = []
    for value in _round_levels(low * scale.factor, high * scale.factor):
        height = y(value / scale.factor)
        drawn.append(
            f'<line x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{height:.1f}" y2="{height:.1f}" '
            'stroke="currentColor" opacity=".15"/>'
            f'<text x="{_LEFT - 6}" y="{height + 4:.1f}" text-anchor="end">{value:.6g}</text>'
        )
    for size in sizes:
        drawn.append(f'<text x="{x(size):.1f}" y="{_HEIGHT - 20}" text-anchor="middle">{size}</text>')
    for n, condition in enumerate(conditions):
        colour, line = condition_colour(condition, n), rows[condition]
        known = [(x(s), e) for s, e in zip(sizes, line, strict=True) if e.low is not None]
        upper = [f"{px:.1f},{y(e.high):.1f}" for px, e in known if e.high is not None]
        lower = [f"{px:.1f},{y(e.low):.1f}" for px, e in reversed(known) if e.low is not None]
        if len(known) > 1:
            drawn.append(f'<polygon points="{" ".join(upper + lower)}" fill="{colour}" opacity=".22"/>')
        for px, e in known:
            if e.low is not None and e.high is not None:
                drawn.append(
                    f'<line x1="{px:.1f}" x2="{px:.1f}" y1="{y(e.low):.1f}" y2="{y(e.high):.1f}" stroke="{colour}"/>'
                )
        points = " ".join(f"{x(s):.1f},{y(e.mean):.1f}" for s, e in zip(sizes, line, strict=True))
        drawn.append(f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2"/>')
        drawn += [
            f'<circle cx="{x(s):.1f}" cy="{y(e.mean):.1f}" r="3.2" fill="{colour}"/>'
            for s, e in zip(sizes, line, strict=True)
        ]
        left = _LEFT + n * 98
        drawn.append(
            f'<circle cx="{left + 5:.0f}" cy="14" r="4" fill="{colour}"/>'
            f'<text x="{left + 13:.0f}" y="18">{html.escape(words.short(condition))}</text>'
        )
    drawn.append(f'<text x="{_LEFT}" y="{_HEIGHT - 4}">voxels per edge</text>')
    label = html.escape(f"{name} against size, with confidence intervals", quote=True)
    return (
        f'<svg width="{_WIDTH:.0f}" height="{_HEIGHT:.0f}" viewBox="0 0 {_WIDTH:.0f} {_HEIGHT:.0f}" role="img" '
        f'aria-label="{label}" style="max-width:100%;font-size:11px;font-family:sans-serif;fill:currentColor">'
        f"{''.join(drawn)}</svg>"
    )


def _round_levels(low: float | int, high: float | int) -> list[float]:
    """Three to six round numbers between the ends."""
    power = 10.0 ** math.floor(math.log10((high - low) / 3))
    step = max(s * power for s in (1.0, 2.0, 5.0) if s * power <= (high - low) / 3 * (1 + 1e-9))
    first = math.ceil(low / step)
    return [k * step for k in range(first, math.floor(high / step) + 1)]
