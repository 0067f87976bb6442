"""Exports start from all-distinct entries, so that no component can stand in for another."""

from __future__ import annotations

import csv
import dataclasses
import io
import re

import numpy as np
import pytest
from numpy.testing import assert_allclose

from example_results import conduction_result, elasticity_result, faces_result, thermoelasticity_result
from scalebridge.core.errors import InputError
from scalebridge.homogenize.exporters import (
    abaqus_conductivity,
    abaqus_elastic,
    abaqus_expansion,
    to_abaqus,
    to_abaqus_stiffness,
    to_csv,
    to_latex,
    to_vtk_components,
)
from scalebridge.numerics.mandel import from_mandel, to_mandel, to_mandel4

RNG = np.random.default_rng(7)
_C4 = RNG.normal(size=(3, 3, 3, 3))
_C4 = (_C4 + np.swapaxes(_C4, 0, 1)) / 2
_C4 = (_C4 + np.swapaxes(_C4, 2, 3)) / 2
C4 = (_C4 + np.moveaxis(_C4, (0, 1), (2, 3))) / 2
"""A stiffness with all 21 constants distinct, as a full fourth-order tensor."""
MANDEL = to_mandel4(C4)


def numbers_after(text: str, keyword: str) -> list[float]:
    """The data lines of one Abaqus card, as a reader of input files sees them."""
    lines = iter(text.splitlines())
    for line in lines:
        if line.upper().startswith(keyword):
            break
    found: list[float] = []
    for line in lines:
        if line.startswith("*"):
            break
        found += [float(entry) for entry in line.split(",")]
    return found


def test_abaqus_elastic_constants() -> None:
    """The 21 constants by their names in the manual, taken from the full tensor."""
    names = [1111, 1122, 2222, 1133, 2233, 3333, 1112, 2212, 3312, 1212, 1113, 2213, 3313, 1213, 1313]
    names += [1123, 2223, 3323, 1223, 1323, 2323]
    expected = [C4[tuple(int(c) - 1 for c in str(name))] for name in names]
    assert len(set(np.round(expected, 9))) == 21
    assert_allclose(abaqus_elastic(MANDEL), expected, rtol=1e-13)


def test_abaqus_matrix_maps_abaqus_vectors() -> None:
    strain = RNG.normal(size=(3, 3))
    strain = strain + strain.T
    pairs = ((0, 0), (1, 1), (2, 2), (0, 1), (0, 2), (1, 2))
    vector = np.array([strain[p] * (1 if p[0] == p[1] else 2) for p in pairs])
    stress = np.einsum("ijkl,kl->ij", C4, strain)
    assert_allclose(to_abaqus_stiffness(MANDEL) @ vector, [stress[p] for p in pairs], rtol=1e-12)


def test_abaqus_second_order() -> None:
    k = np.array([[1.0, 2.0, 3.0], [2.0, 4.0, 5.0], [3.0, 5.0, 6.0]])
    assert abaqus_conductivity(k) == (1.0, 2.0, 4.0, 3.0, 5.0, 6.0)
    assert_allclose(abaqus_expansion(to_mandel(k)), [1.0, 4.0, 6.0, 4.0, 6.0, 10.0], rtol=1e-14)


def test_abaqus_cards() -> None:
    base = thermoelasticity_result()
    alpha = to_mandel(np.array([[1.0, 2.0, 3.0], [2.0, 4.0, 5.0], [3.0, 5.0, 6.0]]) * 1e-6)
    result = dataclasses.replace(base, value=MANDEL, extra={"expansion": alpha})
    text = to_abaqus(result)
    assert_allclose(numbers_after(text, "*ELASTIC, TYPE=ANISOTROPIC"), abaqus_elastic(MANDEL), rtol=1e-9)
    assert_allclose(numbers_after(text, "*EXPANSION, TYPE=ANISO"), abaqus_expansion(alpha), rtol=1e-9)
    assert all(len(line.split(",")) <= 8 for line in text.splitlines())
    k = conduction_result((6, 5, 4))
    assert_allclose(
        numbers_after(to_abaqus(k), "*CONDUCTIVITY, TYPE=ANISO"), abaqus_conductivity(k.value), rtol=1e-9
    )
    for flat in (conduction_result((8, 6)), faces_result((6, 5, 4))):
        with pytest.raises(InputError, match="3-D tensor"):
            to_abaqus(flat)


def test_vtk_components() -> None:
    full = RNG.normal(size=(3, 3, 2, 4, 5))
    full = (full + np.swapaxes(full, 0, 1)) / 2
    field = np.moveaxis(to_mandel(np.moveaxis(full, (0, 1), (-2, -1))), -1, 0)
    expected = np.stack([full[p] for p in ((0, 0), (1, 1), (2, 2), (0, 1), (1, 2), (0, 2))])
    assert_allclose(to_vtk_components(field), expected, rtol=1e-13)
    plane = to_vtk_components(to_mandel(np.array([[1.0, 3.0], [3.0, 2.0]]))[:, None])
    assert_allclose(plane[:, 0], [1, 2, 0, 3, 0, 0], rtol=1e-14)


def test_csv_reads_back() -> None:
    result = dataclasses.replace(elasticity_result((6, 5, 4), fields=False), value=MANDEL)
    lines = list(csv.DictReader(io.StringIO(to_csv(result))))
    entries = {(r["row"], r["column"]): float(r["value"]) for r in lines if r["what"] == result.quantity}
    assert len(entries) == 36
    # Voigt entries are the components of the full tensor.
    axes = {"x": 0, "y": 1, "z": 2}
    for (row, column), value in entries.items():
        i, j, k, l = (axes[c] for c in row + column)
        assert value == pytest.approx(C4[i, j, k, l], rel=1e-12)
    assert {r["unit"] for r in lines if r["what"] == result.quantity} == {result.unit}
    whats = {r["what"] for r in lines}
    assert {"Voigt bound", "Reuss bound", "relative error, total", "fraction of phase 0"} <= whats
    boundary = next(r for r in lines if r["what"] == "relative error, statistical")
    assert boundary["value"] == ""


def test_csv_of_every_kind_is_finite() -> None:
    for result in (
        conduction_result((6, 5)),
        conduction_result((6, 5, 4)),
        faces_result((6, 5, 4)),
        thermoelasticity_result(),
    ):
        text = to_csv(result)
        assert not re.search(r"\b(nan|inf)\b", text, re.IGNORECASE)
        assert text.startswith("what,row,column,value,unit\n")
    thermo = list(csv.DictReader(io.StringIO(to_csv(thermoelasticity_result()))))
    expansion = {r["row"]: float(r["value"]) for r in thermo if r["what"] == "expansion"}
    full = from_mandel(np.asarray(thermoelasticity_result().extra["expansion"]))
    assert expansion["yz"] == pytest.approx(2 * full[1, 2])
    assert expansion["xx"] == pytest.approx(full[0, 0])


def test_latex() -> None:
    k = np.array([[1.25, 0.1, -1e-9], [0.1, 2.5, 0.3], [-1e-9, 0.3, 3.75]])
    text = to_latex(dataclasses.replace(conduction_result((6, 5, 4)), value=k))
    rows = re.findall(r"^  (.*?)(?: \\\\)?$", text, re.MULTILINE)
    assert [[float(entry) for entry in row.split("&")] for row in rows] == [
        [1.25, 0.1, 0],
        [0.1, 2.5, 0.3],
        [0, 0.3, 3.75],
    ]
    assert "-0.0" not in text
    assert text.count("\\begin") == text.count("\\end") == 2
    stiffness = to_latex(elasticity_result((6, 5, 4), fields=False))
    assert "\\times 10^{9}\\,\\mathrm{Pa}" in stiffness
    assert "engineering shear" in stiffness.splitlines()[0]
    scalar = to_latex(faces_result((6, 5, 4)))
    assert "pmatrix" not in scalar
    assert "along x" in scalar


def test_latex_keeps_the_digits_the_error_supports() -> None:
    result = dataclasses.replace(conduction_result((6, 5, 4)), value=np.diag([123.456789, 1.0, 1.0]))
    exact = dataclasses.replace(result.error, terms=())
    assert "123.4568" in to_latex(dataclasses.replace(result, error=exact))
    rough = dataclasses.replace(result.error, terms=(dataclasses.replace(result.error.terms[0], value=0.05),))
    assert "123 & 0 & 0" in to_latex(dataclasses.replace(result, error=rough))


def test_part_of_an_error_is_called_that() -> None:
    whole = elasticity_result()
    terms = tuple(
        dataclasses.replace(t, value=None) if t.name == "discretization" else t for t in whole.error.terms
    )
    part = dataclasses.replace(whole, error=dataclasses.replace(whole.error, terms=terms))
    for write in (to_latex, to_abaqus):
        assert re.search(r"relative error \S+ without the discretization error\n", write(part))
        assert "without" not in write(whole)
