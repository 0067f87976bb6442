"""Laws by name and their parameters as text, as a study file or a command line gives them.

    law_from_words("neo-hooke", {"E": "2 MPa", "nu": 0.45})
    law_from_words("my_laws.py:rubber", {"stiffness": "3 MPa"})

A name is one of CATALOGUE, one that an installed package offers in the entry-point group "scalebridge.laws", or a
function: "folder/module.py:function" or "package.module:function". Functions are called with the parameters as keywords
(SI numbers) and return a law.
"""

from __future__ import annotations

import dataclasses
import difflib
import functools
import importlib
import importlib.metadata
import importlib.util
import inspect
import math
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from scalebridge.core.errors import LawError, UnitError
from scalebridge.core.units import Dimension, parse_uncertain
from scalebridge.material.isotropic import ELASTIC_CONSTANTS, bulk_and_shear
from scalebridge.material.laws.conduction import PowerLawConduction, TemperatureDependentConduction
from scalebridge.material.laws.damage import IsotropicDamage
from scalebridge.material.laws.linear import LinearLaw
from scalebridge.material.laws.maxwell import GeneralizedMaxwell
from scalebridge.material.laws.mooney_rivlin import MooneyRivlin
from scalebridge.material.laws.neo_hooke import NeoHooke
from scalebridge.material.laws.norton import NortonCreep
from scalebridge.material.laws.ogden import Ogden
from scalebridge.material.laws.point import AbstractPointLaw
from scalebridge.material.laws.recipes import (
    fcc_crystal,
    finite_strain_j2_plasticity,
    j2_plasticity,
    mazars_damage,
)
from scalebridge.material.laws.saint_venant_kirchhoff import SaintVenantKirchhoff
from scalebridge.numerics.mandel import isotropic_stiffness

ENTRY_POINTS = "scalebridge.laws"
NUMBER, STRESS, KELVIN = Dimension.DIMENSIONLESS, Dimension.PRESSURE, Dimension.TEMPERATURE
SECONDS, PER_SECOND = Dimension.TIME, Dimension.RATE
CONDUCTIVITY = (
    Dimension.DIMENSIONLESS,
    Dimension.CONDUCTIVITY,
    Dimension.ELECTRICAL_CONDUCTIVITY,
    Dimension.DIFFUSIVITY,
    Dimension.PERMITTIVITY,
)
_MODULI = ("bulk", "shear")
_LONG = {"lambda_": "lambda"}
_SAME = {"K": "bulk", "mu": "G", "lambda": "lambda_", "k": "conductivity", "n": "exponent"}

Dimensions = Dimension | tuple[Dimension, ...]


@dataclasses.dataclass(frozen=True)
class LawEntry:
    """A law by name. `make` takes the keys as keywords, and `bulk` and `shear` if `elastic`: any two of E, nu, K, G,
    lambda, mu are then accepted. Keys that `make` has a default for may be left out."""

    name: str
    make: Callable[..., AbstractPointLaw]
    elastic: bool
    keys: Mapping[str, Dimensions]

    @property
    def summary(self) -> str:
        """The first line of what the law says of itself."""
        return (inspect.getdoc(self.make) or "").split("\n")[0].rstrip(".")

    @property
    def required(self) -> tuple[str, ...]:
        """The keys that must be given, the elastic constants apart."""
        parameters = inspect.signature(self.make).parameters
        return tuple(key for key in self.keys if parameters[key].default is inspect.Parameter.empty)

    @property
    def accepted(self) -> str:
        """The keys in words."""
        own = [key if key in self.required else f"[{key}]" for key in self.keys]
        return ", ".join([*(["two of E, nu, K, G, lambda, mu"] if self.elastic else []), *own])


def entry(
    name: str, make: Callable[..., AbstractPointLaw], elastic: bool = False, **keys: Dimensions
) -> LawEntry:
    """One line of CATALOGUE."""
    return LawEntry(name, make, elastic, keys)


def linear_solid(bulk: float | int, shear: float | int) -> LinearLaw:
    """sigma = C eps of an isotropic solid at small strain."""
    return LinearLaw(isotropic_stiffness(bulk, shear))


CATALOGUE: tuple[LawEntry, ...] = (
    entry("linear", linear_solid, elastic=True),
    entry("saint-venant-kirchhoff", SaintVenantKirchhoff.isotropic, elastic=True),
    entry("neo-hooke", NeoHooke, elastic=True),
    entry("mooney-rivlin", MooneyRivlin, c10=STRESS, c01=STRESS, bulk=STRESS),
    entry("ogden", Ogden, moduli=STRESS, exponents=NUMBER, bulk=STRESS),
    entry(
        "power-law-conduction",
        PowerLawConduction,
        conductivity=CONDUCTIVITY,
        exponent=NUMBER,
        reference=NUMBER,
        smoothing=NUMBER,
    ),
    entry(
        "temperature-dependent-conduction",
        TemperatureDependentConduction,
        temperatures=KELVIN,
        conductivities=CONDUCTIVITY,
        reference=KELVIN,
    ),
    entry(
        "j2",
        j2_plasticity,
        elastic=True,
        yield_stress=STRESS,
        hardening=STRESS,
        saturation=STRESS,
        saturation_rate=NUMBER,
        kinematic=STRESS,
        recall=NUMBER,
    ),
    entry(
        "finite-strain-j2",
        finite_strain_j2_plasticity,
        elastic=True,
        yield_stress=STRESS,
        hardening=STRESS,
        saturation=STRESS,
        saturation_rate=NUMBER,
    ),
    entry(
        "maxwell",
        GeneralizedMaxwell,
        elastic=True,
        shear_moduli=STRESS,
        shear_times=SECONDS,
        bulk_moduli=STRESS,
        bulk_times=SECONDS,
    ),
    entry("norton", NortonCreep, elastic=True, rate=PER_SECOND, stress=STRESS, exponent=NUMBER),
    entry("damage", IsotropicDamage, elastic=True, threshold=NUMBER, softening=NUMBER),
    entry("mazars-damage", mazars_damage, elastic=True, threshold=NUMBER, softening=NUMBER),
    entry(
        "fcc-crystal",
        fcc_crystal,
        C11=STRESS,
        C12=STRESS,
        C44=STRESS,
        resistance=STRESS,
        saturation=STRESS,
        hardening_rate=NUMBER,
        rate=PER_SECOND,
        exponent=NUMBER,
        latent=NUMBER,
        orientation=NUMBER,
    ),
)


def law_names() -> tuple[str, ...]:
    """The names that `law_from_words` knows: the catalogue's, then those of installed packages."""
    return (*(one.name for one in CATALOGUE), *sorted(point.name for point in _offered()))


def law_from_words(name: str, words: Mapping[str, Any]) -> AbstractPointLaw:
    """The law called `name` with parameters as text with units ("210 GPa"), numbers (SI), or lists of either.

    A list in a text has commas: "1 MPa, 2 MPa". Fails when: the name or a key is unknown (the nearest valid one is
    named), a key is missing, a unit is wrong (UnitError), the parameters are impossible, or a function cannot be found
    or returns no law (LawError).
    """
    if ":" in name:
        return _called(name, _function(name), _any_values(words))
    known = _plain(name)
    for one in CATALOGUE:
        if one.name == known:
            return one.make(**_values(one, words))
    for point in _offered():
        if _plain(point.name) == known:
            return _called(name, point.load(), _any_values(words))
    raise LawError(
        f"There is no law {name!r}{_nearest(known, law_names()) or '.'} Known: {', '.join(law_names())}; or give a "
        "function of your own as module.py:function."
    )


def _plain(name: str) -> str:
    return name.strip().lower().replace("_", "-").replace(" ", "-")


def _nearest(word: str, known: Iterable[str]) -> str:
    folded = {one.lower(): one for one in known}
    near = difflib.get_close_matches(word.lower(), list(folded), n=1, cutoff=0.4)
    return f"; did you mean {folded[near[0]]!r}?" if near else ""


def _values(one: LawEntry, words: Mapping[str, Any]) -> dict[str, Any]:
    constants: dict[str, Any] = {}
    values: dict[str, Any] = {}
    for word, text in words.items():
        key = word.strip()
        # The long name of a letter, where this law has it: K is bulk, unless K is one of two elastic constants.
        for candidate in (key, _SAME.get(key, key)):
            if one.elastic and candidate in ELASTIC_CONSTANTS:
                dimension = NUMBER if candidate == "nu" else STRESS
                constants[candidate] = _number(word, text, dimension)
                break
            if candidate in one.keys:
                values[candidate] = _parsed(word, text, one.keys[candidate])
                break
        else:
            possible = [*one.keys, *(ELASTIC_CONSTANTS if one.elastic else ())]
            raise LawError(
                f"The law {one.name!r} has no parameter {word!r}{_nearest(key, possible) or '.'} "
                f"It takes {one.accepted}."
            )
    missing = [key for key in one.required if key not in values]
    if missing:
        raise LawError(f"The law {one.name!r} needs {', '.join(missing)}. It takes {one.accepted}.")
    if one.elastic:
        if len(constants) != 2:
            raise LawError(
                f"The law {one.name!r} needs two elastic constants, got {', '.join(constants) or 'none'}. "
                f"It takes {one.accepted}."
            )
        if constants.get("nu", 0.0) >= 0.5:
            raise LawError(f"Poisson's ratio must be below 1/2, got {constants['nu']:g}.")
        values |= dict(zip(_MODULI, _moduli(constants), strict=True))
    return values


def _moduli(constants: Mapping[str, float]) -> tuple[float, float]:
    """K and G. Fails when: the two constants do not determine them, or one is not positive (LawError)."""
    first, second = constants
    try:
        bulk, shear = bulk_and_shear(first, second)(constants)
    except (ZeroDivisionError, OverflowError):
        bulk = shear = math.nan
    if not (bulk > 0 and shear > 0 and math.isfinite(bulk) and math.isfinite(shear)):
        given = " and ".join(f"{_LONG.get(key, key)} = {value:g}" for key, value in constants.items())
        raise LawError(
            f"{given} give a bulk modulus of {bulk:g} and a shear modulus of {shear:g}; expected bulk > 0 and "
            'shear > 0. A label without stiffness is the law "void".'
        )
    return bulk, shear


def _parsed(word: str, given: Any, dimension: Dimensions | None) -> Any:
    if isinstance(given, str) and "," in given:
        given = [part for part in given.split(",") if part.strip()]
    if isinstance(given, (list, tuple)):
        return [_number(word, part, dimension) for part in given]
    return _number(word, given, dimension)


def _number(word: str, given: Any, dimension: Dimensions | None) -> float:
    try:
        found = parse_uncertain(given if isinstance(given, str) else float(given), dimension)
        if found.deviation:
            raise UnitError("an uncertainty is not carried along a path; give one number")
        return found.value
    except UnitError as error:
        raise UnitError(f"{word}: {error}") from None
    except (TypeError, ValueError, OverflowError):
        raise LawError(f"{word} must be a number, with or without a unit, got {given!r}.") from None


def _any_values(words: Mapping[str, Any]) -> dict[str, Any]:
    return {word: _parsed(word, text, None) for word, text in words.items()}


def _offered() -> tuple[importlib.metadata.EntryPoint, ...]:
    return tuple(importlib.metadata.entry_points(group=ENTRY_POINTS))


def _function(name: str) -> Any:
    where, _, wanted = name.rpartition(":")
    try:
        module = _module_of(where)
    except LawError:
        raise
    except (Exception, SystemExit) as error:  # the module is the user's, and may raise anything
        raise LawError(f"{where} (of the law {name!r}) cannot be loaded: {error!r}") from error
    found = getattr(module, wanted, None)
    if found is None:
        functions = [
            key for key, value in vars(module).items() if callable(value) and not key.startswith("_")
        ]
        raise LawError(f"{where} has no {wanted!r}{_nearest(wanted, functions) or '.'}")
    return found


def _module_of(where: str) -> Any:
    if not where.endswith(".py"):
        return importlib.import_module(where)
    path = Path(where).expanduser()
    if not path.is_file():
        raise LawError(f"There is no file {where}; give the path from here to a Python file with a law.")
    return _module_in(path.resolve(), path.stat().st_mtime_ns)


@functools.lru_cache(maxsize=32)
def _module_in(path: Path, changed: int) -> Any:
    """The module in a file, loaded once as long as it stays unchanged: labels with the same function are then of one
    kind, and compiled together."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _called(name: str, make: Any, values: Mapping[str, Any]) -> AbstractPointLaw:
    if isinstance(make, AbstractPointLaw) and not values:
        return make
    if not callable(make) or isinstance(make, AbstractPointLaw):
        raise LawError(f"{name} takes no parameters, got {', '.join(values) or 'no function and no law'}.")
    try:
        inspect.signature(make).bind(**values)
    except TypeError as error:
        raise LawError(f"{name} cannot be called with {', '.join(values) or 'nothing'}: {error}.") from None
    law = make(**values)
    if not isinstance(law, AbstractPointLaw):
        raise LawError(
            f"{name} returned a {type(law).__name__}; expected a law (an AbstractPointLaw, as EnergyLaw(function, "
            "parameters, kinematics) makes one)."
        )
    return law
