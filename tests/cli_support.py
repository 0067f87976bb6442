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
PROGRAM = "import sys; from scalebridge.cli.main import main; sys.exit(main())"


def small_image(folder: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A small two-phase image in `folder`, which becomes the current one."""
    monkeypatch.chdir(folder)
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
