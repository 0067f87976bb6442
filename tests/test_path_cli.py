"""`scalebridge path`: what it prints and writes, mistakes, studies, resuming after the process was killed."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from cli_support import PROGRAM, assert_one_message, packages_and_seconds, run
from path_support import CELL, COMMAND, METAL, PULL, own_folder
from scalebridge.cli.path import _leg
from scalebridge.study.path_parse import path_study_from_data

folder = pytest.fixture(own_folder)


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a finished run in `out`, and what it printed in stdout.txt."""
    import contextlib
    import io

    from scalebridge.cli.main import main

    place = tmp_path_factory.mktemp("path")
    with pytest.MonkeyPatch.context() as patch:
        own_folder(place, patch)
        out = io.StringIO()
        with contextlib.redirect_stdout(out):
            code = main([*COMMAND, "--spacing", "1um", "--fields", "legs", "--output", "out", "--json"])
        assert code == 0
        (place / "stdout.txt").write_text(out.getvalue())
    return place


def test_json_is_one_object_and_equals_the_file(done: Path) -> None:
    record = json.loads((done / "stdout.txt").read_text())
    kept = json.loads((done / "out" / "result.json").read_text())
    assert kept["increments"] == record["increments"]
    assert {"schema", "status", "components", "increments", "legs", "phases", "error", "provenance"} <= set(
        record
    )
    assert record["provenance"]["inputs"]["image"]["name"] == "image.npy"
    assert record["provenance"]["inputs"]["law of label 0"]["name"] == "laws.py"
    assert record["status"] == "converged"
    assert record["fields"] == [record["increments"][-1]["number"]]


def test_a_folder_holds_the_curve_the_fields_and_what_repeats_the_run(
    done: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    names = {path.name for path in (done / "out").iterdir()}
    assert names == {"path.csv", "result.json", "report.html", "study.toml", "provenance.json", "fields"}
    (vti,) = (done / "out" / "fields").glob("*.vti")
    series = (done / "out" / "fields" / "path.pvd").read_text()
    assert f'file="{vti.name}"' in series
    assert 'timestep="1.0"' in series
    head = vti.read_bytes()[:3000].decode("latin-1")
    for name in ("phase", "strain", "stress", "equivalent_stress", "accumulated", "displacement"):
        assert f'Name="{name}"' in head
    monkeypatch.chdir(done)
    code, out, err = run(capsys, "run", "out/study.toml", "--dry-run")
    assert code == 0, err
    assert "Estimate" in out
    assert "Leg 1" in out
    before = (done / "out" / "path.csv").stat().st_mtime_ns
    assert_one_message(capsys, "--force", *COMMAND, "--output", "out")
    assert (done / "out" / "path.csv").stat().st_mtime_ns == before


def test_the_page_is_whole_and_loads_nothing(done: Path) -> None:
    page = (done / "out" / "report.html").read_text()
    for part in (
        "The curve",
        "Consistent macroscopic tangent",
        "How wrong may it be?",
        "von Mises stress",
        "Newton",
    ):
        assert part in page
    assert "not assessed" in page
    assert "http://" not in page.replace("http://www.w3.org", "")
    assert page.count("<svg") >= 6
    assert "nan" not in page.lower().replace("provenance", "").split("<script>")[0].split("</style>")[1]


def test_help_needs_no_numerics() -> None:
    done, packages, _ = packages_and_seconds(["path", "--help"])
    assert "--leg" in done.stdout
    assert "--tangent" in done.stdout
    assert packages == ""


MISTAKES = {
    "unknown component": (["--leg", "xw=1%"], "there is no component 'xw'"),
    "component of another kinematics": (["--leg", "P_xx=1MPa"], "'P_xx'"),
    "component twice": (["--leg", "xx=1% xx=2%"], "xx is given twice"),
    "drive and flux": (["--leg", "xx=1% s_xx=1MPa"], "component xx is given twice"),
    "mirrored component": (["--leg", "xy=1% yx=1%"], "component xy is given twice"),
    "no component": (["--leg", "rest=free"], "names no component"),
    "no value": (["--leg", "xx"], "not key=value"),
    "unit of a strain": (["--leg", "xx=1MPa"], "unit of a pressure"),
    "unit of a stress": (["--leg", "s_xx=1mm"], "unit of a length"),
    "unit of a time": (["--leg", "xx=1% time=3MPa"], "time"),
    "no time": (["--leg", "xx=1% time=0s"], "must be positive"),
    "no steps": (["--leg", "xx=1% steps=0"], "greater than 0"),
    "steps no number": (["--leg", "xx=1% steps=few"], "whole number"),
    "steps of a grid": (["--leg", "xx=1% steps=5x3"], "steps=5x3 is not a whole number"),
    "unknown rest": (["--leg", "xx=1% rest=loose"], "'free' or 'held'"),
    "fields unknown": (["--leg", PULL, "--fields", "some"], "--fields"),
    "fields no number": (["--leg", PULL, "--fields", "3,x"], "whole number"),
    "fields zero": (["--leg", PULL, "--fields", "0"], "--fields"),
    "residual": (["--leg", PULL, "--residual", "2"], "--residual"),
    "accuracy": (["--leg", PULL, "--accuracy", "-1"], "--accuracy"),
    "plane of a solid": (["--leg", PULL, "--plane", "strain"], "2-D"),
    "one point on a box": (["--leg", PULL, "--bc", "kubc", "--integration", "one"], "periodic"),
    "crop": (["--leg", PULL, "--crop", "0:9,:,:"], "4 voxels"),
    "output in a file": (["--leg", PULL, "--output", "image.npy/out"], "image.npy/out"),
    "output is a file": (["--leg", PULL, "--output", "laws.py"], "it is a file, not a folder"),
    "out of the plane": (["--leg", "zw=1%"], "there is no component 'zw' at small strain in 3-D"),
    "condition of faces": (["--leg", PULL, "--bc", "faces"], "periodic"),
    "time without end": (["--leg", "xx=1% time=inf"], "time"),
    "uncertain": (["--leg", "xx=1+-0.1%"], "has an uncertainty"),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_mistakes_in_the_path(name: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words, message = MISTAKES[name]
    assert_one_message(capsys, message, *CELL, *words)


LAW_MISTAKES = {
    "label without law": ([METAL], "No law for label 1"),
    "law without label": ([METAL, "1:void", "7:void"], "label 7"),
    "label twice": ([METAL, "1:void", "1:void"], "label 1 2 times"),
    "no label": (["void"], "no label"),
    "label no number": (["a:void"], "whole number"),
    "no name": (["0:"], "no name"),
    "no value": (["0:laws.py:metal,E", "1:void"], "not key=value"),
    "key twice": (["0:laws.py:metal,E=1,E=2", "1:void"], "E is given twice"),
    "void with parameters": ([METAL, "1:void,E=1"], "void has no parameters"),
    "all void": (["0:void", "1:void"], "Every label is a void"),
    "unknown law": (["0:no_such_law,E=1", "1:void"], "no_such_law"),
    "no file": (["0:no.py:metal,E=1", "1:void"], "There is no file no.py"),
    "no function": (["0:laws.py:metl,E=1", "1:void"], "did you mean 'metal'"),
    "missing parameter": (["0:laws.py:metal,E=1", "1:void"], "nu"),
    "unknown parameter": ([METAL + ",colour=2", "1:void"], "colour"),
    "bad unit": (["0:laws.py:metal,E=70GPu,nu=0.3,yield_stress=1MPa", "1:void"], "GPu"),
    "impossible": (["0:laws.py:metal,E=70GPa,nu=0.3,yield_stress=-1MPa", "1:void"], "yield stress"),
    "no law returned": (["0:laws.py:nothing", "1:void"], "returned a int"),
    "function fails": (["0:laws.py:broken,E=1", "1:void"], "no such metal"),
}


@pytest.mark.parametrize("name", LAW_MISTAKES)
def test_mistakes_in_the_laws(name: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    laws, message = LAW_MISTAKES[name]
    words = [word for law in laws for word in ("--law", law)]
    assert_one_message(capsys, message, "path", "image.npy", *words, "--leg", PULL)


def test_blanks_around_units_and_signs_are_fine() -> None:
    assert _leg("xx = 2 %  s_yy=0 MPa rest=free steps=20 time=1 s") == {
        "components": {"xx": "2 %", "s_yy": "0 MPa"}, "rest": "free", "steps": 20, "time": "1 s",
    }  # fmt: skip


def test_the_example_study_is_valid_and_overrides_reach_it(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    import tomllib

    assert run(capsys, "init", "path")[0] == 0
    study = path_study_from_data(tomllib.loads(Path("path.toml").read_text()))
    assert [leg.rest for leg in study.leg] == ["free", "free"]
    assert_one_message(capsys, "already", "init", "path")
    changes = ["--set", "image.path=image.npy", "--set", "law.0.law=laws.py:metal", "--set", "leg.1.steps=7"]
    code, out, err = run(capsys, "run", "path.toml", *changes, "--set", "leg.1.xx=3%", "--dry-run", "--json")
    assert code == 0, err
    plan = "\n".join(json.loads(out)["plan"])
    assert "xx = 0.03" in plan
    assert "7 increments" in plan
    assert json.loads(out)["increments"] == 12


STUDY_MISTAKES = {
    "unknown key": ('fieldz = "all"', "did you mean 'fields'"),
    "wrong value": ('tangent = "sometimes"', "path.tangent"),
    "wrong type": ("resolution = 3", "path.resolution: 3 is not valid, expected true or false"),
    "wrong entry": ("fields = [3, 'last']", "path.fields.1: 'last' is not valid, expected a whole number."),
}


@pytest.mark.parametrize("name", STUDY_MISTAKES)
def test_mistakes_in_a_study(name: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    line, message = STUDY_MISTAKES[name]
    law, leg = '[[law]]\nlabel = 1\nlaw = "void"\n', "[[leg]]\ncomponents = { xx = 1 }\n"
    Path("s.toml").write_text(f'[image]\npath = "image.npy"\n{law}[path]\n{line}\n{leg}')
    assert_one_message(capsys, message, "run", "s.toml")


WHOLE_STUDY_MISTAKES = {
    "no [path], a leg of nothing": ("[[leg]]\nsteps = 2", "'[[leg]] number 1, components' is missing"),
    "legs counted from one": (
        "[[leg]]\ncomponents = { xx = 1 }\n[[leg]]\ncomponents = { xx = 1 }\nrest = 'loose'",
        "[[leg]] number 2, rest: 'loose' is not valid, expected 'free' or 'held'",
    ),
    "no legs": ("leg = []", "leg: [] is not valid, expected at least 1"),
    "no components": ("[[leg]]\ncomponents = {}", "expected at least 1"),
    "not a number": ("[[leg]]\ncomponents = { xx = nan }", "expected a finite number or text"),
    "a key that looks like a type": ("[[leg]]\ncomponents = { xx = 1 }\nstr = 2", "number 1, str'"),
    "a key with a bracket": ("[[leg]]\ncomponents = { xx = 1 }\n'st[ps' = 2", "did you mean 'steps'?"),
    "a label twice": ("[[law]]\nlabel = 1\nlaw = 'void'", "label 1 is given 2 times; each label once"),
}


@pytest.mark.parametrize("name", WHOLE_STUDY_MISTAKES)
def test_mistakes_in_a_study_without_a_path_section(
    name: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines, message = WHOLE_STUDY_MISTAKES[name]
    law = '[[law]]\nlabel = 1\nlaw = "void"\n'
    leg = "" if "leg" in lines else "[[leg]]\ncomponents = { xx = 1 }\n"
    image = '[image]\npath = "image.npy"\n'
    Path("s.toml").write_text(
        f"{lines}\n{image}{law}" if lines.startswith("leg") else f"{image}{law}{leg}{lines}\n"
    )
    assert_one_message(capsys, message, "run", "s.toml")


def test_mistakes_in_overrides(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys, "init", "path")[0] == 0
    for override, message in (
        ("lag.1.steps=3", "did you mean 'leg'"),
        ("leg.9.steps=3", "2 legs"),
        ("law.a.E=3", "their label"),
        ("leg.².steps=3", "their number"),
        ("path", "section.key=value"),
    ):
        assert_one_message(capsys, message, "run", "path.toml", "--set", override)


def test_a_killed_run_goes_on_with_the_same_bytes(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = [
        *CELL,
        "--leg",
        "xx=2% rest=free steps=30",
        "--quiet",
    ]
    whole = [*words, "--output", "whole"]
    process = subprocess.Popen([sys.executable, "-c", PROGRAM, *words, "--output", "out"])
    checkpoint = folder / "out" / ".checkpoint" / "path"
    for _ in range(6000):
        if len(list(checkpoint.glob("increment-*.npz"))) >= 4:
            break
        assert process.poll() is None, "ended before it could be killed"
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not (folder / "out" / "path.csv").exists()
    # Another image, or another load, in the folder of the killed run is refused in one message.
    np.save("other.npy", np.load("image.npy")[:2].repeat(3, axis=0))
    assert_one_message(
        capsys,
        "different: microstructure",
        *["other.npy" if w == "image.npy" else w for w in words],
        "--output",
        "out",
    )
    assert_one_message(capsys, "different: legs", *[w.replace("2%", "3%") for w in words], "--output", "out")
    code, _, err = run(capsys, *[w for w in words if w != "--quiet"], "--output", "out")
    assert code == 0, err
    assert "Resuming the interrupted path" in err
    assert run(capsys, *whole)[0] == 0
    assert (folder / "out" / "path.csv").read_bytes() == (folder / "whole" / "path.csv").read_bytes()
    assert not checkpoint.exists()


def test_an_interruption_says_how_to_go_on(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("scalebridge.cli.follow.run_path", interrupted)
    code, out, err = run(capsys, *COMMAND, "--output", "out", "--quiet")
    assert (code, out) == (130, "")
    assert "run again with the same --output to resume" in err


def test_a_path_that_ends_early_is_written_and_fails(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Perfect plasticity carries no more than its limit load: beyond it there is no equilibrium."""
    words = [
        "path",
        "image.npy",
        "--law",
        METAL.replace("hardening=1GPa", "hardening=0Pa"),
        "--law",
        "1:void",
    ]
    legs = ["--leg", "s_xx=50MPa rest=free steps=1", "--leg", "s_xx=900MPa rest=free steps=1"]
    code, out, err = run(capsys, *words, *legs, "--tangent", "none", "--output", "out", "--quiet")
    assert code == 1, err
    assert "ended early" in out
    assert "Increment" in out
    assert len(Path("out/path.csv").read_text().splitlines()) >= 2
    assert json.loads(Path("out/result.json").read_text())["status"] == "max_steps"
    assert "The path ended early" in Path("out/report.html").read_text()


def test_a_foreign_state_file_is_refused(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from scalebridge.core.checkpoint import DirectoryStore

    store = DirectoryStore(folder / "out" / ".checkpoint" / "path")
    store.put("place", {"position": np.array([0, 3, 0, 3, 0]), "anything": np.zeros(2)})
    assert_one_message(capsys, "unknown origin", *COMMAND, "--output", "out", "--quiet")
    code, _, err = run(capsys, *COMMAND, "--output", "out", "--quiet", "--force")
    assert code == 0, err
