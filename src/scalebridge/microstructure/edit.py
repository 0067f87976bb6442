"""Preparing a segmented image: crop, trim, pad, mirror, relabel, keep the largest component."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from scalebridge.core.errors import ImageError
from scalebridge.grid import PhaseImage
from scalebridge.microstructure.connectivity import Connectivity, label_components


def crop(image: PhaseImage, start: Sequence[int], stop: Sequence[int]) -> PhaseImage:
    """Voxels start <= i < stop per axis x, y (, z). Fails when the box is empty or sticks out
    (ImageError).
    """
    shape = image.grid.shape
    if len(start) != len(shape) or len(stop) != len(shape):
        raise ImageError(
            f"Crop needs {len(shape)} starts and stops for shape {shape}, got {start} and {stop}."
        )
    if not all(0 <= a < b <= n for a, b, n in zip(start, stop, shape, strict=True)):
        raise ImageError(
            f"The box from {tuple(start)} to {tuple(stop)} does not lie inside the shape {shape}."
        )
    box = tuple(slice(int(a), int(b)) for a, b in zip(start, stop, strict=True))
    words = " x ".join(f"{a}:{b}" for a, b in zip(start, stop, strict=True))
    return image.with_labels(image.labels[box], f"cropped to {words}")


def trim(image: PhaseImage, multiple: int) -> PhaseImage:
    """Cuts voxels off the upper ends until every length is a multiple (for `coarsen`)."""
    stop = [n // multiple * multiple for n in image.grid.shape] if multiple >= 1 else [0]
    if min(stop) < 1:
        raise ImageError(f"The shape {image.grid.shape} cannot be trimmed to multiples of {multiple}.")
    return image if tuple(stop) == image.grid.shape else crop(image, [0] * len(stop), stop)


def pad(image: PhaseImage, width: int | Sequence[int], label: int) -> PhaseImage:
    """`width` voxels of `label` on both sides of every axis (or of each axis, one width per axis)."""
    widths = [width] * image.grid.ndim if isinstance(width, int) else [int(w) for w in width]
    if len(widths) != image.grid.ndim or min(widths) < 0:
        raise ImageError(f"Padding needs one width >= 0 per axis, got {width}.")
    labels = _holding(image.labels, [label])
    padded = np.pad(labels, [(w, w) for w in widths], constant_values=label)
    return image.with_labels(padded, f"padded with label {label} by {' x '.join(map(str, widths))} voxels")


def mirror(image: PhaseImage, axes: Iterable[int] | None = None) -> PhaseImage:
    """The image and its mirror images along `axes` (all by default): periodic without jumps, but larger."""
    chosen = sorted(set(range(image.grid.ndim) if axes is None else axes))
    if any(not 0 <= axis < image.grid.ndim for axis in chosen):
        raise ImageError(f"Mirror axes must lie between 0 and {image.grid.ndim - 1}, got {chosen}.")
    labels = image.labels
    for axis in chosen:
        labels = np.concatenate([labels, np.flip(labels, axis)], axis=axis)
    return image.with_labels(labels, f"mirrored along {', '.join(image.grid.axis_names[a] for a in chosen)}")


def relabel(image: PhaseImage, mapping: Mapping[int, int]) -> PhaseImage:
    """Replaces labels; several may go to one (merging phases). Fails when an old label does not occur
    (ImageError).
    """
    absent = [old for old in mapping if old not in image.present]
    if absent:
        raise ImageError(f"Cannot relabel {absent}: the image has the labels {list(image.present)}.")
    new = np.array([mapping.get(old, old) for old in image.present])
    table = _holding(np.empty(0, image.labels.dtype), new.tolist()).dtype
    words = ", ".join(f"{old} -> {target}" for old, target in mapping.items())
    return image.with_labels(new.astype(table)[image.index], f"relabelled {words}")


def keep_largest_component(
    image: PhaseImage,
    label: int,
    replace_with: int,
    *,
    periodic: bool = False,
    connectivity: Connectivity = Connectivity.FACE,
) -> PhaseImage:
    """All but the largest connected piece of `label` becomes `replace_with`. Fails when `label` is absent."""
    if label not in image.present:
        raise ImageError(f"Label {label} does not occur; the image has {list(image.present)}.")
    components = label_components(image.labels == label, periodic=periodic, connectivity=connectivity)
    largest = int(np.argmax(components.sizes)) + 1
    lost = (components.labels != 0) & (components.labels != largest)
    labels = _holding(image.labels, [replace_with]).copy()
    labels[lost] = replace_with
    step = (
        f"kept the largest of {components.count} components of label {label} "
        f"(other {int(lost.sum())} voxels -> {replace_with})"
    )
    return image.with_labels(labels, step)


def _holding(labels: np.ndarray, values: Iterable[int]) -> np.ndarray:
    """`labels` in a type that can also hold `values`."""
    needed = [np.min_scalar_type(int(value)) for value in values]
    return labels.astype(np.result_type(labels.dtype, *needed), copy=False)
