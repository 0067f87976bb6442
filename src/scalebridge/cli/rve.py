"""`scalebridge rve`: is the volume representative, how large must it be, how many samples does it take?"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, Literal, final

from cyclopts import Parameter

from scalebridge.cli.generator_arguments import build_generator, parameters_help, split_parameters
from scalebridge.cli.generator_signature import generator_signature, is_generator
from scalebridge.cli.options import (
    WHOLE,
    Flag,
    ImageOptions,
    ProgressStyle,
    numbers,
    phase_section,
    phase_sections,
)
from scalebridge.core.errors import InputError, PhaseError

if TYPE_CHECKING:
    from scalebridge.study.representative_plan import Choices, RepresentativePlan

_DEFAULT_IMAGE = ImageOptions()
_OPTIONS = (
    "--physics", "--phase", "--sizes", "--bc", "--realizations", "--precision", "--confidence", "--workers", "--seed",
    "--plane", "--dimensions", "--macro-length", "--output", "--json", "--quiet", "--force", "--dry-run", "--progress",
    "--help", "--spacing", "--threshold", "--otsu", "--crop", "--relabel", "--coarsen", "--mirror",
)  # fmt: skip
_FORM = "give one --phase LABEL:key=value[,key=value...] per label; --phase grain:... for the grains of a generator"
DEFAULT_PRECISION = 0.05


def rve(
    source: str | None = None,
    /,
    *parameters: Annotated[str, Parameter(allow_leading_hyphen=True, show=False)],
    physics: Literal["conduction", "elasticity", "thermoelasticity"] | None = None,
    phase: Annotated[list[str] | None, Parameter(allow_leading_hyphen=True)] = None,
    sizes: Annotated[str | None, Parameter(allow_leading_hyphen=True)] = None,
    bc: str = "periodic",
    realizations: Annotated[str | None, Parameter(allow_leading_hyphen=True)] = None,
    precision: Annotated[float | None, Parameter(allow_leading_hyphen=True)] = None,
    confidence: Annotated[float, Parameter(allow_leading_hyphen=True)] = 0.95,
    reading: ImageOptions = _DEFAULT_IMAGE,
    dimensions: Literal[2, 3] | None = None,
    plane: Literal["strain", "stress"] | None = None,
    macro_length: Annotated[str | None, Parameter(allow_leading_hyphen=True)] = None,
    seed: Annotated[int, WHOLE] = 1,
    workers: Annotated[int | None, WHOLE] = None,
    output: Annotated[str | None, Parameter(name=["--output", "-o"])] = None,
    json: Flag = False,
    quiet: Flag = False,
    force: Flag = False,
    dry_run: Flag = False,
    progress: ProgressStyle = "auto",
    help_: Annotated[bool, Parameter(name=["--help", "-h"], negative=())] = False,
) -> int:
    """Study how representative volumes of a material are, from windows of an image or draws of a generator.

    `scalebridge rve rock.tif --physics conduction --phase 0:k=0.6 --phase 1:k=7.7 --sizes 50,100,200
    --bc periodic,kubc,subc --output rock-rve`; or, with the parameters of a generator as options of their own,
    `scalebridge rve overlapping-spheres --fraction 0.4 --radius 6 --realizations 20 --sizes 32,64 ...`.
    The same command with the same --output goes on where it stopped; more sizes or realizations add to it.

    Parameters
    ----------
    source: str
        An image (as for `scalebridge homogenize`), or the name of a generator (`scalebridge generate --list`).
    physics: str
        What is homogenized.
    phase: list[str]
        LABEL:key=value[,key=value...], once per label; keys: k | E,nu or K,G or C11,C12,C44 ... | and alpha.
        grain:... is the law of all grains of a generator, in crystal axes.
    sizes: str
        Edges of the samples in voxels, e.g. 32,64,128. If left out: a quarter, third and half of the image.
    bc: str
        Boundary conditions, some of periodic,kubc,subc. Several give the hierarchy and its gap.
    realizations: str
        Samples per size: one number, or one per size. If left out: all windows of the image.
    precision: float
        Relative precision that sizes and numbers are computed for, and tolerance of the verdict. 0.05 if left out;
        when given, a study that does not reach it ends with exit code 3.
    confidence: float
        Of all intervals.
    dimensions: int
        Of a generator's samples. 3 if left out.
    plane: str
        For elasticity in 2-D.
    macro_length: str
        Over which macroscopic fields vary (a part's thickness), with its unit: compared with sample and structure.
    seed: int
        Decides what is drawn, and which windows are chosen.
    workers: int
        Processes. One per core if left out.
    output: str
        Folder for report.html, result.json, result.csv, samples.csv and the solved cells.
    json: bool
        Print one JSON object and nothing else.
    quiet: bool
        Print the result only.
    force: bool
        Overwrite the results of something else in the output folder.
    dry_run: bool
        Print the plan with memory and time, compute nothing.
    progress: str
        auto: a live display on a terminal, else nothing; lines: plain lines.
    help_: bool
        This message; with a generator, its parameters.
    """
    if help_ or source is None:
        return _explain(source, help_)
    asked = _Asked(source, tuple(parameters), reading, dimensions)
    texts = asked.check()
    if physics is None:
        raise InputError("Say what is homogenized: --physics conduction, elasticity or thermoelasticity.")
    if not phase:
        raise PhaseError(f"No laws: {_FORM}.")
    numbers_given = {
        "sizes": None if sizes is None else _whole(sizes, "--sizes"),
        "realizations": None if realizations is None else _whole(realizations, "--realizations"),
        "precision": DEFAULT_PRECISION if precision is None else precision,
        "confidence": confidence,
        "seed": seed,
        "workers": workers,
        "plane": plane,
    }
    if output is not None and not dry_run:
        _check_output(output)
    plan = asked.plan(texts, _choices(physics, phase, bc, numbers_given))
    length = _macro_length(macro_length, plan)
    from scalebridge.cli.representative import Presentation, execute_study, print_plan

    show = Presentation(json, quiet, progress, precision is not None)
    return print_plan(plan, show) if dry_run else execute_study(plan, output, force, length, show)


@final
@dataclasses.dataclass(frozen=True)
class _Asked:
    """Where samples come from, as it was said."""

    source: str
    parameters: tuple[str, ...]
    reading: ImageOptions
    dimensions: Literal[2, 3] | None

    def check(self) -> dict[str, str]:
        """Parameters of the generator by name. Fails when: they, or options of the other kind of source, are wrong."""
        given = {f.name: getattr(self.reading, f.name) for f in dataclasses.fields(self.reading)}
        changed = {key: value for key, value in given.items() if value != getattr(_DEFAULT_IMAGE, key)}
        if not is_generator(self.source):
            self._check_image()
            return {}
        signature, tokens = generator_signature(self.source), list(self.parameters)
        changed.pop("spacing", None)
        for key, value in changed.items():
            option = "--" + key.replace("_", "-")
            if signature.parameter(key) is None:
                raise InputError(f"{option} is for images; {self.source} is a generator.")
            tokens += [option, str(value)]  # an option of images that is also a parameter of this generator
        return split_parameters(self.source, tokens, _OPTIONS)

    def _check_image(self) -> None:
        from scalebridge.cli.generator_signature import nearest
        from scalebridge.microstructure import generators

        path = self.source
        plain = not any(mark in path for mark in "./\\:")
        if plain:
            from pathlib import Path

            if not Path(path).exists():
                raise InputError(
                    f"There is neither a file nor a generator {path!r}{nearest(path, generators.ALL_GENERATORS)}"
                )
        if self.parameters:
            import difflib

            word = self.parameters[0].partition("=")[0]
            close = difflib.get_close_matches(word, _OPTIONS, n=1, cutoff=0.6)
            hint = f" Did you mean {close[0]}?" if close else " Parameters of its own only a generator has."
            raise InputError(f"Cannot use {word!r} with an image.{hint}")
        if self.dimensions is not None:
            raise InputError("--dimensions is for generators; an image has its own.")

    def plan(self, texts: Mapping[str, str], choices: Choices) -> RepresentativePlan:
        """Fails when: anything cannot be used (subclasses of InputError)."""
        from scalebridge.study.parse import image_section
        from scalebridge.study.representative_plan import plan_for_generator, plan_for_image

        if not is_generator(self.source):
            return plan_for_image(image_section(self.reading.section(self.source)), choices)
        largest = max(choices.sizes) if choices.sizes else 64
        shape = (largest,) * (self.dimensions or 3)
        chosen = build_generator(self.source, shape, self.reading.spacing, texts)
        return plan_for_generator(chosen.generator, choices, chosen.files)


def _choices(physics: Any, phases: Sequence[str], bc: str, given: Mapping[str, Any]) -> Choices:
    from scalebridge.study.parse import phases_from_data
    from scalebridge.study.representative_plan import Choices, parse_conditions

    grains = [text for text in phases if text.partition(":")[0].strip().lower() in ("grain", "grains")]
    if len(grains) > 1:
        raise PhaseError("--phase gives the law of the grains twice.")
    others = phases_from_data(phase_sections([text for text in phases if text not in grains]))
    grain = [phase_section("0:" + text.partition(":")[2]) for text in grains]
    return Choices(
        physics=physics,
        phases=others,
        grain=phases_from_data(grain)[0] if grain else None,
        conditions=parse_conditions(bc),
        **given,
    )


def _whole(text: str, option: str) -> tuple[int, ...]:
    return tuple(int(n) for n in numbers(text, option, whole=True))


def _explain(source: str | None, wanted: bool) -> int:
    """The help of the command, with the parameters of a generator where one is named."""
    from scalebridge.cli.wrapping import wrapped

    if not wanted:
        raise InputError(
            "Name an image or a generator: scalebridge rve IMAGE|GENERATOR ... (--help says more)."
        )
    if source is not None and is_generator(source):
        print(wrapped(parameters_help(source)))
        return 0
    from scalebridge.cli.application import application

    application().help_print(["rve"])
    return 0


def _check_output(output: str) -> None:
    from scalebridge.study.representative_folder import check_study_folder

    check_study_folder(output)


def _macro_length(text: str | None, plan: RepresentativePlan) -> float | None:
    """In metres. Fails when: it is no positive length, or the voxels have none (InputError)."""
    if text is None:
        return None
    from scalebridge.core.units import Dimension, parse_quantity
    from scalebridge.homogenize.representative.words import cubic_spacing

    length = parse_quantity(text, Dimension.LENGTH)
    if not length > 0:
        raise InputError(f"--macro-length must be positive, got {text!r}.")
    if cubic_spacing(plan.problem.source) is None:
        raise InputError("--macro-length: comparing lengths needs the edge of a (cubic) voxel (--spacing).")
    return length
