"""Stiffness of a stiff sphere in a cube, six load cases, beside FANS and muGrid on the same image.

    python benchmarks/elasticity.py [--size 128] [--fans PROGRAM] [--mugrid-python PYTHON]

One sphere of radius 0.25 in the unit cube, E = 1 outside and 10 inside, nu = 0.3, periodic, relative residual 1e-6.
`reduced` is one integration point per voxel (FANS: HEX8R), `full` is 2 x 2 x 2 (FANS: HEX8; muGrid: q1).

--fans is the program FANS (version 0.6), run on both cores with mpiexec; its time per iteration is the one it prints,
which counts no set-up. --mugrid-python is an interpreter that has muGrid's wheel, which runs on one core; `warm` is the
set-up of its preconditioner and the six solves, without import. Without them the quoted figures are used, which were
measured on another 2-core machine. Ours: `warm` is the whole tensor a second time in the same process, nothing left to
compile, and the time per iteration is that of the warm solve over its iterations, set-up included; `cold` is the wall
time from the start of the process to the tensor. Like the others' this tensor comes without derivatives;
`derivatives_seconds` is what the moments of all phases take instead, from which those by every phase property follow.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path
from typing import Any

from _fans import relative_tolerance, run_fans
from _measuring import Record, fresh, judge, print_table, print_targets, resident, run_python, since_start

QUOTED = {"fans_seconds_per_iteration": 0.195, "mugrid_seconds": 73.0}
FANS_ELEMENT = {"reduced": "HEX8R", "full": "HEX8"}
# The six unit strains in the order of both codes' six-vectors (xx, yy, zz, and three shears).
UNIT_LOADS = [[1.0 if i == j else 0.0 for j in range(6)] for i in range(6)]


def measure_ours(size: int, element: str, residual: float) -> dict[str, Any]:
    """The whole tensor twice in one process: the first time from its start (`cold`), then with nothing to compile."""
    import numpy as np

    from scalebridge import Elasticity
    from scalebridge.cell.boundary import Periodic
    from scalebridge.cell.modes import Element
    from scalebridge.cell.moments import moments_of
    from scalebridge.cell.problem import PreconditionedConjugateGradients
    from scalebridge.cell.solve import solve_cell
    from scalebridge.homogenize.effective import effective_tensor
    from scalebridge.homogenize.phases import collect_phases
    from scalebridge.microstructure import generate

    image = generate.sphere_array(size, radius=0.25)
    laws = {0: Elasticity.isotropic(E=1.0, nu=0.3), 1: Elasticity.isotropic(E=10.0, nu=0.3)}
    chosen = {"reduced": Element.REDUCED, "full": Element.FULL}[element]
    problem = collect_phases(image, laws, None, None).problem(Periodic(), chosen)
    method = PreconditionedConjugateGradients(residual)
    found: dict[str, Any] = {}
    for name in ("cold", "warm"):
        begin, before = time.perf_counter(), time.process_time()
        solution = solve_cell(problem, method)
        solved, after = time.perf_counter(), time.process_time()
        effective = effective_tensor(moments_of(solution, derivatives=False), solution.loads, False)
        found[f"{name}_solve_seconds"] = solved - begin
        found[f"{name}_solve_processor_seconds"] = after - before
        found[f"{name}_moments_seconds"] = time.perf_counter() - solved
        if name == "cold":
            found["compile_seconds"] = solution.compile_seconds
            found["cold_seconds"] = since_start()
            moments_of(solution)
    begin = time.perf_counter()
    moments_of(solution)
    found["derivatives_seconds"] = time.perf_counter() - begin
    value = np.asarray(effective.value)
    return {
        "cold_seconds": found["cold_seconds"],
        "warm_seconds": found["warm_solve_seconds"] + found["warm_moments_seconds"],
        "seconds_per_iteration": found["warm_solve_seconds"] / sum(solution.iterations),
        "iterations": list(solution.iterations),
        "residual": solution.residual,
        "status": str(solution.status),
        "stress": [value[0, 0], value[1, 0]],
        "peak_bytes": resident()[1],
        **found,
    }


def measure_fans(program: str, processes: int, size: int, element: str, residual: float) -> dict[str, Any]:
    """FANS on the same voxels, one load path per unit strain, relative L2 residual."""
    from scalebridge.microstructure import generate

    bulk, shear = [E / (3 * (1 - 2 * 0.3)) for E in (1.0, 10.0)], [E / (2 * 1.3) for E in (1.0, 10.0)]
    material = {
        "phases": [0, 1], "matmodel": "LinearElasticIsotropic",
        "material_properties": {"bulk_modulus": bulk, "shear_modulus": shear},
    }  # fmt: skip
    done = run_fans(
        program, processes, generate.sphere_array(size, radius=0.25).labels,
        {
            "strain_type": "small", "materials": [material], "FE_type": FANS_ELEMENT[element], "n_it": 500,
            "error_parameters": relative_tolerance(residual),
            "macroscale_loading": [[load] for load in UNIT_LOADS],
        },
    )  # fmt: skip
    return {
        "cold_seconds": done.seconds,
        "warm_seconds": sum(done.totals),
        "seconds_per_iteration": sum(done.totals) / sum(done.iterations),
        "iterations": done.iterations,
        "stress": done.stresses[0][:2],
    }


# Runs in the interpreter that has muGrid: its fused trilinear operator, its Green preconditioner of the mean stiffness
# and its conjugate gradients, as its homogenization example puts them together, on the same voxels.
MUGRID = """
import json, sys, time
import numpy as np
import muGrid
from muGrid.Preconditioners import make_reference_stiffness_preconditioner
from muGrid.Solvers import conjugate_gradients

image, residual = np.load(sys.argv[1]), float(sys.argv[2])
comm = muGrid.Communicator()
engine = muGrid.FFTEngine(
    list(image.shape), comm, nb_ghosts_left=(1, 1, 1), nb_ghosts_right=(1, 1, 1), nb_sub_pts={"quad": 8}
)
space = engine.real_space_collection
spacing = tuple(1.0 / n for n in image.shape)
operator = muGrid.IsotropicStiffnessOperator3D(spacing, muGrid.FEMElement.q1)
displacement, right = space.real_field("u", (3,)), space.real_field("b", (3,))
first, second = space.real_field("lambda"), space.real_field("mu")
E, nu = np.where(image == 1, 10.0, 1.0), 0.3
first.p[...] = E * nu / ((1 + nu) * (1 - 2 * nu))
second.p[...] = E / (2 * (1 + nu))
engine.communicate_ghosts(first)
engine.communicate_ghosts(second)
mean = float(first.p.mean()), float(second.p.mean())

def reference(u, f):
    engine.communicate_ghosts(u)
    operator.apply_uniform(u, *mean, f)

def stiffness(u, f):
    engine.communicate_ghosts(u)
    operator.apply(u, first, second, f)

begin = time.perf_counter()
preconditioner = make_reference_stiffness_preconditioner(engine, reference, 3)
columns, steps = [], []
for i, j in [(0, 0), (1, 1), (2, 2), (1, 2), (0, 2), (0, 1)]:
    strain = np.zeros((3, 3))
    strain[i, j] = strain[j, i] = 1.0
    flat = [float(v) for v in strain.ravel()]
    operator.apply_macro_rhs(first, second, flat, right)
    right.s[...] *= -1.0
    displacement.s[...] = 0.0
    count = [0]
    def callback(iteration, state):
        count[0] = iteration
    conjugate_gradients(
        comm, space, right, displacement, hessp=stiffness, prec=preconditioner, rtol=residual, maxiter=500,
        callback=callback,
    )
    engine.communicate_ghosts(displacement)
    columns.append(np.reshape(operator.average_stress(displacement, first, second, flat), (3, 3)))
    steps.append(count[0])
seconds = time.perf_counter() - begin
stress = [float(columns[0][0, 0]), float(columns[0][1, 1])]
print(json.dumps(dict(warm_seconds=seconds, iterations=steps, stress=stress)))
"""


def measure_mugrid(python: str, size: int, residual: float) -> dict[str, Any]:
    """muGrid on the same voxels (full integration), on one core: its wheel has no threads."""
    import numpy as np

    from scalebridge.microstructure import generate

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "image.npy"
        np.save(path, generate.sphere_array(size, radius=0.25).labels)
        found = run_python(python, MUGRID, str(path), str(residual))
    seconds = found["warm_seconds"]
    found["seconds_per_iteration"] = seconds / sum(found["iterations"])
    return {"cold_seconds": found.pop("process_seconds"), **found}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--size", type=int, default=128, help="voxels per edge")
    parser.add_argument("--residual", type=float, default=1e-6)
    parser.add_argument("--elements", nargs="+", default=["reduced", "full"], choices=list(FANS_ELEMENT))
    parser.add_argument("--fans", help="the program FANS (version 0.6)")
    parser.add_argument("--processes", type=int, default=2, help="MPI processes for FANS")
    parser.add_argument("--mugrid-python", help="interpreter of an environment that has muGrid's wheel")
    parser.add_argument("--output", type=Path, help="where the record goes")
    options = parser.parse_args()
    size, residual = options.size, options.residual
    record = Record("elasticity", {"of FANS per iteration": 0.6, "of muGrid in total": 1 / 8})
    ours, peers = {}, {}
    for element in options.elements:
        ours[element] = fresh(measure_ours, size=size, element=element, residual=residual)
        record.add(code="scalebridge", element=element, size=size, **ours[element])
        if options.fans:
            found = measure_fans(options.fans, options.processes, size, element, residual)
            peers["FANS", element] = found
            record.add(code="FANS", element=element, size=size, processes=options.processes, **found)
    if options.mugrid_python:
        found = measure_mugrid(options.mugrid_python, size, residual)
        peers["muGrid", "full"] = found
        record.add(code="muGrid", element="full", size=size, **found)
    record.write(options.output, judged=judged(size, ours, peers), comparison=compare(record.rows))


def compare(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The table of all codes; the stress under unit strain xx shows that they solve the same problem."""
    columns = (
        "code",
        "element",
        "iterations",
        "seconds_per_iteration",
        "warm_seconds",
        "cold_seconds",
        "derivatives_seconds",
        "stress",
    )
    table = []
    for row in rows:
        stress = " ".join(f"{v:.6f}" for v in row["stress"])
        table.append(
            [row["code"], row["element"], sum(row["iterations"]), *(row.get(c) for c in columns[3:7]), stress]
        )
    print_table("six load cases", columns, table)
    return [dict(zip(columns, line, strict=True)) for line in table]


def judged(size: int, ours: dict[str, Any], peers: dict[Any, Any]) -> list[dict[str, Any]]:
    """The targets; quoted figures of peers hold for 128^3 only."""
    verdicts = []
    for element, found in ours.items():
        peer = peers.get(("FANS", element))
        seconds = peer["seconds_per_iteration"] if peer else QUOTED["fans_seconds_per_iteration"]
        if peer or size == 128:
            origin = "FANS, same run" if peer else "FANS, quoted"
            ratio = found["seconds_per_iteration"] / seconds
            verdicts.append(
                judge(f"{element}: per iteration over {origin}", ratio, 0.6, show_seconds(seconds))
            )
        peer = peers.get(("muGrid", "full"))
        seconds = peer["warm_seconds"] if peer else QUOTED["mugrid_seconds"]
        if peer or size == 128:
            origin = "muGrid, same run" if peer else "muGrid, quoted"
            for name in ("warm", "cold"):
                ratio = found[f"{name}_seconds"] / seconds
                verdicts.append(
                    judge(f"{element}: {name} total over {origin}", ratio, 1 / 8, show_seconds(seconds))
                )
    print_targets(verdicts)
    return verdicts


def show_seconds(seconds: float) -> str:
    return f"{seconds:.3g} s"


if __name__ == "__main__":
    main()
