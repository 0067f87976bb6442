"""Thermoelastic studies: the expansion of samples beside their stiffness."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cli_support import own_folder, run
from scalebridge import Thermoelasticity
from scalebridge.cell.boundary import KinematicUniform, Periodic
from scalebridge.grid import PhaseImage, VoxelGrid
from scalebridge.homogenize.exact_relations import two_phase_expansion
from scalebridge.homogenize.representative import ImageWindows
from scalebridge.homogenize.representative.apparent import CellTask, Material, solve_task
from scalebridge.material.plane import PlaneState, plane_expansion, plane_tensor
from scalebridge.numerics.mandel import stiffness_from_voigt, strain_to_voigt

_folder = pytest.fixture(own_folder, autouse=True)

SOLIDS = ["checkerboard", "--tile", "2", "--random", "--dimensions", "2", "--workers", "1"]
SOLIDS += ["--physics", "thermoelasticity", "--plane", "stress"]


def _record(capsys: pytest.CaptureFixture[str], *words: str) -> dict[str, Any]:
    code, out, err = run(capsys, "rve", *words, "--json")
    assert code == 0, err
    found: dict[str, Any] = json.loads(out)
    return found


def test_the_expansion_of_two_phases_follows_from_the_stiffness(capsys: pytest.CaptureFixture[str]) -> None:
    laws = ["--phase", "0:E=1 GPa,nu=0.3,alpha=1e-5 1/K", "--phase", "1:E=5 GPa,nu=0.2,alpha=2e-6 1/K"]
    words = [*SOLIDS, *laws, "--sizes", "8,16", "--realizations", "4", "--bc", "periodic,kubc", "-o", "out"]
    record = _record(capsys, *words)
    assert record["physics"] == "thermoelasticity"
    assert record["units"] == {"bulk modulus": "Pa", "shear modulus": "Pa", "thermal expansion": "1/K"}
    assert record["law"]["thermal expansion"]["periodic"]["alpha"] > 0
    assert record["requirements"]["scalars"]["thermal expansion"]
    phases = [
        Thermoelasticity.isotropic(E=E, nu=nu, alpha=a) for E, nu, a in ((1e9, 0.3, 1e-5), (5e9, 0.2, 2e-6))
    ]
    parts = [
        (
            plane_tensor(law.tensor, PlaneState.STRESS),
            plane_expansion(law.tensor, law.expansion, PlaneState.STRESS),
        )
        for law in phases
    ]
    with open("out/samples.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 16
    pairs = [(a, b) for n, a in enumerate(("xx", "yy", "xy")) for b in ("xx", "yy", "xy")[n:]]
    for row in rows:
        voigt = np.zeros((3, 3))
        for a, b in pairs:
            i, k = ("xx", "yy", "xy").index(a), ("xx", "yy", "xy").index(b)
            voigt[i, k] = voigt[k, i] = float(row[f"C_{a}_{b}"])
        exact = strain_to_voigt(two_phase_expansion(*parts, stiffness_from_voigt(voigt)))
        found = [float(row[f"alpha_{name}"]) for name in ("xx", "yy", "xy")]
        np.testing.assert_allclose(found, exact, rtol=1e-6, atol=1e-11)
        assert float(row["thermal expansion"]) == pytest.approx((exact[0] + exact[1]) / 2)
    largest = record["statistics"][-2]
    assert (largest["size"], largest["condition"]) == (16, "periodic")
    here = [float(row["thermal expansion"]) for row in rows if row["condition"] == "periodic"][4:]
    scalar = largest["scalars"]["thermal expansion"]
    assert scalar["mean"] == pytest.approx(np.mean(here))
    assert scalar["deviation"] == pytest.approx(np.std(here, ddof=1))
    assert scalar["interval"][0] < scalar["mean"] < scalar["interval"][1]
    assert np.mean(largest["expansion"]["mean"][:2]) == pytest.approx(np.mean(here))
    page = Path("out/report.html").read_text()
    assert "Thermal expansion" in page
    assert "×10⁻⁶ 1/K" in page
    again = _record(capsys, *words)
    assert (again["store"]["solved"], again["statistics"]) == (0, record["statistics"])
    out = run(capsys, "rve", *words)[1]
    assert "thermal expansion [×10⁻⁶ 1/K]: mean ± 95 % interval" in out


def test_phases_that_expand_alike_or_carry_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    words = [*SOLIDS, "--sizes", "8", "--realizations", "2", "--phase", "0:E=1,nu=0.3,alpha=1e-6"]
    alike = _record(capsys, *words, "--phase", "1:E=5,nu=0.2,alpha=1e-6")
    assert alike["unit"] == ""
    assert any("expand alike" in warning for warning in alike["warnings"])
    assert "thermal expansion" not in alike["statistics"][0]["scalars"]
    np.testing.assert_allclose(alike["statistics"][0]["expansion"]["mean"], [1e-6, 1e-6, 0], atol=1e-12)
    void = _record(capsys, *words, "--phase", "1:E=0,nu=0", "--bc", "periodic,subc", "--fraction", "0.3")
    assert any("not defined" in warning for warning in void["warnings"])
    assert [row["expansion"] is None for row in void["statistics"]] == [False, True]


def test_the_expansion_of_three_phases_is_as_good_as_their_stiffness() -> None:
    labels = np.random.default_rng(3).integers(0, 3, (16, 16)).astype(np.uint8)
    laws = {
        n: Thermoelasticity.isotropic(E=E, nu=nu, alpha=alpha)
        for n, (E, nu, alpha) in enumerate(((1.0, 0.3, 1e-5), (5.0, 0.2, 2e-6), (2.0, 0.4, 3e-5)))
    }
    maker = ImageWindows(PhaseImage(labels, VoxelGrid((16, 16)))).makers(16, 1)[0]
    conditions = (Periodic(), KinematicUniform())
    rough, fine = (
        solve_task(CellTask(maker, Material(laws, None, PlaneState.STRAIN), conditions, energy))
        for energy in (2e-3, 1e-12)
    )
    for a, b in zip(rough, fine, strict=True):
        stiffness = np.linalg.norm(a.value - b.value) / np.linalg.norm(b.value)
        expansion = np.linalg.norm(a.expansion - b.expansion) / np.linalg.norm(b.expansion)
        assert max(stiffness, expansion) < 2e-3
