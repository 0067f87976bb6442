"""Laws of a path by name: void, or what the catalogue knows, or a function in a file beside the study."""

from __future__ import annotations

from pathlib import Path

from scalebridge.core.errors import LawError, ScalebridgeError
from scalebridge.material.laws.catalogue import law_from_words
from scalebridge.material.laws.point import AbstractPointLaw
from scalebridge.study.path_schema import VOID, LawSection


def law_file(section: LawSection, base: Path) -> Path | None:
    """The file that a law is made by, if it is one."""
    file, separator, _ = section.law.rpartition(":")
    return base / Path(file).expanduser() if separator and file.endswith(".py") else None


def build_law(section: LawSection, base: Path) -> AbstractPointLaw | None:
    """The law of a label; None is a void. Fails when: there is none of that name, or it cannot be made (LawError)."""
    where = f"Law of label {section.label}"
    if section.law == VOID:
        if section.parameters:
            raise LawError(f"{where}: a void has no parameters, got {', '.join(section.parameters)}.")
        return None
    file = law_file(section, base)
    name = section.law if file is None else f"{file}:{section.law.rpartition(':')[2]}"
    try:
        return law_from_words(name, section.parameters)
    except ScalebridgeError as error:
        raise LawError(f"{where}: {error}") from error
    except Exception as error:  # a function of the user's may raise anything
        if file is None:
            raise
        raise LawError(f"{where}: {section.law} failed: {type(error).__name__}: {error}.") from error
