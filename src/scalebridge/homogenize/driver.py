"""The verb of the package: image and laws in, effective law with error budget and verdicts out."""

from __future__ import annotations

import contextlib
import dataclasses
import time
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from scalebridge.cell.boundary import AbstractBoundary, OppositeFaces, Periodic
from scalebridge.core import provenance
from scalebridge.core.checkpoint import AbstractStore, NullStore
from scalebridge.core.compilation_clock import CompilationClock
from scalebridge.core.errors import ConvergenceError, InputError
from scalebridge.core.memory import peak_resident_bytes
from scalebridge.core.progress import AbstractProgress, SilentProgress
from scalebridge.core.status import Status
from scalebridge.grid import PhaseImage
from scalebridge.homogenize import budget as terms
from scalebridge.homogenize.bracket import LowerBound
from scalebridge.homogenize.cells import SolvedCell, solve_phases
from scalebridge.homogenize.effective import identity_gaps, parameter_error, sensitivities
from scalebridge.homogenize.engineering import derived_quantities
from scalebridge.homogenize.exact_relations import applicable_relations
from scalebridge.homogenize.interfaces import interface_error
from scalebridge.homogenize.laboratory import homogenize_between_faces
from scalebridge.homogenize.localization import unit_load_fields
from scalebridge.homogenize.model import effective_law
from scalebridge.homogenize.naming import names_of
from scalebridge.homogenize.phases import Phases, collect_phases
from scalebridge.homogenize.request import Request
from scalebridge.homogenize.resolution import Prolonged, coarser_images, resolution_estimate
from scalebridge.homogenize.result import Bracket, HomogenizationResult, SolverRecord, Verdict
from scalebridge.homogenize.spread import check_conditions, spread_of_conditions
from scalebridge.homogenize.subvolumes import Subvolumes
from scalebridge.homogenize.thermal import thermal_expansion, unknown_effects, with_expansion
from scalebridge.homogenize.validity import (
    interface_share,
    lost_loads,
    percolation_verdict,
    phase_records,
    resolution_verdict,
    seam_verdict,
    transport,
    without_lost_loads,
)
from scalebridge.material.law import AbstractLaw
from scalebridge.material.plane import PlaneState


def homogenize(
    image: PhaseImage,
    laws: Mapping[int, AbstractLaw],
    *,
    boundary: AbstractBoundary | None = None,
    plane: PlaneState | None = None,
    accuracy: float | None = 0.01,
    residual: float | None = None,
    fields: bool = False,
    conditions: Sequence[AbstractBoundary] = (),
    orientations: Mapping[int, np.ndarray] | None = None,
    subvolumes: Subvolumes | None = None,
    progress: AbstractProgress | None = None,
    store: AbstractStore | None = None,
    throw: bool = True,
) -> HomogenizationResult:
    """The effective law of an image.

    laws: one per label, all Conduction, all Elasticity or all Thermoelasticity. boundary: Periodic() by default.
    accuracy: total relative error wanted; it decides when to stop iterating. residual: a fixed relative residual
    instead. conditions: other boundary conditions to compare with (the boundary term of the budget). orientations:
    per label, rotations (d, d, *shape) of that phase's axes in every voxel. subvolumes: solve windows of the image too
    (the statistical term of the budget). fields: keep the local fields of every
    unit load. store: where finished loads are kept so that an interrupted run can resume.
    Fails when: labels and laws do not match (PhaseError), tolerances are out of range (InputError), or the iteration
    does not converge (ConvergenceError, unless throw=False: then `status` says so).
    References: [hill1963], [bensoussan1978], [huet1990].
    """
    begin = time.perf_counter()
    boundary = boundary or Periodic()
    progress, store = progress or SilentProgress(), store or NullStore()
    for name, value in (("accuracy", accuracy), ("residual", residual)):
        if value is not None and not 0 < value < 1:
            raise InputError(f"The {name} must lie between 0 and 1, got {value!r}.")
    if accuracy is None and residual is None:
        raise InputError("Give an accuracy or a residual: without either the iteration has no end.")
    if residual is not None:
        accuracy = None
    check_conditions(boundary, conditions)
    phases = collect_phases(image, laws, plane, orientations)
    progress.update("read", 0, 0, "connectivity")
    found = transport(phases, boundary)
    with CompilationClock() as clock:
        sample = terms.StatisticalError(terms.statistical_term())
        if subvolumes is not None:
            from scalebridge.homogenize.statistical_error import statistical_error  # loads scipy.stats

            sample = statistical_error(phases, boundary, found, subvolumes, accuracy, progress, store)
        request = Request(
            phases, boundary, accuracy, residual, fields, tuple(conditions), found, sample, progress, store
        )
        between = isinstance(boundary, OppositeFaces)
        result = homogenize_between_faces(request) if between else _all_loads(request)
    settings = _settings(phases, boundary, accuracy, residual, conditions, subvolumes)
    seconds = time.perf_counter() - begin
    result = dataclasses.replace(
        result,
        provenance={
            **provenance.collect({}, settings),
            "image_sha256": image.sha256,
            "history": list(image.history),
        },
        solver=dataclasses.replace(
            result.solver,
            seconds=seconds,
            compile_seconds=clock.seconds,
            peak_bytes=peak_resident_bytes(),
        ),
    )
    if throw and result.status in (Status.MAX_STEPS, Status.BREAKDOWN):
        raise ConvergenceError(
            f"The iteration stopped at a relative residual of {result.solver.residual:.1e} after "
            f"{max(result.solver.iterations)} steps ({result.status}). Ask for a larger residual, or check for extreme "
            "property ratios; throw=False returns what there is."
        )
    return result


def _all_loads(request: Request) -> HomogenizationResult:
    phases, boundary, image = request.phases, request.boundary, request.phases.image
    exact = len(image.present) == 1 and not phases.orientations
    bracket: Bracket | None = None
    notes: list[str] = []
    share = float(np.clip(0.1 * (request.accuracy or 1e-4), 1e-6, 1e-3))
    bounded = not phases.vector and boundary.periodic and not exact and bool(request.transport.carries.any())
    with LowerBound(phases, boundary, share) if bounded else contextlib.nullcontext() as lower:
        fine, values, voxels = _ladder(request, exact)
        value = without_lost_loads(phases, boundary, request.transport, fine.effective.value)
        if lower is not None:
            bracket, notes = lower.bracket(value, request.progress)
    values = [
        without_lost_loads(phases, boundary, request.transport, v) for v in [*values, fine.effective.value]
    ]
    ladder = resolution_estimate(values, [*voxels, max(image.grid.shape)])
    algebraic = _algebraic_error(fine, value)
    found = sensitivities(
        fine.moments, fine.effective, phases.laws, image.present, phases.plane, image.grid.ndim
    )
    if lost_loads(phases, boundary, request.transport).any():
        found = tuple(
            dataclasses.replace(
                s, derivative=without_lost_loads(phases, boundary, request.transport, s.derivative)
            )
            for s in found
        )
    thermal = None
    if phases.expansions is not None:
        thermal = thermal_expansion(fine.moments, fine.effective, phases.matrices, phases.expansions)
        if thermal is None:
            notes.append("Thermal expansion is not available for oriented grains yet.")
        else:
            found = with_expansion(
                found,
                thermal,
                fine.moments,
                fine.effective,
                phases.laws,
                image.present,
                phases.plane,
                image.grid.ndim,
            )
    spread = spread_of_conditions(
        phases,
        boundary,
        value,
        request.conditions,
        request.method(ladder.error or 0.0),
        request.progress,
        request.store,
    )
    error = terms.budget(
        [
            terms.algebraic_term(algebraic, "conjugate gradients"),
            terms.discretization_term(
                value,
                ladder.error,
                ladder.study,
                bracket,
                exact,
                interface_error(phases, fine.moments, fine.effective.mix, value),
            ),
            terms.boundary_term(spread, boundary.name),
            terms.parameter_term(
                parameter_error(found), found, "" if thermal is None else unknown_effects(found)
            ),
            request.sample.term,
        ],
        request.accuracy,
    )
    if boundary.prescribes_flux and len(fine.solution.loads) < len(value):
        notes.append(
            "Void lies on the faces: a uniform flux cannot be applied there, so static conditions give exactly zero "
            "for the loads concerned. Periodic or kinematic conditions do not have this limit."
        )
    records = phase_records(phases)
    extra: dict[str, Any] = derived_quantities(
        value, phases.by_label, image.fractions, connected=request.transport.carries
    )
    if thermal is not None:
        extra["heat_free_stress"] = thermal.heat_free_stress
        extra["expansion"] = thermal.expansion
        notes += [note for note in (thermal.note, unknown_effects(found)) if note]
    notes += request.sample.warnings
    if request.sample.record:
        extra["subvolumes"] = request.sample.record
    if error.reservation:
        notes.append(error.reservation)
    status = fine.solution.status
    if status is Status.CONVERGED and error.met is False:
        status = Status.ACCURACY_NOT_MET
    names = names_of(phases, boundary)
    return HomogenizationResult(
        physics=names.physics,
        quantity=names.quantity,
        unit=names.unit,
        value=value,
        model=effective_law(phases, value, thermal.expansion if thermal else None),
        error=error,
        validity=_verdicts(request, value, thermal.reciprocal if thermal else None, algebraic),
        bounds=phases.bounds(),
        bracket=bracket,
        checks=_checks(request, fine),
        phases=records,
        solver=solver_record(fine),
        status=status,
        boundary=boundary.name,
        image=image,
        provenance={},
        sensitivities=found,
        resolution=ladder.study,
        fields=unit_load_fields(phases, fine.solution, fine.effective.mix, names, request.fields),
        extra={**names.extra, **extra},
        warnings=tuple(notes),
        plane=str(phases.plane.value) if phases.plane is not None else None,
        solution=fine.solution,
    )


def _algebraic_error(cell: SolvedCell, value: np.ndarray) -> float:
    """Largest energy error of a load relative to the tensor's norm; nothing where nothing is carried."""
    errors = np.asarray(cell.solution.energy_error)
    if cell.solution.problem.boundary.prescribes_flux or not len(errors):
        return float(np.max(errors, initial=0.0))
    norm = float(np.linalg.norm(value))
    return float(np.max(errors * np.diag(cell.moments.energy))) / norm if norm > 0 else 0.0


def _ladder(request: Request, exact: bool) -> tuple[SolvedCell, list[np.ndarray], list[int]]:
    """Solve coarse to fine, each level starting from the one below; returns the fine cell and the coarse values."""
    phases, boundary = request.phases, request.boundary
    images = () if exact else coarser_images(phases.image)
    values: list[np.ndarray] = []
    voxels: list[int] = []
    below: SolvedCell | None = None
    for level in range(len(images), -1, -1):
        here = phases if level == 0 else phases.coarsened(images[level - 1], 2**level)
        initial: Prolonged | None = None
        if below is not None and _same_loads(here, boundary):
            nodes = here.problem(boundary).discretization.nodes
            initial = Prolonged(below.solution.fluctuations, nodes, boundary.periodic)
        guess = 0.0
        if len(values) >= 2:
            guess = terms.relative_gap(values[-2], values[-1]) / 2
        elif level > 0:
            guess = 0.03
        request.progress.update(
            "solve", 0, 0, f"{' x '.join(map(str, here.image.grid.shape))} voxels, {boundary.name}"
        )
        name = f"{boundary.name} level {level}"
        below = solve_phases(
            here, boundary, request.method(guess), request.progress, request.store, name, initial
        )
        if level > 0:
            values.append(below.effective.value)
            voxels.append(max(here.image.grid.shape))
    assert below is not None
    return below, values, voxels


def _same_loads(here: Phases, boundary: AbstractBoundary) -> bool:
    return not boundary.prescribes_flux or not here.void.any()


def _checks(request: Request, fine: SolvedCell) -> dict[str, float]:
    """The identities of every solved cell, over the loads that are carried at all."""
    if request.boundary.prescribes_flux:
        return {"hill_mandel": fine.effective.hill_mandel, "symmetry": fine.effective.symmetry}
    carried = ~lost_loads(request.phases, request.boundary, request.transport)
    hill, symmetry = identity_gaps(fine.moments, fine.solution.loads, False, carried)
    return {"hill_mandel": hill, "symmetry": symmetry}


def _verdicts(
    request: Request, value: np.ndarray, expansion: np.ndarray | None, algebraic: float
) -> tuple[Verdict, ...]:
    phases, image = request.phases, request.phases.image
    found = [
        percolation_verdict(phases, request.transport, request.boundary),
        seam_verdict(image, request.boundary),
        resolution_verdict(image, interface_share(image)),
    ]
    if request.boundary.periodic and not phases.orientations and request.transport.carries.all():
        found += _self_tests(phases, value, expansion, algebraic)
    return tuple(v for v in found if v is not None)


def _self_tests(
    phases: Phases, value: np.ndarray, expansion: np.ndarray | None, algebraic: float
) -> list[Verdict | None]:
    """Relations that hold exactly for these phases in any arrangement, tried on the user's own image."""
    image = phases.image
    verdicts: list[Verdict | None] = []
    for relation in applicable_relations(
        phases.by_label, image.fractions, ndim=image.grid.ndim, plane=phases.plane
    ):
        measured = value if relation.quantity == "tensor" else expansion
        if measured is None:
            continue
        gap = relation.deviation(value, measured)
        # A relation holds to first order in the fluctuations, the energy to second: hence the square root.
        ok = gap <= max(1e-6, 10 * float(np.sqrt(algebraic)))
        verdicts.append(Verdict("self-test", ok, f"{relation.words} Found on this image to {gap:.1e}."))
    return verdicts


def solver_record(cell: SolvedCell) -> SolverRecord:
    """What the solver did, for the record."""
    import jax

    solution = cell.solution
    return SolverRecord(
        iterations=solution.iterations,
        residual=solution.residual,
        seconds=solution.seconds,
        compile_seconds=0.0,
        device=jax.devices()[0].device_kind,
        peak_bytes=0,
        history=solution.history,
        method="voxel finite elements, preconditioned conjugate gradients",
    )


def _settings(
    phases: Phases,
    boundary: AbstractBoundary,
    accuracy: float | None,
    residual: float | None,
    conditions: Sequence[AbstractBoundary],
    subvolumes: Subvolumes | None,
) -> dict[str, Any]:
    return {
        "boundary": repr(boundary),
        "conditions": [repr(c) for c in conditions],
        "accuracy": accuracy,
        "residual": residual,
        "subvolumes": None if subvolumes is None else dataclasses.asdict(subvolumes),
        "plane": None if phases.plane is None else str(phases.plane.value),
        "laws": {str(label): law.record() for label, law in phases.by_label.items()},
    }
