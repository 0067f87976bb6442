"""Trusses: which nodes of a periodic cell do struts connect, and how far is a point from the nearest strut?"""

from __future__ import annotations

import abc
import dataclasses
import itertools
from collections.abc import Sequence
from typing import ClassVar, final

import numpy as np


class AbstractTruss(abc.ABC):
    """Which nodes of a unit cell struts connect."""

    # Mirror planes through the middle of the cell: an eighth of it is then enough to know.
    mirrored: ClassVar[bool] = True

    @abc.abstractmethod
    def struts(self) -> np.ndarray:
        """(n, 2, 3) end points in units of the cell, one of each class of periodic images at least."""


@final
@dataclasses.dataclass(frozen=True)
class SimpleCubic(AbstractTruss):
    """Struts along the edges of the cell."""

    def struts(self) -> np.ndarray:
        return np.array([[np.zeros(3), row] for row in np.eye(3)])


@final
@dataclasses.dataclass(frozen=True)
class BodyCentredCubic(AbstractTruss):
    """Struts from the centre of the cell to its corners."""

    def struts(self) -> np.ndarray:
        return np.array([[[0.5, 0.5, 0.5], corner] for corner in itertools.product((0.0, 1.0), repeat=3)])


@final
@dataclasses.dataclass(frozen=True)
class FaceCentredCubic(AbstractTruss):
    """Struts from the centres of the faces to their corners (the faces' diagonals)."""

    def struts(self) -> np.ndarray:
        ends = []
        for axis in range(3):
            for up in (False, True):
                one, other = np.zeros(3), np.ones(3)
                one[axis] = other[axis] = 0.0
                if up:
                    swap = (axis + 1) % 3
                    one[swap], other[swap] = 1.0, 0.0
                ends.append([one, other])
        return np.array(ends)


@final
@dataclasses.dataclass(frozen=True)
class Octet(AbstractTruss):
    """The octet truss: face-centred cubic and the octahedron of the face centres [deshpande2001]."""

    def struts(self) -> np.ndarray:
        centres = [np.full(3, 0.5) + sign * 0.5 * row for row in np.eye(3) for sign in (-1, 1)]
        edges = [
            [a, b] for a, b in itertools.combinations(centres, 2) if not np.isclose(np.linalg.norm(a - b), 1)
        ]
        return np.concatenate([FaceCentredCubic().struts(), np.array(edges)])


@final
@dataclasses.dataclass(frozen=True)
class DiamondCubic(AbstractTruss):
    """Struts along the bonds of the diamond crystal."""

    mirrored: ClassVar[bool] = False

    def struts(self) -> np.ndarray:
        sites = np.array([[0, 0, 0], [0.5, 0.5, 0], [0.5, 0, 0.5], [0, 0.5, 0.5]]) + 0.25
        bonds = np.array([[-1, -1, -1], [-1, 1, 1], [1, -1, 1], [1, 1, -1]]) / 4
        return np.array([[site, site + bond] for site in sites for bond in bonds])


def strut_distance(
    truss: AbstractTruss, edges: Sequence[float], coordinates: Sequence[np.ndarray]
) -> np.ndarray:
    """Distance to the nearest axis of a strut, in voxels; exact up to half the shortest edge.

    coordinates: of the points in units of the cell, per axis, to be broadcast; folded into the lower half of a
    mirrored cell. edges: of the cell, in voxels.
    """
    ends = truss.struts()
    shifts = np.array(list(itertools.product((-1, 0, 1), repeat=3)), dtype=float)
    ends = (ends[None] + shifts[:, None, None]).reshape(-1, 2, 3)
    reach = 0.5 * min(edges) / np.array(edges)
    upper = 0.5 if truss.mirrored else 1.0
    near = np.all((ends.min(axis=1) <= upper + reach) & (ends.max(axis=1) >= -reach), axis=1)
    ends = ends[near]

    nearest = np.full(np.broadcast_shapes(*[c.shape for c in coordinates]), np.inf)
    for first, last in ends * np.array(edges):
        along = last - first
        offset = [c * edge - start for c, edge, start in zip(coordinates, edges, first, strict=True)]
        place = sum(o * a for o, a in zip(offset, along, strict=True)) / np.dot(along, along)
        np.clip(place, 0, 1, out=place)
        square = sum((o - place * a) ** 2 for o, a in zip(offset, along, strict=True))
        np.minimum(nearest, square, out=nearest)
    return np.sqrt(nearest)
