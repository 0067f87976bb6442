"""Polycrystals: grains as cells of Voronoi and Laguerre tessellations, each with its crystal orientation."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, final

import numpy as np

from scalebridge.core.errors import ConvergenceError, ImageError
from scalebridge.core.memory import check_fits
from scalebridge.grid.image import MAX_LABELS, count_labels
from scalebridge.microstructure.generators.crystal_orientations import (
    Texture,
    checked_texture,
    draw_rotations,
    orientation_moments,
    orientation_targets,
)
from scalebridge.microstructure.generators.generator import (
    AbstractGenerator,
    Realization,
    checked_shape,
    image_bytes,
)
from scalebridge.microstructure.generators.power_diagram import SLAB_BYTES, Box, fit_weights, power_labels
from scalebridge.microstructure.spacing import Spacing

if TYPE_CHECKING:
    from jaxtyping import Float, Num

# A point is farther from all seeds of a Poisson process than this many mean grain sizes less than once in 1e8.
_REACH = {2: 2.6, 3: 1.75}
_MAX_TRIES = 20_000
# Candidates tried at once: few at first, as most balls find their place soon.
_FIRST_BATCH, _LARGEST_BATCH = 2, 256


def _check_grains(who: str, shape: Sequence[int], grain_volume: float | int) -> None:
    if not (math.isfinite(grain_volume) and grain_volume >= 1):
        raise ImageError(f"{who}: grain_volume must be at least one voxel, got {grain_volume!r}.")
    count = math.prod(shape) / grain_volume
    if count > MAX_LABELS:
        raise ImageError(
            f"{who}: a shape of {tuple(shape)} holds about {count:.0f} grains of {grain_volume:g} voxels, and an "
            f"image at most {MAX_LABELS} labels. Take a smaller shape or a grain_volume above "
            f"{math.prod(shape) / MAX_LABELS:.4g}."
        )


def hard_core_points(
    radii: Num[np.ndarray, " n"], box: Box, random: np.random.Generator, who: str, remedy: str
) -> Float[np.ndarray, "n d"]:
    """Centres (n, d) of non-overlapping balls of these radii, placed one after the other, the largest first.

    The centres of a box with walls keep no distance from them. Fails when a ball finds no place (ImageError).
    """
    order = np.argsort(-radii, kind="stable")
    points = np.empty((len(radii), len(box.edges)))
    placed = np.empty_like(points)
    for number, ball in enumerate(order):
        tried, batch = 0, _FIRST_BATCH
        while tried < _MAX_TRIES:
            candidates = random.random((batch, len(box.edges))) * box.edges
            tried, batch = tried + batch, min(2 * batch, _LARGEST_BATCH)
            apart = box.nearest_image(candidates[:, None] - placed[None, :number])
            room = np.sum(apart**2, axis=-1) >= (radii[ball] + radii[order[:number]]) ** 2
            free = np.flatnonzero(np.all(room, axis=1))
            if len(free):
                placed[number] = points[ball] = candidates[free[0]]
                break
        else:
            raise ImageError(f"{who}: no room left after {number} of {len(radii)} seeds. {remedy}")
    return points


def _present(labels: np.ndarray) -> int:
    return int(np.count_nonzero(count_labels(labels)))


def mean_cell_volume(labels: np.ndarray, periodic: bool) -> float:
    """Voxels per cell of the tessellation that a window shows, without bias by the cells it cuts.

    Periodic: over the labels present. Otherwise the Euler number of each convex cell in the half-open window is
    summed: the cells it meets, less those its upper faces meet, plus those their edges meet, less the last corner's.
    Between n voxel centres lie n - 1 voxels' lengths: that is the window they belong to.
    A window smaller than a cell may hold none of their Euler numbers; it knows no more than its own size.
    """
    if periodic:
        return labels.size / _present(labels)
    cells = 0
    for corner in np.ndindex((2,) * labels.ndim):
        part = labels[tuple(slice(-1 if upper else 0, None) for upper in corner)]
        cells += (-1) ** sum(corner) * _present(part)
    volume = math.prod(n - 1 for n in labels.shape)
    return volume / cells if cells > 0 and volume > 0 else float(labels.size)


def _generators(seed: int) -> list[np.random.Generator]:
    """Separate streams for geometry and crystals: a texture does not change the grains."""
    return [np.random.default_rng(child) for child in np.random.SeedSequence(seed).spawn(3)]


@final
@dataclasses.dataclass(frozen=True)
class VoronoiPolycrystal(AbstractGenerator):
    """Grains that are the Voronoi cells of random seeds, labels 0, 1, ..., each with a random orientation.

    grain_volume: mean number of voxels per grain. hard_core: smallest distance of two seeds in units of
    grain_volume^(1/d); 0 is the Poisson process (the number of grains then fluctuates, as it does in windows of
    an infinite polycrystal, unless `fixed_count`), 0.7 gives grains of much more even size.
    texture: rotation matrices to draw orientations from; None: uniform on the rotation group.

    Not periodic: a window of an infinite tessellation, its seeds reaching beyond the window.
    Facts for the Poisson process: the cell volumes' variance is 0.280 (2-D) and 0.179 (3-D) mean volumes squared.
    Fails when: there would be more grains than labels, or no room for the seeds (ImageError).
    """

    shape: tuple[int, ...]
    grain_volume: float | int
    periodic: bool = True
    hard_core: float | int = 0.0
    fixed_count: bool = False
    texture: Texture | None = None
    spacing: Spacing = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "shape", checked_shape(self.shape))
        _check_grains(type(self).__name__, self.shape, self.grain_volume)
        texture = checked_texture(type(self).__name__, self.texture, len(self.shape))
        object.__setattr__(self, "texture", texture)
        if not 0 <= self.hard_core <= 0.8:
            raise ImageError(
                "VoronoiPolycrystal: hard_core must lie between 0 and 0.8 (random seeds find no room beyond), "
                f"got {self.hard_core!r}."
            )

    def targets(self) -> dict[str, float]:
        return {
            "mean grain volume": float(self.grain_volume),
            **orientation_targets(self.texture, len(self.shape)),
        }

    def measure(self, realization: Realization) -> dict[str, float]:
        volume = mean_cell_volume(realization.image.labels, self.periodic)
        return {"mean grain volume": volume, **orientation_moments(realization)}

    def estimate_bytes(self) -> int:
        return image_bytes(self.shape, 3.5, 2) + SLAB_BYTES

    def _seeds(self, random: np.random.Generator) -> np.ndarray:
        size = self.grain_volume ** (1 / len(self.shape))
        margin = 0.0 if self.periodic else _REACH[len(self.shape)] * size
        # Periodic also around a window: near walls, points with a hard core would lie closer together.
        box = Box(tuple(n + 2 * margin for n in self.shape), True)
        mean = math.prod(box.edges) / self.grain_volume
        if self.hard_core > 0:
            radii = np.full(max(1, round(mean)), 0.5 * self.hard_core * size)
            seeds = hard_core_points(radii, box, random, type(self).__name__, "Take a smaller hard_core.")
        else:
            count = round(mean) if self.fixed_count else int(random.poisson(mean))
            seeds = random.random((max(1, count), len(box.edges))) * box.edges
        return seeds - margin

    def realize(self, seed: int) -> Realization:
        check_fits(self.estimate_bytes(), f"A polycrystal of {self.shape} voxels", "Take a smaller shape.")
        geometry, crystals, _ = _generators(seed)
        seeds = self._seeds(geometry)
        labels = power_labels(self.shape, Box(tuple(map(float, self.shape)), self.periodic), seeds)
        present = np.flatnonzero(count_labels(labels))
        if len(present) > MAX_LABELS:
            raise ImageError(
                f"VoronoiPolycrystal: {len(present)} grains, and an image holds {MAX_LABELS} labels at most. "
                "Take a smaller shape or a larger grain_volume."
            )
        if len(present) < len(seeds):
            renumber = np.zeros(len(seeds), labels.dtype)
            renumber[present] = np.arange(len(present))
            for layer in labels:  # indices are widened to eight bytes
                layer[...] = renumber[layer]
        turns = draw_rotations(len(present), len(self.shape), self.texture, crystals)
        words = f"Voronoi polycrystal of {len(present)} grains, "
        words += f"hard core {self.hard_core:g}" if self.hard_core > 0 else "Poisson seeds"
        return self._realization(labels, seed, words, dict(enumerate(turns)))


@final
@dataclasses.dataclass(frozen=True)
class LaguerrePolycrystal(AbstractGenerator):
    """Grains of prescribed volumes: cells of a Laguerre tessellation whose weights are fitted to them.

    grain_volume: mean number of voxels per grain. variation: standard deviation of the volumes over their mean,
    for a lognormal distribution, drawn anew for each seed. volumes: given volumes instead, in any unit, scaled
    to fill the box, the same for each seed (grain_volume and variation are then ignored).
    tolerance: accepted relative error of every grain's volume; a grain is also accepted within two voxels.
    texture: as for VoronoiPolycrystal. Not periodic: the walls of the box cut the grains off.

    Fails when: there would be more grains than labels or no room for their seeds (ImageError), or the volumes
    are not reached on this grid (ConvergenceError with what was). Method: [bourne2020].
    """

    shape: tuple[int, ...]
    grain_volume: float | int = 1000
    variation: float | int = 0.5
    volumes: tuple[float | int, ...] | None = None
    periodic: bool = True
    tolerance: float = 0.01
    texture: Texture | None = None
    spacing: Spacing = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "shape", checked_shape(self.shape))
        who = type(self).__name__
        if self.volumes is not None:
            object.__setattr__(self, "volumes", tuple(map(float, self.volumes)))
            if len(self.volumes) == 0 or not all(0 < v < math.inf for v in self.volumes):
                raise ImageError(f"{who}: volumes must be positive numbers, got {self.volumes}.")
            _check_grains(who, self.shape, math.prod(self.shape) / len(self.volumes))
        else:
            _check_grains(who, self.shape, self.grain_volume)
            if not 0 <= self.variation <= 3:
                raise ImageError(f"{who}: variation must lie between 0 and 3, got {self.variation!r}.")
        if not 0 < self.tolerance < 1:
            raise ImageError(f"{who}: tolerance must lie between 0 and 1, got {self.tolerance!r}.")
        object.__setattr__(self, "texture", checked_texture(who, self.texture, len(self.shape)))

    def target_volumes(self, seed: int) -> np.ndarray:
        """The volumes asked for at this seed, in voxels, by label; they fill the box."""
        size = math.prod(self.shape)
        if self.volumes is not None:
            drawn = np.asarray(self.volumes, dtype=float)
        else:
            spread = math.sqrt(math.log1p(self.variation**2))
            count = max(1, round(size / self.grain_volume))
            drawn = np.exp(spread * _generators(seed)[2].standard_normal(count))
        return drawn * (size / drawn.sum())

    def targets(self) -> dict[str, float]:
        size = math.prod(self.shape)
        if self.volumes is not None:
            mean, deviation = size / len(self.volumes), float(np.std(self.volumes) / np.mean(self.volumes))
        else:
            mean, deviation = size / max(1, round(size / self.grain_volume)), self.variation
        return {
            "mean grain volume": mean,
            "variation of grain volumes": deviation,
            "largest relative error of a grain's volume": 0.0,
            **orientation_targets(self.texture, len(self.shape)),
        }

    def measure(self, realization: Realization) -> dict[str, float]:
        target = self.target_volumes(realization.seed)
        counts = realization.image.counts
        reached = np.array([counts.get(label, 0) for label in range(len(target))])
        return {
            "mean grain volume": float(reached.mean()),
            "variation of grain volumes": float(reached.std() / reached.mean()),
            "largest relative error of a grain's volume": float(np.max(np.abs(reached / target - 1))),
            **orientation_moments(realization),
        }

    def estimate_bytes(self) -> int:
        return image_bytes(self.shape, 9, 2) + SLAB_BYTES

    def realize(self, seed: int) -> Realization:
        check_fits(self.estimate_bytes(), f"A polycrystal of {self.shape} voxels", "Take a smaller shape.")
        geometry, crystals, _ = _generators(seed)
        target, dimensions = self.target_volumes(seed), len(self.shape)
        ball = math.pi if dimensions == 2 else 4 * math.pi / 3
        # Balls of a fifth of the volume find room at random, and no cell of their power diagram is empty.
        radii = (0.2 * target / ball) ** (1 / dimensions)
        box = Box(tuple(map(float, self.shape)), self.periodic)
        seeds = hard_core_points(radii, box, geometry, type(self).__name__, "Take less unequal volumes.")
        fit = fit_weights(self.shape, box, seeds, radii**2, target, self.tolerance)
        error = np.abs(fit.volumes - target)
        missed = np.flatnonzero(error > np.maximum(self.tolerance * target, 2))
        if len(missed):
            worst = int(missed[np.argmax(error[missed] / target[missed])])
            raise ConvergenceError(
                f"LaguerrePolycrystal: {len(missed)} of {len(target)} grains miss their volume by more than "
                f"{100 * self.tolerance:g} %, the worst reaches {fit.volumes[worst]:.0f} of {target[worst]:.1f} "
                "voxels. Take more voxels per grain, less unequal volumes or a larger tolerance."
            )
        turns = draw_rotations(len(target), dimensions, self.texture, crystals)
        words = f"Laguerre polycrystal of {len(target)} grains, volumes within "
        words += f"{100 * float(np.max(error / target)):.2g} %"
        return self._realization(fit.labels, seed, words, dict(enumerate(turns)))
