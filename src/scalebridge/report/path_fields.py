"""Local fields of a path: for pictures, for distributions, and as a VTI series for ParaView."""

from __future__ import annotations

import re
from pathlib import Path
from xml.sax.saxutils import quoteattr

import numpy as np

from scalebridge.core.files import write_text, writing
from scalebridge.grid import Field
from scalebridge.homogenize.path.present import loaded
from scalebridge.homogenize.path.result import PathFields, PathResult
from scalebridge.homogenize.words import scale_of
from scalebridge.numerics.mandel import to_mandel
from scalebridge.report.figures.views import FieldView

FOLDER, SERIES = "fields", "path.pvd"
_QUANTILES = (0.005, 0.995)


def equivalent_flux(result: PathResult, fields: PathFields) -> np.ndarray:
    """The von Mises stress of every voxel (of the in-plane components in 2-D), else the length of the flux."""
    flux, ndim = np.asarray(fields.flux, float), result.image.grid.ndim
    if not (result.kinematics.vector and result.kinematics.symmetric):
        return np.sqrt((flux**2).sum(axis=0))
    mean = flux[:ndim].sum(axis=0) / 3
    deviator = flux.copy()
    deviator[:ndim] -= mean
    square = (deviator**2).sum(axis=0) + (mean**2 if ndim == 2 else 0.0)
    return np.sqrt(1.5 * square)


def equivalent_name(result: PathResult) -> str:
    if result.kinematics.vector and result.kinematics.symmetric:
        return "von Mises stress" if result.image.grid.ndim == 3 else "von Mises stress of the plane"
    return f"length of the {result.kinematics.flux}"


def path_views(result: PathResult, fields: PathFields) -> tuple[FieldView, ...]:
    """The loaded flux, the equivalent one, and the first scalar that the laws remember; voids stay empty."""
    grid, c = result.image.grid, loaded(result)
    carried = Field("carried", np.abs(fields.flux).sum(axis=0), grid)
    shown = [
        (
            result.flux_names[c],
            result.components(np.moveaxis(fields.flux, 0, -1))[..., c],
            result.unit,
            "viridis",
        ),
        (equivalent_name(result), equivalent_flux(result, fields), result.unit, "viridis"),
    ]
    scalars = [(name, v) for name, v in fields.internal.items() if v.shape == grid.shape and np.any(v)]
    shown += [(name, v, "", "magma") for name, v in scalars[:1]]
    return tuple(
        _view(title, np.asarray(values, float), unit, palette, carried, _icon(result, fields))
        for title, values, unit, palette in shown
    )


def _icon(result: PathResult, fields: PathFields) -> np.ndarray:
    """The macroscopic load as a gradient or a Mandel strain, for the drawing above a picture."""
    row = next(one for one in result.increments if one.number == fields.number)
    ndim = result.image.grid.ndim
    if result.kinematics.vector and not result.kinematics.symmetric:
        return to_mandel(row.drive.reshape(ndim, ndim) - np.eye(ndim))
    return row.drive


def _view(
    title: str, values: np.ndarray, unit: str, palette: str, carried: Field, load: np.ndarray
) -> FieldView:
    own = values[carried.values > 0]
    low, high = (float(v) for v in np.quantile(own if own.size else values, _QUANTILES))
    if not high > low:
        low, high = low - 0.5 * max(abs(low), 1e-30), high + 0.5 * max(abs(high), 1e-30)
    scale = scale_of(max(abs(low), abs(high)), unit)
    limits = (low * scale.factor, high * scale.factor)
    field = Field(title, values, carried.grid)
    return FieldView(title, field, None, scale.factor, 0.0, scale.unit, limits, palette, carried, load)


def write_series(result: PathResult, folder: Path) -> tuple[Path, ...]:
    """fields/increment_0005.vti for every kept increment, and fields/path.pvd that gives ParaView their times.

    Fails when: a file cannot be written (OutputError).
    """
    from scalebridge.microstructure.write import write_fields_vti

    if not result.fields:
        return ()
    place = folder / FOLDER
    with writing(place):
        place.mkdir(parents=True, exist_ok=True)
        for old in (*place.glob("increment_*.vti"), *place.glob(SERIES)):
            old.unlink()
    entries, written = [], []
    for number in result.fields:
        fields = result.fields[number]
        path = place / f"increment_{number:04d}.vti"
        cells, points = field_arrays(result, fields)
        write_fields_vti(path, result.image.grid, cells, points)
        entries.append(f'<DataSet timestep="{fields.time!r}" part="0" file={quoteattr(path.name)}/>')
        written.append(path)
    lines = [
        '<?xml version="1.0"?>', '<VTKFile type="Collection" version="1.0">', "<Collection>", *entries,
        "</Collection>", "</VTKFile>", "",
    ]  # fmt: skip
    write_text(place / SERIES, "\n".join(lines))
    return (*written, place / SERIES)


def field_arrays(
    result: PathResult, fields: PathFields
) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Cell and point arrays by name, as ParaView shows them."""
    kinematics, ndim = result.kinematics, result.image.grid.ndim

    def shaped(values: np.ndarray) -> np.ndarray:
        full = kinematics.vector and not kinematics.symmetric
        return values.reshape(ndim, ndim, *values.shape[1:]) if full else values

    cells = {
        "phase": result.image.labels,
        _identifier(kinematics.drive): shaped(fields.drive),
        _identifier(kinematics.flux): shaped(fields.flux),
        "equivalent_" + _identifier(kinematics.flux): equivalent_flux(result, fields).astype(np.float32),
    }
    cells |= {_identifier(name): values for name, values in fields.internal.items()}
    primary = fields.primary if kinematics.vector else fields.primary[0]
    return cells, {"displacement" if kinematics.vector else "potential": primary}


def _identifier(name: str) -> str:
    return re.sub(r"\W+", "_", name)
