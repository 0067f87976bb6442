"""The order of boundary conditions and all bounds hold for a thousand random images (ordering_of_conditions.py)."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from ordering_of_conditions import FAMILIES, IMAGES

SCRIPT = Path(__file__).with_name("ordering_of_conditions.py")


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    # One thread: cells of a few voxels gain nothing from more.
    environment = {**os.environ, "XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false"}
    return subprocess.run(
        [sys.executable, str(SCRIPT), *arguments],
        capture_output=True,
        text=True,
        check=False,
        env=environment,
    )


@pytest.mark.slow
@pytest.mark.parametrize("name", FAMILIES)
def test_conditions_are_ordered_and_between_the_bounds_whatever_the_image(name: str) -> None:
    done = run(name)
    assert done.returncode == 0, done.stderr[-500:]
    assert int(done.stdout) > IMAGES / 2, "equal tensors would be in order, too"


def test_a_wrong_order_is_seen() -> None:
    done = run("conduction 2-D", "SWAP")
    assert done.returncode != 0
    assert "conduction 2-D, image 0: not in order" in done.stderr


def test_there_are_a_thousand_images() -> None:
    assert IMAGES * len(FAMILIES) >= 1000
