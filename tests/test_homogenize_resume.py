"""An interrupted run goes on to the same numbers, on any number of processors."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

from cells import image
from homogenize_cases import checkered, laws_of, name_of
from scalebridge.cell.boundary import AbstractBoundary, OppositeFaces, Periodic
from scalebridge.core.checkpoint import AbstractStore, DirectoryStore, NullStore
from scalebridge.homogenize.driver import homogenize


class Interrupted(AbstractStore):
    """Keeps what another store keeps and stops the run after a number of finished loads."""

    def __init__(self, inner: AbstractStore, loads: int) -> None:
        self.inner, self.left = inner, loads

    def get(self, key: str) -> dict[str, np.ndarray] | None:
        return self.inner.get(key)

    def put(self, key: str, arrays: Mapping[str, np.ndarray]) -> None:
        self.inner.put(key, arrays)
        self.left -= 1
        if self.left == 0:
            raise KeyboardInterrupt


@pytest.mark.parametrize("boundary", [Periodic(), OppositeFaces(1)], ids=name_of)
@pytest.mark.parametrize("loads", [1, 4])
def test_an_interrupted_run_goes_on_to_the_same_numbers(
    boundary: AbstractBoundary, loads: int, tmp_path: Path
) -> None:
    labels, laws = image(checkered((16, 16))), laws_of(True, 1.0, 20.0)
    whole = homogenize(labels, laws, boundary=boundary, store=NullStore())
    if isinstance(boundary, OppositeFaces):
        loads = min(loads, 2)
    with pytest.raises(KeyboardInterrupt):
        homogenize(labels, laws, boundary=boundary, store=Interrupted(DirectoryStore(tmp_path), loads))
    store = DirectoryStore(tmp_path)
    resumed = homogenize(labels, laws, boundary=boundary, store=store)
    assert len(store.restored) == loads
    np.testing.assert_array_equal(resumed.value, whole.value)
    assert resumed.error.total == whole.error.total
    for one, other in zip(resumed.sensitivities, whole.sensitivities, strict=True):
        np.testing.assert_array_equal(one.derivative, other.derivative)


ONE_CORE = """
import os, sys
os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
import numpy as np
from scalebridge.grid import PhaseImage, VoxelGrid
from scalebridge.homogenize.driver import homogenize
from scalebridge.material import Conduction
labels = np.load(sys.argv[1])
laws = {0: Conduction.isotropic(1.0), 1: Conduction.isotropic(10.0)}
print(homogenize(PhaseImage(labels, VoxelGrid(labels.shape)), laws).value.tolist())
"""


@pytest.mark.skipif(
    not hasattr(os, "sched_setaffinity"), reason="processors cannot be chosen on this platform"
)
def test_the_number_of_workers_does_not_change_the_numbers(tmp_path: Path) -> None:
    labels = checkered((16, 16))
    np.save(tmp_path / "labels.npy", labels)
    here = homogenize(image(labels), laws_of(False, 1.0, 10.0)).value
    done = subprocess.run(
        [sys.executable, "-c", ONE_CORE, str(tmp_path / "labels.npy")],
        capture_output=True, text=True, timeout=600, check=True,
    )  # fmt: skip
    np.testing.assert_allclose(json.loads(done.stdout), here, rtol=1e-12, atol=1e-14)


# Killed without warning


COMMAND = "import sys; from scalebridge.cli.main import main; sys.exit(main(sys.argv[1:]))"


def command(folder: Path, physics: str, phases: list[str], output: str) -> list[str]:
    given = [word for phase in phases for word in ("--phase", phase)]
    options = ["--physics", physics, *given, "--residual", "1e-6", "--output", output, "--quiet"]
    return [sys.executable, "-c", COMMAND, "homogenize", str(folder / "labels.npy"), *options]


def killed_and_resumed(words: list[str], results: Path, moments: list[float]) -> int:
    """Run, kill after so many seconds without a word, run again ...; returns how often it really was killed."""
    killed = 0
    for seconds in moments:
        process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        try:
            _, told = process.communicate(timeout=seconds)
            assert process.returncode == 0, told
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            killed += 1
        if (results / "result.json").exists():
            return killed  # it had kept so much that it was done before
    subprocess.run(words, check=True, capture_output=True)
    return killed


def values_of(folder: Path) -> dict[str, object]:
    """The record of a run without what may differ: times, memory, and where it came from."""
    record = json.loads((folder / "result.json").read_text("utf-8"))
    del record["provenance"]
    for name in ("seconds", "compile_seconds", "peak_bytes"):
        del record["solver"][name]
    return record


def assert_survives_being_killed(
    tmp_path: Path, labels: np.ndarray, physics: str, phases: list[str], seed: int = 5
) -> int:
    np.save(tmp_path / "labels.npy", labels)
    begin = time.perf_counter()
    subprocess.run(
        command(tmp_path, physics, phases, str(tmp_path / "whole")), check=True, capture_output=True
    )
    seconds = time.perf_counter() - begin
    moments = sorted(np.random.default_rng(seed).uniform(0.3, 0.9, 3) * seconds)
    killed = killed_and_resumed(
        command(tmp_path, physics, phases, str(tmp_path / "killed")), tmp_path / "killed", moments
    )
    assert values_of(tmp_path / "killed") == values_of(tmp_path / "whole")
    return killed


def test_a_run_killed_at_any_moment_ends_with_the_same_bits(tmp_path: Path) -> None:
    killed = assert_survives_being_killed(
        tmp_path, checkered((16, 16, 16)), "elasticity", ["0:E=1,nu=0.3", "1:E=20,nu=0.2"]
    )
    assert killed >= 1
