"""`scalebridge init`: a commented study file to start from."""

from __future__ import annotations

from pathlib import Path

from scalebridge.cli.options import Flag
from scalebridge.core.errors import OutputError


def init(file: str = "study.toml", /, *, force: Flag = False) -> int:
    """Write a commented example of a study file.

    Parameters
    ----------
    file: str
        Where to write it.
    force: bool
        Overwrite a file of that name.
    """
    from scalebridge.core.files import write_text
    from scalebridge.study.example import EXAMPLE

    path = Path(file)
    if path.exists() and not force:
        raise OutputError(f"{path} exists already. Choose another name, or overwrite with --force.")
    write_text(path, EXAMPLE)
    print(f"Written {path}. Edit it, look at the plan with `scalebridge run {path} --dry-run`, then run it.")
    return 0
