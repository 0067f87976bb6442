"""A study of a loading path turned into objects: image, laws, legs, conditions, and what is kept."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import final

import numpy as np

from scalebridge.cell.boundary import AbstractBoundary, KinematicUniform, Periodic, StaticUniform
from scalebridge.cell.nonlinear import Integration, NewtonKrylov, NonlinearCell
from scalebridge.cell.nonlinear.loading import Leg
from scalebridge.core.checkpoint import AbstractStore
from scalebridge.core.errors import LawError, PhaseError
from scalebridge.core.memory import check_fits
from scalebridge.core.progress import AbstractProgress
from scalebridge.core.provenance import collect, file_sha256
from scalebridge.grid import PhaseImage
from scalebridge.homogenize.path.driver import follow_path, in_plane
from scalebridge.homogenize.path.forecast import PathEstimate, estimate_path
from scalebridge.homogenize.path.result import Moments, PathResult
from scalebridge.material.kinematics import SMALL_STRAIN, Kinematics
from scalebridge.material.laws.point import AbstractPointLaw
from scalebridge.material.plane import PlaneState
from scalebridge.study.images import image_file, prepare_image
from scalebridge.study.path_laws import build_law, law_file
from scalebridge.study.path_legs import build_leg
from scalebridge.study.path_orientations import split_into_grains
from scalebridge.study.path_schema import PathStudy
from scalebridge.study.plan import condition_words

_BOUNDARIES: dict[str, AbstractBoundary] = {
    "periodic": Periodic(), "kubc": KinematicUniform(), "subc": StaticUniform(),
}  # fmt: skip
_INTEGRATIONS = {
    "one": Integration.ONE_POINT, "eight": Integration.EIGHT_POINTS, "mean-dilatation": Integration.MEAN_DILATATION,
}  # fmt: skip
_SMALL = 0.1  # strain
_MOMENTS = {
    "none": Moments.NEVER, "last": Moments.LAST, "legs": Moments.END_OF_LEGS, "all": Moments.ALWAYS,
}  # fmt: skip


@final
@dataclasses.dataclass(frozen=True, eq=False)
class PathPlan:
    """Everything `follow_path` takes. inputs: files by role; notes: what was decided for the user; grains: the labels
    of the image that a label of the study became, itself where it has no orientations."""

    study: PathStudy
    image: PhaseImage
    laws: Mapping[int, AbstractPointLaw | None]
    legs: tuple[Leg, ...]
    kinematics: Kinematics
    boundary: AbstractBoundary
    integration: Integration | None
    method: NewtonKrylov
    plane: PlaneState
    inputs: Mapping[str, Path]
    notes: tuple[str, ...]
    grains: Mapping[int, tuple[int, ...]]

    @property
    def fields_at(self) -> Moments | Collection[int]:
        asked = self.study.path.fields
        return _MOMENTS[asked] if isinstance(asked, str) else tuple(asked)

    @property
    def estimate(self) -> PathEstimate:
        return estimate_path(self.image, self.laws, self.legs, self.boundary, self.integration)

    @property
    def words(self) -> str:
        """The plan for people, line by line."""
        image = self.image
        shape = " x ".join(map(str, image.grid.shape))
        lines = [f"Image      {shape} voxels ({image.grid.size:,} in all)"]
        lines += [f"           {step}" for step in image.history]
        for section in self.study.law:
            labels = self.grains[section.label]
            law = self.laws[labels[0]]
            name = f"{section.name}: " if section.name else ""
            values = ", ".join(f"{key} = {value}" for key, value in section.parameters.items())
            made = (law.name if law is not None else "void") + (f" ({values})" if values else "")
            share = sum(image.fractions.get(label, 0.0) for label in labels)
            many = f" in {len(labels)} orientations" if len(labels) > 1 else ""
            lines.append(f"Law {section.label:<7}{name}{made}{many}, {share:.2%} of the volume")
        lines.append(f"Kinematics {self.kinematics.name}")
        lines.append(f"Condition  {condition_words(self.boundary, True)}")
        for n, leg in enumerate(self.legs, start=1):
            given = [f"{name} = {value:.6g}" for name, value in leg.drive.items()]
            pulled = [f"{name} = {value:.6g}" for name, value in leg.flux.items()]
            flux = f"; {self.kinematics.flux} {', '.join(pulled)}" if pulled else ""
            stresses = [f"{name} = {value:.6g}" for name, value in leg.cauchy.items()]
            flux += f"; Cauchy stress {', '.join(stresses)}" if stresses else ""
            lines.append(
                f"Leg {n:<7}{self.kinematics.drive} {', '.join(given) or 'free'}{flux}; {leg.increments} increments "
                f"in {leg.duration:.6g} s"
            )
        lines += [f"Note       {note}" for note in self.notes]
        return "\n".join(lines)


def prepare_path(study: PathStudy, base: Path | str = ".") -> PathPlan:
    """Reads the image and builds laws and legs; paths of the study are relative to `base`.

    Fails when: anything in the study cannot be used (subclasses of InputError).
    """
    base = Path(base)
    # Laws and legs first: a mistyped word should not wait for a large image to be read.
    virgin = {section.label: np.eye(3) for section in study.law if section.orientations is not None}
    laws = {section.label: build_law(section, base, virgin.get(section.label)) for section in study.law}
    kinematics = _kinematics(laws)
    image = prepare_image(study.image, base)
    ndim = image.grid.ndim
    _check_labels(image, laws)
    files = {one.label: base / one.orientations for one in study.law if one.orientations is not None}
    image, grains = split_into_grains(image, files)
    for section in study.law:
        if section.label in grains:
            del laws[section.label]
            laws |= {n: build_law(section, base, turned) for n, turned in grains[section.label].items()}
    notes: list[str] = []
    plane = _plane(study, ndim, notes)
    legs = tuple(build_leg(section, n, kinematics, ndim) for n, section in enumerate(study.leg, start=1))
    if study.path.fields != "none" and study.output.folder is None:
        notes.append("the local fields are not written: no output folder is given (--output DIR)")
    notes += _strain_notes(legs, kinematics)
    inputs = {"image": image_file(study.image, base)}
    for section in study.law:
        file = law_file(section, base)
        if file is not None:
            inputs[f"law of label {section.label}"] = file
    inputs |= {f"orientations of label {label}": path for label, path in files.items()}
    method = NewtonKrylov() if study.path.residual is None else NewtonKrylov(tolerance=study.path.residual)
    integration = _INTEGRATIONS[study.path.integration] if study.path.integration else None
    boundary = _BOUNDARIES[study.path.condition]
    held = {label: in_plane(law, ndim, plane) for label, law in laws.items()}
    _ = NonlinearCell(
        image.grid, image.labels, held, boundary, integration
    )  # refuses what does not fit together
    return PathPlan(
        study, image, held, legs, kinematics, boundary, integration, method, plane, inputs, tuple(notes),
        {section.label: tuple(grains.get(section.label, (section.label,))) for section in study.law},
    )  # fmt: skip


def run_path(
    plan: PathPlan, store: AbstractStore | None = None, progress: AbstractProgress | None = None
) -> PathResult:
    """Fails when: it needs more memory than there is (ResourceError), or as `follow_path` does."""
    check_fits(
        plan.estimate.bytes,
        f"A path on {plan.image.grid.size:,} voxels",
        "Crop or coarsen the image (--crop, --coarsen), or use a larger machine.",
    )
    asked = plan.study.path
    result = follow_path(
        plan.image,
        plan.laws,
        plan.legs,
        boundary=plan.boundary,
        integration=plan.integration,
        method=plan.method,
        plane=plan.plane,
        tangent=_MOMENTS[asked.tangent],
        fields_at=plan.fields_at,
        resolution=asked.resolution,
        accuracy=asked.accuracy,
        origin={role: file_sha256(path) for role, path in plan.inputs.items() if role != "image"},
        store=store,
        progress=progress,
    )
    settings = {**result.provenance.get("settings", {}), "study": plan.study.settings()}
    return dataclasses.replace(
        result, provenance={**result.provenance, **collect(plan.inputs, settings)},
        warnings=(*plan.notes, *result.warnings),
    )  # fmt: skip


def _strain_notes(legs: Sequence[Leg], kinematics: Kinematics) -> list[str]:
    """The first leg, if any, that goes further than laws of small strain hold."""
    if kinematics is not SMALL_STRAIN:
        return []
    for number, leg in enumerate(legs, start=1):
        largest = max((abs(value) for value in leg.drive.values()), default=0.0)
        if largest > _SMALL:
            return [
                f"leg {number} goes to a strain of {largest:.4g}: laws of small strain hold for a few percent, those "
                "of finite strain (neo-hooke, finite-strain-j2, ...) beyond"
            ]
    return []


def _kinematics(laws: Mapping[int, AbstractPointLaw | None]) -> Kinematics:
    found = {label: law.kinematics for label, law in laws.items() if law is not None}
    if not found:
        raise LawError("Every label is a void: nothing carries a load. Give at least one label a law.")
    first = next(iter(found))
    for label, kinematics in found.items():
        if kinematics is not found[first]:
            raise LawError(
                f"The law of label {first} is one of {found[first].name}, that of label {label} of {kinematics.name}: "
                "laws of one cell share what they are driven by."
            )
    return found[first]


def _check_labels(image: PhaseImage, laws: Mapping[int, AbstractPointLaw | None]) -> None:
    present = ", ".join(map(str, image.present[:12]))
    missing = [label for label in image.present if label not in laws]
    if missing:
        raise PhaseError(
            f"No law for label {missing[0]}, which fills {image.fractions[missing[0]]:.2%} of the image. Labels "
            f"present: {present}. Add --law {missing[0]}:NAME,key=value,... (or {missing[0]}:void)."
        )
    unused = [label for label in laws if label not in image.present]
    if unused:
        raise PhaseError(
            f"A law is given for label {unused[0]}, which does not occur in the image. Labels present: {present}. "
            f"Remove --law {unused[0]}:..., or check the thresholds."
        )


def _plane(study: PathStudy, ndim: int, notes: list[str]) -> PlaneState:
    asked = study.path.plane
    if ndim == 3:
        if asked is not None:
            raise LawError(f"A plane state ({asked}) is for 2-D images; this one is 3-D.")
        return PlaneState.STRAIN
    if asked is None:
        notes.append("2-D image: nothing happens along z (--plane stress: nothing is carried along z)")
        return PlaneState.STRAIN
    return PlaneState(asked)
