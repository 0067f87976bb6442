"""`scalebridge path`: a microstructure along a loading path, from options alone."""

from __future__ import annotations

import re
import shlex
from typing import Annotated, Any, Literal

from cyclopts import Parameter

from scalebridge.cli.options import Flag, ImageOptions, ProgressStyle, numbers
from scalebridge.core.errors import LawError, StudyError

_DEFAULT_IMAGE = ImageOptions()
_LAW_FORM = (
    'Expected LABEL:NAME[,key=value...], e.g. --law "0:j2,E=70GPa,nu=0.3,yield_stress=100MPa", or LABEL:void.'
)
_LEG_FORM = 'Expected component=value ..., e.g. --leg "xx=2% rest=free steps=20 time=1s".'
_LEG_KEYS = ("rest", "steps", "time")
_LAW_KEYS = ("orientations",)


def path(
    image: str,
    /,
    *,
    law: Annotated[list[str], Parameter(allow_leading_hyphen=True)],
    leg: Annotated[list[str], Parameter(allow_leading_hyphen=True)],
    reading: ImageOptions = _DEFAULT_IMAGE,
    bc: Literal["periodic", "kubc", "subc"] = "periodic",
    integration: Literal["one", "eight", "mean-dilatation"] | None = None,
    plane: Literal["strain", "stress"] | None = None,
    tangent: Literal["legs", "all", "last", "none"] = "legs",
    residual: float | None = None,
    resolution: Flag = False,
    accuracy: float | None = None,
    fields: str = "none",
    output: Annotated[str | None, Parameter(name=["--output", "-o"])] = None,
    json: Flag = False,
    quiet: Flag = False,
    force: Flag = False,
    dry_run: Flag = False,
    progress: ProgressStyle = "auto",
) -> int:
    """Load a microstructure along a path: stress-strain curve, tangents, energies, local fields.

    `scalebridge path porous.npy --law "0:j2,E=70GPa,nu=0.3,yield_stress=100MPa,hardening=1GPa" --law 1:void
    --leg "xx=2% rest=free steps=20" --leg "s_xx=0MPa rest=free" --fields last --output porous-path`.
    The same command with the same --output goes on where it was interrupted, with the same numbers.

    Parameters
    ----------
    image: str
        The image: TIFF (or a folder of slices), RAW, NPY/NPZ, HDF5 (file.h5:/path), VTI, NRRD, MetaImage.
    law: list[str]
        LABEL:NAME[,key=value...], once per label. NAME: a law of the catalogue, file.py:function, an entry point of an
        installed package, or void. A crystal takes orientation=phi1,Phi,phi2, or orientations=FILE.npy for its grains.
    leg: list[str]
        One straight piece of the path, in the order given: "xx=2% s_yy=0MPa rest=free steps=20 time=1s".
        Components: xx or e_xx (strain), s_xx (stress); at finite strain F_xx, P_xx and s_xx (Cauchy stress); in
        transport x and q_x; values at the end of the leg. rest: held (undeformed, if left out) or free (without
        stress). steps: increments, 10 if left out. time: duration, 1 s if left out.
    bc: str
        Boundary condition.
    integration: str
        Integration points per voxel: one (periodic only), eight, mean-dilatation (does not lock where volume is
        kept). If left out: one for periodic conditions, else what does not lock.
    plane: str
        For 2-D images: strain (nothing happens along z, if left out) or stress.
    tangent: str
        Where the consistent macroscopic tangent is computed: at the ends of the legs, all increments, the last, none.
    residual: float
        Out-of-balance stress, relative, to which every increment is solved. 1e-9 if left out.
    resolution: bool
        Also follow the path on the image coarsened by two: gives the resolution term of the error budget.
    accuracy: float
        Relative error to reach, all terms together, e.g. 0.02; implies --resolution. Exit code 3 where it is not met.
    fields: str
        Keep the local fields (fields/*.vti, with fields/path.pvd for ParaView): none, last, legs (their ends), all, or
        numbers of increments: 3,7,20.
    output: str
        Folder for report.html, path.csv, result.json, fields and all that is needed to repeat or resume the run.
    json: bool
        Print one JSON object and nothing else.
    quiet: bool
        Print the result only.
    force: bool
        Overwrite the results, and the state of an interrupted run, in the output folder.
    dry_run: bool
        Print the plan with memory and time, compute nothing.
    progress: str
        auto: a live display on a terminal, else nothing; lines: plain lines.
    """
    how: dict[str, Any] = {
        "condition": bc,
        "tangent": tangent,
        "resolution": resolution,
        "fields": _moments(fields),
    }
    for key, value in (
        ("integration", integration),
        ("plane", plane),
        ("residual", residual),
        ("accuracy", accuracy),
    ):
        if value is not None:
            how[key] = value
    data = {
        "image": reading.section(image),
        "law": _laws(law),
        "path": how,
        "leg": [_leg(text) for text in leg],
        "output": {"folder": output} if output is not None else {},
    }
    from scalebridge.cli.follow import execute_path
    from scalebridge.cli.presentation import Presentation
    from scalebridge.study.path_parse import path_study_from_data

    try:
        study = path_study_from_data(data, name="options")
    except StudyError as error:
        raise StudyError(_in_option_names(str(error))) from None
    return execute_path(
        study, ".", Presentation(json=json, quiet=quiet, force=force, dry_run=dry_run, progress=progress)
    )


def _laws(texts: list[str]) -> list[dict[str, Any]]:
    sections = [_law(text) for text in texts]
    labels = [section["label"] for section in sections]
    for label in labels:
        if labels.count(label) > 1:
            raise LawError(f"--law gives label {label} {labels.count(label)} times; each label once.")
    return sections


def _law(text: str) -> dict[str, Any]:
    head, *parts = text.split(",")
    rest: list[str] = []
    for part in parts:
        if rest and "=" not in part and part.strip()[:1] in "+-.0123456789" and part.strip():
            rest[-1] += f",{part}"  # a list of numbers: moduli=1MPa,2MPa
        else:
            rest.append(part)
    label, colon, name = head.partition(":")
    if not colon or not name.strip():
        raise LawError(f"--law {text!r} has no {'name' if colon else 'label'}. {_LAW_FORM}")
    try:
        number = int(label)
    except ValueError:
        raise LawError(f"--law {text!r}: the label {label!r} is not a whole number. {_LAW_FORM}") from None
    parameters = _pairs(rest, f"--law {text!r}", _LAW_FORM)
    beside = {key: parameters.pop(key) for key in _LAW_KEYS if key in parameters}
    return {"label": number, "law": name.strip(), "parameters": parameters, **beside}


def _leg(text: str) -> dict[str, Any]:
    where = f"--leg {text!r}"
    try:
        words = shlex.split(text.replace(",", " "))
    except ValueError:
        raise StudyError(f"{where}: a quotation mark is not closed. {_LEG_FORM}") from None
    # "s_yy = 0 MPa": a unit belongs to the number before it, whatever the blanks.
    joined: list[str] = []
    for word in words:
        if joined and ("=" not in word or word.startswith("=") or joined[-1].endswith("=")):
            joined[-1] += word if joined[-1].endswith("=") or word.startswith("=") else f" {word}"
        else:
            joined.append(word)
    pairs = _pairs(joined, where, _LEG_FORM)
    section: dict[str, Any] = {key: pairs.pop(key) for key in _LEG_KEYS if key in pairs}
    if "steps" in section:
        try:
            section["steps"] = int(section["steps"])
        except ValueError:
            raise StudyError(
                f"{where}: steps={section['steps']} is not a whole number. {_LEG_FORM}"
            ) from None
    if not pairs:
        raise StudyError(f"{where} names no component. {_LEG_FORM}")
    return {"components": pairs, **section}


def _pairs(parts: list[str], where: str, form: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for part in parts:
        key, equals, value = (piece.strip() for piece in part.partition("="))
        if not (key and equals and value):
            raise StudyError(f"{where}: {part.strip()!r} is not key=value. {form}")
        if key in found:
            raise StudyError(f"{where}: {key} is given twice. {form}")
        found[key] = value
    return found


def _moments(text: str) -> str | list[int]:
    """Words, or numbers of increments: a word that is neither is left to the study, which knows what it takes."""
    if not text[:1].isdigit():
        return text
    return [int(n) for n in numbers(text, "--fields", whole=True)]


def _in_option_names(message: str) -> str:
    message = message.removeprefix("options: ")
    message = re.sub(r"\[\[(leg|law)\]\] number", r"--\1 number", message)
    names = {
        "image.path": "IMAGE", "image.raw.": "--raw-", "image.": "--", "path.condition": "--bc", "path.": "--",
        "output.folder": "--output",
    }  # fmt: skip
    for key, option in names.items():
        if message.startswith(key):
            return option + message[len(key) :]
    return message
