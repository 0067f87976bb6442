"""The benchmark scripts run and judge: what they print about us and others must not be an accident."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

BENCHMARKS = Path(__file__).resolve().parent.parent / "benchmarks"
SCRIPTS = sorted(path.stem for path in BENCHMARKS.glob("*.py") if not path.stem.startswith("_"))


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch):
    """Imports a benchmark script as it is imported when it is run."""

    def load(name: str) -> ModuleType:
        monkeypatch.syspath_prepend(str(BENCHMARKS))
        return importlib.import_module(name)

    yield load
    for name in [*SCRIPTS, "_measuring", "_images", "_fans"]:
        sys.modules.pop(name, None)


def run(name: str, *arguments: str) -> str:
    command = [sys.executable, str(BENCHMARKS / f"{name}.py"), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("name", SCRIPTS)
def test_every_script_explains_itself(name: str):
    said = run(name, "--help")
    assert f"python benchmarks/{name}.py" in said
    assert "--output" in said


@pytest.mark.slow
def test_gpu_path_runs_on_any_device(tmp_path: Path):
    path = tmp_path / "gpu.json"
    sizes = ["--conduction", "16", "--elasticity", "16"]
    run("gpu", "--any-device", *sizes, "--residual", "1e-3", "--output", str(path))
    record = json.loads(path.read_text())
    assert [row["physics"] for row in record["rows"]] == ["conduction", "elasticity"]
    for row in record["rows"]:
        assert row["status"] == "converged"
        assert row["loads"] == {"conduction": 3, "elasticity": 6}[row["physics"]]
        assert 0 < row["share_of_bandwidth"] < 10
    conduction, elasticity = record["rows"]
    assert 1.1 < conduction["value_xx"] < 1.3  # Voigt 1.6, Reuss 1.06 for 6.5 % of contrast 10
    assert 1.45 < elasticity["value_xx"] < 1.6  # 1.4936 in the limit of fine voxels
    # Per load case for conduction, the whole tensor for elasticity.
    assert conduction["seconds"] * 3 == pytest.approx(
        conduction["solve_seconds"] + conduction["moments_seconds"]
    )
    assert {"machine", "versions", "date"} <= set(record)


def test_gpu_says_when_there_is_none(script):
    if script("gpu").look()["platform"] != "cpu":
        pytest.skip("there is a GPU")
    assert "No GPU" in run("gpu")


def test_a_target_is_met_at_its_limit_and_not_above(script):
    judge = script("_measuring").judge
    assert judge("x", 0.6, 0.6)["met"]
    assert not judge("x", 0.61, 0.6)["met"]
    assert not judge("x", None, 0.6)["met"]


def test_fresh_process_sees_no_earlier_compilation(script, monkeypatch, tmp_path: Path):
    measuring = script("_measuring")
    monkeypatch.setenv("JAX_COMPILATION_CACHE_DIR", str(tmp_path))
    code = "import json, os; print(json.dumps({k: os.environ.get(k) for k in ('JAX_COMPILATION_CACHE_DIR', 'A')}))"
    monkeypatch.setenv("A", "kept")
    found = measuring.run_python(sys.executable, code)
    assert (found["JAX_COMPILATION_CACHE_DIR"], found["A"]) == (None, "kept")
    assert found["process_seconds"] > 0


def test_failed_measurement_shows_why(script):
    with pytest.raises(SystemExit, match="no such thing"):
        script("_measuring").run_python(sys.executable, "raise ValueError('no such thing')")


def test_the_same_gaussian_material_on_every_grid(script):
    make = script("_images").make_image
    coarse, fine = make("gaussian", 32).labels, make("gaussian", 64).labels
    assert fine.mean() == pytest.approx(0.5, abs=1e-3)
    # Sampled at every other voxel the fine image is the coarse one, but for voxels right at the level.
    assert (coarse != fine[::2, ::2, ::2]).mean() < 0.005


def test_ratios_are_ours_over_theirs(script, capsys):
    elasticity = script("elasticity")
    ours = {"reduced": {"seconds_per_iteration": 0.1, "warm_seconds": 5.0, "cold_seconds": 9.0}}
    peers = {("FANS", "reduced"): {"seconds_per_iteration": 0.2}, ("muGrid", "full"): {"warm_seconds": 50.0}}
    found = {v["target"]: v for v in elasticity.judged(128, ours, peers)}
    assert found["reduced: per iteration over FANS, same run"]["measured"] == pytest.approx(0.5)
    assert found["reduced: per iteration over FANS, same run"]["met"]
    assert found["reduced: warm total over muGrid, same run"]["measured"] == pytest.approx(0.1)
    assert not found["reduced: cold total over muGrid, same run"]["met"]
    quoted = elasticity.judged(128, ours, {})
    assert all("quoted" in v["target"] for v in quoted)
    assert elasticity.judged(64, ours, {}) == []  # the quoted figures hold for 128^3 only
    capsys.readouterr()


def test_what_the_peer_prints_is_read(script):
    printed = """Effective Stress .. (1.5 -0.25 3e-2)
Total Time per iteration ......... 0.5
Total Time ....................... 2.0
Effective Stress .. (3.0 -0.5 6e-2)
Total Time per iteration ......... 0.25
Total Time ....................... 1.75
"""
    found = script("_fans").read_output(printed, 9.0)
    assert (found.seconds, found.totals, found.iterations) == (9.0, [2.0, 1.75], [4, 7])
    assert found.stresses == [[1.5, -0.25, 0.03], [3.0, -0.5, 0.06]]


def test_iterations_that_hit_their_limit_are_no_success(script):
    iterations = script("iterations")

    def row(size: int, count: int | None, contrast: float = 10.0) -> dict:
        names = {"physics": "elasticity", "boundary": "subc", "image": "sphere", "contrast": contrast}
        return {**names, "size": size, "iterations": count}

    fine = iterations.lines_of([row(32, 10), row(64, 12)], [32, 64])
    assert fine[0]["growth"] == pytest.approx(1.2)
    assert iterations.judged(fine)[0]["met"]
    assert not iterations.judged(iterations.lines_of([row(32, 10), row(64, 13)], [32, 64]))[0]["met"]
    most = iterations.MAX_STEPS
    stuck = iterations.lines_of(
        [row(32, most, 1000.0), row(64, most, 1000.0), row(32, 9), row(64, 9)], [32, 64]
    )
    assert stuck[0]["growth"] == 1.0
    assert not iterations.judged(stuck)[0]["met"]
    carried = iterations.lines_of([row(32, None, 0.0), row(64, None, 0.0)], [32, 64])
    assert iterations.judged(carried) == []  # nothing was solved: nothing to judge


def test_iterations_resume_from_their_record_and_know_what_they_can_afford(script, tmp_path):
    iterations = script("iterations")
    path = tmp_path / "record.json"
    assert iterations.earlier_rows(path, 1e-6) == []
    rows = [{"size": 32, "iterations": 9}]
    path.write_text(json.dumps({"residual": 1e-6, "limit": iterations.MAX_STEPS, "rows": rows}))
    assert iterations.earlier_rows(path, 1e-6) == rows
    assert iterations.earlier_rows(path, 1e-4) == []  # another criterion: nothing to go on from
    before = {"size": 128, "iterations": 200, "seconds": 1.0}
    assert iterations.affordable("elasticity", "periodic", 256, None, 1.0)
    assert iterations.affordable("elasticity", "periodic", 256, before, 10.0)
    assert not iterations.affordable("elasticity", "periodic", 256, before, 5.0)
    # Boxes take longer from one size to the next: dense transforms along every axis.
    assert not iterations.affordable("elasticity", "subc", 256, before, 10.0)
    assert iterations.affordable("elasticity", "subc", 256, before, 12.0)
    assert iterations.affordable("conduction", "subc", 256, before, 10.0)


@pytest.mark.parametrize("path", sorted((BENCHMARKS / "records").glob("*.json")), ids=lambda path: path.stem)
def test_every_record_is_judged(path: Path):
    """The tables of the pages are made of these verdicts: a record without them would be left out in silence."""
    judged = json.loads(path.read_text("utf-8"))["judged"]
    assert judged
    for entry in judged:
        assert entry["met"] == (entry["measured"] is not None and entry["measured"] <= entry["limit"])
