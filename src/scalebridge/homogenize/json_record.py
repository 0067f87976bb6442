"""The machine-readable record of a result: plain dicts, lists and numbers, ready for strict JSON.

One writer for `--json`, result.json and the report, so that they can never disagree.
"""

from __future__ import annotations

import enum
import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from scalebridge.homogenize.result import BUDGET_TERMS, HomogenizationResult, Sensitivity
from scalebridge.numerics.mandel import COMPONENTS, stiffness_to_voigt, strain_to_voigt, stress_to_voigt

SCHEMA = "scalebridge.homogenize/1"


class TensorForm(enum.Enum):
    """What the array of a result is; follows from its shape and the dimension of the image alone."""

    SCALAR = "scalar"
    SECOND_ORDER = "second order"
    MANDEL = "Mandel"


def form_of(array: np.ndarray, ndim: int) -> TensorForm:
    """The form of an effective tensor of a `ndim`-dimensional image.

    Shapes: (1, 1) scalar, (d, d) second order, (m, m) with m = d(d+1)/2 fourth order in Mandel form.
    Fails when: the shape is none of these (ValueError: a fault of the program, not of the user).
    """
    sizes = {1: TensorForm.SCALAR, ndim: TensorForm.SECOND_ORDER, ndim * (ndim + 1) // 2: TensorForm.MANDEL}
    if array.ndim != 2 or array.shape[0] != array.shape[1] or array.shape[0] not in sizes:
        raise ValueError(f"No effective tensor of a {ndim}-D image has the shape {array.shape}.")
    return sizes[array.shape[0]]


def reported(result: HomogenizationResult, array: np.ndarray) -> np.ndarray:
    """`array` (in the form of `result.value`) as people and other programs read it: () or (d, d) or Voigt (m,
    m).
    """
    form = form_of(result.value, result.image.grid.ndim)
    if form is TensorForm.SCALAR:
        return np.asarray(array).reshape(())
    return stiffness_to_voigt(np.asarray(array)) if form is TensorForm.MANDEL else np.asarray(array)


def ordering(result: HomogenizationResult) -> tuple[str, ...]:
    """Names of rows and columns of the reported tensor; empty for a scalar."""
    ndim = result.image.grid.ndim
    form = form_of(result.value, ndim)
    if form is TensorForm.SCALAR:
        return ()
    return COMPONENTS[ndim] if form is TensorForm.MANDEL else result.image.grid.axis_names


def plain(value: Any) -> Any:
    """Anything found in a result as strict JSON: arrays become lists, NaN and infinities null, the rest
    words.
    """
    if value is None or (isinstance(value, bool | str | int) and not isinstance(value, enum.Enum)):
        return value
    if isinstance(value, enum.Enum):
        return plain(value.value)
    if isinstance(value, np.ndarray | np.generic):
        return plain(value.tolist())
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): plain(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(entry) for entry in value]
    return str(value)


def _vectors(result: HomogenizationResult) -> dict[str, Any]:
    """The Mandel vectors among the further results, in the components of the record."""
    maps = {"expansion": strain_to_voigt, "heat_free_stress": stress_to_voigt}
    return {
        name: plain(
            to_voigt(np.asarray(result.extra[name]))
            if np.ndim(result.extra[name]) == 1
            else result.extra[name]
        )
        for name, to_voigt in maps.items()
        if result.extra.get(name) is not None
    }


def _thermal(sensitivity: Sensitivity) -> dict[str, Any]:
    """The derivatives of expansion and heat-free stress, in the components of the record; null where not known."""
    free, held = sensitivity.expansion, sensitivity.heat_free_stress
    return {
        "expansion_derivative": None if free is None else plain(strain_to_voigt(free)),
        "heat_free_stress_derivative": None if held is None else plain(stress_to_voigt(held)),
        "expansion_effect": None if held is None else plain(sensitivity.expansion_effect),
    }


def to_json(result: HomogenizationResult) -> dict[str, Any]:
    """The record of a result under the schema `scalebridge.homogenize/1`.

    value, bracket, bounds: SI units; x, y, z for second-order tensors; Voigt xx, yy, zz, yz, xz, xy with
    engineering shear for stiffness (2-D: xx, yy, xy); a number with `faces` conditions. error: relative to
    the norm of the tensor, null where not assessed. Never contains NaN or infinity, so `json.dumps(...,
    allow_nan=False)` always works.
    """

    def tensor(array: np.ndarray) -> Any:
        return plain(reported(result, array))

    error: dict[str, Any] = dict.fromkeys(BUDGET_TERMS)
    error.update({term.name: plain(term.value) for term in result.error.terms})
    error["total"] = plain(result.error.total)
    bounds = result.bounds
    solver = result.solver
    expands = any(s.heat_free_stress is not None for s in result.sensitivities)
    record: dict[str, Any] = {
        "schema": SCHEMA,
        "physics": result.physics,
        "quantity": result.quantity,
        "unit": result.unit,
        "value": tensor(result.value),
        "error": error,
        "bracket": result.bracket
        and {"lower": tensor(result.bracket.lower), "upper": tensor(result.bracket.upper)},
        "bounds": bounds
        and {
            "voigt": tensor(bounds.voigt),
            "reuss": tensor(bounds.reuss),
            "hashin_shtrikman": plain(bounds.hashin_shtrikman),
            "note": bounds.note,
        },
        "checks": {"hill_mandel": None, "symmetry": None} | plain(result.checks),
        "phases": [
            {"label": p.label, "fraction": plain(p.fraction), "percolates": plain(p.percolates), "law": p.law}
            for p in result.phases
        ],
        "solver": {
            "iterations": plain(solver.iterations),
            "residual": plain(solver.residual),
            "seconds": plain(solver.seconds),
            "compile_seconds": plain(solver.compile_seconds),
            "device": solver.device,
            "peak_bytes": solver.peak_bytes,
            "method": solver.method,
        },
        "status": result.status.value,
        "warnings": list(result.warnings),
        "ordering": list(ordering(result)),
        "boundary": result.boundary,
        "axis": None if result.axis is None else "xyz"[result.axis],
        "plane": result.plane,
        "accuracy": plain(result.error.accuracy),
        "next_step": result.error.next_step,
        "verdicts": [{"assumption": v.assumption, "ok": v.ok, "message": v.message} for v in result.validity],
        "sensitivities": [
            {
                "label": s.label,
                "parameter": s.parameter,
                "value": plain(s.value),
                "derivative": tensor(s.derivative),
                "uncertainty": plain(s.uncertainty),
                "effect": plain(s.effect),
            }
            | (_thermal(s) if expands else {})
            for s in result.sensitivities
        ],
        "resolution": result.resolution
        and {
            "voxels": list(result.resolution.voxels),
            "values": [tensor(v) for v in result.resolution.values],
            "extrapolated": None
            if result.resolution.extrapolated is None
            else tensor(result.resolution.extrapolated),
            "order": plain(result.resolution.order),
        },
        "image": {
            "shape": list(result.image.grid.shape),
            "spacing": plain(result.image.grid.spacing),
            "history": list(result.image.history),
        },
        "provenance": plain(result.provenance),
    }
    record.update(_vectors(result))
    # Further results never replace an entry of the contract.
    record.update({key: plain(entry) for key, entry in result.extra.items() if key not in record})
    return record
