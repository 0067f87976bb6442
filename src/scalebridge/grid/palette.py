"""The colours of phases: the same in notebooks, pictures and reports."""

from __future__ import annotations

import colorsys

import numpy as np

# Distinct in colour and in lightness, legible on white and on near-black.
PHASE_COLOURS = ("#5b8db8", "#e8a33d", "#5fa777", "#c95d63", "#8d6cab", "#c9b94a", "#4fb0bf", "#8a8f98")


def phase_colour(position: int) -> str:
    """Colour of the phase at `position` in the list of labels; beyond the palette, golden-angle hues."""
    if position < len(PHASE_COLOURS):
        return PHASE_COLOURS[position]
    hue = (0.11 + 0.61803398875 * position) % 1.0
    red, green, blue = colorsys.hls_to_rgb(hue, 0.45 + 0.2 * (position % 3) / 2, 0.5)
    return f"#{round(255 * red):02x}{round(255 * green):02x}{round(255 * blue):02x}"


def phase_rgb(positions: np.ndarray) -> np.ndarray:
    """`phase_colour` of many positions, shape (..., 3) uint8."""
    count = int(positions.max(initial=0)) + 1
    table = [[int(phase_colour(i)[k : k + 2], 16) for k in (1, 3, 5)] for i in range(count)]
    return np.array(table, np.uint8)[positions]
