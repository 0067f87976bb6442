"""Large cells on a graphics processor: seconds, and how much of its memory bandwidth is used.

    python benchmarks/gpu.py                      512^3 conduction, 256^3 and 512^3 elasticity; says so without a GPU
    python benchmarks/gpu.py --any-device --conduction 32 --elasticity 32     the same path on whatever there is

Sphere of radius 0.25, contrast 10, periodic, relative residual 1e-6, full integration. Every case is solved twice;
the second solve, which has nothing left to compile, counts. The bandwidth used is the least traffic that an iteration
needs in float32 (110 bytes per voxel for conduction, 325 for elasticity: vectors, their transforms, coefficients),
times voxels and iterations, over the time; the bandwidth measured is that of y = a x + y on arrays of the same size.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any

from _measuring import Record, fresh, judge, print_table, print_targets

BYTES = {"conduction": 110.0, "elasticity": 325.0}  # float32, per voxel and iteration
LIMITS = {("conduction", 512): 1.0, ("elasticity", 256): 1.5}
PEERS = {
    ("conduction", 512): "TauFactor: 26 s for 500^3 on an A6000, quoted",
    ("elasticity", 256): "muGrid: 13.2 s on an MI300A, quoted",
    ("elasticity", 512): "muGrid: out of memory at 384^3 on an MI300A, quoted",
}


def look() -> dict[str, Any]:
    """What jax computes on."""
    import jax

    device = jax.devices()[0]
    return {"platform": device.platform, "device": device.device_kind}


def measure_bandwidth(count: int) -> dict[str, Any]:
    """Bytes per second of y = a x + y in float32: two reads and one write of `count` numbers."""
    import jax
    import jax.numpy as jnp

    step = jax.jit(lambda x, y: 1.0001 * x + y, donate_argnums=1)
    x, y = jnp.ones(count, jnp.float32), jnp.zeros(count, jnp.float32)
    y = step(x, y).block_until_ready()
    repeats = 20
    begin = time.perf_counter()
    for _ in range(repeats):
        y = step(x, y)
    y.block_until_ready()
    return {"bytes_per_second": 12.0 * count * repeats / (time.perf_counter() - begin)}


def measure(physics: str, size: int, residual: float) -> dict[str, Any]:
    """All load cases and the effective tensor; conduction is reported per load case."""
    from _images import make_image
    from scalebridge import Conduction, Elasticity
    from scalebridge.cell.boundary import Periodic
    from scalebridge.cell.moments import moments_of
    from scalebridge.cell.problem import PreconditionedConjugateGradients
    from scalebridge.cell.solve import solve_cell
    from scalebridge.homogenize.effective import effective_tensor
    from scalebridge.homogenize.phases import collect_phases

    laws: dict[int, Any]
    if physics == "elasticity":
        laws = {n: Elasticity.isotropic(E=E, nu=0.3) for n, E in enumerate([1.0, 10.0])}
    else:
        laws = {n: Conduction.isotropic(k=k) for n, k in enumerate([1.0, 10.0])}
    problem = collect_phases(make_image("sphere", size), laws, None, None).problem(Periodic())
    method = PreconditionedConjugateGradients(residual)
    cold = solve_cell(problem, method)
    warm = solve_cell(problem, method)
    begin = time.perf_counter()
    effective = effective_tensor(moments_of(warm), warm.loads, False)
    moments = time.perf_counter() - begin
    steps = sum(warm.iterations)
    return {
        "cold_seconds": cold.seconds,
        "compile_seconds": cold.compile_seconds,
        "solve_seconds": warm.seconds,
        "moments_seconds": moments,
        "loads": len(warm.iterations),
        "iterations": list(warm.iterations),
        "status": str(warm.status),
        "value_xx": float(effective.value[0, 0]),
        "bytes_per_second": BYTES[physics] * size**3 * steps / warm.seconds,
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--conduction", type=int, nargs="*", default=[512], help="voxels per edge")
    parser.add_argument("--elasticity", type=int, nargs="*", default=[256, 512], help="voxels per edge")
    parser.add_argument("--residual", type=float, default=1e-6)
    parser.add_argument("--any-device", action="store_true", help="run on the processor when there is no GPU")
    parser.add_argument("--output", type=Path, help="where the record goes")
    options = parser.parse_args()
    found = fresh(look)
    if found["platform"] == "cpu" and not options.any_device:
        print(
            "No GPU that jax can use: nothing measured, no record written. --any-device runs on the processor."
        )
        return
    targets = {f"{physics} {size}^3 seconds": limit for (physics, size), limit in LIMITS.items()}
    record = Record("gpu", targets)
    device = found["device"]
    cases = [("conduction", n) for n in options.conduction] + [("elasticity", n) for n in options.elasticity]
    judged = []
    for physics, size in cases:
        peak = fresh(measure_bandwidth, count=size**3)["bytes_per_second"]
        row = fresh(measure, physics=physics, size=size, residual=options.residual)
        seconds = row["solve_seconds"] + row["moments_seconds"]
        seconds /= row["loads"] if physics == "conduction" else 1
        share = row["bytes_per_second"] / peak
        record.add(
            physics=physics, size=size, device=device, seconds=seconds, bandwidth=peak,
            share_of_bandwidth=share, **row,
        )  # fmt: skip
        if (physics, size) in LIMITS and found["platform"] != "cpu":
            title = f"{physics} {size}^3, seconds" + (" per load case" if physics == "conduction" else "")
            judged.append(judge(title, seconds, LIMITS[physics, size], PEERS[physics, size]))
    columns = (
        "physics",
        "size",
        "device",
        "loads",
        "iterations",
        "seconds",
        "cold_seconds",
        "share_of_bandwidth",
    )
    print_table("large cells", columns, [[row[c] for c in columns] for row in record.rows])
    print_targets(judged)
    record.write(options.output, judged=judged)


if __name__ == "__main__":
    main()
