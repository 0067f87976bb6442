"""Laws of a path by name: void, or what the catalogue knows, or a function in a file beside the study."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from scalebridge.core.errors import LawError, ScalebridgeError
from scalebridge.material.laws.catalogue import law_from_words
from scalebridge.material.laws.point import AbstractPointLaw
from scalebridge.study.path_schema import VOID, LawSection


def law_file(section: LawSection, base: Path) -> Path | None:
    """The file that a law is made by, if it is one."""
    file, separator, _ = section.law.rpartition(":")
    return base / Path(file).expanduser() if separator and file.endswith(".py") else None


def build_law(
    section: LawSection, base: Path, orientation: np.ndarray | None = None
) -> AbstractPointLaw | None:
    """The law of a label; None is a void. orientation (3, 3): that of one grain, in place of a parameter of that name.

    Fails when: there is none of that name, or it cannot be made (LawError).
    """
    where = f"Law of label {section.label}"
    parameters = dict(section.parameters)
    if section.orientations is not None and "orientation" in parameters:
        raise LawError(f"{where}: give one orientation, or orientations in a file, not both.")
    if orientation is not None:
        parameters["orientation"] = [float(v) for v in orientation.reshape(-1)]
    if section.law == VOID:
        if parameters or section.orientations is not None:
            given = [*section.parameters, *(["orientations"] if section.orientations is not None else [])]
            raise LawError(f"{where}: a void has no parameters, got {', '.join(given)}.")
        return None
    file = law_file(section, base)
    name = section.law if file is None else f"{file}:{section.law.rpartition(':')[2]}"
    try:
        return law_from_words(name, parameters)
    except ScalebridgeError as error:
        raise LawError(f"{where}: {error}") from error
    except Exception as error:  # a function of the user's may raise anything
        if file is None:
            raise
        raise LawError(f"{where}: {section.law} failed: {type(error).__name__}: {error}.") from error
