"""Collective rearrangement: bodies placed at random move apart, all at once, until none overlap.

The sum of squared overlap depths is descended with momentum (the fast inertial relaxation of [bitzek2006]); it
vanishes where nothing overlaps. Unlike placing one body after the other, this reaches fractions up to random close
packing, as the force-biased algorithm of [bezrukov2002] does.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, final

import numpy as np
import scipy.spatial

if TYPE_CHECKING:
    from jaxtyping import Float, Num

# Parameters of the inertial relaxation, as its authors recommend them; the time step fits unit stiffness.
_STEP, _LARGEST_STEP, _MIXING = 0.1, 0.35, 0.1
_FASTER, _SLOWER, _LESS_MIXING, _PATIENCE = 1.1, 0.5, 0.99, 5


def nearest_image(difference: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """Difference vectors (..., d) to the nearest image in a periodic box."""
    return difference - np.round(difference / edges) * edges


def clearance(
    points: Num[np.ndarray, "n d"], radii: Num[np.ndarray, " n"], edges: Num[np.ndarray, " d"]
) -> float:
    """The smallest ratio of distance to sum of radii: all balls can be scaled by it without overlap (inf: alone)."""
    tree = scipy.spatial.cKDTree(np.mod(points, edges), boxsize=edges)
    pairs = tree.query_pairs(3 * float(np.max(radii)), output_type="ndarray")
    if not len(pairs):
        return float("inf")
    i, j = pairs.T
    apart = np.linalg.norm(nearest_image(points[j] - points[i], edges), axis=1)
    return float(np.min(apart / (radii[i] + radii[j])))


@final
class NeighbourList:
    """Pairs of points closer than `reach` in a periodic box, sought again only when points have moved by half a skin.

    keep: which of the pairs (m, 2) can interact at all.
    """

    def __init__(
        self,
        reach: float,
        edges: np.ndarray,
        skin: float,
        keep: Callable[[np.ndarray], np.ndarray] | None = None,
    ) -> None:
        # A pair is one pair only where no second image of a point is within reach.
        self._reach = min(reach + skin, 0.4999 * float(np.min(edges)))
        self._edges, self._skin, self._keep = edges, skin, keep
        self._points: np.ndarray | None = None
        self._pairs = np.empty((0, 2), np.intp)

    def pairs(self, points: np.ndarray) -> np.ndarray:
        """(m, 2) indices, a superset of the pairs within reach."""
        if self._points is not None:
            moved = np.max(np.sum(nearest_image(points - self._points, self._edges) ** 2, axis=1))
            if 4 * moved < self._skin**2:
                return self._pairs
        # Rounding may bring a coordinate onto the edge itself, which the tree refuses.
        wrapped = np.minimum(np.mod(points, self._edges), np.nextafter(self._edges, 0))
        tree = scipy.spatial.cKDTree(wrapped, boxsize=self._edges)
        pairs = tree.query_pairs(self._reach, output_type="ndarray")
        # The order depends on the tree; sums are to depend on the points only.
        pairs = pairs[np.lexsort((pairs[:, 1], pairs[:, 0]))]
        self._points, self._pairs = points, pairs if self._keep is None else pairs[self._keep(pairs)]
        return self._pairs


@final
@dataclasses.dataclass(frozen=True, eq=False)
class Rearranged:
    """Where the bodies came to lie, the deepest overlap left, and after how many steps."""

    state: Any
    depth: float
    steps: int


def rearrange(
    state: Any,
    forces: Callable[[Any], tuple[np.ndarray, float]],
    advance: Callable[[Any, np.ndarray], Any],
    *,
    tolerance: float,
    most_steps: int,
    longest_move: float,
) -> Rearranged:
    """Moves a state along its forces until the deepest overlap is at most `tolerance`, or steps are used up.

    forces(state): generalized forces (n, k), and the deepest overlap. advance(state, move): the state moved by
    (n, k). longest_move: of one body in one step, which keeps the first steps from wild points tame.
    """
    velocity: np.ndarray | None = None
    step, mixing, downhill = _STEP, _MIXING, 0
    for count in range(most_steps + 1):
        force, depth = forces(state)
        if depth <= tolerance or count == most_steps:
            return Rearranged(state, depth, count)
        velocity = np.zeros_like(force) if velocity is None else velocity
        # Plain sums, not BLAS: their order, and with it the image, must not depend on the number of threads.
        if np.sum(force * velocity) > 0:
            share = np.sqrt(np.sum(velocity**2) / max(float(np.sum(force**2)), 1e-300))
            velocity = (1 - mixing) * velocity + mixing * share * force
            downhill += 1
            if downhill > _PATIENCE:
                step, mixing = min(step * _FASTER, _LARGEST_STEP), mixing * _LESS_MIXING
        else:
            velocity, step, mixing, downhill = np.zeros_like(force), step * _SLOWER, _MIXING, 0
            step = max(step, 0.02)
        velocity = velocity + step * force
        move = step * velocity
        farthest = float(np.max(np.linalg.norm(move, axis=1)))
        if farthest > longest_move:
            move *= longest_move / farthest
            velocity *= longest_move / farthest
        state = advance(state, move)
    raise AssertionError("unreachable")


def scatter(count: int, *parts: tuple[np.ndarray, np.ndarray]) -> np.ndarray:
    """Sums of vectors (m, k) per index (m,), for several such lists."""
    index = np.concatenate([i for i, _ in parts])
    vectors = np.concatenate([v for _, v in parts])
    columns = [np.bincount(index, weights=column, minlength=count) for column in vectors.T]
    return np.stack(columns, axis=1)


def separate_balls(
    points: Num[np.ndarray, "n d"],
    radii: Num[np.ndarray, " n"],
    edges: Num[np.ndarray, " d"],
    *,
    margin: float,
    most_steps: int,
) -> Rearranged:
    """Moves balls in a periodic box apart: centres (n, d) so that |x_i - x_j| >= r_i + r_j.

    margin: extra distance aimed at, within which the iteration stops. The state returned is the centres.
    """
    widest = 2 * float(np.max(radii)) + margin
    neighbours = NeighbourList(widest, edges, 0.3 * float(np.mean(radii)))

    def forces(centres: np.ndarray) -> tuple[np.ndarray, float]:
        i, j = neighbours.pairs(centres).T
        apart = nearest_image(centres[j] - centres[i], edges)
        square = np.einsum("ij,ij->i", apart, apart)
        near = np.flatnonzero(square < (radii[i] + radii[j] + margin) ** 2)
        if not len(near):
            return np.zeros_like(centres), 0.0
        i, j, apart = i[near], j[near], apart[near]
        distance = np.maximum(np.sqrt(square[near]), 1e-12)
        depth = radii[i] + radii[j] + margin - distance
        push = apart * (depth / distance)[:, None]
        return scatter(len(centres), (j, push), (i, -push)), float(np.max(depth))

    return rearrange(
        points,
        forces,
        lambda centres, move: centres + move,
        tolerance=margin,
        most_steps=most_steps,
        longest_move=0.3 * float(np.min(radii)),
    )


def shake_balls(
    points: Num[np.ndarray, "n d"],
    radii: Num[np.ndarray, " n"],
    edges: Num[np.ndarray, " d"],
    sweeps: int,
    random: np.random.Generator,
) -> Float[np.ndarray, "n d"]:
    """Hard balls moved at random where there is room (Metropolis), towards their equilibrium at this fraction.

    Moving apart leaves many pairs just touching; shaking takes that mark of the algorithm away. In each sweep a
    random set of balls moves, no two of them neighbours, so that the moves do not see each other.
    """
    longest, shortest = 0.3 * float(np.mean(radii)), 1e-3 * float(np.mean(radii))
    length = longest
    neighbours = NeighbourList(2 * float(np.max(radii)) + length, edges, 0.6 * float(np.mean(radii)))
    for _ in range(sweeps):
        move = random.uniform(-length, length, points.shape) / np.sqrt(points.shape[1])
        priority = random.permutation(len(points))
        i, j = neighbours.pairs(points).T
        free = np.ones(len(points), bool)
        free[np.where(priority[i] < priority[j], i, j)] = False
        trial = np.where(free[:, None], points + move, points)
        apart = nearest_image(trial[j] - trial[i], edges)
        hit = np.einsum("ij,ij->i", apart, apart) < (radii[i] + radii[j]) ** 2
        blocked = np.zeros(len(points), bool)
        blocked[i[hit]] = blocked[j[hit]] = True
        moved = free & ~blocked
        points = np.where(moved[:, None], trial, points)
        often = 2 * np.count_nonzero(moved) > np.count_nonzero(free)
        length = min(max(length * (1.05 if often else 0.95), shortest), longest)
    return points
