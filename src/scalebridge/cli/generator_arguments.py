"""From `--fraction 0.4 --radius 5um ...` to a generator. What is misspelt is found before NumPy is loaded."""

from __future__ import annotations

import dataclasses
import difflib
import math
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, final

from scalebridge.cli.generator_signature import (
    ClassSignature,
    ParameterSignature,
    generator_signature,
    kebab,
    kinds_of,
    nearest,
)
from scalebridge.core.errors import ImageError, InputError

if TYPE_CHECKING:
    from scalebridge.grid import PhaseImage
    from scalebridge.microstructure.generators.generator import AbstractGenerator

_MOST = 1e30  # beyond, volumes are no floating-point numbers
_YES = {"yes": True, "true": True, "1": True, "no": False, "false": False, "0": False}


@final
@dataclasses.dataclass(frozen=True)
class ChosenGenerator:
    """A generator and the files that its parameters came from, by parameter."""

    name: str
    generator: AbstractGenerator
    files: Mapping[str, Path]


def split_parameters(
    name: str, tokens: Sequence[str], others: Iterable[str] = (), needed: bool = True
) -> dict[str, str]:
    """What is left of the command line as texts by parameter; `others`: options of the command, for hints.

    Fails when: a token is no parameter of the generator, has no value or two, or one is missing (InputError).
    """
    signature = generator_signature(name)
    found: dict[str, str] = {}
    left = list(tokens)
    while left:
        token = left.pop(0)
        if not token.startswith("--"):
            raise InputError(
                f"Cannot use {token!r}: parameters of {name} are given as --name value, e.g. "
                f"{_example(signature)}."
            )
        key, equals, value = token[2:].partition("=")
        parameter = signature.parameter(key)
        if parameter is None and not equals and key.startswith(("no-", "no_")):
            parameter, value, equals = signature.parameter(key[3:]), "no", "="
            if parameter is not None and not parameter.is_flag:
                parameter = None
        if parameter is None:
            raise InputError(_unknown(signature, key, others))
        if not equals and parameter.is_flag:
            value = left.pop(0) if left and left[0].lower() in _YES else "yes"
        elif not equals:
            if not left or left[0].startswith("--"):
                raise InputError(f"{parameter.option} needs a value: {parameter.words}.")
            value = left.pop(0)
        if parameter.name in found:
            raise InputError(f"{parameter.option} is given twice.")
        found[parameter.name] = value
    missing = [p for p in signature.parameters if p.default is None and p.name not in found]
    if missing and needed:
        listed = "; ".join(f"{p.option}: {p.words}" for p in missing)
        raise InputError(f"{name} needs {listed}. `scalebridge generate {name} --help` says more.")
    return found


def build_generator(
    name: str, shape: Sequence[int], spacing: str | None, texts: Mapping[str, str]
) -> ChosenGenerator:
    """The generator of these parameters, given as texts.

    Fails when: a value cannot be read (InputError), or the generator refuses it (ImageError).
    """
    from scalebridge.microstructure.generators import ALL_GENERATORS
    from scalebridge.microstructure.spacing import parse_spacing

    signature = generator_signature(name)
    edges = parse_spacing(spacing, len(shape))
    reader = _Reader(name, edges)
    values = {}
    for key, text in texts.items():
        parameter = signature.parameter(key)
        assert parameter is not None
        values[key] = reader.value(parameter, text, parameter.option)
    try:
        generator = ALL_GENERATORS[name](shape=tuple(shape), spacing=edges, **values)  # type: ignore[call-arg]
    except OverflowError as error:
        raise ImageError(f"{name}: a parameter is far too large ({error}).") from error
    return ChosenGenerator(name, generator, reader.files)


def read_labels(path: Path | str) -> PhaseImage:
    """An image of labels that a generator takes as its reference. Fails when: it is grey (InputError)."""
    from scalebridge.microstructure.read import read_image

    try:
        return read_image(path)
    except ImageError as error:
        raise ImageError(
            f"{error} (A reference is an image of labels: `scalebridge convert` makes one.)"
        ) from error


@final
class _Reader:
    """Texts to values, with the spacing that turns lengths into voxels; remembers the files it read."""

    def __init__(self, who: str, spacing: tuple[float, ...] | None) -> None:
        self.who, self.spacing = who, spacing
        self.files: dict[str, Path] = {}

    def value(self, parameter: ParameterSignature, text: str, option: str) -> Any:
        kinds = parameter.alternatives
        text = text.strip()
        if text.lower() == "none" and "None" in kinds:
            return None
        if parameter.is_flag:
            if text.lower() not in _YES:
                raise self._fail(option, text, "yes or no")
            return _YES[text.lower()]
        if parameter.family is not None:
            return self._member(parameter.family, text, option)
        if "PhaseImage" in kinds:
            self.files[parameter.name] = Path(text)
            return read_labels(text)
        if "Texture" in kinds:
            return self._texture(text, option)
        if "Tensor" in kinds:
            return self._tensor(text, option)
        whole = not any("float" in kind for kind in kinds)
        parts = [self._number(part.strip(), parameter, whole, option) for part in text.split(",")]
        if len(parts) == 1 and {"int", "float"} & set(kinds):
            return parts[0]
        if not any(kind.startswith("tuple") for kind in kinds):
            raise self._fail(option, text, parameter.words)
        return tuple(parts)

    def _number(self, text: str, parameter: ParameterSignature, whole: bool, option: str) -> float | int:
        try:
            number = float(text)
        except ValueError:
            if not parameter.is_length or not text:
                raise self._fail(option, text, parameter.words) from None
            number = self._voxels(text, option)
            if whole and abs(number - round(number)) < 1e-6:
                number = round(number)
        if not abs(number) < _MOST:  # also: not a number
            raise self._fail(option, text, f"a finite {parameter.words}")
        if whole and (number != int(number) or abs(number) > 2**53):
            raise self._fail(option, text, parameter.words)
        return int(number) if whole else number

    def _voxels(self, text: str, option: str) -> float:
        """A length with its unit in voxels."""
        from scalebridge.core.units import Dimension, parse_quantity

        try:
            length = parse_quantity(text, Dimension.LENGTH)
        except InputError as error:
            raise InputError(
                f"{self.who}: {option} {text!r}: {error} Without a unit it is in voxels."
            ) from None
        if self.spacing is None:
            raise InputError(
                f"{option} {text!r}: a length with a unit needs the edge of a voxel (--spacing)."
            )
        if max(self.spacing) - min(self.spacing) > 1e-9 * max(self.spacing):
            raise InputError(f"{option} {text!r}: with unequal spacings, lengths are given in voxels.")
        return length / self.spacing[0]

    def _member(self, family: str, text: str, option: str) -> Any:
        """One of a family of classes: NAME, NAME:value,value or NAME:key=value,key=value."""
        from scalebridge.microstructure import generators

        word, _, rest = text.partition(":")
        known = kinds_of(family)
        signature = known.get(kebab(word.strip()))
        if signature is None:
            raise InputError(f"{self.who}: {option} has no {word.strip()!r}{nearest(word.strip(), known)}")
        form = f"{option} {_member_usage(signature)}"
        given: dict[str, Any] = {}
        for place, part in enumerate(rest.split(",") if rest.strip() else []):
            key, equals, value = (piece.strip() for piece in part.partition("="))
            if not equals:
                key, value = (
                    signature.parameters[place].name if place < len(signature.parameters) else "",
                    key,
                )
            parameter = signature.parameter(key)
            if parameter is None or parameter.name in given:
                raise InputError(
                    f"{self.who}: cannot use {part.strip()!r} of {option} {text!r}. Give {form}."
                )
            given[parameter.name] = self.value(parameter, value, f"{option} {signature.name}:{kebab(key)}")
        if any(p.default is None and p.name not in given for p in signature.parameters):
            raise InputError(f"{self.who}: {option} {text!r} is not complete. Give {form}.")
        return getattr(generators, signature.class_name)(**given)

    def _tensor(self, text: str, option: str) -> tuple[tuple[float, ...], ...]:
        try:
            rows = [tuple(float(number) for number in row.split(",")) for row in text.split(";")]
        except ValueError:
            rows = []
        if not rows or not all(math.isfinite(number) for row in rows for number in row):
            raise self._fail(option, text, "a tensor: a11,a22,a33, or its rows separated by semicolons")
        if len(rows) == 1:  # a diagonal
            rows = [tuple(v if i == k else 0.0 for k in range(len(rows[0]))) for i, v in enumerate(rows[0])]
        return tuple(rows)

    def _texture(self, text: str, option: str) -> tuple[tuple[tuple[float, ...], ...], ...]:
        import numpy as np

        try:
            turns = np.load(text, allow_pickle=False)
        except (OSError, ValueError, EOFError) as error:
            raise InputError(
                f"{self.who}: {option} {text!r} cannot be read: {error}. Expected a .npy file of rotation matrices."
            ) from error
        if not isinstance(turns, np.ndarray) or turns.ndim != 3 or turns.dtype.kind not in "fiu":
            raise self._fail(option, text, "a .npy file of rotation matrices, an array of numbers (n, d, d)")
        return tuple(tuple(tuple(map(float, row)) for row in turn) for turn in turns)

    def _fail(self, option: str, text: str, expected: str) -> InputError:
        return InputError(f"{self.who}: {option} {text!r} cannot be used. Expected {expected}.")


def parameters_help(name: str) -> str:
    """What a generator is, and what may be given."""
    signature = generator_signature(name)
    lines = [f"{name}: {_paragraphs(signature.text)}", "", "Parameters of " + name]
    rows = []
    for parameter in signature.parameters:
        default = parameter.shown_default
        rows.append((parameter.option, parameter.words, f"default {default}" if default else "must be given"))
    width = max(len(row[0]) for row in rows)
    lines += [f"  {option:<{width}}  {words}; {default}" for option, words, default in rows]
    for parameter in signature.parameters:
        if parameter.family is None:
            continue
        for member in kinds_of(parameter.family).values():
            lines.append(f"  {parameter.option} {_member_usage(member)}")
            lines.append(f"      {member.summary}")
    lines += [
        "",
        "Lengths are in voxels, or have a unit where --spacing is given (--radius 5um). Yes or no: --name, --no-name.",
    ]
    return "\n".join(lines)


def _paragraphs(text: str) -> str:
    """A docstring with one line per paragraph and per explained word, to be wrapped anew."""
    return re.sub(r"(?<!\n)\n(?!\n|[a-z_]+(?:, [a-z_]+)*: |Fails when|Not periodic)", " ", text)


def _member_usage(signature: ClassSignature) -> str:
    inner = ",".join(f"{p.option[2:]}=N" for p in signature.parameters)
    return signature.name + (f":{inner}" if inner else "")


def _example(signature: ClassSignature) -> str:
    return f"{signature.parameters[0].option} VALUE"


def _unknown(signature: ClassSignature, key: str, others: Iterable[str]) -> str:
    """The nearest among the parameters and the command's own options, and all parameters."""
    own = [p.option for p in signature.parameters]
    close = difflib.get_close_matches("--" + key.replace("_", "-"), [*own, *others], n=1, cutoff=0.6)
    hint = f"; did you mean {close[0]}?" if close else "."
    return f"{signature.name} has no parameter --{key}{hint} It has: {signature.usage}."


def relative_to(path: Path, folder: Path) -> str:
    """A path as a record in `folder` names it."""
    try:
        return Path(os.path.relpath(path.absolute(), folder.absolute())).as_posix()
    except ValueError:  # another drive
        return path.absolute().as_posix()
