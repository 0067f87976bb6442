"""The command line as a program in its own process."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from cli_support import PROGRAM, TWO_PHASES, program


def test_help_is_quick_and_light() -> None:
    code = (
        "import sys, scalebridge.cli.main as m; m.main(['--help']); m.main(['homogenize', '--help']);"
        "print(*sorted({n.split('.')[0] for n in sys.modules} & {'jax', 'scipy', 'numpy', 'pydantic'}));"
        "import time; print(time.process_time())"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=600, check=True
    )
    *_, packages, seconds = done.stdout.splitlines()
    assert "--physics" in done.stdout
    assert packages == "", "a heavy package is loaded just to print help"
    # Time of the processor, so that a busy machine does not matter; the promise is 0.5 s for one of the two.
    assert float(seconds) < 0.8


def test_the_program_ends_with_the_exit_code(tmp_path: Path) -> None:
    assert program("--version").stdout.startswith("scalebridge 0.")
    done = program("homogenize", "no.tif", "--physics", "conduction", "--phase", "0:k=1", cwd=tmp_path)
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.startswith("error: There is no file")
    assert program("homogenise").returncode == 2


def test_the_package_runs_like_the_command(tmp_path: Path) -> None:
    def module(*words: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "scalebridge", *words]
        return subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, timeout=600, check=False)

    assert module("--help").stdout == program("--help").stdout
    assert module("--help").stdout.startswith("Usage: scalebridge ")
    assert module("--version").stdout.startswith("scalebridge 0.")
    done = module("inspect", "no.tif")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("error: There is no file")


def test_a_reader_that_leaves_early_is_no_error(tmp_path: Path) -> None:
    command = f"{sys.executable} -c '{PROGRAM}' --help | true"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, timeout=600, check=False)
    assert "Traceback" not in done.stderr
    assert "Exception" not in done.stderr


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
def test_output_that_has_no_room_is_one_message() -> None:
    with open("/dev/full", "w") as full:
        command = [sys.executable, "-c", PROGRAM, "--version"]
        done = subprocess.run(
            command, stdout=full, stderr=subprocess.PIPE, text=True, timeout=600, check=False
        )
    assert done.returncode == 2
    assert done.stderr.startswith("error: Cannot write: the disk is full")
    assert done.stderr.count("\n") == 1


def test_a_program_without_output_is_no_error(tmp_path: Path) -> None:
    command = f"{sys.executable} -c '{PROGRAM}' init study.toml >&-"
    done = subprocess.run(
        ["bash", "-c", command], capture_output=True, text=True, cwd=tmp_path, timeout=600, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert (tmp_path / "study.toml").exists()


def test_a_laminate_from_file_to_json(tmp_path: Path) -> None:
    labels = np.zeros((4, 4, 4), np.uint8)
    labels[:, :, 2:] = 1
    np.save(tmp_path / "laminate.npy", labels)
    words = [
        "homogenize",
        "laminate.npy",
        *TWO_PHASES,
        "--residual",
        "1e-8",
        "--json",
        "--output",
        "out",
        "--fields",
    ]
    done = program(*words, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    record = json.loads(done.stdout)
    np.testing.assert_allclose(record["value"], np.diag([5.5, 5.5, 2 / 1.1]), rtol=1e-6, atol=1e-9)
    assert record["checks"]["hill_mandel"] < 1e-6
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        "fields.vti",
        "provenance.json",
        "report.html",
        "result.csv",
        "result.json",
        "study.toml",
    }
    again = program("run", "out/study.toml", "--json", cwd=tmp_path)
    np.testing.assert_allclose(json.loads(again.stdout)["value"], record["value"], rtol=1e-12)
