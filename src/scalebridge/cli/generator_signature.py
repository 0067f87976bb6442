"""What a generator takes, read from its source text: help and misspelt parameters are answered without loading NumPy.

A generator is a dataclass; its annotated fields and its docstring are all that is looked at.
"""

from __future__ import annotations

import ast
import dataclasses
import functools
import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from typing import final

from scalebridge.core.errors import InputError
from scalebridge.microstructure import generators

# Not parameters of their own at the command line: options of the commands set them.
_SET_BY_COMMANDS = ("shape", "spacing")
_LENGTHS = {
    "radius", "length", "gap", "axes", "cell", "tile", "period", "reach",
    "correlation_length", "wavelength", "decay_length",
}  # fmt: skip
_VOLUMES = {"grain_volume", "cell_volume"}
_SHARES = {"fraction", "fractions", "tolerance"}


@final
@dataclasses.dataclass(frozen=True)
class ParameterSignature:
    """One field: its annotation and default as they stand in the source; default None: it must be given."""

    name: str
    annotation: str
    default: str | None

    @property
    def option(self) -> str:
        return "--" + kebab(self.name)

    @property
    def alternatives(self) -> tuple[str, ...]:
        """The members of a union, split at the bars outside brackets."""
        parts, depth = [""], 0
        for letter in self.annotation:
            depth += (letter == "[") - (letter == "]")
            if letter == "|" and depth == 0:
                parts.append("")
            else:
                parts[-1] += letter
        return tuple(part.strip() for part in parts)

    @property
    def family(self) -> str | None:
        """The abstract class of which one member is chosen by name."""
        return next((part for part in self.alternatives if part.startswith("Abstract")), None)

    @property
    def is_flag(self) -> bool:
        return self.alternatives == ("bool",)

    @property
    def is_length(self) -> bool:
        return self.name in _LENGTHS

    @property
    def words(self) -> str:
        """What may be given."""
        kinds = set(self.alternatives)
        if self.is_flag:
            return "yes or no"
        if self.family is not None:
            return " | ".join(kinds_of(self.family))
        if "Tensor" in kinds:
            return "a11,a22,a33, or rows separated by semicolons"
        if "Texture" in kinds:
            return "a .npy file of rotation matrices (n, d, d)"
        if "PhaseImage" in kinds:
            return "an image of labels"
        whole = not any("float" in part for part in kinds)
        several = any(part.startswith("tuple") for part in kinds)
        single = bool(kinds & {"int", "float"})
        noun = "whole number" if whole else "number"
        found = f"{noun}s, separated by commas" if several else noun
        if several and single:
            found = f"{noun}, or several separated by commas"
        unit = ""
        if self.is_length:
            unit = "voxels"
        elif self.name in _VOLUMES:
            unit = "voxels, as a volume"
        elif self.name in _SHARES:
            unit = "0 to 1"
        return found + (f" ({unit})" if unit else "")

    @property
    def shown_default(self) -> str:
        """For people: "" where it must be given."""
        if self.default is None:
            return ""
        plain = {"True": "yes", "False": "no", "None": "none"}.get(self.default, self.default)
        return plain.strip("()").replace(" ", "")


@final
@dataclasses.dataclass(frozen=True)
class ClassSignature:
    """A generator, or a member of a family that generators choose from. name: as on the command line."""

    name: str
    class_name: str
    text: str
    parameters: tuple[ParameterSignature, ...]

    @property
    def summary(self) -> str:
        """The first sentence or line of the docstring."""
        return self.text.split("\n\n")[0].replace("\n", " ")

    def parameter(self, name: str) -> ParameterSignature | None:
        """By its name, with hyphens or underscores."""
        return next((p for p in self.parameters if p.name == name.replace("-", "_")), None)

    @property
    def usage(self) -> str:
        """All parameters in one line; those that may be left out in brackets."""
        shown = []
        for parameter in self.parameters:
            text = f"{parameter.option} {_short(parameter)}"
            if parameter.is_flag:
                text = "--no-" + kebab(parameter.name) if parameter.default == "True" else parameter.option
            shown.append(text if parameter.default is None else f"[{text}]")
        return " ".join(shown)


def kebab(name: str) -> str:
    """ "GaussianLevelCut" or "grain_volume" as on the command line."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "-", name).replace("_", "-").lower()


def is_generator(name: str) -> bool:
    # Asking the mapping itself would import the class.
    return name in tuple(generators.ALL_GENERATORS)


def generator_signature(name: str) -> ClassSignature:
    """Fails when there is no generator of that name (InputError with the nearest and all others)."""
    if not is_generator(name):
        raise InputError(f"There is no generator {name!r}{nearest(name, generators.ALL_GENERATORS)}")
    for class_name, text in _classes():
        if kebab(class_name) == name:
            return _signature(class_name, text)
    raise AssertionError(f"The class of {name} is not named after it.")


def all_signatures() -> list[ClassSignature]:
    return [generator_signature(name) for name in generators.ALL_GENERATORS]


def kinds_of(family: str) -> dict[str, ClassSignature]:
    """The members of a family, e.g. "AbstractCovariance", by name."""
    found = [_signature(name, text) for name, text in _classes() if f"class {name}({family}):" in text]
    return {signature.name: signature for signature in found}


def nearest(word: str, known: object) -> str:
    """The end of a sentence about an unknown `word`: the nearest known one first, then all of them."""
    import difflib

    names = [str(one) for one in known]  # type: ignore[attr-defined]
    close = difflib.get_close_matches(word.lower(), names, n=1, cutoff=0.5)
    hint = f"; did you mean {close[0]!r}?" if close else "."
    return f"{hint} There are: {', '.join(names)}."


@functools.cache
def _classes() -> tuple[tuple[str, str], ...]:
    """Names of all classes in the folder of generators, with the text of their module."""
    assert generators.__file__ is not None
    texts = [path.read_text("utf-8") for path in sorted(Path(generators.__file__).parent.glob("*.py"))]
    return tuple((name, text) for text in texts for name in re.findall(r"^class (\w+)", text, re.MULTILINE))


@functools.cache
def _signature(class_name: str, text: str) -> ClassSignature:
    node = next(n for n in ast.parse(text).body if isinstance(n, ast.ClassDef) and n.name == class_name)
    doc = inspect.cleandoc(ast.get_docstring(node) or "")
    return ClassSignature(kebab(class_name), class_name, doc, tuple(_fields(node)))


def _fields(node: ast.ClassDef) -> Iterator[ParameterSignature]:
    for item in node.body:
        if not isinstance(item, ast.AnnAssign) or not isinstance(item.target, ast.Name):
            continue
        annotation = ast.unparse(item.annotation)
        if item.target.id in _SET_BY_COMMANDS or annotation.startswith("ClassVar"):
            continue
        default = None if item.value is None else ast.unparse(item.value)
        yield ParameterSignature(item.target.id, annotation, default)


def _short(parameter: ParameterSignature) -> str:
    if parameter.family is not None:
        return "KIND"
    kinds = parameter.alternatives
    if {"Tensor", "Texture", "PhaseImage"} & set(kinds):
        return "TENSOR" if "Tensor" in kinds else "FILE"
    return "N,..." if any(part.startswith("tuple") for part in kinds) else "N"
