"""From a study (words and numbers) to what the solver takes (image, laws, conditions). Strings end here."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, final

import numpy as np

from scalebridge.cell.boundary import (
    AbstractBoundary,
    KinematicUniform,
    OppositeFaces,
    Periodic,
    Platens,
    Sides,
    StaticUniform,
)
from scalebridge.core.errors import InputError, LawError, PhaseError, StudyError, UnitError
from scalebridge.core.units import Dimension, parse_uncertain
from scalebridge.grid import PhaseImage
from scalebridge.homogenize.subvolumes import Subvolumes, WindowPlan, plan_windows
from scalebridge.material.from_properties import dimension_of, law_from_properties
from scalebridge.material.law import AbstractLaw
from scalebridge.material.plane import PlaneState
from scalebridge.study.images import image_file, prepare_image
from scalebridge.study.schema import BoundarySection, PhaseSection, PhysicsName, Study


@final
@dataclasses.dataclass(frozen=True, eq=False)
class Plan:
    """Everything a run needs, checked. `inputs`: the files by role; `notes`: choices made for the user.

    `windows`: what `subvolumes`, if asked for, come to in this image.
    """

    study: Study
    image: PhaseImage
    laws: Mapping[int, AbstractLaw]
    boundary: AbstractBoundary
    conditions: tuple[AbstractBoundary, ...]
    plane: PlaneState | None
    orientations: Mapping[int, np.ndarray]
    inputs: Mapping[str, Path]
    notes: tuple[str, ...] = ()
    subvolumes: Subvolumes | None = None
    windows: WindowPlan | None = None

    @property
    def words(self) -> str:
        """The plan for people, one line per decision."""
        image, accuracy = self.image, self.study.accuracy
        shape = " x ".join(map(str, image.grid.shape))
        lines = [f"Image      {shape} voxels ({image.grid.size:,} in all)"]
        lines += [f"           {step}" for step in image.history]
        for label, law in sorted(self.laws.items()):
            name = next((f"{p.name}: " for p in self.study.phase if p.label == label and p.name), "")
            fraction = image.fractions.get(label, 0.0)
            lines.append(f"Phase {label:<5}{name}{law_words(law)}, {fraction:.2%} of the volume")
        solid = self.study.physics.kind != "conduction"
        lines.append(f"Condition  {condition_words(self.boundary, solid)}")
        lines += [f"           compared with {condition_words(other, solid)}" for other in self.conditions]
        if self.plane is not None:
            lines.append(f"Plane      {self.plane.value}")
        if accuracy.residual is not None:
            lines.append(f"Accuracy   fixed residual {accuracy.residual:g}")
        elif accuracy.target is not None:
            lines.append(f"Accuracy   {accuracy.target:.2%} of the tensor's norm, all error terms together")
        if self.windows is not None:
            lines.append(f"Windows    {self.windows.words}, for the statistical term")
        lines += [f"Note       {note}" for note in self.notes]
        return "\n".join(lines)


def prepare(study: Study, base: Path | str = ".") -> Plan:
    """Reads the image and builds laws and conditions; paths of the study are relative to `base`.

    Fails when: anything in the study cannot be used (subclasses of InputError).
    """
    base = Path(base)
    # Laws first: a mistyped property should not wait for a large image to be read.
    laws = {phase.label: phase_law(study.physics.kind, phase) for phase in study.phase}
    check_platens(study)
    notes: list[str] = []
    boundary = _boundary(study.boundary.condition, study.boundary, notes)
    conditions = tuple(_boundary(name, study.boundary, notes) for name in study.boundary.compare)
    if study.output.fields and study.output.folder is None:
        notes.append("the local fields are computed and not kept: no output folder is given (--output DIR)")
    image = prepare_image(study.image, base)
    check_labels(image, laws)
    check_same_quantity(laws)
    plane = plane_state(study.physics.plane, study.physics.kind, image.grid.ndim, notes)
    for condition in (boundary, *conditions):
        condition.edges(image.grid.ndim, None)  # says so when its axis does not exist in this image
    inputs: dict[str, Path] = {"image": image_file(study.image, base)}
    orientations: dict[int, np.ndarray] = {}
    for phase in study.phase:
        if phase.orientations is not None:
            path = base / phase.orientations
            inputs[f"orientations of phase {phase.label}"] = path
            orientations[phase.label] = voxel_rotations(path, image)
    subvolumes = _subvolumes(study)
    return Plan(
        study,
        image,
        laws,
        boundary,
        conditions,
        plane,
        orientations,
        inputs,
        tuple(notes),
        subvolumes,
        None if subvolumes is None else plan_windows(image, subvolumes),
    )


def _subvolumes(study: Study) -> Subvolumes | None:
    asked = study.accuracy.subvolumes
    if asked is None:
        return None
    return Subvolumes() if asked == "auto" else Subvolumes(tuple(asked))


def check_labels(image: PhaseImage, laws: Mapping[int, AbstractLaw]) -> None:
    """Fails unless every label has a law, every law a label, and some law is not zero (InputError)."""
    present, given = set(image.present), set(laws)
    if missing := sorted(present - given):
        label = missing[0]
        more = f" (also without a law: {', '.join(map(str, missing[1:8]))})" if len(missing) > 1 else ""
        raise PhaseError(
            f"No law for label {label}, which fills {image.fractions[label]:.2%} of the image{more}. "
            f"Labels present: {_listed(present)}; laws given: {_listed(given)}. "
            f"Add --phase {label}:... (or [[phase]] label = {label})."
        )
    if unused := sorted(given - present):
        raise PhaseError(
            f"A law is given for label {unused[0]}, which does not occur in the image. "
            f"Labels present: {_listed(present)}. Remove --phase {unused[0]}:..., or check the thresholds."
        )
    if all(getattr(law, "is_void", False) for law in laws.values()):
        raise LawError(
            "All phases have the property zero: there is nothing to homogenize. "
            "Give at least one phase a positive one."
        )


def check_platens(study: Study) -> None:
    """Fails when: platens or sides are described for a set-up that has none (StudyError)."""
    if study.physics.kind != "conduction":
        return
    for key in ("platens", "sides"):
        given = getattr(study.boundary, key)
        if given is not None:
            raise StudyError(
                f"{key} ({given}) is for elasticity between platens; here it is conduction. Remove it."
            )


def check_same_quantity(laws: Mapping[int, AbstractLaw]) -> None:
    """Phases given in W/(m K) and in S/m have no effective anything together. Fails then (UnitError)."""
    named: dict[int, Dimension] = {}
    for label, law in sorted(laws.items()):
        dimension = getattr(getattr(law, "transport", None), "dimension", Dimension.DIMENSIONLESS)
        if dimension is not Dimension.DIMENSIONLESS:  # plain numbers go with anything
            named[label] = dimension
    first = next(iter(named), None)
    for label, dimension in named.items():
        if first is not None and dimension is not named[first]:
            raise UnitError(
                f"Label {first} has {named[first].words}, label {label} {dimension.words}. "
                "All phases must be given in units of the same quantity."
            )


def law_words(law: AbstractLaw) -> str:
    """A law for people."""
    return str(getattr(law, "name", type(law).__name__))


def _listed(labels: set[int], most: int = 12) -> str:
    shown = ", ".join(map(str, sorted(labels)[:most]))
    return shown + (f", ... ({len(labels)} in all)" if len(labels) > most else "")


def phase_law(kind: PhysicsName, phase: PhaseSection) -> AbstractLaw:
    """The law of one phase from its properties. Fails when: they make none (LawError, UnitError)."""
    try:
        properties: dict[str, Any] = {}
        for key, value in phase.properties.items():
            dimension = dimension_of(kind, key)
            # A property without a dimension is a word (the axis of a transversely isotropic phase).
            properties[key] = value if dimension is None else parse_uncertain(value, dimension)
        law: Any = law_from_properties(kind, properties)
        if phase.rotation is not None:
            law = law.oriented(np.array(phase.rotation, dtype=float))
    except InputError as error:
        raise type(error)(f"Phase {phase.label}: {error}") from error
    return law


def _boundary(name: str, section: BoundarySection, notes: list[str]) -> AbstractBoundary:
    if name != "faces":
        whole = {"periodic": Periodic(), "kubc": KinematicUniform(), "subc": StaticUniform()}
        return whole[name]
    if section.axis is None:
        notes.append("faces: no axis given, x is taken (--axis y for another)")
    platens = Platens(section.platens) if section.platens is not None else Platens.CLAMPED
    sides = Sides(section.sides) if section.sides is not None else Sides.FREE
    return OppositeFaces("xyz".index(section.axis or "x"), platens, sides)


def condition_words(boundary: AbstractBoundary, solid: bool = False) -> str:
    """A boundary condition for people; `solid`: of an elastic cell, whose platens matter."""
    if isinstance(boundary, OppositeFaces):
        between = f"opposite faces along {'xyz'[boundary.axis]}"
        return (
            f"{between}, platens {boundary.platens.value}, sides {boundary.sides.value}" if solid else between
        )
    return {
        "periodic": "periodic",
        "kubc": "linear displacement or potential on the whole boundary (KUBC)",
        "subc": "uniform traction or flux on the whole boundary (SUBC)",
    }[boundary.name]


def plane_state(
    given: Literal["strain", "stress"] | None, kind: PhysicsName, ndim: int, notes: list[str]
) -> PlaneState | None:
    """Plane strain or stress in 2-D elasticity; a choice made for the user goes into `notes`.

    Fails when: a plane state is given where there is none (StudyError).
    """
    mechanical = kind != "conduction"
    if given is not None and not (mechanical and ndim == 2):
        what = f"a {ndim}-D image" if mechanical else kind
        raise StudyError(
            f"A plane state ({given}) is for elasticity of 2-D images; here it is {what}. Remove it."
        )
    if not mechanical or ndim == 3:
        return None
    if given is None:
        notes.append(
            "2-D elasticity: no plane state given, plane strain is taken (--plane stress for the other)"
        )
    return PlaneState.STRESS if given == "stress" else PlaneState.STRAIN


def voxel_rotations(path: Path, image: PhaseImage) -> np.ndarray:
    """Rotations (3, 3, *shape) of the voxels of an image from a .npy file. Fails when: it holds none (StudyError)."""
    expected = (3, 3, *image.grid.shape)
    try:
        rotations = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise StudyError(f"Cannot read the orientations {path}: {error}. Expected a .npy file.") from error
    if not isinstance(rotations, np.ndarray) or rotations.shape != expected:
        raise StudyError(
            f"The orientations in {path} have shape {getattr(rotations, 'shape', 'of an archive')}; expected "
            f"{expected}: one rotation per voxel of the image as it is solved (after crop, coarsen, mirror)."
        )
    return rotations.astype(float)
