"""Iterations for every size, contrast, image, boundary condition and physics, as a table and a picture.

    python benchmarks/iterations.py [--sizes 32 64 128 256] [--longest 240] [--restart]

Sphere of radius 0.25 and a 50/50 level cut of a Gaussian field (correlation length 1/14 of the edge; one field on
every grid). The second phase is 0 (void), 10, 100 or 1000 times the first, nu = 0.3. Relative residual 1e-6 in the norm
of the preconditioner, from zero, at most 2000 iterations. Elasticity: the more of the first normal and the first shear
load. Finite volumes with multigrid conjugate gradients stand beside the elements for conduction between faces.
`growth` is the ratio of the largest to the smallest size: 1 is what is wanted.

Every row is written as soon as it is known, and a later run measures only what its record lacks: the benchmark can be
stopped and goes on. A case is not taken to the next size where that would take longer than --longest seconds, judged
by the size before.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from pathlib import Path
from typing import Any

from _images import make_image
from _measuring import FIGURES, RECORDS, Record, fresh, judge, print_table, print_targets

CONTRASTS = [0.0, 10.0, 100.0, 1000.0]
IMAGES = ["sphere", "gaussian"]
BOUNDARIES = ["periodic", "kubc", "subc", "faces"]
# Seconds from one size to the next: eight times the voxels, and dense transforms along every axis of a box.
PERIODIC_FACTOR, BOX_FACTOR = 8.0, 11.0
# "Independent of the grid": at most this many times the iterations on the finest grid as on the coarsest.
GROWTH = 1.25
MAX_STEPS = 2000


def measure(
    physics: str, boundary: str, name: str, size: int, residual: float, contrasts: list[float]
) -> dict[str, Any]:
    """All contrasts of one image in one process: they share the compiled programs."""
    import numpy as np

    from scalebridge import Conduction, Elasticity
    from scalebridge.cell.boundary import (
        AbstractBoundary,
        KinematicUniform,
        OppositeFaces,
        Periodic,
        StaticUniform,
    )
    from scalebridge.cell.problem import PreconditionedConjugateGradients
    from scalebridge.cell.solve import solve_cell
    from scalebridge.homogenize.cells import carried_loads
    from scalebridge.homogenize.phases import collect_phases

    conditions: dict[str, AbstractBoundary] = {
        "periodic": Periodic(),
        "kubc": KinematicUniform(),
        "subc": StaticUniform(),
        "faces": OppositeFaces(0),
    }
    image = make_image(name, size)
    found = []
    for contrast in contrasts:
        laws: dict[int, Any]
        if physics == "elasticity":
            laws = {n: Elasticity.isotropic(E=E, nu=0.3) for n, E in enumerate([1.0, contrast])}
        else:
            laws = {n: Conduction.isotropic(k=k) for n, k in enumerate([1.0, contrast])}
        phases = collect_phases(image, laws, None, None)
        condition = conditions[boundary]
        if physics == "finite volumes":
            found.append({"contrast": contrast, **_volumes(phases, condition, residual)})
            continue
        problem = phases.problem(condition)
        loads = carried_loads(phases, condition, problem)
        if not len(loads):
            found.append({"contrast": contrast, "note": "void on every face carries no prescribed flux"})
            continue
        normal = loads[np.flatnonzero(loads[:, : image.grid.ndim].any(axis=1))[:1]]
        shear = loads[np.flatnonzero(loads[:, image.grid.ndim :].any(axis=1))[:1]]
        chosen = np.concatenate([normal, shear])
        solution = solve_cell(
            problem, PreconditionedConjugateGradients(residual, max_steps=MAX_STEPS), loads=chosen
        )
        found.append(
            {
                "contrast": contrast,
                "iterations": max(solution.iterations),
                "residual": solution.residual,
                "status": str(solution.status),
                "seconds": solution.seconds - solution.compile_seconds,
            }
        )
    return {"cases": found}


def _volumes(phases: Any, condition: Any, residual: float) -> dict[str, Any]:
    from scalebridge.cell.finite_volume import MultigridConjugateGradients, solve_finite_volume
    from scalebridge.homogenize.bracket import volumes_problem

    problem = volumes_problem(phases, condition)
    assert problem is not None
    begin = time.perf_counter()
    solution = solve_finite_volume(problem, MultigridConjugateGradients(rtol=residual, max_steps=MAX_STEPS))
    return {
        "iterations": max(solution.iterations),
        "residual": max(solution.residual),
        "status": str(solution.status),
        "seconds": time.perf_counter() - begin,
    }


def cases_of(boundaries: list[str], physics: list[str], images: list[str]) -> list[tuple[str, ...]]:
    """Physics, boundary and image of every line of the table."""
    found: list[tuple[str, ...]] = []
    for one in physics:
        for boundary in boundaries:
            if one == "finite volumes" and boundary != "faces":
                continue
            found += [(one, boundary, name) for name in images]
    return found


def earlier_rows(path: Path, residual: float) -> list[dict[str, Any]]:
    """The rows of an earlier run to the same residual and limit; none where there is no such record."""
    if not path.is_file():
        return []
    content = json.loads(path.read_text())
    same = content.get("residual") == residual and content.get("limit") == MAX_STEPS
    return content.get("rows", []) if same else []


def affordable(physics: str, boundary: str, size: int, before: dict[str, Any] | None, longest: float) -> bool:
    """Whether a case is worth taking to `size`, given its row at the size before (None: the first)."""
    if before is None or before.get("iterations") is None:
        return True
    box = physics == "elasticity" and boundary != "periodic"
    doublings = math.log2(size / before["size"])
    return before["seconds"] * (BOX_FACTOR if box else PERIODIC_FACTOR) ** doublings <= longest


def lines_of(rows: list[dict[str, Any]], sizes: list[int]) -> list[dict[str, Any]]:
    """One line per physics, boundary, image and contrast: iterations by size, and their growth."""
    lines: dict[tuple[Any, ...], dict[int, Any]] = {}
    for row in rows:
        key = (row["physics"], row["boundary"], row["image"], row["contrast"])
        lines.setdefault(key, {})[row["size"]] = row.get("iterations")
    table = []
    for key, counts in lines.items():
        known = [counts[n] for n in sizes if counts.get(n)]
        growth = known[-1] / known[0] if len(known) > 1 else None
        names = dict(zip(("physics", "boundary", "image", "contrast"), key, strict=True))
        table.append({**names, "iterations": {str(n): counts.get(n) for n in sizes}, "growth": growth})
    return table


def judged(table: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Per physics and boundary condition the worst growth; no verdict in its favour where a count hit the limit."""
    groups: dict[str, list[dict[str, Any]]] = {}
    for line in table:
        if any(line["iterations"].values()):
            groups.setdefault(f"{line['physics']}, {line['boundary']}", []).append(line)
    verdicts = []
    for name, lines in groups.items():
        counts = [line["iterations"].values() for line in lines]
        stuck = any(count is not None and count >= MAX_STEPS for row in counts for count in row)
        growths = [line["growth"] for line in lines if line["growth"]]
        worst = max(growths) if growths and not stuck else None
        title = f"{name}: worst growth from the coarsest to the finest grid"
        verdicts.append(judge(title, worst, GROWTH))
    return verdicts


def draw(table: list[dict[str, Any]], sizes: list[int], path: Path) -> None:
    """Iterations over size, one panel per physics and image, a colour per boundary, a marker per contrast."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    physics = list(dict.fromkeys(line["physics"] for line in table))
    images = list(dict.fromkeys(line["image"] for line in table))
    figure, axes = plt.subplots(
        len(images), len(physics), figsize=(3.6 * len(physics) + 1.6, 3.0 * len(images)), sharex=True,
        squeeze=False, layout="constrained",
    )  # fmt: skip
    colours = dict(zip(BOUNDARIES, ("#0072b2", "#d55e00", "#009e73", "#cc79a7"), strict=True))
    markers = dict(zip(CONTRASTS, "osD^", strict=True))
    for row, name in enumerate(images):
        for column, one in enumerate(physics):
            panel = axes[row][column]
            for line in table:
                if line["physics"] != one or line["image"] != name:
                    continue
                points = [(n, line["iterations"][str(n)]) for n in sizes if line["iterations"][str(n)]]
                if points:
                    panel.plot(
                        *zip(*points, strict=True), color=colours[line["boundary"]],
                        marker=markers[line["contrast"]], markersize=4, linewidth=1,
                    )  # fmt: skip
            panel.set_title(f"{one}, {name}", fontsize=10)
            panel.set_xscale("log", base=2)
            panel.set_xticks(sizes, [str(n) for n in sizes])
            panel.set_ylim(bottom=0)
            panel.grid(alpha=0.3)
            if row == len(images) - 1:
                panel.set_xlabel("voxels per edge")
            if column == 0:
                panel.set_ylabel("iterations to 1e-6")
    handles = [plt.Line2D([], [], color=c, label=name) for name, c in colours.items()]
    handles += [
        plt.Line2D([], [], color="0.4", linestyle="", marker=m, markersize=4, label=f"contrast {c:g}")
        for c, m in markers.items()
    ]
    figure.legend(handles=handles, loc="outside right upper", fontsize=8, frameon=False)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110)
    print(f"written: {path}")


def measure_case(
    record: Record, path: Path, case: tuple[str, ...], sizes: list[int], options: argparse.Namespace
) -> None:
    """All sizes and contrasts of one physics, boundary and image that the record lacks."""
    physics, boundary, name = case
    contrasts = list(options.contrasts)

    def found(size: int, contrast: float) -> dict[str, Any] | None:
        key = {"physics": physics, "boundary": boundary, "image": name, "size": size, "contrast": contrast}
        return next((row for row in record.rows if key.items() <= row.items()), None)

    for n, size in enumerate(sizes):
        wanted = []
        for contrast in contrasts:
            smaller = [row for m in sizes[:n] if (row := found(m, contrast)) is not None]
            before = smaller[-1] if smaller else None
            if before is None and n > 0:
                continue  # not taken to the size before: not to this one either
            if found(size, contrast) is None and affordable(physics, boundary, size, before, options.longest):
                wanted.append(contrast)
        if not wanted:
            continue
        result = fresh(
            measure, physics=physics, boundary=boundary, name=name, size=size,
            residual=options.residual, contrasts=wanted,
        )  # fmt: skip
        for row in result["cases"]:
            record.add(physics=physics, boundary=boundary, image=name, size=size, **row)
        record.write(path)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sizes", type=int, nargs="+", default=[32, 64], help="voxels per edge")
    parser.add_argument("--boundaries", nargs="+", default=BOUNDARIES, choices=BOUNDARIES)
    kinds = ["conduction", "elasticity", "finite volumes"]
    parser.add_argument("--physics", nargs="+", default=kinds, choices=kinds)
    parser.add_argument("--images", nargs="+", default=IMAGES, choices=IMAGES)
    parser.add_argument("--contrasts", type=float, nargs="+", default=CONTRASTS)
    parser.add_argument("--residual", type=float, default=1e-6)
    parser.add_argument("--output", type=Path, help="where the record goes")
    parser.add_argument("--figure", type=Path, default=FIGURES / "benchmark_iterations.png")
    parser.add_argument("--longest", type=float, default=240.0, help="seconds that one case may take")
    parser.add_argument("--restart", action="store_true", help="measure again what the record has")
    options = parser.parse_args()
    sizes = sorted(options.sizes)
    record = Record("iterations", {"iterations of the finest over the coarsest grid": GROWTH})
    record.content.update(residual=options.residual, limit=MAX_STEPS)
    path = options.output or RECORDS / "iterations.json"
    if not options.restart:
        record.rows.extend(earlier_rows(path, options.residual))
    for case in cases_of(options.boundaries, options.physics, options.images):
        measure_case(record, path, case, sizes, options)
    sizes = sorted({*sizes, *(row["size"] for row in record.rows)})
    table = lines_of(record.rows, sizes)
    columns = ("physics", "boundary", "image", "contrast", *map(str, sizes), "growth")
    printed = [
        [*(line[c] for c in columns[:4]), *line["iterations"].values(), line["growth"]] for line in table
    ]
    print_table(f"iterations to {options.residual:g}", columns, printed)
    growing = [line for line in table if line["growth"] and line["growth"] > GROWTH]
    print(
        f"{len(growing)} of {len(table)} lines grow by more than {GROWTH:g} from {sizes[0]} to {sizes[-1]}."
    )
    draw(table, sizes, options.figure)
    verdicts = judged(table)
    print_targets(verdicts)
    record.write(path, table=table, judged=verdicts)


if __name__ == "__main__":
    main()
