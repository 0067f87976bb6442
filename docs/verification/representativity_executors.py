"""One study on every kind of executor: the numbers must not depend on where the cells were solved.

Dask and MPI run in a process of their own, as a user's script does: python representativity_executors.py KIND.
"""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path

SIZES, SAMPLES = (6, 8), 4


def study(workers: object, sizes: Sequence[int] = SIZES, samples: int = SAMPLES) -> list[list[str]]:
    """All apparent tensors, as exact text, of a mosaic under periodic and kinematic conditions."""
    from scalebridge import Conduction
    from scalebridge.cell.boundary import KinematicUniform, Periodic
    from scalebridge.homogenize.representative import (
        GeneratorEnsemble,
        RepresentativityProblem,
        SamplingMethod,
        representativity,
    )
    from scalebridge.homogenize.representative.apparent import Material
    from scalebridge.microstructure.generators import VoronoiMosaic

    laws = Material({0: Conduction.isotropic(k=1.0), 1: Conduction.isotropic(k=10.0)})
    source = GeneratorEnsemble(VoronoiMosaic((sizes[0],) * 3, 27.0), seed=3)
    problem = RepresentativityProblem(source, laws, tuple(sizes), (Periodic(), KinematicUniform()))
    result = representativity(problem, SamplingMethod(samples, workers=workers))  # type: ignore[arg-type]
    return [[float(v).hex() for v in row.values.reshape(-1)] for row in result.statistics]


def here() -> list[list[str]]:
    from scalebridge.homogenize.representative.ensemble import Workers

    return study(Workers(count=1))


def own_processes() -> list[list[str]]:
    from scalebridge.homogenize.representative.ensemble import Workers

    return study(Workers(count=2, chunk=3))


def threads() -> list[list[str]]:
    from scalebridge.homogenize.representative.ensemble import Workers

    with ThreadPoolExecutor(2) as executor:
        return study(Workers(executor=executor))


def processes() -> list[list[str]]:
    import multiprocessing

    from scalebridge.homogenize.representative.ensemble import Workers

    with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("spawn")) as executor:
        return study(Workers(executor=executor, chunk=1))


def dask() -> list[list[str]]:
    return as_script([sys.executable, __file__, "dask"])


def mpi() -> list[list[str]]:
    """Three ranks: one hands out, two solve."""
    return as_script(["mpiexec", "-n", "3", sys.executable, "-m", "mpi4py.futures", __file__, "mpi"])


def as_script(command: Sequence[str]) -> list[list[str]]:
    """The study's numbers as another process prints them. Fails with what it said (RuntimeError)."""
    root = str(Path(__file__).resolve().parent.parent.parent)
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([root, os.environ.get("PYTHONPATH", "")]).rstrip(os.pathsep),
        # Open MPI refuses root and more ranks than cores unless told so; other implementations ignore this.
        "OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
        "OMPI_MCA_rmaps_base_oversubscribe": "1",
    }  # fmt: skip
    done = subprocess.run(
        list(command), capture_output=True, text=True, check=False, env=environment, timeout=600
    )
    lines = [line for line in done.stdout.splitlines() if line.startswith("[[")]
    if done.returncode or not lines:
        raise RuntimeError(f"{' '.join(command)} failed (exit code {done.returncode}): {done.stderr[-2000:]}")
    return json.loads(lines[-1])


def lacking(kind: str) -> str:
    """Why a kind cannot run on this machine, or nothing."""
    if kind == "dask" and importlib.util.find_spec("distributed") is None:
        return "dask.distributed is not installed (pip install scalebridge[parallel])"
    if kind == "mpi":
        if importlib.util.find_spec("mpi4py") is None:
            return "mpi4py is not installed"
        if shutil.which("mpiexec") is None:
            return "there is no mpiexec"
    return ""


KINDS = {
    "threads": ("ThreadPoolExecutor, 2 threads", threads),
    "own processes": ("Workers(count=2): processes of its own", own_processes),
    "processes": ("ProcessPoolExecutor, 2 processes, one cell at a time", processes),
    "dask": ("Dask: Client.get_executor(), 2 workers", dask),
    "mpi": ("mpi4py.futures.MPIPoolExecutor, 3 ranks", mpi),
}


def largest_difference(found: list[list[str]], expected: list[list[str]]) -> float:
    """Largest difference of two studies; infinite when one lacks an entry."""
    if [len(row) for row in found] != [len(row) for row in expected]:
        return float("inf")
    pairs = [
        (a, b) for row, other in zip(found, expected, strict=True) for a, b in zip(row, other, strict=True)
    ]
    return max(abs(float.fromhex(a) - float.fromhex(b)) for a, b in pairs)


def tables(data: Path | None) -> list[object]:
    from docs.verification.record import Row, Table

    expected = here()
    rows = []
    for kind, (words, run) in KINDS.items():
        reason = lacking(kind)
        if reason:
            rows.append(Row(f"{words}: largest difference", None, 0.0, note=f"Not run: {reason}."))
            continue
        begin = time.perf_counter()
        found = run()
        note = f"{time.perf_counter() - begin:.1f} s, start of the workers included"
        rows.append(
            Row(f"{words}: largest difference", largest_difference(found, expected), 0.0, 0.0, note=note)
        )
    return [
        Table(
            "The same study on every executor",
            f"{SAMPLES} mosaics each of {' and '.join(f'{n}^3' for n in SIZES)} voxels under periodic and kinematic "
            "conditions, against the same study in one process. Not a digit may differ. How to use them: "
            "[running in parallel](running-in-parallel.md).",
            tuple(rows),
        )
    ]


def _script(kind: str) -> None:
    from scalebridge.homogenize.representative.ensemble import Workers

    if kind == "dask":
        from dask.distributed import Client

        with Client(n_workers=2, threads_per_worker=1, dashboard_address=None) as client:
            print(json.dumps(study(Workers(executor=client.get_executor()))), flush=True)
    else:
        from mpi4py.futures import MPIPoolExecutor

        with MPIPoolExecutor() as executor:
            print(json.dumps(study(Workers(executor=executor))), flush=True)


if __name__ == "__main__":
    _script(sys.argv[1])
