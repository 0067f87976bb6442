"""Curved fibres that do not overlap: bending random walks, moved apart."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, ClassVar, final

import numpy as np

from scalebridge.core.errors import ImageError
from scalebridge.core.memory import check_fits
from scalebridge.microstructure.generators.collective_rearrangement import (
    NeighbourList,
    Rearranged,
    nearest_image,
    rearrange,
    scatter,
)
from scalebridge.microstructure.generators.fibres import capsule_volume, check_fibres, fitted_radius
from scalebridge.microstructure.generators.generator import Realization, checked_shape
from scalebridge.microstructure.generators.orientation_distribution import (
    Tensor,
    checked_orientation,
    draw_axes,
    frames_along,
    match_orientation,
    tensor_statistics,
)
from scalebridge.microstructure.generators.oriented_bodies import AbstractOrientedBodies, torus_of
from scalebridge.microstructure.generators.segments import closest_points
from scalebridge.microstructure.generators.voxelization import AbstractBody, Capsule
from scalebridge.microstructure.spacing import Spacing

if TYPE_CHECKING:
    from jaxtyping import Float, Num

_MARGIN = 1e-2  # of the radius, by which fibres are kept apart beyond what is asked for
_MOST_STEPS = 4000
_PIECE = 2.0  # distance of the nodes in radii
_BOND, _BEND = 1.0, 0.3  # stiffness of a fibre's length and of its shape, against one for overlap


@final
@dataclasses.dataclass(frozen=True)
class CurvedFibres(AbstractOrientedBodies):
    """Bent round fibres (2-D: strips), label 1, that do not overlap, in a matrix, label 0.

    fraction, radius, gap, separate, match_voxels: as for StraightFibres. length: along the fibre, from tip to tip; it
    may exceed the shape, around which a fibre then winds.
    orientation: tensor <t t^T> of all tangents (None: isotropic). persistence, faithfulness: each step of a fibre
    follows a von Mises-Fisher distribution around persistence * last direction + faithfulness * main direction, so
    that large values make it smooth and straight. In steps of two radii.
    separate: the frame of a fibre is that of its chord.

    The walks are moved apart, their lengths and shapes held by springs; lengths and tangents reached are told.
    Not periodic: a window of a larger medium. 2-D fibres are lifted nowhere: only low fractions can be reached.
    Fails when: the fraction cannot be reached (ImageError with the overlap left), or the shape is too small.
    """

    bodies_are: ClassVar[str] = "fibres"

    shape: tuple[int, ...]
    fraction: float
    radius: float
    length: float
    orientation: Tensor | None = None
    persistence: float = 50.0
    faithfulness: float = 5.0
    gap: float = 0.0
    separate: bool = False
    match_voxels: bool = True
    periodic: bool = True
    spacing: Spacing = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "shape", checked_shape(self.shape))
        who = type(self).__name__
        checked_orientation(who, self.orientation, len(self.shape))
        check_fibres(who, self.shape, self.fraction, self.radius, self.length, self.gap, self.periodic)
        if not 0 < self.persistence < math.inf or not 0 <= self.faithfulness < math.inf:
            raise ImageError(
                f"{who}: persistence must be positive and faithfulness not negative, got {self.persistence!r} and "
                f"{self.faithfulness!r}."
            )

    def _torus(self) -> tuple[int, ...]:
        margin = max(min(self.length, 30 * self.radius), 12 * self.radius - min(self.shape))
        return torus_of(self.shape, self.periodic, margin)

    def targets(self) -> dict[str, float]:
        size = {"fibre radius": float(self.radius), "mean fibre length": float(self.length)}
        return {self._name: self.fraction, **size, **tensor_statistics(self._tensor)}

    def estimate_bytes(self) -> int:
        nodes = self.fraction * math.prod(self._torus())
        nodes /= (
            _PIECE * self.radius * capsule_volume(self.radius, self.length, len(self.shape)) / self.length
        )
        return self._drawn_bytes(nodes, 8000, (1 + _PIECE / 2.3) * self.radius)

    def _walks(self, count: int, steps: int, step: float, random: np.random.Generator) -> np.ndarray:
        """Nodes (count, steps + 1, d) of the fibres, starting anywhere in the box."""
        edges, tensor = np.array(self._torus(), dtype=float), self._tensor
        main = draw_axes(count, tensor, random)
        directions = np.empty((count, steps, len(edges)))
        last = main
        for k in range(steps):
            mean = self.persistence * last + self.faithfulness * main
            last = directions[:, k] = _around(mean, random)
        matched = match_orientation(directions.reshape(-1, len(edges)), tensor)
        walk = np.cumsum(step * matched.reshape(directions.shape), axis=1)
        nodes = np.concatenate([np.zeros((count, 1, len(edges))), walk], axis=1)
        return nodes + (random.random((count, len(edges))) * edges - nodes.mean(axis=1))[:, None]

    def fibres(self, seed: int) -> tuple[np.ndarray, float]:
        """Nodes (fibres, nodes, d) of the centre lines, and the radius, in voxels."""
        random, edges = np.random.default_rng(seed), np.array(self._torus(), dtype=float)
        d, who = len(self.shape), type(self).__name__
        volume = self.fraction * math.prod(edges)
        count = max(1, round(volume / capsule_volume(self.radius, self.length, d)))
        radius = fitted_radius(volume, np.full(count, self.length), self.radius, d, True, who)
        steps = max(2, math.ceil((self.length - 2 * radius) / (_PIECE * radius)))
        nodes = self._walks(count, steps, (self.length - 2 * radius) / steps, random)
        margin = _MARGIN * radius
        moved = separate_chains(nodes, radius + 0.5 * self.gap, edges, margin)
        if moved.depth > margin:
            raise ImageError(
                f"{who}: the fraction {self.fraction:g} is not reached; after {moved.steps} steps fibres of diameter "
                f"{2 * radius:.3g} voxels still overlap by {moved.depth - margin:.3g}. Take a smaller fraction or gap, "
                "or straighter fibres."
            )
        return moved.state.reshape(nodes.shape), radius

    def realize(self, seed: int) -> Realization:
        check_fits(self.estimate_bytes(), f"Fibres in {self.shape} voxels", "Take a smaller shape.")
        nodes, radius = self.fibres(seed)
        bonds, middles = np.diff(nodes, axis=1), 0.5 * (nodes[:, 1:] + nodes[:, :-1])
        chords = nodes[:, -1] - nodes[:, 0]
        frames = frames_along(chords / np.maximum(np.linalg.norm(chords, axis=1, keepdims=True), 1e-9))

        def groups() -> Iterator[list[AbstractBody]]:
            return (
                [Capsule(m, a, radius) for m, a in zip(*fibre, strict=True)]
                for fibre in zip(middles, 0.5 * bonds, strict=True)
            )

        drawn = self._drawn(groups, frames)
        lengths = np.linalg.norm(bonds, axis=2)
        tensor = np.einsum("nki,nkj->ij", bonds, bonds / lengths[..., None]) / np.sum(lengths)
        words = f"{len(nodes)} curved fibres of radius {radius * drawn.scale:.4g} voxels, "
        words += f"mean length {np.mean(np.sum(lengths, axis=1)) + 2 * radius:.4g}"
        noted = {
            "fibre radius": float(radius) * drawn.scale,
            "mean fibre length": float(np.mean(np.sum(lengths, axis=1)) + 2 * radius),
        }
        return self._realization(
            drawn.labels, seed, words, drawn.orientations, noted | tensor_statistics(tensor)
        )


def _around(mean: Num[np.ndarray, "n d"], random: np.random.Generator) -> Float[np.ndarray, "n d"]:
    """Unit vectors (n, d) from von Mises-Fisher distributions: mean (n, d) is concentration times mean direction."""
    concentration = np.maximum(np.linalg.norm(mean, axis=1), 1e-9)
    frames = frames_along(mean / concentration[:, None])
    if mean.shape[1] == 2:
        angle = random.vonmises(0.0, concentration)
        return np.einsum("nij,nj->ni", frames, np.stack([np.cos(angle), np.sin(angle)], axis=1))
    uniform = random.random(len(mean))
    # The cosine's distribution function is exp(k (w - 1)) up to a constant, and is inverted.
    cosine = 1 + np.log(uniform + (1 - uniform) * np.exp(-2 * concentration)) / concentration
    sine = np.sqrt(np.maximum(0, 1 - cosine**2))
    angle = 2 * np.pi * random.random(len(mean))
    local = np.stack([cosine, sine * np.cos(angle), sine * np.sin(angle)], axis=1)
    return np.einsum("nij,nj->ni", frames, local)


def separate_chains(
    fibres: Num[np.ndarray, "n nodes d"], radius: float, edges: Num[np.ndarray, " d"], margin: float
) -> Rearranged:
    """Moves chains of capsules (n, nodes, d) apart; springs hold the distances of first and second neighbours.

    Pieces of one fibre see each other too, unless they are so near along it that they must touch.
    """
    count, length, d = fibres.shape
    start = fibres.reshape(-1, d)
    node = np.arange(count * length).reshape(count, length)
    piece = node[:, :-1].reshape(-1)  # a piece runs from its node to the next
    springs = []
    for stride, stiffness in ((1, _BOND), (2, _BEND)):
        here, there = node[:, :-stride].reshape(-1), node[:, stride:].reshape(-1)
        springs.append((here, there, np.linalg.norm(start[there] - start[here], axis=1), stiffness))
    step = float(np.mean(springs[0][2]))
    near_along = math.ceil(math.pi * radius / step) + 1
    distance = 2 * radius + margin

    def keep(pairs: np.ndarray) -> np.ndarray:
        fibre, place = np.divmod(piece[pairs], length)
        return (fibre[:, 0] != fibre[:, 1]) | (np.abs(place[:, 0] - place[:, 1]) > near_along)

    neighbours = NeighbourList(1.1 * step + distance, edges, 0.6 * radius, keep)

    def forces(points: np.ndarray) -> tuple[np.ndarray, float]:
        half = 0.5 * (points[piece + 1] - points[piece])
        middles = points[piece] + half
        i, j = neighbours.pairs(middles).T
        apart = nearest_image(middles[j] - middles[i], edges)
        close = np.flatnonzero(np.einsum("ij,ij->i", apart, apart) < (1.1 * step + distance) ** 2)
        i, j = i[close], j[close]
        s, t, gap = closest_points(apart[close], half[i], half[j])
        between = np.linalg.norm(gap, axis=1)
        hit = np.flatnonzero(between < distance)
        i, j, s, t, between = i[hit], j[hit], s[hit], t[hit], np.maximum(between[hit], 1e-9)
        push = gap[hit] * ((distance - between) / between)[:, None]
        parts = []
        for ends, place, force in ((j, t, push), (i, s, -push)):
            first = 0.5 * (1 - place)[:, None]
            parts += [(piece[ends], first * force), (piece[ends] + 1, (1 - first) * force)]
        for here, there, rest, stiffness in springs:
            bond = points[there] - points[here]
            now = np.maximum(np.linalg.norm(bond, axis=1, keepdims=True), 1e-9)
            pull = stiffness * (1 - rest[:, None] / now) * bond
            parts += [(here, pull), (there, -pull)]
        depth = float(np.max(distance - between)) if len(hit) else 0.0
        return scatter(len(points), *parts), depth

    return rearrange(
        start,
        forces,
        lambda points, move: points + move,
        tolerance=margin,
        most_steps=_MOST_STEPS,
        longest_move=0.3 * radius,
    )
