"""The other commands: init, run, inspect, convert, doctor."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest
import tifffile

from cli_support import TWO_PHASES, FakeSolver, fake_solver, run, small_image
from scalebridge.cli.options import numbers, phase_section, phase_sections
from scalebridge.cli.wrapping import wrapped
from scalebridge.core.errors import InputError, PhaseError

image = pytest.fixture(small_image)
solver = pytest.fixture(fake_solver)


def test_init_writes_a_study_that_plans(
    image: str, solver: FakeSolver, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(capsys, "init")[0] == 0
    code, _, err = run(capsys, "init")
    assert code == 2
    assert "--force" in err
    overrides = ["--set", "image.path=image.npy", "--set", "phase.1.k=4"]
    code, out, err = run(capsys, "run", "study.toml", "--dry-run", *overrides)
    assert code == 0, err
    assert "3 load cases, about 12 iterations each, 1 MB of memory" in out
    assert not solver.asked
    code, out, _ = run(capsys, "run", "study.toml", "--dry-run", "--json", *overrides)
    assert json.loads(out)["bytes"] == 1_000_000


def test_a_study_writes_beside_itself(
    image: str, solver: FakeSolver, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    run(capsys, "init")
    study = str(tmp_path / "study.toml")
    (tmp_path / "elsewhere").mkdir()
    os.chdir("elsewhere")
    assert run(capsys, "run", study, "--set", "image.path=image.npy", "--quiet")[0] == 0
    assert (tmp_path / "results" / "report.html").exists()
    words = ["run", study, "--set", "image.path=image.npy", "--quiet", "--output", "here"]
    assert run(capsys, *words)[0] == 0
    assert (tmp_path / "elsewhere" / "here" / "report.html").exists()


def test_inspect_tells_draws_and_estimates(
    image: str, solver: FakeSolver, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, err = run(capsys, "inspect", image, "--spacing", "5.345um")
    assert code == 0, err
    assert "8 x 7 x 6" in out
    assert "5.345" in out
    assert "3 load cases, about 12 iterations each, 1 MB of memory" in out
    assert Path("image-slices.png").read_bytes().startswith(b"\x89PNG")
    code, out, _ = run(capsys, "inspect", image, "--json", "--no-picture")
    record = json.loads(out)
    assert record["shape"] == [8, 7, 6]
    assert record["estimates"]["elasticity"]["bytes"] == 1_000_000


def test_inspect_describes_a_grey_image_and_says_what_is_missing(
    image: str, solver: FakeSolver, capsys: pytest.CaptureFixture[str]
) -> None:
    np.save("grey.npy", np.arange(1000, dtype=np.uint16).reshape(10, 10, 10))
    code, out, err = run(capsys, "inspect", "grey.npy")
    assert code == 0, err
    assert "from 0 to 999" in out
    assert "--threshold" in out


def test_convert_keeps_labels_axes_and_spacing(image: str, capsys: pytest.CaptureFixture[str]) -> None:
    from scalebridge.microstructure import read_image

    code, _, err = run(capsys, "convert", image, "image.vti", "--spacing", "1um,2um,3um", "--relabel", "1:5")
    assert code == 0, err
    found = read_image("image.vti")
    np.testing.assert_array_equal(found.labels, np.load(image) * 5)
    assert found.grid.spacing == pytest.approx((1e-6, 2e-6, 3e-6))
    code, _, err = run(capsys, "convert", image, "image.vti")
    assert code == 2
    assert "--force" in err


@pytest.mark.parametrize("columns", [60, 80, 100])
def test_no_line_of_words_is_wider_than_the_terminal(
    image: str,
    solver: FakeSolver,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    columns: int,
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    tifffile.imwrite("flat.tif", np.load(image)[:, :, 3])
    np.save("float.npy", np.linspace(0, 1, 64).reshape(4, 4, 4))
    for words in (
        ["inspect", image, "--spacing", "5.345um,1um,2um"],
        ["inspect", "flat.tif"],
        ["inspect", "float.npy"],
        ["homogenize", image, *TWO_PHASES, "--dry-run", "--spacing", "1um", "--fields"],
    ):
        code, out, err = run(capsys, *words)
        assert code == 0, err
        assert max(map(len, out.splitlines())) <= columns, out
        assert out.isprintable() or set(filter(lambda c: not c.isprintable(), out)) == {"\n"}


def test_many_labels_look_like_a_grey_image(
    image: str, solver: FakeSolver, capsys: pytest.CaptureFixture[str]
) -> None:
    np.save("grey.npy", np.random.default_rng(1).integers(0, 200, (10, 10, 10)).astype(np.uint8))
    _, out, _ = run(capsys, "inspect", "grey.npy")
    assert "usually grey values" in out
    assert out.count("label ") == 12
    _, out, _ = run(capsys, "inspect", image)
    assert "grey" not in out


def test_wrapping_keeps_indents_and_units() -> None:
    assert wrapped("short", 10) == "short"
    assert wrapped("    a " + "b" * 5, 10) == "    a\n      bbbbb"
    assert wrapped("Phase 1    one two three", 20) == "Phase 1    one two\n           three"
    assert wrapped("spacing of 5.345 µm x 5.345 µm", 20) == "spacing of 5.345 µm\n  x 5.345 µm"
    assert wrapped("the axes [x, y, z]", 15) == "the axes\n  [x, y, z]"


def test_phases_are_read_as_written() -> None:
    assert phase_section("-1: k = 2.5+-0.1 W/(m K)") == {"label": -1, "properties": {"k": "2.5+-0.1 W/(m K)"}}
    assert phase_section("3:E=210GPa,nu=0.3")["properties"] == {"E": "210GPa", "nu": "0.3"}
    for text in ("", ":", "a:k=1", "1:", "1:k", "1:k=", "1:=2", "1:k=1,k=2", "1:k=1,,"):
        with pytest.raises(PhaseError, match="--phase"):
            phase_section(text)
    with pytest.raises(PhaseError, match="label 1 2 times"):
        phase_sections(["1:k=1", "1:k=2"])
    assert numbers("-1,2.5", "--threshold") == [-1.0, 2.5]
    with pytest.raises(InputError, match="whole"):
        numbers("1.5", "--raw-shape", whole=True)


def test_the_doctor_finds_a_healthy_solver(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = run(capsys, "doctor", "--json")
    record = json.loads(out)
    assert [test["name"] for test in record["tests"] if not test["passed"]] == [], err
    assert (code, record["healthy"], record["float64"]) == (0, True, True)
    assert len(record["tests"]) == 4


def test_a_wrong_solver_makes_the_doctor_complain(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "scalebridge.cli.self_test.self_tests", lambda: (("planted", lambda: (float("nan"), 1.0)),)
    )
    code, out, _ = run(capsys, "doctor")
    assert code == 1
    assert "FAIL planted" in out
