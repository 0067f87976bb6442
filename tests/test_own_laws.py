"""Laws that users write: the example runs, and every mistake is answered with what came out and what to try."""

from __future__ import annotations

import csv
import json
import re
import runpy
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest
from numpy.testing import assert_allclose

from law_examples import ALL, BULK, SHEAR
from scalebridge.cell.nonlinear.loading import leg_of
from scalebridge.core.errors import LawError
from scalebridge.core.status import Status
from scalebridge.grid import PhaseImage, VoxelGrid
from scalebridge.homogenize.path import Moments, PathResult, follow_path
from scalebridge.homogenize.path.checkpoint import MemoryStore
from scalebridge.homogenize.path.present import to_text
from scalebridge.homogenize.path.sound_laws import require_sound
from scalebridge.material import FINITE_STRAIN, GRADIENT, SMALL_STRAIN
from scalebridge.material.laws import EnergyLaw, LinearLaw, UpdateLaw
from scalebridge.material.laws.plane import PlaneStrain
from scalebridge.report.path import write_path_report, write_path_results

ROOT = Path(__file__).resolve().parent.parent
EXAMPLE, PAGE = ROOT / "examples" / "own_law.py", ROOT / "docs" / "laws.md"


def test_the_example_runs(capsys: pytest.CaptureFixture) -> None:
    runpy.run_path(str(EXAMPLE), run_name="example")
    told = capsys.readouterr().out.splitlines()
    assert len(told) == 5
    assert_allclose([float(told[0].split()[2]), float(told[0].split()[4])], [2.1e7, 2.3e9], rtol=1e-12)
    page = PAGE.read_text("utf-8")
    source = EXAMPLE.read_text("utf-8")
    shown = source[source.index("import jax.numpy") : source.index("np.testing")].strip()
    assert f"```python\n{shown}\n```" in page, "the page shows another example"
    (output,) = re.findall(r"```text\n(.*?)\n```", page, re.DOTALL)
    for ours, theirs in zip(told, output.splitlines(), strict=True):
        words, others = ours.split(), theirs.split()
        assert_allclose(float(words[-1]), float(others[-1]), rtol=1e-12)
        assert words[:-1] == others[:-1] or "tangent" in words


def test_an_energy_of_ones_own_is_the_law_that_ships() -> None:
    drives = np.eye(3).reshape(-1) + 0.1 * np.random.default_rng(0).standard_normal((9, 9))
    ours, own = (ALL[name].respond((), drives) for name in ("neo-Hooke", "own hyperelastic energy"))
    assert_allclose(own.flux, ours.flux, atol=1e-13)
    assert_allclose(own.tangent, ours.tangent, atol=1e-12)


def flow(state: Any, gradient: Any, dt: Any, parameters: Any) -> Any:
    return parameters["k"] * gradient, state


def test_an_update_without_energies_says_so() -> None:
    law = UpdateLaw(flow, {"k": 2}, GRADIENT)
    response = law.respond((), np.ones((2, 3)))
    assert_allclose(response.flux, 2.0)
    assert response.stored is None
    assert response.dissipated is None
    assert not law.symmetric_tangent
    assert law.record()["function"].endswith("test_own_laws:flow")
    assert (
        ALL["own update"].respond(ALL["own update"].initial_state(1), np.ones((1, 6)), 1.0).stored is not None
    )


def norm(strain: Any, parameters: Any) -> Any:
    return jnp.sqrt(jnp.sum(strain**2))


def vector(strain: Any, parameters: Any) -> Any:
    return parameters["G"] * strain


def branching(strain: Any, parameters: Any) -> Any:
    return strain[0] if strain[0] > 0 else 0.0


def forgetful(strain: Any, parameters: Any) -> Any:
    return parameters["E"] * jnp.sum(strain**2)


def one_point_only(strain: Any, parameters: Any) -> Any:
    return jnp.sum(strain**2) + jnp.log(1 - strain[0])


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (norm, "norm is not finite at 1 of 1 points; the first is point 0 with the strain"),
        (vector, r"vector returned an array of shape \(6,\).*expected one number"),
        (branching, "branching cannot be evaluated: TracerBoolConversionError.*jnp.where"),
        (forgetful, "forgetful cannot be evaluated: KeyError: 'E'"),
    ],
)
def test_an_energy_that_cannot_be_used_is_refused_when_it_is_made(function: Any, message: str) -> None:
    with pytest.raises(LawError, match=message):
        EnergyLaw(function, {"G": 1.0}, SMALL_STRAIN)


def test_an_energy_that_is_nan_somewhere_names_the_point() -> None:
    law = EnergyLaw(one_point_only, {}, SMALL_STRAIN)
    drives = np.zeros((4, 6))
    drives[2, 0] = 1.5
    with pytest.raises(
        LawError, match=r"stress of one_point_only is not finite at 1 of 4.*point 2.*\[1.5, 0.0"
    ):
        law.respond((), drives)


def short(state: Any, drive: Any, dt: Any, parameters: Any) -> Any:
    return drive[:3], state


def growing(state: Any, drive: Any, dt: Any, parameters: Any) -> Any:
    return drive, jnp.append(state, 1.0)


def changing(state: Any, drive: Any, dt: Any, parameters: Any) -> Any:
    return drive, {"state": state}


def silent(state: Any, drive: Any, dt: Any, parameters: Any) -> Any:
    return drive


def poisoned(state: Any, drive: Any, dt: Any, parameters: Any) -> Any:
    return drive, state / drive[0]


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (short, r"flux of shape \(3,\) for a drive of shape \(9,\)"),
        (growing, r"had the shape \(2,\) and came back with the shape \(3,\)"),
        (changing, "returned one of the form.*expected the same form"),
        (silent, r"silent returned a .*expected \(flux, state\)"),
    ],
)
def test_an_update_that_cannot_be_used_is_refused_when_it_is_made(function: Any, message: str) -> None:
    with pytest.raises(LawError, match=message):
        UpdateLaw(function, {}, FINITE_STRAIN, np.zeros(2))


def test_a_state_that_is_nan_is_refused_when_it_appears() -> None:
    law = UpdateLaw(poisoned, {}, FINITE_STRAIN, np.zeros(2))
    drives = np.tile(np.eye(3).reshape(-1), (2, 1))
    drives[1, 0] = 0.0
    with pytest.raises(LawError, match=r"new state \(part 0\) of poisoned is not finite.*point 1"):
        law.respond(law.initial_state(2), drives)


def test_other_parameters_are_another_law() -> None:
    drives = np.ones((3, 6)) / 10
    values = {"K": 2 * BULK, "G": 2 * SHEAR, "B": 10.0}
    own = ALL["own energy"]
    assert isinstance(own, EnergyLaw)
    double = EnergyLaw(own.function, values, SMALL_STRAIN)
    assert_allclose(double.respond((), drives).flux, 2 * own.respond((), drives).flux, rtol=1e-13)


def silent_spring(state: Any, strain: Any, dt: Any, parameters: Any) -> Any:
    return parameters["stiffness"] * strain, state


def skew(state: Any, strain: Any, dt: Any, parameters: Any) -> Any:
    return 1e9 * (strain + 0.1 * jnp.roll(strain, 1)), state


def square(strain: Any, parameters: Any) -> Any:
    return parameters["G"] * jnp.sum(strain**2)


IMAGE = PhaseImage(np.arange(8, dtype=np.uint8).reshape(2, 2, 2) % 2, VoxelGrid((2, 2, 2), (1.0,) * 3))
SPRING = UpdateLaw(silent_spring, {"stiffness": 1e9}, SMALL_STRAIN, symmetric=True)
STRETCH = leg_of(SMALL_STRAIN, 3, {"xx": 0.01}, rest_free=True, increments=2)


@pytest.fixture(scope="module")
def without_energies() -> tuple[PathResult, MemoryStore]:
    """One of two phases does not say its energies."""
    store = MemoryStore()
    laws = {0: SPRING, 1: EnergyLaw(square, {"G": 2e9}, SMALL_STRAIN)}
    return follow_path(IMAGE, laws, [STRETCH], accuracy=0.5, store=store, fields_at=Moments.LAST), store


def test_energies_that_nobody_says_are_not_assessed(
    without_energies: tuple[PathResult, MemoryStore], tmp_path: Path
) -> None:
    result, _ = without_energies
    for row in result.increments:
        assert (row.stored, row.dissipated, row.unbalanced, row.increment_size) == (None,) * 4
        assert row.work > 0
    assert not result.says_energies
    assert result.status is Status.ACCURACY_NOT_MET
    assert any("label 0 does not say what it stores" in words for words in result.warnings)
    text = to_text(result)
    assert "stored and dissipated energy: not assessed" in text
    assert re.search(r"increment size +– +not assessed", text)
    kept = {path.name: path for path in write_path_results(result, tmp_path)}
    last = list(csv.DictReader(kept["path.csv"].read_text().splitlines()))[-1]
    assert (last["stored"], last["dissipated"], last["increment_size"]) == ("", "", "")
    assert float(last["work"]) == result.increments[-1].work
    record = json.loads(kept["result.json"].read_text())
    assert record["increments"][0]["stored"] is None
    assert record["error"]["terms"][1]["value"] is None
    page = write_path_report(result, tmp_path / "report.html").read_text()
    assert "energies not assessed" in page
    assert "Work since the start" in page


def test_what_is_not_assessed_is_kept_as_such(without_energies: tuple[PathResult, MemoryStore]) -> None:
    result, store = without_energies
    laws = {0: SPRING, 1: EnergyLaw(square, {"G": 2e9}, SMALL_STRAIN)}
    again = follow_path(IMAGE, laws, [STRETCH], store=store)
    assert [row.stored for row in again.increments] == [None, None]
    assert [row.work for row in again.increments] == [row.work for row in result.increments]


UNSOUND = {
    "negative energy": (
        EnergyLaw(square, {"G": -1e9}, SMALL_STRAIN),
        "label 0 .square. is not positive.* -2e.09",
    ),
    "negative update": (UpdateLaw(silent_spring, {"stiffness": -1e9}, SMALL_STRAIN), "is not positive"),
    "negative tensor": (LinearLaw(np.diag([1.0, 1, 1, 1, 1, -1])), "LinearLaw. is not positive"),
    "plane": (PlaneStrain(LinearLaw(np.diag([1.0, 1, -1, 1, 1, 1]))), "LinearLaw. is not positive"),
    "not symmetric": (
        UpdateLaw(skew, {}, SMALL_STRAIN, symmetric=True),
        "says that its tangent is symmetric",
    ),
    "no stiffness": (UpdateLaw(silent_spring, {"stiffness": 0.0}, SMALL_STRAIN), "any stiffness at rest"),
}


@pytest.mark.parametrize("name", UNSOUND)
def test_a_path_does_not_start_from_an_unsound_law(name: str) -> None:
    law, message = UNSOUND[name]
    with pytest.raises(LawError, match=message):
        require_sound({0: law, 1: SPRING if "stiffness" not in name else None}, 1.0)


def test_a_path_asks_its_laws_first() -> None:
    with pytest.raises(LawError, match=r"label 1 .square. is not positive"):
        follow_path(IMAGE, {0: SPRING, 1: EnergyLaw(square, {"G": -1e9}, SMALL_STRAIN)}, [STRETCH])


def test_sound_laws_may_be_skew_or_lifeless() -> None:
    require_sound({0: UpdateLaw(skew, {}, SMALL_STRAIN), 1: None}, 1.0)
    lifeless = UpdateLaw(silent_spring, {"stiffness": 0.0}, SMALL_STRAIN)
    require_sound({0: lifeless, 1: SPRING}, 1.0)
    require_sound({0: lifeless, 1: ALL["neo-Hooke"]}, 1.0)
