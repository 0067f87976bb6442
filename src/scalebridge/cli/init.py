"""`scalebridge init`: a commented study file to start from."""

from __future__ import annotations

from pathlib import Path

from scalebridge.cli.options import Flag
from scalebridge.core.errors import InputError, OutputError


def init(kind: str = "study.toml", file: str | None = None, /, *, force: Flag = False) -> int:
    """Write a commented example of a study file.

    `scalebridge init [FILE]` writes that of an effective law; `scalebridge init path [FILE]` that of a loading path.

    Parameters
    ----------
    kind: str
        path for a loading path; or, for an effective law, where to write it.
    file: str
        For a loading path: where to write it. path.toml if left out.
    force: bool
        Overwrite a file of that name.
    """
    from scalebridge.core.files import write_text
    from scalebridge.study.example import EXAMPLE
    from scalebridge.study.path_example import PATH_EXAMPLE

    followed = kind == "path"
    if file is not None and not followed:
        raise InputError(
            f"There is no kind of study {kind!r}. Give one file, or: scalebridge init path {file}."
        )
    path = Path(file or "path.toml") if followed else Path(kind)
    if path.exists() and not force:
        raise OutputError(f"{path} exists already. Choose another name, or overwrite with --force.")
    write_text(path, PATH_EXAMPLE if followed else EXAMPLE)
    print(f"Written {path}. Edit it, look at the plan with `scalebridge run {path} --dry-run`, then run it.")
    return 0
