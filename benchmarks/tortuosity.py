"""Tortuosity of a segmented image: finite volumes with multigrid conjugate gradients, beside TauFactor.

    python benchmarks/tortuosity.py IMAGE.tif --conducting 0 --sizes 128 256 [--taufactor-python PATH]

Each measurement is a fresh process, so that import and compilation count (`cold`) and peak memory is its own;
a second solve in the same process gives `warm`. TauFactor runs on the same corner of the same image, with the
interpreter named by --taufactor-python. The record is written to benchmarks/records/.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

OURS = """
import json, resource, sys, time
begin = time.perf_counter()
import numpy as np, tifffile
path, size, conducting, goal = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), json.loads(sys.argv[4])
image = tifffile.imread(path)[:size, :size, :size]
index = (image != conducting).astype(np.uint8)
from scalebridge.cell.boundary import OppositeFaces
from scalebridge.cell import finite_volume as fv
import jax
jax.devices()
base = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
k = np.repeat([[1.0], [0.0]], 3, axis=1)
problem = fv.FiniteVolumeProblem(index, k, (1.0,) * 3, OppositeFaces(0))
method = fv.MultigridConjugateGradients(**goal)
solution = fv.solve_finite_volume(problem, method)
cold = time.perf_counter() - begin
peak = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - base) * 1024
begin = time.perf_counter()
solution = fv.solve_finite_volume(problem, method)
warm = time.perf_counter() - begin
value = float(solution.effective[0, 0])
record = dict(tau=float(np.mean(index == 0)) / value, effective=value, cold_seconds=cold, warm_seconds=warm)
record.update(iterations=solution.iterations[0], residual=solution.residual[0], status=str(solution.status))
record.update(energy_error=solution.energy_error[0], bytes_per_voxel=peak / index.size)
print(json.dumps(record))
"""

TAUFACTOR = """
import contextlib, io, json, sys, time
begin = time.perf_counter()
import numpy as np, tifffile, taufactor
path, size, conducting = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
image = (tifffile.imread(path)[:size, :size, :size] == conducting).astype(np.uint8)
with contextlib.redirect_stdout(io.StringIO()):
    solver = taufactor.Solver(image, device="cpu")
    start = time.perf_counter()
    solver.solve()
record = dict(tau=float(np.ravel(solver.tau)[0]), effective=float(np.ravel(solver.D_eff)[0]))
record.update(cold_seconds=time.perf_counter() - begin, warm_seconds=time.perf_counter() - start)
print(json.dumps(dict(record, iterations=int(solver.iter))))
"""


def measure(python: str, code: str, *arguments: str) -> dict[str, Any]:
    """Run `code` in a fresh process and read the JSON of its last line."""
    done = subprocess.run([python, "-c", code, *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"The measurement failed:\n{done.stderr[-2000:]}")
    return json.loads(done.stdout.strip().splitlines()[-1])


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("image")
    parser.add_argument("--conducting", type=int, default=0, help="label of the conducting phase")
    parser.add_argument(
        "--sizes", type=int, nargs="+", default=[128, 256], help="edge of the corner, in voxels"
    )
    parser.add_argument(
        "--taufactor-python", help="interpreter of an environment with TauFactor and tifffile"
    )
    parser.add_argument("--output", type=Path, default=Path(__file__).parent / "records" / "tortuosity.json")
    options = parser.parse_args()
    goals = {"residual 1e-6": {"rtol": 1e-6}, "value 1e-4": {"rtol": None, "value_rtol": 1e-4}}
    rows = []
    for size in options.sizes:
        common = (options.image, str(size), str(options.conducting))
        row: dict[str, Any] = {"size": size, "load_before": os.getloadavg()[0]}
        for name, goal in goals.items():
            row[name] = measure(sys.executable, OURS, *common, json.dumps(goal))
            print(f"{size}^3 {name}: {row[name]}", flush=True)
        if options.taufactor_python:
            other = row["TauFactor"] = measure(options.taufactor_python, TAUFACTOR, *common)
            row["ratios"] = {
                name: {
                    "cold": row[name]["cold_seconds"] / other["cold_seconds"],
                    "warm": row[name]["warm_seconds"] / other["warm_seconds"],
                }
                for name in goals
            }
            print(f"{size}^3 TauFactor: {other}\n{size}^3 ours / TauFactor: {row['ratios']}", flush=True)
        rows.append(row)
    record = {
        "benchmark": "tortuosity",
        "image": Path(options.image).name,
        "date": time.strftime("%Y-%m-%d"),
        "machine": {"cpu": platform.processor() or platform.machine(), "cores": os.cpu_count()},
        "rows": rows,
    }
    options.output.parent.mkdir(parents=True, exist_ok=True)
    options.output.write_text(json.dumps(record, indent=1) + "\n")
    print(f"written: {options.output}")


if __name__ == "__main__":
    main()
