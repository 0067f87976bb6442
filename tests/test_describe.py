"""Images in words and pictures."""

from __future__ import annotations

import base64
import json
import re
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest

from scalebridge.core.errors import OutputError
from scalebridge.grid import GreyImage, PhaseImage, VoxelGrid
from scalebridge.grid.notebook import png
from scalebridge.microstructure import describe, gaussian_level_cut, slices_picture, voronoi_polycrystal


def bar(spacing: tuple[float, ...] | None = (1e-6, 1e-6, 2e-6)) -> PhaseImage:
    labels = np.full((4, 5, 6), 3, np.uint8)
    labels[:, 2, 3] = 9
    labels[0, 0, 0] = 9
    return PhaseImage(labels, VoxelGrid(labels.shape, spacing), ("made by hand",))


def test_description_in_numbers() -> None:
    found = describe(bar())
    assert found.shape == (4, 5, 6)
    bar_phase = found.phases[1]
    assert (bar_phase.label, bar_phase.count, bar_phase.components) == (9, 5, 2)
    assert bar_phase.percolates == (True, False, False)
    assert bar_phase.through_connected == pytest.approx((0.8, 0.0, 0.0))
    again = json.loads(json.dumps(found.as_dict()))
    assert again["phases"][1]["fraction"] == pytest.approx(5 / 120)


def test_description_in_words() -> None:
    words = str(describe(bar()))
    for part in (
        "Image [x, y, z] of 4 x 5 x 6 voxels",
        "made by hand",
        "1 µm x 1 µm x 2 µm, the whole 4 µm x 5 µm x 12 µm",
        "label 9: 5 voxels, fraction 0.041667; 2 connected pieces; percolates along x (80 % of it)",
        "1/m",
    ):
        assert part in words
    assert "unknown" in str(describe(bar(None)))
    flat = PhaseImage(np.eye(3, dtype=np.uint8), VoxelGrid((3, 3)))
    assert "label 1: 3 voxels, fraction 0.333333; 3 connected pieces; percolates along no axis" in str(
        describe(flat)
    )


def test_many_phases_are_counted_and_the_largest_described() -> None:
    image = voronoi_polycrystal((16, 16, 16), 100, seed=1).image
    found = describe(image)
    assert (found.label_count, len(found.phases)) == (len(image.present), 64)
    assert f"... and {found.label_count - 64} more" in str(found)


def png_pixels(data: bytes) -> np.ndarray:
    assert data.startswith(b"\x89PNG\r\n\x1a\n")
    columns, rows = struct.unpack(">II", data[16:24])
    body = data[data.index(b"IDAT") + 4 : data.index(b"IEND") - 8]
    return np.frombuffer(zlib.decompress(body), np.uint8).reshape(rows, -1)[:, 1:].reshape(rows, columns, 3)


def test_png_holds_the_pixels() -> None:
    pixels = np.random.default_rng(1).integers(0, 256, (5, 7, 3)).astype(np.uint8)
    np.testing.assert_array_equal(png_pixels(png(pixels)), pixels)


def test_notebooks_show_slices_with_the_axes_right() -> None:
    text = bar()._repr_html_()
    pictures = [png_pixels(base64.b64decode(code)) for code in re.findall(r"base64,([^\"]+)", text)]
    assert [p.shape[:2] for p in pictures] == [(5, 4), (6, 4), (6, 5)]  # rows run along the second axis named
    xy = pictures[0]  # at z = 3: the bar runs along x, at y = 2 of 5 (from below)
    assert len(np.unique(xy[2], axis=0)) == 1
    assert not np.array_equal(xy[2, 0], xy[1, 0])
    xz = pictures[1]  # at y = 2: the bar at z = 3 is the third row from above
    assert not np.array_equal(xz[2, 0], xz[0, 0])
    for part in ("<td>9</td><td>5</td>", "made by hand", "1 µm × 1 µm × 2 µm", "x →, y ↑"):
        assert part in text
    grey = GreyImage(np.arange(20.0).reshape(4, 5), VoxelGrid((4, 5)), ("a < b",))._repr_html_()
    assert "a &lt; b" in grey
    assert len(gaussian_level_cut((300, 8, 300), 0.3, seed=1)._repr_html_()) < 100_000


@pytest.mark.parametrize("name", ["a.png", "a.svg", "a.pdf"])
def test_pictures(name: str, tmp_path: Path) -> None:
    for image in (
        bar(),
        bar(None),
        voronoi_polycrystal((9, 9, 9), 30, seed=1).image,
        GreyImage(np.arange(20.0).reshape(4, 5), VoxelGrid((4, 5))),
    ):
        slices_picture(image, tmp_path / name)
        assert (tmp_path / name).stat().st_size > 4000


def test_picture_names_its_axes_and_labels(tmp_path: Path) -> None:
    from scalebridge.microstructure.picture import slices_figure

    figure = slices_figure(bar())
    assert [(a.get_xlabel(), a.get_ylabel()) for a in figure.axes] == [
        ("x (µm)", "y (µm)"),
        ("x (µm)", "z (µm)"),
        ("y (µm)", "z (µm)"),
    ]
    assert figure.axes[1].get_images()[0].get_extent() == [0, 4, 0, 12]
    assert [t.get_text() for t in figure.legends[0].get_texts()] == ["label 3 (95.83 %)", "label 9 (4.17 %)"]
    grey = slices_figure(GreyImage(np.arange(24.0).reshape(2, 3, 4), VoxelGrid((2, 3, 4))))
    assert len({panel.get_images()[0].get_clim() for panel in grey.axes[:3]}) == 1
    with pytest.raises(OutputError, match="Cannot write"):
        slices_picture(bar(), tmp_path / "no" / "a.png")


def test_heavy_packages_wait_until_they_are_needed() -> None:
    import subprocess
    import sys

    code = (
        "import sys, scalebridge.microstructure as m\n"
        "m.read_image; m.describe; m.write_image; m.sphere_array(4, 0.1)\n"
        "print([n for n in ('jax', 'matplotlib', 'h5py', 'tifffile', 'vtk', 'pydantic') if n in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_images_print_on_one_line() -> None:
    image = PhaseImage(np.array([[0, 1], [1, 1]]), VoxelGrid((2, 2), (1e-6, 1e-6)))
    assert repr(image) == "PhaseImage(2 x 2 voxels of 1 µm; 0: 25 %, 1: 75 %)"
    flat = GreyImage(np.zeros((2, 3), np.uint8), VoxelGrid((2, 3), (1e-6, 2e-6)))
    assert repr(flat) == "GreyImage(2 x 3 voxels of 1 µm x 2 µm; uint8)"
    many = PhaseImage(np.arange(20).reshape(4, 5), VoxelGrid((4, 5)))
    assert repr(many).endswith("7: 5 %, ...)")
    assert "unknown size" in repr(many)
