"""Results on disk: one page for people, records for programs, fields for ParaView."""

from __future__ import annotations

from pathlib import Path

from scalebridge.core.errors import OutputError
from scalebridge.core.files import write_text, writing
from scalebridge.homogenize.result import HomogenizationResult

REPORT, RECORD, TABLE, FIELDS = "report.html", "result.json", "result.csv", "fields.vti"


def write_report(result: HomogenizationResult, destination: str | Path, *, force: bool = False) -> Path:
    """Writes the self-contained offline page and returns its path.

    destination: a folder (made if it is missing; the page is then report.html inside) or a path ending in
    .html. Fails when: the page exists and `force` is not given, or the folder cannot be written
    (OutputError).
    """
    from scalebridge.report.page import render

    path = Path(destination)
    if path.suffix.lower() not in (".html", ".htm"):
        path = path / REPORT
    prepare(path.parent, (path,), force)
    write_text(path, render(result))
    return path


def write_results(
    result: HomogenizationResult, folder: str | Path, *, force: bool = False, fields: bool = True
) -> tuple[Path, ...]:
    """Writes result.json, result.csv and, when the result has local fields, fields.vti. Returns the paths.

    fields: False leaves fields.vti out.
    Fails when: one of them exists and `force` is not given, or the folder cannot be written (OutputError).
    Nothing is written then.
    """
    from scalebridge.homogenize.exporters import to_csv
    from scalebridge.report.copies import record_text
    from scalebridge.report.vti import write_fields

    folder = Path(folder)
    fields = fields and bool(result.fields)
    names = (RECORD, TABLE, FIELDS) if fields else (RECORD, TABLE)
    paths = tuple(folder / name for name in names)
    prepare(folder, paths, force)
    write_text(paths[0], record_text(result) + "\n")
    write_text(paths[1], to_csv(result))
    if fields:
        write_fields(result, paths[2])
    return paths


def prepare(folder: Path, paths: tuple[Path, ...], force: bool) -> None:
    for path in paths:
        if path.exists() and not force:
            raise OutputError(
                f"{path} exists already. Choose another folder, or overwrite it with force=True (--force)."
            )
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
