"""Laws of a path by name: from the catalogue, from a function in a file, from an installed package.

A function that makes a law is called with the parameters of its section as SI floats by name, and returns a law; so is
what an entry point of the group `scalebridge.laws` names.
"""

from __future__ import annotations

import difflib
import importlib
import importlib.metadata
import importlib.util
import inspect
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from scalebridge.core.errors import LawError, ScalebridgeError
from scalebridge.core.units import parse_uncertain
from scalebridge.material.laws.point import AbstractPointLaw
from scalebridge.study.path_schema import VOID, LawSection

GROUP = "scalebridge.laws"


def law_file(section: LawSection, base: Path) -> Path | None:
    """The file that a law is made by, if it is one."""
    file, separator, _ = section.law.rpartition(":")
    return base / file if separator and file.endswith(".py") else None


def build_law(section: LawSection, base: Path) -> AbstractPointLaw | None:
    """The law of a label; None is a void. Fails when: there is none of that name, or it cannot be made (LawError)."""
    where = f"Law of label {section.label}"
    if section.law == VOID:
        if section.parameters:
            raise LawError(f"{where}: a void has no parameters, got {', '.join(section.parameters)}.")
        return None
    file = law_file(section, base)
    try:
        if file is not None:
            return _made(_function(file, section.law.rpartition(":")[2]), section)
        for point in importlib.metadata.entry_points(group=GROUP):
            if point.name == section.law:
                return _made(point.load(), section)
        return _of_catalogue(section)
    except ScalebridgeError as error:
        message = str(error)
        raise LawError(message if message.startswith(where) else f"{where}: {message}") from error


def _of_catalogue(section: LawSection) -> AbstractPointLaw:
    try:
        catalogue = importlib.import_module("scalebridge.material.laws.catalogue")
    except ModuleNotFoundError:
        raise LawError(
            f"there is no law {section.law!r}. Name a function in a file: file.py:function."
        ) from None
    words = {key: str(value) for key, value in section.parameters.items()}
    law: AbstractPointLaw = catalogue.law_from_words(section.law, words)
    return law


def _function(file: Path, name: str) -> Any:
    if not file.is_file():
        raise LawError(f"there is no file {str(file)!r}.")
    spec = importlib.util.spec_from_file_location(f"scalebridge_law_{file.stem}", file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except Exception as error:  # whatever a user's file may raise
        raise LawError(f"{file.name} cannot be run: {type(error).__name__}: {error}.") from error
    made = getattr(module, name, None)
    if made is None:
        known = [n for n, value in vars(module).items() if callable(value) and not n.startswith("_")]
        close = difflib.get_close_matches(name, known, n=1)
        hint = f" Did you mean {close[0]!r}?" if close else ""
        raise LawError(f"{file.name} has no {name!r}.{hint}")
    return made


def _made(make: Any, section: LawSection) -> AbstractPointLaw:
    parameters = {key: parse_uncertain(value).value for key, value in section.parameters.items()}
    law = make
    if not isinstance(make, AbstractPointLaw):
        if not callable(make):
            raise LawError(f"{section.law} is neither a law nor a function that makes one.")
        _check_call(make, parameters, section.law)
        try:
            law = make(**parameters)
        except ScalebridgeError:
            raise
        except Exception as error:  # whatever a user's function may raise
            raise LawError(f"{section.law} failed: {type(error).__name__}: {error}.") from error
    elif parameters:
        raise LawError(f"{section.law} is a law that is made already; it takes no parameters.")
    if not isinstance(law, AbstractPointLaw):
        raise LawError(
            f"{section.law} returned {type(law).__name__}; expected a law: EnergyLaw(...), UpdateLaw(...), or a "
            "subclass of AbstractPointLaw."
        )
    return law


def _check_call(make: Any, parameters: Mapping[str, float], name: str) -> None:
    try:
        inspect.signature(make).bind(**parameters)
    except TypeError as error:
        raise LawError(f"{name} cannot be called with these parameters: {error}.") from None
    except ValueError:  # no signature to look at
        return
