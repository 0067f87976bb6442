"""How a study speaks while it is executed, whatever kind of study it is: its plan before, its folder afterwards."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from scalebridge import __version__
from scalebridge.cli.wrapping import wrapped
from scalebridge.study.toml_text import to_toml


@dataclasses.dataclass(frozen=True)
class Presentation:
    """How a run speaks and whether it may overwrite."""

    json: bool = False
    quiet: bool = False
    force: bool = False
    dry_run: bool = False
    progress: str = "auto"

    def announce(self, plan: str) -> None:
        """Prints what will be done, unless only results (or only the plan, by other means) are wanted."""
        if not (self.dry_run or self.json or self.quiet):
            print(wrapped(plan) + "\n", flush=True)

    def tell_written(self, folder: Path) -> None:
        """Prints what the folder of results holds in the end."""
        if not (self.json or self.quiet):
            names = ", ".join(sorted(path.name for path in folder.iterdir() if not path.name.startswith(".")))
            print("\n" + wrapped(f"Written to {folder}: {names}"))


def repeatable_study(settings: Mapping[str, Any]) -> str:
    """The study file that is kept with its results."""
    return (
        f"# Written by scalebridge {__version__}. Repeat this run with\n#   scalebridge run study.toml\n\n"
        + to_toml(settings)
    )
