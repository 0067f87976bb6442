"""From words and numbers to a representativity problem: source, laws, sizes, conditions, workers. Strings end here."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, final

from scalebridge.cell.boundary import AbstractBoundary, KinematicUniform, Periodic, StaticUniform
from scalebridge.core.errors import InputError, PhaseError, StudyError
from scalebridge.core.memory import check_fits, format_bytes
from scalebridge.grid import PhaseImage
from scalebridge.homogenize.representative.apparent import Material
from scalebridge.homogenize.representative.expansion import expands_unevenly, phase_expansions
from scalebridge.homogenize.representative.samples import GeneratorEnsemble, ImageWindows
from scalebridge.homogenize.representative.study import RepresentativityProblem
from scalebridge.homogenize.representative.words import duration, source_words
from scalebridge.material.law import AbstractLaw
from scalebridge.material.plane import PlaneState
from scalebridge.microstructure.generators.generator import AbstractGenerator, Realization
from scalebridge.study.explain import nearest
from scalebridge.study.images import image_file, prepare_image
from scalebridge.study.plan import (
    check_labels,
    check_same_quantity,
    condition_words,
    law_words,
    phase_law,
    plane_state,
)
from scalebridge.study.representative_resources import cell_bytes, cell_seconds, fitting_workers
from scalebridge.study.schema import ImageSection, PhaseSection, PhysicsName

CONDITIONS: Mapping[str, AbstractBoundary] = {
    "periodic": Periodic(),
    "kubc": KinematicUniform(),
    "subc": StaticUniform(),
}
_USUAL = {2: (64, 128, 256), 3: (16, 32, 64)}  # sizes of realizations where none are given
_SMALLEST = 8
_MOST = 1_000_000  # voxels per edge, realizations: more is a slip of the keyboard


@final
@dataclasses.dataclass(frozen=True)
class Choices:
    """What was asked for. sizes, realizations: None where left out; realizations: one number, or one per size."""

    physics: PhysicsName
    phases: tuple[PhaseSection, ...]
    grain: PhaseSection | None = None
    sizes: tuple[int, ...] | None = None
    conditions: tuple[str, ...] = ("periodic",)
    realizations: tuple[int, ...] | None = None
    precision: float = 0.05
    confidence: float = 0.95
    seed: int = 1
    plane: Literal["strain", "stress"] | None = None
    workers: int | None = None


@final
@dataclasses.dataclass(frozen=True, eq=False)
class RepresentativePlan:
    """Everything a study needs, checked. counts: samples by size; cell_bytes: one cell of the largest size.

    image: a picture of the material to measure, with whether it repeats itself; None for grains.
    """

    problem: RepresentativityProblem
    counts: Mapping[int, int]
    choices: Choices
    workers: int
    cell_bytes: int
    seconds: float
    image: PhaseImage | None
    inputs: Mapping[str, Path]
    notes: tuple[str, ...]

    @property
    def cells(self) -> int:
        return sum(self.counts.values()) * len(self.problem.conditions)

    @property
    def words(self) -> str:
        """The plan for people, one line per decision."""
        problem, material = self.problem, self.problem.material
        lines = [f"Material   {source_words(problem.source)}"]
        if isinstance(problem.source, GeneratorEnsemble):
            plain = {key: value for key, value in problem.source.generator.record().items() if key != "shape"}
            told = [f"{k} {_shown(v)}" for k, v in plain.items() if k not in ("generator", "spacing")]
            lines.append(f"           {', '.join(told)}; seed {problem.source.seed}")
        lines += [f"Phase {label:<5}{law_words(law)}" for label, law in sorted(material.laws.items())]
        if material.grain is not None:
            lines.append(f"Grains     {law_words(material.grain)}, in crystal axes")
        counts = ", ".join(f"{self.counts[n]} of {n}" for n in problem.sizes)
        lines.append(f"Samples    {counts} voxels per edge")
        lines += [
            f"{'Condition' if n == 0 else '':<11}{condition_words(condition)}"
            for n, condition in enumerate(problem.conditions)
        ]
        if material.plane is not None:
            lines.append(f"Plane      {material.plane.value}")
        lines += [f"Note       {note}" for note in self.notes]
        many = "s" if self.workers > 1 else ""
        lines.append(
            f"Work       {self.cells} cells, roughly {duration(self.seconds)} on {self.workers} worker{many}, "
            f"up to {format_bytes(self.cell_bytes)} of memory each"
        )
        return "\n".join(lines)


def plan_for_image(section: ImageSection, choices: Choices, base: Path | str = ".") -> RepresentativePlan:
    """The study of windows of one image. Fails when: anything cannot be used (subclasses of InputError)."""
    base = Path(base)
    if choices.grain is not None:
        raise PhaseError("An image has no orientations of grains: give one --phase LABEL:... per label.")
    laws, _, conditions = _laws(choices)
    _check_numbers(choices)
    image = prepare_image(section, base)
    check_labels(image, laws)
    notes: list[str] = []
    plane = plane_state(choices.plane, choices.physics, image.grid.ndim, notes)
    _note_expansion(laws, image.grid.ndim, plane, notes)
    shortest = min(image.grid.shape)
    sizes = choices.sizes
    if sizes is None:
        # Not the whole image: how much a single sample scatters cannot be known.
        sizes = tuple(n for n in (shortest // 4, shortest // 3, shortest // 2) if n >= _SMALLEST) or (
            shortest,
        )
        notes.append(f"no sizes given: {', '.join(map(str, sizes))} voxels per edge are taken (--sizes)")
    if max(sizes) > shortest:
        shape = " x ".join(map(str, image.grid.shape))
        raise InputError(
            f"--sizes: no window of {max(sizes)} voxels per edge fits into the image of {shape} voxels. "
            f"The largest possible is {shortest}."
        )
    source = ImageWindows(image, choices.seed)
    counts = _window_counts(source, sizes, choices.realizations, notes)
    problem = RepresentativityProblem(source, Material(laws, None, plane), sizes, conditions)
    return _planned(problem, counts, choices, image, {"image": image_file(section, base)}, notes, 0)


def plan_for_generator(
    generator: AbstractGenerator, choices: Choices, inputs: Mapping[str, Path]
) -> RepresentativePlan:
    """The study of realizations. Fails when: anything cannot be used (subclasses of InputError).

    One realization of the smallest size is drawn to see which labels there are.
    """
    laws, grain, conditions = _laws(choices)
    _check_numbers(choices)
    ndim = len(generator.shape)
    notes: list[str] = []
    plane = plane_state(choices.plane, choices.physics, ndim, notes)
    _note_expansion(laws, ndim, plane, notes)
    sizes = choices.sizes
    if sizes is None:
        sizes = _USUAL[ndim]
        notes.append(f"no sizes given: {', '.join(map(str, sizes))} voxels per edge are taken (--sizes)")
    if choices.realizations is None:
        raise InputError("A generator draws as many realizations as wanted: give --realizations N.")
    counts = dict(zip(sizes, _spread(choices.realizations, sizes), strict=True))
    largest = generator.with_shape((max(sizes),) * ndim)
    source = GeneratorEnsemble(largest, choices.seed)
    check_fits(
        largest.estimate_bytes(), f"A realization of {max(sizes)} voxels per edge", "Take smaller --sizes."
    )
    smallest = generator.with_shape((min(sizes),) * ndim).realize(choices.seed)
    _check_drawn(smallest, laws, grain, choices)
    problem = RepresentativityProblem(source, Material(laws, grain, plane), sizes, conditions)
    return _planned(problem, counts, choices, None, inputs, notes, largest.estimate_bytes())


def parse_conditions(text: str) -> tuple[str, ...]:
    """ "periodic,kubc,subc". Fails when: there is no such condition, or one is given twice (StudyError)."""
    names = tuple(word.strip().lower() for word in text.split(",") if word.strip())
    if not names:
        raise StudyError(f"--bc {text!r}: give at least one of {', '.join(CONDITIONS)}.")
    for name in names:
        if name == "faces":
            raise StudyError(
                "--bc faces gives no whole tensor, which a study of representativity compares: "
                f"give some of {', '.join(CONDITIONS)}."
            )
        if name not in CONDITIONS:
            raise StudyError(f"--bc: there is no condition {name!r}{nearest(name, CONDITIONS)}")
        if names.count(name) > 1:
            raise StudyError(f"--bc gives {name} twice.")
    return names


def _note_expansion(
    laws: Mapping[int, AbstractLaw], ndim: int, plane: PlaneState | None, notes: list[str]
) -> None:
    if phase_expansions(laws, ndim, plane) is not None and not expands_unevenly(laws, ndim, plane):
        notes.append("all phases expand alike, and so does every sample: only the stiffness is studied")


def _laws(
    choices: Choices,
) -> tuple[dict[int, AbstractLaw], AbstractLaw | None, tuple[AbstractBoundary, ...]]:
    """Laws first: a mistyped property should not wait for a large image to be read."""
    laws = {phase.label: phase_law(choices.physics, phase) for phase in choices.phases}
    grain = None
    if choices.grain is not None:
        if choices.physics == "thermoelasticity":
            raise PhaseError(
                "Grains take conduction or elasticity so far: choose one of them with --physics."
            )
        grain = phase_law(choices.physics, choices.grain)
    check_same_quantity({**laws, **({} if grain is None else {-1: grain})})
    every = [*laws.values(), *([] if grain is None else [grain])]
    if every and all(getattr(law, "is_void", False) for law in every):
        raise PhaseError("All phases have the property zero: there is nothing to homogenize.")
    return laws, grain, tuple(CONDITIONS[name] for name in choices.conditions)


def _check_numbers(choices: Choices) -> None:
    for name in ("precision", "confidence"):
        if not 0 < getattr(choices, name) < 1:
            raise InputError(f"--{name} must lie between 0 and 1, got {getattr(choices, name)}.")
    if choices.workers is not None and choices.workers < 1:
        raise InputError(f"--workers must be at least 1, got {choices.workers}.")
    if not 0 <= choices.seed < 2**32:
        raise InputError(f"--seed must lie between 0 and {2**32 - 1}, got {choices.seed}.")
    if choices.sizes is not None and not (
        choices.sizes and 2 <= min(choices.sizes) <= max(choices.sizes) <= _MOST
    ):
        raise InputError(
            f"--sizes must be at least 2 voxels per edge (at most {_MOST}), got {_listed(choices.sizes)}."
        )
    if choices.sizes is not None and len(set(choices.sizes)) < len(choices.sizes):
        raise InputError(f"--sizes gives a size twice: {_listed(choices.sizes)}.")
    number = choices.realizations
    if number is not None and not (number and 1 <= min(number) <= max(number) <= _MOST):
        raise InputError(f"--realizations must be at least 1 (at most {_MOST}), got {_listed(number)}.")


def _spread(realizations: Sequence[int], sizes: Sequence[int]) -> tuple[int, ...]:
    """One number for all sizes, or one per size."""
    if len(realizations) == 1:
        return tuple(realizations) * len(sizes)
    if len(realizations) != len(sizes):
        raise InputError(
            f"--realizations gives {len(realizations)} numbers for {len(sizes)} sizes: one for all, or one per size "
            f"in the order of --sizes ({_listed(sizes)})."
        )
    return tuple(realizations)


def _window_counts(
    source: ImageWindows, sizes: Sequence[int], realizations: Sequence[int] | None, notes: list[str]
) -> dict[int, int]:
    """Windows by size: all, or as many as asked for; a single number may exceed those of the larger sizes."""
    held = {n: source.count(n) for n in sizes}
    if realizations is None:
        return held
    asked = dict(zip(sizes, _spread(realizations, sizes), strict=True))
    most = max(held.values())
    for size in sizes:
        too_many = asked[size] > held[size]
        if too_many and (len(realizations) > 1 or asked[size] > most):
            raise InputError(
                f"--realizations {asked[size]}: the image holds {_many(held[size], 'window')} of {size} voxels per "
                "edge that do not overlap. Ask for fewer or smaller ones, or leave it out to have all."
            )
        if too_many:
            notes.append(f"the image holds {_many(held[size], 'window')} of {size} voxels per edge only")
    return {n: min(asked[n], held[n]) for n in sizes}


def _check_drawn(
    drawn: Realization, laws: Mapping[int, AbstractLaw], grain: AbstractLaw | None, choices: Choices
) -> None:
    """Every label of a realization has a law, and every law a label that may occur."""
    turned = set(drawn.orientations)
    if grain is not None and not turned:
        raise PhaseError(
            "A law for grains is given, but this generator draws none. Give one --phase LABEL:... per label "
            f"({_listed(drawn.image.present)})."
        )
    missing = [n for n in drawn.image.present if n not in laws and not (grain is not None and n in turned)]
    if missing and missing[0] in turned:
        raise PhaseError("This generator draws grains with orientations: give their law, --phase grain:...")
    if missing:
        raise PhaseError(
            f"No law for label {missing[0]}, which fills {drawn.image.fractions[missing[0]]:.2%} of a realization. "
            f"Labels: {_listed(drawn.image.present)}; laws given: {_listed(sorted(laws)) or 'none'}. "
            f"Add --phase {missing[0]}:..."
        )
    named = {f"fraction of label {label}": label for label in laws}
    known = {named[name] for name in drawn.targets if name in named} | set(drawn.image.present)
    if unused := sorted(set(laws) - known):
        raise PhaseError(
            f"A law is given for label {unused[0]}, which this generator does not draw. "
            f"Labels: {_listed(sorted(known))}. Remove --phase {unused[0]}:..."
        )


def _planned(
    problem: RepresentativityProblem,
    counts: Mapping[int, int],
    choices: Choices,
    image: PhaseImage | None,
    inputs: Mapping[str, Path],
    notes: list[str],
    drawing: int,
) -> RepresentativePlan:
    cell = drawing + cell_bytes(problem)
    workers = fitting_workers(cell, choices.workers, sum(counts.values()), problem.sizes[-1], notes)
    seconds = sum(n * cell_seconds(problem, size) for size, n in counts.items()) / workers
    return RepresentativePlan(
        problem, dict(counts), choices, workers, cell, seconds, image, dict(inputs), tuple(notes)
    )


def _shown(value: Any) -> str:
    if isinstance(value, Mapping):
        inner = ", ".join(f"{k}={_shown(v)}" for k, v in value.items() if k != "kind")
        return f"{value.get('kind', '')}({inner})"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:g}" if math.isfinite(value) else str(value)
    if value is None:
        return "none"
    text = str(value)
    return text if len(text) <= 60 else text[:57] + "..."


def _listed(numbers: Sequence[int], most: int = 12) -> str:
    shown = ", ".join(map(str, numbers[:most]))
    return shown + (f", ... ({len(numbers)} in all)" if len(numbers) > most else "")


def _many(count: int, word: str) -> str:
    return f"{count} {word}{'' if count == 1 else 's'}"
