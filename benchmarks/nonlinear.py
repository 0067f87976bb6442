"""Nonlinear cells: seconds per increment, the cost of the tangent, many small cells at once, and FANS beside them.

    python benchmarks/nonlinear.py [--sizes 32 64] [--fans PROGRAM] [--batch 64]

One sphere of radius 0.25 in the unit cube, periodic. `j2`: an elastic sphere (K 222.2, G 166.7 GPa) in a perfectly
plastic matrix (K 62.5, G 28.8 GPa, yield stress 0.1 GPa), five increments of uniaxial strain up to 0.5 %, past full
yield. `neo-hooke`: both phases compressible neo-Hookean with the same moduli, five increments of simple shear up to
0.2. `one point` is one integration point per voxel (FANS: HEX8R), `eight points` is 2 x 2 x 2 (FANS: HEX8).

Ours is measured twice in one process; the second run, with nothing left to compile, gives the seconds per increment.
`tangent` is the consistent macroscopic tangent at the last increment, all right-hand sides together, over the mean time
of an increment. Tolerance: ours 1e-8 of the stress (in energy); FANS a relative residual of 1e-6 (L2), both cores.
`batch` solves B cells of 16^3 with different strains together, and one by one.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any

from _fans import relative_tolerance, run_fans
from _measuring import Record, fresh, judge, print_table, print_targets, resident

BULK, SHEAR, YIELD = (62.5, 222.222), (28.8462, 166.6667), 0.1
STEPS = 5
STRAIN, SLIDE = 0.005, 0.2
FANS_ELEMENT = {"one point": "HEX8R", "eight points": "HEX8"}
OURS, THEIRS = 1e-8, 1e-6


def _cell(law: str, element: str, size: int) -> Any:
    from scalebridge.cell.boundary import Periodic
    from scalebridge.cell.nonlinear import Integration, NonlinearCell
    from scalebridge.material import Elasticity
    from scalebridge.material.laws import LinearLaw
    from scalebridge.material.laws.j2 import J2Plasticity
    from scalebridge.material.laws.neo_hooke import NeoHooke
    from scalebridge.microstructure import generate

    image = generate.sphere_array(size, radius=0.25)
    laws: dict[int, Any]
    if law == "j2":
        stiff = LinearLaw.of(Elasticity.isotropic(K=BULK[1], G=SHEAR[1]))
        laws = {0: J2Plasticity(BULK[0], SHEAR[0], YIELD), 1: stiff}
    else:
        laws = {n: NeoHooke(BULK[n], SHEAR[n]) for n in (0, 1)}
    integration = {"one point": Integration.ONE_POINT, "eight points": Integration.EIGHT_POINTS}[element]
    return NonlinearCell(image.grid, image.labels, laws, Periodic(), integration)


def _leg(law: str) -> Any:
    from scalebridge.cell.nonlinear.loading import leg_of
    from scalebridge.material import FINITE_STRAIN, SMALL_STRAIN

    if law == "j2":
        return leg_of(SMALL_STRAIN, 3, {"xx": STRAIN}, increments=STEPS)
    return leg_of(FINITE_STRAIN, 3, {"xy": SLIDE}, increments=STEPS)


def measure_path(law: str, element: str, size: int) -> dict[str, Any]:
    """The path twice, then the macroscopic tangent twice."""
    from scalebridge.cell.nonlinear import NewtonKrylov, prepare
    from scalebridge.cell.nonlinear.march import march
    from scalebridge.cell.nonlinear.tangent import macroscopic_tangent
    from scalebridge.numerics.allocator import keep_memory

    keep_memory()  # as `scalebridge path` does
    method, leg = NewtonKrylov(tolerance=OURS), _leg(law)
    batch = prepare(_cell(law, element, size))
    base = resident()[0]
    found: dict[str, Any] = {}
    for name in ("cold", "warm"):
        begin = time.perf_counter()
        taken = list(march(batch, [leg], method))
        found[f"{name}_seconds_per_increment"] = (time.perf_counter() - begin) / len(taken)
    for name in ("cold", "warm"):
        begin = time.perf_counter()
        macroscopic_tangent(batch, taken[-1].balance, method)
        found[f"{name}_tangent_seconds"] = time.perf_counter() - begin
    last = taken[-1].balance
    return {
        **found,
        "tangent_over_increment": found["warm_tangent_seconds"] / found["warm_seconds_per_increment"],
        "newton": [len(t.balance.krylov) for t in taken],
        "krylov": [int(t.balance.krylov.sum()) for t in taken],
        "cuts": sum(t.cuts for t in taken),
        "flux": [float(v) for v in last.flux[0][:2]],
        "bytes_per_voxel": (resident()[1] - base) / size**3,
    }


def measure_batch(count: int, size: int = 16) -> dict[str, Any]:
    """`count` cells with different strains, together and one by one, nothing left to compile."""
    import numpy as np

    from scalebridge.cell.nonlinear import NewtonKrylov, prepare, solve_equilibrium, virgin_start
    from scalebridge.cell.nonlinear.problem import NonlinearCell

    single = _cell("j2", "one point", size)
    many = NonlinearCell(
        single.grid, np.broadcast_to(single.labels, (count, *single.labels.shape)), single.laws,
        single.boundary, single.integration,
    )  # fmt: skip
    strains = np.zeros((count, 6))
    strains[:, 0] = STRAIN * (0.2 + 0.8 * np.arange(count) / count)
    method, free = NewtonKrylov(tolerance=OURS), np.zeros(6, bool)
    together, alone = prepare(many), prepare(single)
    times = {}
    for _ in range(2):
        begin = time.perf_counter()
        all_at_once = solve_equilibrium(together, virgin_start(together), strains, free, 1.0, method)
        times["together"] = time.perf_counter() - begin
    solve_equilibrium(alone, virgin_start(alone), strains[:1], free, 1.0, method)
    begin = time.perf_counter()
    one_by_one = [
        solve_equilibrium(alone, virgin_start(alone), strain[None], free, 1.0, method) for strain in strains
    ]
    times["one_by_one"] = time.perf_counter() - begin
    gap = max(
        float(np.abs(a - b.flux[0]).max()) for a, b in zip(all_at_once.flux, one_by_one, strict=True)
    ) / float(np.abs(all_at_once.flux).max())
    return {**times, "ratio": times["one_by_one"] / times["together"], "largest_gap": gap}


def measure_fans(program: str, law: str, element: str, size: int) -> dict[str, Any]:
    """FANS on the same voxels, elements and increments, both cores."""
    from scalebridge.microstructure import generate

    if law == "j2":
        matrix = {
            "phases": [0], "matmodel": "J2ViscoPlastic_LinearIsotropicHardening",
            "material_properties": {
                "bulk_modulus": [BULK[0]], "shear_modulus": [SHEAR[0]], "yield_stress": [YIELD],
                "isotropic_hardening_parameter": [0.0], "kinematic_hardening_parameter": [0.0],
                "viscosity": [0.0], "time_step": 1.0,
            },
        }  # fmt: skip
        sphere = {
            "phases": [1], "matmodel": "LinearElasticIsotropic",
            "material_properties": {"bulk_modulus": [BULK[1]], "shear_modulus": [SHEAR[1]]},
        }  # fmt: skip
        materials, kind = [matrix, sphere], "small"
        path = [[STRAIN * (n + 1) / STEPS, 0, 0, 0, 0, 0] for n in range(STEPS)]
    else:
        properties = {"bulk_modulus": list(BULK), "shear_modulus": list(SHEAR)}
        materials = [
            {"phases": [0, 1], "matmodel": "CompressibleNeoHookean", "material_properties": properties}
        ]
        kind = "large"
        path = [[1, SLIDE * (n + 1) / STEPS, 0, 0, 1, 0, 0, 0, 1] for n in range(STEPS)]
    labels = generate.sphere_array(size, radius=0.25).labels
    done = run_fans(
        program, 2, labels,
        {
            "strain_type": kind, "materials": materials, "FE_type": FANS_ELEMENT[element], "n_it": 2000,
            "error_parameters": relative_tolerance(THEIRS), "macroscale_loading": [path],
        },
    )  # fmt: skip
    return {
        "cold_seconds": done.seconds,
        "seconds_per_increment": sum(done.totals) / STEPS,
        "iterations": done.iterations,
        "flux": done.stresses[-1][:2] if done.stresses else None,
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sizes", type=int, nargs="+", default=[32, 64])
    parser.add_argument("--laws", nargs="+", default=["j2", "neo-hooke"], choices=["j2", "neo-hooke"])
    parser.add_argument(
        "--elements", nargs="+", default=["one point", "eight points"], choices=list(FANS_ELEMENT)
    )
    parser.add_argument("--fans", help="the program FANS, version 0.6")
    parser.add_argument("--fans-sizes", type=int, nargs="+", default=[32, 64])
    parser.add_argument("--batch", type=int, default=64, help="cells of 16^3 solved together (0: leave out)")
    parser.add_argument("--output", type=Path)
    options = parser.parse_args()
    record = Record("nonlinear", {"of FANS per increment": 0.7, "tangent over increment": 1.5})
    judged, table = [], []
    for law in options.laws:
        for element in options.elements:
            for size in options.sizes:
                ours = fresh(measure_path, law=law, element=element, size=size)
                record.add(law=law, element=element, size=size, program="scalebridge", **ours)
                row = [law, element, size, ours["warm_seconds_per_increment"], sum(ours["newton"])]
                row += [sum(ours["krylov"]), ours["tangent_over_increment"], ours["bytes_per_voxel"]]
                judged.append(
                    judge(
                        f"{law}, {element}, {size}^3: tangent over increment",
                        ours["tangent_over_increment"], 1.5,
                    )
                )  # fmt: skip
                ratio = None
                if options.fans and size in options.fans_sizes:
                    peer = measure_fans(options.fans, law, element, size)
                    record.add(law=law, element=element, size=size, program="FANS", **peer)
                    ratio = ours["warm_seconds_per_increment"] / peer["seconds_per_increment"]
                    judged.append(judge(f"{law}, {element}, {size}^3: of FANS per increment", ratio, 0.7))
                table.append([*row, ratio])
    if options.batch:
        batch = fresh(measure_batch, count=options.batch)
        record.add(law="j2", element="one point", size=16, program="batch", cells=options.batch, **batch)
    columns = ("law", "element", "size", "s/increment", "Newton", "Krylov", "tangent", "B/voxel", "of FANS")
    print_table("nonlinear cells, five increments", columns, table)
    print_targets(judged)
    record.write(options.output, judged=judged)


if __name__ == "__main__":
    main()
