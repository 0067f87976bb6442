"""FANS (version 0.6), the peer of the elastic and nonlinear benchmarks, run on the same voxels as ours."""

from __future__ import annotations

import json
import re
import subprocess
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np


@dataclass(frozen=True)
class FansRun:
    """What FANS printed. seconds: of the whole process; totals, each: solver seconds of every load increment, all of
    its iterations and one of them, no set-up; stresses: mean stress of every increment, six or nine entries."""

    seconds: float
    totals: list[float]
    each: list[float]
    stresses: list[list[float]]

    @property
    def iterations(self) -> list[int]:
        """Of every increment."""
        return [round(total / each) for total, each in zip(self.totals, self.each, strict=True)]


def run_fans(program: str, processes: int, labels: np.ndarray, task: Mapping[str, Any]) -> FansRun:
    """FANS on an image of the unit cube; `task` are the settings that depend on the benchmark."""
    import h5py

    with tempfile.TemporaryDirectory() as folder:
        where = Path(folder)
        with h5py.File(where / "image.h5", "w") as file:
            file["ms"] = labels
        common = {
            "microstructure": {"filepath": "image.h5", "datasetname": "/ms", "L": [1.0, 1.0, 1.0]},
            "problem_type": "mechanical", "method": "cg", "results": ["stress_average"],
        }  # fmt: skip
        (where / "task.json").write_text(json.dumps({**common, **task}))
        command = ["mpiexec", "--allow-run-as-root", "-n", str(processes), str(Path(program).resolve())]
        begin = time.perf_counter()
        done = subprocess.run(
            [*command, "task.json", "result.h5"], cwd=where, capture_output=True, text=True, check=False
        )
        seconds = time.perf_counter() - begin
    if done.returncode:
        raise SystemExit(f"FANS failed (exit code {done.returncode}):\n{(done.stdout + done.stderr)[-3000:]}")
    return read_output(done.stdout, seconds)


def read_output(printed: str, seconds: float) -> FansRun:
    """The figures in what FANS prints."""
    each = [float(v) for v in re.findall(r"Total Time per iteration \.+\s+([\d.]+)", printed)]
    totals = [float(v) for v in re.findall(r"Total Time \.+\s+([\d.]+)", printed)]
    stresses = re.findall(r"Effective Stress \.\. \(([^)]*)\)", printed)
    return FansRun(seconds, totals, each, [[float(v) for v in one.split()] for one in stresses])


def relative_tolerance(value: float) -> dict[str, Any]:
    """FANS stops where its residual in the L2 norm has fallen by this factor."""
    return {"measure": "L2", "type": "relative", "tolerance": value}
