"""One study from reading to exit code: the same path for `homogenize` and `run`."""

from __future__ import annotations

import dataclasses
import json as json_module
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scalebridge import __version__
from scalebridge.cli.progress import Progress
from scalebridge.cli.wrapping import wrapped
from scalebridge.core.compilation_cache import enable_compilation_cache
from scalebridge.core.files import writing
from scalebridge.core.provenance import file_sha256
from scalebridge.study.disk import planned_shape, results_bytes
from scalebridge.study.folder import RunFolder, check_output, claim, run_key, settings_seen_from
from scalebridge.study.plan import Plan, prepare
from scalebridge.study.schema import Study
from scalebridge.study.toml_text import to_toml

if TYPE_CHECKING:
    from scalebridge.homogenize.result import HomogenizationResult


@dataclasses.dataclass(frozen=True)
class Presentation:
    """How a run speaks and whether it may overwrite."""

    json: bool = False
    quiet: bool = False
    force: bool = False
    dry_run: bool = False
    progress: str = "auto"


def execute(study: Study, base: Path | str, show: Presentation) -> int:
    """Prepares, runs, writes and prints a study; returns the exit code."""
    folder = None if study.output.folder is None else Path(base) / study.output.folder
    if folder is not None and not show.dry_run:
        # What would be wrong with the folder after the work is said before a large image is read.
        check_output(folder, force=show.force)
        check_output(folder, force=show.force, needed_bytes=_room(study, base))
    plan = prepare(study, base)
    # The solver is loaded only now: a mistake in the input is answered without waiting for it.
    from scalebridge.study.run import run as run_plan

    if show.dry_run:
        return _print_plan(plan, show)
    if not (show.json or show.quiet):
        print(wrapped(plan.words) + "\n", flush=True)
    enable_compilation_cache()
    if folder is None:
        with Progress(show.progress, quiet=show.quiet) as progress:
            result = run_plan(plan, progress=progress)
        _print_result(result, show)
        return result.status.exit_code
    hashes = {role: file_sha256(path) for role, path in plan.inputs.items()}
    settings = {key: value for key, value in study.settings().items() if key != "output"}
    key = run_key(hashes, settings | {"fields": study.output.fields}, __version__)
    needed = results_bytes(study, plan.image.grid.shape)
    with claim(folder, key, force=show.force, needed_bytes=needed) as claimed:
        if claimed.resumed and not show.quiet:
            print(f"Resuming the interrupted run in {folder}.", file=sys.stderr)
        claimed.begin(_study_text(study, base, folder))
        with Progress(show.progress, quiet=show.quiet) as progress:
            result = run_plan(plan, progress=progress, store=claimed.store)
            progress.update("writing", 0.0, 0.0, str(folder))
            _write(result, claimed, study.output.fields)
    _print_result(result, show)
    if not (show.json or show.quiet):
        names = ", ".join(sorted(path.name for path in folder.iterdir()))
        print("\n" + wrapped(f"Written to {folder}: {names}"))
    return result.status.exit_code


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


def _study_text(study: Study, base: Path | str, folder: Path) -> str:
    head = f"# Written by scalebridge {__version__}. Repeat this run with\n#   scalebridge run study.toml\n\n"
    return head + to_toml(settings_seen_from(folder, study, base))


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
