"""Minkowski functionals: volume, surface, integral of mean curvature and Euler number of a phase.

All are sums over the 2 x 2 (x 2) configurations of voxels, each with a fixed weight [ohser2000; lang2001]. Surface
and curvature follow from Crofton's formulae in 13 directions (4 in the plane): crossings of lines, and Euler numbers
of plane sections, averaged over the directions with the solid angle nearest to each. On curved or randomly oriented
surfaces that is right to a percent or two, where voxel stairs are wrong by a half; a plane face along the voxels is
underestimated by 7 % (in 2-D 5 %), in the worst other direction overestimated by 3 %. Curvature and Euler number are
right for smooth surfaces (curvature of straight rods within 8 %); the sharp inward edges where bodies overlap are not
resolved by configurations and bias both at any resolution [ohser2009].
"""

from __future__ import annotations

import dataclasses
import functools
import itertools
import math
from typing import TYPE_CHECKING, final

import numpy as np
import scipy.spatial

from scalebridge.core.errors import ImageError
from scalebridge.grid import PhaseImage
from scalebridge.microstructure.statistics.indicator import indicator

if TYPE_CHECKING:
    from jaxtyping import Bool, Float, Integer


@final
@dataclasses.dataclass(frozen=True)
class MinkowskiFunctionals:
    """Densities per unit volume (in 2-D per unit area) of one phase.

    fraction: volume fraction. surface: area per volume, 1/m (in 2-D length of the boundary per area).
    mean_curvature: integral of the mean curvature per volume, 1/m^2; None in 2-D. Positive for a convex body, and
    that of everything else with the opposite sign.
    euler_face, euler_corner: Euler number (pieces - tunnels + cavities; in 2-D pieces - holes) per volume, when voxels
    hang together by faces (6; in 2-D 4) or already by corners (26; in 2-D 8). The other phases then hang together by
    corners, or by faces. volume: of all places that were counted; a density times it is the total of one body that
    does not touch the border.
    """

    fraction: float
    surface: float
    mean_curvature: float | None
    euler_face: float
    euler_corner: float
    volume: float

    @property
    def euler(self) -> float:
        """The mean of both Euler numbers: fair to both phases where the image leaves open what hangs together."""
        return 0.5 * (self.euler_face + self.euler_corner)


def minkowski_functionals(image: PhaseImage, label: int, *, periodic: bool) -> MinkowskiFunctionals:
    """Densities of the Minkowski functionals of phase `label`.

    Not periodic: only configurations inside the image count, so that its border is no surface and the densities are
    those of the medium. Lengths are in m where the spacing is known, else in voxels.
    Fails when: the label does not occur, or an axis has a single voxel and is not periodic (ImageError).
    """
    shape, size = image.grid.shape, image.grid.cell_size
    if not periodic and min(shape) < 2:
        raise ImageError(f"Configurations of neighbours need two voxels per axis, got the shape {shape}.")
    counts = configurations(indicator(image, label), periodic=periodic)
    places = float(counts.sum())
    mean = counts / places  # of any weight over all places: mean @ weights
    voxel = math.prod(size)
    fraction = image.counts[label] / image.grid.size
    euler = [float(mean @ table) / voxel for table in _euler_weights(image.grid.ndim)]
    surface = float(mean @ _surface_weights(size))
    curvature = float(mean @ _curvature_weights(size)) if image.grid.ndim == 3 else None
    return MinkowskiFunctionals(fraction, surface, curvature, euler[0], euler[1], places * voxel)


def configurations(
    mask: Bool[np.ndarray, "*shape"], *, periodic: bool
) -> Integer[np.ndarray, " configurations"]:
    """How often each 2 x 2 (x 2) configuration occurs. Shape (16,) or (256,), bit 4 i + 2 j + k for voxel (i, j, k).

    Periodic images have as many places as voxels, others one less per axis.
    """
    ndim = mask.ndim
    counts = np.zeros(1 << (1 << ndim), np.int64)
    width = 1 << (ndim - 1)

    def corners(plane: np.ndarray) -> np.ndarray:
        code = plane.astype(np.uint8)
        for axis in range(plane.ndim - 1, -1, -1):
            here = np.concatenate([code, np.take(code, [0], axis=axis)], axis=axis) if periodic else code
            low = np.take(here, range(here.shape[axis] - 1), axis=axis)
            high = np.take(here, range(1, here.shape[axis]), axis=axis)
            code = low | high << (1 << (plane.ndim - 1 - axis))
        return code

    first = previous = corners(mask[0])
    for index in range(1, len(mask) + int(periodic)):
        plane = corners(mask[index]) if index < len(mask) else first
        counts += np.bincount((previous | plane << width).ravel(), minlength=len(counts))
        previous = plane
    return counts


@functools.cache
def _corner_bits(ndim: int) -> Bool[np.ndarray, "configurations *corners"]:
    """(configurations, 2, ..., 2): which corners each configuration has."""
    codes = np.arange(1 << (1 << ndim))
    bits = (codes[:, None] >> np.arange(1 << ndim)) & 1
    return bits.reshape(-1, *(2,) * ndim).astype(bool)


def _corner(ndim: int, point: tuple[int, ...]) -> np.ndarray:
    held = _corner_bits(ndim)
    for value in point:
        held = held[:, value]
    return held


def _cells(ndim: int) -> list[list[tuple[int, ...]]]:
    """The faces of the cube of 2 (x 2 x 2) voxel centres of all dimensions, as lists of their corners."""
    faces = []
    for fixed in itertools.product((0, 1, None), repeat=ndim):
        free = [k for k, v in enumerate(fixed) if v is None]
        corners = []
        for choice in itertools.product((0, 1), repeat=len(free)):
            values = dict(zip(free, choice, strict=True))
            corners.append(
                tuple(values[k] if v is None else v for k, v in enumerate(fixed))  # type: ignore[misc]
            )
        faces.append(corners)
    return faces


@functools.cache
def _euler_weights(
    ndim: int,
) -> tuple[Float[np.ndarray, " configurations"], Float[np.ndarray, " configurations"]]:
    """Euler number per place, by face and by corner neighbours.

    By face neighbours: vertices are the voxels, and an edge, square or cube is there when all its voxels are. By
    corners: the closed voxels themselves; dually, one of their faces is there when any voxel around it is. A cell of
    dimension p is shared by 2^(d - p) places.
    """
    by_face, by_corner = np.zeros(1 << (1 << ndim)), np.zeros(1 << (1 << ndim))
    for corners in _cells(ndim):
        dimension = round(math.log2(len(corners)))
        held = np.stack([_corner(ndim, point) for point in corners])
        share = 0.5 ** (ndim - dimension)
        by_face += (-1) ** dimension * share * held.all(axis=0)
        by_corner += (-1) ** (ndim - dimension) * share * held.any(axis=0)
    return by_face, by_corner


@functools.cache
def _surface_weights(size: tuple[float, ...]) -> Float[np.ndarray, " configurations"]:
    """Area per place and voxel volume: 2 (in the plane pi / 2) times the crossings per length of isotropic lines."""
    ndim = len(size)
    steps = [s for s in itertools.product((-1, 0, 1), repeat=ndim) if s > (0,) * ndim]
    vectors = np.array(steps) * np.array(size)
    lengths = np.linalg.norm(vectors, axis=1)
    shares = direction_shares(vectors / lengths[:, None])
    weights = np.zeros(1 << (1 << ndim))
    for step, length, share in zip(steps, lengths, shares, strict=True):
        # All pairs of corners of the cube that are this step apart, averaged.
        pairs = []
        for point in itertools.product((0, 1), repeat=ndim):
            other = tuple(p + s for p, s in zip(point, step, strict=True))
            if all(v in (0, 1) for v in other):
                pairs.append(_corner(ndim, point) ^ _corner(ndim, other))
        weights += share / length * np.mean(pairs, axis=0)
    return weights * (2.0 if ndim == 3 else math.pi / 2)


@functools.cache
def _curvature_weights(size: tuple[float, ...]) -> np.ndarray:
    """Integral of mean curvature per place and voxel volume: 2 pi times the Euler number per area of plane sections.

    Nine rectangular and four triangular lattices of voxel centres. On rectangles the mean of both neighbourhoods is
    taken; triangles need no choice. The complement then has exactly the opposite curvature.
    """
    h = np.array(size)
    normals, densities = [], []
    for axis in range(3):  # squares of four neighbours, two of them in each cube
        u, v = (np.eye(3)[k] * h for k in range(3) if k != axis)
        quads = []
        for side in (0, 1):
            corners = [np.insert(c, axis, side) for c in itertools.product((0, 1), repeat=2)]
            quads.append(_section_of_rectangle([tuple(int(i) for i in c) for c in corners]))
        normals.append(np.cross(u, v))
        densities.append(np.mean(quads, axis=0) / np.linalg.norm(np.cross(u, v)))
    for axis in range(3):  # rectangles through two opposite edges
        j, k = (i for i in range(3) if i != axis)
        for sign in (1, -1):
            diagonal = np.zeros(3)
            diagonal[j], diagonal[k] = h[j], sign * h[k]
            edge = np.eye(3)[axis] * h
            start = (0, 0) if sign == 1 else (0, 1)
            around: list[tuple[int, ...]] = []
            for along, across in itertools.product((0, 1), repeat=2):
                point = [0, 0, 0]
                point[axis] = along
                point[j] = across
                point[k] = start[1] + sign * across
                around.append(tuple(point))
            normals.append(np.cross(edge, diagonal))
            densities.append(_section_of_rectangle(around) / np.linalg.norm(np.cross(edge, diagonal)))
    for apex in itertools.product(
        (0, 1), repeat=2
    ):  # triangles of the neighbours of a corner, and of its opposite
        corner = (0, *apex)
        area, euler, normal = 0.0, np.zeros(256), np.zeros(3)
        for middle in (corner, tuple(1 - v for v in corner)):
            points = [tuple(v ^ int(i == k) for i, v in enumerate(middle)) for k in range(3)]
            position = np.array(points) * h
            normal = np.cross(position[1] - position[0], position[2] - position[0])
            area += 0.5 * float(np.linalg.norm(normal))
            euler += _section_of_triangle(points)
        normals.append(normal)
        densities.append(euler / area)
    directions = np.array(normals)
    directions /= np.linalg.norm(directions, axis=1)[:, None]
    return 2 * math.pi * np.einsum("k,kc->c", direction_shares(directions), np.array(densities))


def _section_of_rectangle(corners: list[tuple[int, ...]]) -> np.ndarray:
    """Euler number of one mesh of a rectangular lattice; corners in the order (0, 0), (0, 1), (1, 0), (1, 1)."""
    held = [_corner(3, point).astype(float) for point in corners]
    vertices = sum(held) / 4
    edges = sum(held[a] * held[b] for a, b in ((0, 1), (2, 3), (0, 2), (1, 3))) / 2
    by_edge = vertices - edges + held[0] * held[1] * held[2] * held[3]
    empty = [1 - one for one in held]
    edges_empty = sum(empty[a] * empty[b] for a, b in ((0, 1), (2, 3), (0, 2), (1, 3))) / 2
    # In the plane the Euler number of a set by corners is that of its complement by edges, with the other sign.
    by_corner = -(sum(empty) / 4 - edges_empty + empty[0] * empty[1] * empty[2] * empty[3])
    return 0.5 * (by_edge + by_corner)


def _section_of_triangle(corners: list[tuple[int, ...]]) -> np.ndarray:
    a, b, c = (_corner(3, point).astype(float) for point in corners)
    return (a + b + c) / 6 - (a * b + b * c + c * a) / 2 + a * b * c


def direction_shares(directions: Float[np.ndarray, "n d"]) -> Float[np.ndarray, " n"]:
    """The part of all directions that is nearest to each of these axes (unit vectors, both senses). Sums to 1."""
    both = np.concatenate([directions, -directions])
    if both.shape[1] == 2:
        angle = np.arctan2(both[:, 1], both[:, 0])
        order = np.argsort(angle)
        gap = np.diff(np.append(angle[order], angle[order[0]] + 2 * math.pi))
        area = np.empty(len(both))
        area[order] = 0.5 * (gap + np.roll(gap, 1)) / (2 * math.pi)
    else:
        area = scipy.spatial.SphericalVoronoi(both).calculate_areas() / (4 * math.pi)
    return area[: len(directions)] + area[len(directions) :]
