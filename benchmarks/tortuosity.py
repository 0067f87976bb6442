"""Tortuosity of a segmented image: finite volumes with multigrid conjugate gradients, beside TauFactor.

    python benchmarks/tortuosity.py [IMAGE.tif --conducting 0] [--sizes 128 256] [--taufactor-python PYTHON]

The conducting phase between two faces at different potentials, no flux through the sides, along the image's first
stored axis. Without IMAGE: the reference electrode where the reference images are there, else a generated one. Each
measurement is a fresh process, so that import and compilation count (`cold`) and peak memory is its own; a second
solve in the same process gives `warm`. TauFactor (on the CPU, with its default criterion) runs on the same corner of
the same image with the interpreter named by --taufactor-python; without it the quoted figures are used, which were
measured on another 2-core machine and hold for the electrode.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from _images import ELECTRODE, make_image
from _measuring import Record, fresh, judge, print_table, print_targets, resident, run_python, since_start

GOALS: dict[str, dict[str, Any]] = {
    "residual 1e-6": {"rtol": 1e-6},
    "value 1e-4": {"rtol": None, "value_rtol": 1e-4},
}
# TauFactor 1.2 on two cores: seconds for the whole electrode with import, and for its 128^3 corner without.
QUOTED = {256: {"cold_seconds": 94.0, "warm_seconds": 94.0, "tau": 2.0776}, 128: {"warm_seconds": 1.4}}
CONVERGED = (
    2.07716  # the whole electrode along its first axis, TauFactor's notebook with its criterion at 1e-3
)
LIMITS = {256: ("cold", 1 / 12), 128: ("warm", 0.5)}

TAUFACTOR = """
import contextlib, io, json, sys, time
begin = time.perf_counter()
import numpy as np, taufactor
image = np.load(sys.argv[1])
with contextlib.redirect_stdout(io.StringIO()):
    start = time.perf_counter()
    solver = taufactor.Solver((image == 0).astype(np.uint8), device="cpu")
    solver.solve()
record = dict(tau=float(np.ravel(solver.tau)[0]), effective=float(np.ravel(solver.D_eff)[0]))
record.update(warm_seconds=time.perf_counter() - start, iterations=[int(solver.iter)])
print(json.dumps(record))
"""


def measure(path: str, goal: dict[str, Any]) -> dict[str, Any]:
    """Two solves of the phase numbers in `path` (0 conducts): the first cold, the second warm."""
    from scalebridge.cell.boundary import OppositeFaces
    from scalebridge.cell.finite_volume import (
        FiniteVolumeProblem,
        MultigridConjugateGradients,
        solve_finite_volume,
    )

    index = np.load(path)
    baseline, _ = resident()
    conductivity = np.repeat([[1.0], [0.0]], 3, axis=1)
    problem = FiniteVolumeProblem(index, conductivity, (1.0,) * 3, OppositeFaces(0))
    method = MultigridConjugateGradients(**goal)
    solution = solve_finite_volume(problem, method)
    cold, peak = since_start(), resident()[1]
    begin = time.perf_counter()
    solution = solve_finite_volume(problem, method)
    warm = time.perf_counter() - begin
    value = float(solution.effective[0, 0])
    return {
        "tau": float(np.mean(index == 0)) / value,
        "effective": value,
        "cold_seconds": cold,
        "warm_seconds": warm,
        "iterations": list(solution.iterations),
        "residual": solution.residual[0],
        "energy_error": solution.energy_error[0],
        "status": str(solution.status),
        "bytes_per_voxel": (peak - baseline) / index.size,
    }


def read_labels(options: argparse.Namespace) -> tuple[str, np.ndarray]:
    """The image's name and 0 where it conducts, 1 elsewhere."""
    import tifffile

    if options.image is None and not ELECTRODE.is_file():
        return "generated", make_image("electrode", max(options.sizes)).labels
    path = Path(options.image or ELECTRODE)
    return path.stem, (tifffile.imread(path) != options.conducting).astype(np.uint8)


def judged(name: str, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The targets, for every goal of ours; quoted figures hold for the electrode only."""
    verdicts = []
    for size in sorted({row["size"] for row in rows}):
        here = [row for row in rows if row["size"] == size]
        measured = next((row for row in here if row["code"] == "TauFactor"), None)
        peer = measured or (QUOTED.get(size) if name == ELECTRODE.stem else None)
        if peer is None or size not in LIMITS:
            continue
        origin = "same run" if measured else "quoted"
        which, limit = LIMITS[size]
        for row in here:
            if row["code"] == "TauFactor":
                continue
            seconds = peer[f"{which}_seconds"]
            ratio = row[f"{which}_seconds"] / seconds
            title = f"{size}^3, {row['goal']}: {which} over TauFactor, {origin}"
            verdicts.append(judge(title, ratio, limit, f"{seconds:.3g} s"))
            if size == 256 and name == ELECTRODE.stem:
                theirs = abs(peer["tau"] - CONVERGED)
                title = f"{size}^3, {row['goal']}: distance of tau from {CONVERGED}"
                verdicts.append(judge(title, abs(row["tau"] - CONVERGED), theirs, f"tau = {peer['tau']:.5f}"))
    print_targets(verdicts)
    return verdicts


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("image", nargs="?", help="a TIFF of labels")
    parser.add_argument("--conducting", type=int, default=0, help="label of the conducting phase")
    parser.add_argument(
        "--sizes", type=int, nargs="+", default=[128, 256], help="edge of the corner, in voxels"
    )
    parser.add_argument("--taufactor-python", help="interpreter of an environment that has TauFactor")
    parser.add_argument("--output", type=Path, help="where the record goes")
    options = parser.parse_args()
    name, labels = read_labels(options)
    record = Record("tortuosity", {f"{n}^3 {w} over TauFactor": limit for n, (w, limit) in LIMITS.items()})
    with tempfile.TemporaryDirectory() as folder:
        for size in options.sizes:
            path = Path(folder) / f"corner{size}.npy"
            np.save(path, labels[:size, :size, :size])
            for words, goal in GOALS.items():
                record.add(
                    code="scalebridge", goal=words, size=size, **fresh(measure, path=str(path), goal=goal)
                )
            if options.taufactor_python:
                found = run_python(options.taufactor_python, TAUFACTOR, str(path))
                found["cold_seconds"] = found["process_seconds"]
                record.add(code="TauFactor", goal="default", size=size, **found)
    columns = ("code", "goal", "size", "tau", "iterations", "warm_seconds", "cold_seconds", "bytes_per_voxel")
    print_table(f"tortuosity of {name}", columns, [[row.get(c) for c in columns] for row in record.rows])
    record.write(options.output, image=name, judged=judged(name, record.rows))


if __name__ == "__main__":
    main()
