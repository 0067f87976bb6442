"""One study from reading to exit code: the same path for `homogenize` and `run`."""

from __future__ import annotations

import dataclasses
import json as json_module
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scalebridge import __version__
from scalebridge.cli.presentation import Presentation, repeatable_study
from scalebridge.cli.progress import Progress
from scalebridge.cli.wrapping import wrapped
from scalebridge.core.compilation_cache import enable_compilation_cache
from scalebridge.core.files import writing
from scalebridge.core.provenance import file_sha256
from scalebridge.study.disk import planned_shape, results_bytes
from scalebridge.study.folder import RunFolder, check_output, claim, run_key, settings_seen_from
from scalebridge.study.plan import Plan, prepare
from scalebridge.study.schema import Study

if TYPE_CHECKING:
    from scalebridge.homogenize.result import HomogenizationResult


def execute(study: Study, base: Path | str, show: Presentation) -> int:
    """Prepares, runs, writes and prints a study; returns the exit code."""
    if study.output.folder is None or show.dry_run:
        plan = _prepared(study, base, show)
        if show.dry_run:
            return _print_plan(plan, show)
        result = _solved(plan, show)
        _print_result(result, show)
        return result.status.exit_code
    folder = Path(base) / study.output.folder
    # What would be wrong with the folder after the work is said before a large image is read.
    with claim(folder, force=show.force) as claimed:
        check_output(folder, force=show.force, needed_bytes=_room(study, base))
        plan = _prepared(study, base, show)
        running = claimed.run(_key(study, plan), needed_bytes=results_bytes(study, plan.image.grid.shape))
        if running.resumed and not show.quiet:
            print(f"Resuming the interrupted run in {folder}.", file=sys.stderr)
        running.begin(repeatable_study(settings_seen_from(folder, study, base)))
        result = _solved(plan, show, running)
    _print_result(result, show)
    show.tell_written(folder)
    return result.status.exit_code


def _prepared(study: Study, base: Path | str, show: Presentation) -> Plan:
    plan = prepare(study, base)
    show.announce(plan.words)
    return plan


def _solved(plan: Plan, show: Presentation, folder: RunFolder | None = None) -> HomogenizationResult:
    """The result of the plan, written to the folder if there is one."""
    # The solver is loaded only now: a mistake in the input is answered without waiting for it.
    from scalebridge.study.run import run as run_plan

    enable_compilation_cache()
    with Progress(show.progress, quiet=show.quiet) as progress:
        if folder is None:
            return run_plan(plan, progress=progress)
        result = run_plan(plan, progress=progress, store=folder.store)
        progress.update("writing", 0.0, 0.0, str(folder.path))
        _write(result, folder, plan.study.output.fields)
    return result


def _key(study: Study, plan: Plan) -> str:
    hashes = {role: file_sha256(path) for role, path in plan.inputs.items()}
    settings = {key: value for key, value in study.settings().items() if key != "output"}
    return run_key(hashes, settings | {"fields": study.output.fields}, __version__)


def _room(study: Study, base: Path | str) -> int:
    return results_bytes(study, planned_shape(study.image, Path(base)))


def _write(result: HomogenizationResult, folder: RunFolder, fields: bool) -> None:
    from scalebridge.homogenize.json_record import plain
    from scalebridge.report import write_report, write_results

    with writing(folder.path):
        # The report shows fields anyway; the large file is for those who asked for it.
        kept = result if fields else dataclasses.replace(result, fields=())
        paths = write_results(kept, folder.path, force=True)
        page = write_report(result, folder.path, force=True)
    folder.finish(plain(result.provenance), tuple(path.name for path in (*paths, page)))


def _print_plan(plan: Plan, show: Presentation) -> int:
    from scalebridge.study.run import estimate_plan

    needed = estimate_plan(plan)
    if show.json:
        record: Mapping[str, Any] = {
            "plan": plan.words.splitlines(),
            "bytes": int(needed.bytes),
            "seconds": float(needed.seconds),
        }
        print(json_module.dumps(record, allow_nan=False))
    else:
        print(wrapped(f"{plan.words}\nEstimate   {needed.words}"))
    return 0


def _print_result(result: HomogenizationResult, show: Presentation) -> None:
    if show.json:
        from scalebridge.homogenize.json_record import to_json

        print(json_module.dumps(to_json(result), allow_nan=False))
    else:
        from scalebridge.homogenize.present import to_text

        print(to_text(result))
