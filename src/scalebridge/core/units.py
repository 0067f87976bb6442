"""Quantities with units at the boundary: text in, SI floats inside, readable text out.

Inside the package every number is SI (or dimensionless). A plain number is taken as SI; a unit is checked
against the dimension that is expected, so that a length never becomes a pressure.
"""

from __future__ import annotations

import dataclasses
import difflib
import enum
import math
import re
from collections.abc import Iterable

from scalebridge.core.errors import UnitError

Exponents = tuple[int, int, int, int, int, int]  # kilogram, metre, second, ampere, kelvin, mole


class Dimension(enum.Enum):
    """What a quantity measures: (words, SI unit as text, exponents of kg, m, s, A, K, mol)."""

    DIMENSIONLESS = ("a dimensionless number", "", (0, 0, 0, 0, 0, 0))
    LENGTH = ("a length", "m", (0, 1, 0, 0, 0, 0))
    AREA = ("an area or intrinsic permeability", "m^2", (0, 2, 0, 0, 0, 0))
    TIME = ("a time", "s", (0, 0, 1, 0, 0, 0))
    TEMPERATURE = ("a temperature difference", "K", (0, 0, 0, 0, 1, 0))
    DENSITY = ("a mass density", "kg/m^3", (1, -3, 0, 0, 0, 0))
    PRESSURE = ("a pressure, stress or stiffness", "Pa", (1, -1, -2, 0, 0, 0))
    CONDUCTIVITY = ("a thermal conductivity", "W/(m K)", (1, 1, -3, 0, -1, 0))
    ELECTRICAL_CONDUCTIVITY = ("an electrical conductivity", "S/m", (-1, -3, 3, 2, 0, 0))
    DIFFUSIVITY = ("a diffusivity", "m^2/s", (0, 2, -1, 0, 0, 0))
    PERMITTIVITY = ("a permittivity", "F/m", (-1, -3, 4, 2, 0, 0))
    PERMEABILITY = ("a magnetic permeability", "H/m", (1, 1, -2, -2, 0, 0))
    EXPANSION = ("a thermal expansion coefficient", "1/K", (0, 0, 0, 0, -1, 0))
    VISCOSITY = ("a dynamic viscosity", "Pa s", (1, -1, -1, 0, 0, 0))
    RATE = ("a rate", "1/s", (0, 0, -1, 0, 0, 0))

    @property
    def words(self) -> str:
        return str(self.value[0])

    @property
    def unit(self) -> str:
        """The SI unit as text, "" when dimensionless."""
        return str(self.value[1])

    @property
    def exponents(self) -> Exponents:
        return self.value[2]


@dataclasses.dataclass(frozen=True)
class Uncertain:
    """A number with its standard deviation, both in SI; `dimension` is None when no unit was written."""

    value: float
    deviation: float = 0.0
    dimension: Dimension | None = None


_PREFIXES = {
    "a": 1e-18, "f": 1e-15, "p": 1e-12, "n": 1e-9, "u": 1e-6, "µ": 1e-6, "μ": 1e-6, "m": 1e-3, "c": 1e-2,
    "d": 1e-1, "h": 1e2, "k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12, "P": 1e15,
}  # fmt: skip

# Factor and exponents; units that take a prefix first, the others after.
_PREFIXABLE: dict[str, tuple[float, Exponents]] = {
    "m": (1.0, (0, 1, 0, 0, 0, 0)),
    "g": (1e-3, (1, 0, 0, 0, 0, 0)),
    "s": (1.0, (0, 0, 1, 0, 0, 0)),
    "A": (1.0, (0, 0, 0, 1, 0, 0)),
    "K": (1.0, (0, 0, 0, 0, 1, 0)),
    "mol": (1.0, (0, 0, 0, 0, 0, 1)),
    "N": (1.0, (1, 1, -2, 0, 0, 0)),
    "Pa": (1.0, (1, -1, -2, 0, 0, 0)),
    "bar": (1e5, (1, -1, -2, 0, 0, 0)),
    "J": (1.0, (1, 2, -2, 0, 0, 0)),
    "W": (1.0, (1, 2, -3, 0, 0, 0)),
    "C": (1.0, (0, 0, 1, 1, 0, 0)),
    "V": (1.0, (1, 2, -3, -1, 0, 0)),
    "S": (1.0, (-1, -2, 3, 2, 0, 0)),
    "ohm": (1.0, (1, 2, -3, -2, 0, 0)),
    "Ohm": (1.0, (1, 2, -3, -2, 0, 0)),
    "Ω": (1.0, (1, 2, -3, -2, 0, 0)),
    "F": (1.0, (-1, -2, 4, 2, 0, 0)),
    "H": (1.0, (1, 2, -2, -2, 0, 0)),
    "T": (1.0, (1, 0, -2, -1, 0, 0)),
    "Hz": (1.0, (0, 0, -1, 0, 0, 0)),
    "P": (0.1, (1, -1, -1, 0, 0, 0)),
    "D": (9.869233e-13, (0, 2, 0, 0, 0, 0)),
    "L": (1e-3, (0, 3, 0, 0, 0, 0)),
}
_PLAIN: dict[str, tuple[float, Exponents]] = {
    "micron": (1e-6, (0, 1, 0, 0, 0, 0)),
    "microns": (1e-6, (0, 1, 0, 0, 0, 0)),
    "angstrom": (1e-10, (0, 1, 0, 0, 0, 0)),
    "Å": (1e-10, (0, 1, 0, 0, 0, 0)),
    "inch": (0.0254, (0, 1, 0, 0, 0, 0)),
    "min": (60.0, (0, 0, 1, 0, 0, 0)),
    "h": (3600.0, (0, 0, 1, 0, 0, 0)),
    "psi": (6894.757293168361, (1, -1, -2, 0, 0, 0)),
    "degC": (1.0, (0, 0, 0, 0, 1, 0)),  # differences only: an expansion per degree Celsius is one per kelvin
    "°C": (1.0, (0, 0, 0, 0, 1, 0)),
    "%": (1e-2, (0, 0, 0, 0, 0, 0)),
    "ppm": (1e-6, (0, 0, 0, 0, 0, 0)),
    "rad": (1.0, (0, 0, 0, 0, 0, 0)),
    "deg": (math.pi / 180, (0, 0, 0, 0, 0, 0)),
    "°": (math.pi / 180, (0, 0, 0, 0, 0, 0)),
    "1": (1.0, (0, 0, 0, 0, 0, 0)),
}
_NUMBER = r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?"
_QUANTITY = re.compile(
    rf"(?P<open>\()?\s*(?P<value>{_NUMBER})\s*"
    rf"(?:(?:\+/-|\+-|±)\s*(?P<deviation>{_NUMBER})\s*(?P<percent>%)?\s*)?(?(open)\))\s*(?P<unit>.*)",
    re.DOTALL,
)
_TOKEN = re.compile(r"\s*(?:(\*\*|\^)|([*·⋅×])|(/)|(\()|(\))|([+-]?\d+)|([^\W\d_]+|%|°C?|Å))", re.UNICODE)
_SUPERSCRIPTS = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻", "0123456789-")
_MAX_TEXT = 120
_MAX_EXPONENT = 12


def parse_quantity(
    text: str | int | float, dimension: Dimension | Iterable[Dimension] = Dimension.DIMENSIONLESS
) -> float:
    """The SI value of `text` ("210GPa", "5.345 um", 2.5), which must have `dimension` (or one of several).

    A number without a unit is taken as SI. Fails when: there is no number, the unit is unknown or of another
    dimension, an uncertainty is given where none belongs, or the value is not finite (UnitError).
    """
    result = parse_uncertain(text, dimension)
    if result.deviation:
        raise UnitError(f"{text!r} has an uncertainty; here only one number is expected.")
    return result.value


def parse_uncertain(
    text: str | int | float, dimension: Dimension | Iterable[Dimension] | None = None
) -> Uncertain:
    """Value and standard deviation in SI of "2.5+-0.1", "2.5±0.1 W/(m K)" or "210GPa+-5%".

    `dimension`: one, several, or None for any that has a name here. "+-5%" is relative to the value.
    Fails when: as for `parse_quantity` (UnitError); the message names the unit, what was expected and the
    nearest known one.
    """
    wanted = tuple(Dimension) if dimension is None else _as_tuple(dimension)
    if isinstance(text, bool):
        raise UnitError(f"Expected {_expected(wanted)}, got {text!r}.")
    if isinstance(text, (int, float)):
        return Uncertain(_finite(float(text), str(text)))
    shown = text if len(text) <= 40 else text[:37] + "..."
    if len(text) > _MAX_TEXT:
        raise UnitError(f"{shown!r} is too long for a quantity; expected {_expected(wanted)}.")
    match = _QUANTITY.fullmatch(_unit_before_deviation(text.strip().translate(_SUPERSCRIPTS)))
    if match is None:
        raise UnitError(f"{shown!r} does not start with a number; expected {_expected(wanted)}.")
    value = _finite(float(match["value"]), shown)
    deviation = _finite(float(match["deviation"] or 0.0), shown)
    if deviation < 0:
        raise UnitError(f"{shown!r}: an uncertainty is a standard deviation and cannot be negative.")
    if match["percent"]:
        deviation *= abs(value) / 100
    unit = match["unit"].strip()
    if not unit:
        return Uncertain(value, deviation)
    factor, exponents = _parse_unit(unit, wanted)
    found = next((one for one in wanted if one.exponents == exponents), None)
    if found is None:
        named = next((one.words for one in Dimension if one.exponents == exponents), "something else")
        raise UnitError(f"{unit!r} in {shown!r} is the unit of {named}; expected {_expected(wanted)}.")
    return Uncertain(_finite(value * factor, shown), _finite(deviation * factor, shown), found)


def quantity(text: str | int | float) -> Uncertain:
    """A phase property from text with its unit: Elasticity.isotropic(E=quantity("210 GPa +- 5 GPa"), nu=0.3).

    Value and standard deviation in SI; the unit is kept and named in the results. Fails when: the text is not a
    number with a known unit (UnitError).
    """
    return parse_uncertain(text)


def format_quantity(value: float, unit: str = "", digits: int = 4) -> str:
    """`value` (SI) in engineering style: format_quantity(5.345e-6, "m") -> "5.345 µm".

    Only a unit whose first symbol has the power one can carry a prefix; the others keep the plain number.
    """
    if not unit:
        return f"{value:.{digits}g}"
    head = re.match(r"(Pa|ohm|Ω|Hz|mol|[mgsANJWCVSFHTK])(?![\w^²³])", unit)
    if head is None or value == 0 or not math.isfinite(value) or head[0] == "K":
        return f"{value:.{digits}g} {unit}"
    # Rounded first, so that 999.96 becomes 1 k and not 1000.
    exponent = math.floor(math.log10(abs(float(f"{value:.{digits - 1}e}"))))
    step = max(-5, min(4, exponent // 3))
    prefix = {-5: "f", -4: "p", -3: "n", -2: "µ", -1: "m", 0: "", 1: "k", 2: "M", 3: "G", 4: "T"}[step]
    return f"{value / 10.0 ** (3 * step):.{digits}g} {prefix}{unit}"


def _as_tuple(dimension: Dimension | Iterable[Dimension]) -> tuple[Dimension, ...]:
    return (dimension,) if isinstance(dimension, Dimension) else tuple(dimension)


def _expected(wanted: tuple[Dimension, ...]) -> str:
    if len(wanted) == len(Dimension):
        return "a number with or without a unit"
    parts = [one.words + (f" (in {one.unit} or a multiple)" if one.unit else "") for one in wanted]
    return " or ".join(parts)


def _finite(value: float, shown: str) -> float:
    if not math.isfinite(value):
        raise UnitError(f"{shown!r} is not a finite number.")
    return value


def _unit_before_deviation(text: str) -> str:
    """ "210GPa+-5%" -> "210+-5% GPa": people write the unit on either side of the uncertainty."""
    parts = re.match(
        rf"((?>{_NUMBER}))\s*((?:[^\W\d_]|[/%°])[^+±]*?)\s*((?:\+/-|\+-|±)\s*{_NUMBER}\s*%?)\s*(\S.*)?$", text
    )
    if parts is None or (parts[4] and parts[4] != parts[2]):
        return text
    return f"{parts[1]}{parts[3]} {parts[2]}"


def _lookup(name: str, wanted: tuple[Dimension, ...], unit: str) -> tuple[float, Exponents]:
    for table in (_PREFIXABLE, _PLAIN):
        if name in table:
            return table[name]
    if name[0] in _PREFIXES and name[1:] in _PREFIXABLE:
        factor, exponents = _PREFIXABLE[name[1:]]
        return _PREFIXES[name[0]] * factor, exponents
    raise UnitError(f"Unknown unit {name!r} in {unit!r}{_nearest(name)}; expected {_expected(wanted)}.")


def _nearest(name: str) -> str:
    known = [*_PLAIN, *_PREFIXABLE, *(p + u for p in "numkMG" for u in _PREFIXABLE)]
    same_letters = [one for one in known if one.lower() == name.lower()]
    close = same_letters or difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    return f" (nearest known: {' or '.join(repr(one) for one in close[:3])})" if close else ""


def _parse_unit(unit: str, wanted: tuple[Dimension, ...]) -> tuple[float, Exponents]:
    """Products, quotients, powers. A space binds tighter than a slash: who writes "W/m K" means W/(m K)."""
    tokens: list[tuple[str, str]] = []
    position = 0
    kinds = ("power", "times", "over", "open", "close", "integer", "name")
    text = re.sub(r"(?<=[^\W\d_])-(?=[^\W\d_])", " ", unit)  # "W/m-K"
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None:
            if not text[position:].strip():
                break
            raise UnitError(
                f"Cannot read the unit {unit!r} at {text[position:]!r}; expected {_expected(wanted)}."
            )
        index = next(i for i, group in enumerate(match.groups()) if group is not None)
        tokens.append((kinds[index], match.groups()[index]))
        position = match.end()
    tokens.append(("end", ""))
    cursor = 0

    def fail() -> UnitError:
        return UnitError(f"Cannot read the unit {unit!r}; expected {_expected(wanted)}.")

    def factor() -> tuple[float, Exponents]:
        nonlocal cursor
        kind, word = tokens[cursor]
        cursor += 1
        if kind == "open":
            base = quotient()
            if tokens[cursor][0] != "close":
                raise fail()
            cursor += 1
        elif kind == "name" or (kind, word) == ("integer", "1"):
            base = _lookup(word, wanted, unit)
        else:
            raise fail()
        explicit = tokens[cursor][0] == "power"
        cursor += explicit
        if tokens[cursor][0] == "integer" and (explicit or kind == "name"):
            exponent = int(tokens[cursor][1]) if len(tokens[cursor][1]) < 4 else _MAX_EXPONENT + 1
            cursor += 1
            if abs(exponent) > _MAX_EXPONENT:
                raise fail()
            return _power(base, exponent)
        if explicit:
            raise fail()
        return base

    def product() -> tuple[float, Exponents]:
        result = factor()
        while tokens[cursor][0] in ("name", "open"):
            result = _times(result, factor())
        return result

    def quotient() -> tuple[float, Exponents]:
        nonlocal cursor
        result = (1.0, Dimension.DIMENSIONLESS.exponents) if tokens[cursor][0] == "over" else product()
        while tokens[cursor][0] in ("times", "over"):
            sign = -1 if tokens[cursor][0] == "over" else 1
            cursor += 1
            result = _times(result, _power(product(), sign))
        return result

    try:
        result = quotient()
    except (OverflowError, ZeroDivisionError) as error:
        raise fail() from error
    if tokens[cursor][0] != "end" or not (math.isfinite(result[0]) and result[0] > 0):
        raise fail()
    return result


def _times(a: tuple[float, Exponents], b: tuple[float, Exponents]) -> tuple[float, Exponents]:
    e, f = a[1], b[1]
    return a[0] * b[0], (e[0] + f[0], e[1] + f[1], e[2] + f[2], e[3] + f[3], e[4] + f[4], e[5] + f[5])


def _power(a: tuple[float, Exponents], n: int) -> tuple[float, Exponents]:
    e = a[1]
    return a[0] ** n, (e[0] * n, e[1] * n, e[2] * n, e[3] * n, e[4] * n, e[5] * n)
