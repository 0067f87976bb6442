"""Results in words: what print and a notebook show."""

from __future__ import annotations

import dataclasses
import math
import re
from html.parser import HTMLParser

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from example_results import (
    EVERY_KIND,
    conduction_result,
    elasticity_result,
    faces_result,
    thermoelasticity_result,
)
from scalebridge.homogenize import words
from scalebridge.homogenize.present import WIDTH, bar_lengths, budget_text, to_html, to_text
from scalebridge.homogenize.result import ErrorBudget, ErrorTerm
from scalebridge.numerics.mandel import isotropic_stiffness


class Balanced(HTMLParser):
    """Fails on a tag that is closed without being open, or left open."""

    VOID = frozenset({"meta", "link", "br", "img", "input", "hr"})

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.feed(text)
        self.close()
        assert not self.open, f"left open: {self.open}"

    def handle_starttag(self, tag: str, attrs: list) -> None:
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open, f"</{tag}> closes nothing"
        assert self.open.pop() == tag


@pytest.mark.parametrize("make", EVERY_KIND.values(), ids=EVERY_KIND.keys())
def test_every_kind_shows_itself(make) -> None:
    result = make()
    text = to_text(result)
    assert text.splitlines()[0] == words.headline(result)
    for term in result.error.terms:
        assert re.search(rf"^  {term.name}\s", text, re.MULTILINE)
    assert text.count("not assessed") == sum(t.value is None for t in result.error.terms)
    assert result.error.next_step in text
    assert not re.search(r"\bnan\b|\binf\b|None", text)
    page = to_html(result)
    Balanced(page)
    assert "nan" not in page


def test_the_headline_says_number_error_and_verdict() -> None:
    result = dataclasses.replace(conduction_result(fields=False), value=1.83 * np.eye(3))
    assert words.headline(result) == "k = 1.830 W/(m K) ± 2.1 %, accuracy asked 1 %: not met"
    anisotropic = dataclasses.replace(result, value=np.diag([1.0, 2.0, 3.0]))
    assert words.headline(anisotropic).startswith("k = 1.000 to 3.000 W/(m K) ±")
    named = dataclasses.replace(result, extra={"symbol": "D"}, unit="m^2/s", value=1.2e-9 * np.eye(3))
    assert words.value_in_words(named) == "D = 1.200 ×10⁻⁹ m²/s"
    stiff = dataclasses.replace(elasticity_result(fields=False), value=isotropic_stiffness(50e9, 30e9))
    assert words.value_in_words(stiff) == "K = 50.00 GPa, G = 30.00 GPa"
    assert words.headline(faces_result()).startswith("relative diffusivity along x = 0.82")
    assert "accuracy" not in words.headline(thermoelasticity_result())


def test_failed_assumptions_come_before_the_numbers() -> None:
    text = to_text(conduction_result(fields=False))
    assert text.index("✗ The image is periodic") < text.index("W/(m K)]")


def test_what_users_typed_is_escaped() -> None:
    page = to_html(thermoelasticity_result())
    assert "<script>" not in page
    assert "&lt;script&gt;" in page


@given(st.floats(1.0, 1e3), st.floats(1.0, 1e3))
def test_isotropic_parts_come_back(bulk: float, shear: float) -> None:
    for d in (2, 3):
        parts = words.isotropic_part(isotropic_stiffness(bulk, shear, d), d)
        assert_allclose([parts["K"], parts["G"]], [bulk, shear], rtol=1e-9)


@given(
    st.floats(1e-14, 1e14) | st.floats(-1e14, -1e-14),
    st.sampled_from(["Pa", "m", "W/(m K)", "m^2/s", "S/m", ""]),
)
def test_a_printed_quantity_can_be_read_back(value: float, unit: str) -> None:
    scale = words.scale_of(value, unit)
    shown = scale.show(value, 6).split(" ")[0].replace("−", "-")
    assert float(shown) / scale.factor == pytest.approx(value, rel=1e-5)
    prefixes = {"n": 1e9, "µ": 1e6, "m": 1e3, "k": 1e-3, "M": 1e-6, "G": 1e-9, "T": 1e-12}
    if unit == "Pa" and scale.unit != "Pa" and scale.unit[0] in prefixes:
        assert scale.factor == pytest.approx(prefixes[scale.unit[0]])


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (0.0213, "2.1 %"),
        (0.0, "0 %"),
        (3e-9, "< 0.001 %"),
        (None, "not assessed"),
        (math.inf, "unbounded"),
        (2.5, "250 %"),
    ],
)
def test_percentages(value: float | None, shown: str) -> None:
    assert words.percent(value) == shown


def test_bars_are_relative_to_the_largest_term() -> None:
    terms = (ErrorTerm("a", 0.02), ErrorTerm("b", 0.01), ErrorTerm("c", None), ErrorTerm("d", math.inf))
    assert bar_lengths(terms) == (1.0, 0.5, 0.0, 1.0)
    assert bar_lengths((ErrorTerm("a", 0.0), ErrorTerm("b", None))) == (0.0, 0.0)


def test_a_perfect_result_is_shown_too() -> None:
    budget = ErrorBudget(tuple(ErrorTerm(n, 0.0) for n in ("algebraic", "discretization")), 0.01)
    result = dataclasses.replace(conduction_result(fields=False), error=budget, value=np.zeros((3, 3)))
    assert words.headline(result) == "k = 0 W/(m K) ± 0 %, accuracy asked 1 %: met"
    Balanced(to_html(result))


def test_long_explanations_are_wrapped_and_kept() -> None:
    how = "Not assessed: " + " ".join(f"word{n}" for n in range(60))
    result = conduction_result()
    terms = tuple(dataclasses.replace(t, how=how, value=None) for t in result.error.terms)
    text = budget_text(dataclasses.replace(result, error=ErrorBudget(terms, None)))
    assert max(len(line) for line in text.splitlines()) <= WIDTH
    assert text.count("word59") == len(terms)
    assert text.lower().count("not assessed") == len(terms), "said once per term, by the amount"


def test_engineering_constants_are_broken_between_entries_only() -> None:
    constants = {
        f"{name}_{pair}": 1.5e9 for name in ("E", "G", "nu") for pair in ("xy", "yz", "xz", "yx", "zy")
    }
    result = dataclasses.replace(elasticity_result(), extra={"engineering": constants})
    text = to_text(result)
    lines = text[text.index("engineering:") : text.index("error budget")].strip().splitlines()
    assert len(lines) > 1
    assert max(len(line) for line in lines) <= WIDTH
    assert sum(line.count("G_xy = 1.500 GPa") for line in lines) == 1
    assert all(line.endswith((",", "e9")) for line in lines)


def test_thermoelasticity_prints_its_expansion() -> None:
    result = thermoelasticity_result()
    text = to_text(result)
    shown = " ".join(text.split())
    # Mandel 1e-7 of the yz component is engineering shear sqrt(2) 1e-7.
    numbers = "xx 41.000, yy 43.000, zz 46.000, yz 0.141, xz 0.283, xy 0.424 ×10⁻⁶ 1/K"
    assert (
        f"thermal expansion (engineering shear): {numbers} stress per kelvin at fixed strain: xx −" in shown
    )
    assert max(len(line) for line in text.splitlines() if "expansion" in line or "kelvin" in line) <= WIDTH
    flat = to_text(elasticity_result(fields=False))
    assert "thermal expansion" not in flat


def test_text_fits_a_terminal_of_a_hundred_columns() -> None:
    assert WIDTH <= 100
    result = conduction_result()
    terms = tuple(dataclasses.replace(t, remedy="do this and that " * 12) for t in result.error.terms)
    text = budget_text(dataclasses.replace(result, error=ErrorBudget(terms, None)))
    assert "next: do this" in text
    assert max(len(line) for line in text.splitlines()) <= 100
    assert text.split().count("do") == 12
