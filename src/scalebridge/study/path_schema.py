"""What a study of a loading path may say: an image, a law per label, the path, its legs. Strict, every key explained.

A study file with a [path] section is one of these; see schema.py for what the sections have in common.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, final

from pydantic import Field, field_validator

from scalebridge.study.schema import ImageSection, Quantity, Section, Text, require_labels_once

VOID = "void"
Key = Annotated[str, Field(max_length=100)]


@final
class LawSection(Section):
    """One label and its law: a name of the catalogue, "void", "file.py:function", or the name of an entry point.

    orientations: a .npy file with one rotation per voxel, shape (3, 3, nx, ny, nz), for laws that take an orientation.
    """

    label: int
    name: Text = ""
    law: Annotated[Text, Field(min_length=1)]
    parameters: Annotated[dict[Key, Quantity | list[Quantity]], Field(default_factory=dict)]
    orientations: Text | None = None


@final
class PathSection(Section):
    """How the path is followed, and what is kept of it."""

    condition: Literal["periodic", "kubc", "subc"] = "periodic"
    integration: Literal["one", "eight", "mean-dilatation"] | None = None
    plane: Literal["strain", "stress"] | None = None
    tangent: Literal["legs", "all", "last", "none"] = "legs"
    residual: Annotated[float, Field(gt=0, lt=1)] | None = None
    resolution: bool = False
    accuracy: Annotated[float, Field(gt=0, lt=1)] | None = None
    fields: Literal["none", "last", "legs", "all"] | list[Annotated[int, Field(gt=0)]] = "none"


@final
class LegSection(Section):
    """One straight piece: where components go, what happens to the others, in how many steps and which time."""

    components: Annotated[dict[Key, Quantity], Field(min_length=1)]
    rest: Literal["free", "held"] = "held"
    steps: Annotated[int, Field(gt=0, le=1_000_000)] = 10
    time: Quantity = 1.0


@final
class PathOutputSection(Section):
    """Where the results go; nowhere when `folder` is left out."""

    folder: Annotated[Text, Field(min_length=1)] | None = None


@final
class PathStudy(Section):
    """A whole study of a path. Paths are relative to the folder of the study file."""

    image: ImageSection
    law: Annotated[list[LawSection], Field(min_length=1, max_length=4096)]
    path: PathSection = PathSection()
    leg: Annotated[list[LegSection], Field(min_length=1, max_length=1000)]
    output: PathOutputSection = PathOutputSection()

    @field_validator("law")
    @classmethod
    def _labels_once(cls, value: list[LawSection]) -> list[LawSection]:
        require_labels_once([section.label for section in value], "label")
        return value

    def settings(self) -> dict[str, Any]:
        """What was set, as plain data: defaults left out, ready for TOML and JSON."""
        data = self.model_dump(mode="json", exclude_defaults=True, exclude_none=True)
        data.setdefault("path", {})  # says what kind of study this is
        return data
