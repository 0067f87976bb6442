"""Lattices: triply periodic minimal surfaces and struts."""

from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from scalebridge.core.errors import ImageError
from scalebridge.grid import PhaseImage
from scalebridge.microstructure import label_components
from scalebridge.microstructure.generators.lattices import MinimalSurfaceLattice, StrutLattice
from scalebridge.microstructure.generators.minimal_surfaces import (
    IWP,
    AbstractMinimalSurface,
    Gyroid,
    Neovius,
    SchwarzD,
    SchwarzP,
)
from scalebridge.microstructure.generators.trusses import (
    AbstractTruss,
    BodyCentredCubic,
    DiamondCubic,
    FaceCentredCubic,
    Octet,
    SimpleCubic,
    strut_distance,
)


def _pieces(image: PhaseImage, label: int) -> int:
    return len(label_components(image.labels == label, periodic=True).sizes)


SURFACES = [Gyroid(), SchwarzP(), SchwarzD(), IWP(), Neovius()]
# Number of struts of a cell and their length over the cell's edge.
TRUSSES = [
    (SimpleCubic(), 3, 1.0),
    (BodyCentredCubic(), 8, math.sqrt(3) / 2),
    (FaceCentredCubic(), 12, math.sqrt(2) / 2),
    (Octet(), 24, math.sqrt(2) / 2),
    (DiamondCubic(), 16, math.sqrt(3) / 4),
]


@pytest.mark.parametrize("surface", SURFACES, ids=str)
def test_sheets_and_networks_are_in_one_piece_around_the_surface(surface: AbstractMinimalSurface) -> None:
    shape = (36, 36, 36)
    sheet = MinimalSurfaceLattice(shape, surface, 0.3, 36).realize(0).image
    assert _pieces(sheet, 1) == 1
    angle = 2 * np.pi * (np.arange(36) + 0.5) / 36
    level = surface.level(*np.meshgrid(angle, angle, angle, indexing="ij"))
    inside = sheet.labels == 1
    assert np.abs(level[inside]).max() <= np.abs(level[~inside]).min() + 1e-5
    network = MinimalSurfaceLattice(shape, surface, 0.3, 36, sheet=False).realize(0).image.labels == 1
    assert level[network].min() >= level[~network].max() - 1e-5


@pytest.mark.parametrize("sheet", [True, False], ids=["sheet", "network"])
@pytest.mark.parametrize("surface", SURFACES, ids=str)
def test_surface_lattices_have_their_fraction(surface: AbstractMinimalSurface, sheet: bool) -> None:
    """To half an orbit: voxels that the surface's symmetries make equivalent are cut alike."""
    orbit = 384 if isinstance(surface, SchwarzD) else 96  # D has four translations and an exchange of sides
    for cell, shape in ((24, (24, 24, 48)), (30, (30, 30, 30)), (37, (37, 37, 37))):
        for fraction in (0.1, 0.2, 0.3, 0.45, 0.6):
            image = MinimalSurfaceLattice(shape, surface, fraction, cell, sheet=sheet).realize(0).image
            assert abs(image.fractions[1] - fraction) <= 0.5 * orbit / cell**3 + 1e-12


@pytest.mark.parametrize("surface", [SchwarzP(), IWP(), Neovius()], ids=str)
def test_sheets_keep_the_symmetry_of_the_cube(surface: AbstractMinimalSurface) -> None:
    for fraction in (0.1, 0.22, 0.3, 0.41):
        labels = MinimalSurfaceLattice((24, 24, 24), surface, fraction, 24).realize(0).image.labels
        for axis in range(3):
            assert_array_equal(np.flip(labels, axis), labels)
            assert_array_equal(np.swapaxes(labels, axis, (axis + 1) % 3), labels)


@pytest.mark.parametrize("surface", [Gyroid(), SchwarzP(), SchwarzD()], ids=str)
def test_balanced_surfaces_halve_space(surface: AbstractMinimalSurface) -> None:
    image = MinimalSurfaceLattice((32, 32, 32), surface, 0.5, 32, sheet=False).realize(0).image
    assert image.fractions[1] == pytest.approx(0.5, abs=0.002)
    # On the other side lies the same network: one component each.
    assert _pieces(image, 0) == 1
    assert _pieces(image, 1) == 1


def test_schwarz_d_is_the_function_of_its_docstring() -> None:
    x, y, z = np.random.default_rng(1).uniform(0, 7, (3, 50))
    s, c = np.sin, np.cos
    expected = s(x) * s(y) * s(z) + s(x) * c(y) * c(z) + c(x) * s(y) * c(z) + c(x) * c(y) * s(z)
    assert_allclose(SchwarzD().level(x, y, z), expected, atol=1e-12)


def test_lattices_repeat_with_their_cell_along_each_axis() -> None:
    labels = MinimalSurfaceLattice((48, 40, 30), Gyroid(), 0.35, (24.0, 20.0, 10.0)).realize(0).image.labels
    for axis, edge in enumerate((24, 20, 10)):
        assert_array_equal(np.roll(labels, edge, axis), labels)
        assert not np.array_equal(np.roll(labels, edge // 2, axis), labels)
    struts = StrutLattice((48, 40, 30), Octet(), (24, 20, 15), fraction=0.3).realize(0).image.labels
    for axis, edge in enumerate((24, 20, 15)):
        assert_array_equal(np.roll(struts, edge, axis), struts)
        assert_array_equal(np.flip(struts, axis), struts)


def test_shifted_lattices_differ_by_seed_only_in_their_origin() -> None:
    for make in (
        lambda shifted: MinimalSurfaceLattice((24, 24, 24), SchwarzP(), 0.3, 24, shifted=shifted),
        lambda shifted: StrutLattice((24, 24, 24), DiamondCubic(), 24, radius=2.5, shifted=shifted),
    ):
        assert_array_equal(make(False).realize(0).image.labels, make(False).realize(1).image.labels)
        first, second = (make(True).realize(seed).image for seed in (0, 1))
        assert not np.array_equal(first.labels, second.labels)
        assert first.fractions[1] == pytest.approx(second.fractions[1], abs=0.02)


def test_a_cubic_frame_has_the_volume_of_three_crossing_cylinders() -> None:
    edge, radius = 64, 10.0
    image = StrutLattice((edge,) * 3, SimpleCubic(), edge, radius=radius).realize(0).image
    volume = 3 * math.pi * radius**2 * edge - 8 * math.sqrt(2) * radius**3
    assert image.fractions[1] == pytest.approx(volume / edge**3, rel=0.01)


@pytest.mark.parametrize(("truss", "count", "length"), TRUSSES, ids=str)
def test_thin_struts_fill_what_their_lengths_say(truss: AbstractTruss, count: int, length: float) -> None:
    """count * length * pi r^2 (1 - c r / edge) with the nodes counted once: linear in r / edge at first."""
    points = np.random.default_rng(3).random((3, 150_000)) * (0.5 if truss.mirrored else 1.0)
    distance = strut_distance(truss, (1.0, 1.0, 1.0), list(points))
    ratios = [np.mean(distance < r) / (count * length * math.pi * r**2) for r in (0.03, 0.06)]
    assert 0.6 < ratios[1] < ratios[0] < 1.01
    assert 2 * ratios[0] - ratios[1] == pytest.approx(1, abs=0.06)


@pytest.mark.parametrize(("truss", "count", "length"), TRUSSES, ids=str)
def test_distances_to_struts_are_those_to_all_their_images(
    truss: AbstractTruss, count: int, length: float
) -> None:
    edges, random = np.array([20.0, 26.0, 30.0]), np.random.default_rng(2)
    points = random.random((60, 3)) * (0.5 if truss.mirrored else 1.0)
    found = [strut_distance(truss, (20.0, 26.0, 30.0), list(p[:, None])) for p in points]
    # Brute force: points along all struts of the 5 x 5 x 5 cells around.
    along = np.linspace(0, 1, 601)[:, None]
    dense = np.concatenate([a + along * (b - a) for a, b in truss.struts()])
    shifts = np.stack(np.meshgrid(*[np.arange(-2, 3)] * 3, indexing="ij"), axis=-1).reshape(-1, 1, 3)
    everywhere = ((dense + shifts).reshape(-1, 3)) * edges
    expected = [np.linalg.norm(everywhere - p * edges, axis=1).min() for p in points]
    near = np.array(expected) < 0.5 * edges.min()
    assert near.sum() > 30
    assert_allclose(np.ravel(found)[near], np.array(expected)[near], atol=0.08)


def test_strut_fractions_are_solved_for() -> None:
    for truss, _, _ in TRUSSES:
        image = StrutLattice((40, 40, 40), truss, 40, fraction=0.2).realize(0).image
        assert image.fractions[1] == pytest.approx(0.2, abs=0.01)
        assert _pieces(image, 1) == 1


@pytest.mark.parametrize(
    ("parameters", "named"),
    [
        ({"fraction": 0.0}, "fraction"),
        ({"fraction": 1.5}, "fraction"),
        ({"cell": 7}, r"whole cells.*cell = \(6\.4, 6\.4, 6\.4\)"),
        ({"cell": 1.0}, "cell"),
        ({"cell": (8, 8)}, "cell"),
        ({"shape": (32, 32)}, "3-D"),
    ],
)
def test_impossible_surface_lattices(parameters: dict, named: str) -> None:
    given = {"shape": (32, 32, 32), "surface": Gyroid(), "fraction": 0.3, "cell": 16, **parameters}
    with pytest.raises(ImageError, match=named):
        MinimalSurfaceLattice(**given)


@pytest.mark.parametrize(
    ("parameters", "named"),
    [
        ({}, "either the fraction or the radius"),
        ({"fraction": 0.3, "radius": 2.0}, "either the fraction or the radius"),
        ({"radius": 9.0}, "radius"),
        ({"radius": 0.1}, "radius"),
        ({"fraction": 1.0}, "fraction"),
        ({"radius": 2.0, "cell": 12}, "whole cells"),
    ],
)
def test_impossible_strut_lattices(parameters: dict, named: str) -> None:
    with pytest.raises(ImageError, match=named):
        StrutLattice(**{"shape": (32, 32, 32), "truss": Octet(), "cell": 16, **parameters})
