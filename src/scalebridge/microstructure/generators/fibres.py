"""Straight fibres that do not overlap, with a prescribed orientation tensor."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator
from typing import ClassVar, final

import numpy as np

from scalebridge.core.errors import ImageError
from scalebridge.core.memory import check_fits
from scalebridge.microstructure.generators.generator import Realization, checked_shape
from scalebridge.microstructure.generators.orientation_distribution import (
    Tensor,
    checked_orientation,
    draw_axes,
    frames_along,
    match_orientation,
    tensor_statistics,
)
from scalebridge.microstructure.generators.oriented_bodies import AbstractOrientedBodies, lean, torus_of
from scalebridge.microstructure.generators.overlapping_spheres import ball_volume
from scalebridge.microstructure.generators.rigid_bodies import separate_rigid
from scalebridge.microstructure.generators.segments import CapsuleContacts, least_overlapping, uncrossed
from scalebridge.microstructure.generators.voxelization import AbstractBody, Capsule
from scalebridge.microstructure.spacing import Spacing

_MARGIN = 5e-3  # of the radius, by which fibres are kept apart beyond what is asked for
_MOST_STEPS = 3000
_PIECE = 3.0  # length of the pieces that neighbours are sought for, in radii


def capsule_volume(radius: float, length: float, dimensions: int) -> float:
    """Of a cylinder (2-D: strip) with round ends, `length` from tip to tip."""
    return ball_volume(radius, dimensions) + (length - 2 * radius) * (
        2 * radius if dimensions == 2 else math.pi * radius**2
    )


def check_fibres(
    who: str,
    shape: tuple[int, ...],
    fraction: float,
    radius: float,
    length: float | None,
    gap: float,
    periodic: bool,
) -> None:
    """Fails when the parameters that all fibres share are out of range (ImageError)."""
    if not 0 < fraction < 1:
        raise ImageError(f"{who}: fraction must lie between 0 and 1, got {fraction!r}.")
    if not 0.5 <= radius < math.inf or (periodic and 12 * radius > min(shape)):
        raise ImageError(
            f"{who}: radius must be at least half a voxel, and a twelfth of the shape {shape} at most when periodic, "
            f"got {radius!r}."
        )
    if length is not None and not 2 * radius < length < math.inf:
        raise ImageError(f"{who}: length, from tip to tip, must exceed two radii, got {length!r}.")
    if not 0 <= gap < math.inf:
        raise ImageError(f"{who}: gap must not be negative, got {gap!r}.")


def fitted_radius(
    volume: float, lengths: np.ndarray, radius: float, dimensions: int, rounded: bool, who: str
) -> float:
    """The radius near the given one with which fibres of these lengths fill exactly `volume` voxels."""
    found = radius
    for _ in range(60):
        if rounded:
            filled = sum(
                capsule_volume(found, max(float(length), 2 * found), dimensions) for length in lengths
            )
        else:
            filled = float(np.sum(lengths)) * (2 * found if dimensions == 2 else math.pi * found**2)
        found *= (volume / filled) ** (1 / (dimensions - 1))
    if not 0.8 < found / radius < 1.25:
        raise ImageError(
            f"{who}: {len(lengths)} fibres of radius {radius:g} voxels make the fraction asked for only with the "
            f"radius {found:.3g}. Take a larger shape, or shorter or thinner fibres."
        )
    return found


@final
@dataclasses.dataclass(frozen=True)
class StraightFibres(AbstractOrientedBodies):
    """Straight round fibres (2-D: strips), label 1, that do not overlap, in a matrix, label 0.

    fraction: of the fibres. radius: in voxels. length: from tip to tip, ends are round; None: through the periodic
    box along its axes, as many along each as the diagonal of `orientation` says (unidirectional, cross-ply).
    orientation: tensor A = <p p^T> (None: isotropic), drawn from the angular central Gaussian distribution with this
    second moment [tyler1987]; all fibres together are held at exactly A while they are moved.
    gap: smallest distance of two surfaces in voxels. separate: one label per fibre, with its frame (fibre along the
    first axis) in `Realization.orientations`; otherwise all are label 1.
    match_voxels: one factor on all radii makes the image's fraction of voxels the one asked for (periodic only).

    Thrown at random (2-D: without crossing; through the box: with the least overlap, as no shift could undo it), then
    shifted and turned together until none overlap. Isotropic fibres of aspect 10 reach 0.35, aligned ones more; a
    planar tensor is met up to the tilt that the fraction needs. Not periodic: a window of a larger medium.
    Fails when: the fraction cannot be reached (ImageError with the overlap left), or the shape is too small.
    """

    bodies_are: ClassVar[str] = "fibres"

    shape: tuple[int, ...]
    fraction: float
    radius: float
    length: float | None
    orientation: Tensor | None = None
    gap: float = 0.0
    separate: bool = False
    match_voxels: bool = True
    periodic: bool = True
    spacing: Spacing = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "shape", checked_shape(self.shape))
        who = type(self).__name__
        tensor = checked_orientation(who, self.orientation, len(self.shape))
        check_fibres(who, self.shape, self.fraction, self.radius, self.length, self.gap, self.periodic)
        if self.length is None and (
            not self.periodic or not np.allclose(tensor, np.diag(np.diag(tensor)), atol=1e-9)
        ):
            raise ImageError(
                f"{who}: fibres through the box (length None) run along the axes of a periodic box: orientation must "
                "be diagonal. Give a length, even one beyond the window with periodic=False, for other directions."
            )
        if self.length is not None and self.periodic and self.length > min(self.shape):
            raise ImageError(
                f"{who}: length must not exceed the shape {self.shape} when periodic (a fibre would meet itself), got "
                f"{self.length!r}. Take a larger shape, periodic=False, or length None."
            )

    def _torus(self) -> tuple[int, ...]:
        margin = 0.0 if self.length is None else max(self.length, 12 * self.radius - min(self.shape))
        return torus_of(self.shape, self.periodic, margin)

    def targets(self) -> dict[str, float]:
        size = {self._name: self.fraction, "fibre radius": float(self.radius)}
        return {**size, **tensor_statistics(self._tensor)}

    def estimate_bytes(self) -> int:
        volume = self.fraction * math.prod(self._torus())
        pieces = volume / (_PIECE * ball_volume(self.radius, len(self.shape)))
        return self._drawn_bytes(pieces, 8000, (1 + _PIECE / 2.3) * self.radius)

    def _layout(self, random: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Directions (n, d) and lengths (n,) of the fibres."""
        box, d = self._torus(), len(self.shape)
        volume = self.fraction * math.prod(box)
        if self.length is not None:
            count = max(1, round(volume / capsule_volume(self.radius, self.length, d)))
            axes = match_orientation(draw_axes(count, self._tensor, random), self._tensor)
            return axes, np.full(count, float(self.length))
        section = 2 * self.radius if d == 2 else math.pi * self.radius**2
        counts = [
            round(volume * share / section / n) for share, n in zip(np.diag(self._tensor), box, strict=True)
        ]
        if sum(counts) == 0:
            counts[int(np.argmax(np.diag(self._tensor)))] = 1
        return np.repeat(np.eye(d), counts, axis=0), np.repeat(np.array(box, dtype=float), counts)

    def _axes_placed(self, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, float]:
        """Centres (n, d), frames (n, d, d), lengths of the axes (n,), radius."""
        random, edges = np.random.default_rng(seed), np.array(self._torus(), dtype=float)
        d, through, who = len(self.shape), self.length is None, type(self).__name__
        axes, lengths = self._layout(random)
        radius = fitted_radius(self.fraction * math.prod(edges), lengths, self.radius, d, not through, who)
        spans = lengths if through else lengths - 2 * radius
        fibres, places, half = cut(spans, _PIECE * radius)
        margin, tensor = _MARGIN * radius, self._tensor

        def settle(turned: np.ndarray) -> np.ndarray:
            return lean(turned, match_orientation(turned[:, :, 0], tensor, repeats=5))

        if through:
            centres = least_overlapping(axes, edges, 2 * radius + self.gap, random)
        elif d == 2:
            centres = uncrossed(axes, spans, edges, radius, random)
        else:
            centres = random.random((len(axes), d)) * edges
        moved = separate_rigid(
            (centres, frames_along(axes)),
            CapsuleContacts(fibres, places, half, radius + 0.5 * self.gap, edges, margin),
            None
            if through or np.count_nonzero(np.linalg.eigvalsh(tensor) > 1e-9) < 2
            else lengths / math.sqrt(12),
            settle,
            margin=margin,
            most_steps=_MOST_STEPS,
            longest_move=0.3 * radius,
        )
        if moved.depth > margin:
            raise ImageError(
                f"{who}: the fraction {self.fraction:g} is not reached; after {moved.steps} steps fibres of diameter "
                f"{2 * radius:.3g} voxels still overlap by {moved.depth - margin:.3g}. Take a smaller fraction or gap, "
                "or shorter fibres."
            )
        return (*moved.state, spans, radius)

    def realize(self, seed: int) -> Realization:
        check_fits(self.estimate_bytes(), f"Fibres in {self.shape} voxels", "Take a smaller shape.")
        centres, frames, spans, radius = self._axes_placed(seed)
        axes = frames[:, :, 0]
        fibres, places, half = cut(spans, _PIECE * radius)
        middles = centres[fibres] + places[:, None] * axes[fibres]

        along = half[:, None] * axes[fibres]
        pieces = np.split(np.arange(len(fibres)), np.flatnonzero(np.diff(fibres)) + 1)

        def groups() -> Iterator[list[AbstractBody]]:
            return ([Capsule(middles[k], along[k], radius) for k in own] for own in pieces)

        drawn = self._drawn(groups, frames)
        words = f"{len(spans)} straight fibres of radius {radius * drawn.scale:.4g} voxels, "
        words += "through the box" if self.length is None else f"length {self.length:g}"
        noted = {"fibre radius": float(radius) * drawn.scale}
        noted |= tensor_statistics(np.einsum("n,ni,nj->ij", spans, axes, axes) / np.sum(spans))
        return self._realization(drawn.labels, seed, words, drawn.orientations, noted)


def cut(spans: np.ndarray, longest: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Fibre axes of these lengths cut into equal pieces: which fibre, middle along the axis, half length of each."""
    counts = np.maximum(1, np.ceil(spans / longest)).astype(int)
    fibres = np.repeat(np.arange(len(spans)), counts)
    half = (0.5 * spans / counts)[fibres]
    number = np.arange(len(fibres)) - np.repeat(np.cumsum(counts) - counts, counts)
    return fibres, (2 * number + 1) * half - 0.5 * spans[fibres], half
