"""`scalebridge rve`: representativity studies from options alone."""

from __future__ import annotations

import csv
import html
import importlib
import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cli_support import PROGRAM, own_folder, packages_and_seconds, program, run
from rve_support import BOARD, LAWS, random_image
from scalebridge import Conduction
from scalebridge.cell.boundary import KinematicUniform, Periodic, StaticUniform
from scalebridge.core import memory
from scalebridge.core.content_store import ContentStore
from scalebridge.homogenize.representative import (
    GeneratorEnsemble,
    RepresentativityProblem,
    SamplingMethod,
    representativity,
)
from scalebridge.homogenize.representative.apparent import Material
from scalebridge.homogenize.representative.ensemble import Workers
from scalebridge.microstructure import statistics as image_statistics
from scalebridge.microstructure.generators import Checkerboard

_folder = pytest.fixture(own_folder, autouse=True)

ALL = ["--bc", "periodic,kubc,subc"]


def record_of(capsys: pytest.CaptureFixture[str], *words: str, code: int = 0) -> dict[str, Any]:
    found, out, err = run(capsys, "rve", *words, "--json")
    assert found == code, err

    def refuse(name: str) -> None:
        raise AssertionError(f"{name} is no JSON")

    record = json.loads(out, parse_constant=refuse)
    assert isinstance(record, dict)
    return record


def test_help_needs_no_numpy() -> None:
    done, packages, _ = packages_and_seconds(
        ["rve", "--help"],
        ["rve", "sphere-packing", "--help"],
        ["rve"],
        ["rve", "sphere-packing", "--radios", "3"],
        ["rve", "sphere-packin", "--physics", "conduction"],
    )
    assert packages == ""
    assert "--realizations" in done.stdout
    assert "--shaking" in done.stdout
    assert done.stderr.count("error:") == 3


def test_the_record_says_what_the_python_study_says(capsys: pytest.CaptureFixture[str]) -> None:
    words = [*BOARD, *ALL, "--sizes", "8,16", "--realizations", "5", "--seed", "3", "--spacing", "2um"]
    record = record_of(capsys, *words)
    generator = Checkerboard((16, 16), 2, random=True, spacing=(2e-6, 2e-6))
    laws = {label: Conduction.isotropic(k=k) for label, k in ((0, 1.0), (1, 10.0))}
    problem = RepresentativityProblem(
        GeneratorEnsemble(generator, 3),
        Material(laws),
        (8, 16),
        (Periodic(), KinematicUniform(), StaticUniform()),
    )
    expected = representativity(problem, SamplingMethod(5, workers=Workers(1)))
    assert record["schema"] == "scalebridge.rve/1"
    assert (record["physics"], record["unit"]) == ("conduction", "W/(m K)")
    assert record["quantity"] == "apparent thermal conductivity"
    assert record["sizes"] == [8, 16]
    assert sorted(record["conditions"]) == ["kubc", "periodic", "subc"]
    assert record["ordering"] == ["x", "y"]
    assert record["spacing"] == pytest.approx(2e-6)
    assert len(record["statistics"]) == 6
    for row in record["statistics"]:
        same = expected.at(row["size"], row["condition"])
        assert row["count"] == 5
        np.testing.assert_allclose(row["mean"], same.mean, rtol=1e-12)
        assert same.deviation is not None
        np.testing.assert_allclose(row["deviation"], same.deviation, rtol=1e-9)
        part = same.parts["mean conductivity"]
        scalar = row["scalars"]["mean conductivity"]
        assert scalar["interval"] == pytest.approx([part.low, part.high])
        assert row["seconds"] > 0
    for size, found in expected.hierarchies.items():
        assert record["hierarchy"][str(size)]["gap"] == pytest.approx(found.gap)
        assert record["hierarchy"][str(size)]["holds"] is True
    law = record["law"]["mean conductivity"]["periodic"]
    fitted = expected.scaling["mean conductivity"]["periodic"]
    assert fitted is not None
    assert law["alpha"] == pytest.approx(fitted.alpha)
    assert law["integral_range"] == pytest.approx(fitted.integral_range)
    assert law["variance_point"] == pytest.approx(fitted.point_variance)
    need = record["requirements"]
    assert need["precision"] == 0.05
    assert need["size_for_one_sample"] == expected.requirements["mean conductivity"].single_size
    assert set(need["number_at_size"]) == {"8", "16"}
    assert record["verdict"]["word"] in ("representative", "statistical volume element")
    assert record["verdict"]["reasons"] == list(expected.verdict.words)
    assert record["scales"]["phases"][0]["long_range"]["words"]
    assert record["store"] == {"hits": 0, "solved": 30}
    assert record["status"] == "converged"


def test_a_precision_that_is_asked_for_and_missed_is_exit_code_3(capsys: pytest.CaptureFixture[str]) -> None:
    words = [*BOARD, "--sizes", "8,16", "--realizations", "4"]
    code, out, err = run(capsys, "rve", *words, "--precision", "0.001")
    assert code == 3, err
    assert "not met" in out
    assert record_of(capsys, *words, "--precision", "0.001", code=3)["status"] == "accuracy_not_met"
    assert record_of(capsys, *words, "--precision", "0.9", code=0)["status"] == "converged"
    record = record_of(capsys, *words)
    assert record["reached"]["total"] > 0.05, "the default promises nothing, so nothing is missed"
    layers = ["laminate", "--dimensions", "2", *LAWS, "--workers", "1", "--sizes", "8", "--realizations", "3"]
    met = record_of(capsys, *layers, "--precision", "0.01")
    assert met["reached"]["total"] < 0.01


def test_words_tell_the_study(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = run(capsys, "rve", *BOARD, *ALL, "--sizes", "8,16", "--realizations", "5")
    assert (code, err) == (0, "")
    for said in ("tile 2", "5 of 8, 5 of 16", "mean conductivity", "SUBC", "KUBC", "gap", "W/(m K)", "verdict",
                 "samples needed", "correlation lengths", "30 cells solved"):  # fmt: skip
        assert said in out
    quiet = run(capsys, "rve", *BOARD, "--sizes", "8,16", "--realizations", "5", "--quiet")[1]
    assert "Condition" not in quiet
    assert "mean conductivity" in quiet


def test_a_study_grows_and_solves_nothing_twice(capsys: pytest.CaptureFixture[str]) -> None:
    grown = [*BOARD, "--output", "out"]
    words = [*grown, "--bc", "periodic,kubc"]
    first = record_of(capsys, *words, "--sizes", "8", "--realizations", "3")
    assert first["store"] == {"hits": 0, "solved": 6}
    names = {path.name for path in Path("out").iterdir()}
    assert {"result.json", "result.csv", "samples.csv", "provenance.json", "report.html", "cells"} <= names
    again = record_of(capsys, *words, "--sizes", "8", "--realizations", "3")
    assert again["store"] == {"hits": 6, "solved": 0}
    assert again["statistics"][0]["mean"] == first["statistics"][0]["mean"]
    more = record_of(capsys, *words, "--sizes", "8,16", "--realizations", "5,2")
    assert more["store"] == {"hits": 6, "solved": 4 + 4}
    assert more["statistics"][0]["count"] == 5
    other = record_of(capsys, *grown, *ALL, "--sizes", "8,16", "--realizations", "5,2")
    assert other["store"] == {"hits": 14, "solved": 7}
    sharper = record_of(capsys, *words, "--sizes", "8", "--realizations", "3", "--precision", "0.2", code=3)
    assert sharper["store"]["hits"] == 6, "cells solved to more than is asked for are taken"
    assert json.loads(Path("out/result.json").read_text()) == sharper
    _, out, err = run(capsys, "rve", *words, "--sizes", "8", "--realizations", "3")
    assert "known" in err
    assert "0 cells solved, 6 known from before" in out


def test_all_samples_are_written(capsys: pytest.CaptureFixture[str]) -> None:
    record = record_of(capsys, *BOARD, *ALL, "--sizes", "8,16", "--realizations", "3", "--output", "out")
    with open("out/samples.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 18
    for statistics in record["statistics"]:
        here = [
            row
            for row in rows
            if (int(row["voxels per edge"]), row["condition"])
            == (statistics["size"], statistics["condition"])
        ]
        assert [row["number"] for row in here] == ["1", "2", "3"]
        mean = np.mean([float(row["mean conductivity"]) for row in here])
        assert mean == pytest.approx(statistics["scalars"]["mean conductivity"]["mean"])
        assert np.mean([float(row["k_x_y"]) for row in here]) == pytest.approx(statistics["mean"][0][1])
        assert np.mean([float(row["fraction of label 1"]) for row in here]) == pytest.approx(
            statistics["fractions"]["1"]["mean"]
        )
    with open("out/result.csv", newline="") as file:
        assert len(list(csv.DictReader(file))) == 6
    provenance = json.loads(Path("out/provenance.json").read_text())
    assert provenance["settings"]["source"]["generator"]["tile"] == 2


def test_windows_of_an_image(capsys: pytest.CaptureFixture[str]) -> None:
    image = random_image()
    words = [image, *LAWS, "--workers", "1"]
    record = record_of(capsys, *words, "--sizes", "8,16", "--output", "out")
    assert [row["count"] for row in record["statistics"]] == [6, 1]
    assert record["provenance"]["inputs"]["image"]["name"] == "image.npy"
    assert record["scales"]["phases"][0]["stationarity"]["words"]
    assert any("not periodic" in warning for warning in record["warnings"])
    fewer = record_of(capsys, *words, "--sizes", "8,16", "--realizations", "4")
    assert [row["count"] for row in fewer["statistics"]] == [4, 1]
    assert any("1 window of 16" in warning for warning in fewer["warnings"])
    default = record_of(capsys, *words)
    assert default["sizes"] == [8]
    np.save("grey.npy", np.load(image) * 100.0 + 20)
    grey = record_of(capsys, "grey.npy", *words[1:], "--threshold", "60", "--sizes", "8,16")
    np.testing.assert_allclose(grey["statistics"][0]["mean"], record["statistics"][0]["mean"], rtol=1e-12)
    code, _, err = run(capsys, "rve", *words, "--sizes", "8", "--output", "out")
    assert code == 0, err  # the same image: the study goes on
    np.save("image.npy", np.load(image)[::-1])
    code, _, err = run(capsys, "rve", *words, "--sizes", "8", "--output", "out")
    assert code == 2
    assert "another material" in err
    assert run(capsys, "rve", *words, "--sizes", "8", "--output", "out", "--force")[0] == 0


def test_static_conditions_that_carry_nothing_spoil_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    laws = ["--physics", "conduction", "--phase", "0:k=1", "--phase", "1:k=0", "--workers", "1"]
    words = [*BOARD[:6], "--fraction", "0.2", *laws, "--sizes", "16,32", "--realizations", "6"]
    all_three, two = record_of(capsys, *words, *ALL), record_of(capsys, *words, "--bc", "periodic,kubc")
    assert [
        row for row in all_three["statistics"] if np.any(row["mean"]) and row["condition"] == "subc"
    ] == []
    bias, same = (r["bias"]["mean conductivity"] for r in (all_three, two))
    assert bias["limit"] == pytest.approx(same["limit"])
    assert bias["relative"]["subc"] == {"16": -1.0, "32": -1.0}
    assert all_three["hierarchy"]["32"]["gap"] is None
    assert any("carries anything" in warning for warning in all_three["warnings"])


def test_a_folder_of_something_else_is_left_alone(capsys: pytest.CaptureFixture[str]) -> None:
    Path("out").mkdir()
    Path("out/result.json").write_text("{}")
    words = [*BOARD, "--sizes", "8", "--realizations", "2", "--output", "out"]
    code, _, err = run(capsys, "rve", *words)
    assert code == 2
    assert "--force" in err
    assert Path("out/result.json").read_text() == "{}"
    assert run(capsys, "rve", *words, "--force")[0] == 0


def test_grains_turn_the_law_of_a_crystal(capsys: pytest.CaptureFixture[str]) -> None:
    crystal = ["--phase", "grain:C11=168.4GPa,C12=121.4GPa,C44=75.4GPa", "--physics", "elasticity"]
    grains = ["voronoi-polycrystal", "--grain-volume", "40", "--workers", "1", "--realizations", "3"]
    record = record_of(capsys, *grains, *crystal, "--sizes", "6", "--bc", "periodic,kubc")
    assert (record["unit"], record["quantity"]) == ("Pa", "apparent stiffness")
    assert record["ordering"] == ["xx", "yy", "zz", "yz", "xz", "xy"]
    # The bulk modulus of a cubic crystal does not depend on its orientation.
    for row in record["statistics"]:
        assert row["scalars"]["bulk modulus"]["mean"] == pytest.approx((168.4e9 + 2 * 121.4e9) / 3, rel=2e-3)
        assert row["mean"][0][0] > row["mean"][0][1] > row["mean"][3][3] > 0
        assert 26e9 < row["scalars"]["shear modulus"]["mean"] < 75.4e9  # between both cubic shear moduli
    record_of(
        capsys, *grains, "--dimensions", "2", "--physics", "conduction", "--phase", "grain:kx=1,ky=4,kz=9",
        "--sizes", "24", "--output", "out",
    )  # fmt: skip
    with open("out/samples.csv", newline="") as file:
        for row in csv.DictReader(file):
            xx, xy, yy = (float(row[name]) for name in ("k_x_x", "k_x_y", "k_y_y"))
            # Of a periodic two-dimensional polycrystal det k = k1 k2, whatever the grains; voxels make it stiffer.
            assert 3.99 < xx * yy - xy**2 < 5.0


def test_bodies_with_frames_and_an_option_that_images_have_too(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["ellipsoid-packing", "--fraction", "0.1", "--axes", "4,2", "--separate", "--dimensions", "2"]
    words += ["--workers", "1", "--sizes", "40", "--realizations", "2", "--physics", "conduction"]
    record = record_of(capsys, *words, "--phase", "0:k=1", "--phase", "grain:k=5")
    assert 1.0 < record["statistics"][0]["scalars"]["mean conductivity"]["mean"] < 1.5


def test_without_an_end_of_correlations_nothing_is_representative(capsys: pytest.CaptureFixture[str]) -> None:
    halves = np.zeros((16, 16), np.uint8)
    halves[:, 8:] = 1
    np.save("halves.npy", halves)
    words = ["halves.npy", *LAWS, "--workers", "1", "--sizes", "4,8"]
    far = record_of(capsys, *words)
    assert far["scales"]["phases"][0]["long_range"]["found"] is True
    assert far["verdict"]["representative"] is False
    assert far["verdict"]["word"] == "statistical volume element"
    assert any("No representative volume exists" in reason for reason in far["verdict"]["reasons"])
    assert "No representative volume exists" in run(capsys, "rve", *words)[1].replace("\n   ", "")
    near = record_of(capsys, random_image((64, 64)), *words[1:])
    assert near["scales"]["phases"][0]["long_range"]["found"] is False
    assert not any("No representative volume" in reason for reason in near["verdict"]["reasons"])


def test_lengths_are_compared_when_the_macroscopic_one_is_given(capsys: pytest.CaptureFixture[str]) -> None:
    words = [*BOARD, "--sizes", "24", "--realizations", "2", "--spacing", "1um"]
    separation = record_of(capsys, *words, "--macro-length", "5mm")["scales"]["separation"]
    assert separation["cell_size"] == pytest.approx(24e-6)
    assert separation["coarse_over_cell"] == pytest.approx(5e-3 / 24e-6)
    assert separation["epsilon"] == pytest.approx(separation["fine_length"] / 5e-3)
    out = run(capsys, "rve", *words, "--macro-length", "50um")[1]
    assert "scales are not separated" in out.replace("\n", " ")


def test_the_material_is_measured_once_for_record_and_page(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    measured: list[str] = []

    def counting(name: str, measure: Any) -> Any:
        def counted(*arguments: Any, **options: Any) -> Any:
            measured.append(name)
            return measure(*arguments, **options)

        return counted

    importlib.import_module("scalebridge.report.representative")
    for name in ("integral_range", "long_range", "stationarity"):
        measure = getattr(image_statistics, name)
        for key, module in list(sys.modules.items()):
            if key.startswith("scalebridge.") and vars(module).get(name) is measure:
                monkeypatch.setattr(module, name, counting(name, measure))
    image = random_image((64, 64))
    record = record_of(
        capsys, image, *LAWS, "--workers", "1", "--sizes", "8", "--realizations", "2",
        "--spacing", "2um", "--output", "out",
    )  # fmt: skip
    found = record["scales"]["phases"][0]
    page = Path("out/report.html").read_text(encoding="utf-8")
    assert f"{2 * found['correlation_length']:.3g}" in page, "the page has it in micrometres"
    assert page.count(html.escape(found["long_range"]["words"])) == 1
    assert sorted(measured) == ["integral_range", "long_range", "stationarity"]
    grid_free = record_of(capsys, image, *LAWS, "--workers", "1", "--sizes", "8", "--realizations", "2")
    same = grid_free["scales"]["phases"][0]
    for name in ("correlation_length", "integral_range", "integral_range_deviation"):
        assert found[name] == pytest.approx(same[name], rel=1e-9), "voxels, whatever their edge"
    assert found["correlation_lengths"] == pytest.approx(same["correlation_lengths"])


def test_a_dry_run_computes_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    words = [*BOARD, *ALL, "--sizes", "8,16", "--realizations", "5", "--dry-run", "--output", "out"]
    code, out, err = run(capsys, "rve", *words)
    assert (code, err) == (0, "")
    assert "30 cells" in out
    assert not Path("out").exists()
    record = json.loads(run(capsys, "rve", *words, "--json")[1])
    assert (record["cells"], record["workers"]) == (30, 1)


def test_what_does_not_fit_into_memory_is_refused_or_done_with_fewer_workers(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    words = [*BOARD[:-2], "--sizes", "8", "--realizations", "40", "--dry-run"]
    monkeypatch.setattr("os.cpu_count", lambda: 16)
    monkeypatch.setattr(memory, "available_bytes", lambda: 2_500_000_000)
    monkeypatch.setattr("scalebridge.study.representative_resources.available_bytes", lambda: 2_500_000_000)
    code, out, err = run(capsys, "rve", *words)
    assert code == 0, err
    assert "3 of 16 workers" in out.replace("\n", " ")
    code, _, err = run(capsys, "rve", *words, "--workers", "8")
    assert code == 2
    assert "memory" in err
    monkeypatch.setattr(memory, "available_bytes", lambda: 1_000_000)
    code, _, err = run(capsys, "rve", *words)
    assert code == 2
    assert "memory" in err


def _wait_for_payloads(run: subprocess.Popen[str], folder: Path, count: int) -> None:
    end = time.monotonic() + 3600  # a machine may be busy; for ever is too long
    while run.poll() is None and len(list(folder.glob("cells/payload/*.h5"))) < count:
        assert time.monotonic() < end
        time.sleep(0.02)


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL], ids=lambda how: how.name)
def test_a_study_that_is_stopped_goes_on(
    how: signal.Signals, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [*BOARD, *ALL, "--sizes", "16", "--realizations", "400", "--output", "out", "--json"]
    stopped = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, "rve", *words],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=tmp_path,
    )  # fmt: skip
    _wait_for_payloads(stopped, tmp_path / "out", 5)
    stopped.send_signal(how)
    out, err = stopped.communicate(timeout=3600)
    assert out == ""
    if how is not signal.SIGKILL:
        assert stopped.returncode == 130
        assert "run again with the same --output to resume" in err
        assert "Traceback" not in err
    known = len(ContentStore(tmp_path / "out" / "cells").keys())
    assert 0 < known < 1200
    few = [*BOARD, *ALL, "--sizes", "16", "--realizations", "20"]
    resumed, expected = record_of(capsys, *few, "--output", "out"), record_of(capsys, *few)
    assert resumed["store"]["hits"] == min(known, 60)
    for row, same in zip(resumed["statistics"], expected["statistics"], strict=True):
        assert row["mean"] == same["mean"]
        assert row["scalars"] == same["scalars"]


@pytest.mark.slow
def test_two_workers_give_the_numbers_of_one_and_end_with_the_study(tmp_path: Path) -> None:
    words = [*BOARD[:-1], "2", *ALL, "--sizes", "8,16", "--realizations", "30", "--json"]
    two = program("rve", *words, cwd=tmp_path)
    assert two.returncode == 0, two.stderr
    words[words.index("--workers") + 1] = "1"
    one = program("rve", *words, cwd=tmp_path)
    for row, same in zip(
        json.loads(two.stdout)["statistics"], json.loads(one.stdout)["statistics"], strict=True
    ):
        assert row["mean"] == same["mean"]
    words[words.index("--workers") + 1] = "2"
    words[words.index("--realizations") + 1] = "2000"
    stopped = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, "rve", *words, "--output", "out"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=tmp_path,
    )  # fmt: skip
    _wait_for_payloads(stopped, tmp_path / "out", 5)
    stopped.send_signal(signal.SIGINT)
    out, err = stopped.communicate(timeout=3600)  # pipes close only when the workers have ended, too
    assert (stopped.returncode, out) == (130, "")
    assert "resume" in err
    assert "Traceback" not in err
