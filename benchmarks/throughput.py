"""Cells per minute of a representativity study, and what a second process is worth.

    python benchmarks/throughput.py [--size 64] [--samples 24] [--rounds 3]

Poisson-Voronoi mosaic (cells 8 voxels wide, half of each phase, contrast 10), windows of 64^3 voxels, drawn and solved
under periodic conditions: the full conductivity tensor of each, three load cases, to the default error. The study runs
in one process of its own and in two, each with one thread, and in the calling process with all its threads. Per minute:
samples over the seconds of the study, drawing and statistics included, once its processes have started and compiled;
best of the rounds. Every round draws other samples and nothing is stored, so that nothing is known from before.
"""

from __future__ import annotations

import argparse
import os
import time
from pathlib import Path
from typing import Any

from _measuring import Record, fresh, judge, print_table, print_targets

PER_MINUTE, SPEEDUP = 20.0, 1.7
# How many processes of their own; 0: none.
PLACES = {"one process": 1, "two processes": 2, "calling process": 0}


def measure(size: int, samples: int, rounds: int, place: str) -> dict[str, Any]:
    """Seconds of every round after a first one that starts processes and compiles."""
    import multiprocessing
    from concurrent.futures import ProcessPoolExecutor
    from contextlib import ExitStack

    import numpy as np

    from scalebridge import Conduction
    from scalebridge.homogenize.representative import (
        GeneratorEnsemble,
        RepresentativityProblem,
        SamplingMethod,
        representativity,
    )
    from scalebridge.homogenize.representative.apparent import Material
    from scalebridge.homogenize.representative.ensemble import Workers
    from scalebridge.microstructure.generators import VoronoiMosaic

    laws = Material({0: Conduction.isotropic(k=1.0), 1: Conduction.isotropic(k=10.0)})
    count = PLACES[place]
    seconds, means = [], []
    with ExitStack() as stack:
        executor = None
        if count:
            context = multiprocessing.get_context("spawn")
            executor = stack.enter_context(
                ProcessPoolExecutor(count, mp_context=context, initializer=take_one_thread)
            )
        for number in range(rounds + 1):
            source = GeneratorEnsemble(VoronoiMosaic((size,) * 3, 8.0**3, 0.5), seed=number)
            problem = RepresentativityProblem(source, laws, sizes=(size,))
            method = SamplingMethod(realizations=samples, workers=Workers(max(count, 1), executor, chunk=1))
            begin = time.perf_counter()
            result = representativity(problem, method)
            seconds.append(time.perf_counter() - begin)
            row = result.at(size, result.preferred)
            means.append(float(np.trace(row.mean) / 3))
    return {"first_round": seconds[0], "rounds": seconds[1:], "means": means}


def take_one_thread() -> None:
    """Called in a fresh process before anything heavy is loaded."""
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ[name] = "1"
    os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--size", type=int, default=64, help="voxels per edge")
    parser.add_argument("--samples", type=int, default=24, help="of one round")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--output", type=Path, help="where the record goes")
    options = parser.parse_args()
    record = Record("throughput", {"tensors per minute": PER_MINUTE, "two processes over one": SPEEDUP})
    rates: dict[str, float] = {}
    for place in PLACES:
        found = fresh(measure, size=options.size, samples=options.samples, rounds=options.rounds, place=place)
        rates[place] = 60 * options.samples / min(found["rounds"])
        record.add(place=place, size=options.size, samples=options.samples, per_minute=rates[place], **found)
    speedup = rates["two processes"] / rates["one process"]
    table = [[place, rate, rate / rates["one process"]] for place, rate in rates.items()]
    print_table(
        f"conductivity tensors of {options.size}^3", ("where", "per minute", "over one process"), table
    )
    # Targets are upper bounds: seconds per tensor, and the time of two processes over that of one.
    judged = [
        judge("seconds per conductivity tensor, two processes", 60 / rates["two processes"], 60 / PER_MINUTE),
        judge("time with two processes over one", 1 / speedup, 1 / SPEEDUP),
    ]
    print_targets(judged)
    record.write(options.output, judged=judged)


if __name__ == "__main__":
    main()
