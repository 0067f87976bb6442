"""What the tests of the command line share: a small image, a stand-in for the solver, ways to run a command."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from example_results import conduction_result
from scalebridge.cli.main import main
from scalebridge.homogenize.forecast import Estimate

TWO_PHASES = ["--physics", "conduction", "--phase", "0:k=1", "--phase", "1:k=10"]
HEAVY = ("jax", "scipy", "numpy", "pydantic")
PROGRAM = "import sys; from scalebridge.cli.main import main; sys.exit(main())"


# What `pytest.fixture` turns into a fixture of a module, under the name that its tests use.


def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty folder becomes the current one."""
    monkeypatch.chdir(tmp_path)


def small_image(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A small two-phase image in an empty folder, which becomes the current one."""
    monkeypatch.chdir(tmp_path)
    labels = np.zeros((8, 7, 6), np.uint8)
    labels[2:5, 2:5, 2:5] = 1
    np.save("image.npy", labels)
    return "image.npy"


class FakeSolver:
    """Stands in for the solver where only its surroundings are tested; remembers what it was asked."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.asked: dict[str, Any] = {}
        self.answer: Callable[..., Any] = lambda **_: conduction_result((8, 7, 6), accuracy=None)
        monkeypatch.setattr("scalebridge.study.run.homogenize", self.homogenize)
        monkeypatch.setattr("scalebridge.study.run.estimate", self.estimate)
        monkeypatch.setattr("scalebridge.homogenize.forecast.estimate", self.estimate)

    def homogenize(self, image: Any, laws: Any, **options: Any) -> Any:
        self.asked = {"image": image, "laws": laws, **options}
        return self.answer(**options)

    @staticmethod
    def estimate(image: Any, laws: Any, **options: Any) -> Any:
        return Estimate(1_000_000, 0.5, 12, 3)


def fake_solver(monkeypatch: pytest.MonkeyPatch) -> FakeSolver:
    """The stand-in in the place of the solver."""
    return FakeSolver(monkeypatch)


# Ways to run commands, and what every refused one keeps to.


def run(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    """One command in this process: exit code, stdout, stderr."""
    code = main(list(words))
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def program(*words: str, timeout: float = 600, **options: Any) -> subprocess.CompletedProcess[str]:
    """One command in a process of its own."""
    return subprocess.run(
        [sys.executable, "-c", PROGRAM, *words],
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
        **options,
    )


def packages_and_seconds(*commands: list[str]) -> tuple[subprocess.CompletedProcess[str], str, float]:
    """Several commands in one process of their own: the process, the heavy packages it loaded, its processor time."""
    code = (
        "import sys, scalebridge.cli.main as m;"
        f"[m.main(w) for w in {list(commands)}];"
        f"print(*sorted({{n.split('.')[0] for n in sys.modules}} & set({HEAVY})));"
        "import time; print(time.process_time())"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=600, check=True
    )
    *_, packages, seconds = done.stdout.splitlines()
    return done, packages, float(seconds)


def assert_one_message(capsys: pytest.CaptureFixture[str], message: str, *words: str) -> None:
    """The command is refused: exit code 2, one message with `message` in it, and nothing else."""
    code, out, err = run(capsys, *words)
    assert code == 2, err
    assert message in err, err
    assert err.count("error:") == 1, err
    assert "Traceback" not in err, err
    assert out == "", "a mistake must not be printed among the results"
