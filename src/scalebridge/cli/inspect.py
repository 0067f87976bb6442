"""`scalebridge inspect`: what is in this image, and what would a run on it take?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from scalebridge.cli.options import Flag, ImageOptions

if TYPE_CHECKING:
    from pathlib import Path

    from scalebridge.grid import GreyImage, PhaseImage

_DEFAULT_IMAGE = ImageOptions()
_MOST_PHASES = 12  # said in words; --json has more


def inspect(
    image: str,
    /,
    *,
    reading: ImageOptions = _DEFAULT_IMAGE,
    picture: str | None = None,
    no_picture: Flag = False,
    json: Flag = False,
    force: Flag = False,
) -> int:
    """Say in words what an image holds, save a picture of its slices, estimate time and memory of a run.

    Parameters
    ----------
    image: str
        The image: TIFF (or a folder of slices), RAW, NPY/NPZ, HDF5 (file.h5:/path), VTI, NRRD, MetaImage.
    picture: str
        Where to save the slices (PNG); IMAGE-slices.png in the current folder if left out.
    no_picture: bool
        Save no picture.
    json: bool
        Print one JSON object and nothing else.
    force: bool
        Overwrite the picture.
    """
    import json as json_module
    from pathlib import Path

    from scalebridge.cli.wrapping import wrapped
    from scalebridge.core.errors import ImageError
    from scalebridge.homogenize.json_record import plain
    from scalebridge.microstructure import describe, slices_picture
    from scalebridge.microstructure.description import check_picture
    from scalebridge.microstructure.read import split_dataset
    from scalebridge.study.images import prepare_image
    from scalebridge.study.parse import image_section

    section = image_section(reading.section(image))
    target = Path(picture) if picture is not None else Path(f"{split_dataset(image)[0].stem}-slices.png")
    if (
        not no_picture
    ):  # before a large image is read; our own name for the picture may be taken by the last one
        check_picture(target, force=force or picture is None)
    try:
        labelled = prepare_image(section, Path())
    except ImageError as error:
        grey = _grey(section, Path())
        if grey is None:
            raise
        record = _describe_grey(grey, str(error))
        if not no_picture:
            slices_picture(grey, target)
            record["picture"] = str(target)
        print(json_module.dumps(plain(record), allow_nan=False) if json else wrapped(_grey_words(record)))
        return 0
    description = describe(labelled)
    costs = _costs(labelled)
    if not no_picture:
        slices_picture(labelled, target)
    if json:
        record = {"kind": "labels", **description.as_dict(), "estimates": costs}
        record["picture"] = None if no_picture else str(target)
        print(json_module.dumps(plain(record), allow_nan=False))
        return 0
    lines = [description.words(most=_MOST_PHASES)]
    lines += [f"A run ({name}): {cost['words']}" for name, cost in costs.items()]
    if not no_picture:
        lines.append(f"Slices saved to {target}.")
    print(wrapped("\n".join(lines)))
    return 0


def _costs(image: PhaseImage) -> dict[str, dict[str, Any]]:
    """Time and memory by physics, for phases of moderate contrast."""
    from scalebridge.homogenize.forecast import estimate
    from scalebridge.material import Conduction, Elasticity

    laws: dict[str, Any] = {
        "conduction": lambda i: Conduction.isotropic(k=1.0 + 9.0 * (i > 0)),
        "elasticity": lambda i: Elasticity.isotropic(E=1.0 + 9.0 * (i > 0), nu=0.3),
    }
    costs = {}
    for name, law in laws.items():
        needed = estimate(image, {label: law(i) for i, label in enumerate(image.present)})
        costs[name] = {
            "bytes": int(needed.bytes),
            "seconds": float(needed.seconds),
            "words": str(needed.words),
        }
    return costs


def _grey(section: Any, base: Path) -> GreyImage | None:
    """The image as grey values, or None when it cannot be read so either: the first message is then right."""
    from scalebridge.core.errors import ScalebridgeError
    from scalebridge.microstructure.read import read_grey
    from scalebridge.study.images import raw_layout

    try:
        return read_grey(
            base / section.path,
            spacing=section.spacing,
            axes=section.axes,
            dataset=section.dataset,
            raw=raw_layout(section.raw) if section.raw is not None else None,
        )
    except ScalebridgeError:
        return None


def _describe_grey(grey: GreyImage, why: str) -> dict[str, Any]:
    import numpy as np

    quantiles = np.quantile(grey.values[:: max(1, grey.values.shape[0] // 64)], [0.01, 0.25, 0.5, 0.75, 0.99])
    return {
        "kind": "grey",
        "history": list(grey.history),
        "shape": list(grey.grid.shape),
        "minimum": float(grey.values.min()),
        "maximum": float(grey.values.max()),
        "mean": float(grey.values.mean()),
        "quantiles": {
            name: float(q) for name, q in zip(("1%", "25%", "50%", "75%", "99%"), quantiles, strict=True)
        },
        "note": why,
    }


def _grey_words(record: dict[str, Any]) -> str:
    quantiles = ", ".join(f"{name}: {value:g}" for name, value in record["quantiles"].items())
    lines = [f"-  {step}" for step in record["history"]]
    lines.append(
        f"Grey values from {record['minimum']:g} to {record['maximum']:g}, mean {record['mean']:g} ({quantiles})."
    )
    lines.append(f"Not yet usable for a run: {record['note']}")
    if record.get("picture") is not None:
        lines.append(f"Slices saved to {record['picture']}.")
    return "\n".join(lines)
