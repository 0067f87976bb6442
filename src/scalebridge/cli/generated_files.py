"""Files of generated microstructures: the image, the orientations of its grains, and a record that rebuilds it."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, final

import numpy as np

from scalebridge.cli.generator_arguments import ChosenGenerator, read_labels, relative_to
from scalebridge.core import provenance
from scalebridge.core.errors import ImageError, InputError
from scalebridge.core.files import check_file, replacing, write_text
from scalebridge.homogenize.json_record import plain
from scalebridge.microstructure.generators import ALL_GENERATORS
from scalebridge.microstructure.generators.generator import Realization
from scalebridge.microstructure.generators.records import generator_from_record
from scalebridge.microstructure.read import split_dataset
from scalebridge.microstructure.write import check_target, write_image

SCHEMA = "scalebridge.generate/1"
_HDF5 = (".h5", ".hdf5")


@final
@dataclasses.dataclass(frozen=True)
class ImageFiles:
    """The names of what belongs to one image."""

    target: str

    @property
    def image(self) -> Path:
        return split_dataset(self.target)[0]

    @property
    def record(self) -> Path:
        return self.image.with_suffix(".json")

    @property
    def orientations(self) -> Path:
        """Where the rotations of grains go: into an HDF5 file itself, else beside the image."""
        return (
            self.image if self.image.suffix.lower() in _HDF5 else self.image.with_suffix(".orientations.npz")
        )

    def check(self, *, force: bool, voxels: int) -> None:
        """Fails when: one of them cannot be written, or exists already and `force` is not set (OutputError)."""
        check_target(self.target, force=force, voxels=voxels)
        check_file(self.record, force=force)
        if self.orientations != self.image:
            check_file(self.orientations, force=force)


@final
@dataclasses.dataclass(frozen=True)
class RecordedImage:
    """What a record says of an image."""

    chosen: ChosenGenerator
    seed: int
    sha256: str
    versions: Mapping[str, str]


def save_realization(realization: Realization, chosen: ChosenGenerator, files: ImageFiles) -> dict[str, Any]:
    """Writes everything that belongs to one draw; returns the record's entry of the image.

    The record has no entry before the image is whole, so that an interrupted draw is told from a finished one.
    """
    _write_record(chosen, [], files)
    write_image(realization.image, files.target)
    written = bool(realization.orientations)
    if written:
        _write_orientations(realization.orientations, files.orientations)
    image = realization.image
    entry = {
        "file": files.image.name,
        "seed": realization.seed,
        "sha256": image.sha256,
        "shape": list(image.grid.shape),
        "spacing": plain(image.grid.spacing),
        "labels": len(image.present),
        "orientations": files.orientations.name if written else None,
        "targets": plain(realization.targets),
        "reached": plain(realization.reached),
        "history": list(image.history),
    }
    _write_record(chosen, [entry], files)
    return entry


def _write_record(chosen: ChosenGenerator, entries: Sequence[Mapping[str, Any]], files: ImageFiles) -> None:
    record = collect_record(chosen, entries, files.image.parent)
    write_text(files.record, json.dumps(record, indent=2, allow_nan=False) + "\n")


def collect_record(
    chosen: ChosenGenerator, images: Sequence[Mapping[str, Any]], folder: Path | None
) -> dict[str, Any]:
    """The record of some images of one generator, as seen from `folder`; None: one that may be kept anywhere."""
    about = provenance.collect(dict(chosen.files), {})
    return {
        "schema": SCHEMA,
        "name": chosen.name,
        "generator": plain(chosen.generator.record()),
        "files": {
            key: path.absolute().as_posix() if folder is None else relative_to(path, folder)
            for key, path in chosen.files.items()
        },
        "images": list(images),
        "provenance": about,
    }


def read_record(path: Path | str) -> list[RecordedImage]:
    """The images that a record speaks of. Fails when: it is no record of `scalebridge generate` (InputError)."""
    path = Path(path)
    try:
        record = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(f"Cannot read the record {str(path)!r}: {error}.") from error
    if not isinstance(record, dict) or record.get("schema") != SCHEMA:
        raise InputError(f"{path} is not a record of `scalebridge generate` (schema {SCHEMA!r}).")
    try:
        chosen = _chosen(record, path.parent)
        versions = dict(record["provenance"]["versions"])
        return [
            RecordedImage(chosen, int(image["seed"]), str(image["sha256"]), versions)
            for image in record["images"]
        ]
    except KeyError as error:
        raise InputError(f"The record {path} is incomplete or damaged: it has no {error}.") from error
    except (TypeError, ValueError, AttributeError) as error:
        raise InputError(f"The record {path} is incomplete or damaged: {error}.") from error


def _chosen(record: Mapping[str, Any], folder: Path) -> ChosenGenerator:
    name, data, files = record["name"], record["generator"], dict(record["files"])
    paths = {key: folder / value for key, value in files.items()}
    if "reference" not in paths:
        return ChosenGenerator(name, generator_from_record(data), paths)
    reference = read_labels(paths["reference"])
    if reference.sha256 != data["reference"]["sha256"]:
        raise ImageError(
            f"{paths['reference']} is not the reference image that the record speaks of: its content has changed."
        )
    plain_values = {
        key: tuple(value) if isinstance(value, list) else value
        for key, value in data.items()
        if key not in ("generator", "reference")
    }
    return ChosenGenerator(name, ALL_GENERATORS[name](reference=reference, **plain_values), paths)  # type: ignore[call-arg]


def _write_orientations(orientations: Mapping[int, np.ndarray], path: Path) -> None:
    labels = np.array(sorted(orientations), dtype=np.int64)
    rotations = np.stack([np.asarray(orientations[int(label)], dtype=float) for label in labels])
    if path.suffix.lower() in _HDF5:
        import h5py

        with h5py.File(path, "r+") as file:
            group = file.create_group("orientations")
            group.create_dataset("labels", data=labels)
            group.create_dataset("rotations", data=rotations)
        return
    with replacing(path) as stream:
        np.savez(stream, labels=labels, rotations=rotations)
