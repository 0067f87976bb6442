"""One study of a loading path from reading to exit code: the same way for `path` and `run`."""

from __future__ import annotations

import json as json_module
import sys
from pathlib import Path

from scalebridge.cli.presentation import Presentation, repeatable_study
from scalebridge.cli.progress import Progress
from scalebridge.cli.wrapping import wrapped
from scalebridge.core.compilation_cache import enable_compilation_cache
from scalebridge.homogenize.path.exporters import to_json
from scalebridge.homogenize.path.present import to_text
from scalebridge.homogenize.path.result import PathResult
from scalebridge.numerics.allocator import keep_memory
from scalebridge.study.folder import check_output, claim
from scalebridge.study.path_folder import PathFolder, fields_bytes, open_path_folder
from scalebridge.study.path_plan import PathPlan, prepare_path, run_path
from scalebridge.study.path_schema import PathStudy


def execute_path(study: PathStudy, base: Path | str, show: Presentation) -> int:
    """Prepares, runs, writes and prints a path; returns the exit code."""
    if study.output.folder is None or show.dry_run:
        plan = _prepared(study, base, show)
        if show.dry_run:
            return _print_plan(plan, show)
        return _print_result(_solved(plan, show), show)
    folder = Path(base) / study.output.folder
    # What would be wrong with the folder after the work is said before a large image is read.
    with claim(folder, force=show.force) as claimed:
        plan = _prepared(study, base, show)
        check_output(folder, force=show.force, needed_bytes=fields_bytes(plan))
        running = open_path_folder(claimed, force=show.force)
        if running.reached and not show.quiet:
            print(
                f"Resuming the interrupted path in {folder} after increment {running.reached}.",
                file=sys.stderr,
            )
        running.begin(repeatable_study(running.settings(study, base)))
        result = _solved(plan, show, running)
    code = _print_result(result, show)
    show.tell_written(folder)
    return code


def _prepared(study: PathStudy, base: Path | str, show: Presentation) -> PathPlan:
    plan = prepare_path(study, base)
    show.announce(plan.words)
    return plan


def _solved(plan: PathPlan, show: Presentation, folder: PathFolder | None = None) -> PathResult:
    """The result of the plan, written to the folder if there is one."""
    enable_compilation_cache()
    keep_memory()
    with Progress(show.progress, quiet=show.quiet) as progress:
        if folder is None:
            return run_path(plan, progress=progress)
        result = run_path(plan, folder.store, progress)
        progress.update("writing", 0.0, 0.0, str(folder.path))
        from scalebridge.report.path import write_path_report, write_path_results

        written = write_path_results(result, folder.path)
        page = write_path_report(result, folder.path / "report.html")
        folder.finish(result, (*written, page))
    return result


def _print_plan(plan: PathPlan, show: Presentation) -> int:
    needed = plan.estimate
    if show.json:
        record = {
            "plan": plan.words.splitlines(),
            "bytes": needed.bytes,
            "seconds": needed.seconds,
            "increments": needed.increments,
        }
        print(json_module.dumps(record, allow_nan=False))
    else:
        print(wrapped(f"{plan.words}\nEstimate   {needed.words}"))
    return 0


def _print_result(result: PathResult, show: Presentation) -> int:
    if show.json:
        print(json_module.dumps(to_json(result), allow_nan=False))
    else:
        print(wrapped(to_text(result)))
    return result.status.exit_code
