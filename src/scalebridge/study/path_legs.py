"""Legs of a path from words: `xx = 2%` drives a component, `s_yy = 0MPa` gives its flux, `rest` says the others.

| | drive | flux |
|---|---|---|
| small strain | xx or e_xx: true tensor components of the strain | s_xx: Cauchy stress |
| finite strain | F_xx: deformation gradient | P_xx: first Piola-Kirchhoff stress, s_xx: Cauchy stress |
| transport | x or g_x: gradient | q_x: flux (k times the gradient) |

Values are those at the end of the leg; what is held stays undeformed. At finite strain F_ij below the diagonal is held
where nothing is said of it: that fixes the rotation, and with P_ij = 0 above it the faces are free of shear
all the same.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from scalebridge.cell.nonlinear.loading import Leg
from scalebridge.core.errors import StudyError, UnitError
from scalebridge.core.units import Dimension, parse_quantity
from scalebridge.homogenize.path.result import CAUCHY_SYMBOL, DRIVE_SYMBOLS, FLUX_SYMBOLS
from scalebridge.material.kinematics import FINITE_STRAIN, Kinematics
from scalebridge.study.explain import nearest
from scalebridge.study.path_schema import LegSection


def build_leg(section: LegSection, number: int, kinematics: Kinematics, ndim: int) -> Leg:
    """Fails when: a component is unknown or given twice, or a unit does not fit (StudyError)."""
    where = f"Leg {number}"
    drive: dict[str, float] = {}
    flux: dict[str, float] = {}
    cauchy: dict[str, float] = {}
    symbols = DRIVE_SYMBOLS[kinematics.name], FLUX_SYMBOLS[kinematics.name]
    for key, value in section.components.items():
        given, name = _component(key, where, kinematics, ndim)
        if name in drive or name in flux or name in cauchy:
            raise StudyError(
                f"{where}: component {name} is given twice; its {kinematics.drive} or its {kinematics.flux}, not both."
            )
        dimension = Dimension.PRESSURE if given != "drive" and kinematics.vector else Dimension.DIMENSIONLESS
        try:
            {"drive": drive, "flux": flux, "cauchy": cauchy}[given][name] = parse_quantity(value, dimension)
        except UnitError as error:
            plain = "" if kinematics.vector else " (gradients and fluxes are plain numbers in SI)"
            raise StudyError(f"{where}: {key}: {error}{plain}") from None
    virgin = dict(zip(kinematics.components(ndim), kinematics.virgin(ndim), strict=True))
    for name, at_rest in virgin.items():
        if name in drive or name in flux or name in cauchy:
            continue
        turns = kinematics.vector and not kinematics.symmetric and name[0] > name[1]
        if section.rest == "free" and not turns:
            flux[name] = 0.0
        else:
            drive[name] = float(at_rest)
    if not drive and kinematics.vector and not kinematics.symmetric:
        raise StudyError(f"{where}: nothing holds the rotation; give at least one {symbols[0]}_ij.")
    if kinematics is FINITE_STRAIN:
        _require_possible(where, drive, ndim)
    try:
        duration = parse_quantity(section.time, Dimension.TIME)
    except UnitError as error:
        raise StudyError(f"{where}: time: {error}") from None
    if not duration > 0:
        raise StudyError(f"{where}: the time of a leg must be positive, got {section.time!r}.")
    return Leg(drive, flux, duration, section.steps, cauchy)


def _require_possible(where: str, drive: Mapping[str, float], ndim: int) -> None:
    """Where all of F is given, or all of it below the diagonal, det F > 0 can be checked before anything is solved."""
    axes = "xyz"[:ndim]
    whole = np.array([[drive.get(i + j, np.nan) for j in axes] for i in axes])
    if np.isfinite(whole).all() and not np.linalg.det(whole) > 0:
        raise StudyError(
            f"{where}: det F = {np.linalg.det(whole):g} turns the cell inside out; expected det F > 0."
        )
    squeezed = [i + i for i in axes if drive.get(i + i, 1.0) <= 0]
    if squeezed and not np.any(np.tril(np.nan_to_num(whole, nan=0.0), -1)):
        raise StudyError(
            f"{where}: F_{squeezed[0]} = {drive[squeezed[0]]:g} leaves nothing of the cell; expected a stretch above 0 "
            "(1 is undeformed)."
        )


def _component(key: str, where: str, kinematics: Kinematics, ndim: int) -> tuple[str, str]:
    """Whether a "drive", a "flux" or a "cauchy" stress is meant, and of which component."""
    drive, flux = DRIVE_SYMBOLS[kinematics.name], FLUX_SYMBOLS[kinematics.name]
    names = kinematics.components(ndim)
    symbol, separator, name = key.strip().rpartition("_")
    if kinematics.symmetric and name[::-1] in names:
        name = name[::-1]  # yx is xy
    if name in names and separator and symbol in (drive, flux):
        return ("flux" if symbol == flux else "drive"), name
    bare_means_drive = kinematics is not FINITE_STRAIN
    if name in names and symbol == CAUCHY_SYMBOL and kinematics is FINITE_STRAIN:
        return "cauchy", min(name, name[::-1])  # symmetric; what is free is above the diagonal
    if name in names and not separator and bare_means_drive:
        return "drive", name
    known = [*(f"{drive}_{n}" for n in names), *(f"{flux}_{n}" for n in names)]
    known += list(names) if bare_means_drive else [f"{CAUCHY_SYMBOL}_{n}" for n in names]
    raise StudyError(
        f"{where}: there is no component {key!r} at {kinematics.name} in {ndim}-D{nearest(key, known)}."
        if name not in names
        else f"{where}: {key!r} is not said at {kinematics.name}: write {drive}_{name} for the {kinematics.drive}, "
        f"{flux}_{name} for the {kinematics.flux}."
    )
