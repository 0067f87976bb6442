"""The folder of a path: its state while it runs, its results afterwards."""

from __future__ import annotations

import dataclasses
import json
import math
import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, final

from scalebridge.core.checkpoint import DirectoryStore
from scalebridge.core.files import write_text, writing
from scalebridge.core.status import Status
from scalebridge.homogenize.json_record import plain
from scalebridge.homogenize.path.checkpoint import increments_kept
from scalebridge.homogenize.path.result import Moments, PathResult
from scalebridge.microstructure.read import split_dataset
from scalebridge.study.folder import CHECKPOINT, PROVENANCE, ClaimedFolder, RunFolder
from scalebridge.study.path_plan import PathPlan
from scalebridge.study.path_schema import PathStudy

FIELDS, CURVE = "fields", "path.csv"
_KEY = "path"
_FIELD_BYTES = 8  # float32, kept while the run lasts and written once more


@final
@dataclasses.dataclass(frozen=True)
class PathFolder:
    """A claimed folder; reached: the last increment that an interrupted run left in it, or 0."""

    folder: RunFolder
    reached: int

    @property
    def path(self) -> Path:
        return self.folder.path

    @property
    def store(self) -> DirectoryStore:
        return self.folder.store

    def begin(self, study_text: str) -> None:
        """Says in the folder what is being computed, before it is."""
        self.folder.begin(study_text)

    def finish(self, result: PathResult, written: Sequence[Path]) -> None:
        """What an earlier run left goes; the state stays where the path ended early, for a run that goes on."""
        if not result.fields:
            shutil.rmtree(self.path / FIELDS, ignore_errors=True)
        provenance = plain(result.provenance)
        if result.status is Status.MAX_STEPS:
            write_text(self.path / PROVENANCE, json.dumps(provenance, indent=2, allow_nan=False) + "\n")
        else:
            self.folder.finish(provenance, tuple(path.name for path in written))

    def settings(self, study: PathStudy, base: Path | str) -> Mapping[str, Any]:
        """The settings of the study as a file in this folder must say them: relative paths turned towards it."""

        def turned(path: str) -> str:
            try:
                return Path(os.path.relpath(Path(base) / path, self.path)).as_posix()
            except ValueError:  # another drive: only the absolute path leads there
                return (Path(base) / path).absolute().as_posix()

        settings = study.settings()
        file, inside = split_dataset(study.image.path)
        settings["image"]["path"] = turned(str(file)) + (f":{inside}" if inside is not None else "")
        for section in settings["law"]:
            if "orientations" in section:
                section["orientations"] = turned(section["orientations"])
            made_by, separator, name = section["law"].rpartition(":")
            if separator and made_by.endswith(".py"):
                section["law"] = f"{turned(made_by)}:{name}"
        settings.pop("output", None)
        return settings


def open_path_folder(claimed: ClaimedFolder, *, force: bool = False) -> PathFolder:
    """Fails when: it cannot be written (OutputError)."""
    if force:
        with writing(claimed.path):
            kept = claimed.path / CHECKPOINT / _KEY
            if kept.is_dir():
                shutil.rmtree(kept)
    running = claimed.run(_KEY)
    return PathFolder(running, increments_kept(running.store))


def fields_bytes(plan: PathPlan) -> int:
    """Bytes of the local fields that will be kept, roughly."""
    asked = plan.fields_at
    if isinstance(asked, Moments):
        count = {Moments.NEVER: 0, Moments.LAST: 1, Moments.END_OF_LEGS: len(plan.legs)}.get(
            asked, sum(leg.increments for leg in plan.legs)
        )
    else:
        count = len(asked)
    ndim = plan.image.grid.ndim
    per_voxel = 2 * plan.kinematics.size(ndim) + ndim + 10
    return count * per_voxel * _FIELD_BYTES * math.prod(plan.image.grid.shape)
