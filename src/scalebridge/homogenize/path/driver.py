"""A microstructure along a loading path: march, measure, keep, go on."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from scalebridge.cell.boundary import AbstractBoundary, Periodic
from scalebridge.cell.nonlinear.elements import Integration
from scalebridge.cell.nonlinear.loading import Leg
from scalebridge.cell.nonlinear.march import Increment, march
from scalebridge.cell.nonlinear.newton import Batch, prepare
from scalebridge.cell.nonlinear.problem import NewtonKrylov, NonlinearCell
from scalebridge.cell.nonlinear.tangent import macroscopic_tangent
from scalebridge.core import provenance
from scalebridge.core.checkpoint import AbstractStore
from scalebridge.core.errors import ConvergenceError, InputError, LawError
from scalebridge.core.progress import AbstractProgress, SilentProgress
from scalebridge.core.status import Status
from scalebridge.grid import PhaseImage
from scalebridge.homogenize.json_record import plain
from scalebridge.homogenize.path.checkpoint import FieldSeries, MemoryStore, PathStore, fingerprint
from scalebridge.homogenize.path.measure import local_fields, measure, virgin_energy
from scalebridge.homogenize.path.result import Moments, PathIncrement, PathResult
from scalebridge.homogenize.path.sound_laws import require_sound
from scalebridge.homogenize.path.stability import tangent_warnings
from scalebridge.homogenize.resolution import SMALLEST, coarser_images
from scalebridge.material.laws.plane import PlaneStrain, PlaneStress
from scalebridge.material.laws.point import AbstractPointLaw
from scalebridge.material.plane import PlaneState

_SAME_TIME = 1e-9


def follow_path(
    image: PhaseImage,
    laws: Mapping[int, AbstractPointLaw | None],
    legs: Sequence[Leg],
    *,
    boundary: AbstractBoundary | None = None,
    integration: Integration | None = None,
    method: NewtonKrylov | None = None,
    plane: PlaneState = PlaneState.STRAIN,
    tangent: Moments = Moments.END_OF_LEGS,
    fields_at: Moments | Collection[int] = Moments.NEVER,
    resolution: bool = False,
    accuracy: float | None = None,
    origin: Mapping[str, Any] | None = None,
    store: AbstractStore | None = None,
    progress: AbstractProgress | None = None,
) -> PathResult:
    """The answer of a microstructure to a loading path, increment by increment, with its error budget.

    laws: per label; None is a void. plane: of 2-D images whose laws are three-dimensional. tangent: when the consistent
    macroscopic tangent is computed; fields_at: when local fields are kept, or numbers of increments. resolution: also
    follow the path on the image coarsened by two. accuracy: a relative error to reach, all assessed terms together;
    asks for the resolution, too. store: where the path keeps itself; the same call with the same store goes on where it
    was killed, with the same bits. origin: what else the numbers depend on and only the caller knows (hashes of files),
    part of what a store must agree with.

    Where an increment finds no equilibrium the path ends there: the result says so in `status` and `reason`.
    Fails when: laws and labels or drives do not fit together (InputError, LawError), a law is not positive at rest
    (LawError), not even the first increment converges (ConvergenceError), or the store holds another path (InputError).
    """
    if not legs:
        raise InputError("A path needs at least one leg.")
    boundary, method = boundary or Periodic(), method or NewtonKrylov()
    held = {label: in_plane(law, image.grid.ndim, plane) for label, law in laws.items()}
    require_sound({n: held[n] for n in image.present if n in held}, legs[0].duration / legs[0].increments)
    run = _Run(image, held, tuple(legs), boundary, integration, method, tangent, fields_at)
    listener = progress or SilentProgress()
    kept = PathStore(store or MemoryStore(), fingerprint(run.parts(origin)))
    rows, warnings, reason = run.follow(kept, listener)
    differences = None
    if resolution or accuracy is not None:
        differences, told = _resolution(run, origin, kept, rows, listener)
        warnings = (*warnings, *told)
    numbers = tuple(row.number for row in rows if run.wants_fields(row))
    cell = run.cell
    result = PathResult(
        image, cell.kinematics, run.legs, {n: _record(law) for n, law in held.items()}, boundary.name,
        cell.elements.integration.value, method.tolerance, rows, FieldSeries(kept, numbers), differences,
        Status.MAX_STEPS if reason else Status.CONVERGED, reason, warnings, accuracy,
        {**provenance.collect(settings=plain(run.parts(origin))), "image": image.sha256},
    )  # fmt: skip
    assessed = differences is not None and result.says_energies
    missed = accuracy is not None and not (assessed and result.total_error <= accuracy)
    if missed and result.status is Status.CONVERGED:
        result = dataclasses.replace(result, status=Status.ACCURACY_NOT_MET)
    return result


@dataclasses.dataclass(frozen=True, eq=False)
class _Run:
    """What is computed, without where it is kept."""

    image: PhaseImage
    laws: Mapping[int, AbstractPointLaw | None]
    legs: tuple[Leg, ...]
    boundary: AbstractBoundary
    integration: Integration | None
    method: NewtonKrylov
    tangent: Moments
    fields_at: Moments | Collection[int]

    @property
    def cell(self) -> NonlinearCell:
        return NonlinearCell(self.image.grid, self.image.labels, self.laws, self.boundary, self.integration)

    def parts(self, origin: Mapping[str, Any] | None) -> dict[str, Any]:
        """What the numbers depend on, by name."""
        cell = self.cell
        names = cell.kinematics.components(self.image.grid.ndim)
        return {
            "microstructure": [self.image.sha256, list(self.image.grid.shape), self.image.grid.spacing],
            "laws": {str(label): _record(law) for label, law in sorted(self.laws.items())},
            "legs": [
                [*map(dict, (leg.drive, leg.flux, leg.cauchy)), leg.duration, leg.increments]
                for leg in self.legs
            ],
            "boundary condition": [self.boundary.name, cell.elements.integration.value, list(names)],
            "method": {k: v for k, v in dataclasses.asdict(self.method).items() if k != "memory"},
            "tangents": self.tangent.value,
            "version": provenance.versions()["scalebridge"],
            "files": dict(origin or {}),
        }

    @property
    def without_energies(self) -> tuple[int, ...]:
        """Labels whose laws do not say what they store and dissipate."""
        laws = sorted(self.laws.items())
        return tuple(label for label, law in laws if law is not None and not law.says_energies)

    def ends_leg(self, leg: int, time: float) -> bool:
        end = sum(one.duration for one in self.legs[: leg + 1])
        return abs(time - end) <= _SAME_TIME * end

    def wants_fields(self, row: PathIncrement | Increment) -> bool:
        if not isinstance(self.fields_at, Moments):
            return row.number in self.fields_at
        ends = self.ends_leg(row.leg, row.time)
        return self.fields_at.chosen(ends, ends and row.leg == len(self.legs) - 1)

    def follow(
        self, store: PathStore, progress: AbstractProgress
    ) -> tuple[tuple[PathIncrement, ...], tuple[str, ...], str]:
        """Rows, warnings, and why it ended early (or "")."""
        rows = list(store.known())
        batch = prepare(self.cell)
        for leg in self.legs:
            leg.targets(batch.elements.kinematics, batch.elements.ndim)
        virgin = virgin_energy(batch) if not self.without_energies else None
        reason = ""
        try:
            for increment in march(batch, self.legs, self.method, store, progress):
                row = measure(batch, self.image, increment, rows[-1] if rows else None, virgin)
                require_finite(row)
                ends = self.ends_leg(row.leg, row.time)
                if self.tangent.chosen(ends, ends and row.leg == len(self.legs) - 1):
                    row = dataclasses.replace(row, tangent=_tangent(batch, increment, self.method))
                if self.wants_fields(increment):
                    store.keep_fields(local_fields(batch, self.image, increment))
                store.keep_row(row)
                store.commit()
                rows.append(row)
        except ConvergenceError as error:
            if not rows:
                raise
            reason = str(error)
        return tuple(rows), tuple(self._warnings(rows)), reason

    def _warnings(self, rows: Sequence[PathIncrement]) -> Iterator[str]:
        for label, law in sorted(self.laws.items()):
            yield from (f"Label {label}: {words}" for words in (law.warnings if law is not None else ()))
        if self.without_energies:
            yield (
                f"Energies and the error of the increment size are not assessed: the law of label "
                f"{self.without_energies[0]} does not say what it stores and dissipates. Let its function return "
                "flux, state, stored, dissipated."
            )
        unstable: set[str] = set()
        for row in rows:
            ends = self.ends_leg(row.leg, row.time)
            if row.tangent is None:
                if (
                    self.tangent.chosen(ends, ends and row.leg == len(self.legs) - 1)
                    and "none" not in unstable
                ):
                    unstable.add("none")
                    yield (
                        f"There is no macroscopic tangent at increment {row.number}: the linearized cell is not "
                        "positive definite, as at a loss of stability (buckling, softening)."
                    )
                continue
            cell = self.cell
            for words in tangent_warnings(row.tangent, cell.kinematics, self.image.grid.ndim, row.number):
                kind = words.split(" at increment")[0]
                if kind not in unstable:  # the first time is enough
                    unstable.add(kind)
                    yield words
        if not isinstance(self.fields_at, Moments):
            absent = sorted(set(self.fields_at) - {row.number for row in rows})
            if absent:
                yield (
                    f"Local fields were asked for at increment {absent[0]}, and there are {len(rows)} increments."
                )


def require_finite(row: PathIncrement) -> None:
    """Fails when: one of the numbers of an increment is beyond double precision (ConvergenceError)."""
    for field in dataclasses.fields(row):
        value = getattr(row, field.name)
        if value is not None and not np.all(np.isfinite(value)):
            raise ConvergenceError(
                f"Increment {row.number} (leg {row.leg + 1}, time {row.time:g}) has numbers beyond double precision "
                f"({field.name.replace('_', ' ')}). Check the units of the laws and of the leg."
            )


def _tangent(batch: Batch, increment: Increment, method: NewtonKrylov) -> np.ndarray | None:
    try:
        tangent = macroscopic_tangent(batch, increment.balance, method)[0]
    except ConvergenceError:
        return None
    return tangent if np.isfinite(tangent).all() else None


def in_plane(law: AbstractPointLaw | None, ndim: int, plane: PlaneState) -> AbstractPointLaw | None:
    """A law for a cell of `ndim` dimensions. Fails when: it is a plane one and the cell is not (LawError)."""
    if law is None or ndim == law.dimensions:
        return law
    if ndim == 3:
        raise LawError(f"{law.name} is for 2-D images, this one is 3-D. Give the three-dimensional law.")
    return PlaneStrain(law) if plane is PlaneState.STRAIN else PlaneStress(law)


def _record(law: AbstractPointLaw | None) -> dict[str, Any]:
    found: dict[str, Any] = plain(law.record()) if law is not None else {"law": "void"}
    return json.loads(json.dumps(found))


def _resolution(
    run: _Run,
    origin: Mapping[str, Any] | None,
    store: PathStore,
    rows: Sequence[PathIncrement],
    progress: AbstractProgress,
) -> tuple[np.ndarray | None, tuple[str, ...]]:
    """Relative differences to the path on a coarser image, per row; and why there are none."""
    coarser = coarser_images(run.image, 1)
    if not coarser:
        return None, (
            f"The error of the voxel size is not known: coarsened by two the image has fewer than {SMALLEST} voxels "
            "along an edge.",
        )
    coarse = dataclasses.replace(run, image=coarser[0], tangent=Moments.NEVER, fields_at=Moments.NEVER)
    kept = PathStore(store.store, fingerprint(coarse.parts(origin)), "coarse ")
    try:
        others, _, reason = coarse.follow(kept, progress)
    except (ConvergenceError, LawError) as error:
        return None, (f"The error of the voxel size is not known: on the coarsened image {error}",)
    if reason:
        return None, (f"The error of the voxel size is not known: on the coarsened image {reason}",)
    virgin = run.cell.kinematics.virgin(run.image.grid.ndim)
    differences = np.zeros(len(rows))
    for name, start in (("flux", np.zeros_like(virgin)), ("drive", virgin)):
        fine = np.stack([getattr(row, name) for row in rows]) - start
        known = np.stack([start, *(getattr(row, name) for row in others)]) - start
        times, known_times = [row.time for row in rows], [0.0, *(row.time for row in others)]
        there = np.stack([np.interp(times, known_times, column) for column in known.T], axis=1)
        top = float(np.linalg.norm(fine, axis=1).max())
        if top > 0:
            differences = np.maximum(differences, np.linalg.norm(fine - there, axis=1) / top)
    return differences, ()
