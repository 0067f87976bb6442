"""What an earlier draw left in a folder: whole images are kept, half-written ones drawn again, others left alone."""

from __future__ import annotations

import contextlib
import glob
import json
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from scalebridge.cli.generated_files import SCHEMA, ImageFiles, RecordedImage
from scalebridge.cli.generator_arguments import ChosenGenerator, read_labels
from scalebridge.core.errors import OutputError, ScalebridgeError
from scalebridge.homogenize.json_record import plain


def drawn_before(
    files: Sequence[ImageFiles], chosen: ChosenGenerator, seeds: Sequence[int]
) -> list[dict[str, Any] | None]:
    """Per image the entry of its record where it is there whole, drawn with the same settings; None: to be drawn.

    The record of an image is written without an entry before the image and with it after: an image whose record has
    none was interrupted. Fails when: a name is taken by an image of other settings, or by one that no record speaks of
    (OutputError).
    """
    return [_drawn_before(one, chosen, seed) for one, seed in zip(files, seeds, strict=True)]


def check_recorded(
    files: Sequence[ImageFiles],
    known: Sequence[Mapping[str, Any] | None],
    recorded: Sequence[RecordedImage],
) -> None:
    """Fails when: an image that is kept is not the one that the record to be drawn again speaks of (OutputError)."""
    for one, entry, wanted in zip(files, known, recorded, strict=False):
        if entry is not None and entry["sha256"] != wanted.sha256:
            raise OutputError(
                f"{one.image} was drawn with the settings of the record, but is not the image that it speaks of. "
                "Choose another folder, or overwrite with --force."
            )


def clear_leftovers(files: ImageFiles) -> None:
    """Removes the temporary files of a draw that was killed while it wrote this image."""
    for path in (files.image, files.record, files.orientations):
        for part in path.parent.glob(f".{glob.escape(path.name)}.*.part"):
            with contextlib.suppress(OSError):
                part.unlink()


def _drawn_before(files: ImageFiles, chosen: ChosenGenerator, seed: int) -> dict[str, Any] | None:
    taken = [path for path in (files.image, files.orientations, files.record) if path.exists()]
    if not taken:
        return None
    record = _read(files.record)
    if record is None:
        raise OutputError(
            f"{taken[0]} exists already, and no record of `scalebridge generate` beside it says how it was drawn. "
            "Choose another folder, or overwrite with --force."
        )
    entries = record["images"]
    entry = dict(entries[0]) if entries else None
    if taken == [files.record] and entry is None:
        return None
    differences = _differences(record, entry, files, chosen, seed)
    if differences:
        raise OutputError(
            f"{files.image.parent} holds an image that was drawn with other settings, {files.record.stem}: "
            f"{'; '.join(differences)}. Choose another folder, or overwrite with --force."
        )
    return entry if entry is not None and _whole(entry, files) else None


def _read(path: Path) -> dict[str, Any] | None:
    """The record of one image, or of one that was being drawn; None for anything else."""
    try:
        record = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError, RecursionError):
        return None
    if not isinstance(record, dict) or record.get("schema") != SCHEMA:
        return None
    images = record.get("images")
    good = isinstance(images, list) and len(images) <= 1 and all(isinstance(image, dict) for image in images)
    return record if good and isinstance(record.get("generator"), dict) else None


def _differences(
    record: Mapping[str, Any],
    entry: Mapping[str, Any] | None,
    files: ImageFiles,
    chosen: ChosenGenerator,
    seed: int,
) -> list[str]:
    """In words, what was different then."""
    asked = json.loads(json.dumps(plain(chosen.generator.record())))
    pairs: list[tuple[str, Any, Any]] = [("generator", record.get("name"), chosen.name)]
    if record.get("name") == chosen.name:
        there = record["generator"]
        pairs += [(key, there.get(key), asked.get(key)) for key in dict.fromkeys((*asked, *there))]
    if entry is not None:
        pairs += [("seed", entry.get("seed"), seed), ("file", entry.get("file"), files.image.name)]
    return [
        f"{name.replace('_', '-')} {_shown(there)} there, {_shown(here)} asked for"
        for name, there, here in pairs
        if there != here
    ]


def _shown(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value)
    return text if len(text) <= 60 else text[:57] + "..."


def _whole(entry: Mapping[str, Any], files: ImageFiles) -> bool:
    """Whether the voxels are those of the record, and the rotations of grains are there."""
    try:
        if read_labels(files.target).sha256 != entry.get("sha256"):
            return False
    except (ScalebridgeError, OSError, ValueError):
        return False
    return entry.get("orientations") is None or _readable(files)


def _readable(files: ImageFiles) -> bool:
    path = files.orientations
    try:
        if path != files.image:
            with np.load(path) as found:
                return len(found["labels"]) == len(found["rotations"])
        import h5py

        with h5py.File(path, "r") as file:
            group = file["orientations"]
            return len(group["labels"]) == len(group["rotations"])
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return False
