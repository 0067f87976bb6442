"""Which voxels of a phase hang together, which pieces span the image, which float."""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Iterable, Sequence

import numpy as np
import scipy.ndimage
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from scalebridge.core.errors import ImageError
from scalebridge.grid import PhaseImage

_CHUNK = 1 << 22


class Connectivity(enum.IntEnum):
    """Voxels are neighbours when they share a face, an edge or more, a corner or more."""

    FACE = 1
    EDGE = 2
    CORNER = 3


@dataclasses.dataclass(frozen=True, eq=False)
class Components:
    """Connected pieces of a mask.

    labels: int32 of the mask's shape, 0 outside the mask, pieces 1 .. count. sizes: (count,) voxels.
    spans: (count, d): touches both opposite faces of axis k.
    winds: (count, d): with periodic images, the piece meets its own copy in the next cell along axis k, so
    that it carries through an infinite medium; a piece that merely crosses the border does not. All False
    where not periodic.
    touches: (count, d, 2): touches the lower / upper face of axis k.
    """

    labels: np.ndarray
    sizes: np.ndarray
    touches: np.ndarray
    winds: np.ndarray

    @property
    def count(self) -> int:
        return len(self.sizes)

    @property
    def spans(self) -> np.ndarray:
        return np.logical_and(self.touches[..., 0], self.touches[..., 1])


def label_components(
    mask: np.ndarray,
    *,
    periodic: bool | Sequence[bool] = False,
    connectivity: Connectivity = Connectivity.FACE,
) -> Components:
    """Connected pieces of `mask` (any number of axes up to 3), with faces joined along the periodic axes.

    About 6 bytes per voxel beside the mask. Periodic joining uses face neighbours across the border only.
    """
    ndim = mask.ndim
    joined = (periodic,) * ndim if isinstance(periodic, bool) else tuple(periodic)
    if len(joined) != ndim:
        raise ImageError(f"Say for each of the {ndim} axes whether it is periodic, got {periodic!r}.")
    structure = scipy.ndimage.generate_binary_structure(ndim, min(int(connectivity), ndim))
    labels = np.empty(mask.shape, np.int32)
    count = int(scipy.ndimage.label(mask, structure, output=labels))
    winds = np.zeros((count, ndim), bool)
    if count and any(joined):
        merged, winds = _join_periodic(labels, count, joined)
        if len(winds) != count:
            table = np.concatenate([[0], merged + 1]).astype(np.int32)
            for plane in labels:  # slab by slab: no second array of the whole size
                plane[...] = table[plane]
            count = len(winds)
    return Components(labels, _sizes(labels, count), _touches(labels, count), winds)


def percolation(image: PhaseImage, *, periodic: bool = False) -> dict[int, tuple[bool, ...]]:
    """Per label and axis: is there a face-connected path of the phase between the two opposite faces?

    With periodic=True the question is whether the phase carries through the infinitely repeated image.
    """
    result = {}
    for label, part, full in _parts(image):
        components = label_components(part, periodic=[periodic and f for f in full])
        # A part that does not reach from face to face cannot span, whatever it does inside its own box.
        through = components.winds if periodic else components.spans
        result[label] = tuple(bool(through[:, k].any()) and full[k] for k in range(image.grid.ndim))
    return result


def percolates(image: PhaseImage, label: int, axis: int, *, periodic: bool = False) -> bool:
    """Whether phase `label` connects the two faces of `axis`; False for a label that does not occur."""
    if label not in image.present:
        return False
    components = label_components(image.labels == label, periodic=periodic)
    return bool((components.winds if periodic else components.spans)[:, axis].any())


def through_connected_fraction(
    image: PhaseImage, label: int, axis: int, *, connectivity: Connectivity = Connectivity.FACE
) -> float:
    """Share of the phase's voxels in pieces that touch both faces of `axis`; 0 when it is absent."""
    mask = image.labels == label
    components = label_components(mask, connectivity=connectivity)
    total = int(components.sizes.sum())
    return float(components.sizes[components.spans[:, axis]].sum() / total) if total else 0.0


def floating_mask(
    image: PhaseImage, void_labels: Iterable[int], *, periodic: bool = True, axis: int | None = None
) -> np.ndarray:
    """Voxels of the non-void phases in pieces that nothing holds: operators are singular on them.

    periodic: held is what winds around the cell. Otherwise: held is what touches a face of `axis`, or of any
    axis. Neighbours share a face. Shape and axes as the image, bool.
    """
    solid = np.isin(image.labels, np.fromiter(void_labels, int), invert=True)
    components = label_components(solid, periodic=periodic and axis is None)
    if periodic and axis is None:
        held = components.winds.any(axis=1)
    else:
        touches = components.touches if axis is None else components.touches[:, [axis]]
        held = touches.any(axis=(1, 2))
    loose = np.concatenate([[False], ~held])
    return loose[components.labels]


def isolated_mask(image: PhaseImage, label: int, axis: int) -> np.ndarray:
    """Voxels of `label` in pieces that touch neither face of `axis` (dead pores): no transport there."""
    components = label_components(image.labels == label)
    return np.concatenate([[False], ~components.touches[:, axis].any(axis=1)])[components.labels]


def _parts(image: PhaseImage) -> Iterable[tuple[int, np.ndarray, tuple[bool, ...]]]:
    """Each phase as a mask on its bounding box, and along which axes that box is as long as the image.

    Boxes keep a polycrystal of a thousand grains from being labelled a thousand times at full size.
    """
    if len(image.present) <= 4:
        for label in image.present:
            yield label, image.labels == label, (True,) * image.grid.ndim
        return
    boxes = scipy.ndimage.find_objects(image.index.astype(np.int32) + 1)
    for position, (label, box) in enumerate(zip(image.present, boxes, strict=True)):
        full = tuple(s.stop - s.start == n for s, n in zip(box, image.grid.shape, strict=True))
        yield label, image.index[box] == position, full


def _face(labels: np.ndarray, axis: int, end: int) -> np.ndarray:
    return np.take(labels, end, axis=axis)


def _touches(labels: np.ndarray, count: int) -> np.ndarray:
    touches = np.zeros((count + 1, labels.ndim, 2), bool)
    for axis in range(labels.ndim):
        for end in (0, -1):
            touches[np.unique(_face(labels, axis, end)), axis, end] = True
    return touches[1:]


def _sizes(labels: np.ndarray, count: int) -> np.ndarray:
    flat = labels.reshape(-1)
    sizes = np.zeros(count + 1, np.int64)
    for start in range(0, flat.size, _CHUNK):
        chunk = np.bincount(flat[start : start + _CHUNK])
        sizes[: len(chunk)] += chunk
    return sizes[1:]


def _join_periodic(labels: np.ndarray, count: int, joined: Sequence[bool]) -> tuple[np.ndarray, np.ndarray]:
    """The merged number (from 0) of each piece, and whether each merged piece winds around each axis."""
    edges = []
    for axis in np.flatnonzero(joined).tolist():
        low, high = _face(labels, axis, 0).ravel(), _face(labels, axis, -1).ravel()
        both = (low > 0) & (high > 0)
        pairs = np.unique(np.stack([high[both], low[both]]), axis=1) - 1
        edges.append(np.concatenate([pairs, np.full((1, pairs.shape[1]), axis)]))
    pairs = np.concatenate(edges, axis=1)
    graph = coo_array((np.ones(pairs.shape[1], bool), (pairs[0], pairs[1])), shape=(count, count))
    merged_count, merged = connected_components(graph, directed=False)
    winds = np.zeros((merged_count, labels.ndim), bool)
    # Walk every merged piece, noting in which copy of the cell each part is met first; meeting it again in
    # another copy means that the piece winds around the cell.
    neighbours: dict[int, list[tuple[int, int, int]]] = {}
    for source, target, axis in pairs.T.tolist():
        neighbours.setdefault(source, []).append((target, axis, 1))
        neighbours.setdefault(target, []).append((source, axis, -1))
    cell: dict[int, tuple[int, ...]] = {}
    for start in neighbours:
        if start in cell:
            continue
        cell[start] = (0,) * labels.ndim
        stack = [start]
        while stack:
            node = stack.pop()
            for other, axis, step in neighbours[node]:
                there = tuple(c + (step if k == axis else 0) for k, c in enumerate(cell[node]))
                if other not in cell:
                    cell[other] = there
                    stack.append(other)
                elif cell[other] != there:
                    winds[merged[node]] |= np.array(cell[other]) != np.array(there)
    return merged, winds
