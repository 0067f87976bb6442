"""Segments in a periodic box: how near are they, and where do capsules around them touch?"""

from __future__ import annotations

from typing import TYPE_CHECKING, final

import numpy as np

from scalebridge.core.errors import ImageError
from scalebridge.microstructure.generators.collective_rearrangement import NeighbourList, nearest_image
from scalebridge.microstructure.generators.rigid_bodies import Contacts, State

if TYPE_CHECKING:
    from jaxtyping import Float, Num

_MOST_TRIES = 5000
_MOST_OVERLAPS = 2e8  # computed for a start


def closest_points(
    apart: np.ndarray, first: np.ndarray, second: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Places s, t in [-1, 1] (m,) of the nearest points of two segments, and the vector between them (m, d).

    The segments are s * first and apart + t * second (m, d): their middles are `apart` from each other.
    """
    a, e = np.sum(first * first, axis=1), np.sum(second * second, axis=1)
    b, c, f = np.sum(first * second, axis=1), np.sum(first * apart, axis=1), np.sum(second * apart, axis=1)
    skew = a * e - b * b
    parallel = skew < 1e-9 * a * e
    s = np.clip(np.where(parallel, 0.0, (c * e - b * f) / np.where(parallel, 1.0, skew)), -1, 1)
    t = np.clip((b * s - f) / e, -1, 1)
    # Where t was cut off, s follows, and the other way round once more.
    s = np.clip((b * t + c) / a, -1, 1)
    t = np.clip((b * s - f) / e, -1, 1)
    return s, t, apart + t[:, None] * second - s[:, None] * first


@final
class CapsuleContacts:
    """Contacts of rigid straight fibres, each cut into equal pieces: all points within a radius of a segment.

    places (k,): middles of the pieces along the axis in voxels from the fibre's centre, by piece; fibres (k,): which
    fibre a piece belongs to; half (k,): half lengths of the pieces. The fibres run along their frames' first columns.
    """

    def __init__(
        self,
        fibres: np.ndarray,
        places: np.ndarray,
        half: np.ndarray,
        radius: float,
        edges: np.ndarray,
        margin: float,
    ) -> None:
        self._fibres, self._places, self._half = fibres, places, half
        self._edges, self._distance = edges, 2 * radius + margin
        reach = 2 * float(np.max(half)) + self._distance
        self._neighbours = NeighbourList(
            reach, edges, 0.7 * radius, lambda pairs: fibres[pairs[:, 0]] != fibres[pairs[:, 1]]
        )

    def __call__(self, state: State) -> Contacts:
        centres, frames = state
        axes = frames[self._fibres, :, 0]
        middles = centres[self._fibres] + self._places[:, None] * axes
        i, j = self._neighbours.pairs(middles).T
        apart = nearest_image(middles[j] - middles[i], self._edges)
        within = self._half[i] + self._half[j] + self._distance
        near = np.flatnonzero(np.einsum("ij,ij->i", apart, apart) < within**2)
        i, j = i[near], j[near]
        along_i, along_j = self._half[i, None] * axes[i], self._half[j, None] * axes[j]
        s, t, gap = closest_points(apart[near], along_i, along_j)
        square = np.einsum("ij,ij->i", gap, gap)
        hit = np.flatnonzero(square < self._distance**2)
        i, j = i[hit], j[hit]
        distance = np.sqrt(square[hit])
        normal = gap[hit] / np.maximum(distance, 1e-9)[:, None]
        # Crossing axes give no direction: apart along the common normal, or along the middles' difference.
        crossed = distance < 1e-9
        normal[crossed] = _any_normal(axes[i[crossed]], axes[j[crossed]])
        first_arm = (self._places[i] + s[hit] * self._half[i])[:, None] * axes[i]
        second_arm = (self._places[j] + t[hit] * self._half[j])[:, None] * axes[j]
        return Contacts(
            self._fibres[i], self._fibres[j], normal, self._distance - distance, first_arm, second_arm
        )


def uncrossed(
    axes: Num[np.ndarray, "n 2"],
    spans: Num[np.ndarray, " n"],
    edges: Num[np.ndarray, " 2"],
    radius: float,
    random: np.random.Generator,
) -> Float[np.ndarray, "n 2"]:
    """Random centres (n, 2) of plane segments with these directions and lengths, none of which cross.

    One after the other, each a tenth of the radius off the others at least. Fails when one finds no place (ImageError).
    """
    centres = np.empty((len(axes), 2))
    shifts = np.stack(np.meshgrid([-1, 0, 1], [-1, 0, 1], indexing="ij"), axis=-1).reshape(-1, 2) * edges
    half = 0.5 * spans[:, None] * axes
    for number in range(len(axes)):
        for _ in range(_MOST_TRIES):
            new = random.random(2) * edges
            apart = (new - centres[:number, None] + shifts).reshape(-1, 2)
            other = np.repeat(half[:number], len(shifts), axis=0)
            gap = closest_points(apart, other, np.broadcast_to(half[number], other.shape))[2]
            if np.all(np.sum(gap**2, axis=1) > (0.1 * radius) ** 2):
                centres[number] = new
                break
        else:
            raise ImageError(
                f"No place without crossing is left after {number} of {len(axes)} fibres. Take a smaller fraction or "
                "shorter fibres."
            )
    return centres


def least_overlapping(
    axes: Num[np.ndarray, "n d"], edges: Num[np.ndarray, " d"], distance: float, random: np.random.Generator
) -> Float[np.ndarray, "n d"]:
    """Random centres (n, d) of fibres through a periodic box along its axes, each placed where it overlaps least.

    axes (n, d): unit vectors along those of the box. Two fibres of different directions pass each other at the one
    coordinate left, and cannot change sides later: thrown without looking, many layers of both directions would jam.
    """
    count, dimensions = axes.shape
    centres, across = np.empty(axes.shape), np.abs(axes) < 0.5
    candidates = int(np.clip(_MOST_OVERLAPS / count**2, 4, 200))
    placed: list[int] = []
    for fibre in random.permutation(count):
        tried = random.random((candidates, dimensions)) * edges
        apart = nearest_image(tried[:, None] - centres[placed], edges) * (across[fibre] & across[placed])
        depth = np.maximum(distance - np.linalg.norm(apart, axis=2), 0)
        centres[fibre] = tried[np.argmin(np.sum(depth**2, axis=1))]
        placed.append(int(fibre))
    return centres


def _any_normal(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Unit vectors perpendicular to both (3-D), or to the first (2-D)."""
    if first.shape[1] == 2:
        return np.stack([-first[:, 1], first[:, 0]], axis=1)
    common = np.cross(first, second)
    length = np.linalg.norm(common, axis=1, keepdims=True)
    other = np.cross(first, np.eye(3)[np.argmin(np.abs(first), axis=1)])
    common = np.where(length > 1e-6, common, other)
    return common / np.linalg.norm(common, axis=1, keepdims=True)
