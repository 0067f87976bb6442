"""Scale separation: ratios, verdicts and the length over which a field varies."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest

from scalebridge.core.errors import InputError
from scalebridge.scales import ScaleReport, Separation, gradient_length, scale_report


def test_the_ratios_and_a_clear_verdict() -> None:
    report = scale_report(10e-6, 150e-6, 5e-3)
    assert report.epsilon == pytest.approx(0.002)
    assert report.cell_over_fine == pytest.approx(15)
    assert report.coarse_over_cell == pytest.approx(100 / 3)
    assert report.separation is Separation.CLEAR
    assert report.words.startswith("The scales are clearly separated")
    for number in ("10 µm", "150 µm", "5 mm", "15", "33.3", "0.002"):
        assert number in report.words
    assert "enlarge" not in report.words
    with pytest.raises(dataclasses.FrozenInstanceError):
        report.fine_length = 1.0  # type: ignore[misc]


@pytest.mark.parametrize(
    ("lengths", "cell", "coarse", "says"),
    [
        ((1.0, 5.0, 100.0), Separation.MARGINAL, Separation.CLEAR, "holds only 5 lengths"),
        ((1.0, 2.0, 100.0), Separation.ABSENT, Separation.CLEAR, "enlarge it towards 10 m"),
        ((1.0, 20.0, 80.0), Separation.CLEAR, Separation.MARGINAL, "over only 4 cells"),
        ((1.0, 20.0, 40.0), Separation.CLEAR, Separation.ABSENT, "gradients inside the cell matter"),
        ((1.0, 4.0, 8.0), Separation.MARGINAL, Separation.ABSENT, "No cell size helps"),
    ],
)
def test_the_weaker_side_decides_and_is_named(
    lengths: tuple[float, float, float], cell: Separation, coarse: Separation, says: str
) -> None:
    report = scale_report(*lengths)
    assert report.cell_separation is cell
    assert report.coarse_separation is coarse
    assert report.separation in (cell, coarse)
    assert report.separation is not Separation.CLEAR
    assert says in report.words


def test_the_limits_belong_to_the_better_side() -> None:
    assert [Separation.of(r) for r in (10.0, 9.99, 3.0, 2.99)] == [
        Separation.CLEAR,
        Separation.MARGINAL,
        Separation.MARGINAL,
        Separation.ABSENT,
    ]


def test_a_mesh_that_resolves_the_field_is_what_counts() -> None:
    coarse, fine = (scale_report(1.0, 10.0, 200.0, element_size=h) for h in (500.0, 50.0))
    assert coarse.coarse_length == 200.0
    assert fine.coarse_over_cell == 5.0
    assert fine.epsilon == coarse.epsilon == pytest.approx(0.005)


def test_impossible_lengths_are_named() -> None:
    with pytest.raises(InputError, match="cell size must be a positive length, got 0"):
        scale_report(1.0, 0.0, 1.0)
    with pytest.raises(InputError, match="element size"):
        scale_report(1.0, 1.0, 1.0, element_size=math.nan)
    assert isinstance(scale_report(1, 2, 3), ScaleReport)


def test_the_length_of_a_field_is_its_range_over_its_slope() -> None:
    x = np.linspace(0.0, 1.0, 101)
    assert gradient_length(3 * x, (0.01,)) == pytest.approx(1.0)
    wave = np.sin(2 * np.pi * x)
    assert gradient_length(wave, (0.01,)) == pytest.approx(1 / np.pi, rel=1e-3)
    plane = np.add.outer(3 * x, 4 * x)
    assert gradient_length(plane, (0.01, 0.01)) == pytest.approx(7 / 5)
    assert gradient_length(np.ones((3, 3)), (1.0, 1.0)) == math.inf
    with pytest.raises(InputError, match="one spacing per axis"):
        gradient_length(wave, (0.1, 0.1))
    with pytest.raises(InputError, match="not finite"):
        gradient_length(np.array([0.0, np.nan]), (1.0,))
