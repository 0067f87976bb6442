"""Running a plan: does it fit, solve it, and note where the result came from."""

from __future__ import annotations

import dataclasses

from scalebridge.core import provenance
from scalebridge.core.checkpoint import AbstractStore, NullStore
from scalebridge.core.memory import check_fits
from scalebridge.core.progress import AbstractProgress, SilentProgress
from scalebridge.core.status import Status
from scalebridge.homogenize.driver import homogenize
from scalebridge.homogenize.forecast import Estimate, estimate
from scalebridge.homogenize.result import HomogenizationResult
from scalebridge.study.plan import Plan
from scalebridge.study.schema import DEFAULT_ACCURACY


def estimate_plan(plan: Plan) -> Estimate:
    """Memory, time and iterations of a plan before it is run: an `Estimate` with bytes, seconds, words."""
    return estimate(plan.image, plan.laws, boundary=plan.boundary, windows=plan.windows)


def run(
    plan: Plan, *, progress: AbstractProgress | None = None, store: AbstractStore | None = None
) -> HomogenizationResult:
    """The effective law of a plan, with the provenance of files and settings added.

    Fails when: it needs more memory than there is (ResourceError), or as `homogenize` does.
    """
    check_fits(
        estimate_plan(plan).bytes,
        f"A run on {plan.image.grid.size:,} voxels",
        "Crop or coarsen the image (--crop, --coarsen), or use a larger machine.",
    )
    asked = plan.study.accuracy
    target = DEFAULT_ACCURACY if asked.target is None and asked.residual is None else asked.target
    result = homogenize(
        plan.image,
        plan.laws,
        boundary=plan.boundary,
        plane=plan.plane,
        accuracy=target,
        residual=asked.residual,
        fields=plan.study.output.fields,
        conditions=plan.conditions,
        orientations=plan.orientations or None,
        subvolumes=plan.subvolumes,
        progress=progress if progress is not None else SilentProgress(),
        store=store if store is not None else NullStore(),
    )
    if asked.target is None and result.status is Status.ACCURACY_NOT_MET:
        # The default decides when to stop iterating; nobody was promised it, so nothing was missed.
        error = dataclasses.replace(result.error, accuracy=None)
        spoken = tuple(words for words in result.warnings if words != result.error.reservation)
        result = dataclasses.replace(result, status=Status.CONVERGED, error=error, warnings=spoken)
    settings = {**result.provenance.get("settings", {}), "study": plan.study.settings()}
    record = provenance.collect(plan.inputs, settings)
    return dataclasses.replace(
        result,
        provenance={**result.provenance, **record},
        warnings=(*plan.notes, *result.warnings),
    )
