"""One representativity study from plan to exit code."""

from __future__ import annotations

import dataclasses
import json as json_module
import os
import sys
from collections.abc import Mapping
from typing import Any, final

from scalebridge.cli.progress import Progress
from scalebridge.cli.wrapping import wrapped
from scalebridge.core import provenance
from scalebridge.core.compilation_cache import enable_compilation_cache
from scalebridge.core.status import Status
from scalebridge.homogenize.representative.json_record import to_json
from scalebridge.homogenize.representative.material_scales import (
    MaterialScales,
    judged_with_scales,
    material_scales,
)
from scalebridge.homogenize.words import percent
from scalebridge.study.representative_folder import StudyFolder, open_study_folder
from scalebridge.study.representative_plan import RepresentativePlan
from scalebridge.study.representative_run import StudyOutcome, run_study, sampling_method


@final
@dataclasses.dataclass(frozen=True)
class Presentation:
    """How the command speaks; asked: whether a precision was asked for."""

    json: bool
    quiet: bool
    progress: str
    asked: bool


def print_plan(plan: RepresentativePlan, show: Presentation) -> int:
    """What would be done, with memory and time."""
    if show.json:
        record = {
            "plan": plan.words.splitlines(),
            "cells": plan.cells,
            "workers": plan.workers,
            "bytes": plan.cell_bytes * plan.workers,
            "seconds": plan.seconds,
        }
        print(json_module.dumps(record, allow_nan=False))
    else:
        print(wrapped(plan.words))
    return 0


def execute_study(
    plan: RepresentativePlan, output: str | None, force: bool, length: float | None, show: Presentation
) -> int:
    """Solve, measure, write, print."""
    folder = None if output is None else open_study_folder(output, plan.problem, force=force)
    if not (show.json or show.quiet):
        print(wrapped(plan.words) + "\n", flush=True)
    _share_compiled_programs(plan.workers)
    method = sampling_method(plan)
    if folder is not None:
        method = sampling_method(plan, folder.store, folder.energy)
        if folder.known and not show.quiet:
            print(
                f"Going on with the study in {folder.path}: {folder.known} cells are known.", file=sys.stderr
            )
        folder.begin(_settings(plan, method.cell_energy), method.cell_energy)
    with Progress(show.progress, quiet=show.quiet) as bar:
        outcome = run_study(plan, method, bar)
        bar.update("scales", 0.0, 0.0, "correlations and drift")
        scales = material_scales(plan.problem, plan.counts[plan.problem.sizes[-1]], length)
        outcome = dataclasses.replace(outcome, result=judged_with_scales(outcome.result, scales))
        record = to_json(
            outcome.result,
            scales=scales.record,
            store={"hits": outcome.hits, "solved": outcome.solved},
            notes=(*plan.notes, *scales.warnings),
            provenance=_provenance(plan),
            asked=show.asked,
        )
        if folder is not None:
            bar.update("writing", 0.0, 0.0, str(folder.path))
            _write(folder, outcome, record, scales, length)
    if show.json:
        print(json_module.dumps(record, allow_nan=False))
    else:
        print(outcome.result)
        if scales.warnings or scales.words:
            print(f"\nmaterial, measured on {scales.record['measured_on']}")
        for sentence in (*scales.warnings, *scales.words):
            print(wrapped(f"  {sentence}"))
        if not show.quiet:
            _print_end(plan, outcome, record, folder)
    return Status(record["status"]).exit_code


def _share_compiled_programs(workers: int) -> None:
    """One cache for this process and the workers that it starts, which know of it from their environment only."""
    cache = enable_compilation_cache()
    if cache is not None and workers > 1:
        os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", str(cache))
        os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0.05")


def _settings(plan: RepresentativePlan, energy: float) -> dict[str, Any]:
    choices = plan.choices
    return {
        "source": plan.problem.source.record(),
        "material": plan.problem.material.record(),
        "sizes": list(plan.problem.sizes),
        "samples": {str(size): count for size, count in plan.counts.items()},
        "conditions": list(choices.conditions),
        "precision": choices.precision,
        "confidence": choices.confidence,
        "energy": energy,
    }


def _provenance(plan: RepresentativePlan) -> dict[str, Any]:
    """What the study does not know itself: the files."""
    return {"inputs": provenance.collect(plan.inputs)["inputs"]}


def _write(
    folder: StudyFolder,
    outcome: StudyOutcome,
    record: Mapping[str, Any],
    scales: MaterialScales,
    length: float | None,
) -> None:
    from scalebridge.report.representative import write_report

    folder.finish(outcome.result, record)
    write_report(
        outcome.result,
        folder.path,
        provenance={"inputs": record["provenance"]["inputs"]},
        macro_length=length,
        lengths=scales.lengths,
        force=True,
    )


def _print_end(
    plan: RepresentativePlan, outcome: StudyOutcome, record: Mapping[str, Any], folder: StudyFolder | None
) -> None:
    reached = record["reached"]
    if record["status"] == Status.ACCURACY_NOT_MET:
        known = "is not known" if reached is None else f"is {percent(reached['total'])}"
        print(wrapped(f"\nPrecision {percent(plan.choices.precision)} not met: that of this study {known}."))
    print(wrapped(f"\n{outcome.solved} cells solved, {outcome.hits} known from before."))
    if folder is not None:
        names = ", ".join(sorted(path.name for path in folder.path.iterdir() if path.is_file()))
        print(
            wrapped(
                f"Written to {folder.path}: {names}. The same command with more sizes or realizations goes on."
            )
        )
    else:
        print("Nothing is kept; --output DIR keeps cells and results, and a later study goes on from there.")
