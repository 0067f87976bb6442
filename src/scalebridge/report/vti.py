"""Local fields for ParaView: which array is called what in fields.vti."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from scalebridge.core.errors import InputError
from scalebridge.grid import Location
from scalebridge.homogenize.result import HomogenizationResult


def field_arrays(result: HomogenizationResult) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Cell and point arrays (*components, *spatial) by name: "phase", and "flux_x" per load.

    Fails when: two loads end in the same word, or one field came twice (InputError).
    """
    cells: dict[str, np.ndarray] = {"phase": result.image.labels}
    points: dict[str, np.ndarray] = {}
    for fields in result.fields:
        # Loads are named in words ("unit gradient along x"); the last one is what tells them apart.
        load = fields.load.split()[-1] if fields.load.strip() else ""
        for field in (fields.primary, fields.drive, fields.flux, fields.energy):
            name = re.sub(r"\W+", "_", f"{field.name}_{load}")
            target = points if field.location is Location.NODE else cells
            if name in target:
                raise InputError(
                    f"Two local fields would both be called {name!r} in the file. Give each load case of the "
                    f"result its own name; they are called {[f.load for f in result.fields]}."
                )
            target[name] = np.asarray(field.values)
    return cells, points


def write_fields(result: HomogenizationResult, path: Path) -> Path:
    """fields.vti: labels and every local field on the voxel grid, axes and spacing as in the image.

    Vectors have three components, symmetric tensors the six true components XX YY ZZ XY YZ XZ.
    Fails when: the result has no fields (InputError), the file cannot be written (OutputError).
    """
    from scalebridge.microstructure.write import write_fields_vti

    if not result.fields:
        raise InputError("This result has no local fields. Ask for them with fields=True (or --fields).")
    cells, points = field_arrays(result)
    write_fields_vti(path, result.image.grid, cells, points)
    return path
