"""Local fields for ParaView: names, components and orders as VTK wants them."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from scalebridge.core.errors import InputError
from scalebridge.grid import Field, Location
from scalebridge.homogenize.result import HomogenizationResult
from scalebridge.numerics.mandel import COMPONENTS, weights

VTK_ORDER = ("xx", "yy", "zz", "xy", "yz", "xz")  # symmetric tensors of six components in VTK


def vtk_components(field: Field) -> np.ndarray:
    """The values with VTK's components first: () scalar, 3 vector, 6 symmetric tensor (XX YY ZZ XY YZ XZ, no
    sqrt 2).

    2-D vectors and tensors get zeros where the third direction would be.
    """
    ndim, values = field.grid.ndim, np.asarray(field.values)
    if not field.components:
        return values
    (m,) = field.components
    if m == ndim:
        return np.concatenate([values, np.zeros((3 - ndim, *values.shape[1:]))]) if ndim < 3 else values
    out = np.zeros((6, *values.shape[1:]))
    for name, value, weight in zip(COMPONENTS[ndim], values, weights(ndim), strict=True):
        out[VTK_ORDER.index(name)] = value / weight
    return out


def field_arrays(result: HomogenizationResult) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Cell and point arrays by name: "phase" and, for every load, e.g. "flux_x" or "stress_xy"."""
    cells: dict[str, np.ndarray] = {"phase": result.image.labels}
    points: dict[str, np.ndarray] = {}
    for fields in result.fields:
        # Loads are named in words ("unit gradient along x"); the last one is what tells them apart.
        suffix = re.sub(r"\W+", "_", fields.load.split()[-1] if fields.load.split() else "")
        for field in (fields.primary, fields.drive, fields.flux, fields.energy):
            name = f"{re.sub(r'[^A-Za-z0-9]+', '_', field.name)}_{suffix}"
            target = points if field.location is Location.NODE else cells
            if name in target:
                raise InputError(
                    f"Two load cases would both be called {name!r} in the file; name the loads apart."
                )
            target[name] = vtk_components(field)
    return cells, points


def write_fields(result: HomogenizationResult, path: Path) -> Path:
    """fields.vti: labels and every local field on the voxel grid, axes and spacing as in the image.

    Fails when: the result has no fields (InputError), the file cannot be written (OutputError).
    """
    from scalebridge.microstructure.write import write_fields_vti

    if not result.fields:
        raise InputError("This result has no local fields. Ask for them with fields=True (or --fields).")
    cells, points = field_arrays(result)
    write_fields_vti(path, result.image.grid, cells, points)
    return path
