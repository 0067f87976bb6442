"""`scalebridge run`: a study file, from plan to results."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

from scalebridge.cli.options import Flag, ProgressStyle


def run(
    study: str,
    /,
    *,
    set_: Annotated[list[str] | None, Parameter(name="--set", allow_leading_hyphen=True)] = None,
    output: Annotated[str | None, Parameter(name=["--output", "-o"])] = None,
    json: Flag = False,
    quiet: Flag = False,
    force: Flag = False,
    dry_run: Flag = False,
    progress: ProgressStyle = "auto",
) -> int:
    """Run a study file (see `scalebridge init`).

    Parameters
    ----------
    study: str
        The study file, TOML.
    set_: list[str]
        Override a key, repeatable: accuracy.target=0.02, image.coarsen=2, phase.1.k=2.5 (phases by label);
        of a path: path.fields=all, law.1.E=70GPa, leg.1.steps=40.
    output: str
        Folder for the results, in place of the study's own.
    json: bool
        Print one JSON object and nothing else.
    quiet: bool
        Print the result only.
    force: bool
        Overwrite the results in the output folder.
    dry_run: bool
        Print the plan with memory and time, compute nothing.
    progress: str
        auto: a live display on a terminal, else nothing; lines: plain lines.
    """
    from pathlib import Path

    from scalebridge.cli.execute import execute
    from scalebridge.cli.presentation import Presentation
    from scalebridge.study.parse import load_study
    from scalebridge.study.path_parse import is_path_study, load_path_study

    show = Presentation(json=json, quiet=quiet, force=force, dry_run=dry_run, progress=progress)
    if is_path_study(study):
        from scalebridge.cli.follow import execute_path

        followed = load_path_study(study, set_ or ())
        if output is not None:
            place = followed.output.model_copy(update={"folder": str(Path(output).absolute())})
            followed = followed.model_copy(update={"output": place})
        return execute_path(followed, Path(study).parent, show)
    checked = load_study(study, set_ or ())
    if output is not None:
        # Given here it is relative to where the command is run; in the study, to the study.
        folder = checked.output.model_copy(update={"folder": str(Path(output).absolute())})
        checked = checked.model_copy(update={"output": folder})
    return execute(checked, Path(study).parent, show)
