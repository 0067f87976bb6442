"""Where do the local fields concentrate? Histograms per phase and the hottest spots.

The concentration factor of a voxel is its flux (or energy density) divided by the macroscopic one: 1
everywhere in a homogeneous body, and what a strength or a breakdown criterion has to be multiplied with.
"""

from __future__ import annotations

import dataclasses
import math

import numpy as np

from scalebridge.core.errors import InputError
from scalebridge.grid import Field, PhaseImage
from scalebridge.homogenize.result import LocalFields

QUANTILES = (0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99, 0.999)


@dataclasses.dataclass(frozen=True, eq=False)
class PhaseConcentration:
    """The distribution of the concentration factor inside one phase.

    density: probability density (bins,) over `edges` (bins + 1,), the same for all phases;
      its integral is one.
    quantiles: factor below which the given share of the phase's voxels lies.
    """

    label: int
    mean: float
    maximum: float
    quantiles: dict[float, float]
    edges: np.ndarray
    density: np.ndarray


@dataclasses.dataclass(frozen=True)
class HotSpot:
    """A local maximum: voxel index, centre in metres (None if the spacing is unknown), phase, factor."""

    voxel: tuple[int, ...]
    position: tuple[float, ...] | None
    label: int
    factor: float


@dataclasses.dataclass(frozen=True, eq=False)
class Concentration:
    """Factors of one field under one load: value / `reference`, the macroscopic value in `unit`."""

    load: str
    name: str
    reference: float
    unit: str
    phases: tuple[PhaseConcentration, ...]
    hot_spots: tuple[HotSpot, ...]


def flux_concentration(
    fields: LocalFields,
    image: PhaseImage,
    *,
    bins: int = 80,
    spots: int = 8,
    separation: float = 5.0,
    periodic: bool = True,
) -> Concentration:
    r"""|q| / |<q>| per voxel (Euclidean norm; for stress in Mandel form this is sqrt(sigma : sigma)).

    bins: of the histograms. spots: at most so many, at least `separation` voxels apart (measured through the
    opposite face too where the cell is `periodic`, so that one spot on a face is not listed twice).
    Where the mean flux vanishes (nothing percolates) the factors refer to the root mean square instead.
    Fails when: fields and image have different shapes or the field is not finite (InputError).
    """
    norm = np.zeros(fields.flux.grid.shape)
    for component in fields.flux.values:  # one at a time: a 400^3 stress field has 3 GB
        norm += np.square(component, dtype=float)
    spread = math.sqrt(float(norm.mean()))
    np.sqrt(norm, out=norm)
    mean = math.hypot(*(float(component.mean(dtype=float)) for component in fields.flux.values))
    reference = mean if mean > 1e-9 * spread else spread
    return _concentration(fields, fields.flux, image, norm, reference, bins, spots, separation, periodic)


def energy_concentration(
    fields: LocalFields,
    image: PhaseImage,
    *,
    bins: int = 80,
    spots: int = 8,
    separation: float = 5.0,
    periodic: bool = True,
) -> Concentration:
    """w / <w> per voxel; arguments and failures as for `flux_concentration`."""
    values = np.asarray(fields.energy.values, float)
    return _concentration(
        fields, fields.energy, image, values, float(values.mean()), bins, spots, separation, periodic
    )


def _concentration(
    fields: LocalFields,
    field: Field,
    image: PhaseImage,
    values: np.ndarray,
    reference: float,
    bins: int,
    spots: int,
    separation: float,
    periodic: bool,
) -> Concentration:
    if values.shape != image.grid.shape:
        raise InputError(f"The field {field.name!r} has {values.shape} voxels, the image {image.grid.shape}.")
    if not np.isfinite(values).all():
        raise InputError(
            f"The field {field.name!r} ({fields.load}) is not finite everywhere: nothing to rank."
        )
    factor = values / reference if reference > 0.0 else np.zeros_like(values)
    top = float(factor.max())
    # Bins up to the 99.9 % quantile: a few singular corner voxels must not squeeze the picture into one bar;
    # whatever lies beyond is counted in the last bin.
    edges = np.linspace(0.0, max(float(np.quantile(factor, 0.999)), 1e-3), bins + 1)
    phases = []
    for position, label in enumerate(image.present):
        inside = factor[image.index == position]
        counts, _ = np.histogram(np.minimum(inside, edges[-1]), edges)
        phases.append(
            PhaseConcentration(
                label,
                float(inside.mean()),
                float(inside.max()),
                dict(zip(QUANTILES, map(float, np.quantile(inside, QUANTILES)), strict=True)),
                edges,
                counts / (counts.sum() * np.diff(edges)),
            )
        )
    found = _hot_spots(factor, image, spots, separation, periodic) if top > 0.0 else ()
    return Concentration(fields.load, field.name, reference, field.unit, tuple(phases), found)


def _hot_spots(
    factor: np.ndarray, image: PhaseImage, spots: int, separation: float, periodic: bool
) -> tuple[HotSpot, ...]:
    """Greedy: take the largest, blank a ball around it, repeat. Ties go to the lowest index."""
    left = factor.copy()
    reach = math.ceil(separation)
    offsets = np.arange(-reach, reach + 1)
    ball = sum(o**2 for o in np.meshgrid(*[offsets] * image.grid.ndim, indexing="ij")) < separation**2
    found: list[HotSpot] = []
    while len(found) < spots:
        voxel = np.unravel_index(int(left.argmax()), left.shape)
        value = float(left[voxel])
        if value <= 0.0:
            break
        spacing = image.grid.spacing
        index = tuple(int(i) for i in voxel)
        centre = (
            None if spacing is None else tuple((i + 0.5) * h for i, h in zip(index, spacing, strict=True))
        )
        found.append(HotSpot(index, centre, int(image.labels[voxel]), value))
        around = np.argwhere(ball) - reach + np.array(index)
        if periodic:
            around %= left.shape
        else:
            around = around[((around >= 0) & (around < left.shape)).all(axis=1)]
        left[tuple(around.T)] = -np.inf
    return tuple(found)
