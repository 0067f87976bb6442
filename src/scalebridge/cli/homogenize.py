"""`scalebridge homogenize`: the effective law of one image, from options alone."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from cyclopts import Parameter

from scalebridge.cli.options import Condition, Flag, ImageOptions, ProgressStyle, numbers, phase_sections
from scalebridge.core.errors import StudyError

_DEFAULT_IMAGE = ImageOptions()


def homogenize(
    image: str,
    /,
    *,
    physics: Literal["conduction", "elasticity", "thermoelasticity"],
    phase: Annotated[list[str], Parameter(allow_leading_hyphen=True)],
    reading: ImageOptions = _DEFAULT_IMAGE,
    bc: Condition = "periodic",
    axis: Literal["x", "y", "z"] | None = None,
    plane: Literal["strain", "stress"] | None = None,
    platens: Literal["clamped", "smooth"] | None = None,
    sides: Literal["free", "symmetric"] | None = None,
    conditions: str | None = None,
    accuracy: float | None = None,
    residual: float | None = None,
    subvolumes: str | None = None,
    fields: Flag = False,
    output: Annotated[str | None, Parameter(name=["--output", "-o"])] = None,
    json: Flag = False,
    quiet: Flag = False,
    force: Flag = False,
    dry_run: Flag = False,
    progress: ProgressStyle = "auto",
) -> int:
    """Compute the effective law of a microstructure image, with its error budget.

    Parameters
    ----------
    image: str
        The image: TIFF (or a folder of slices), RAW, NPY/NPZ, HDF5 (file.h5:/path), VTI, NRRD, MetaImage.
    physics: str
        What is homogenized.
    phase: list[str]
        LABEL:key=value[,key=value...], once per label; keys: k | E,nu or K,G | and alpha.
        Values may have units and uncertainties: 210GPa, 2.5+-0.1.
    bc: str
        Boundary condition.
    axis: str
        For faces: the axis from one face to the opposite one.
    plane: str
        For elasticity of 2-D images.
    platens: str
        For faces and elasticity: do the platens hold the faces laterally? (clamped if left out)
    sides: str
        For faces and elasticity: traction-free or symmetry planes. (free if left out)
    conditions: str
        Other conditions to compare with, e.g. kubc,subc: gives the boundary term of the error budget.
    accuracy: float
        Relative error to reach, all terms of the budget together, e.g. 0.01.
    residual: float
        Fixed solver tolerance instead, e.g. 1e-6.
    subvolumes: str
        Solve windows of the image too: gives the statistical term of the error budget. auto, or their edges in
        voxels: 64,48,32.
    fields: bool
        Also keep the local fields (fields.vti in the output folder).
    output: str
        Folder for report.html, result.json, result.csv and all that is needed to repeat or resume the run.
    json: bool
        Print one JSON object and nothing else.
    quiet: bool
        Print the result only.
    force: bool
        Overwrite the results in the output folder.
    dry_run: bool
        Print the plan with memory and time, compute nothing.
    progress: str
        auto: a live display on a terminal, else nothing; lines: plain lines.
    """
    boundary: dict[str, Any] = {"condition": bc}
    for key, value in (("axis", axis), ("platens", platens), ("sides", sides)):
        if value is not None:
            boundary[key] = value
    if conditions is not None:
        boundary["compare"] = [word.strip() for word in conditions.split(",") if word.strip()]
    data: dict[str, Any] = {
        "image": reading.section(image),
        "physics": {"kind": physics} | ({"plane": plane} if plane is not None else {}),
        "phase": phase_sections(phase),
        "boundary": boundary,
        "accuracy": {
            key: value
            for key, value in (
                ("target", accuracy),
                ("residual", residual),
                ("subvolumes", None if subvolumes is None else _subvolumes(subvolumes)),
            )
            if value is not None
        },
        "output": {"fields": fields} | ({"folder": output} if output is not None else {}),
    }
    from scalebridge.cli.execute import execute
    from scalebridge.cli.presentation import Presentation
    from scalebridge.study.parse import study_from_data

    try:
        study = study_from_data(data, name="options")
    except StudyError as error:
        raise StudyError(_in_option_names(str(error))) from None
    return execute(
        study, ".", Presentation(json=json, quiet=quiet, force=force, dry_run=dry_run, progress=progress)
    )


def _subvolumes(text: str) -> str | list[int]:
    """ "auto", or edges: a word that is neither is left to the study, which knows what it takes."""
    if not text[:1].isdigit():
        return text
    return [int(n) for n in numbers(text, "--subvolumes", whole=True)]


def _in_option_names(message: str) -> str:
    """A study speaks of its keys; people at the command line gave options."""
    names = {
        "image.raw.shape": "--raw-shape", "image.raw.dtype": "--raw-dtype", "image.raw.order": "--raw-order",
        "image.raw.offset": "--raw-offset", "image.keep_largest": "--keep-largest", "image.path": "IMAGE",
        "boundary.compare": "--conditions", "boundary.condition": "--bc", "boundary": "--bc",
        "accuracy.subvolumes": "--subvolumes",
        "accuracy.target": "--accuracy", "accuracy.residual": "--residual", "output.folder": "--output",
        "image.": "--", "physics.": "--", "boundary.": "--", "accuracy": "--accuracy/--residual",
    }  # fmt: skip
    message = message.removeprefix("options: ")
    for key, option in names.items():
        if message.startswith(key):
            return option + message[len(key) :]
    return message
