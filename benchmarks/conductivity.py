"""The full conductivity tensor with its error budget, from a cold process: `scalebridge.homogenize` at 1 %.

    python benchmarks/conductivity.py [--sizes 64 128]

`seconds` counts from the start of the interpreter to the printed result: imports, compilation (the compilation cache
is empty), connectivity, coarse images, the guaranteed bracket, bounds and sensitivities. Three images: a sandstone
whose pores conduct and whose grains do not (Berea where the reference images are there, else a generated one), the
same sandstone with contrast 3, and a sphere that conducts ten times better than the rest.
"""

from __future__ import annotations

import argparse
import itertools
import time
from pathlib import Path
from typing import Any

from _images import BEREA, make_image
from _measuring import Record, fresh, judge, print_table, print_targets, resident, since_start

LIMITS = {64: 8.0, 128: 15.0}


def measure(name: str, size: int, conductivities: list[float], accuracy: float) -> dict[str, Any]:
    """One call of `homogenize` in this process, and where its time went, as its progress messages tell."""
    from scalebridge import Conduction, homogenize
    from scalebridge.core.progress import AbstractProgress

    class Clock(AbstractProgress):
        """Notes when each stage begins, in wall and in processor time."""

        def __init__(self) -> None:
            self.stages: list[tuple[str, float, float]] = []

        def note(self, name: str) -> None:
            self.stages.append((name, since_start(), time.process_time()))

        def update(self, stage: str, done: float, total: float, message: str = "") -> None:
            level = message.split(",")[0] if "voxels" in message else ""
            name = f"{stage} {level}".strip()
            if stage == "solve" and not level:
                return
            if not self.stages or self.stages[-1][0] != name:
                self.note(name)

    clock = Clock()
    clock.note("image")
    image = make_image(name, size)
    laws = {n: Conduction.isotropic(k=k) for n, k in enumerate(conductivities)}
    clock.note("before")
    result = homogenize(image, laws, accuracy=accuracy, progress=clock, throw=False)
    str(result)
    clock.note("end")
    spent: dict[str, list[float]] = {}
    for (stage, *start), (_, *stop) in itertools.pairwise([("start", 0.0, 0.0), *clock.stages]):
        before = spent.get(stage, [0.0, 0.0])
        spent[stage] = [round(t + b - a, 3) for t, a, b in zip(before, start, stop, strict=True)]
    bracket = result.bracket
    return {
        "seconds": clock.stages[-1][1],
        "k_xx": float(result.value[0, 0]),
        "total_error": result.error.total,
        "largest_term": result.error.largest.name if result.error.largest else None,
        "status": str(result.status),
        "bracket_xx": [float(bracket.lower[0, 0]), float(bracket.upper[0, 0])] if bracket else None,
        "iterations": list(result.solver.iterations),
        "compile_seconds": result.solver.compile_seconds,
        "peak_bytes": resident()[1],
        "spent": spent,  # wall and processor seconds per stage
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sizes", type=int, nargs="+", default=[64, 128], help="voxels per edge")
    parser.add_argument("--accuracy", type=float, default=0.01)
    parser.add_argument("--output", type=Path, help="where the record goes")
    options = parser.parse_args()
    rock = "berea" if BEREA.is_file() else "sandstone"
    cases = [(rock, [1.0, 0.0]), (rock, [1.0, 3.0]), ("sphere", [1.0, 10.0])]
    record = Record("conductivity", {f"{n}^3 seconds": limit for n, limit in LIMITS.items()})
    for size in options.sizes:
        for name, conductivities in cases:
            if name == "berea" and size > 128:
                continue
            found = fresh(
                measure, name=name, size=size, conductivities=conductivities, accuracy=options.accuracy
            )
            record.add(image=name, size=size, conductivities=conductivities, **found)
    columns = (
        "image",
        "size",
        "conductivities",
        "seconds",
        "compile_seconds",
        "k_xx",
        "total_error",
        "status",
    )
    print_table("cold process", columns, [[row[c] for c in columns] for row in record.rows])
    judged = [
        judge(
            f"{row['image']} {row['size']}^3, k = {row['conductivities']}",
            row["seconds"],
            LIMITS[row["size"]],
        )
        for row in record.rows
        if row["size"] in LIMITS
    ]
    print_targets(judged)
    record.write(options.output, judged=judged)


if __name__ == "__main__":
    main()
