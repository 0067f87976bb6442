"""Does a set of voxels carry a load from one side to the other?"""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from scalebridge.cell.boundary import Edge


def percolates(conducting: np.ndarray, edges: tuple[Edge, ...], axis: int) -> bool:
    """Whether face-connected voxels of `conducting` join the two faces normal to `axis`.

    Along a periodic axis: whether some cluster joins a voxel to its own copy in another cell along `axis`.
    """
    labels, count = ndimage.label(conducting)
    if edges[axis] is not Edge.PERIODIC:
        first, last = np.take(labels, 0, axis), np.take(labels, -1, axis)
        return bool(np.intersect1d(first[first > 0], last[last > 0]).size)
    links: list[list[tuple[int, np.ndarray]]] = [[] for _ in range(count + 1)]
    for a, edge in enumerate(edges):
        if edge is Edge.PERIODIC:
            pairs = np.stack([np.take(labels, -1, a).ravel(), np.take(labels, 0, a).ravel()])
            shift = np.eye(len(edges), dtype=int)[a]
            for i, j in np.unique(pairs[:, (pairs > 0).all(axis=0)], axis=1).T:
                links[i].append((j, shift))
                links[j].append((i, -shift))
    # Walk each cluster of clusters; meeting a label again in another cell is a winding path.
    cells: dict[int, np.ndarray] = {}
    for seed in range(1, count + 1):
        if seed in cells:
            continue
        cells[seed] = np.zeros(len(edges), int)
        stack = [seed]
        while stack:
            i = stack.pop()
            for j, shift in links[i]:
                cell = cells[i] + shift
                if j not in cells:
                    cells[j] = cell
                    stack.append(j)
                elif cells[j][axis] != cell[axis]:
                    return True
    return False
