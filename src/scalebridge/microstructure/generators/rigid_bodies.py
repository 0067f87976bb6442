"""Collective rearrangement of rigid bodies: they shift and turn until none overlap."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import final

import numpy as np

from scalebridge.microstructure.generators.collective_rearrangement import (
    NeighbourList,
    Rearranged,
    nearest_image,
    rearrange,
    scatter,
)


@final
@dataclasses.dataclass(frozen=True, eq=False)
class Contacts:
    """Overlapping pairs (m,): unit normals (m, d) from the first body to the second, depths (m,), and the points of
    contact (m, d) relative to each body's centre.
    """

    first: np.ndarray
    second: np.ndarray
    normal: np.ndarray
    depth: np.ndarray
    first_arm: np.ndarray
    second_arm: np.ndarray


State = tuple[np.ndarray, np.ndarray]
"""Centres (n, d) and frames (n, d, d), whose columns are the bodies' axes."""


def separate_rigid(
    state: State,
    contacts: Callable[[State], Contacts],
    sizes: np.ndarray | None,
    settle: Callable[[np.ndarray], np.ndarray],
    *,
    margin: float,
    most_steps: int,
    longest_move: float,
) -> Rearranged:
    """Moves bodies apart until no contact is deeper than `margin`, which `contacts` adds to every distance.

    sizes (n,): radii of gyration, by which turns are measured as moves; None: the bodies do not turn.
    settle: what frames are set to after every turn (a prescribed orientation tensor).
    """
    count, dimensions = state[0].shape

    def forces(now: State) -> tuple[np.ndarray, float]:
        found = contacts(now)
        if not len(found.first):
            return np.zeros((count, dimensions * (1 if sizes is None else 1 + dimensions))), 0.0
        push = found.normal * found.depth[:, None]
        parts = [(found.second, push), (found.first, -push)]
        if sizes is not None:
            parts = [
                (body, np.concatenate([force, _torque(force, arm)], axis=1))
                for (body, force), arm in zip(parts, (found.second_arm, found.first_arm), strict=True)
            ]
        total = scatter(count, *parts)
        if sizes is not None:
            total[:, dimensions:] /= np.sqrt(2) * sizes[:, None]
        return total, float(np.max(found.depth))

    def advance(now: State, move: np.ndarray) -> State:
        centres, frames = now
        if sizes is None:
            return centres + move, frames
        turn = np.sqrt(2) * move[:, dimensions:].reshape(-1, dimensions, dimensions) / sizes[:, None, None]
        return centres + move[:, :dimensions], settle(_turned(frames, turn))

    return rearrange(
        state, forces, advance, tolerance=margin, most_steps=most_steps, longest_move=longest_move
    )


def _torque(force: np.ndarray, arm: np.ndarray) -> np.ndarray:
    """The antisymmetric matrix force arm^T - arm force^T, flattened: a torque in any dimension."""
    outer = force[:, :, None] * arm[:, None, :]
    return (outer - np.swapaxes(outer, 1, 2)).reshape(len(force), -1)


def _turned(frames: np.ndarray, turn: np.ndarray) -> np.ndarray:
    """Cayley's rotation (1 - W/2)^-1 (1 + W/2) of every frame by its small antisymmetric W."""
    unit = np.eye(frames.shape[1])
    return np.linalg.solve(unit - 0.5 * turn, (unit + 0.5 * turn) @ frames)


@final
class EllipsoidContacts:
    """Contacts of ellipsoids by the contact function of Perram and Wertheim.

    With S = R diag(a^2) R^T of each body, F = max over x of x (1 - x) r^T [(1 - x) S_i + x S_j]^-1 r is the square of
    the factor by which both must be scaled to touch. Diagonalizing S_j in the metric of S_i makes it a sum.
    """

    def __init__(self, axes: np.ndarray, edges: np.ndarray, margin: float) -> None:
        self._axes, self._edges, self._margin = axes, edges, margin
        self._longest = np.max(axes, axis=1)
        reach = 2 * float(np.max(axes)) + margin
        self._neighbours = NeighbourList(reach, edges, 0.3 * float(np.mean(np.min(axes, axis=1))))

    def __call__(self, state: State) -> Contacts:
        centres, frames = state
        i, j = self._neighbours.pairs(centres).T
        apart = nearest_image(centres[j] - centres[i], self._edges)
        within = self._longest[i] + self._longest[j] + self._margin
        near = np.flatnonzero(np.einsum("ij,ij->i", apart, apart) < within**2)
        i, j, apart = i[near], j[near], apart[near]
        square, _, normal, arm = contact_function(apart, frames[i], self._axes[i], frames[j], self._axes[j])
        length = np.linalg.norm(normal, axis=1)
        normal = normal / length[:, None]
        factor = np.sqrt(square)
        # The distance of the parallel tangent planes at contact of the scaled bodies, less that of the true ones.
        depth = (1 / factor - 1) * np.einsum("ij,ij->i", apart, normal) + self._margin
        hit = np.flatnonzero(depth > 0)
        first_arm = arm[hit]
        return Contacts(i[hit], j[hit], normal[hit], depth[hit], first_arm, first_arm - apart[hit])


def contact_function(
    apart: np.ndarray,
    first_frames: np.ndarray,
    first_axes: np.ndarray,
    second_frames: np.ndarray,
    second_axes: np.ndarray,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Perram and Wertheim's F (m,), its place x (m,), the normal (m, d, not normalized) and the point of contact.

    apart (m, d): second centre minus first; the point (m, d) is relative to the first centre.
    """
    whiten = np.swapaxes(first_frames, 1, 2) / first_axes[:, :, None]
    other = whiten @ (second_frames * second_axes[:, None, :])
    stretch, basis = np.linalg.eigh(other @ np.swapaxes(other, 1, 2))
    inward = np.einsum("mkd,md->mk", whiten, apart)
    along = np.einsum("mkl,mk->ml", basis, inward)
    square = along**2

    def slope(x: np.ndarray) -> np.ndarray:
        weight = 1 - x[:, None] + x[:, None] * stretch
        return np.sum(square * ((1 - x[:, None]) ** 2 - x[:, None] ** 2 * stretch) / weight**2, axis=1)

    low, high = np.zeros(len(apart)), np.ones(len(apart))
    for _ in range(24):  # F is concave: its slope falls from positive to negative
        middle = 0.5 * (low + high)
        rising = slope(middle) > 0
        low, high = np.where(rising, middle, low), np.where(rising, high, middle)
    x = 0.5 * (low + high)
    weight = 1 - x[:, None] + x[:, None] * stretch
    value = x * (1 - x) * np.sum(square / weight, axis=1)
    solved = np.einsum("mkl,ml->mk", basis, along / weight)
    normal = np.einsum("mkd,mk->md", whiten, solved)
    # S_i = whiten^-1 whiten^-T, so that S_i times the normal is whiten^-1 times what is solved.
    point = np.einsum("mdk,mk->md", first_frames * first_axes[:, None, :], solved) * (1 - x)[:, None]
    return np.maximum(value, 1e-12), x, normal, point
