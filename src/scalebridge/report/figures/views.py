"""What of a field is looked at: which plane is cut, which component is shown, in which unit, under which
load.
"""

from __future__ import annotations

import dataclasses
import math

import numpy as np

from scalebridge.grid import Field, Location, VoxelGrid
from scalebridge.homogenize.result import LocalFields
from scalebridge.homogenize.words import scale_of
from scalebridge.numerics.mandel import COMPONENTS

CUT_ALONG = (2, 1, 0)  # normals of the three orthogonal cuts, in the order shown
_QUANTILES = (0.005, 0.995)


@dataclasses.dataclass(frozen=True)
class Cut:
    """A plane of voxels: `normal` None for the only plane of a 2-D image."""

    normal: int | None
    position: int
    grid: VoxelGrid

    @property
    def axes(self) -> tuple[int, int]:
        """The image axes drawn to the right and upwards."""
        first, second = (axis for axis in range(self.grid.ndim) if axis != self.normal)
        return first, second

    def take(self, field: Field, component: int | None) -> np.ndarray:
        """Values (n_right, n_up) of one component in this plane; nodal fields are averaged to the voxels."""
        values = field.values if component is None else field.values[component]
        if field.location is Location.VOXEL:
            return np.asarray(values if self.normal is None else values.take(self.position, axis=self.normal))
        if self.normal is not None:
            values = values.take([self.position, self.position + 1], axis=self.normal).mean(axis=self.normal)
        values = 0.5 * (values[:-1] + values[1:])
        return 0.5 * (values[:, :-1] + values[:, 1:])


def cuts(grid: VoxelGrid) -> tuple[Cut, ...]:
    """Three orthogonal planes through the middle, or the image itself in 2-D."""
    if grid.ndim == 2:
        return (Cut(None, 0, grid),)
    return tuple(Cut(normal, grid.shape[normal] // 2, grid) for normal in CUT_ALONG)


@dataclasses.dataclass(frozen=True, eq=False)
class FieldView:
    """One scalar picture of a field under one load.

    factor, offset: shown = (value - offset) * factor, in `unit`. limits: of the colour scale, shared by all
      cuts.
    energy: zero exactly where nothing is (voids): those voxels stay empty. load: the macroscopic gradient
    (d,) or strain (m,) in Mandel form.
    """

    title: str
    field: Field
    component: int | None
    factor: float
    offset: float
    unit: str
    limits: tuple[float, float]
    palette: str
    energy: Field
    load: np.ndarray

    def take(self, cut: Cut) -> np.ma.MaskedArray:
        shown = (cut.take(self.field, self.component) - self.offset) * self.factor
        return np.ma.masked_array(shown, cut.take(self.energy, None) == 0.0)


def load_vector(fields: LocalFields) -> np.ndarray:
    """The macroscopic gradient (d,) or strain (m,): the mean of the drive, whatever the words for it."""
    values = np.asarray(fields.drive.values, float)
    return values.reshape(values.shape[0], -1).mean(axis=1)


def component_name(component: int, m: int, ndim: int) -> str:
    """ "x" for vectors, "xy" for symmetric tensors in Mandel order."""
    return "xyz"[component] if m == ndim else COMPONENTS[ndim][component]


def primary_view(fields: LocalFields) -> FieldView:
    """The potential, or the displacement component that the load drives, relative to its mean."""
    load = load_vector(fields)
    field = fields.primary
    component = None
    title = field.name
    if field.components:
        component = _driven_direction(load, field.grid.ndim)
        title = f"{field.name} along {'xyz'[component]}"
    title += ", minus its mean"
    values = field.values if component is None else field.values[component]
    return _view(title, field, component, float(values.mean()), fields, load, "viridis", 1.0)


def flux_view(fields: LocalFields) -> FieldView:
    """The flux or stress component in the direction of the load."""
    load = load_vector(fields)
    field = fields.flux
    component = int(np.argmax(np.abs(load)))
    name = component_name(component, len(load), field.grid.ndim)
    # Mandel shears carry a sqrt 2 that nobody wants to see in a picture of sigma_xy.
    mandel = 1.0 if len(set(name)) == 1 else 1.0 / math.sqrt(2.0)
    title = f"{field.name} along {name}" if len(name) == 1 else f"{field.name} {name}"
    return _view(title, field, component, 0.0, fields, load, "viridis", mandel)


def energy_view(fields: LocalFields) -> FieldView:
    """Energy density over its mean: 1 everywhere in a homogeneous body."""
    mean = float(fields.energy.values.mean())
    factor = 1.0 / mean if mean > 0.0 else 1.0
    view = _view(
        "energy density / mean", fields.energy, None, 0.0, fields, load_vector(fields), "magma", factor
    )
    return dataclasses.replace(view, unit="", factor=factor, limits=_limits(fields.energy.values * factor))


def _driven_direction(load: np.ndarray, ndim: int) -> int:
    name = component_name(int(np.argmax(np.abs(load))), len(load), ndim)
    return "xyz".index(name[0])


def _limits(values: np.ndarray) -> tuple[float, float]:
    """Robust: a few singular voxels must not make the rest one colour. Strided: a picture needs no exact
    quantile.
    """
    flat = values.reshape(-1)
    sample = flat[:: max(1, flat.size // 200_000)]
    low, high = (float(v) for v in np.quantile(sample, _QUANTILES))
    return (
        (low, high) if high > low else (low - 0.5 * max(abs(low), 1e-30), high + 0.5 * max(abs(high), 1e-30))
    )


def _view(
    title: str,
    field: Field,
    component: int | None,
    offset: float,
    fields: LocalFields,
    load: np.ndarray,
    palette: str,
    factor: float,
) -> FieldView:
    values = (field.values if component is None else field.values[component]) - offset
    low, high = _limits(values * factor)
    scale = scale_of(max(abs(low), abs(high)), field.unit)
    return FieldView(
        title,
        field,
        component,
        factor * scale.factor,
        offset,
        scale.unit,
        (low * scale.factor, high * scale.factor),
        palette,
        fields.energy,
        load,
    )
