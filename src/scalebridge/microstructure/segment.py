"""From grey values to labels: explicit thresholds or Otsu's, on request only."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import numpy as np

from scalebridge.core.errors import ImageError
from scalebridge.grid import GreyImage, PhaseImage

_BINS = 256
_CHUNK = 1 << 22


def threshold_segment(grey: GreyImage, thresholds: Sequence[float | int]) -> PhaseImage:
    """Labels 0 (g < T1), 1 (T1 <= g < T2), 2 (T2 <= g < T3), ... for ascending thresholds.

    Fails when: no threshold is given, they do not ascend, or one is not finite (ImageError).
    """
    edges = [float(t) for t in thresholds]
    if not edges or not all(math.isfinite(t) for t in edges):
        raise ImageError(f"Thresholds must be finite numbers, at least one; got {list(thresholds)}.")
    if any(b <= a for a, b in itertools.pairwise(edges)):
        raise ImageError(f"Thresholds must ascend (T1 < T2 < ...), got {edges}.")
    if len(edges) > 255:
        raise ImageError(f"Got {len(edges)} thresholds; at most 255 are possible.")
    text = ", ".join(f"{t:g}" for t in edges)
    step = f"segmented by threshold{'s' if len(edges) > 1 else ''} {text} into labels 0 to {len(edges)}"
    return PhaseImage(_digitize(grey.values, np.array(edges)), grey.grid, (*grey.history, step))


def otsu_segment(grey: GreyImage, classes: int = 2) -> PhaseImage:
    """Labels 0 to classes - 1 by Otsu's thresholds; fails like `otsu_thresholds`."""
    thresholds = otsu_thresholds(grey, classes)
    image = threshold_segment(grey, thresholds)
    text = ", ".join(f"{t:g}" for t in thresholds)
    return PhaseImage(
        image.labels,
        grey.grid,
        (*grey.history, f"segmented by Otsu's method into {classes} classes at {text}"),
    )


def otsu_thresholds(grey: GreyImage, classes: int = 2) -> tuple[float, ...]:
    r"""The thresholds that maximize the variance between classes, sum_k w_k (mu_k - mu)^2 [otsu1979].

    Exact on the histogram: one bin per value for 8-bit images, 256 equal bins otherwise; classes from 2 to 5.
    Fails when: there are fewer distinct bins than classes (ImageError).
    """
    if not 2 <= classes <= 5:
        raise ImageError(
            f"Otsu's method is offered for 2 to 5 classes, got {classes}. Give thresholds instead."
        )
    counts, edges = _histogram(grey.values)
    filled = np.flatnonzero(counts)
    if len(filled) < classes:
        raise ImageError(
            f"The image has only {len(filled)} distinct grey values: no {classes} classes in it."
        )
    weight = counts[filled].astype(float)
    centre = 0.5 * (edges[filled] + edges[filled + 1])
    zeroth = np.concatenate([[0.0], np.cumsum(weight)])
    first = np.concatenate([[0.0], np.cumsum(weight * centre)])
    # gain[i, j]: w mu^2 of one class made of the filled bins i .. j-1; the best cuts by dynamic programming.
    total = zeroth[None, :] - zeroth[:, None]
    with np.errstate(divide="ignore", invalid="ignore"):
        gain = np.where(total > 0, (first[None, :] - first[:, None]) ** 2 / total, -np.inf)
    best = gain[0]
    cuts: list[np.ndarray] = []
    for _ in range(classes - 1):
        candidate = best[:, None] + gain
        cuts.append(candidate.argmax(axis=0))
        best = candidate.max(axis=0)
    position = len(filled)
    found: list[float] = []
    for cut in reversed(cuts):
        position = int(cut[position])
        found.append(float(edges[filled[position]]))
    return tuple(reversed(found))


def _digitize(values: np.ndarray, edges: np.ndarray) -> np.ndarray:
    if values.dtype.kind == "u" and values.dtype.itemsize <= 2:
        table = np.searchsorted(edges, np.arange(np.iinfo(values.dtype).max + 1), side="right")
        return table.astype(np.uint8)[values]
    labels = np.empty(values.shape, np.uint8)
    source, target = values.reshape(-1), labels.reshape(-1)
    for start in range(0, source.size, _CHUNK):
        target[start : start + _CHUNK] = np.searchsorted(edges, source[start : start + _CHUNK], side="right")
    return labels


def _histogram(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    flat = values.reshape(-1)
    if values.dtype == np.uint8:
        counts = sum(
            (np.bincount(flat[i : i + _CHUNK], minlength=256) for i in range(0, flat.size, _CHUNK)),
            np.zeros(256, int),
        )
        # Half a grey value down, so that a threshold of 90 in words is between the values 89 and 90.
        return counts, np.arange(257) - 0.5
    low, high = float(flat.min()), float(flat.max())
    if not low < high:
        return np.array([flat.size]), np.array([low, low + 1.0])
    edges = np.linspace(low, high, _BINS + 1)
    counts = np.zeros(_BINS, int)
    for start in range(0, flat.size, _CHUNK):
        counts += np.histogram(flat[start : start + _CHUNK], edges)[0]
    return counts, edges
