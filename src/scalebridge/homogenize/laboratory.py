r"""The laboratory on an image: two faces at different potentials, or a specimen between platens. One number.

Conduction uses the seven-point finite volumes that tortuosity codes use (prescribed potentials on two faces, no flux
through the sides), so that results can be compared; the multilinear elements on the same voxels then bound it from
above and the finite-volume flux from below. Elasticity uses the elements: E = <sigma_aa> / unit strain.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from scalebridge.cell.boundary import OppositeFaces, Platens, Sides
from scalebridge.cell.finite_volume import (
    FiniteVolumeSolution,
    MultigridConjugateGradients,
    solve_finite_volume,
)
from scalebridge.cell.problem import PreconditionedConjugateGradients
from scalebridge.core.progress import AbstractProgress
from scalebridge.core.status import Status
from scalebridge.homogenize import budget as terms
from scalebridge.homogenize.bracket import faces_bracket, volumes_problem
from scalebridge.homogenize.cells import SolvedCell, solve_phases
from scalebridge.homogenize.effective import parameter_error, sensitivities
from scalebridge.homogenize.interfaces import interface_error
from scalebridge.homogenize.localization import between_faces_fields, unit_load_fields
from scalebridge.homogenize.naming import names_of
from scalebridge.homogenize.phases import Phases
from scalebridge.homogenize.request import Request
from scalebridge.homogenize.resolution import coarser_images, resolution_estimate
from scalebridge.homogenize.result import (
    Bracket,
    HomogenizationResult,
    LocalFields,
    Sensitivity,
    SolverRecord,
    TensorBounds,
    Verdict,
)
from scalebridge.homogenize.spread import SINGULAR, shown_between_faces, spread_of_conditions
from scalebridge.homogenize.validity import (
    Transport,
    interface_share,
    percolation_verdict,
    phase_records,
    resolution_verdict,
)

# Up to this many voxels the elements are solved beside the finite volumes, for the bracket, fields and sensitivities.
ELEMENTS_UP_TO = 2_200_000


def homogenize_between_faces(
    request: Request,
) -> HomogenizationResult:
    """The scalar along the axis of the request's OppositeFaces, with budget, bracket and (one conducting phase)
    tortuosity."""
    boundary = _faces_of(request)
    boundary.edges(request.phases.image.grid.ndim, None)
    solve = _elements if volumes_problem(request.phases, boundary) is None else _conduction
    return solve(request)


def _faces_of(request: Request) -> OppositeFaces:
    assert isinstance(request.boundary, OppositeFaces)
    return request.boundary


def _solve_volumes(
    phases: Phases, boundary: OppositeFaces, method: MultigridConjugateGradients, progress: AbstractProgress
) -> FiniteVolumeSolution:
    problem = volumes_problem(phases, boundary)
    assert problem is not None
    return solve_finite_volume(problem, method, progress)


def _conduction(request: Request) -> HomogenizationResult:
    phases, boundary, found = request.phases, _faces_of(request), request.transport
    image, progress, store = phases.image, request.progress, request.store
    exact = len(image.present) == 1
    values: list[np.ndarray] = []
    voxels: list[int] = []

    for coarse in reversed(() if exact else coarser_images(image)):
        progress.update("solve", 0, 0, f"{' x '.join(map(str, coarse.grid.shape))} voxels, faces")
        solved = _solve_volumes(phases.on(coarse), boundary, request.volumes_method(0.02), progress)
        values.append(np.array(solved.effective).reshape(1, 1))
        voxels.append(max(coarse.grid.shape))
    progress.update("solve", 0, 0, f"{' x '.join(map(str, image.grid.shape))} voxels, faces")
    guess = terms.relative_gap(values[-2], values[-1]) / 2 if len(values) > 1 else 0.0
    solution = _solve_volumes(phases, boundary, request.volumes_method(guess), progress)
    value = np.array(solution.effective).reshape(1, 1)
    ladder = resolution_estimate([*values, value], [*voxels, max(image.grid.shape)])
    cell: SolvedCell | None = None
    sensitivity: tuple[Sensitivity, ...] = ()
    if image.grid.size <= ELEMENTS_UP_TO and found.carries[boundary.axis]:
        progress.update("solve", 0, 0, "elements on the same voxels, for the bracket and the fields")
        energy = dataclasses.replace(request, accuracy=request.accuracy or 1e-4).energy(ladder.error or 0.0)
        cell = solve_phases(
            phases, boundary, PreconditionedConjugateGradients(None, energy), progress, store, "faces level 0"
        )
        sensitivity = sensitivities(
            cell.moments, cell.effective, phases.laws, image.present, phases.plane, image.grid.ndim
        )
    notes: list[str] = []
    bracket: Bracket | None = None
    if found.carries[boundary.axis]:
        bracket, notes = faces_bracket(solution, cell, progress)
    record = SolverRecord(
        iterations=tuple(int(i) for i in np.atleast_1d(solution.iterations)),
        residual=float(np.max(solution.residual)),
        seconds=0.0,
        compile_seconds=0.0,
        device=_device(),
        peak_bytes=0,
        history=tuple(tuple(float(v) for v in h) for h in solution.history),
        method="seven-point finite volumes, conjugate gradients with aggregation multigrid",
    )
    mean = np.atleast_2d(solution.mean_flux)
    energy_value = float(value[0, 0])
    gap = abs(float(mean[0, boundary.axis]) - energy_value) / energy_value if energy_value > 0 else 0.0
    # The other conditions are solved with the elements, so they are compared with the elements where these were solved.
    spread = spread_of_conditions(
        phases,
        boundary,
        value if cell is None else cell.effective.value,
        request.conditions,
        request.method(ladder.error or 0.0),
        progress,
        store,
    )
    return _result(
        request, value, float(np.max(solution.energy_error)), ladder, bracket, exact, record, solution.status,
        {"hill_mandel": gap, "symmetry": 0.0}, sensitivity, cell, notes, spread, solution,
    )  # fmt: skip


def _elements(request: Request) -> HomogenizationResult:
    phases, boundary, found = request.phases, _faces_of(request), request.transport
    image, progress, store = phases.image, request.progress, request.store
    exact = len(image.present) == 1 and not phases.orientations
    values: list[np.ndarray] = []
    voxels: list[int] = []

    if not exact:
        for level, coarse in reversed(list(enumerate(coarser_images(image), start=1))):
            progress.update("solve", 0, 0, f"{' x '.join(map(str, coarse.grid.shape))} voxels, faces")
            solved = solve_phases(
                phases.coarsened(coarse, 2**level),
                boundary,
                request.method(0.02),
                progress,
                store,
                f"faces level {level}",
            )
            values.append(solved.effective.value)
            voxels.append(max(coarse.grid.shape))
    progress.update("solve", 0, 0, f"{' x '.join(map(str, image.grid.shape))} voxels, faces")
    guess = terms.relative_gap(values[-2], values[-1]) / 2 if len(values) > 1 else 0.0
    cell = solve_phases(phases, boundary, request.method(guess), progress, store, "faces level 0")
    value = cell.effective.value
    checks = {"hill_mandel": cell.effective.hill_mandel, "symmetry": cell.effective.symmetry}
    if not found.carries[boundary.axis]:  # what is left of the iteration is no stiffness, nor are its gaps
        value = np.zeros_like(value)
        checks = dict.fromkeys(checks, 0.0)
    ladder = resolution_estimate([*values, value], [*voxels, max(image.grid.shape)])
    sensitivity = sensitivities(
        cell.moments, cell.effective, phases.laws, image.present, phases.plane, image.grid.ndim
    )
    solution = cell.solution
    record = SolverRecord(
        solution.iterations, solution.residual, 0.0, 0.0, _device(), 0, solution.history,
        "voxel finite elements, preconditioned conjugate gradients",
    )  # fmt: skip
    spread = spread_of_conditions(
        phases, boundary, value, request.conditions, request.method(ladder.error or 0.0), progress, store
    )
    return _result(
        request, value, float(np.max(solution.energy_error, initial=0.0)), ladder, None, exact, record,
        solution.status, checks, sensitivity, cell, [], spread,
    )  # fmt: skip


def _result(
    request: Request, value: np.ndarray, algebraic: float, ladder: Any, bracket: Bracket | None, exact: bool,
    record: SolverRecord, status: Status, checks: dict[str, float], sensitivity: tuple[Sensitivity, ...],
    cell: SolvedCell | None, notes: list[str], spread: list[tuple[str, float]],
    volumes: FiniteVolumeSolution | None = None,
) -> HomogenizationResult:  # fmt: skip
    phases, boundary, found = request.phases, _faces_of(request), request.transport
    image, sample = phases.image, request.sample
    names = names_of(phases, boundary)
    mix = np.ones((1, 1))
    shown: tuple[LocalFields, ...] = ()
    if cell is not None:
        shown = unit_load_fields(phases, cell.solution, mix, names, request.fields)
    elif volumes is not None:
        shown = between_faces_fields(phases, volumes, names, request.fields)
    error = terms.budget(
        [
            terms.algebraic_term(algebraic, "conjugate gradients"),
            terms.discretization_term(
                value,
                ladder.error,
                ladder.study,
                bracket,
                exact,
                interface_error(phases, cell.moments, mix, value) if cell is not None else None,
            ),
            terms.boundary_term(spread, boundary.name),
            terms.parameter_term(parameter_error(sensitivity), sensitivity),
            sample.term,
        ],
        request.accuracy,
    )
    notes = [*notes, *sample.warnings]
    if error.reservation:
        notes.append(error.reservation)
    if status is Status.CONVERGED and error.met is False:
        status = Status.ACCURACY_NOT_MET
    records = phase_records(phases)
    extra: dict[str, Any] = dict(names.extra)
    if sample.record:
        extra["subvolumes"] = sample.record
    if not phases.vector:
        extra.update(tortuosity_of(phases, boundary, float(value[0, 0]), found))
    if not found.carries[boundary.axis]:
        noun = "stiffness" if phases.vector else "conductivity"
        without = " and no tortuosity exists" if extra.get("tortuosity", 0.0) is None else ""
        notes.insert(
            0,
            f"Nothing connects the two faces along {'xyz'[boundary.axis]}: the {noun} is exactly zero{without}.",
        )
    verdicts: list[Verdict | None] = [
        percolation_verdict(phases, found, boundary),
        resolution_verdict(image, interface_share(image)),
    ]
    return HomogenizationResult(
        physics=names.physics,
        quantity=names.quantity,
        unit=names.unit,
        value=value,
        model=None,
        error=error,
        validity=tuple(v for v in verdicts if v is not None),
        bounds=_along(phases.bounds(), phases, boundary),
        bracket=bracket,
        checks=checks,
        phases=records,
        solver=record,
        status=status,
        boundary=boundary.name,
        image=image,
        provenance={},
        sensitivities=sensitivity,
        resolution=ladder.study,
        fields=shown,
        extra=extra,
        warnings=tuple(notes),
        axis=boundary.axis,
        plane=str(phases.plane.value) if phases.plane is not None else None,
        solution=cell.solution if cell is not None else None,
    )


def tortuosity_of(phases: Phases, boundary: OppositeFaces, value: float, found: Transport) -> dict[str, Any]:
    """tau = fraction k / k_eff and the formation factor k / k_eff, when exactly one phase conducts.

    None, with the reason, where that phase does not connect the two faces: no path, no tortuosity.
    """
    conducting = np.flatnonzero(~phases.void)
    if len(conducting) != 1:
        return {}
    if value <= 0 or not found.carries[boundary.axis]:
        why = "the conducting phase does not connect the two faces"
        return {
            "tortuosity": None,
            "formation_factor": None,
            "effective_over_intrinsic": 0.0,
            "reasons": {"tortuosity": why, "formation_factor": why},
        }
    p = int(conducting[0])
    k = float(phases.matrices[p][boundary.axis, boundary.axis])
    fraction = phases.image.fractions[phases.image.present[p]]
    return {
        "tortuosity": fraction * k / value,
        "formation_factor": k / value,
        "effective_over_intrinsic": value / k,
    }


def _along(bounds: TensorBounds, phases: Phases, boundary: OppositeFaces) -> TensorBounds:
    """Voigt and Reuss along the axis, or what uniform strains and stresses that the set-up allows give."""
    if phases.vector:
        return platen_bounds(bounds, boundary, phases.image.grid.ndim)
    a = boundary.axis
    return TensorBounds(
        bounds.voigt[a : a + 1, a : a + 1],
        bounds.reuss[a : a + 1, a : a + 1],
        bounds.hashin_shtrikman,
        bounds.note,
    )


def platen_bounds(bounds: TensorBounds, boundary: OppositeFaces, ndim: int) -> TensorBounds:
    """Bounds (1, 1) of the apparent modulus between platens from the Voigt and Reuss stiffness of the phases.

    Above: the energy of the best uniform strain that the set-up admits in the mean stiffness. Clamped platens or
    symmetric sides hold all other components (C_aa); smooth platens with free sides hold none (1 / (C^-1)_aa). Below:
    the best uniform stress in equilibrium with the sides in the mean compliance. Free sides leave the axial
    component alone (1 / S_aa); symmetric sides, which carry no shear, take all normal ones. References: [hill1963].
    """
    a = boundary.axis
    free = OppositeFaces(a, Platens.SMOOTH, Sides.FREE)
    if boundary.sides is Sides.SYMMETRIC:
        m = len(bounds.reuss)
        normal, shear = np.ix_(range(ndim), range(ndim)), np.ix_(range(ndim, m), range(ndim, m))
        cross = bounds.reuss[:ndim, ndim:]
        inverse = np.linalg.pinv(bounds.reuss[shear], rcond=SINGULAR, hermitian=True)
        low = float((bounds.reuss[normal] - cross @ inverse @ cross.T)[a, a])
    else:
        low = shown_between_faces(bounds.reuss, free, True)
    held = boundary.sides is Sides.SYMMETRIC or boundary.platens is Platens.CLAMPED
    high = float(bounds.voigt[a, a]) if held else shown_between_faces(bounds.voigt, free, True)
    return TensorBounds(
        np.array([[high]]),
        np.array([[low]]),
        None,
        "Bounds of the apparent modulus between these platens; Hashin-Shtrikman bounds are for the whole material.",
    )


def _device() -> str:
    import jax

    return str(jax.devices()[0].device_kind)
