"""Quantities with units: what people write is understood, what they mistype is named."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scalebridge.core.errors import UnitError
from scalebridge.core.units import Dimension, format_quantity, parse_quantity, parse_uncertain

UNDERSTOOD = [
    ("5.345 um", Dimension.LENGTH, 5.345e-6),
    ("5.345µm", Dimension.LENGTH, 5.345e-6),
    ("5.345μm", Dimension.LENGTH, 5.345e-6),
    ("2 Å", Dimension.LENGTH, 2e-10),
    ("3e-6", Dimension.LENGTH, 3e-6),
    ("210GPa", Dimension.PRESSURE, 210e9),
    ("2 N/mm^2", Dimension.PRESSURE, 2e6),
    ("2 kN mm-2", Dimension.PRESSURE, 2e9),
    ("1 bar", Dimension.PRESSURE, 1e5),
    ("0.5 W/(m K)", Dimension.CONDUCTIVITY, 0.5),
    ("0.5 W/m/K", Dimension.CONDUCTIVITY, 0.5),
    ("0.5 W/m K", Dimension.CONDUCTIVITY, 0.5),
    ("0.5 W/m-K", Dimension.CONDUCTIVITY, 0.5),
    ("0.5W m^-1 K^-1", Dimension.CONDUCTIVITY, 0.5),
    ("0.5 W·m⁻¹·K⁻¹", Dimension.CONDUCTIVITY, 0.5),
    ("3 mS/cm", Dimension.ELECTRICAL_CONDUCTIVITY, 0.3),
    ("2 1/(ohm m)", Dimension.ELECTRICAL_CONDUCTIVITY, 2.0),
    ("1e-5 cm²/s", Dimension.DIFFUSIVITY, 1e-9),
    ("8.85 pF/m", Dimension.PERMITTIVITY, 8.85e-12),
    ("1.26 uH/m", Dimension.PERMEABILITY, 1.26e-6),
    ("12e-6/K", Dimension.EXPANSION, 12e-6),
    ("12e-6 1/K", Dimension.EXPANSION, 12e-6),
    ("12 ppm/°C", Dimension.EXPANSION, 12e-6),
    ("12 um/m/K", Dimension.EXPANSION, 12e-6),
    ("1 mPa s", Dimension.VISCOSITY, 1e-3),
    ("1 cP", Dimension.VISCOSITY, 1e-3),
    ("12 %", Dimension.DIMENSIONLESS, 0.12),
    ("100 mD", Dimension.AREA, 9.869233e-14),
    (".5", Dimension.DIMENSIONLESS, 0.5),
    (2, Dimension.PRESSURE, 2.0),
]


@pytest.mark.parametrize(("text", "dimension", "value"), UNDERSTOOD, ids=lambda v: str(v))
def test_si_value(text: str | float, dimension: Dimension, value: float) -> None:
    assert parse_quantity(text, dimension) == pytest.approx(value, rel=1e-12)


@pytest.mark.parametrize(
    ("text", "value", "deviation", "dimension"),
    [
        ("2.5+-0.1", 2.5, 0.1, None),
        ("2.5 +/- 0.1", 2.5, 0.1, None),
        ("2.5±0.1 W/(m K)", 2.5, 0.1, Dimension.CONDUCTIVITY),
        ("(2.5 ± 0.1) mW/(m K)", 2.5e-3, 1e-4, Dimension.CONDUCTIVITY),
        ("210GPa+-5%", 210e9, 10.5e9, Dimension.PRESSURE),
        ("210 GPa +- 10 GPa", 210e9, 10e9, Dimension.PRESSURE),
        ("200+-2% GPa", 200e9, 4e9, Dimension.PRESSURE),
        ("-1e-6+-1e-7/K", -1e-6, 1e-7, Dimension.EXPANSION),
        ("1e3", 1e3, 0.0, None),
        ("2e5+-1", 2e5, 1.0, None),
    ],
)
def test_uncertain(text: str, value: float, deviation: float, dimension: Dimension | None) -> None:
    result = parse_uncertain(text)
    assert (result.value, result.deviation) == pytest.approx((value, deviation), rel=1e-12)
    assert result.dimension is dimension


@pytest.mark.parametrize(
    ("text", "dimension", "says"),
    [
        ("5 GPA", Dimension.PRESSURE, "GPa"),
        ("5 mn", Dimension.LENGTH, "nearest"),
        ("5 kg", Dimension.LENGTH, "expected a length"),
        ("5 um", Dimension.PRESSURE, "a length"),
        ("um", Dimension.LENGTH, "number"),
        ("", Dimension.LENGTH, "number"),
        ("nan", Dimension.LENGTH, "number"),
        ("1e999 m", Dimension.LENGTH, "finite"),
        (math.inf, Dimension.LENGTH, "finite"),
        ("5 m^", Dimension.LENGTH, "Cannot read"),
        ("5 m^99", Dimension.LENGTH, "Cannot read"),
        ("5 (m", Dimension.LENGTH, "Cannot read"),
        ("5 m)", Dimension.LENGTH, "Cannot read"),
        ("5 m $", Dimension.LENGTH, "Cannot read"),
        ("5 " + "m" * 500, Dimension.LENGTH, "too long"),
        ("5+-1 um", Dimension.LENGTH, "uncertainty"),
        ("5+--1 um", Dimension.LENGTH, "cannot be negative"),
        (True, Dimension.LENGTH, "length"),
    ],
)
def test_mistakes_are_named(text: str | float, dimension: Dimension, says: str) -> None:
    with pytest.raises(UnitError, match=says):
        parse_quantity(text, dimension)


def test_one_of_several_dimensions() -> None:
    kinds = (Dimension.CONDUCTIVITY, Dimension.ELECTRICAL_CONDUCTIVITY)
    assert parse_uncertain("2 S/m", kinds).dimension is Dimension.ELECTRICAL_CONDUCTIVITY
    with pytest.raises(UnitError, match=r"thermal.* or an electrical"):
        parse_uncertain("2 GPa", kinds)


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (5.345e-6, "m", "5.345 µm"),
        (2.1e11, "Pa", "210 GPa"),
        (-999.96, "Pa", "-1 kPa"),
        (0.0, "m", "0 m"),
        (85.2493, "W/(m K)", "85.25 W/(m K)"),
        (0.0257, "W/(m K)", "25.7 mW/(m K)"),
        (1.2e-5, "1/K", "1.2e-05 1/K"),
        (2e-9, "m^2/s", "2e-09 m^2/s"),
        (0.25, "", "0.25"),
    ],
)
def test_engineering_format(value: float, unit: str, text: str) -> None:
    assert format_quantity(value, unit) == text


@given(
    st.floats(1e-14, 1e14),
    st.sampled_from(["m", "Pa", "W/(m K)", "S/m", "F/m", "H/m", "Pa s", "1/K", "m^2/s"]),
)
def test_what_is_printed_can_be_read(value: float, unit: str) -> None:
    assert parse_uncertain(format_quantity(value, unit, digits=12)).value == pytest.approx(value, rel=1e-10)


@given(st.text(max_size=60) | st.text(alphabet="0123456789.eE+-±()%/*^ mKGPaWsu²µ", max_size=60))
def test_any_text_is_a_quantity_or_a_unit_error(text: str) -> None:
    try:
        result = parse_uncertain(text)
    except UnitError:
        return
    assert math.isfinite(result.value)
    assert math.isfinite(result.deviation)
