"""What a study file may say: strict models, every key explained.

A study is data: plain numbers and words, checked here, turned into images, laws and conditions by plan.py.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Annotated, Any, Literal, final

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

AxisName = Literal["x", "y", "z"]
PhysicsName = Literal["conduction", "elasticity", "thermoelasticity"]
ConditionName = Literal["periodic", "kubc", "subc", "faces"]
Number = Annotated[float, Field(allow_inf_nan=False)]
Text = Annotated[str, Field(max_length=4096, pattern=r"^[^\x00]*$")]
Quantity = Annotated[int | float | str, Field(union_mode="left_to_right")]


# Where the iteration stops when a study asks for nothing in particular.
DEFAULT_ACCURACY = 0.01


class Section(BaseModel):
    """Unknown keys are errors, nothing is converted silently, values never change."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)


def require_labels_once(labels: Sequence[int], each: str) -> None:
    """Fails when: a label is given twice (ValueError, as validators raise it); `each` names what has one."""
    for label in labels:
        if labels.count(label) > 1:
            raise ValueError(f"label {label} is given {labels.count(label)} times; each {each} once")


@final
class RawSection(Section):
    """The layout of a headerless file."""

    shape: Annotated[list[Annotated[int, Field(gt=0)]], Field(min_length=2, max_length=3)]
    dtype: Text = "uint8"
    byte_order: Literal["little", "big"] = "little"
    offset: Annotated[int, Field(ge=0)] = 0
    order: Literal["xyz", "zyx", "xy", "yx"] | None = None


@final
class KeepLargestSection(Section):
    """Only the largest connected part of `label` is kept; the `others` become that label."""

    label: int
    others: int


@final
class ImageSection(Section):
    """The image and what is done to it before anything is computed, in the order of the keys below."""

    path: Annotated[Text, Field(min_length=1)]
    dataset: Text | None = None
    axes: Annotated[str, Field(pattern=r"^[xyz]{2,3}$")] | None = None
    spacing: Text | Number | list[Quantity] | None = None
    raw: RawSection | None = None
    threshold: Annotated[list[Number], Field(min_length=1, max_length=255)] | None = None
    otsu: Annotated[int, Field(ge=2, le=5)] | None = None
    crop: Text | None = None
    relabel: dict[Annotated[str, Field(pattern=r"^-?[0-9]{1,9}$")], int] = {}
    keep_largest: KeepLargestSection | None = None
    coarsen: Annotated[int, Field(ge=1)] = 1
    mirror: list[AxisName] = []

    @field_validator("threshold")
    @classmethod
    def _ascending(cls, value: list[float] | None) -> list[float] | None:
        if value is not None and any(a >= b for a, b in itertools.pairwise(value)):
            raise ValueError(f"thresholds must increase, got {value}")
        return value

    @model_validator(mode="after")
    def _one_segmentation(self) -> ImageSection:
        if self.threshold is not None and self.otsu is not None:
            raise ValueError("give either threshold or otsu, not both")
        return self


@final
class PhysicsSection(Section):
    """What is homogenized. `plane` is for elasticity of 2-D images."""

    kind: PhysicsName
    plane: Literal["strain", "stress"] | None = None


@final
class PhaseSection(Section):
    """One label of the image and its law. Properties: numbers (SI) or text with unit and uncertainty."""

    label: int
    name: Text = ""
    properties: dict[str, Quantity]
    rotation: (
        Annotated[
            list[Annotated[list[Number], Field(min_length=3, max_length=3)]],
            Field(min_length=3, max_length=3),
        ]
        | None
    ) = None
    orientations: Text | None = None


@final
class BoundarySection(Section):
    """The condition under which the image is loaded, and others to compare it with."""

    condition: ConditionName = "periodic"
    axis: AxisName | None = None
    platens: Literal["clamped", "smooth"] | None = None
    sides: Literal["free", "symmetric"] | None = None
    compare: list[ConditionName] = []

    @model_validator(mode="after")
    def _only_for_faces(self) -> BoundarySection:
        if "faces" not in (self.condition, *self.compare):
            for key in ("axis", "platens", "sides"):
                if getattr(self, key) is not None:
                    raise ValueError(f'{key} is only for condition = "faces", here it is "{self.condition}"')
        return self


@final
class AccuracySection(Section):
    """`target`: relative error to reach, all terms together. `residual`: fixed solver tolerance instead.

    `subvolumes`: "auto", or the edges in voxels of windows to compare, for the statistical term.
    """

    target: Annotated[float, Field(gt=0, lt=1)] | None = None
    residual: Annotated[float, Field(gt=0, lt=1)] | None = None
    subvolumes: Literal["auto"] | list[int] | None = None

    @field_validator("subvolumes", mode="before")
    @classmethod
    def _windows(cls, value: Any) -> Any:
        edges = value if isinstance(value, list) else []
        whole = all(isinstance(n, int) and not isinstance(n, bool) and n > 1 for n in edges)
        if value in (None, "auto") or (whole and 2 <= len(edges) <= 8):
            return value
        raise ValueError(
            f'expected "auto" or two to eight edges of windows in voxels, e.g. [64, 48, 32], got {value!r}'
        )

    @model_validator(mode="after")
    def _one_criterion(self) -> AccuracySection:
        if self.target is not None and self.residual is not None:
            raise ValueError("give either target or residual, not both")
        return self


@final
class OutputSection(Section):
    """Where the results go (nowhere when `folder` is left out) and whether the local fields are kept."""

    folder: Annotated[Text, Field(min_length=1)] | None = None
    fields: bool = False


@final
class Study(Section):
    """A whole study. Paths are relative to the folder of the study file."""

    image: ImageSection
    physics: PhysicsSection
    phase: Annotated[list[PhaseSection], Field(min_length=1, max_length=4096)]
    boundary: BoundarySection = BoundarySection()
    accuracy: AccuracySection = AccuracySection()
    output: OutputSection = OutputSection()

    @field_validator("phase")
    @classmethod
    def _labels_once(cls, value: list[PhaseSection]) -> list[PhaseSection]:
        require_labels_once([phase.label for phase in value], "phase")
        return value

    def settings(self) -> dict[str, Any]:
        """What was set, as plain data: defaults left out, ready for TOML and JSON."""
        return self.model_dump(mode="json", exclude_defaults=True, exclude_none=True)
