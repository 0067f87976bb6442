"""Peak memory in bytes per voxel, each case in its own process.

    python benchmarks/memory.py [--size 256] [--cases homogenize-conduction-electrode]

What counts is the most memory the process ever held minus what it held just before, with everything imported, a tiny
cell of the same kind solved (the libraries' own memory) and the image loaded (one byte per voxel). Fields on disk do
not count. `cell` is the cell solver with its fluctuations kept, `homogenize` the whole job at 1 %, `faces` the same
between two faces (tortuosity).
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from typing import Any

from _images import make_image
from _measuring import Record, fresh, judge, print_table, print_targets, resident

LIMITS = {"conduction": 70.0, "elasticity": 160.0}
CASES = [
    ("cell", "conduction", "sphere"),
    ("cell", "elasticity", "sphere"),
    ("homogenize", "conduction", "sphere"),
    ("homogenize", "conduction", "electrode"),
    ("homogenize", "elasticity", "sphere"),
    ("faces", "conduction", "electrode"),
]


def measure(level: str, physics: str, void: bool, path: str, accuracy: float, loads: int) -> dict[str, Any]:
    """Peak over baseline of one solve of the labels in the file `path`."""
    import numpy as np

    from scalebridge import Conduction, Elasticity, homogenize
    from scalebridge.cell.boundary import OppositeFaces, Periodic
    from scalebridge.cell.problem import PreconditionedConjugateGradients
    from scalebridge.cell.solve import solve_cell
    from scalebridge.grid import PhaseImage, VoxelGrid
    from scalebridge.homogenize.phases import collect_phases

    if physics == "conduction":
        laws: dict[int, Any] = {
            n: Conduction.isotropic(k=k) for n, k in enumerate([1.0, 0.0 if void else 10.0])
        }
    else:
        laws = {n: Elasticity.isotropic(E=E, nu=0.3) for n, E in enumerate([1.0, 0.0 if void else 10.0])}

    def solve(labels: Any) -> Any:
        image = PhaseImage(labels, VoxelGrid(labels.shape))
        if level != "cell":
            boundary = OppositeFaces(0) if level == "faces" else Periodic()
            result = homogenize(image, laws, boundary=boundary, accuracy=accuracy, throw=False)
            return result.solver.iterations, result.solver.seconds
        problem = collect_phases(image, laws, None, None).problem(Periodic())
        solution = solve_cell(problem, PreconditionedConjugateGradients(1e-4), loads=problem.loads()[:loads])
        return solution.iterations, solution.seconds

    labels = np.load(path)
    step = labels.shape[0] // 16
    solve(np.ascontiguousarray(labels[::step, ::step, ::step]))
    baseline, peak_before = resident()
    iterations, seconds = solve(labels)
    _, peak = resident()
    return {
        "bytes_per_voxel": (peak - baseline) / labels.size,
        "baseline_bytes": baseline,
        "peak_bytes": peak,
        "measured": peak > peak_before,
        "iterations": list(iterations),
        "seconds": seconds,
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--size", type=int, default=256, help="voxels per edge")
    parser.add_argument("--accuracy", type=float, default=0.01, help="of the whole jobs")
    parser.add_argument("--loads", type=int, default=2, help="load cases of `cell`")
    names = ["-".join(case) for case in CASES]
    parser.add_argument(
        "--cases", nargs="+", default=names, choices=names, metavar="CASE", help=", ".join(names)
    )
    parser.add_argument("--output", type=Path, help="where the record goes")
    options = parser.parse_args()
    record = Record("memory", {f"{name}, bytes per voxel": limit for name, limit in LIMITS.items()})
    with tempfile.TemporaryDirectory() as folder:
        for level, physics, name in CASES:
            if "-".join((level, physics, name)) not in options.cases:
                continue
            import numpy as np

            path = Path(folder) / f"{name}.npy"
            if not path.exists():  # Generating takes more memory than solving: not in the process measured.
                np.save(path, make_image(name, options.size).labels)
            found = fresh(
                measure, level=level, physics=physics, void=name == "electrode", path=str(path),
                accuracy=options.accuracy, loads=options.loads,
            )  # fmt: skip
            record.add(level=level, physics=physics, image=name, size=options.size, **found)
    columns = ("level", "physics", "image", "size", "bytes_per_voxel", "seconds", "iterations")
    print_table("peak memory over baseline", columns, [[row[c] for c in columns] for row in record.rows])
    judged = [
        judge(
            f"{row['level']}, {row['physics']}, {row['image']}",
            row["bytes_per_voxel"],
            LIMITS[row["physics"]],
        )
        for row in record.rows
    ]
    print_targets(judged)
    record.write(options.output, judged=judged)


if __name__ == "__main__":
    main()
