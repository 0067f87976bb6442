"""The folder of a run: claimed before the work, filled at its end, resumable in between."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, final

from scalebridge.core.checkpoint import DirectoryStore
from scalebridge.core.errors import OutputError
from scalebridge.core.files import check_folder, write_text, writing
from scalebridge.microstructure.read import split_dataset
from scalebridge.study.schema import Study

STUDY, PROVENANCE, CHECKPOINT = "study.toml", "provenance.json", ".checkpoint"
_LOCK, _BEGUN = "lock", "begun"  # in the checkpoint, beside a folder for every key
RESULTS = ("result.json", "result.csv", "report.html", "fields.vti", PROVENANCE)
_REPORT_BYTES = 5_000_000  # what a report with its pictures takes at most, roughly


def run_key(inputs: Mapping[str, str], settings: Mapping[str, Any], version: str) -> str:
    """Names a computation by the hashes of its inputs, its settings and the program's version."""
    text = json.dumps([dict(inputs), dict(settings), version], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


@final
@dataclasses.dataclass(frozen=True)
class RunFolder:
    """A claimed folder; `resumed`: an interrupted run with the same key left something to go on with."""

    path: Path
    key: str
    resumed: bool

    @property
    def store(self) -> DirectoryStore:
        return DirectoryStore(self.path / CHECKPOINT / self.key)

    def begin(self, study_text: str) -> None:
        """Says in the folder what is being computed, before it is."""
        with writing(self.path):
            (self.path / CHECKPOINT / _BEGUN).touch()
        write_text(self.path / STUDY, study_text)

    def finish(self, provenance: Mapping[str, Any], written: tuple[str, ...]) -> None:
        """Marks the run as finished; what an earlier run left and this one did not write goes."""
        with writing(self.path):
            for name in RESULTS:
                if name not in written:
                    (self.path / name).unlink(missing_ok=True)
        write_text(self.path / PROVENANCE, json.dumps(provenance, indent=2, allow_nan=False) + "\n")
        shutil.rmtree(self.path / CHECKPOINT, ignore_errors=True)


def check_output(folder: Path | str, *, force: bool = False, needed_bytes: int = 0) -> None:
    """Makes sure that results can go to `folder`, before a large image is read. Makes and changes nothing.

    Fails when: it holds results that are not those of an interrupted run and `force` is not set, cannot be
    written, or has less than `needed_bytes` and the size of a report free (OutputError).
    """
    path = Path(folder)
    with writing(path):  # a name that is too long, a folder that may not be entered
        if path.exists() and not path.is_dir():
            raise OutputError(f"Cannot write results to {path}: it is a file, not a folder.")
        present = [name for name in (*RESULTS, STUDY) if (path / name).exists()]
    if present and not _interrupted(path) and not force:
        raise OutputError(
            f"{path} already holds {', '.join(present)}. Choose another folder, or overwrite with --force."
        )
    check_folder(path, needed_bytes + _REPORT_BYTES)


@final
@dataclasses.dataclass(frozen=True)
class ClaimedFolder:
    """A folder that no other run writes to while the claim lasts."""

    path: Path

    def run(self, key: str, *, needed_bytes: int = 0) -> RunFolder:
        """The run named by `key` in it. Fails when: less than `needed_bytes` are free (OutputError)."""
        check_folder(self.path, needed_bytes + _REPORT_BYTES)
        kept = self.path / CHECKPOINT / key
        with writing(self.path):
            resumed = kept.is_dir() and any(kept.iterdir())
            kept.mkdir(parents=True, exist_ok=True)
        return RunFolder(self.path, key, resumed)


@contextlib.contextmanager
def claim(folder: Path | str, *, force: bool = False) -> Iterator[ClaimedFolder]:
    """Makes sure, before anything is read, that results can go to `folder` and nobody else is writing there.

    Fails when: it holds results already and `force` is not set, cannot be written, or another run is at work in
    it (OutputError).
    """
    path = Path(folder)
    check_output(path, force=force)
    checkpoint = path / CHECKPOINT
    made = [place for place in (path, *path.parents) if not place.exists()]
    with writing(path):
        checkpoint.mkdir(parents=True, exist_ok=True)
        lock = (checkpoint / _LOCK).open("w")
    with lock:
        _lock(lock.fileno(), path)
        try:
            yield ClaimedFolder(path)
        finally:
            _remove_if_unused(checkpoint, made)


def settings_seen_from(folder: Path, study: Study, base: Path | str) -> dict[str, Any]:
    """The settings of a study as a file in `folder` must say them: relative paths turned towards it.

    The output folder is left out, so that running the file prints the result and overwrites nothing.
    """

    def turned(path: str) -> str:
        file, inside = split_dataset(path)
        dataset = f":{inside}" if inside is not None else ""
        try:
            return Path(os.path.relpath(Path(base) / file, folder)).as_posix() + dataset
        except ValueError:  # another drive: only the absolute path leads there
            return Path(Path(base) / file).absolute().as_posix() + dataset

    settings = study.settings()
    settings["image"]["path"] = turned(study.image.path)
    for phase in settings["phase"]:
        if "orientations" in phase:
            phase["orientations"] = turned(phase["orientations"])
    output = {key: value for key, value in settings.pop("output", {}).items() if key != "folder"}
    return settings | ({"output": output} if output else {})


def _lock(descriptor: int, path: Path) -> None:
    try:
        import fcntl
    except ImportError:  # not on this platform: two runs in one folder are then the user's care
        return
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in (
            11,
            13,
            35,
        ):  # EAGAIN or EACCES, by platform; anything else: no locks on this file system
            raise OutputError(
                f"Another run is at work in {path}. Wait for it to end, or choose another folder."
            ) from error


def _interrupted(path: Path) -> bool:
    """Whether a run has begun in the folder and not finished; a lock alone is left by one that read its image."""
    checkpoint = path / CHECKPOINT
    return checkpoint.is_dir() and any(entry.name != _LOCK for entry in checkpoint.iterdir())


def _remove_if_unused(checkpoint: Path, made: Sequence[Path]) -> None:
    """A run that failed before it began leaves no trace that would pass for an interrupted one.

    made: the folders that were made for it, innermost first; those that stayed empty go.
    """
    with contextlib.suppress(OSError):
        if not any(entry.is_file() and entry.name != _LOCK for entry in checkpoint.rglob("*")):
            shutil.rmtree(checkpoint)
        for place in made:
            place.rmdir()
