"""Options that several commands share, and how their texts are read."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Annotated, Any, Literal

from cyclopts import Parameter, Token

from scalebridge.core.errors import InputError, PhaseError


def _whole_number(_: Any, tokens: Sequence[Token]) -> int:
    text = tokens[0].value
    try:
        return int(text)
    except ValueError:
        pass
    try:
        number = float(text)
    except ValueError:
        number = 0.5
    if not number.is_integer():
        raise ValueError(f'"{text}" is not a whole number.')
    return int(number)


# Without it the parser takes 1.5 for 2.
WHOLE = Parameter(converter=_whole_number, allow_leading_hyphen=True)
Flag = Annotated[bool, Parameter(negative=())]
ProgressStyle = Literal["auto", "lines", "none"]
Condition = Literal["periodic", "kubc", "subc", "faces"]


@Parameter(name="*")
@dataclasses.dataclass(frozen=True)
class ImageOptions:
    """How to read the image."""

    spacing: Annotated[str | None, Parameter(allow_leading_hyphen=True)] = None
    """Voxel edge with its unit: 5.345um, or one per axis: 1um,1um,2um."""
    axes: str | None = None
    """Stored order of the axes, e.g. zyx, where it is not the convention of the format."""
    dataset: str | None = None
    """HDF5: the path of the image inside the file."""
    threshold: Annotated[str | None, Parameter(allow_leading_hyphen=True)] = None
    """Grey image: T1[,T2...] gives labels 0 (below T1), 1 (T1 <= grey < T2), 2, ..."""
    otsu: Annotated[int | None, WHOLE] = None
    """Grey image: this many labels, thresholds by Otsu's method."""
    crop: str | None = None
    """Voxels kept along x, y, z: 0:100,0:100,:"""
    relabel: str | None = None
    """Replace labels: OLD:NEW[,OLD:NEW...]."""
    keep_largest: str | None = None
    """LABEL:OTHERS keeps the largest connected part of LABEL; its other parts become OTHERS."""
    coarsen: Annotated[int, WHOLE] = 1
    """Merge N x N x N voxels into one (majority)."""
    mirror: str | None = None
    """Mirror along these axes, e.g. xyz: makes the image periodic."""
    raw_shape: str | None = None
    """Headerless file: voxels along x,y,z, e.g. 400,400,400."""
    raw_dtype: str = "uint8"
    """Headerless file: type of a voxel, e.g. uint8, float32, or >u2 for big-endian."""
    raw_offset: Annotated[int, WHOLE] = 0
    """Headerless file: bytes before the first value."""
    raw_order: str | None = None
    """Headerless file: order of the axes, slowest first; zyx (x runs fastest) if left out."""

    def section(self, path: str) -> dict[str, Any]:
        """The [image] section of the study that says the same."""
        data: dict[str, Any] = {"path": path}
        for key in ("spacing", "axes", "dataset", "otsu", "crop"):
            if getattr(self, key) is not None:
                data[key] = getattr(self, key)
        if self.threshold is not None:
            data["threshold"] = numbers(self.threshold, "--threshold")
        if self.relabel is not None:
            data["relabel"] = {str(old): new for old, new in _pairs(self.relabel, "--relabel")}
        if self.keep_largest is not None:
            pairs = _pairs(self.keep_largest, "--keep-largest")
            if len(pairs) != 1:
                raise InputError(
                    f"--keep-largest {self.keep_largest!r}: expected one LABEL:OTHERS, e.g. 0:1."
                )
            data["keep_largest"] = {"label": pairs[0][0], "others": pairs[0][1]}
        if self.coarsen != 1:
            data["coarsen"] = self.coarsen
        if self.mirror is not None:
            data["mirror"] = [letter for letter in self.mirror if letter != ","]
        if self.raw_shape is not None:
            data["raw"] = {
                "shape": [int(n) for n in numbers(self.raw_shape, "--raw-shape", whole=True)],
                "dtype": self.raw_dtype,
                "offset": self.raw_offset,
            }
            if self.raw_order is not None:
                data["raw"]["order"] = self.raw_order
        return data


def numbers(text: str, option: str, *, whole: bool = False) -> list[float]:
    """ "1,2.5" as numbers. Fails when: a part is not a (whole) number (InputError)."""
    values = []
    for part in text.replace("x", ",").split(",") if whole else text.split(","):
        try:
            values.append(float(int(part)) if whole else float(part))
        except (ValueError, OverflowError):
            kind = "a whole number" if whole else "a number"
            raise InputError(f"{option} {text!r}: {part.strip()!r} is not {kind}.") from None
    return values


def _pairs(text: str, option: str) -> list[tuple[int, int]]:
    pairs = []
    for part in text.split(","):
        old, _, new = part.partition(":")
        try:
            pairs.append((int(old), int(new)))
        except ValueError:
            raise InputError(f"{option} {text!r}: {part.strip()!r} is not LABEL:LABEL, e.g. 3:0.") from None
    return pairs


def phase_section(text: str) -> dict[str, Any]:
    """ "1:k=2.5,..." as a [[phase]] of a study. Fails when: it is not LABEL:key=value,... (PhaseError)."""
    form = "Expected LABEL:key=value[,key=value...], e.g. --phase 1:E=210GPa,nu=0.3."
    label_text, colon, rest = text.partition(":")
    if not colon:
        raise PhaseError(f"--phase {text!r} has no label. {form}")
    try:
        label = int(label_text)
    except ValueError:
        raise PhaseError(
            f"--phase {text!r}: the label {label_text!r} is not a whole number. {form}"
        ) from None
    properties: dict[str, str] = {}
    for part in rest.split(","):
        key, equals, value = (piece.strip() for piece in part.partition("="))
        if not (key and equals and value):
            raise PhaseError(f"--phase {text!r}: {part.strip()!r} is not key=value. {form}")
        if key in properties:
            raise PhaseError(f"--phase {text!r}: {key} is given twice. {form}")
        properties[key] = value
    return {"label": label, "properties": properties}


def phase_sections(texts: list[str]) -> list[dict[str, Any]]:
    """All --phase options together. Fails when: a label is given twice (PhaseError)."""
    sections = [phase_section(text) for text in texts]
    labels = [section["label"] for section in sections]
    for label in labels:
        if labels.count(label) > 1:
            raise PhaseError(f"--phase gives label {label} {labels.count(label)} times; each phase once.")
    return sections
