"""What every generator promises, run over all of them. A new generator adds its examples here."""

from __future__ import annotations

import dataclasses
import json
import math
from typing import Any

import numpy as np
import pytest

from scalebridge.core import memory
from scalebridge.core.errors import ImageError, ResourceError
from scalebridge.grid import PhaseImage, VoxelGrid
from scalebridge.microstructure.generators import (
    ALL_GENERATORS,
    Exponential,
    Gaussian,
    Gyroid,
    PowerLaw,
    SimpleCubic,
    VoronoiMosaic,
    generator_from_record,
)
from scalebridge.microstructure.generators.generator import AbstractGenerator, Realization

PLANAR = ((0.45, 0.05, 0.0), (0.05, 0.45, 0.0), (0.0, 0.0, 0.1))
CROSSED = ((0.5, 0.0, 0.0), (0.0, 0.5, 0.0), (0.0, 0.0, 0.0))
# A whole number of bodies makes them a little larger or smaller than asked for.
SIZES = ("mean radius", "first half axis", "fibre radius")
BOX, CUBE, FLAT = (32, 28, 26), (32, 32, 32), (72, 64)


def _reference() -> PhaseImage:
    labels = VoronoiMosaic(shape=(40, 40), cell_volume=30.0, fraction=0.4).realize(7).image.labels
    return PhaseImage(labels, VoxelGrid(labels.shape))


@dataclasses.dataclass(frozen=True)
class Example:
    """A small generator, and how far statistics may be off: fractions, and the rest (relative where above one).

    One image of a random medium has other statistics than the medium: a few standard deviations are then allowed.
    """

    name: str
    parameters: dict[str, Any]
    fraction: float
    other: float = 0.05
    random: bool = True  # another seed gives another image
    larger: tuple[int, ...] | None = None  # another shape that suits it

    def make(self, **changed: Any) -> AbstractGenerator:
        return ALL_GENERATORS[self.name](**{**self.parameters, **changed})


EXAMPLES = [
    Example("sphere-packing", {"shape": BOX, "fraction": 0.5, "radius": 3.5}, 3e-4),
    Example(
        "sphere-packing",
        {"shape": FLAT, "fraction": 0.7, "radius": (5.0, 3.5), "shares": (2.0, 1.0), "gap": 0.5},
        3e-4,
    ),
    Example("sphere-packing", {"shape": BOX, "fraction": 0.3, "radius": 3.0, "periodic": False}, 0.08),
    Example("ellipsoid-packing", {"shape": BOX, "fraction": 0.4, "axes": (5.0, 3.0, 3.0)}, 3e-4, 2e-3),
    Example(
        "ellipsoid-packing",
        {"shape": BOX, "fraction": 0.3, "axes": (2.0, 5.0, 4.0), "orientation": PLANAR, "separate": True},
        1e-3,
        2e-3,
    ),
    Example(
        "ellipsoid-packing", {"shape": FLAT, "fraction": 0.4, "axes": (6.0, 3.0), "periodic": False}, 0.08
    ),
    Example("overlapping-spheres", {"shape": BOX, "radius": 4.0, "fraction": 0.4}, 0.15),
    Example("overlapping-spheres", {"shape": FLAT, "radius": 4.0, "fraction": 0.6, "periodic": False}, 0.15),
    Example("straight-fibres", {"shape": CUBE, "fraction": 0.15, "radius": 2.0, "length": 24.0}, 3e-4, 2e-3),
    Example(
        "straight-fibres",
        {"shape": FLAT, "fraction": 0.2, "radius": 2.0, "length": 24.0, "separate": True},
        1e-3,
        2e-3,
    ),
    Example(
        "straight-fibres",
        {"shape": (40, 36, 32), "fraction": 0.15, "radius": 2.0, "length": None, "orientation": CROSSED},
        1e-3,
        0.1,
    ),
    Example(
        "straight-fibres",
        {
            "shape": BOX,
            "fraction": 0.1,
            "radius": 1.5,
            "length": 18.0,
            "orientation": PLANAR,
            "periodic": False,
        },
        0.08,
    ),
    Example("curved-fibres", {"shape": CUBE, "fraction": 0.12, "radius": 2.0, "length": 48.0}, 3e-4),
    Example(
        "curved-fibres",
        {"shape": BOX, "fraction": 0.1, "radius": 1.5, "length": 20.0, "periodic": False, "separate": True},
        0.08,
    ),
    Example("laminate", {"shape": (8, 20, 6), "fractions": (0.25, 0.5, 0.25), "axis": 1}, 0.0, random=False),
    Example("laminate", {"shape": (240, 4), "fractions": (0.3, 0.7), "period": 3, "random": True}, 0.2),
    Example("checkerboard", {"shape": (32, 24, 16), "tile": 4}, 0.0, random=False, larger=(64, 24, 16)),
    Example("checkerboard", {"shape": (64, 72), "tile": 4, "random": True, "fraction": 0.3}, 0.12),
    Example(
        "checkerboard",
        {"shape": (62, 71), "tile": 4, "random": True, "fraction": 0.3, "periodic": False},
        0.12,
    ),
    Example("voronoi-mosaic", {"shape": BOX, "cell_volume": 300.0, "fraction": 0.3}, 0.2, 0.4),
    Example(
        "voronoi-mosaic",
        {"shape": FLAT, "cell_volume": 60.0, "fraction": 0.5, "periodic": False},
        0.2,
        0.4,
    ),
    Example("gaussian-level-cut", {"shape": BOX, "fraction": 0.3, "covariance": Exponential(3.0)}, 0.1, 0.1),
    Example(
        "gaussian-level-cut",
        {"shape": FLAT, "fraction": 0.5, "covariance": Gaussian(4.0), "periodic": False},
        0.2,
        0.2,
    ),
    Example(
        "gaussian-level-cut",
        {"shape": FLAT, "fraction": 0.4, "covariance": PowerLaw(3.0, 1.0), "exact_fraction": True},
        1e-3,
        0.3,
    ),
    Example("voronoi-polycrystal", {"shape": BOX, "grain_volume": 500.0}, 0.1, 0.4),
    Example(
        "voronoi-polycrystal",
        {"shape": FLAT, "grain_volume": 80.0, "hard_core": 0.6, "periodic": False},
        0.1,
        0.4,
    ),
    Example("laguerre-polycrystal", {"shape": BOX, "grain_volume": 1500.0, "tolerance": 0.03}, 0.1, 0.4),
    Example(
        "minimal-surface-lattice",
        {"shape": CUBE, "surface": Gyroid(), "fraction": 0.3, "cell": 16.0},
        0.02,
        random=False,
        larger=(64, 32, 32),
    ),
    Example(
        "strut-lattice",
        {"shape": CUBE, "truss": SimpleCubic(), "fraction": 0.2, "cell": 16.0, "shifted": True},
        0.03,
        larger=(64, 32, 32),
    ),
    Example(
        "two-point-reconstruction",
        {"shape": (48, 48), "reference": _reference(), "tolerance": 0.1},
        2e-3,
        0.1,
    ),
]


def over(examples: list[Example]) -> pytest.MarkDecorator:
    """A test over some of the examples, each named by its place among all of them."""
    names = [f"{example.name}-{EXAMPLES.index(example)}" for example in examples]
    return pytest.mark.parametrize("example", examples, ids=names)


EVERY = over(EXAMPLES)
PERIODIC = over([example for example in EXAMPLES if example.make().periodic])
# Of a polycrystal every voxel is a grain: there is no solid whose share walls could change.
WINDOWS = over([e for e in EXAMPLES if not e.make().periodic and "polycrystal" not in e.name])
_DRAWN: dict[tuple[int, int], Realization] = {}


def drawn(example: Example, seed: int) -> Realization:
    """Each draw is made once for all tests."""
    key = (EXAMPLES.index(example), seed)
    if key not in _DRAWN:
        _DRAWN[key] = example.make().realize(seed)
    return _DRAWN[key]


def test_every_generator_has_an_example() -> None:
    assert {example.name for example in EXAMPLES} == set(ALL_GENERATORS)


@EVERY
def test_a_seed_stands_for_one_image(example: Example) -> None:
    first, again = drawn(example, 3), example.make().realize(3)
    assert first.image.sha256 == again.image.sha256
    assert first.reached == again.reached
    assert first.orientations.keys() == again.orientations.keys()
    if example.random:
        assert first.image.sha256 != drawn(example, 4).image.sha256


@EVERY
def test_an_image_is_what_was_asked_for(example: Example) -> None:
    generator, realization = example.make(spacing="2um"), drawn(example, 3)
    image = realization.image
    assert image.labels.shape == generator.shape == tuple(example.parameters["shape"])
    assert image.labels.dtype in (np.uint8, np.uint16)
    assert image.grid.spacing is None
    assert realization.seed == 3
    assert "seed 3" in image.history[-1]
    assert example.make(spacing="2um").realize(3).image.grid.spacing == (2e-6,) * image.labels.ndim
    for label, turn in realization.orientations.items():
        assert label in image.present
        np.testing.assert_allclose(turn @ turn.T, np.eye(len(turn)), atol=1e-9)
        assert np.linalg.det(turn) == pytest.approx(1)


@EVERY
def test_targets_are_reached_and_told(example: Example) -> None:
    generator = example.make()
    for seed in (3, 4):
        realization = drawn(example, seed)
        assert realization.targets == generator.targets()
        assert realization.reached.keys() == realization.targets.keys()
        assert generator.measure(realization) == realization.reached
        for name, target in realization.targets.items():
            reached = realization.reached[name]
            allowed = example.fraction if name.startswith("fraction") else example.other * max(1.0, target)
            if name in SIZES:
                allowed = 0.05 * target
            assert abs(reached - target) <= allowed + 1e-12, f"{name}: {reached} for {target}"
            if name.startswith("fraction of label"):
                label = int(name.split()[-1])
                assert reached == pytest.approx(np.mean(realization.image.labels == label))
        assert len(realization.words.splitlines()) == len(realization.targets)


@EVERY
def test_the_same_material_fills_another_window(example: Example) -> None:
    generator = example.make()
    larger = example.larger or (2 * generator.shape[0], *generator.shape[1:])
    other = generator.with_shape(larger)
    assert other.shape == larger
    kept = {key: value for key, value in other.record().items() if key != "shape"}
    assert kept == {key: value for key, value in generator.record().items() if key != "shape"}
    if math.prod(larger) < 1e5:
        assert other.realize(3).image.labels.shape == larger


@EVERY
def test_a_record_is_plain_and_rebuilds_the_generator(example: Example) -> None:
    generator = example.make(spacing=(1e-6,) * len(example.parameters["shape"]))
    record = json.loads(json.dumps(generator.record()))
    assert record["generator"] == type(generator).__name__
    rebuilt = generator_from_record(record)
    assert rebuilt == generator
    assert rebuilt.record() == generator.record()


@EVERY
def test_a_stream_draws_one_after_the_other(example: Example) -> None:
    stream = example.make().stream(iter([3, "a seed that is never reached"]))  # type: ignore[list-item]
    assert next(stream).image.sha256 == drawn(example, 3).image.sha256


@EVERY
def test_a_draw_that_does_not_fit_into_memory_is_refused(
    example: Example, monkeypatch: pytest.MonkeyPatch
) -> None:
    generator = example.make()
    assert generator.estimate_bytes() >= math.prod(generator.shape)
    monkeypatch.setattr(memory, "available_bytes", lambda: 100)
    with pytest.raises(ResourceError, match="memory"):
        generator.realize(3)


def _changes(labels: np.ndarray, axis: int) -> np.ndarray:
    """Share of neighbours with different labels between each layer and the next; last: across the seam."""
    other = labels != np.roll(labels, -1, axis)
    return other.mean(axis=tuple(k for k in range(labels.ndim) if k != axis))


@PERIODIC
def test_a_periodic_image_has_no_seam(example: Example) -> None:
    generator = example.make()
    if not example.random:
        labels, middle = drawn(example, 3).image.labels, [n // 2 for n in generator.shape]
        # A regular arrangement repeats: shifted by half the shape, changes across the seam are found elsewhere.
        for axis in range(labels.ndim):
            changes = _changes(np.roll(labels, middle, range(labels.ndim)), axis)
            assert changes[-1] in _changes(labels, axis)
        return
    for axis in range(len(generator.shape)):
        changes = np.mean(
            [_changes(drawn(example, seed).image.labels, axis) for seed in (3, 4, 5, 6)], axis=0
        )
        inside, seam = changes[:-1], changes[-1]
        # Layers in fours, as the seam is one layer of four images; a broken seam changes several times as often.
        assert seam <= inside.mean() + 5 * inside.std() + 1e-9
        assert seam >= inside.mean() - 5 * inside.std() - 1e-9


@WINDOWS
def test_a_window_does_not_feel_its_walls(example: Example) -> None:
    generator = example.make()
    reached = [drawn(example, seed) for seed in range(3, 15)]
    solid = np.mean([r.image.labels > 0 for r in reached], axis=0)
    margin = tuple(slice(2, -2) for _ in generator.shape)
    inner = np.zeros(generator.shape, bool)
    inner[margin] = True
    spread = np.std([np.mean(r.image.labels[~inner] > 0) for r in reached]) / math.sqrt(len(reached))
    assert abs(solid[inner].mean() - solid[~inner].mean()) < 5 * spread + 0.01


BAD = [
    ("sphere-packing", {"fraction": 1.2}, "fraction"),
    ("sphere-packing", {"radius": 0.1}, "radius"),
    ("sphere-packing", {"radius": 30.0}, "radius"),
    ("sphere-packing", {"shares": (1.0, 2.0)}, "shares"),
    ("sphere-packing", {"gap": -1.0}, "gap"),
    ("sphere-packing", {"shape": (4,)}, "shape"),
    ("ellipsoid-packing", {"axes": (3.0, 3.0)}, "axes"),
    (
        "ellipsoid-packing",
        {"orientation": ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))},
        "orientation",
    ),
    ("ellipsoid-packing", {"fraction": 0.0}, "fraction"),
    ("overlapping-spheres", {"fraction": 0.0}, "fraction"),
    ("overlapping-spheres", {"radius": 100.0}, "radius"),
    ("straight-fibres", {"length": 3.0}, "length"),
    ("straight-fibres", {"length": 300.0}, "length"),
    ("straight-fibres", {"length": None, "orientation": PLANAR}, "orientation"),
    ("straight-fibres", {"radius": 20.0}, "radius"),
    ("straight-fibres", {"orientation": ((2.0, 0.0, 0.0), (0.0, -1.0, 0.0), (0.0, 0.0, 0.0))}, "orientation"),
    ("curved-fibres", {"persistence": 0.0}, "persistence"),
    ("curved-fibres", {"fraction": 2.0}, "fraction"),
    ("laminate", {"fractions": (0.5, 0.6)}, "fractions"),
    ("laminate", {"axis": 3}, "axis"),
    ("laminate", {"period": 7}, "period"),
    ("checkerboard", {"tile": 5}, "tile"),
    ("checkerboard", {"tile": 0}, "tile"),
    ("checkerboard", {"fraction": 0.3}, "fraction"),
    ("voronoi-mosaic", {"cell_volume": 0.0}, "cell_volume"),
    ("voronoi-mosaic", {"fraction": 1.0}, "fraction"),
    ("gaussian-level-cut", {"fraction": 1.5}, "fraction"),
    ("gaussian-level-cut", {"stretch": (1.0,)}, "stretch"),
    ("voronoi-polycrystal", {"grain_volume": 0.0}, "grain_volume"),
    ("voronoi-polycrystal", {"hard_core": 2.0}, "hard_core"),
    ("laguerre-polycrystal", {"tolerance": 0.0}, "tolerance"),
    ("laguerre-polycrystal", {"variation": -1.0}, "variation"),
    ("minimal-surface-lattice", {"fraction": 0.0}, "fraction"),
    ("minimal-surface-lattice", {"cell": 23.0}, "cell"),
    ("strut-lattice", {"radius": 3.0}, "radius"),
    ("two-point-reconstruction", {"label": 5}, "label"),
    ("two-point-reconstruction", {"reach": 100}, "reach"),
]


@pytest.mark.parametrize(("name", "changed", "word"), BAD, ids=[f"{name}-{word}" for name, _, word in BAD])
def test_what_cannot_be_is_refused_by_name(name: str, changed: dict[str, Any], word: str) -> None:
    example = next(e for e in EXAMPLES if e.name == name)
    with pytest.raises(ImageError, match=word):
        example.make(**changed)


def test_bad_parameters_are_tried_on_every_generator() -> None:
    assert {name for name, _, _ in BAD} == set(ALL_GENERATORS)


def test_strange_records_are_refused() -> None:
    record = EXAMPLES[0].make().record()
    with pytest.raises(ImageError, match="no generator 'Nothing'"):
        generator_from_record({**record, "generator": "Nothing"})
    with pytest.raises(ImageError, match="no parameter 'colour'"):
        generator_from_record({**record, "colour": 3})
    with pytest.raises(ImageError, match="needs the parameter 'radius'"):
        generator_from_record({key: value for key, value in record.items() if key != "radius"})
