"""Control variates and multilevel Monte Carlo beside plain Monte Carlo, at equal error, as a table and a picture.

    python benchmarks/multilevel.py [--size 32] [--estimates 16] [--large 64]

The mean conductivity (periodic cells, 32^3 voxels) of two ensembles: a Poisson-Voronoi mosaic (contrast 10, half of
each phase, cells 8 voxels wide), whose volume fraction differs from sample to sample, and a level cut of a Gaussian
field (contrast 100, correlation length 4 voxels) cut so that every sample has the same fraction.

Nothing is taken from the estimators' own claims. Processor seconds of one sample of each kind are measured first, in
one thread: what else runs may make all of them longer, but hardly their ratios. Then every method is repeated with
fresh random numbers, each time to the standard error that --plain samples of plain Monte Carlo would have: the cost
of a method is the mean over its repetitions of the number of samples times their seconds, its error the scatter of
the repeated estimates. Cost over plain is

    (variance of the estimates x cost) / (variance of a plain sample x its seconds),

which does not depend on the error asked for as long as pilot samples do not dominate; they are counted. `covered` is
the share of repetitions whose 95 % interval holds the ensemble's mean, known from all samples together.
"""

from __future__ import annotations

import argparse
import dataclasses
import math
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from _measuring import FIGURES, Record, judge, print_table, print_targets

if TYPE_CHECKING:
    from scalebridge.homogenize.representative.apparent import Material
    from scalebridge.homogenize.representative.multilevel import AbstractLadder
    from scalebridge.homogenize.representative.samples import GeneratorEnsemble

GAIN = 4.0
ENERGY = 3e-4  # relative energy error at which a cell stops, far below every statistical error here
GROUP = 10  # samples of one estimate with the fraction as control
SCALAR = "mean conductivity"
BOTH = "multilevel and fraction as control"


@dataclasses.dataclass(frozen=True)
class Ensemble:
    """A material: its generator in windows of `size`, what fills it, the fraction of label 1 where it fluctuates."""

    name: str
    source: GeneratorEnsemble
    material: Material
    fractions: dict[int, float] | None


def ensembles(size: int, seed: int) -> list[Ensemble]:
    """The mosaic and the level cut; features are as many voxels wide at every size of window."""
    from scalebridge import Conduction
    from scalebridge.homogenize.representative import GeneratorEnsemble
    from scalebridge.homogenize.representative.apparent import Material
    from scalebridge.microstructure.generators import GaussianLevelCut, VoronoiMosaic
    from scalebridge.microstructure.generators.covariances import Gaussian

    def material(contrast: float) -> Material:
        return Material({0: Conduction.isotropic(k=1.0), 1: Conduction.isotropic(k=contrast)})

    shape = (size,) * 3
    mosaic = VoronoiMosaic(shape, 8.0**3, 0.5)
    cut = GaussianLevelCut(shape, 0.5, Gaussian(4.0), exact_fraction=True)
    return [
        Ensemble("mosaic, contrast 10", GeneratorEnsemble(mosaic, seed), material(10.0), {1: 0.5}),
        Ensemble("level cut, contrast 100", GeneratorEnsemble(cut, seed), material(100.0), None),
    ]


def seconds_of(ladder: AbstractLadder, ensemble: Ensemble, repeats: int) -> list[float]:
    """Median processor seconds of one sample of every level, drawing and solving, in this process."""
    import numpy as np

    from scalebridge.cell.boundary import Periodic
    from scalebridge.homogenize.representative.apparent import solve_task

    found = []
    for level in range(ladder.levels):
        spent = []
        for index in range(repeats + 1):  # the first one warms up
            tasks = ladder.tasks(level, 10**6 + index, ensemble.material, Periodic(), ENERGY)
            begin = time.process_time()
            for _, task in tasks:
                solve_task(task)
            spent.append(time.process_time() - begin)
        found.append(float(np.median(spent[1:])))
    return found


def plain_samples(ensemble: Ensemble, size: int, count: int) -> tuple[Any, Any]:
    """Values and fractions of label 1 of `count` fine samples."""
    import numpy as np

    from scalebridge.cell.boundary import Periodic
    from scalebridge.homogenize.representative.apparent import CellTask
    from scalebridge.homogenize.representative.ensemble import Workers, run_cells
    from scalebridge.homogenize.representative.estimators import isotropic_parts

    tasks = [
        CellTask(maker, ensemble.material, (Periodic(),), ENERGY)
        for maker in ensemble.source.makers(size, count)
    ]
    cells = [group[0] for group in run_cells(tasks, Workers(count=1))]
    values = isotropic_parts(np.stack([cell.value for cell in cells]), False)[SCALAR]
    return values, np.array([cell.fractions.get("1", 0.0) for cell in cells])


def repeated(
    build: Any, ensemble: Ensemble, error: float, estimates: int, fractions: dict[int, float] | None
) -> list[Any]:
    """`estimates` independent multilevel estimates to the relative standard error `error`."""
    from scalebridge.homogenize.representative.ensemble import Workers
    from scalebridge.homogenize.representative.multilevel import multilevel

    found = []
    for number in range(estimates):
        source = dataclasses.replace(ensemble.source, seed=1000 + number)
        estimate = multilevel(
            build(source),
            ensemble.material,
            error,
            energy=ENERGY,
            fractions=fractions,
            workers=Workers(count=1),
        )
        found.append(estimate[SCALAR])
    return found


def summary(
    found: list[Any], seconds: list[float], truth: float, plain_product: float, plain_count: int
) -> dict[str, Any]:
    """Cost, error and coverage of repeated estimates, with the share of plain Monte Carlo's cost they come to."""
    import numpy as np

    means = np.array([e.mean for e in found])
    costs = [sum(r.count * s for r, s in zip(e.levels, seconds, strict=True)) for e in found]
    variance, cost = float(means.var(ddof=1)), float(np.mean(costs))
    ratio = variance * cost / plain_product
    n = len(found)
    inside = [low_ <= truth <= high_ for low_, high_ in (e.interval() for e in found)]
    return {
        "estimates": n,
        "samples": [
            round(float(np.mean([e.levels[k].count for e in found])), 1) for k in range(len(seconds))
        ],
        "cost_seconds": cost,
        "relative_error": math.sqrt(variance) / abs(truth),
        "claimed_error": float(np.mean([e.error for e in found])) / abs(truth),
        "bias_in_errors": float((means.mean() - truth) / means.std(ddof=1) * math.sqrt(n)),
        "covered": float(np.mean(inside)),
        "over_plain": ratio,
        "over_plain_interval": ratio_interval(ratio, n, plain_count),
        "gain": 1 / ratio,
    }


def ratio_interval(ratio: float, estimates: int, samples: int) -> list[float]:
    """95 % interval of a ratio of variances, one from repeated estimates, one from plain samples."""
    import scipy.stats

    return [float(ratio / f) for f in scipy.stats.f.ppf([0.975, 0.025], estimates - 1, samples - 1)]


def plain_row(values: Any, truth: float, seconds: float, count: int) -> dict[str, Any]:
    """Plain Monte Carlo with `count` samples: what everything is compared with."""
    return {
        "method": "plain Monte Carlo", "estimates": 1, "samples": [count], "cost_seconds": count * seconds,
        "relative_error": float(values.std(ddof=1)) / math.sqrt(count) / truth, "over_plain": 1.0,
        "over_plain_interval": [1.0, 1.0], "gain": 1.0,
    }  # fmt: skip


def fraction_row(values: Any, fractions: Any, known: float, truth: float, seconds: float) -> dict[str, Any]:
    """The plain samples in groups of GROUP, each with the fraction as control: the scatter of their estimates."""
    import numpy as np

    from scalebridge.homogenize.representative.control_variates import controlled_mean

    parts = [slice(start, start + GROUP) for start in range(0, len(values) - GROUP + 1, GROUP)]
    found = [controlled_mean(values[p], fractions[p, None], np.array([known])).estimate for p in parts]
    means = np.array([e.mean for e in found])
    ratio = float(means.var(ddof=1)) * GROUP / float(values.var(ddof=1))
    return {
        "method": "fraction as control", "estimates": len(means), "samples": [GROUP],
        "cost_seconds": GROUP * seconds, "relative_error": float(means.std(ddof=1)) / truth, "over_plain": ratio,
        "over_plain_interval": ratio_interval(ratio, len(means), len(values)), "gain": 1 / ratio,
        "covered": float(np.mean([e.low <= truth <= e.high for e in found])),
    }  # fmt: skip


def measure(ensemble: Ensemble, options: argparse.Namespace, record: Record) -> dict[str, Any]:
    """All methods on one ensemble."""
    import numpy as np

    from scalebridge.homogenize.representative import GeneratorEnsemble
    from scalebridge.homogenize.representative.control_variates import controlled_mean
    from scalebridge.homogenize.representative.multilevel import ResolutionLadder, SizeLadder

    n = options.size
    ladders: dict[str, tuple[Any, dict[int, float] | None]] = {
        f"coarse solves as control: {n // 2}^3 and {n}^3": (lambda s: ResolutionLadder(s, n, 2), None),
        f"multilevel, {n // 4}^3 to {n}^3": (lambda s: ResolutionLadder(s, n, 4), None),
    }
    if ensemble.fractions:
        ladders[BOTH] = (
            lambda s: ResolutionLadder(s, n, 4),
            ensemble.fractions,
        )
        ladders["multilevel over sizes and fraction as control"] = (
            lambda s: SizeLadder(
                GeneratorEnsemble(dataclasses.replace(s.generator, periodic=False), s.seed), n, 2
            ),
            ensemble.fractions,
        )
    costs = {
        name: seconds_of(build(ensemble.source), ensemble, options.timed)
        for name, (build, _) in ladders.items()
    }
    alone = seconds_of(ResolutionLadder(ensemble.source, n, 1), ensemble, options.timed)[0]
    record.content.setdefault("seconds_of_samples", {})[ensemble.name] = {"plain": alone, **costs}
    values, fractions = plain_samples(ensemble, n, options.samples)
    variance = float(values.var(ddof=1))
    truth = float(values.mean())
    if ensemble.fractions:
        truth = controlled_mean(values, fractions[:, None], np.array([ensemble.fractions[1]])).estimate.mean
    error = math.sqrt(variance / options.plain) / truth
    common = {"ensemble": ensemble.name, "size": n}
    record.add(**common, **plain_row(values, truth, alone, options.plain))
    if ensemble.fractions:
        record.add(**common, **fraction_row(values, fractions, ensemble.fractions[1], truth, alone))
    for name, (build, controls) in ladders.items():
        found = repeated(build, ensemble, error, options.estimates, controls)
        # Windows of an unbounded mosaic have another mean under periodic conditions than periodic mosaics.
        same = "sizes" not in name
        own = truth if same else float(np.mean([e.mean for e in found]))
        row = summary(found, costs[name], own, variance * alone, len(values))
        record.add(
            **common, method=name, **(row if same else {**row, "covered": None, "bias_in_errors": None})
        )
        record.write(options.output)
    return {"variance": variance, "truth": truth, "seconds": alone}


def at_large_size(options: argparse.Namespace, record: Record) -> None:
    """One estimate of the mosaic at a size that plain Monte Carlo can hardly afford: what it says about itself."""
    from scalebridge.homogenize.representative.ensemble import Workers
    from scalebridge.homogenize.representative.multilevel import ResolutionLadder, multilevel

    n = options.large
    for ensemble in ensembles(n, 77)[:1]:
        found = multilevel(
            ResolutionLadder(ensemble.source, n, n // 8), ensemble.material, options.large_error, energy=ENERGY,
            fractions=ensemble.fractions, workers=Workers(count=1),
        )[SCALAR]  # fmt: skip
        record.add(
            ensemble=ensemble.name, size=n, method=f"{BOTH}, one run",
            estimates=1, samples=[r.count for r in found.levels],
            cost_seconds=sum(r.seconds * r.count for r in found.levels), claimed_error=found.error / found.mean,
            gain=found.gain, over_plain=1 / found.gain,
        )  # fmt: skip


def draw(record: dict[str, Any], path: Path) -> None:
    """Gain by method, and cost over error."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    colours = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
    rows = [row for row in record["rows"] if row.get("over_plain_interval")]
    names = list(dict.fromkeys(row["ensemble"] for row in rows))
    methods = list(dict.fromkeys(row["method"] for row in rows))
    figure, axes = plt.subplots(
        2, len(names), figsize=(11, 6.6), layout="constrained", squeeze=False, height_ratios=[1, 1.3]
    )
    for column, name in enumerate(names):
        chosen = [row for row in rows if row["ensemble"] == name]
        axis = axes[0][column]
        for place, row in enumerate(reversed(chosen)):
            colour = colours[methods.index(row["method"]) % len(colours)]
            low, high = (1 / v for v in reversed(row["over_plain_interval"]))
            axis.barh(place, row["gain"], color=colour, alpha=0.75, height=0.65)
            axis.plot([low, high], [place, place], color="black", lw=1)
            axis.text(high * 1.08, place, f"{row['gain']:.1f}", va="center", fontsize=8)
        axis.axvline(GAIN, color="black", ls="--", lw=1)
        axis.set_yticks(range(len(chosen)), [row["method"] for row in reversed(chosen)], fontsize=8)
        axis.set_xscale("log")
        axis.set_xlim(0.5, max(1 / row["over_plain_interval"][0] for row in rows) * 2)
        axis.set_xticks([1, 4, 10, 100], ["1", "4", "10", "100"])
        axis.minorticks_off()
        axis.set_xlabel("times cheaper at equal error", fontsize=9)
        axis.set_title(name, fontsize=10)
        axis = axes[1][column]
        base = chosen[0]
        line = [base["relative_error"] * f for f in (1.3, 0.2)]
        axis.loglog(
            line,
            [base["cost_seconds"] * (base["relative_error"] / e) ** 2 for e in line],
            color=colours[0],
            lw=1,
        )
        for row in chosen:
            number = methods.index(row["method"])
            axis.loglog(
                [row["relative_error"]], [row["cost_seconds"]], "osD^vP"[number], color=colours[number], ms=7,
            )  # fmt: skip
        axis.set_xlabel("relative error: scatter of repeated estimates", fontsize=9)
        axis.set_ylabel("seconds of cells per estimate", fontsize=9)
        ticks = [t for t in (0.001, 0.002, 0.005, 0.01, 0.02) if line[1] <= t <= line[0]]
        axis.set_xticks(ticks, [f"{t:.1%}" for t in ticks])
        axis.tick_params(axis="x", which="minor", bottom=False, labelbottom=False)
    for axis in axes.reshape(-1):
        axis.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=110, metadata={"Software": None})
    plt.close(figure)


def judged(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The best verified method on the mosaic against a quarter of plain Monte Carlo's cost; the rest is shown."""
    first = rows[0]["ensemble"]
    found = []
    for name, chosen in {"control variate": "fraction as control", "multilevel": BOTH}.items():
        for row in rows:
            if (row["ensemble"], row["method"]) == (first, chosen):
                found.append(
                    judge(f"{first}: {name}, cost over plain at equal error", row["over_plain"], 1 / GAIN)
                )
                high = row["over_plain_interval"][1]
                found.append(judge(f"{first}: {name}, upper end of the 95 % interval", high, 1 / GAIN))
    return found


def main() -> None:
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ[name] = "1"  # before anything is imported that reads it
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--size", type=int, default=32, help="voxels per edge of the fine samples")
    parser.add_argument(
        "--samples", type=int, default=160, help="fine samples: truth and variance of plain samples"
    )
    parser.add_argument(
        "--plain", type=int, default=120, help="plain samples whose error every method is asked for"
    )
    parser.add_argument("--estimates", type=int, default=16, help="repetitions of every method")
    parser.add_argument("--timed", type=int, default=12, help="samples of every kind that are timed")
    parser.add_argument("--large", type=int, default=64, help="one more estimate at this size; 0: none")
    parser.add_argument(
        "--large-error", type=float, default=0.004, help="relative standard error of that one"
    )
    parser.add_argument("--output", type=Path, help="where the record goes")
    parser.add_argument("--figure", type=Path, default=FIGURES / "representativity-multilevel.png")
    options = parser.parse_args()
    record = Record("multilevel", {"cost over plain Monte Carlo at equal error": 1 / GAIN})
    record.content["settings"] = {
        "size": options.size, "samples": options.samples, "plain": options.plain, "energy": ENERGY,
    }  # fmt: skip
    plain = {e.name: measure(e, options, record) for e in ensembles(options.size, 5)}
    if options.large:
        at_large_size(options, record)
    columns = ("ensemble", "size", "method", "samples", "cost_seconds", "relative_error", "covered", "gain")
    print_table(
        "plain Monte Carlo, control variates, multilevel", columns,
        [[row.get(c) for c in columns] for row in record.rows],
    )  # fmt: skip
    found = judged(record.rows)
    print_targets(found)
    record.write(options.output, plain=plain, judged=found)
    draw(record.content, options.figure)


if __name__ == "__main__":
    main()
