"""`scalebridge homogenize`: what it prints, what it writes, with which exit code it ends."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cli_support import TWO_PHASES, FakeSolver, fake_solver, run, small_image
from example_results import conduction_result
from scalebridge.core.status import Status

image = pytest.fixture(small_image)
solver = pytest.fixture(fake_solver)


def test_json_is_one_object_and_nothing_else(
    image: str, solver: FakeSolver, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, err = run(capsys, "homogenize", image, *TWO_PHASES, "--json")
    assert code == 0
    record = json.loads(out)
    assert {"schema", "physics", "value", "error", "bounds", "checks", "phases", "solver", "status"} <= set(
        record
    )
    assert err == ""
    assert record["provenance"]["inputs"]["image"]["name"] == "image.npy"


@pytest.mark.parametrize(
    ("status", "expected"), [(Status.CONVERGED, 0), (Status.ACCURACY_NOT_MET, 3), (Status.MAX_STEPS, 1)]
)
def test_the_exit_code_tells_the_status(
    image: str, solver: FakeSolver, capsys: pytest.CaptureFixture[str], status: Status, expected: int
) -> None:
    import dataclasses

    solver.answer = lambda **_: dataclasses.replace(conduction_result((8, 7, 6)), status=status)
    assert run(capsys, "homogenize", image, *TWO_PHASES, "--accuracy", "0.001")[0] == expected


def test_who_asked_for_no_accuracy_missed_none(
    image: str, solver: FakeSolver, capsys: pytest.CaptureFixture[str]
) -> None:
    solver.answer = lambda **_: conduction_result((8, 7, 6), accuracy=0.01)
    code, out, _ = run(capsys, "homogenize", image, *TWO_PHASES, "--json")
    assert (code, json.loads(out)["status"]) == (0, "converged")
    assert solver.asked["accuracy"] == 0.01
    code, out, _ = run(capsys, "homogenize", image, *TWO_PHASES, "--json", "--accuracy", "0.01")
    assert (code, json.loads(out)["status"]) == (3, "accuracy_not_met")


def test_options_reach_the_solver(image: str, solver: FakeSolver, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--bc", "faces", "--axis", "y", "--platens", "smooth", "--residual", "1e-7", "--fields"]
    words += ["--conditions", "kubc, subc", "--spacing", "1um,1um,2um", "--quiet"]
    code, out, _ = run(
        capsys, "homogenize", image, "--physics", "elasticity",
        "--phase", "0:E=1 GPa,nu=0.3", "--phase", "1:K=5GPa,G=2GPa+-0.1", *words,
    )  # fmt: skip
    assert code == 0
    assert "Phase" not in out.splitlines()[0]
    asked = solver.asked
    assert (asked["boundary"].axis, asked["boundary"].platens.value) == (1, "smooth")
    assert [condition.name for condition in asked["conditions"]] == ["kubc", "subc"]
    assert (asked["residual"], asked["accuracy"], asked["fields"]) == (1e-7, None, True)
    assert asked["image"].grid.spacing == pytest.approx((1e-6, 1e-6, 2e-6))
    assert asked["laws"][1].parameters["K"].value == pytest.approx(5e9)


def test_a_folder_holds_what_repeats_the_run(
    image: str, solver: FakeSolver, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, err = run(
        capsys, "homogenize", image, *TWO_PHASES, "--crop", "1:8,:,:", "--output", "out", "--json"
    )
    assert code == 0, err
    first = json.loads(out)
    names = sorted(p.name for p in Path("out").iterdir())
    assert {"provenance.json", "report.html", "result.csv", "result.json", "study.toml"} <= set(names)
    assert ".checkpoint" not in names
    assert "fields.vti" not in names, "nobody asked for the fields"
    assert json.loads(Path("out/result.json").read_text())["value"] == first["value"]
    provenance = json.loads(Path("out/provenance.json").read_text())
    assert len(provenance["inputs"]["image"]["sha256"]) == 64
    assert "numpy" in provenance["versions"]
    code, out, _ = run(capsys, "run", "out/study.toml", "--json")
    assert code == 0
    again = json.loads(out)
    assert again["provenance"]["inputs"] == first["provenance"]["inputs"]
    assert solver.asked["image"].grid.shape == (7, 7, 6)


def test_nothing_is_overwritten_without_force(
    image: str, solver: FakeSolver, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["homogenize", image, *TWO_PHASES, "--output", "out", "--quiet"]
    assert run(capsys, *words)[0] == 0
    before = Path("out/result.json").stat().st_mtime_ns
    solver.asked = {}
    code, _, err = run(capsys, *words)
    assert code == 2
    assert "--force" in err
    assert Path("out/result.json").stat().st_mtime_ns == before
    assert not solver.asked
    assert run(capsys, *words, "--force")[0] == 0
    assert Path("out/result.json").stat().st_mtime_ns > before


def test_an_interrupted_run_resumes(
    image: str, solver: FakeSolver, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(**options: Any) -> Any:
        options["store"].put("load x", {"u": np.arange(4.0)})
        raise KeyboardInterrupt

    words = ["homogenize", image, *TWO_PHASES, "--output", "out"]
    solver.answer = interrupted
    code, _, err = run(capsys, *words)
    assert code == 130
    assert "run again with the same --output to resume" in err
    found = []

    def resumed(**options: Any) -> Any:
        found.append(options["store"].get("load x"))
        return conduction_result((8, 7, 6), accuracy=None)

    solver.answer = resumed
    code, _, err = run(capsys, *words)
    assert code == 0
    assert "Resuming" in err
    np.testing.assert_array_equal(found[0]["u"], np.arange(4.0))
    assert not Path("out/.checkpoint").exists()


def test_a_fault_of_ours_is_exit_code_1_without_a_traceback(
    image: str, solver: FakeSolver, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(**_: Any) -> Any:
        raise ZeroDivisionError("division by zero")

    solver.answer = broken
    code, _, err = run(capsys, "homogenize", image, *TWO_PHASES)
    assert code == 1
    assert "fault of scalebridge" in err
    assert "Traceback" not in err


def test_running_out_of_memory_is_bad_input(
    image: str, solver: FakeSolver, capsys: pytest.CaptureFixture[str]
) -> None:
    def hungry(**_: Any) -> Any:
        raise RuntimeError("RESOURCE_EXHAUSTED: Out of memory allocating 1 bytes.\nmore")

    solver.answer = hungry
    code, _, err = run(capsys, "homogenize", image, *TWO_PHASES)
    assert code == 2
    assert "--coarsen" in err


def test_progress_in_lines(image: str, solver: FakeSolver, capsys: pytest.CaptureFixture[str]) -> None:
    def working(**options: Any) -> Any:
        for step in range(5):
            options["progress"].update("solving", float(step), 4.0, f"load {step}")
        return conduction_result((8, 7, 6), accuracy=None)

    solver.answer = working
    assert "solving" in run(capsys, "homogenize", image, *TWO_PHASES, "--progress", "lines")[2]
    assert run(capsys, "homogenize", image, *TWO_PHASES)[2] == ""


def test_an_accuracy_that_the_voxels_do_not_allow_is_exit_code_3(
    image: str, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, _ = run(capsys, "homogenize", image, *TWO_PHASES, "--accuracy", "1e-6", "--json")
    assert code == 3
    record = json.loads(out)
    assert record["status"] == "accuracy_not_met"
    assert record["error"]["total"] > 1e-6
